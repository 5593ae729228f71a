"""Hidden refusal: an attack that is refused, but in such a way that the log does not tell.

Findings hold what the attacker wrote. However long, odd or many they are, the entry is written, and stays
below its bound; and one refusal does not stand for a later one of another kind.
"""

from __future__ import annotations

import fleet_files
import pytest
from attack_kit import Fleet

from reconciler.audit.entry import CommitRefused

pytestmark = pytest.mark.real


def test_many_long_findings(fleet: Fleet) -> None:
    """Each finding quotes what it is about; all together are longer than an entry may be."""
    long = "é\\" * 4000
    files = {
        f"policies/rbac/r{number}.yaml": fleet_files.document("FederatedRole", f"r{number}", {long: long})
        for number in range(80)
    }
    commit = fleet.repo.commit(files, by="alice")
    fleet.approve(commit, "bob")
    found = fleet._run_refused("")
    last = fleet.entries()[-1]
    assert isinstance(last, CommitRefused)
    assert (last.commit, last.count) == (commit, len(found))
    assert last.count >= 80


@pytest.mark.parametrize(
    "text",
    [
        '{"kind": "\\ud800\\udfff\\ud800"}',
        'kind: "\\u001b[2J\\u0007\\u202e"',
        "kind: &a [*a, *a]",
        "kind: !!python/object:os.system x",
        "\ufeffkind: \u2028x",
        "kind: " + "[" * 5000,
    ],
    ids=["surrogates", "terminal", "aliases", "tags", "separators", "deep"],
)
def test_odd_characters(fleet: Fleet, text: str) -> None:
    commit = fleet.repo.commit({"policies/manifests/odd.yaml": text}, by="dave")
    found = fleet._run_refused("")
    last = fleet.entries()[-1]
    assert isinstance(last, CommitRefused)
    assert last.commit == commit
    assert found
    assert all(note.message.isprintable() for note in last.findings)


def test_bytes_that_are_no_text(fleet: Fleet) -> None:
    commit = fleet.repo.commit({"policies/manifests/odd.yaml": b"kind: \xff\xfe\x00"}, by="dave")
    assert fleet._run_refused("")
    last = fleet.entries()[-1]
    assert isinstance(last, CommitRefused)
    assert last.commit == commit


def test_a_subject_that_speaks_to_the_terminal(fleet: Fleet) -> None:
    payload = fleet.payload().replace(b"forged\n", b"\x1b]0;owned\x07 good\n")
    fleet.forge_commit(payload)
    fleet.refused("FW1201")


def test_the_same_attack_again_after_it_was_undone(fleet: Fleet) -> None:
    """One entry while it lasts, and one more when it comes back after something else was accepted."""
    bad = fleet.change("bad", sign=False)
    fleet.refused("FW1201")
    fleet.move(fleet.good)
    good = fleet.change("good")
    fleet.accepted()
    fleet.move(bad)
    fleet.refused("FW1107")
    fleet.move(good)
    fleet.reconcile()
    fleet.change("more")
    fleet.accepted()
