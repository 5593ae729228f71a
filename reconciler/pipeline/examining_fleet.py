"""``doctor`` as a whole: the host, the log, the commit that says what members there are, and they themselves.

Each part that fails is a result, and what does not need it goes on: without the log the folders and programs
are still looked at; without network to the repository the members of its last mirror are.

With ``rev`` members are looked at as that commit registers them, which a person has to have decided. The
accepted commit's Federation holds all the same (which programs may log in), and a log that is there and
cannot be read stops it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from reconciler.audit.view import LogView
from reconciler.errors import FleetwardError
from reconciler.member.diagnosis.results import Bounds, Grade, Result, failed, failed_by, ok, skipped
from reconciler.member.seal_keys import KeyFile
from reconciler.pipeline import examining_host as host
from reconciler.pipeline import examining_log as log
from reconciler.pipeline.accepting import require_initialized
from reconciler.pipeline.check import Checked, prepare
from reconciler.pipeline.examining import Examination, ExaminePorts, examine, fleet_versions
from reconciler.pipeline.examining_host import HostCheck
from reconciler.pipeline.examining_stored import FindSecrets, stored_result
from reconciler.pipeline.membership.standing import kicked_of
from reconciler.pipeline.ports import CheckPorts


@dataclass(frozen=True, slots=True)
class HostPorts:
    """What belongs to the reconciler's host.

    ``open_log`` gives None where no key of a log is known. ``key_elsewhere`` says where the private key is if
    it is not in ``key_file``; ``log_folder`` is None for a log that is not in a folder.
    """

    state: Path
    key_file: Path
    key_elsewhere: str
    credentials: Path
    log_folder: Path | None
    opa_version: str
    find_opa: Callable[[], Path]
    open_checks: Callable[[], CheckPorts]
    open_log: Callable[[], LogView | None]
    find_secrets: FindSecrets
    seal_keys: KeyFile | None = None  # of sealed credentials


@dataclass(frozen=True, slots=True)
class Examined:
    """Everything; ``commit`` is the one that registers the members, "" where it is not known."""

    commit: str
    host: tuple[Result, ...]
    members: tuple[Examination, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether nothing failed; warnings are allowed."""
        results = [*self.host, *(result for one in self.members for result in one.results)]
        return not any(result.grade is Grade.FAILED for result in results)


@dataclass(slots=True)
class _Found:
    """What the host's part came to."""

    results: list[Result] = field(default_factory=list)
    view: LogView | None = None
    log_failed: bool = False
    checks: CheckPorts | None = None
    checked: Checked | None = None


async def examine_fleet(
    ports: HostPorts, members: ExaminePorts, bounds: Bounds, *, rev: str = "", clusters: Collection[str] = ()
) -> Examined:
    """Examine everything there is. Raises SettingsError for a cluster that is not there, and nothing else."""
    found = _Found(_of_host(ports))
    _repository(ports, found)
    _log(ports, found, members)
    _commit(found, rev)
    root = found.checked.federation.root if found.checked else None
    found.results.append(log.witness_result(found.view, root, members.clock()))
    found.results.append(await _stored(ports, found, members))
    if found.checked is None:
        return Examined("", tuple(found.results))
    examined = await examine(found.checked, members, bounds, clusters, _kicked(found, found.checked))
    return Examined(found.checked.commit, (*found.results, fleet_versions(examined)), examined)


def _kicked(found: _Found, checked: Checked) -> Collection[str]:
    if found.view is None or found.checks is None:
        return ()
    return kicked_of(found.view.state(), checked.read_fleet, found.checks.repository.blobs).keys()


def _of_host(ports: HostPorts) -> list[Result]:
    return [
        host.folder_result(ports.state),
        host.key_result(ports.key_file, ports.key_elsewhere),
        host.credentials_result(ports.credentials),
        host.sealed_result(ports.credentials, ports.seal_keys),
        host.git_result(),
        host.opa_result(ports.find_opa, ports.opa_version),
        log.space_result(ports.log_folder),
    ]


def _repository(ports: HostPorts, found: _Found) -> None:
    check, expected = HostCheck.REPOSITORY, "the fleet's repository, up to date"
    try:
        found.checks = ports.open_checks()
        found.checks.repository.fetch()
    except FleetwardError as error:
        found.results.append(failed_by(check, error, expected))
        return
    found.results.append(ok(check, expected, found.checks.repository.location))


def _log(ports: HostPorts, found: _Found, members: ExaminePorts) -> None:
    rest = (HostCheck.AGE, HostCheck.OPEN_INTENTS)
    try:
        found.view = ports.open_log()
        results = log.log_results(found.view, members.clock()) if found.view else []
    except FleetwardError as error:
        results = [failed_by(HostCheck.LOG, error, "a log that verifies")]
        found.view = None
    found.log_failed = any(
        result.grade is Grade.FAILED for result in results if result.check == HostCheck.LOG
    )
    if not results:
        results = [skipped(HostCheck.LOG, "no key of a log is known here: `fleetward trust init` makes it")]
    if len(results) == 1:
        results += [skipped(check, "the log was not opened") for check in rest]
    found.results.extend(results)


def _commit(found: _Found, rev: str) -> None:
    """Finds the commit that says which members there are, and compiles it."""
    check, expected = HostCheck.COMMIT, "a commit that loads and compiles"
    if found.checks is None or found.log_failed:
        reason = "the log cannot be read" if found.checks else "the repository cannot be read"
        found.results.append(skipped(check, f"{reason}, so no member was examined"))
        return
    try:
        checked = _prepared(found, found.checks, rev)
    except FleetwardError as error:
        found.results.append(failed_by(check, error, expected))
        return
    if checked.fleet is None or checked.errors:
        first: Sequence[str] = [
            f"{one.code} {one.source or one.subject}: {one.message}" for one in checked.errors
        ]
        text = f"{len(first)} findings, first {first[0]}" if first else "no usable fleet"
        hint = f"fleetward check --rev {checked.commit[:12]} shows all"
        code = checked.errors[0].code if first else ""
        found.results.append(failed(check, expected, text, hint, code=code))
    else:
        number = len(checked.read_fleet.clusters)
        found.results.append(ok(check, expected, f"{checked.commit[:12]}, {number} clusters"))
    found.checked = checked if checked.fleet else None


async def _stored(ports: HostPorts, found: _Found, members: ExaminePorts) -> Result:
    if found.view is None or found.checks is None or found.checked is None:
        return skipped(HostCheck.STORED, "it is not known here which clusters there are")
    return await stored_result(
        found.checked.read_fleet, found.view.state(), found.checks.repository, ports.credentials,
        ports.find_secrets, members.clock(),
    )  # fmt: skip


def _prepared(found: _Found, checks: CheckPorts, rev: str) -> Checked:
    repository = checks.repository
    state = found.view.state() if found.view else None
    accepted = state.accepted.commit if state and state.accepted else ""
    if rev:
        base = repository.snapshot(accepted) if accepted else None
        return prepare(checks, repository.snapshot(repository.resolve(rev)), accepted=base)
    from reconciler.audit.state import LogState

    return prepare(checks, repository.snapshot(require_initialized(state or LogState(), repository)))
