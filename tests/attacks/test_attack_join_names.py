"""Names that are more than names: paths, line ends, zeros, look-alikes, options, refs of Git.

FW1746 (FW1756 where it is no text of a length) before anything is made of them: no file, no branch, no token
used; and what the log and the operator's terminal get of them is cut and escaped.
"""

from __future__ import annotations

import pytest
from attack_joins import nothing_joined, sources
from attack_members import Plane
from join_asking import post, prepared
from join_world import World

from reconciler.audit.entry import JoinRefused

pytestmark = pytest.mark.real
NAMES = (
    "../member-b", "../../federation.yaml", "..", ".", "/", "/etc/passwd", "a/b", "a/../../b", "..%2fb",
    "a\\b", "a\0b", "\0", "a\nb", "a\r\nX-Header: 1", "a\tb", " a", "a ", "\x1b[31mred", "a\x7f",
    "\u202eb-rebmem", "m\u0435mber-b", "\uff4dember-b", "member\u2010b", "member-b\u200b", "\xdf", "\u0130",
    "k\u212a", "x" * 64, "x" * 253, "-rf", "--upload-pack=x", "a.lock", "a..b", "a@{1}", "HEAD~1",
    "refs/heads/main", "a:b", "*", "$(id)", "`id`", "'", '"', "{{x}}", "!!python/object", "Member-B",
    "member_b", "a.b", "-", "a-", "~", "%00",
)  # fmt: skip


def test_no_name_becomes_a_path_a_ref_or_a_line(world: World, b: Plane) -> None:
    prepared(b)
    good, address = world.body(b, world.token(), "member-b"), sources()
    outside = {path for path in world.fleet.repo.root.rglob("*") if "join" in path.name}
    with world.serving() as endpoint:
        for name in NAMES:
            status, code = post(world, {**good, "name": name}, source=next(address))
            assert (status, code) == (422, "FW1746"), name
        for name in ("", "x" * 254, "x" * 60_000, 1, None, ["a"], {"a": 1}, True):
            assert post(world, {**good, "name": name}, source=next(address)) == (400, "FW1756"), name
        surrogate = str.encode('{"name": "\\ud800"}')
        assert post(world, surrogate, source=next(address)) == (400, "FW1756")
        nothing_joined(world)
        assert post(world, good, source=next(address)) == (200, "")
    said = "".join(endpoint.said)
    assert not set(said) & {"\x1b", "\0", "\r", "\u202e", "\u200b", "\x7f"}, "a terminal is not written to"
    entries = [entry for entry in world.entries() if isinstance(entry, JoinRefused)]
    assert all(len(entry.cluster) <= 100 for entry in entries)
    made = {path for path in world.fleet.repo.root.rglob("*") if "join" in path.name} - outside
    assert {path.name for path in made} <= {"join", "joined"}, "the one good join's"
