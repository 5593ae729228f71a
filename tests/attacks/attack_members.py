"""Attacks on a fleet with real members: what they start from, and what each of them has to show.

``applied`` is a fleet that was applied on two real clusters twice, with a third commit waiting. An attack on the
log needs the members only to be there, since nothing may be written to them: ``stolen`` gives each such test a
machine of its own (state, log) before the same members, made again only when another test changed them.

``refused_member``: the run refuses one member with the attack's own code, the log gets one entry
``member-refused`` with it, not one request changes the member, and the next run says the same without filling
the log. ``stopped``: the log itself was attacked, so that no entry in it could be trusted; the run ends with the
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
from reconciler.sandbox.local import Sandbox  # noqa: E402
from reconciler.surfaces.provision import provision  # noqa: E402
from reconciler.trust import SignedChangeSet  # noqa: E402

NAMES = ("member-a", "member-b")


# --- the victims ------------------------------------------------------------------------------------------------


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


@pytest.fixture
def empty(all_planes: dict[str, Plane], prepared: Path, tmp_path: Path) -> Fleet:
    """A fleet without a commit, and both members empty."""
    for plane in all_planes.values():
        plane.clear()
    return Fleet.new(tmp_path / "fleet", all_planes, prepared)


@pytest.fixture
def applied(empty: Fleet) -> Fleet:
    """See the module."""
    return apply_twice(empty)


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
class _Shared:
    fleet: Fleet | None = None
    versions: dict[str, str] | None = None


@pytest.fixture(scope="session")
def _shared() -> _Shared:
    return _Shared()


@pytest.fixture
def stolen(
    all_planes: dict[str, Plane], prepared: Path, tmp_path: Path, _shared: _Shared,
    tmp_path_factory: pytest.TempPathFactory,
) -> Fleet:  # fmt: skip
    """A fleet as ``applied``, whose machine is a copy."""
    if _shared.fleet is None or versions(all_planes.values()) != _shared.versions:
        for plane in all_planes.values():
            plane.clear()
        root = tmp_path_factory.mktemp("shared-fleet")
        _shared.fleet = apply_twice(Fleet.new(root, all_planes, prepared))
        _shared.versions = versions(all_planes.values())
    return copy_of(_shared.fleet, tmp_path / "machine")


def copy_of(fleet: Fleet, machine: Path) -> Fleet:
    """The same repository and members, reconciled by another machine with a copy of state and log."""
    shutil.copytree(fleet.machine, machine)
    return replace(fleet, machine=machine)


@pytest.fixture
def proxy(sandbox: Sandbox) -> Iterator[Callable[[str], Proxy]]:
    """Makes a proxy in front of a member."""
    with ExitStack() as stack:
        yield lambda name: stack.enter_context(Proxy(sandbox, name))


# --- what an attack has to show ---------------------------------------------------------------------------------


def versions(planes: Iterable[Plane]) -> dict[str, str]:
    """All that is federated on the members, but for the guard's own status, which the control plane writes."""
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


def refused_member(fleet: Fleet, code: str, name: str = "member-a", *, others: bool = True) -> Run:
    """The run refuses the member with ``code``; see the module. The other members are as they should be."""
    plane = fleet.planes[name]
    before, size = versions([plane]), len(fleet.entries())
    run = fleet.reconcile()
    part = result(run, name)
    assert part.state in (MemberState.FAILED, MemberState.REFUSED), part
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


def verified(fleet: Fleet, name: str = "member-a", *arguments: str) -> set[str]:
    """The codes of ``fleetward verify``, of its findings or of the error that ended it."""
    import json

    done = fleet.run("verify", "--cluster", name, "-o", "json", "-q", *arguments)
    answer = json.loads(done.stdout)
    if "error" in answer:
        return {answer["error"]["code"]}
    return {finding["code"] for finding in answer["findings"]}


# --- handing a change set to a member ------------------------------------------------------------------------


def logged_change_sets(fleet: Fleet, name: str) -> list[bytes]:
    """The envelopes of a member's change sets, as everybody reads them who reads the log; the oldest first."""
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
