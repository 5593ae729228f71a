"""Backdated key: a key that was retired signs a commit dated before its end.

Whoever signs writes the dates. Git asks them: with valid-before in allowed_signers, ``git verify-commit``
accepts the commit. Here a commit is judged by when it was first seen, which the log says.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from attack_kit import PEOPLE, Fleet

pytestmark = pytest.mark.real
OTHERS = {name: roles for name, roles in PEOPLE.items() if name != "dave"}


@pytest.fixture
def fleet(make: Callable[..., Fleet]) -> Fleet:
    """Dave's key counts for an hour from now."""
    end = (datetime.now(UTC) + timedelta(hours=1)).replace(microsecond=0)
    text = f"{end:%Y-%m-%dT%H:%M:%SZ}"
    return make(
        people=OTHERS,
        more=lambda repo: [
            {"name": "dave", "keys": [{"key": repo.person("dave").public_key, "validBefore": text}]}
        ],
    )


def later(fleet: Fleet) -> None:
    now = datetime.now(UTC) + timedelta(hours=2)
    fleet.clock = lambda: now


def test_a_retired_key_under_an_old_date(fleet: Fleet) -> None:
    commit = fleet.change()  # the commits of these tests say 2023
    later(fleet)
    (finding,) = fleet.refused("FW1211")
    assert "no longer valid" in finding.message
    allowed = fleet.repo.root / "allowed"
    key = fleet.repo.person("dave").public_key
    end = (datetime.now(UTC) + timedelta(hours=1)).strftime("%Y%m%d%H%MZ")
    allowed.write_text(f'dave@example.com valid-before="{end}" {key}\n')
    # Git is content, two hours later too: it asks the commit for the time.
    fleet.repo.git("-c", f"gpg.ssh.allowedSignersFile={allowed}", "verify-commit", commit)


def test_what_was_seen_in_time_stays_good(fleet: Fleet) -> None:
    """Refused for another reason while the key was good, and accepted after its end."""
    late = fleet.role()
    fleet.change()
    fleet.refused("FW1261")
    later(fleet)
    fleet.approve(late, "bob")
    fleet.accepted()


def test_a_commit_on_top_of_one_that_was_seen_is_not_seen_itself(fleet: Fleet) -> None:
    role = fleet.role()
    fleet.change("in-time")
    fleet.refused("FW1261")
    later(fleet)
    fleet.approve(role, "bob")
    fleet.change("late")
    fleet.refused("FW1211")


def test_an_approval_is_judged_now(fleet: Fleet) -> None:
    """Nothing says when an approval was first there, so it has to be good when it is counted."""
    trust = {"version": 2, "threshold": 2}
    end = (datetime.now(UTC) + timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    dave = {"name": "dave", "keys": [{"key": fleet.repo.person("dave").public_key, "validBefore": end}]}
    fleet.repo.commit({"federation.yaml": fleet.federation(OTHERS, more=[dave], trust=trust)})
    base = fleet.accepted()
    text = fleet.federation(OTHERS, more=[dave], trust=trust, limits={"maxDeletions": 3})
    commit = fleet.repo.commit({"federation.yaml": text})
    fleet.approve(commit, "dave", base=base)
    later(fleet)
    fleet.refused("FW1261")
