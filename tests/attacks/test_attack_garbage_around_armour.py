"""Garbage around the armour: one signature header that readers read in different ways.

Bytes before, after or in the armour are covered by no signature: a second signature, an instruction to a
terminal, or what makes another commit id of a signed commit.
"""

from __future__ import annotations

import pytest
from attack_kit import Fleet
from cert_forge import signed

pytestmark = pytest.mark.real


def dave(fleet: Fleet, payload: bytes) -> bytes:
    return signed(fleet.repo.person("dave").private_key, payload)


@pytest.mark.parametrize(
    ("before", "after", "code"),
    [
        (b"", b"garbage\n", "FW1203"),
        (b"", b"\x1b[2Kgood signature\n", "FW1203"),
        (b"", b" \n", "FW1203"),
        (b"garbage\n", b"", "FW1202"),
        (b" ", b"", "FW1202"),
    ],
    ids=["after", "terminal", "space", "before", "indented"],
)
def test_before_and_after(fleet: Fleet, before: bytes, after: bytes, code: str) -> None:
    payload = fleet.payload()
    armour = before + dave(fleet, payload) + after
    header = armour.rstrip(b"\n").replace(b"\n", b"\n ")
    raw = payload.replace(b"\n\n", b"\ngpgsig " + header + b"\n\n", 1)
    fleet.repo.git("update-ref", "refs/heads/main", fleet.repo.write_object("commit", raw))
    (finding,) = fleet.refused(code)
    assert finding.got.isprintable()


def test_two_signatures_in_one_header(fleet: Fleet) -> None:
    payload = fleet.payload()
    stranger = signed(fleet.repo.person("mallory").private_key, payload)
    fleet.forge_commit(payload, stranger + dave(fleet, payload))
    fleet.refused("FW1203")


def test_lines_between(fleet: Fleet) -> None:
    payload = fleet.payload()
    first, _, rest = dave(fleet, payload).partition(b"\n")
    fleet.forge_commit(payload, first + b"\nComment: verified\n\n" + rest)
    fleet.refused("FW1203")


def test_carriage_returns(fleet: Fleet) -> None:
    payload = fleet.payload()
    fleet.forge_commit(payload, dave(fleet, payload).replace(b"\n", b"\r\n"))
    assert {finding.code for finding in fleet.refused("FW1203")}


def test_a_signature_that_ends_early(fleet: Fleet) -> None:
    payload = fleet.payload()
    fleet.forge_commit(payload, dave(fleet, payload)[:120])
    fleet.refused("FW1203")


def test_a_signature_of_nothing(fleet: Fleet) -> None:
    payload = fleet.payload()
    raw = payload.replace(b"\n\n", b"\ngpgsig \n\n", 1)
    fleet.repo.git("update-ref", "refs/heads/main", fleet.repo.write_object("commit", raw))
    fleet.refused("FW1201")
