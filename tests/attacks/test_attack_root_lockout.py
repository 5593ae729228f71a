"""Lockout: a trust root that nobody can use or change any more, brought in by somebody who may change it.

Once accepted it would judge everything after it, so that only a new log could mend it. It is tried on before.
"""

from __future__ import annotations

import base64

import pytest
from attack_kit import PEOPLE, Fleet

pytestmark = pytest.mark.real
CA = {"name": "people", "revocation": "none"}


def test_a_threshold_that_nobody_reaches(fleet: Fleet) -> None:
    trust = {"version": 2, "threshold": 3, "role": "security"}
    fleet.repo.commit({"federation.yaml": fleet.federation(trust=trust)})
    fleet.refused("FW1325")


def test_nobody_is_left(fleet: Fleet) -> None:
    fleet.repo.commit({"federation.yaml": fleet.federation({"github": ["forge"]}, version=2, approvals=[])})
    fleet.refused("FW1325")


def test_one_key_for_two_people(fleet: Fleet) -> None:
    key = fleet.repo.person("dave").public_key
    more = [{"name": "dave2", "keys": [key]}]
    fleet.repo.commit({"federation.yaml": fleet.federation(version=2, more=more)})
    fleet.refused("FW1325")


def test_a_key_that_does_not_parse(fleet: Fleet) -> None:
    blob = base64.b64decode(fleet.repo.person("dave").public_key.split()[1])
    broken = f"ssh-ed25519 {base64.b64encode(blob[:-1]).decode()}"
    more = [{"name": "erin", "keys": [broken]}]
    fleet.repo.commit({"federation.yaml": fleet.federation(version=2, more=more)})
    codes = {finding.code for finding in refused_with(fleet, {"FW1209"}, {"FW1321"}, {"FW1316"})}
    assert codes


def test_revocations_that_cannot_be_read(fleet: Fleet) -> None:
    ca = {"name": "people", "ssh": fleet.repo.person("ca").public_key, "krl": "U1NIS1JMCgA="}
    fleet.repo.commit({"federation.yaml": fleet.federation(version=2, authorities=[ca])})
    fleet.refused("FW1215")
    fleet.move(fleet.good)
    people = {**PEOPLE, "erin": []}
    fleet.repo.commit({"federation.yaml": fleet.federation(people, version=2)})
    fleet.accepted()


def refused_with(fleet: Fleet, *choices: set[str]) -> tuple:  # type: ignore[type-arg]
    found = fleet._run_refused("")
    assert {f.code for f in found} in choices, found
    return found
