"""The log opened for writing: a C2SP tlog-tiles tree of typed entries under a signed checkpoint.

Rules: an append is one checkpoint for all its entries: encode, check that each follows from the state,
then let the store stage, fsync, compare-and-swap and publish. It is durable when it returns; when it
raises, nothing of it is in the log (only ``LogUncertainError`` does not know). A log's first checkpoint is
that of the empty tree, so that tiles without a checkpoint are always a damage. A key that was replaced
(``rotate``) writes nothing any more. Witnesses sign afterwards (``cosign``), under a checkpoint that is
published already; an append that meets their signatures goes on from them.

Worked example::

    log = Log.open(DirectoryStore(path), signer, origin="fleet.example/log", clock=clock)
    log.append([TrustInitialized(...)])                              # range(0, 1)
    [index] = log.append([Intent(...)], {change_set: envelope})
    entry, body = Outcome.of(cluster="a", intent=index, result=OutcomeResult.APPLIED, outcomes=...)
    log.append([entry], body)
    log.state().cluster("a").pending                                 # ()
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Self

from reconciler.audit.checkpoint import PATH, Checkpoint, sign_checkpoint
from reconciler.audit.codes import (
    BodyError,
    EntryError,
    LogConflictError,
    LogFormatError,
    LogReadOnlyError,
    LogSignatureError,
    LogUncertainError,
)
from reconciler.audit.entry import Entry, KeyRotated, digest_of, encode, stamp
from reconciler.audit.frontier import Frontier
from reconciler.audit.merkle import leaf_hash
from reconciler.audit.note import MAX_NOTE, VerifierKey
from reconciler.audit.rotation import note_signature
from reconciler.audit.state import LogState, advance, problem
from reconciler.audit.store import MAX_BODY, Store, body_path
from reconciler.audit.tiles import WIDTH, bundle_path, encode_bundle, partials_of, tile_path
from reconciler.audit.view import LogView
from reconciler.errors import AuditError
from reconciler.model import Clock, Signer

MAX_BATCH = 100_000  # entries
_NO_BODIES: Mapping[str, bytes] = MappingProxyType({})


class Log(LogView):
    """An opened log that can be appended to. Open it again after ``LogConflictError``."""

    _signer: Signer | None
    _next: Signer | None  # signs as well: the key that this publication puts in force
    _clock: Clock
    _stale: bool
    cosigned: bytes  # the newest checkpoint that was read, or published for its cosignatures

    @classmethod
    def open(
        cls,
        store: Store,
        signer: Signer | None,
        *,
        origin: str,
        clock: Clock,
        public_keys: Sequence[bytes] = (),
        state_cache: Path | None = None,
    ) -> Self:
        """Open and verify; without a signer it is read-only.

        ``public_keys`` are accepted besides the signer's own. Raises what ``LogView`` raises.
        """
        own = (signer.public_key,) if signer else ()
        log = cls(store, origin=origin, public_keys=(*own, *public_keys), state_cache=state_cache)
        log._signer, log._next, log._clock, log._stale = signer, None, clock, False
        log.cosigned = log.checkpoint
        return log

    def append(self, entries: Sequence[Entry], bodies: Mapping[str, bytes] = _NO_BODIES) -> range:
        """Append all entries under one checkpoint; their indices. Entries without a time get the clock's.

        ``bodies`` are digest -> bytes; every digest that an entry names must be there or in the log.
        Raises EntryError, BodyError, LogConflictError, LogUncertainError, LogStorageError, LogReadOnlyError.
        """
        signer, start = self._writable(), self.size
        if len(entries) > MAX_BATCH:
            raise EntryError(
                "too many entries at once", expected=f"at most {MAX_BATCH}", got=str(len(entries))
            )
        if any(isinstance(entry, KeyRotated) for entry in entries):
            raise EntryError("a key is replaced by itself, under a checkpoint of its own", hint="use rotate")
        if entries:
            now = self._clock()
            stamped = [stamp(entry, now) for entry in entries]
            self._commit(signer, stamped, self._follow(stamped), self._body_files(stamped, bodies))
        return range(start, self.size)

    def rotate(self, entry: KeyRotated, new: Signer) -> int:
        """Append ``entry`` (see ``rotation.rotated``); its index. Both keys sign the checkpoint over it.

        This log goes on with ``new``. Where the old key was lost, open the log with ``new`` and the public
        part of the old. Raises what ``append`` raises.
        """
        signer, index = self._writable(), self.size
        if entry.new_key != str(VerifierKey(self.origin, new.public_key)):
            raise EntryError("the entry names another key than the one that is to sign", got=entry.new_key)
        stamped = stamp(entry, self._clock())
        state, self._next = self._follow([stamped]), new
        try:
            self._commit(signer, [stamped], state, {})
        finally:
            self._next = None
        self._signer = new
        self._keys = tuple(dict.fromkeys((VerifierKey(self.origin, new.public_key), *self._keys)))
        return index

    def _writable(self) -> Signer:
        if self._signer is None:
            raise LogReadOnlyError("this log was opened for reading", hint="configure the signing key")
        if self._stale:
            raise LogConflictError("this view of the log is out of date", hint="open the log again")
        self._require_in_force(self._signer)
        return self._signer

    def _require_in_force(self, signer: Signer) -> None:
        own = str(VerifierKey(self.origin, signer.public_key))
        if any(key.vkey == own and key.until is not None for key in self.state().keys):
            raise LogSignatureError(
                "the signing key was replaced; it writes to this log no more",
                expected=self.state().public_key,
                got=own,
                hint="use the new key; `fleetward key show` says which one it is",
            )

    def _follow(self, entries: Sequence[Entry]) -> LogState:
        """The state after ``entries``, each of which may come where it stands."""
        state = self.state()
        for entry in entries:
            if reason := problem(state, state.size, entry):
                raise EntryError(
                    f"a {entry.kind} entry does not follow from the log: {reason}",
                    hint="read the log's state again before you append",
                )
            state = advance(state, entry)
        return state

    def _body_files(self, entries: Sequence[Entry], bodies: Mapping[str, bytes]) -> dict[str, bytes]:
        for digest, data in bodies.items():
            if len(data) > MAX_BODY or digest_of(data) != digest:
                raise BodyError(f"a body is over {MAX_BODY} bytes or not of its digest", got=digest[:80])
        for digest in {d for entry in entries for d in entry.body_digests()} - bodies.keys():
            self.body(digest)
        return {body_path(digest): data for digest, data in bodies.items()}

    def _commit(
        self, signer: Signer, entries: Sequence[Entry], state: LogState, files: dict[str, bytes]
    ) -> None:
        frontier = self._frontier.copy()
        drop = self._add_tree_files(files, frontier, [encode(entry) for entry in entries])
        if not self.checkpoint:
            self._publish(signer, self._frontier, {}, ())
        self._publish(signer, frontier, files, drop)
        self._state = state
        self._remember(state)

    def _publish(
        self, signer: Signer, frontier: Frontier, files: Mapping[str, bytes], drop: Sequence[str]
    ) -> None:
        checkpoint = Checkpoint(self.origin, frontier.size, frontier.root())
        head = sign_checkpoint(checkpoint, signer)
        if self._next and self._next.public_key != signer.public_key:
            head += f"{note_signature(checkpoint.text(), self.origin, self._next)}\n".encode()
        try:
            self._swap(head, files, drop)
        except LogConflictError:
            self._stale = True
            raise
        self._use(head, frontier)

    def _swap(self, head: bytes, files: Mapping[str, bytes], drop: Sequence[str]) -> None:
        try:
            self._store.publish(self.checkpoint, head, files, drop)
        except LogUncertainError:
            raise
        except LogConflictError:
            if not self._was_cosigned():
                raise
            self._store.publish(self.checkpoint, head, files, drop)

    def _was_cosigned(self) -> bool:
        """True if only signatures under our checkpoint were published meanwhile, which we then take over."""
        try:
            found = self._published()
            same = found != self.checkpoint and self._open(found) == self._open(self.checkpoint)
        except AuditError:
            return False
        if same:
            self._checkpoint = self.cosigned = found
        return same

    def _published(self) -> bytes:
        self._store.refresh()
        return self._store.read(PATH, MAX_NOTE) or b""

    def published_size(self) -> int:
        """The entries that the log has now, by whichever writer. Raises what ``LogView`` raises."""
        found = self._published()
        return self._open(found).size if found else 0

    def publish_cosigned(self, checkpoint: bytes) -> None:
        """Replace the published checkpoint by itself with other signatures under it.

        Raises LogFormatError if it is another checkpoint, LogConflictError if the published one has moved,
        LogUncertainError or LogStorageError.
        """
        if self._open(checkpoint) != self._open(self.checkpoint):
            raise LogFormatError("another checkpoint than the one that is published", where=str(self._store))
        self._store.publish(self.checkpoint, checkpoint, {}, ())
        self._checkpoint = self.cosigned = checkpoint

    def _add_tree_files(
        self, files: dict[str, bytes], frontier: Frontier, data: Sequence[bytes]
    ) -> list[str]:
        """Extend ``frontier``, put new bundles and tiles into ``files``; folders that full ones replace."""
        first, width = divmod(self.size, WIDTH)
        rows = [*(self._tree.bundle(first) if width else ()), *data]
        full: list[str] = []
        for n, at in enumerate(range(0, len(rows), WIDTH), first):
            row = rows[at : at + WIDTH]
            files[bundle_path(n, len(row))] = encode_bundle(row)
            full += [bundle_path(n)] if len(row) == WIDTH else []
        for tile in frontier.extend(leaf_hash(entry) for entry in data):
            files[tile_path(tile.level, tile.n, len(tile.hashes))] = b"".join(tile.hashes)
            full += [tile_path(tile.level, tile.n)] if len(tile.hashes) == WIDTH else []
        return [partials_of(path) for path in full]
