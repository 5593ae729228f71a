"""The audit log of a real API server beside our log: every write is in both, and no stranger is missed."""

from __future__ import annotations

import http.client
import json
import ssl
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import fleet_files
import pytest
from e2e_proxy import FORWARD, Forward, Proxy
from e2e_world import MAPS, MERGE, ROLES, Fleet, Plane, manifest, result, until

from reconciler.audit import codes
from reconciler.audit.entry import Outcome
from reconciler.audit.outcomes import ObjectRow, read_outcomes
from reconciler.model import RECONCILER_USER
from reconciler.pipeline.joined import Joined
from reconciler.pipeline.joining import join
from reconciler.pipeline.resources import plurals
from reconciler.pipeline.run import MemberState
from reconciler.plan import Allowances

pytestmark = pytest.mark.real
ADMIN = "admin"


class Watch:
    """What member-a's API server logs from now on; the clusters and their logs outlive a test."""

    def __init__(self, plane: Plane, folder: Path) -> None:
        self.plane = plane
        self.copy = folder / "member-a.audit.jsonl"
        self.frame()
        lines = plane.member.audit_log.read_bytes().splitlines(keepends=True)
        self.start = sum(map(len, lines[:-1]))  # the frame is the first of ours

    def frame(self) -> None:
        """An event of no meaning, so that the file covers what comes before or after."""
        self.plane.must("POST", f"{MAPS}?dryRun=All", {"metadata": {"name": "frame"}})

    def file(self) -> Path:
        """The part of the log since the start, which an event of now closes."""
        self.frame()
        with self.plane.member.audit_log.open("rb") as log:
            log.seek(self.start)
            self.copy.write_bytes(log.read())
        return self.copy

    def join(self, fleet: Fleet) -> Joined:
        with fleet.wiring() as wiring:
            return join(wiring.log_view(), [self.file()], cluster="member-a")


@pytest.fixture
def watch(fleet: Fleet, a: Plane, tmp_path: Path) -> Watch:
    return Watch(a, tmp_path)


def rows_of(fleet: Fleet) -> list[ObjectRow]:
    """Every object of member-a's outcomes."""
    with fleet.wiring() as wiring:
        view = wiring.log_view()
        bodies = [e.body for _, e in view.entries() if isinstance(e, Outcome) and e.cluster == "member-a"]
        return [row for body in bodies if body for row in read_outcomes(view.body(body))]


def send(plane: Plane, method: str, path: str, body: Any, headers: Mapping[str, str]) -> int:
    """A request by the administrator with headers of its own."""
    host = plane.member.url.removeprefix("https://")
    connection = http.client.HTTPSConnection(host, timeout=30, context=plane._context)
    connection.request(method, path, json.dumps(body), {"Content-Type": "application/json", **headers})
    status = connection.getresponse().status
    connection.close()
    return status


def found(joined: Joined) -> list[tuple[str, str, str]]:
    """(code, verb and target, user) of each finding."""
    return [
        (finding.code, f"{event.verb} {event.target}", event.user)
        for finding in joined.findings
        if (event := finding.event)
    ]


def test_every_write_of_a_fleets_life_is_in_both_logs(fleet: Fleet, watch: Watch, a: Plane) -> None:
    fleet.start(manifest("extra", number="1"), {"policies/rbac/viewer.yaml": fleet_files.role("viewer")})
    fleet.reconcile()
    fleet.commit(manifest("settings", colour="green"), {"policies/manifests/extra.yaml": None})
    fleet.reconcile(allow=Allowances(deletions=True))
    rows = rows_of(fleet)
    assert {row.result.value for row in rows} == {"created", "updated", "deleted"}

    joined = watch.join(fleet)
    assert joined.findings == ()
    assert (joined.matched, joined.share, joined.ok) == (len(rows), 1.0, True)
    assert (joined.missing, joined.not_covered, joined.unproven, joined.unexplained) == (0, 0, 0, 0)
    assert joined.record_writes >= 2

    # Without our parser: the API server logged the very Audit-IDs that we sent, with the objects they are of.
    logged = {
        event["auditID"]: event["objectRef"]["name"]
        for event in map(json.loads, watch.copy.read_text().splitlines())
        if event["user"]["username"] == RECONCILER_USER
        and event["verb"] in ("patch", "delete")
        and "dryRun" not in event["requestURI"]
    }
    assert logged == {row.audit_id: row.object.rpartition("/")[2].rpartition(" ")[2] for row in rows}


def test_the_command_says_so_to_people_and_to_programs(fleet: Fleet, watch: Watch) -> None:
    fleet.start()
    fleet.reconcile()
    done = fleet.run("audit", "join", "--cluster", "member-a", "--kube-audit", str(watch.file()))
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == (
        "explained: member-a, 100 % of 5 writes by the reconciler's user"
        " have intent, outcome and matching Audit-ID"
    )
    watch.plane.unguard()
    done = fleet.run("audit", "join", "-c", "member-a", "-k", str(watch.file()), "-o", "json")
    assert done.returncode == 1, done.stderr
    value = json.loads(done.stdout)
    assert (value["ok"], value["share"], value["counts"]["matched"]) == (False, 1.0, 5)
    assert {finding["event"]["user"] for finding in value["findings"]} == {ADMIN}
    both = fleet.run("audit", "join", "-k", str(watch.copy))
    assert both.returncode == 2
    assert "member-a, member-b" in both.stderr


def test_a_hand_on_a_federated_object_shows_before_and_after_the_guard_is_gone(
    fleet: Fleet, watch: Watch, a: Plane
) -> None:
    fleet.start()
    fleet.reconcile()
    change = {"data": {"colour": "red"}}
    # The guard comes into force a moment after it was written.
    until(lambda: a.send("PATCH", f"{MAPS}/settings?dryRun=All", change, MERGE) == 403, "the guard")
    assert a.send("PATCH", f"{MAPS}/settings", change, MERGE) == 403
    joined = watch.join(fleet)
    assert found(joined) == [(codes.WRITE_REFUSED, "patch configmaps default/settings", ADMIN)]
    assert (joined.ok, joined.share) == (True, 1.0)

    a.unguard()
    a.by_hand("PATCH", f"{MAPS}/settings", change)
    a.must("POST", MAPS, {"metadata": {"name": "unfederated"}})
    a.must("DELETE", f"{MAPS}/unfederated")
    joined = watch.join(fleet)
    bindings = "validatingadmissionpolicybindings.admissionregistration.k8s.io"
    others = [(what, who) for code, what, who in found(joined) if code == codes.WRITE_BY_OTHERS]
    assert others == [
        (f"delete {bindings} fleetward-guard", ADMIN),
        (f"delete {bindings} fleetward-guard-record", ADMIN),
        ("patch configmaps default/settings", ADMIN),
    ]
    assert not joined.ok

    # The next run repairs both, and that is ours again.
    fleet.reconcile()
    after = watch.join(fleet)
    assert (len(after.findings), after.share) == (len(joined.findings), 1.0)
    assert after.matched == joined.matched + 3


def test_a_deletion_that_calls_itself_a_dry_run_is_found(fleet: Fleet, watch: Watch, a: Plane) -> None:
    """The API server takes the options of a deletion from its body, and then not from its query."""
    fleet.start()
    fleet.reconcile()
    a.unguard()
    options = {"kind": "DeleteOptions", "apiVersion": "v1"}
    a.by_hand("DELETE", f"{MAPS}/settings?dryRun=All", options, "application/json")
    assert a.data("settings") is None
    done = [what for code, what, _ in found(watch.join(fleet)) if code == codes.WRITE_BY_OTHERS]
    assert "delete configmaps default/settings" in done


def test_who_acts_as_us_or_copies_our_audit_id_is_found(fleet: Fleet, watch: Watch, a: Plane) -> None:
    fleet.start()
    fleet.reconcile()
    # The guard sees only whom a request acts as: an administrator may impersonate anybody.
    act_as_us = {"Impersonate-User": RECONCILER_USER, "Content-Type": MERGE}
    assert send(a, "PATCH", f"{MAPS}/settings", {"data": {"colour": "red"}}, act_as_us) == 200
    used = next(row.audit_id for row in rows_of(fleet) if row.object.endswith("settings"))
    name = {"metadata": {"name": "copied"}}
    assert send(a, "POST", MAPS, name, {"Audit-ID": used}) == 201
    a.must("DELETE", f"{MAPS}/copied")
    joined = watch.join(fleet)
    assert found(joined) == [
        (codes.IMPERSONATED, "patch configmaps default/settings", ADMIN),
        (codes.AUDIT_ID_REUSED, "create configmaps default/copied", ADMIN),
    ]
    assert (joined.unexplained, joined.matched, joined.share) == (1, 5, 5 / 6)


def test_a_write_by_our_user_outside_of_a_run_is_found(fleet: Fleet, watch: Watch, a: Plane) -> None:
    fleet.start()
    fleet.reconcile()
    token = {"spec": {"audiences": [f"https://{a.name}.sandbox.fleetward.test"]}}
    accounts = "/api/v1/namespaces/federation-system/serviceaccounts"
    stolen = a.must("POST", f"{accounts}/federation-reconciler/token", token)["status"]["token"]
    host = a.member.url.removeprefix("https://")
    context = ssl.create_default_context(cafile=str(a.member.ca_file))
    connection = http.client.HTTPSConnection(host, timeout=30, context=context)
    headers = {"Content-Type": MERGE, "Authorization": f"Bearer {stolen}"}
    connection.request("PATCH", f"{MAPS}/settings", json.dumps({"data": {"colour": "red"}}), headers)
    assert connection.getresponse().status == 200
    connection.close()
    joined = watch.join(fleet)
    assert found(joined) == [(codes.WRITE_UNEXPLAINED, "patch configmaps default/settings", RECONCILER_USER)]
    assert not joined.ok


def test_a_write_whose_answer_never_came_is_explained_by_the_failure(
    fleet: Fleet, watch: Watch, a: Plane, proxy: Callable[[str], Proxy]
) -> None:
    front = proxy("member-a")
    fleet.start(fleet.registration("member-a", front.url))
    front.rule = lambda seen: Forward(answer=False) if seen.writes and ROLES in seen.path else FORWARD
    run = fleet.reconcile("member-a")
    assert result(run, "member-a").state is MemberState.FAILED
    assert a.get(f"{ROLES}/viewer"), "it was done all the same"
    joined = watch.join(fleet)
    assert joined.ok, found(joined)
    assert {code for code, *_ in found(joined)} <= {codes.WRITE_UNPROVEN}
    front.forget()
    fleet.reconcile("member-a")
    assert watch.join(fleet).ok


def test_every_kind_of_the_api_server_follows_the_rule_of_plurals(a: Plane) -> None:
    groups = a.must("GET", "/apis")["groups"]
    lists = ["/api/v1", *(f"/apis/{v['groupVersion']}" for group in groups for v in group["versions"])]
    for path in lists:
        for resource in a.must("GET", path)["resources"]:
            name, _, subresource = resource["name"].partition("/")
            assert subresource or name in plurals(resource["kind"]), (path, resource)
