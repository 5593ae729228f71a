"""``doctor``'s part about what joins stored: a credential of a cluster that is no member, and is not joining.

Rules:
- A name is in use while it is registered, in the accepted commit or at the tip of the fleet's ref, and while
  a join of that name is pending. A file that another registration names is in use, too.
- Every file below ``joined/`` is looked at. Secrets cannot be listed with the rights that there are on the
  primary: those of the names are looked for that the log has a join of.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection
from datetime import datetime
from pathlib import Path

from reconciler.audit.state import LogState
from reconciler.documents import Fleet
from reconciler.documents.joined import FOLDER, file_of
from reconciler.errors import FleetwardError, SettingsError
from reconciler.member.diagnosis.results import Result, failed_by, ok, warning
from reconciler.pipeline.examining_host import HostCheck
from reconciler.pipeline.membership.pending import pending_joins
from reconciler.pipeline.membership.registration import registered_in
from reconciler.pipeline.membership.standing import names, other_registrations
from reconciler.repository import Repository

# The Secrets of these names that are on the primary, as people name them, by cluster.
FindSecrets = Callable[[Fleet, Collection[str]], Awaitable[dict[str, tuple[str, ...]]]]
_MOST = 5  # that are named
_MOST_NAMES = 100  # whose Secrets are looked for


async def stored_result(
    fleet: Fleet, state: LogState, repository: Repository, credentials: Path, find_secrets: FindSecrets,
    now: datetime,
) -> Result:  # fmt: skip
    """Whether what joins stored is of clusters that are registered or joining."""
    check, expected = HostCheck.STORED, "credentials of clusters that are registered or joining"
    try:
        used, texts = _in_use(fleet, state, repository, now)
        unused = _unused_files(credentials, used, texts)
        kickable = _kickable(state) - used
        for name, secrets in (await find_secrets(fleet, sorted(kickable)[:_MOST_NAMES])).items():
            unused[name] = (*unused.get(name, ()), *secrets)
    except (FleetwardError, OSError) as error:
        said = error if isinstance(error, FleetwardError) else SettingsError(str(error))
        return failed_by(check, said, expected, str(credentials))
    if not unused:
        return ok(check, expected, "no others", str(credentials))
    places = [place for name in sorted(unused) for place in unused[name]]
    more = f" and {len(places) - _MOST} more" if len(places) > _MOST else ""
    found = f"{', '.join(places[:_MOST])}{more}"
    return warning(check, expected, found, _hint(unused, kickable), where=str(credentials))


def _in_use(
    fleet: Fleet, state: LogState, repository: Repository, now: datetime
) -> tuple[set[str], tuple[bytes, ...]]:
    """The names that are registered or joining, and what the registrations at the tip say."""
    tip = repository.snapshot(repository.resolve(state.ref))
    registered = {cluster.name for cluster in fleet.clusters} | set(registered_in(tip))
    pending = pending_joins(state.membership, repository, registered, now)
    return registered | {one.cluster for one in pending}, tuple(other_registrations("", tip))


def _unused_files(
    credentials: Path, used: Collection[str], texts: Collection[bytes]
) -> dict[str, tuple[str, ...]]:
    """The files that joins stored and nobody uses, by cluster."""
    ours = {file_of(name, viewer=reads) for name in used for reads in (False, True)}
    found: dict[str, tuple[str, ...]] = {}
    for file in sorted((credentials / FOLDER).glob("[!.]*.token")):
        path = f"{FOLDER}/{file.name}"
        if path not in ours and not any(names(text, path) for text in texts):
            cluster = file.name.removesuffix(".token").removesuffix(".viewer")
            found[cluster] = (*found.get(cluster, ()), path)
    return found


def _kickable(state: LogState) -> set[str]:
    """The names that the log has a join of, and no kick that came to its end since."""
    kicked = state.membership.kicked
    return {name for name in state.membership.joined if name not in kicked or kicked[name].left is None}


def _hint(unused: Collection[str], kickable: Collection[str]) -> str:
    kicks = [f"`fleetward kick {name} --gone`" for name in sorted(unused) if name in kickable]
    others = "delete what is no cluster's any more" if set(unused) - set(kickable) else ""
    return "; ".join(filter(None, (", ".join(kicks[:_MOST]), others)))
