"""``fleetward doctor`` on real clusters: what is wrong is found, named, and hides nothing else."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from e2e_proxy import FORWARD, Action, Canned, Hang, Proxy, Seen
from e2e_world import GUARDS, MAPS, Fleet, Plane, until

from reconciler.audit.cosignature import CosignatureKey
from reconciler.member.bootstrap import VIEWER, VIEWER_USER
from reconciler.member.diagnosis.results import MemberCheck
from reconciler.model import FIELD_MANAGER

pytestmark = pytest.mark.real
VIEWERS = {"viewer.login", "viewer.expiry", "viewer.missing", "viewer.excess"}


@dataclass(frozen=True)
class Report:
    """What the command said."""

    code: int
    value: dict[str, Any]

    def of(self, cluster: str, check: str, where: str = "") -> dict[str, Any]:
        """The one result of a check ("host" for the host's own)."""
        found = [one for one in self.group(cluster) if one["check"] == check]
        (one,) = [one for one in found if not where or one.get("where") == where]
        return one

    def group(self, cluster: str) -> list[dict[str, Any]]:
        if cluster == "host":
            return list(self.value["host"])
        (found,) = (one["results"] for one in self.value["clusters"] if one["cluster"] == cluster)
        return list(found)

    def bad(self, cluster: str, *results: str) -> set[str]:
        """The checks of a cluster that came out so: "failed" if nothing is given."""
        return {one["check"] for one in self.group(cluster) if one["result"] in (results or ("failed",))}


def doctor(fleet: Fleet, *arguments: str) -> Report:
    done = fleet.run("doctor", "-o", "json", "--quiet", *arguments)
    assert done.returncode in (0, 1), done.stdout + done.stderr
    return Report(done.returncode, json.loads(done.stdout))


@pytest.fixture
def dead_port() -> Iterator[int]:
    """A port of this host that refuses connections: bound, so that nobody else gets it, never listening."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield int(held.getsockname()[1])


def synced(fleet: Fleet, *files: dict[str, str]) -> None:
    fleet.start(*files)
    assert fleet.reconcile().converged


def test_a_sound_fleet_is_quiet_and_untouched(fleet: Fleet, a: Plane, b: Plane) -> None:
    synced(fleet)
    before = a.versions() | b.versions()
    report = doctor(fleet)
    assert report.code == 0, report.value
    for name in fleet.planes:
        # The sandbox gives its reconciler the right to everything, and that is worth a warning.
        assert report.bad(name, "failed", "warning") == {"rights.excess"}
        assert report.bad(name, "skipped") == VIEWERS
        assert "* *.*" in report.of(name, "rights.excess")["found"]
        assert {one["check"] for one in report.group(name)} == set(MemberCheck)
        assert report.of(name, "inventory.record")["found"].startswith("5 objects, change set 1")
        assert report.of(name, "fields.managers")["found"] == "5 of 5 objects looked at"
    assert report.bad("host", "failed") == set()
    assert a.versions() | b.versions() == before
    short = fleet.run("doctor", "--quiet").stdout.splitlines()
    assert [line.partition(":")[0] for line in short if line[0] != " "] == ["this host", *fleet.planes]
    long = fleet.run("doctor", "--quiet", "--verbose").stdout.splitlines()
    assert len(long) > len(short) + 2 * len(MemberCheck) - 5


def test_it_sends_reads_and_reviews_alone(fleet: Fleet, proxy: Callable[[str], Proxy]) -> None:
    front = proxy("member-a")
    synced(fleet, fleet.registration("member-a", front.url))
    front.forget()
    report = doctor(fleet)
    assert report.bad("member-a") == set()
    assert front.seen
    assert {seen.method for seen in front.seen} == {"GET", "POST"}
    posted = {seen.path for seen in front.seen if seen.method == "POST"}
    assert all("/selfsubject" in path for path in posted), posted
    # This proxy says no time, so nothing was measured, and that is not called good.
    assert report.of("member-a", "clock.skew")["result"] == "skipped"


def viewed(fleet: Fleet, a: Plane, account: str, *files: dict[str, str]) -> None:
    """member-a with this account's token for all that only reads."""
    file = fleet.settings.credentials / "a-viewer.token"
    file.touch(mode=0o600)
    file.write_text(a.token(account))
    synced(fleet, fleet.registration("member-a", viewerCredentials={"tokenFile": file.name}), *files)


def test_an_identity_that_only_reads(fleet: Fleet, a: Plane) -> None:
    viewed(fleet, a, VIEWER)
    report = doctor(fleet, "--cluster", "member-a")
    assert report.bad("member-a", "failed", "warning") == {"rights.excess"}
    assert report.of("member-a", "viewer.login")["found"] == VIEWER_USER
    assert report.bad("member-a", "ok") >= VIEWERS


@contextmanager
def seeing(plane: Plane, rule: dict[str, Any]) -> Iterator[None]:
    """A rule that the member's owner adds for who only reads."""
    roles, extra = "/apis/rbac.authorization.k8s.io/v1/clusterroles", f"{VIEWER}-extra"
    body = {
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "rules": [rule],
        "metadata": {"name": "more-to-see", "labels": {"fleetward.io/aggregate-to-viewer": "true"}},
    }  # fmt: skip
    plane.must("POST", roles, body)
    try:
        until(lambda: rule in plane.must("GET", f"{roles}/{extra}")["rules"], "the rule to be aggregated")
        yield
    finally:
        plane.must("DELETE", f"{roles}/more-to-see")
        until(lambda: rule not in plane.must("GET", f"{roles}/{extra}")["rules"], "the rule to go")


@pytest.mark.parametrize(
    ("rule", "what"),
    [
        ({"apiGroups": [""], "resources": ["secrets"], "verbs": ["list"]}, "also: list secrets ("),
        ({"apiGroups": ["*"], "resources": ["*"], "verbs": ["get"]}, "also: get *.* ("),
        (
            {"apiGroups": ["apps"], "resources": ["deployments"], "verbs": ["patch"]},
            "also: patch deployments",
        ),
        ({"apiGroups": ["apps"], "resources": ["deployments/scale"], "verbs": ["get"]}, ""),
    ],
)
def test_a_viewer_that_can_do_more(fleet: Fleet, a: Plane, rule: dict[str, Any], what: str) -> None:
    viewed(fleet, a, VIEWER)
    with seeing(a, rule):
        found = doctor(fleet, "--cluster", "member-a").of("member-a", "viewer.excess")
    assert found["result"] == ("warning" if what else "ok")
    assert found["found"].startswith(what or "looked at")


def test_secrets_that_are_federated_are_for_the_viewer_to_read(fleet: Fleet, a: Plane) -> None:
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "tea", "namespace": "default"}}
    viewed(fleet, a, VIEWER, {"policies/manifests/tea.yaml": json.dumps(secret)})
    missing = doctor(fleet, "--cluster", "member-a").of("member-a", "viewer.missing")
    assert missing["found"] == "missing: get, list secrets"
    with seeing(a, {"apiGroups": [""], "resources": ["secrets"], "verbs": ["get", "list"]}):
        assert doctor(fleet, "--cluster", "member-a").bad("member-a", "ok") >= VIEWERS


def test_a_viewer_that_is_the_writer_or_sees_too_little(fleet: Fleet, a: Plane) -> None:
    viewed(fleet, a, "federation-reconciler")
    login = doctor(fleet, "--cluster", "member-a").of("member-a", "viewer.login")
    assert (login["result"], login["code"]) == ("failed", "FW1719")
    file = fleet.settings.credentials / "a-viewer.token"
    file.write_text(a.token("default"))
    report = doctor(fleet, "--cluster", "member-a")
    assert report.of("member-a", "viewer.login")["result"] == "ok"
    missing = report.of("member-a", "viewer.missing")
    assert (missing["result"], missing["code"]) == ("failed", "FW1711")
    assert "get, list configmaps" in missing["found"]
    assert "aggregate-to-viewer" in missing["hint"]
    file.unlink()
    assert doctor(fleet, "--cluster", "member-a").of("member-a", "viewer.login")["code"] == "FW1717"


def test_every_url_is_looked_at(fleet: Fleet, dead_port: int, a: Plane) -> None:
    good, dead = a.member.url, f"https://127.0.0.1:{dead_port}"
    port = good.rpartition(":")[2]
    nowhere = f"https://no-such-host.invalid:{port}"
    synced(fleet, fleet.registration("member-a", good, dead, nowhere))
    report = doctor(fleet)
    assert report.code == 1
    assert report.of("member-a", "api.answer", good)["result"] == "ok"
    refused = report.of("member-a", "port.open", dead)
    assert (refused["result"], refused["code"]) == ("failed", "FW1701")
    assert report.of("member-a", "tls.san", dead)["result"] == "skipped"
    unknown = report.of("member-a", "names.dns", nowhere)
    assert (unknown["result"], unknown["code"]) == ("failed", "FW1701")
    assert report.of("member-a", "rights.missing")["result"] == "ok"
    assert report.bad("member-b") == set()


def test_a_member_that_hangs_hides_nothing(fleet: Fleet, proxy: Callable[[str], Proxy]) -> None:
    front = proxy("member-a")
    synced(fleet, fleet.registration("member-a", front.url))
    front.rule = lambda _seen: Hang()
    begun = time.monotonic()
    report = doctor(fleet, "--timeout", "4s")
    assert time.monotonic() - begun < 20
    slow = report.of("member-a", "api.answer")
    assert (slow["result"], slow["code"]) == ("failed", "FW1702")
    assert report.of("member-a", "tls.chain")["result"] == "ok"
    assert report.bad("member-b") == set()
    assert report.code == 1


def test_time_that_runs_out_keeps_what_was_seen(fleet: Fleet, proxy: Callable[[str], Proxy]) -> None:
    front = proxy("member-a")
    synced(fleet, fleet.registration("member-a", front.url))

    def rule(seen: Seen) -> Action:
        return Hang() if "accessreviews" in seen.path or "rulesreviews" in seen.path else FORWARD

    front.rule = rule
    report = doctor(fleet, "--timeout", "2s", "--cluster", "member-a")
    assert report.of("member-a", "credentials.identity")["result"] == "ok"
    assert report.bad("member-a") & {"rights.missing", "member.examined"}
    assert {one["check"] for one in report.group("member-a")} == set(MemberCheck)


def test_an_api_server_that_refuses_us(fleet: Fleet, proxy: Callable[[str], Proxy]) -> None:
    front = proxy("member-a")
    synced(fleet, fleet.registration("member-a", front.url))
    front.rule = lambda seen: FORWARD if seen.path == "/version" else Canned(401)
    found = doctor(fleet).of("member-a", "credentials.identity")
    assert (found["result"], found["code"]) == ("failed", "FW1710")


@pytest.mark.parametrize("change", ["deleted", "emptied", "loosened"])
def test_a_guard_that_is_not_as_compiled(fleet: Fleet, a: Plane, change: str) -> None:
    synced(fleet)
    policy = f"{GUARDS}ies/fleetward-guard"
    if change == "deleted":
        a.unguard()
    elif change == "emptied":
        validations = [{"expression": "true"}]
        a.by_hand("PATCH", policy, {"spec": {"validations": validations}})
    else:
        rule = {"apiGroups": ["*"], "apiVersions": ["*"], "operations": ["*"], "resources": ["*"]}
        a.by_hand("PATCH", policy, {"spec": {"matchConstraints": {"excludeResourceRules": [rule]}}})
    report = doctor(fleet)
    found = report.of("member-a", "guard.policy")
    assert (found["result"], found["code"]) == ("failed", "FW1733")
    assert {"deleted": "missing", "emptied": "validations", "loosened": "excludeResourceRules"}[change] in (
        found["found"]
    )
    assert report.of("member-b", "guard.policy")["result"] == "ok"


def test_managers_that_fight_over_fields(fleet: Fleet, a: Plane) -> None:
    synced(fleet)
    a.unguard()
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "settings"}}
    path = f"{MAPS}/settings?fieldManager=rival&force=true"
    apply = "application/apply-patch+yaml"
    a.by_hand("PATCH", path, body | {"data": {"colour": "blue"}}, apply)
    shared = doctor(fleet).of("member-a", "fields.managers")
    assert shared["result"] == "warning"
    assert ".data.colour is shared with rival (Apply)" in shared["found"]
    a.by_hand("PATCH", path, body | {"data": {"colour": "red"}}, apply)
    taken = doctor(fleet).of("member-a", "fields.managers")
    assert (taken["result"], taken["code"]) == ("failed", "FW1713")
    assert ".data.colour was taken by rival (Apply)" in taken["found"]
    assert FIELD_MANAGER not in taken["found"]


def test_a_record_of_somebody_else(fleet: Fleet, a: Plane) -> None:
    synced(fleet)
    a.unguard()
    path = "/api/v1/namespaces/federation-system/configmaps/fleetward"
    a.by_hand("PATCH", path, {"binaryData": {"record": "e30="}})
    report = doctor(fleet)
    found = report.of("member-a", "inventory.record")
    assert (found["result"], found["code"]) == ("failed", "FW1720")
    assert report.of("member-a", "inventory.size")["result"] == "skipped"
    assert report.bad("member-b") == set()


def test_a_log_that_was_cut(fleet: Fleet) -> None:
    synced(fleet)
    (fleet.log_folder / "checkpoint").write_bytes(b"not a checkpoint\n")
    report = doctor(fleet)
    found = report.of("host", "log.opens")
    assert found["result"] == "failed"
    assert found["code"].startswith("FW18")
    assert report.of("host", "fleet.commit")["result"] == "skipped"
    assert (report.code, report.value["clusters"]) == (1, [])
    # Nobody falls back to a commit that was not accepted, even when it is named.
    assert doctor(fleet, "--rev", "HEAD").value["clusters"] == []


def test_before_anything_is_trusted(fleet: Fleet) -> None:
    files = fleet.registration("member-a") | {"federation.yaml": fleet.federation()}
    fleet.commit(files)
    report = doctor(fleet)
    assert report.code == 1
    assert report.of("host", "fleet.commit")["code"] == "FW1250"
    named = doctor(fleet, "--rev", "HEAD")
    assert named.of("host", "fleet.commit")["result"] == "ok"
    assert named.of("member-a", "api.answer")["result"] == "ok"
    assert named.of("member-a", "inventory.record")["result"] == "skipped"
    assert named.of("member-a", "guard.policy")["code"] == "FW1733"


def test_a_state_and_a_key_that_others_can_use(fleet: Fleet) -> None:
    synced(fleet)
    fleet.settings.state.chmod(0o777)
    fleet.settings.key_file.chmod(0o644)
    report = doctor(fleet, "--cluster", "member-b")
    assert report.of("host", "state.folder")["result"] == "failed"
    assert report.of("host", "state.key")["code"] == "FW1221"
    assert report.bad("member-b") == set()


def test_versions_registrations_and_what_cannot_be_asked(fleet: Fleet) -> None:
    files = fleet.registration("member-a", kubernetesVersion="1.35") | fleet.registration(
        "member-b", suspend=True
    )
    fleet.start(files)
    report = doctor(fleet)
    found = report.of("member-a", "version.registered")
    assert (found["result"], found["code"]) == ("warning", "FW1731")
    (suspended,) = report.group("member-b")
    assert (suspended["check"], suspended["result"]) == ("member.examined", "skipped")
    assert report.of("host", "version.fleet")["result"] == "skipped"
    assert doctor(fleet, "--cluster", "member-b").of("member-b", "api.answer")["result"] == "ok"
    nobody = fleet.run("doctor", "--cluster", "nobody")
    assert nobody.returncode == 2
    assert "no such cluster" in nobody.stderr
    assert fleet.run("doctor", "--timeout", "soon").returncode == 2


def test_witnesses_that_never_cosigned(fleet: Fleet) -> None:
    public = Ed25519PrivateKey.generate().public_key().public_bytes_raw()
    witness = {"key": str(CosignatureKey("witness.example/w1", public)), "url": "http://127.0.0.1:1"}
    fleet.start({"federation.yaml": fleet.federation(log={"witnesses": [witness], "quorum": 1})})
    found = doctor(fleet, "--cluster", "member-a").of("host", "log.witnesses")
    assert (found["result"], found["code"]) == ("failed", "FW1836")
    assert "cosigned by nobody" in found["found"]


def test_secrets_are_nowhere_in_the_output(fleet: Fleet) -> None:
    synced(fleet)
    text = (fleet.settings.credentials / "member-a.kubeconfig").read_text()
    token = text.partition("token: ")[2].split()[0]
    done = fleet.run("doctor", "-o", "json")
    assert len(token) > 100
    for part in token.split("."):
        assert part not in done.stdout + done.stderr


def test_credentials_that_are_not_there_leave_tls_to_look_at(fleet: Fleet) -> None:
    fleet.start(fleet.registration("member-a", credentials={"tokenFile": "absent.token"}))
    report = doctor(fleet)
    found = report.of("member-a", "credentials.usable")
    assert (found["result"], found["code"]) == ("failed", "FW1717")
    assert report.of("member-a", "tls.chain")["result"] == "ok"
    assert report.of("member-a", "api.answer")["result"] == "skipped"


def test_a_member_that_is_only_observed_needs_less(fleet: Fleet) -> None:
    fleet.start(fleet.registration("member-a", mode="observe"))
    assert fleet.reconcile().converged
    report = doctor(fleet)
    assert report.bad("member-a") == set()
    assert report.bad("member-a", "skipped") == {
        "guard.policy", "inventory.record", "inventory.size", "fields.managers", *VIEWERS,
    }  # fmt: skip
