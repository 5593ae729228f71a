"""Everything that is examined of one member.

1. credentials   can they be read, how long do they last
2. servers       every API server URL, all at once (``servers``)
3. together      do all URLs lead to one cluster, of one version, the registered one
4. rights, record, guard and a sample of objects, by the servers that let us in

``Seen`` is filled in as it goes, so what was seen stays when time runs out. What objects should look like is
not known here: their bodies are handed on.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice, zip_longest

from reconciler.errors import MemberError
from reconciler.member.census import Census, census, fetch
from reconciler.member.connection import Client
from reconciler.member.diagnosis import inventory, rights
from reconciler.member.diagnosis.agreement import agreement, lowest
from reconciler.member.diagnosis.certificates import authority_result
from reconciler.member.diagnosis.logins import Loaded, expiry_results, load_login
from reconciler.member.diagnosis.results import MemberCheck, Result, failed_by, skipped
from reconciler.member.diagnosis.servers import Server, Way, examine_server
from reconciler.member.discovery import Kinds
from reconciler.member.guard import guard_objects
from reconciler.member.parent import read_parent
from reconciler.model import Desired, Json, ObjectRef

_SAMPLE = 48  # objects whose fields are looked at
_OF_KIND = 16  # of one kind: more would be read by whole lists
_ADMISSION = "admissionregistration.k8s.io"
_INSIDE = (
    MemberCheck.RIGHTS, MemberCheck.EXCESS, MemberCheck.RECORD, MemberCheck.SIZE,
    MemberCheck.GUARD, MemberCheck.MANAGERS,
)  # fmt: skip


@dataclass(slots=True)
class Seen:
    """What was found; ``version`` is "" where nobody answered.

    ``bodies`` are whole objects, the guard's and the sample's, as far as they exist; ``unread`` says why the
    rest was not read ("": it was).
    """

    results: list[Result] = field(default_factory=list)
    servers: tuple[Server, ...] = ()
    version: str = ""
    sample: tuple[ObjectRef, ...] = ()
    bodies: Mapping[ObjectRef, Json] | None = None
    total: int = 0  # objects that a sample was taken from

    @property
    def all_results(self) -> list[Result]:
        """By URL in the order of registration, then what is about the member as a whole."""
        return [*(result for server in self.servers for result in server.results), *self.results]


async def examine(way: Way, desired: Desired, public_keys: tuple[bytes, ...], seen: Seen) -> None:
    """Fill in ``seen``. ``desired`` has the guard in it; without ``public_keys`` no record is believed.

    Nothing that is the member's fault is raised.
    """
    cluster = way.cluster
    seen.servers = tuple(Server(url) for url in cluster.api_servers)
    seen.results.append(authority_result(cluster.ca_bundle, way.clock(), way.bounds))
    way = await _log_in(way, seen)
    await asyncio.gather(*(examine_server(way, server) for server in seen.servers))
    seen.results.extend(agreement(seen.servers, cluster.kubernetes_version))
    seen.version = lowest(seen.servers)
    good = [server.url for server in seen.servers if server.identity]
    if not good:
        seen.results.extend(skipped(check, "no API server lets us in") for check in _INSIDE)
        return
    transport = way.transport(*good)
    try:
        client = Client(transport, Kinds(transport), public_keys)
        await _rights(client, desired, seen, writes=cluster.mode == "enforce")
        live = await _record(client, seen, writes=cluster.mode == "enforce")
        await _bodies(client, cluster.username, desired, live, seen)
    finally:
        await transport.close()


async def _log_in(way: Way, seen: Seen) -> Way:
    assert way.source is not None  # noqa: S101  it is there until it was tried
    seconds = way.bounds.timeout.total_seconds() / 2
    result, login = await load_login(way.source, way.cluster.credentials.method, seconds)
    seen.results.append(result)
    if login is None:
        seen.results.append(skipped(MemberCheck.CREDENTIAL_EXPIRY, "there are no usable credentials"))
        return replace(way, source=None)
    seen.results.extend(expiry_results(login, way.clock(), way.bounds))
    return replace(way, source=Loaded(login))


async def _rights(client: Client, desired: Desired, seen: Seen, *, writes: bool) -> None:
    try:
        wanted = await rights.needed(client, desired, writes=writes)
    except MemberError as error:
        expected = "to know the compiled kinds"
        seen.results.extend(failed_by(check, error, expected) for check in _INSIDE[:2])
        return
    seen.results.append(await rights.missing_result(client, wanted))
    seen.results.append(await rights.excess_result(client, wanted))


async def _record(client: Client, seen: Seen, *, writes: bool) -> Census | None:
    """What is there of ours, when the record can be believed."""
    if not client.public_keys:
        reason = "no public key of the log is known"
        seen.results.extend(skipped(check, reason) for check in _INSIDE[2:4])
        return None
    try:
        found = await census(client, lists=True)
        parent = await read_parent(client.transport, client.public_keys)
    except MemberError as error:
        seen.results.append(inventory.unbelieved(error))
        seen.results.append(skipped(MemberCheck.SIZE, "the record cannot be believed or read"))
        return None
    seen.results.append(inventory.record_result(found, writes=writes))
    full = inventory.size_result(parent, parent.record) if parent.record else None
    seen.results.append(full or skipped(MemberCheck.SIZE, "there is no record"))
    return found


async def _bodies(client: Client, username: str, desired: Desired, live: Census | None, seen: Seen) -> None:
    guards = {(item["kind"], item["metadata"]["name"]) for item in guard_objects(username)}
    items = {item.ref: item for item in desired.objects}
    guard = [ref for ref in items if ref.group == _ADMISSION and (ref.kind, ref.name) in guards]
    if live and live.record:
        ours = [ref for ref in items if ref in live.record.objects and ref in live.live]
        seen.total = len(ours)
        seen.sample = sampled(ours, {ref for ref in ours if not _as_recorded(live, ref)})
    try:
        seen.bodies = await fetch(client, {ref: items[ref].version for ref in {*guard, *seen.sample}})
    except MemberError as error:
        expected = "to read the guard and a sample of objects"
        seen.results.extend(failed_by(check, error, expected) for check in _INSIDE[4:])


def _as_recorded(seen: Census, ref: ObjectRef) -> bool:
    assert seen.record is not None  # noqa: S101  callers look first
    return seen.record.objects[ref].resource_version == seen.live[ref].resource_version


def sampled(refs: Sequence[ObjectRef], touched: Collection[ObjectRef]) -> tuple[ObjectRef, ...]:
    """At most 48 objects, 16 of a kind: first what somebody has ``touched``, then of each kind in turn."""
    kinds: dict[tuple[str, str], list[ObjectRef]] = defaultdict(list)
    for ref in sorted(refs, key=lambda ref: (ref not in touched, ref)):
        if len(of_kind := kinds[ref.group, ref.kind]) < _OF_KIND:
            of_kind.append(ref)
    turns = (ref for turn in zip_longest(*kinds.values()) for ref in turn if ref)
    return tuple(islice(sorted(turns, key=lambda ref: ref not in touched), _SAMPLE))
