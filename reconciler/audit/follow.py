"""From the key that a reader pinned to the key that signs the log now, through the log's own rotations.

Rules: a new key is believed because a key that is believed signed a statement for it (``rotation``), which
has to stand at the index and on the root that it names; where it was read from proves nothing. The reader
then opens the log with what is believed, so the checkpoint is verified after all. Rotations of a lost key
lead nowhere: the reader is told which key to ask for.

Worked example::

    def opened(keys: Sequence[bytes]) -> LogView:
        return LogView(store, origin="fleet.example/log", public_keys=keys)

    view = following(store, "fleet.example/log", [pinned], opened)
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from reconciler.audit.checkpoint import PATH, parse_checkpoint_text
from reconciler.audit.codes import LogFormatError, LogSignatureError
from reconciler.audit.entry import KeyRotated, RotationReason, decode
from reconciler.audit.merkle import tree_root
from reconciler.audit.note import MAX_NOTE, Note, VerifierKey, parse_note
from reconciler.audit.reader import TreeReader, load_frontier
from reconciler.audit.rotation import rotation_problem
from reconciler.audit.store import Store
from reconciler.audit.tiles import WIDTH
from reconciler.audit.view import LogView

_View = TypeVar("_View", bound=LogView)
_MARK = b'"kind":"key-rotated"'


def follow(store: Store, origin: str, pinned: Sequence[bytes]) -> tuple[bytes, ...]:
    """``pinned`` (32 bytes each), and every key that the log's rotations lead to from one of them.

    Reads entries only when no pinned key signed the checkpoint. Nothing of the log is believed by this;
    a log that cannot be read is left for ``LogView`` to refuse. Raises LogSignatureError where the way
    ends at a lost key, LogDamagedError, LogStorageError, EntryError.
    """
    store.refresh()
    data = store.read(PATH, MAX_NOTE)
    try:
        note = parse_note(data) if data else None
        head = parse_checkpoint_text(note.text) if note else None
    except LogFormatError:
        return tuple(pinned)
    if note is None or head is None or head.origin != origin or _signed(note, origin, pinned):
        return tuple(pinned)
    tree = TreeReader(store, load_frontier(store, head.size))
    known = [VerifierKey(origin, key) for key in pinned]
    for index, entry in _rotations(tree):
        names = {str(key) for key in known}
        if entry.old_key in names and entry.new_key not in names:
            known += _successor(tree, index, entry)
    return tuple(key.public_key for key in known)


def following(
    store: Store, origin: str, pinned: Sequence[bytes], opened: Callable[[Sequence[bytes]], _View]
) -> _View:
    """``opened(pinned)``, or where none of them signed the checkpoint, with those that ``follow`` leads to.

    Raises what ``opened`` and ``follow`` raise.
    """
    try:
        return opened(pinned)
    except LogSignatureError:
        return opened(follow(store, origin, pinned))


def _successor(tree: TreeReader, index: int, entry: KeyRotated) -> list[VerifierKey]:
    if rotation_problem(entry, index) or tree_root(index, tree.node).hex() != entry.root:
        return []
    new = VerifierKey.parse(entry.new_key)
    if entry.reason is not RotationReason.LOSS:
        return [new]
    raise LogSignatureError(
        f"the log's key was lost and replaced at entry {index}; the key that is known could not sign for it",
        expected=entry.old_key,
        got=entry.new_key,
        hint="ask the log's owner for its key on another way, and name it with FLEETWARD_PUBLIC_KEY",
    )


def _rotations(tree: TreeReader) -> Iterator[tuple[int, KeyRotated]]:
    for n in range((tree.size + WIDTH - 1) // WIDTH):
        for at, row in enumerate(tree.bundle(n)):
            if _MARK in row:
                entry = decode(row)
                if isinstance(entry, KeyRotated):
                    yield n * WIDTH + at, entry


def _signed(note: Note, origin: str, keys: Sequence[bytes]) -> bool:
    known = {(origin, VerifierKey(origin, key).key_id) for key in keys}
    return any((signature.name, signature.key_id) in known for signature in note.signatures)
