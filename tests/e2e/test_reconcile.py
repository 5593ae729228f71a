"""The main job on real clusters, and each way in which one member may differ from the others."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import fleet_files
import pytest
import yaml
from e2e_proxy import FORWARD, Action, Cut, Forward, Hang, Proxy, Seen
from e2e_world import (
    CRDS,
    GUARDS,
    LIMIT,
    MAPS,
    RECORDS,
    ROLES,
    Fleet,
    Plane,
    codes,
    manifest,
    result,
    states,
    until,
)

from reconciler.audit.entry import (
    CommitAccepted,
    CommitRefused,
    Drift,
    Intent,
    MemberRefused,
    Outcome,
    OutcomeResult,
)
from reconciler.pipeline.accepting import RefusedError
from reconciler.pipeline.run import MemberState
from reconciler.pipeline.states import MemberState as Stands
from reconciler.plan import Allowances

pytestmark = pytest.mark.real
APPLIED, SYNCED, REFUSED = MemberState.APPLIED, MemberState.SYNCED, MemberState.REFUSED
FAILED, UNREACHABLE, WAITING = MemberState.FAILED, MemberState.UNREACHABLE, MemberState.WAITING
BOTH_APPLIED = {"member-a": APPLIED, "member-b": APPLIED}
BOTH_SYNCED = {"member-a": SYNCED, "member-b": SYNCED}
ProxyOf = Callable[[str], Proxy]


def test_a_fleet_from_its_first_commit_to_a_deletion(
    fleet: Fleet, a: Plane, b: Plane, proxy: ProxyOf
) -> None:
    front = proxy("member-a")
    first = fleet.start(fleet.registration("member-a", front.url), manifest("extra", number="1"))

    run = fleet.reconcile()
    assert (states(run), run.commit, run.converged) == (BOTH_APPLIED, first, True)
    for plane in (a, b):
        assert (plane.data("settings"), plane.data("extra")) == ({"colour": "blue"}, {"number": "1"})
        role = plane.get(f"{ROLES}/viewer")
        assert role["rules"] == [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list"]}]

    # The control plane writes the guard's status once; the next run only notes its new version.
    until(lambda: all(judged(plane) for plane in (a, b)), "the guard's status")
    size = len(fleet.entries())
    front.forget()
    assert states(fleet.reconcile()) == BOTH_SYNCED
    assert [seen.method for seen in front.writes] in ([], ["PUT"])
    before = a.versions() | b.versions()
    front.forget()
    assert states(fleet.reconcile()) == BOTH_SYNCED
    assert front.writes == []
    # Who are we, which version, whose cluster (twice), the record, and a list for each of five kinds.
    assert len(front.seen) <= 10, front.seen
    assert (len(fleet.entries()), a.versions() | b.versions()) == (size, before)

    second = fleet.commit(manifest("settings", colour="green"))
    run = fleet.reconcile()
    assert (states(run), run.commit, run.accepted_now) == (BOTH_APPLIED, second, True)
    assert (a.data("settings"), b.data("settings")) == ({"colour": "green"}, {"colour": "green"})
    assert {k for k, v in (a.versions() | b.versions()).items() if before[k] != v} == {
        f"{plane.name} {changed}"
        for plane in (a, b)
        for changed in ("/api/v1/configmaps settings", f"{RECORDS} fleetward")
    }

    fleet.commit({"policies/manifests/extra.yaml": None})
    assert states(fleet.reconcile()) == BOTH_APPLIED
    assert (a.data("extra"), b.data("extra"), a.data("settings")) == (None, None, {"colour": "green"})

    kinds = [type(entry) for entry in fleet.entries()]
    assert (kinds.count(CommitAccepted), kinds.count(Intent), kinds.count(Outcome)) == (2, 6, 6)
    fleet.assert_log_whole()


def judged(plane: Plane) -> bool:
    policy = plane.get(f"{GUARDS}ies/fleetward-guard")
    return bool(policy.get("status", {}).get("observedGeneration"))


def test_the_cap_on_deletions_holds_until_a_person_lifts_it(fleet: Fleet, a: Plane) -> None:
    many: dict[str, str] = {}
    for number in range(7):
        many |= manifest(f"many-{number}", ["member-a"])
    fleet.start(many)
    fleet.reconcile()
    before = a.versions()
    fleet.commit(dict.fromkeys(many))
    run = fleet.reconcile()
    assert states(run) == {"member-a": REFUSED, "member-b": SYNCED}
    assert "FW1601" in codes(run, "member-a")
    assert a.versions() == before
    # Nothing else of the member may have been lost on the way: the same run again says the same.
    assert states(fleet.reconcile())["member-a"] is REFUSED
    (refused,) = [entry for entry in fleet.entries() if isinstance(entry, MemberRefused)]  # once, not twice
    assert (refused.cluster, refused.commit) == ("member-a", fleet.repo.head())
    assert "FW1601" in {note.code for note in refused.findings}
    assert refused.gate is not None and refused.gate.rules > 0
    assert fleet.status()["member-a"].error.startswith("refused: FW16")
    assert states(fleet.reconcile(allow=Allowances(deletions=True)))["member-a"] is APPLIED
    assert fleet.status()["member-a"].error == ""
    assert a.data("many-0") is None
    assert a.data("settings") == {"colour": "blue"}
    fleet.assert_log_whole()


def test_a_member_is_emptied_only_when_a_person_says_so(fleet: Fleet, a: Plane, b: Plane) -> None:
    fleet.start()
    fleet.reconcile()
    before = a.versions()
    nowhere = {"placement": {"clusters": ["member-b"]}}
    fleet.commit(
        manifest("settings", ["member-b"], colour="blue"),
        {"policies/rbac/viewer.yaml": fleet_files.role("viewer", **nowhere)},
    )
    run = fleet.reconcile()
    assert states(run) == {"member-a": REFUSED, "member-b": SYNCED}
    assert "FW1602" in codes(run, "member-a")
    assert a.versions() == before
    done = fleet.run("reconcile", "--yes", "--allow-empty", "--output", "json")
    assert done.returncode == 0, done.stderr
    assert a.data("settings") is None
    assert a.get(f"{ROLES}/viewer") is None
    assert b.data("settings") == {"colour": "blue"}
    assert states(fleet.reconcile()) == BOTH_SYNCED


def test_another_managers_field_refuses_one_member_until_the_fleet_takes_it(
    fleet: Fleet, a: Plane, b: Plane
) -> None:
    theirs = {"apiVersion": "v1", "kind": "ConfigMap", "data": {"colour": "red", "size": "9"}}
    a.apply(f"{MAPS}/settings", {**theirs, "metadata": {"name": "settings"}})
    fleet.start()
    run = fleet.reconcile()
    assert states(run) == {"member-a": REFUSED, "member-b": APPLIED}
    assert codes(run, "member-a") == {"FW1603"}
    (finding,) = result(run, "member-a").findings
    assert "other" in finding.message, "the manager is named"
    assert ".data.colour" in finding.message, "and the field"
    assert finding.source
    assert finding.source.path == "policies/manifests/settings.yaml"
    assert a.data("settings") == {"colour": "red", "size": "9"}
    assert fleet.outcomes("member-a") == []

    fleet.commit(manifest("settings", conflict="take", colour="blue"))
    assert states(fleet.reconcile()) == {"member-a": APPLIED, "member-b": SYNCED}
    assert a.data("settings") == {"colour": "blue", "size": "9"}
    assert states(fleet.reconcile()) == BOTH_SYNCED
    a.unguard()
    a.by_hand("DELETE", f"{MAPS}/settings")


def test_a_role_that_somebody_else_applies_is_a_conflict(fleet: Fleet, a: Plane, b: Plane) -> None:
    rules = [{"apiGroups": [""], "resources": ["nodes"], "verbs": ["get"]}]
    body = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "rules": rules}
    b.apply(f"{ROLES}/viewer", {**body, "metadata": {"name": "viewer"}})
    fleet.start()
    run = fleet.reconcile()
    assert (states(run), codes(run, "member-b")) == ({"member-a": APPLIED, "member-b": REFUSED}, {"FW1603"})
    assert b.get(f"{ROLES}/viewer")["rules"] == rules
    assert fleet.status()["member-b"].state is Stands.JOINED, "nothing was ever applied"
    b.must("DELETE", f"{ROLES}/viewer")
    assert states(fleet.reconcile()) == {"member-a": SYNCED, "member-b": APPLIED}


def test_an_observed_member_is_planned_and_never_written(
    fleet: Fleet, a: Plane, b: Plane, proxy: ProxyOf
) -> None:
    front = proxy("member-b")
    fleet.start(fleet.registration("member-b", front.url, mode="observe"))
    run = fleet.reconcile()
    assert states(run) == {"member-a": APPLIED, "member-b": MemberState.OBSERVED}
    plan = result(run, "member-b").plan
    assert plan
    assert {change.ref.kind for change in plan.changes} == {"ConfigMap", "ClusterRole"}
    assert front.seen
    assert front.writes == []
    assert b.versions() == {}
    assert fleet.outcomes("member-b") == []
    # From enforce to observe: what is there stays, the guard included.
    before = a.versions()
    fleet.commit(fleet.registration("member-a", mode="observe"), manifest("settings", colour="green"))
    assert states(fleet.reconcile())["member-a"] is MemberState.OBSERVED
    assert a.versions() == before


def test_a_suspended_member_is_not_even_asked(fleet: Fleet, b: Plane, proxy: ProxyOf) -> None:
    front = proxy("member-b")
    fleet.start(fleet.registration("member-b", front.url, suspend=True))
    run = fleet.reconcile()
    assert states(run) == {"member-a": APPLIED, "member-b": MemberState.SUSPENDED}
    assert (run.converged, front.seen, b.versions()) == (True, [], {})
    assert fleet.status()["member-b"].good


def test_a_kind_and_its_instance_come_and_go_in_one_commit(fleet: Fleet, a: Plane) -> None:
    schema = {
        "type": "object",
        "properties": {"spec": {"type": "object", "properties": {"size": {"type": "integer"}}}},
    }
    crd = {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "gadgets.e2e.example"},
        "spec": {
            "group": "e2e.example",
            "scope": "Namespaced",
            "names": {"kind": "Gadget", "plural": "gadgets", "singular": "gadget", "listKind": "GadgetList"},
            "versions": [
                {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
            ],
        },
    }
    gadget = {
        "apiVersion": "e2e.example/v1",
        "kind": "Gadget",
        "metadata": {"name": "a-first", "namespace": "default"},
        "spec": {"size": 3},
    }
    files = {
        "policies/manifests/a-gadget.yaml": yaml.safe_dump(gadget),  # its path sorts before its kind's
        "policies/manifests/z-crd.yaml": yaml.safe_dump(crd),
    }
    fleet.start(files)
    assert states(fleet.reconcile()) == BOTH_APPLIED
    path = "/apis/e2e.example/v1/namespaces/default/gadgets/a-first"
    assert a.get(path)["spec"] == {"size": 3}
    assert states(fleet.reconcile()) == BOTH_SYNCED
    fleet.commit(dict.fromkeys(files))
    assert states(fleet.reconcile()) == BOTH_APPLIED
    until(lambda: a.get(f"{CRDS}/gadgets.e2e.example") is None, "the kind to go")
    assert states(fleet.reconcile()) == BOTH_SYNCED
    fleet.assert_log_whole()


def test_drift_is_repaired_and_logged(fleet: Fleet, a: Plane, b: Plane) -> None:
    fleet.start(manifest("extra", number="1"))
    fleet.reconcile()
    guard = a.get(f"{GUARDS}ybindings/fleetward-guard")["spec"]
    until(lambda: a.send("DELETE", f"{MAPS}/extra?dryRun=All") == 403, "the guard to guard")
    a.unguard()
    a.by_hand("PATCH", f"{MAPS}/settings", {"data": {"colour": "red"}})
    a.by_hand("DELETE", f"{MAPS}/extra")
    assert fleet.status()["member-a"].drift == 4
    run = fleet.reconcile()
    assert states(run) == {"member-a": APPLIED, "member-b": SYNCED}
    assert (a.data("settings"), a.data("extra")) == ({"colour": "blue"}, {"number": "1"})
    assert a.get(f"{GUARDS}ybindings/fleetward-guard")["spec"] == guard
    (drift,) = [entry for entry in fleet.entries() if isinstance(entry, Drift)]
    assert (drift.cluster, drift.count) == ("member-a", 4)
    assert {"ConfigMap default/extra", "ConfigMap default/settings"} < set(drift.objects)
    assert states(fleet.reconcile()) == BOTH_SYNCED
    fleet.assert_log_whole()


def test_deep_finds_what_a_resource_version_hides(fleet: Fleet, a: Plane, proxy: ProxyOf) -> None:
    """A restored etcd may use a resourceVersion twice: here the proxy shows the old one in lists."""
    front = proxy("member-a")
    fleet.start(fleet.registration("member-a", front.url))
    fleet.reconcile()
    old = a.get(f"{MAPS}/settings")["metadata"]["resourceVersion"]
    a.unguard()
    a.by_hand("PATCH", f"{MAPS}/settings", {"data": {"colour": "red"}})
    assert states(fleet.reconcile("member-a"))["member-a"] is APPLIED
    repaired = a.versions()
    a.unguard()
    a.by_hand("PATCH", f"{MAPS}/settings", {"data": {"colour": "red"}})
    hidden = repaired["member-a /api/v1/configmaps settings"]
    shown = a.get(f"{MAPS}/settings")["metadata"]["resourceVersion"]
    assert len({old, hidden, shown}) == 3

    def hide(body: bytes) -> bytes:
        return body.replace(f'"{shown}"'.encode(), f'"{hidden}"'.encode())

    def rule(seen: Seen) -> Action:
        return Forward(edit=hide) if "configmaps?labelSelector" in seen.path else FORWARD

    front.rule = rule
    fleet.reconcile("member-a")  # brings the guard back
    assert states(fleet.reconcile("member-a"))["member-a"] is SYNCED
    assert a.data("settings") == {"colour": "red"}
    assert states(fleet.reconcile("member-a", deep=True))["member-a"] is APPLIED
    assert a.data("settings") == {"colour": "blue"}


def test_a_rule_about_changes_refuses_the_plan_and_not_the_commit(fleet: Fleet, a: Plane, b: Plane) -> None:
    rule = (
        "package fleetward.gate.frozen\n\nimport rego.v1\n\n"
        'deny contains {"rule": "frozen.a", "message": "member-a is frozen", "hint": "wait"} if {\n'
        '\tinput.stage == "changes"\n\tinput.cluster.name == "member-a"\n'
        '\tsome change in input.changes\n\tchange.object.name == "forbidden"\n}\n'
    )
    fleet.start({"policies/gate/frozen.rego": rule})
    assert states(fleet.reconcile()) == BOTH_APPLIED
    before = a.versions()
    fleet.commit(manifest("forbidden", x="1"), manifest("settings", colour="green"))
    run = fleet.reconcile()
    assert states(run) == {"member-a": REFUSED, "member-b": APPLIED}
    assert "frozen.a" in {finding.rule for finding in result(run, "member-a").findings}
    assert a.versions() == before
    assert b.data("settings") == {"colour": "green"}
    assert len(fleet.outcomes("member-a")) == 1


def test_a_refused_commit_reaches_nobody_and_is_logged_once(fleet: Fleet, a: Plane, b: Plane) -> None:
    good = fleet.start()
    fleet.reconcile()
    before = a.versions() | b.versions()
    fleet.commit(
        {"policies/rbac/all.yaml": fleet_files.role("all", verbs=["*"])}, manifest("settings", colour="x")
    )
    for _ in range(2):
        with pytest.raises(RefusedError):
            fleet.reconcile()
    assert a.versions() | b.versions() == before
    (refused,) = [entry for entry in fleet.entries() if isinstance(entry, CommitRefused)]
    assert (refused.commit, refused.previous) == (fleet.repo.head(), good)
    fleet.commit({"policies/rbac/all.yaml": None})
    assert states(fleet.reconcile()) == BOTH_APPLIED
    fleet.assert_log_whole()


def test_an_object_that_the_api_server_refuses_fails_alone(fleet: Fleet, a: Plane, b: Plane) -> None:
    bad = yaml.safe_load(fleet_files.config_map("bad", **{"not a key!": "1"}))  # only the server knows
    bad["metadata"]["annotations"] = {"fleetward.io/placement": json.dumps({"clusters": ["member-a"]})}
    fleet.start({"policies/manifests/bad.yaml": yaml.safe_dump(bad)})
    done = fleet.run("reconcile", "--yes", "--output", "json")
    assert done.returncode == 1, done.stderr
    said = {member["cluster"]: member for member in json.loads(done.stdout)["members"]}
    assert (said["member-a"]["state"], said["member-b"]["state"]) == ("failed", "applied")
    (failure,) = said["member-a"]["failures"]
    assert failure["object"] == "ConfigMap default/bad"
    assert failure["error"].startswith("FW1714")
    assert a.data("settings") == {"colour": "blue"}, "the others were applied"
    (outcome,) = fleet.outcomes("member-a")
    assert outcome.result is OutcomeResult.FAILED
    assert [one.object for one in outcome.failures] == ["ConfigMap default/bad"]
    fleet.commit(manifest("bad", ["member-a"], key="1"))
    assert states(fleet.reconcile()) == {"member-a": APPLIED, "member-b": SYNCED}
    assert a.data("bad") == {"key": "1"}
    assert states(fleet.reconcile()) == BOTH_SYNCED
    fleet.assert_log_whole()


def test_the_second_api_server_answers_when_the_first_is_dead(fleet: Fleet, a: Plane) -> None:
    dead = free_url()
    fleet.start(fleet.registration("member-a", dead, a.member.url))
    assert states(fleet.reconcile()) == BOTH_APPLIED
    assert states(fleet.reconcile()) == BOTH_SYNCED


def free_url() -> str:
    """Where nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return f"https://127.0.0.1:{taken.getsockname()[1]}"


def test_a_wrong_token_is_a_refusal_and_not_an_absence(fleet: Fleet, a: Plane, b: Plane) -> None:
    file = fleet.shared / "credentials" / "wrong.kubeconfig"
    file.touch(0o600)
    good = (fleet.shared / "credentials" / "member-a.kubeconfig").read_text()
    body = yaml.safe_load(good)
    body["users"][0]["user"]["token"] = "wrong"
    file.write_text(yaml.safe_dump(body))
    credentials = {"kubeconfig": {"path": file.name}}
    fleet.start(fleet.registration("member-a", credentials=credentials))
    run = fleet.reconcile()
    assert states(run) == {"member-a": FAILED, "member-b": APPLIED}
    assert result(run, "member-a").error.startswith("FW1710")
    assert "wrong" not in result(run, "member-a").error.replace("wrong.kubeconfig", "")
    found = fleet.status()
    assert (found["member-a"].state, found["member-b"].state) == (Stands.FAILING, Stands.SYNCED)
    assert a.versions() == {}
    file.write_text(good)  # renewed
    assert states(fleet.reconcile()) == {"member-a": APPLIED, "member-b": SYNCED}


def test_a_slow_member_delays_no_other(fleet: Fleet, b: Plane, proxy: ProxyOf) -> None:
    """Member a answers only after member b's outcome is in the log: in one run, that has to come."""
    front = proxy("member-a")
    fleet.start(
        fleet.registration("member-a", front.url),
        {"federation.yaml": fleet.federation(limits={"requestTimeout": "30s"})},
    )

    def rule(_seen: Seen) -> Action:
        until(lambda: bool(fleet.outcomes("member-b")), "member-b", limit=25)
        return FORWARD

    front.rule = rule
    assert states(fleet.reconcile()) == BOTH_APPLIED
    assert [outcome.cluster for outcome in fleet.outcomes()] == ["member-b", "member-a"]


def test_a_member_that_never_answers_is_unreachable_and_the_others_go_on(
    fleet: Fleet, a: Plane, b: Plane, proxy: ProxyOf
) -> None:
    """First the network swallows everything; then, in the middle of the look, only the lists."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as hole:
        limits = {"requestTimeout": "1s", "applyTimeout": "2s"}
        fleet.start(
            fleet.registration("member-a", f"https://127.0.0.1:{hole.getsockname()[1]}"),
            {"federation.yaml": fleet.federation(limits=limits)},
        )
        run = fleet.reconcile()
        assert states(run) == {"member-a": UNREACHABLE, "member-b": APPLIED}
        found = fleet.status()
        assert (found["member-a"].state, found["member-a"].stale) == (Stands.UNREACHABLE, True)
    front = proxy("member-a")
    front.rule = lambda seen: Hang() if "labelSelector" in seen.path else FORWARD
    fleet.commit(fleet.registration("member-a", front.url))
    before = datetime.now(UTC)
    assert states(fleet.reconcile()) == {"member-a": UNREACHABLE, "member-b": SYNCED}
    assert datetime.now(UTC) - before < timedelta(seconds=LIMIT / 2), "applyTimeout bounds the look too"
    assert a.versions() == {}


def test_the_circuit_breaker_leaves_a_member_alone_and_lets_it_back(
    fleet: Fleet, b: Plane, proxy: ProxyOf
) -> None:
    front = proxy("member-a")
    front.rule = lambda _seen: Cut()
    fleet.start(fleet.registration("member-a", front.url))
    now = datetime(2030, 1, 1, tzinfo=UTC)
    for _ in range(2):
        assert states(fleet.reconcile("member-a", now=lambda: now)) == {"member-a": UNREACHABLE}
    front.forget()
    run = fleet.reconcile(now=lambda: now)
    assert states(run) == {"member-a": WAITING, "member-b": APPLIED}
    assert (run.converged, front.seen) == (False, [])
    assert fleet.entries()[-1].time
    later = now + timedelta(seconds=61)
    assert states(fleet.reconcile(now=lambda: later)) == {"member-a": APPLIED, "member-b": SYNCED}
    assert fleet.status()["member-a"].failures == 0
