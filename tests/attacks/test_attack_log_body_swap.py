"""Body swap: the change set, or the outcomes, that an entry names are exchanged for other ones.

A body is filed under its digest, and the digest is in the signed tree. A run needs no old body, so it goes
on, and what it appends is sound; whoever reads one is told (FW1809, FW1824), and an object that rests on it
is not explained. Nothing can be brought to a member that way: applied is what the run has just signed, never
a body.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from attack_members import logged_change_sets, verified
from e2e_world import Fleet

from reconciler.audit.codes import BodyError
from reconciler.audit.entry import Intent, digest_of
from reconciler.audit.store import body_path

pytestmark = pytest.mark.real


def intents(fleet: Fleet) -> list[Intent]:
    return [e for e in fleet.entries() if isinstance(e, Intent) and e.cluster == "member-a"]


def test_the_change_set_of_another_run(applied: Fleet) -> None:
    """An older one of the same member, well signed, under the name of the newest."""
    old, new = logged_change_sets(applied, "member-a")
    path: Path = applied.log_folder / body_path(digest_of(new))
    path.write_bytes(old)
    with applied.wiring() as wiring:
        view = wiring.log_view()
        with pytest.raises(BodyError) as caught:
            view.body(intents(applied)[-1].change_set)
        assert caught.value.code == "FW1809"
        assert [(f.code, f.subject) for f in view.verify().findings] == [
            ("FW1824", body_path(digest_of(new)))
        ]
    assert verified(applied) >= {"FW1270", "FW1809"}


def test_no_append_takes_a_body_of_another_digest(applied: Fleet) -> None:
    old, new = logged_change_sets(applied, "member-a")
    last = intents(applied)[-1]
    with applied.wiring() as wiring:
        log = wiring.log(wiring.key())
        for bodies in ({digest_of(new): old}, {}):
            if not bodies:
                (applied.log_folder / body_path(digest_of(new))).write_bytes(old)
            following = Intent(
                actor="x", cluster="member-a", cluster_uid=last.cluster_uid, commit=last.commit,
                change_set=digest_of(new), sequence=last.sequence + 1, counts=last.counts, gate=last.gate,
            )  # fmt: skip
            with pytest.raises(BodyError):
                log.append([following], bodies)
