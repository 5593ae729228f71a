"""A log opened for reading: entries, bodies, state, proofs, and what must hold before anything is applied.

Rules: opening verifies the checkpoint's signature and origin, and that the right edge of the tree leads
to its root; reading verifies whatever it reads (``reader``). A log that is behind what this machine or a
member has seen is an error, never a fresh start.

Worked example::

    view = LogView.open(DirectoryStore(path), origin="fleet.example/log", public_keys=[key])
    view.require_at_least("member-a", record.log_index, record.change_set)
    Path("entry.tlog-proof").write_bytes(view.proof(7))
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from reconciler.audit import state_cache as cache
from reconciler.audit.checkpoint import PATH, Checkpoint, open_checkpoint
from reconciler.audit.codes import (
    BodyError,
    EntryError,
    LogBehindError,
    LogConflictError,
    LogDamagedError,
    LogForkedError,
    LogFormatError,
    LogSignatureError,
)
from reconciler.audit.entry import Entry, Intent, decode, digest_of, is_digest
from reconciler.audit.frontier import Frontier
from reconciler.audit.merkle import consistency_path, inclusion_path, tree_root
from reconciler.audit.note import MAX_NOTE, VerifierKey
from reconciler.audit.proof import Proof, format_proof
from reconciler.audit.reader import TreeReader, load_frontier
from reconciler.audit.rotation import require_current
from reconciler.audit.state import LogState, advance
from reconciler.audit.store import MAX_BODY, Store, body_path
from reconciler.audit.tiles import WIDTH
from reconciler.audit.verify import VerifyReport, verify_log


class LogView:
    """The log as it was when it was opened; used from one thread."""

    def __init__(
        self, store: Store, *, origin: str, public_keys: Sequence[bytes], state_cache: Path | None = None
    ) -> None:
        """Opens and verifies. ``public_keys`` are 32-byte Ed25519 keys, each good for the checkpoint.

        Raises LogSignatureError, LogDamagedError or LogStorageError.
        """
        self._store, self._state_cache = store, state_cache
        self._keys = tuple(VerifierKey(origin, key) for key in dict.fromkeys(public_keys))
        self._state: LogState | None = None
        self.origin = origin
        store.refresh()
        self._use(*self._load())

    def _load(self) -> tuple[bytes, Frontier]:
        data = self._store.read(PATH, MAX_NOTE)
        if data is None:
            self._require_vacant()
            return b"", Frontier()
        head = self._open(data)
        frontier = load_frontier(self._store, head.size)
        if frontier.root() != head.root:
            raise LogDamagedError(
                "the tree's right edge does not lead to the checkpoint's root",
                where=str(self._store),
                expected=head.root.hex(),
                got=frontier.root().hex(),
                hint="restore the newest partial tiles from a copy of the log",
            )
        if head.size % WIDTH:
            TreeReader(self._store, frontier).bundle(head.size // WIDTH)
        return data, frontier

    def _open(self, data: bytes) -> Checkpoint:
        try:
            return open_checkpoint(data, self.origin, self._keys)
        except LogFormatError as error:
            raise LogDamagedError(
                f"the log's checkpoint is malformed: {error.message}",
                where=str(self._store),
                hint="restore the file `checkpoint` from a copy of the log",
            ) from error

    def _require_vacant(self) -> None:
        if not self._store.is_vacant():
            raise LogDamagedError(
                "the log has tiles but no checkpoint",
                where=str(self._store),
                hint="restore the file `checkpoint` from a copy; do not start a new log over this one",
            )

    def _use(self, checkpoint: bytes, frontier: Frontier) -> None:
        self._checkpoint, self._frontier = checkpoint, frontier
        self._tree = TreeReader(self._store, frontier)

    @property
    def checkpoint(self) -> bytes:
        """The signed note of the tree head; b"" for a log that was never written."""
        return self._checkpoint

    @property
    def size(self) -> int:
        """Number of entries."""
        return self._frontier.size

    @property
    def root(self) -> bytes:
        """The tree's root, 32 bytes."""
        return self._frontier.root()

    @property
    def keys(self) -> tuple[VerifierKey, ...]:
        """The public keys that the checkpoint was held against."""
        return self._keys

    @property
    def vkey(self) -> str:
        """The public key as others' tools take it: ``<origin>+<id>+<base64>``."""
        if not self._keys:
            raise LogSignatureError("no key was named", hint="name the log's public key")
        return str(self._keys[0])

    def raw(self, index: int) -> bytes:
        """The exact bytes of the entry at ``index``, which its leaf hash and proofs are over."""
        if not 0 <= index < self.size:
            raise EntryError("no such entry", expected=f"an index below {self.size}", got=str(index))
        return self._tree.bundle(index // WIDTH)[index % WIDTH]

    def entry(self, index: int) -> Entry:
        """The entry at ``index``. Raises LogDamagedError or EntryError."""
        return decode(self.raw(index))

    def entries(self, start: int = 0, end: int | None = None) -> Iterator[tuple[int, Entry]]:
        """(index, entry) from ``start`` up to ``end``; raises on the way what ``entry`` raises."""
        for index in range(max(0, start), self.size if end is None else min(end, self.size)):
            yield index, self.entry(index)

    def body(self, digest: str) -> bytes:
        """The body filed under ``sha256:<hex>``. Raises BodyError if it is missing or altered."""
        if not is_digest(digest):
            raise BodyError("not a body's digest", expected="sha256:<64 hex digits>", got=digest[:80])
        data = self._store.read(body_path(digest), MAX_BODY)
        if data is None or digest_of(data) != digest:
            what = "is missing" if data is None else "was altered"
            raise BodyError(f"the body {digest} {what}", hint="restore it from a copy of the log")
        return data

    def verify(self, start: int = 0) -> VerifyReport:
        """Read and recompute everything from entry ``start``; all findings instead of the first error.

        See ``verify``; for a ``start`` above 0 see ``since``.
        """
        return verify_log(self._store, self.checkpoint, self._frontier, start)

    def remembered(self, checkpoint: bytes) -> Checkpoint:
        """A checkpoint of this log from elsewhere, its signature verified; not yet held against this log.

        Raises LogFormatError or LogSignatureError.
        """
        return open_checkpoint(checkpoint, self.origin, self._keys)

    def state(self) -> LogState:
        """The fold over all entries.

        Raises LogBehindError if this machine has seen a longer log, LogSignatureError if a key signed the
        checkpoint after it was replaced.
        """
        if self._state is None:
            state = self._fold()
            if len(state.keys) > 1:
                require_current(self.checkpoint, state.public_key)
            self._state = state
        return self._state

    def _fold(self) -> LogState:
        cached = cache.load(self._state_cache, self.origin) if self._state_cache else None
        state = cached.state if cached else LogState()
        if cached:
            self.require_consistent(state.size, bytes.fromhex(cached.root))
        known = state.size
        for _, entry in self.entries(known):
            state = advance(state, entry)
        if self.size > known:
            self._remember(state)
        return state

    def _remember(self, state: LogState) -> None:
        """That the log was this long: whatever is shorter next time was rolled back."""
        if self._state_cache:
            cache.save(self._state_cache, self.origin, self.root, state)

    def root_at(self, size: int) -> bytes:
        """The root that the log had with its first ``size`` entries."""
        return tree_root(size, self._tree.node)

    def require_consistent(self, size: int, root: bytes) -> None:
        """The log goes on from a head seen earlier. Raises LogBehindError or LogForkedError."""
        if size > self.size:
            raise LogBehindError(
                "the log is shorter than it was",
                where=str(self._store),
                expected=f"at least {size} entries",
                got=str(self.size),
                hint="restore the newest copy of the log; if it was replaced on purpose, delete the cache",
            )
        if self.root_at(size) != root:
            raise LogForkedError(
                f"the log's first {size} entries are not those that were seen",
                where=str(self._store),
                hint="find out who wrote this branch; if it was replaced on purpose, delete the cache",
            )

    def covers(self, index: int, change_set: str) -> bool:
        """True if the entry at ``index`` is the intent of that change set."""
        if not 0 <= index < self.size:
            return False
        entry = self.entry(index)
        return isinstance(entry, Intent) and entry.change_set == change_set

    def require_at_least(self, cluster: str, log_index: int, change_set: str) -> None:
        """The log holds the intent that a member's signed record proves.

        Raises LogBehindError if the log is shorter, LogForkedError if another entry stands there, and
        LogConflictError if another writer has brought log and member further since this one was opened.
        """
        if log_index >= self.size:
            self._require_unmoved()
            raise LogBehindError(
                "the log is behind what this member's record proves: it was lost or rolled back",
                where=cluster,
                expected=f"entry {log_index}",
                got=f"{self.size} entries",
                hint="apply nothing and start no new log; restore the newest copy of this one (a backup, or"
                " the log ref's previous commit)",
            )
        entry = self.entry(log_index)
        if not (isinstance(entry, Intent) and (entry.cluster, entry.change_set) == (cluster, change_set)):
            raise LogForkedError(
                f"entry {log_index} is not the intent that this member's record proves",
                where=cluster,
                expected=f"the intent of {change_set}",
                got=entry.kind,
                hint="another log was used for this member: find and restore it before anything is applied",
            )

    def _require_unmoved(self) -> None:
        if not self._store.is_newest(self.checkpoint):
            raise LogConflictError(
                "another writer has appended to the log",
                where=str(self._store),
                hint="another run was at work: let it end, then run again",
            )

    def inclusion_proof(self, index: int) -> tuple[bytes, ...]:
        """RFC 6962 audit path of the entry at ``index`` in the current tree. Raises ProofError."""
        return inclusion_path(index, self.size, self._tree.node)

    def consistency_proof(self, old_size: int) -> tuple[bytes, ...]:
        """RFC 6962 consistency proof from ``old_size`` to the current tree. Raises ProofError."""
        return consistency_path(old_size, self.size, self._tree.node)

    def proof(self, index: int, extra: bytes = b"") -> bytes:
        """A C2SP ``.tlog-proof`` file for the entry at ``index``; see ``proof.check_proof``."""
        return format_proof(Proof(index, self.inclusion_proof(index), self.checkpoint, extra))
