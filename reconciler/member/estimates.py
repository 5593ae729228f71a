"""What an apply would change, told by reading alone: for credentials that may not even try it.

The object is fetched and the desired fields are laid over it, as far as a reader can know how: maps are
merged, lists whose items have a unique ``name`` are merged by it, any other list is replaced. What the API
server makes of it (defaults, normal forms, admission, other field managers) is not known, so this shows a
change where a dry run may show none, and an update where a dry run may show a conflict. It never shows
nothing where there is something to do, but for fields that only the last change set had: those show by the
digest that every object carries.

>>> overlay({"spec": {"a": 1, "default": 2}}, {"spec": {"a": 1}})
{'spec': {'a': 1, 'default': 2}}
>>> overlay([{"name": "web", "port": 80, "protocol": "TCP"}], [{"name": "web", "port": 81}])
[{'name': 'web', 'port': 81, 'protocol': 'TCP'}]
"""

from __future__ import annotations

from collections.abc import Sequence

import orjson

from reconciler.member.concurrent import pool
from reconciler.member.connection import Client
from reconciler.member.probes import current
from reconciler.model import DesiredObject, Json, ObjectRef, Probe

_WIDTH = 32  # reads at a time


async def estimate(client: Client, items: Sequence[DesiredObject]) -> dict[ObjectRef, Probe]:
    """A probe for each object, by one GET each. Raises MemberError."""
    found: dict[ObjectRef, Probe] = {}

    async def look(item: DesiredObject) -> None:
        resource = await client.kinds.find((item.ref.group, item.ref.kind))
        before = await current(client, resource, item)
        wanted = orjson.loads(item.body)
        found[item.ref] = Probe(before, overlay(before, wanted) if before else wanted)

    await pool(items, look, min(_WIDTH, len(items)))
    return {item.ref: found[item.ref] for item in items}


def overlay(live: Json, wanted: Json) -> Json:
    """``live`` with what is wanted laid over it; neither is changed."""
    if isinstance(live, dict) and isinstance(wanted, dict):
        return {**live, **{key: overlay(live.get(key), value) for key, value in wanted.items()}}
    if isinstance(live, list) and isinstance(wanted, list):
        return _overlay_lists(live, wanted)
    return wanted


def _overlay_lists(live: list[Json], wanted: list[Json]) -> list[Json]:
    named = {_name(item): item for item in live}
    names = [_name(item) for item in wanted]
    if None in named or None in names or len(named) != len(live) or len(set(names)) != len(names):
        if len(live) != len(wanted):
            return wanted
        return [overlay(old, new) for old, new in zip(live, wanted, strict=True)]
    merged = [overlay(named.get(name), item) for name, item in zip(names, wanted, strict=True)]
    return merged + [item for item in live if _name(item) not in set(names)]


def _name(item: Json) -> str | None:
    name = item.get("name") if isinstance(item, dict) else None
    return name if isinstance(name, str) else None
