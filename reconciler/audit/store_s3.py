"""A log in a bucket of S3-compatible object storage, for runs on machines that keep nothing.

Objects cannot be renamed, and no lock outlives a killed writer. Two writers that staged their own tiles at
the same paths would overwrite each other's before one of them won the checkpoint. So the log moves in one
step, by one conditional write:

1. bodies, whose names are the digests of their bytes;
2. ``head``, if its entity tag still is the one that was read: the new checkpoint and, in the same object,
   the append's tiles and bundles. **From here on the append is in the log**, or it never will be;
3. those tiles and bundles under their C2SP paths, then ``checkpoint``, for everybody else to read.

Rules: what step 3 writes follows from a head that has won, so whoever writes it writes the same bytes, and
at any time. Step 3 that a killed writer left is done by the next one before its own step 2, which is why
a head may be replaced. Readers take such files out of ``head``, so they need no right to write.
``checkpoint`` moves by its own entity tag, and so only forward. Nothing is deleted, partial tiles included.
A write whose answer was lost is looked up by the head's nonce; the log is uncertain only if nobody answers.

Worked example::

    store = S3Store("s3://audit-log/fleet-1", os.environ)
    log = Log.open(store, signer, origin="fleet.example/log", clock=clock)
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from contextlib import suppress

from reconciler.audit.checkpoint import PATH as CHECKPOINT
from reconciler.audit.checkpoint import parse_checkpoint_text
from reconciler.audit.codes import (
    LogConflictError,
    LogDamagedError,
    LogFormatError,
    LogStorageError,
    LogUncertainError,
)
from reconciler.audit.note import MAX_NOTE, parse_note
from reconciler.audit.s3_access import S3Access
from reconciler.audit.s3_bucket import Bucket, Found, StaleError, UnclearError
from reconciler.audit.s3_head import MAX_HEAD, Head

HEAD = "head"
_BODIES = "bodies/"
_TRIES = 2  # of a head whose write was answered by nothing; the nonce makes the second harmless


class S3Store:
    """The log at ``location``, ``s3://bucket/prefix``; ``timeout`` bounds each request, in seconds."""

    def __init__(self, location: str, variables: Mapping[str, str], *, timeout: float = 60.0) -> None:
        self._bucket = Bucket(S3Access.of(location, variables), timeout=timeout)
        self._head, self._tag = Head(), ""  # what is read; "": there is no such object
        self._public = Found(b"", "")  # the object ``checkpoint``

    def __str__(self) -> str:
        return str(self._bucket.access)

    def refresh(self) -> None:
        """Read what is published now. Raises LogStorageError, or LogDamagedError for a broken head."""
        self._public, self._head, self._tag = self._load()

    def _load(self) -> tuple[Found, Head, str]:
        # In this order: a head that is read later can only be newer, never a step back.
        public = self._bucket.get(CHECKPOINT, MAX_NOTE) or Found(b"", "")
        found = self._bucket.get(HEAD, MAX_HEAD)
        if found is None:  # a new log, or one that was copied here from a directory
            return public, Head(checkpoint=public.data), ""
        try:
            head = Head.parse(found.data)
        except LogFormatError as error:
            raise self._damaged(error.message) from error
        if _size(public.data) > _size(head.checkpoint):
            raise self._damaged("it is older than the checkpoint that was published")
        return public, head, found.tag

    def read(self, path: str, limit: int) -> bytes | None:
        """See ``Store.read``; as of the last ``refresh`` or ``publish``."""
        if path == CHECKPOINT:
            return self._head.checkpoint or None
        if self._is_ahead and path in self._head.files:
            return self._head.files[path]
        found = self._bucket.get(path, limit)
        return found.data if found else None

    @property
    def _is_ahead(self) -> bool:
        """Whether the head's files may not all be where everybody looks for them."""
        return self._head.checkpoint != self._public.data

    def is_vacant(self) -> bool:
        """No head, no checkpoint and no tile. Raises LogStorageError."""
        return not self._tag and not self._head.checkpoint and not self._bucket.has_any("tile")

    def is_newest(self, checkpoint: bytes) -> bool:
        """See ``Store.is_newest``."""
        return self._load()[1].checkpoint == checkpoint

    def publish(
        self,
        base: bytes,
        checkpoint: bytes,
        files: Mapping[str, bytes],
        drop: Sequence[str],  # noqa: ARG002  nothing is deleted here
    ) -> None:
        """See ``Store.publish``. Also raises LogStoreUnfitError if the server compares nothing."""
        if self._head.checkpoint != base:
            raise self._conflict()
        self._bucket.require_conditional_writes()
        self._make_public()
        bodies = {path: data for path, data in files.items() if path.startswith(_BODIES)}
        head = Head(secrets.token_hex(16), checkpoint, {p: d for p, d in files.items() if p not in bodies})
        data = self._encode(head)
        self._bucket.put_all(bodies)
        self._tag = self._swap(data, head.nonce)
        self._head = head
        # The append is in the log. What fails now is made up for by the next publication.
        with suppress(LogStorageError):
            self._make_public()

    def _encode(self, head: Head) -> bytes:
        data = head.encode()
        if len(data) > MAX_HEAD:
            raise LogStorageError(
                "an append is too large for the bucket", where=str(self),
                expected=f"at most {MAX_HEAD} bytes", got=str(len(data)), hint="append fewer entries at once",
            )  # fmt: skip
        return data

    def _make_public(self) -> None:
        """Step 3, for the head that is read. Raises LogStorageError."""
        if not self._is_ahead:
            return
        self._bucket.put_all(self._head.files)
        try:
            tag = self._bucket.swap(CHECKPOINT, self._head.checkpoint, self._public.tag or None)
        except StaleError:
            # Another writer did this step, and perhaps went on from there: it is not to be moved back.
            found = self._bucket.get(CHECKPOINT, MAX_NOTE)
            tag = found.tag if found else ""
        except UnclearError as error:
            raise LogStorageError(
                f"cannot write {CHECKPOINT}: {error}", where=str(self),
                hint="mend the server or the connection, then run again; nothing was published",
            ) from None  # fmt: skip
        self._public = Found(self._head.checkpoint, tag)
        self._head = Head(self._head.nonce, self._head.checkpoint)

    def _swap(self, data: bytes, nonce: str) -> str:
        """Step 2: the new head's tag. Raises LogConflictError, LogUncertainError or LogStorageError."""
        said = ""
        for _ in range(_TRIES):
            try:
                return self._bucket.swap(HEAD, data, self._tag or None)
            except StaleError:
                if tag := self._tag_of(nonce, said or "its answer was lost"):
                    return tag
                raise (self._uncertain(said) if said else self._refused()) from None
            except UnclearError as error:
                said = str(error)
            except LogStorageError:
                if not said:
                    raise
            if tag := self._tag_of(nonce, said):
                return tag
        raise self._uncertain(said)

    def _tag_of(self, nonce: str, said: str) -> str:
        """The tag of the head there is now if it is ours; "" if it still is the old one."""
        try:
            _, head, tag = self._load()
        except (LogStorageError, LogDamagedError):
            raise self._uncertain(said) from None
        if head.nonce == nonce:
            return tag
        if tag != self._tag:
            raise self._conflict()
        return ""

    def _uncertain(self, said: str) -> LogUncertainError:
        return LogUncertainError(
            f"the write of the log's head broke off, and whether it took place is not known: {said}",
            where=str(self),
            hint="open the log again when the server answers, before you repeat anything",
        )

    def _refused(self) -> LogStorageError:
        return LogStorageError(
            "the server refuses to replace the log's head, although it still is the one that was read",
            where=f"{self}/{HEAD}",
            hint="if this object was deleted in a bucket with versions, remove the delete marker; then run"
            " again; nothing was published",
        )

    def _conflict(self) -> LogConflictError:
        return LogConflictError(
            "another writer has appended to the log", where=str(self),
            hint="open the log again and repeat what is still needed",
        )  # fmt: skip

    def _damaged(self, message: str) -> LogDamagedError:
        return LogDamagedError(
            f"the log's head cannot be used: {message}", where=f"{self}/{HEAD}",
            hint="restore the newest version of this object; see the runbook before you touch another",
        )  # fmt: skip


def _size(note: bytes) -> int:
    """The tree size that a checkpoint states, -1 for none; not verified."""
    try:
        return parse_checkpoint_text(parse_note(note).text).size if note else -1
    except LogFormatError:
        return -1
