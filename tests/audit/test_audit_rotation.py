"""Keys of the log that are replaced: what stays verifiable, who may go on, and who can follow."""

import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from audit_helpers import (
    ORIGIN,
    KeySigner,
    accepted,
    drift,
    fill,
    intent,
    ticking_clock,
    trust,
)
from test_audit_others import logcheck  # noqa: F401  a fixture

from reconciler.audit.codes import EntryError, LogSignatureError
from reconciler.audit.entry import KeyRotated, RotationReason, digest_of, stamp
from reconciler.audit.follow import follow
from reconciler.audit.log import Log
from reconciler.audit.note import VerifierKey, open_note
from reconciler.audit.rotation import rotated, rotation_note, rotation_problem
from reconciler.audit.state import LogState, advance, problem
from reconciler.audit.store_directory import DirectoryStore
from reconciler.audit.verify import VerifyReport
from reconciler.audit.view import LogView

A, B, C, THIEF = (KeySigner(bytes([n]) * 32) for n in range(1, 5))
ROTATION, COMPROMISE, LOSS = RotationReason.ROTATION, RotationReason.COMPROMISE, RotationReason.LOSS


def vkey(key: KeySigner) -> str:
    return str(VerifierKey(ORIGIN, key.public_key))


def log_of(root: Path, key: KeySigner, *others: KeySigner) -> Log:
    keys = [other.public_key for other in others]
    store = DirectoryStore(root)
    return Log.open(store, key, origin=ORIGIN, clock=ticking_clock(), public_keys=keys)


def start(root: Path, key: KeySigner = A) -> Log:
    log = log_of(root, key)
    log.append([replace(trust(), public_key=vkey(key)), accepted(2, 1)])
    return log


def entry_for(
    log: Log, old: KeySigner | None, new: KeySigner, reason: RotationReason = ROTATION
) -> KeyRotated:
    present = log.state().public_key
    return rotated(
        ORIGIN, present, new, actor="ann", reason=reason, index=log.size, root=log.root, old_signer=old
    )


def rotate(log: Log, old: KeySigner | None, new: KeySigner, reason: RotationReason = ROTATION) -> int:
    return log.rotate(entry_for(log, old, new, reason), new)


def view(root: Path, *pinned: KeySigner) -> LogView:
    """As an outsider opens it who pinned these keys."""
    store = DirectoryStore(root)
    keys = follow(store, ORIGIN, [key.public_key for key in pinned])
    return LogView(store, origin=ORIGIN, public_keys=keys)


def verify(root: Path, *pinned: KeySigner) -> VerifyReport:
    return view(root, *pinned).verify()


def test_the_new_key_goes_on_and_both_sign_the_step(tmp_path: Path) -> None:
    log = start(tmp_path)
    assert rotate(log, A, B) == 2
    for key in (A, B):
        open_note(log.checkpoint, [VerifierKey(ORIGIN, key.public_key)])
    assert log.append([drift(1)]) == range(3, 4)
    open_note(log.checkpoint, [VerifierKey(ORIGIN, B.public_key)])
    with pytest.raises(LogSignatureError):
        open_note(log.checkpoint, [VerifierKey(ORIGIN, A.public_key)])
    assert log_of(tmp_path, B).append([drift(2)]) == range(4, 5)
    assert verify(tmp_path, B).ok


def test_the_state_says_which_key_was_in_force_when(tmp_path: Path) -> None:
    log = start(tmp_path)
    log.append([intent("a", 1, b"x")], {digest_of(b"x"): b"x"})
    rotate(log, A, B)
    log.append([intent("b", 1, b"y")], {digest_of(b"y"): b"y"})
    rotate(log, B, C)
    state = view(tmp_path, C).state()
    assert [(k.vkey, k.since, k.until) for k in state.keys] == [
        (vkey(A), 0, 3), (vkey(B), 3, 5), (vkey(C), 5, None),
    ]  # fmt: skip
    assert [state.key_at(index) for index in (0, 2, 3, 4, 5, 99)] == [
        key.public_key for key in (A, A, B, B, C, C)
    ]
    assert state.believed_keys() == (C.public_key, B.public_key, A.public_key)
    assert state.public_key == vkey(C)


def test_after_a_compromise_no_older_key_is_believed(tmp_path: Path) -> None:
    log = start(tmp_path)
    rotate(log, A, B)
    rotate(log, B, C, COMPROMISE)
    state = view(tmp_path, A).state()
    assert state.believed_keys() == (C.public_key,)
    assert state.key_at(0) == A.public_key  # what was logged before stays verifiable


@pytest.mark.parametrize("size", [2, 255, 300])
def test_whoever_pinned_the_first_key_follows(tmp_path: Path, size: int) -> None:
    log = start(tmp_path)
    log.append([drift(n) for n in range(size - 2)])
    rotate(log, A, B)
    log.append([drift(n) for n in range(260)])
    rotate(log, B, C, COMPROMISE)
    log.append([drift(1)])
    for pinned in (A, B, C):
        report = verify(tmp_path, pinned)
        assert (report.ok, report.size) == (True, size + 263)
    with pytest.raises(LogSignatureError, match="FW1801"):
        view(tmp_path, THIEF)


def test_a_lost_key_leads_nowhere_and_says_so(tmp_path: Path) -> None:
    start(tmp_path)
    log = log_of(tmp_path, B, A)
    rotate(log, None, B, LOSS)
    with pytest.raises(
        LogSignatureError, match=r"lost and replaced at entry 2.*ask the log's owner"
    ) as error:
        view(tmp_path, A)
    assert error.value.got == vkey(B)
    log.append([drift(1)])
    rotate(log, B, C)
    log.append([drift(2)])
    for pinned in ((B,), (C,), (A, B), (B, A)):
        assert verify(tmp_path, *pinned).ok
    assert view(tmp_path, B).state().believed_keys() == (C.public_key, B.public_key, A.public_key)


def forgeries(root: Path) -> Iterator[tuple[str, KeyRotated]]:
    """Entries that somebody writes who has another key, or an old statement."""
    log = start(root / "other", B)
    yield "another key's statement", entry_for(log, B, THIEF)
    log = log_of(root / "log", A)
    good = entry_for(log, A, THIEF)
    yield "without the old key", replace(good, signatures=good.signatures[:1])
    yield "without the new key", replace(good, signatures=good.signatures[1:])
    yield "signed by the thief twice", replace(good, signatures=good.signatures[:1] * 2)
    yield "another new key", replace(good, new_key=vkey(C))
    yield "another root", replace(good, root="00" * 32)
    yield "another reason", replace(good, reason=COMPROMISE)
    yield (
        "of another place",
        rotated(ORIGIN, vkey(A), THIEF, actor="x", reason=ROTATION, index=1, root=log.root, old_signer=A),
    )
    yield "of another log", rotated(
        "x/log", str(VerifierKey("x/log", A.public_key)), THIEF, actor="x", reason=ROTATION,
        index=log.size, root=log.root, old_signer=A,
    )  # fmt: skip
    yield "no keys at all", replace(good, old_key="x", new_key="y")


def test_a_log_takes_no_forged_step(tmp_path: Path) -> None:
    start(tmp_path / "log")
    for name, entry in forgeries(tmp_path):
        log = log_of(tmp_path / "log", A)
        with pytest.raises(EntryError):
            log.rotate(entry, THIEF)
        assert log_of(tmp_path / "log", A).size == 2, name


def test_a_forged_step_leads_no_reader_to_the_thief(tmp_path: Path) -> None:
    """The thief writes the store: the entry, and a checkpoint of his own over it."""
    start(tmp_path / "log")
    found = list(forgeries(tmp_path))
    log = log_of(tmp_path / "log", A)
    # A whole statement, but for the root of a tree that this log never had.
    wrong = rotated(ORIGIN, vkey(A), THIEF, actor="x", reason=ROTATION, index=2, root=bytes(32), old_signer=A)
    for number, (name, entry) in enumerate([*found, ("a root that never was", wrong)]):
        root = tmp_path / str(number)
        Careless.open(DirectoryStore(root), THIEF, origin=ORIGIN, clock=ticking_clock()).append(
            [*(e for _, e in log.entries()), entry, drift(1)]
        )
        with pytest.raises(LogSignatureError, match="FW1801"):
            view(root, A)
        assert view(root, THIEF).size == 4, name


class Careless(Log):
    """A writer that keeps no rules: what a thief would run."""

    def _follow(self, entries: object) -> LogState:  # noqa: ARG002
        return LogState()

    def _writable(self) -> KeySigner:
        return THIEF

    def append(self, entries, bodies=None):  # type: ignore[no-untyped-def,override]  # noqa: ARG002
        stamped = [stamp(entry, self._clock()) for entry in entries]
        self._commit(THIEF, stamped, LogState(), {})


def test_a_replaced_key_writes_no_more(tmp_path: Path) -> None:
    log, late = start(tmp_path), log_of(tmp_path, A)
    rotate(log, A, B)
    with pytest.raises(LogSignatureError, match="the signing key was replaced"):
        log_of(tmp_path, A).append([drift(1)])  # the checkpoint still has its signature too
    with pytest.raises(Exception, match="FW1804"):
        late.append([drift(1)])
    log.append([drift(1)])
    with pytest.raises(LogSignatureError, match="the signing key was replaced"):
        log_of(tmp_path, A, B).append([drift(1)])
    assert log_of(tmp_path, B).size == 4


def test_a_checkpoint_by_a_replaced_key_is_refused(tmp_path: Path) -> None:
    """Who stole the old key appends behind the rotation; readers that still list both keys see it."""
    log = start(tmp_path, THIEF)
    rotate(log, THIEF, B)
    store = DirectoryStore(tmp_path)
    forged = Careless.open(store, THIEF, origin=ORIGIN, clock=ticking_clock(), public_keys=[B.public_key])
    forged.append([drift(9)])
    with pytest.raises(LogSignatureError, match=r"FW1801.*last rotation names"):
        view(tmp_path, THIEF, B).state()
    with pytest.raises(LogSignatureError):
        view(tmp_path, B)


def test_what_cannot_come_next(tmp_path: Path) -> None:
    log = start(tmp_path)
    entry = entry_for(log, A, B)
    with pytest.raises(EntryError, match="use rotate"):
        log.append([entry])
    with pytest.raises(EntryError, match="another key"):
        log.rotate(entry, C)
    rotate(log, A, B)
    with pytest.raises(EntryError, match="was used before"):
        rotate(log, B, A)
    with pytest.raises(EntryError, match="the log's key is"):
        log.append([replace(trust(), public_key=vkey(A))])
    with pytest.raises(EntryError, match="not been initialized"):
        empty = log_of(tmp_path / "empty", A)
        empty.rotate(entry, B)
    assert "before" in problem(log.state(), 3, stamp(entry_for(log, B, B), ticking_clock()()))


def test_the_whole_verification_judges_rotations(tmp_path: Path) -> None:
    start(tmp_path / "log")
    entries = [entry for _, entry in log_of(tmp_path / "log", A).entries()]
    forged = dict(forgeries(tmp_path))["without the old key"]
    Careless.open(DirectoryStore(tmp_path / "bad"), THIEF, origin=ORIGIN, clock=ticking_clock()).append(
        [*entries, forged]
    )
    findings = view(tmp_path / "bad", THIEF).verify().findings
    assert [(f.code, "entry 2" in f.message) for f in findings] == [("FW1823", True)]


def test_the_whole_verification_compares_a_rotations_root(tmp_path: Path) -> None:
    """Both keys signed it, over another tree: who pins the new key alone learns it here."""
    log = start(tmp_path / "log")
    wrong = rotated(ORIGIN, vkey(A), THIEF, actor="x", reason=ROTATION, index=2, root=bytes(32), old_signer=A)
    for name, entry, count in (("bad", wrong, 1), ("good", entry_for(log, A, THIEF), 0)):
        Careless.open(DirectoryStore(tmp_path / name), THIEF, origin=ORIGIN, clock=ticking_clock()).append(
            [*(e for _, e in log.entries()), entry, drift(1)]
        )
        findings = view(tmp_path / name, THIEF).verify().findings
        assert [f.code for f in findings if "other entries before it" in f.message] == ["FW1823"] * count


def test_the_statement_is_a_note_for_other_tools(tmp_path: Path) -> None:
    log = start(tmp_path)
    entry = entry_for(log, A, B)
    note = rotation_note(entry, 2).decode()
    assert note.splitlines()[:6] == [
        "fleetward.io/log-key-rotation/v1", ORIGIN, vkey(A), vkey(B), "rotation", "2",
    ]  # fmt: skip
    for key in (A, B):
        open_note(note.encode(), [VerifierKey(ORIGIN, key.public_key)])
    assert rotation_problem(entry, 2) == ""
    assert rotation_problem(entry, 3) != ""


def test_cached_states_remember_keys(tmp_path: Path) -> None:
    cache = tmp_path / "state.json"
    log = start(tmp_path / "log")
    rotate(log, A, B)
    for _ in range(2):
        store = DirectoryStore(tmp_path / "log")
        opened = LogView(store, origin=ORIGIN, public_keys=[B.public_key], state_cache=cache)
        assert [key.vkey for key in opened.state().keys] == [vkey(A), vkey(B)]
    assert vkey(B) in cache.read_text()


def test_a_long_log_is_followed_without_decoding_it_all(tmp_path: Path) -> None:
    log = start(tmp_path)
    fill(log, 600)
    rotate(log, A, B)
    log.append([drift(1)])
    assert view(tmp_path, A).state().public_key == vkey(B)


@pytest.mark.real
@pytest.mark.xdist_group("logcheck")
def test_the_go_reader_accepts_the_step(tmp_path: Path, logcheck: Path) -> None:  # noqa: F811
    """The checkpoint with two signatures is an ordinary one for golang.org/x/mod/sumdb/note."""
    log = start(tmp_path)
    rotate(log, A, B)
    command = [str(logcheck), str(tmp_path)]
    for key, code in ((A, 0), (B, 0), (C, 1)):
        done = subprocess.run([*command, vkey(key)], capture_output=True, timeout=60, check=False)
        assert bool(done.returncode) is bool(code), done.stdout + done.stderr


def test_the_state_is_pure(tmp_path: Path) -> None:
    state = LogState()
    for entry in (replace(trust(), public_key=vkey(A)), drift(1)):
        state = advance(state, stamp(entry, ticking_clock()()))
    entry = rotated(ORIGIN, vkey(A), B, actor="x", reason=ROTATION, index=2, root=bytes(32), old_signer=A)
    assert problem(state, 2, entry) == ""
    state = advance(state, stamp(entry, ticking_clock()()))
    assert (state.public_key, state.keys[0].until) == (vkey(B), 2)
