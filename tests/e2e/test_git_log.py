"""``--log git``: throw-away machines that keep nothing, and a bare remote with the log beside the branch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from e2e_proxy import FORWARD, Action, Proxy, Seen
from e2e_world import Fleet, Plane, manifest, states
from git_fixtures import FleetRepo

from reconciler.audit.codes import LogConflictError, LogSignatureError
from reconciler.audit.entry import CommitAccepted, Intent
from reconciler.pipeline.run import MemberState
from reconciler.trust.keys import ReconcilerKey

pytestmark = pytest.mark.real
LOG = "refs/fleetward/log"
KEY = ReconcilerKey.from_seed(b"e" * 32).pem().decode()


@pytest.fixture
def bare(fleet: Fleet, tmp_path: Path) -> FleetRepo:
    """The remote, empty."""
    made = FleetRepo(tmp_path / "forge", bare=True)
    fleet.repo.git("remote", "add", "origin", str(made.path))
    return made


def machine(fleet: Fleet, bare: FleetRepo, name: str) -> Fleet:
    """A machine that has never run before: no state, no cache; credentials come from outside, as in CI."""
    root = fleet.repo.root / name
    (root / "shared").mkdir(parents=True)
    (root / "shared" / "credentials").symlink_to(fleet.shared / "credentials")
    return replace(
        fleet, location=str(bare.path), machine=root, shared=root / "shared", log="git", signing_key=KEY
    )


def push(fleet: Fleet) -> None:
    fleet.repo.git("push", "--quiet", "origin", "main")


def test_every_run_on_a_new_machine_goes_on_with_the_log(
    fleet: Fleet, bare: FleetRepo, a: Plane, b: Plane
) -> None:
    first, second, third = (machine(fleet, bare, name) for name in ("one", "two", "three"))
    fleet.commit(
        {"federation.yaml": fleet.federation()}, *(fleet.registration(name) for name in fleet.planes)
    )
    fleet.commit(manifest("settings", colour="blue"))
    push(fleet)
    done = first.run("trust", "init", "--commit", fleet.repo.head())
    assert done.returncode == 0, done.stderr
    assert first.reconcile().converged
    assert (a.data("settings"), b.data("settings")) == ({"colour": "blue"}, {"colour": "blue"})
    assert not (first.settings.state / "reconciler.key").exists()

    before, tip = a.versions() | b.versions(), bare.head(LOG)
    done = second.run("reconcile", "--once", "--yes")
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("synced") == 2, done.stdout
    # The record may note the status that the control plane wrote on the guard; nothing else is touched.
    changed = {key for key, version in (a.versions() | b.versions()).items() if before.get(key) != version}
    assert not [key for key in changed if "configmaps" in key and "federation-system" not in key]
    assert bare.head(LOG) == tip, "nothing happened, so nothing is logged"

    commit = fleet.commit(manifest("settings", colour="green"))
    push(fleet)
    assert third.reconcile().converged
    assert a.data("settings") == {"colour": "green"}
    accepted = [entry.commit for entry in third.entries() if isinstance(entry, CommitAccepted)]
    assert accepted == [commit]
    third.assert_log_whole()
    done = machine(fleet, bare, "four").run("audit", "verify")
    assert (done.returncode, "verified" in done.stdout) == (0, True), done.stderr


def test_the_log_is_no_part_of_the_branch(fleet: Fleet, bare: FleetRepo) -> None:
    one = machine(fleet, bare, "one")
    fleet.commit({"federation.yaml": fleet.federation()}, fleet.registration("member-a"))
    push(fleet)
    one.trust(fleet.repo.head())
    assert bare.head("main") == fleet.repo.head()
    main, log = (set(bare.git("rev-list", ref).split()) for ref in ("main", LOG))
    assert not main & log
    assert bare.git("for-each-ref", "--format=%(refname)").split() == [LOG, "refs/heads/main"]
    clone = fleet.repo.root / "clone"
    fleet.repo.git("clone", "--quiet", str(bare.path), str(clone), cwd=fleet.repo.root)
    assert LOG not in fleet.repo.git("for-each-ref", cwd=clone)
    assert not (clone / "checkpoint").exists()


def test_a_run_whose_push_comes_too_late_applies_nothing(
    fleet: Fleet, bare: FleetRepo, a: Plane, b: Plane, proxy: Callable[[str], Proxy]
) -> None:
    """Both machines opened the same log; one logs something while the other looks at its member."""
    front = proxy("member-a")
    late, early = (machine(fleet, bare, name) for name in ("late", "early"))
    fleet.commit(
        {"federation.yaml": fleet.federation()},
        fleet.registration("member-a", front.url),
        fleet.registration("member-b"),
        manifest("settings", colour="blue"),
    )
    push(fleet)
    early.trust(fleet.repo.head())
    other: list[MemberState] = []

    def overtake(_seen: Seen) -> Action:
        if not other:
            other.append(MemberState.WAITING)
            other[0] = states(early.reconcile("member-b"))["member-b"]
        return FORWARD

    front.rule = overtake
    with pytest.raises(LogConflictError):
        late.reconcile("member-a")
    assert other == [MemberState.APPLIED]
    assert (front.writes, a.versions()) == ([], {})
    assert b.data("settings") == {"colour": "blue"}
    assert [e.cluster for e in late.entries() if isinstance(e, Intent)] == ["member-b"]
    assert states(late.reconcile()) == {"member-a": MemberState.APPLIED, "member-b": MemberState.SYNCED}
    late.assert_log_whole()


def test_another_machines_key_is_no_key_of_this_log(fleet: Fleet, bare: FleetRepo) -> None:
    fleet.commit({"federation.yaml": fleet.federation()}, fleet.registration("member-a"))
    push(fleet)
    machine(fleet, bare, "one").trust(fleet.repo.head())
    tip = bare.head(LOG)
    stranger = ReconcilerKey.from_seed(b"s" * 32).pem().decode()
    with pytest.raises(LogSignatureError):
        replace(machine(fleet, bare, "two"), signing_key=stranger).reconcile()
    assert bare.head(LOG) == tip
