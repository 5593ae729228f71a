"""Attacks on a fleet with real members: what they start from, and what each of them has to show.

``applied`` is a fleet that was applied on two real clusters twice, with a third commit waiting. Tests share
it, each with a copy of the reconciler's machine (state, log), since most attacks must change no member; it is
made anew only when a test has changed the members or the repository.

``refused_member``: the run refuses one member with the attack's own code, the log gets one entry ``member-
refused`` with it, not one request changes the member, and the next run says the same without filling the log.
``stopped``: the log itself was attacked, so that no entry in it could be trusted; the run ends with the
attack's own code, the log gets nothing, and no member is written.
"""

from __future__ import annotations

import asyncio
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parents[1]
sys.path[:0] = [
    str(TESTS / room) for room in ("e2e", "audit")
]  # their kits; a room's path is its own otherwise

from e2e_proxy import Proxy  # noqa: E402
from e2e_world import Fleet, Plane, manifest, result, states  # noqa: E402

from reconciler.audit.entry import Drift, Entry, Intent, MemberRefused, Outcome  # noqa: E402
from reconciler.errors import AuditError, FleetwardError  # noqa: E402
from reconciler.model import Desired  # noqa: E402
from reconciler.pipeline.change_sets import Authorized  # noqa: E402
from reconciler.pipeline.check import prepare  # noqa: E402
from reconciler.pipeline.guarding import guarded  # noqa: E402
from reconciler.pipeline.reconcile import Run  # noqa: E402
from reconciler.pipeline.run import MemberState  # noqa: E402
from reconciler.pipeline.verify import VerifyPorts, verify_member  # noqa: E402
from reconciler.sandbox.local import Sandbox  # noqa: E402
from reconciler.surfaces.provision import provision  # noqa: E402
from reconciler.trust import SignedChangeSet  # noqa: E402

NAMES = ("member-a", "member-b")


# --- the victims --------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def prepared(sandbox: Sandbox, opa: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Credentials of the prepared members, and one cache for all tests."""
    folder = tmp_path_factory.mktemp("attacked")
    for name in NAMES:
        provision(sandbox.members[name], folder / "credentials")
    return folder


@pytest.fixture(scope="session")
def all_planes(sandbox: Sandbox, prepared: Path) -> dict[str, Plane]:
    return {name: Plane(sandbox.members[name]) for name in NAMES}


@pytest.fixture
def a(all_planes: dict[str, Plane]) -> Plane:
    return all_planes["member-a"]


@pytest.fixture
def b(all_planes: dict[str, Plane]) -> Plane:
    return all_planes["member-b"]


def apply_twice(fleet: Fleet, *files: dict[str, str]) -> Fleet:
    """Commits that were applied to all members, and one that waits; ``before-last`` is the log in between."""
    fleet.start(manifest("extra", number="1"), *files)
    assert fleet.reconcile().converged
    shutil.copytree(fleet.log_folder, before_last(fleet))
    fleet.commit(manifest("extra", number="2"))
    assert fleet.reconcile().converged
    fleet.commit(manifest("settings", colour="green"))
    return fleet


def before_last(fleet: Fleet) -> Path:
    """The log as it was before the change set that was applied last."""
    return fleet.machine / "before-last"


@dataclass
class Shared:
    """The victim that the next test takes, if nobody has changed it: ``facts`` would show that."""

    fleet: Fleet | None = None
    facts: object = None


@pytest.fixture(scope="session")
def shared_victim() -> Shared:
    return Shared()


@pytest.fixture
def applied(
    all_planes: dict[str, Plane], prepared: Path, tmp_path: Path, shared_victim: Shared,
    tmp_path_factory: pytest.TempPathFactory,
) -> Fleet:  # fmt: skip
    """See the module: the machine is the test's own."""
    if shared_victim.fleet is None or _facts(shared_victim.fleet) != shared_victim.facts:
        for plane in all_planes.values():
            plane.clear()
        fleet = apply_twice(Fleet.new(tmp_path_factory.mktemp("victim"), all_planes, prepared))
        shared_victim.fleet, shared_victim.facts = fleet, _facts(fleet)
    return copy_of(shared_victim.fleet, tmp_path / "machine")


@pytest.fixture
def synced(all_planes: dict[str, Plane], prepared: Path, tmp_path: Path) -> Fleet:
    """A fleet of the test's own, applied once, with nothing waiting: for what changes the members anyway."""
    for plane in all_planes.values():
        plane.clear()
    fleet = Fleet.new(tmp_path / "fleet", all_planes, prepared)
    fleet.start(manifest("extra", number="2"), manifest("settings", colour="green"))
    assert fleet.reconcile().converged
    return fleet


def _facts(fleet: Fleet) -> object:
    return versions(fleet.planes.values()), fleet.repo.head()


def copy_of(fleet: Fleet, machine: Path) -> Fleet:
    """The same repository and members, reconciled by another machine with a copy of state and log."""
    shutil.copytree(fleet.machine, machine)
    return replace(fleet, machine=machine)


@pytest.fixture
def proxy(sandbox: Sandbox) -> Iterator[Callable[[str], Proxy]]:
    """Makes a proxy in front of a member."""
    with ExitStack() as stack:
        yield lambda name: stack.enter_context(Proxy(sandbox, name))


# --- what an attack has to show ------------------------------------------------------------


def versions(planes: Iterable[Plane]) -> dict[str, str]:
    """All that is federated on the members, but for the policy, whose status the control plane writes."""
    found: dict[str, str] = {}
    for plane in planes:
        found |= plane.versions()
    return {key: version for key, version in found.items() if "validatingadmissionpolicies" not in key}


def files_of(root: Path) -> dict[str, bytes]:
    """Every file of a log but the lock."""
    paths = [path for path in root.rglob("*") if path.is_file() and path.name != ".lock"]
    return {str(path.relative_to(root)): path.read_bytes() for path in sorted(paths)}


def forget(fleet: Fleet) -> None:
    """What the machine remembers besides the log."""
    (fleet.settings.state / "log-state.json").unlink(missing_ok=True)


def stopped(fleet: Fleet, code: str, *, run: Callable[[], object] | None = None) -> FleetwardError:
    """The run ends with ``code``; the log is as the attacker left it and no member is written. The error."""
    planes, log = fleet.planes.values(), fleet.log_folder
    before, found = versions(planes), files_of(log)
    with pytest.raises(AuditError) as caught:
        (run or fleet.reconcile)()
    assert caught.value.code == code, caught.value
    assert caught.value.hint
    assert files_of(log) == found, "nothing is added to a log that cannot be believed"
    assert versions(planes) == before, "nothing is applied"
    return caught.value


def refused_member(fleet: Fleet, code: str, name: str = "member-a") -> Run:
    """The run refuses the member with ``code``; see the module. The other members are as they should be."""
    plane = fleet.planes[name]
    before, size = versions([plane]), len(fleet.entries())
    run = fleet.reconcile()
    part = result(run, name)
    assert part.state in (MemberState.FAILED, MemberState.REFUSED, MemberState.UNREACHABLE), part
    assert code in part.error, part.error
    assert {state for other, state in states(run).items() if other != name} <= {
        MemberState.SYNCED,
        MemberState.APPLIED,
    }
    entry = refusal(fleet, name, size)
    assert {finding.code for finding in entry.findings} == {code}
    assert not [e for e in fleet.entries()[size:] if isinstance(e, Intent) and e.cluster == name]
    size = len(fleet.entries())
    asked_again(fleet)
    assert not result(fleet.reconcile(), name).good
    assert len(fleet.entries()) == size, "a schedule that meets the same refusal again fills no log"
    assert versions([plane]) == before, "nothing is written"
    asked_again(fleet)
    return run


def refusal(fleet: Fleet, name: str, start: int) -> MemberRefused:
    """The one refusal of a member in the log from entry ``start`` on."""
    found = [e for e in fleet.entries()[start:] if isinstance(e, MemberRefused)]
    (entry,) = found
    assert entry.cluster == name
    return entry


def asked_again(fleet: Fleet) -> None:
    """The circuit breaker would leave a member alone that has just failed."""
    (fleet.settings.state / "contacts.json").unlink(missing_ok=True)


def repaired(fleet: Fleet, *objects: str, name: str = "member-a", deep: bool = False) -> list[Entry]:
    """The run undoes what somebody did to ``objects`` and logs it as drift; the entries that it added."""
    size = len(fleet.entries())
    run = fleet.reconcile(name, deep=deep)
    assert states(run) == {name: MemberState.APPLIED}, run.members
    added = fleet.entries()[size:]
    (drift,) = [entry for entry in added if isinstance(entry, Drift)]
    assert drift.cluster == name
    assert set(drift.objects) == set(objects)
    (outcome,) = [entry for entry in added if isinstance(entry, Outcome)]
    assert outcome.result.value == "applied"
    assert states(fleet.reconcile(name)) == {name: MemberState.SYNCED}
    fleet.assert_log_whole()
    return added


def verified(fleet: Fleet, name: str = "member-a", *, deep: bool = False) -> set[str]:
    """The codes of what ``fleetward verify`` finds, or of the error that ends it."""
    try:
        with fleet.wiring() as wiring:
            checks = wiring.checks()
            ports = VerifyPorts(checks.repository, checks.cache, wiring.log_view(), wiring.members().connect)
            explanation = asyncio.run(verify_member(ports, name, deep=deep))
    except FleetwardError as error:
        return {error.code}
    return {finding.code for finding in explanation.findings}


# --- handing a change set to a member ------------------------------------------------------------


def logged_change_sets(fleet: Fleet, name: str) -> list[bytes]:
    """The envelopes of a member's change sets, as whoever reads the log reads them; the oldest first."""
    with fleet.wiring() as wiring:
        view = wiring.log_view()
        return [
            view.body(entry.change_set)
            for _, entry in view.entries()
            if isinstance(entry, Intent) and entry.cluster == name
        ]


def hand_over(fleet: Fleet, name: str, envelope: SignedChangeSet) -> None:
    """Give a change set to ``member.apply`` as the pipeline does, for what the accepted commit desires."""
    with fleet.wiring() as wiring:
        writes, checks = wiring.writes(), wiring.checks()
        accepted = writes.log.state().accepted
        assert accepted
        ready = prepare(checks, checks.repository.snapshot(accepted.commit))
        (cluster,) = ready.select([name])
        desired: Desired = guarded(ready.compiled[name].desired, cluster)

        async def apply() -> None:
            async with wiring.members().connect(cluster, ready.read_fleet) as member:
                await member.identify()
                await member.observe(desired)
                await member.apply(desired, Authorized(envelope, writes.signer.public_key), log_index=0)

        asyncio.run(apply())
