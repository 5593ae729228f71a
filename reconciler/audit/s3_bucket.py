"""One folder of a bucket through obstore: bounded reads, bounded retries, conditional writes.

Rules: every request has a time limit, reads and plain writes are retried within the same limit; no object
is larger in memory than its caller allows; nothing is ever deleted. "Not there" is only what the server
calls ``NoSuchKey``: any other answer is an error, so that no mistake looks like an empty log. Of a server's
answers only the S3 code goes into messages, since the rest repeats keys and signatures.

Worked example::

    bucket = Bucket(S3Access.of("s3://audit-log/fleet-1", os.environ))
    tag = bucket.swap("head", b"1", None)     # only if there is none
    tag = bucket.swap("head", b"2", tag)      # only if it still is that one; else StaleError
"""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any

from reconciler.audit.codes import LogStorageError, LogStoreUnfitError
from reconciler.audit.s3_access import S3Access
from reconciler.audit.s3_errors import reason_of, storage_error

if TYPE_CHECKING:
    from obstore.store import S3Store

PARALLEL = 8  # writes at a time
_RETRIES = 4
_CONNECT_SECONDS = 10.0
_PROBE, _PROBE_BYTES = "probe", b"fleetward asks this server whether it honours If-Match and If-None-Match\n"
_NO_TAG = '"00000000000000000000000000000000"'


class StaleError(Exception):
    """The object is no longer the one that was named."""


class UnclearError(Exception):
    """A write may or may not have taken place."""


@dataclass(frozen=True, slots=True)
class Found:
    """An object's bytes and the entity tag that names this version of it."""

    data: bytes
    tag: str


class Bucket:
    """``timeout`` bounds each request, in seconds."""

    def __init__(self, access: S3Access, *, timeout: float = 60.0) -> None:
        self.access, self.timeout = access, timeout
        self._proven = False

    @cached_property
    def _store(self) -> S3Store:
        from obstore.store import S3Store

        limit = timedelta(seconds=self.timeout)
        client: dict[str, Any] = {
            "allow_http": self.access.is_plain, "allow_invalid_certificates": False, "timeout": limit,
            "connect_timeout": min(limit, timedelta(seconds=_CONNECT_SECONDS)), "user_agent": "fleetward",
        }  # fmt: skip
        if self.access.authorities:
            client["root_certificate"] = self.access.authorities
        options: Any = dict(self.access.options)
        try:
            return S3Store(
                self.access.bucket, prefix=self.access.prefix or None, config=options, client_options=client,  # type: ignore[arg-type]
                retry_config={"max_retries": _RETRIES, "retry_timeout": limit},
            )  # fmt: skip
        except _failures():  # its text may repeat what was set
            raise LogStorageError(
                "the AWS settings cannot be used", where=str(self.access),
                hint="set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY both or neither; check AWS_CA_BUNDLE,"
                " AWS_SERVER_SIDE_ENCRYPTION and the endpoints",
            ) from None  # fmt: skip

    def get(self, path: str, limit: int) -> Found | None:
        """The object of at most ``limit`` bytes, None if there is none. Raises LogStorageError."""
        import obstore

        store = self._store
        try:
            result = obstore.get(store, path)
            size, tag = result.meta["size"], result.meta["e_tag"]
            data = bytes(result.bytes()) if size <= limit else b""
        except _failures() as error:
            if reason_of(error).code == "NoSuchKey":
                return None
            raise self._error(f"cannot read {path} in", error) from None
        if size > limit or len(data) != size:
            raise LogStorageError(
                f"{path} is too large", where=str(self.access), expected=f"at most {limit} bytes",
                got=str(size), hint="restore an earlier version of this object, or a copy of the log",
            )  # fmt: skip
        if not tag:
            raise self._without_tags()
        return Found(data, tag)

    def has_any(self, folder: str) -> bool:
        """Whether there is any object in ``folder``. Raises LogStorageError."""
        import obstore

        store = self._store
        try:
            return any(len(page) for page in obstore.list(store, folder, chunk_size=1))
        except _failures() as error:
            raise self._error(f"cannot list {folder} in", error) from None

    def put_all(self, files: Mapping[str, bytes]) -> None:
        """Write all, several at a time. Raises LogStorageError if one of them failed."""
        with ThreadPoolExecutor(min(PARALLEL, len(files) or 1)) as pool:
            for _ in pool.map(self._put, files, files.values()):
                pass

    def _put(self, path: str, data: bytes) -> None:
        try:
            self._put_if(path, data, "overwrite")
        except (StaleError, UnclearError) as error:
            raise LogStorageError(
                f"cannot write {path}: {error}", where=str(self.access),
                hint="mend the server or the connection, then run again",
            ) from None  # fmt: skip

    def swap(self, path: str, data: bytes, tag: str | None) -> str:
        """Write ``path`` if its tag still is ``tag`` (None: if it is absent); the new tag.

        Raises StaleError, UnclearError, or LogStorageError if the server refused and nothing was written.
        """
        return self._put_if(path, data, "create" if tag is None else {"e_tag": tag})

    def _put_if(self, path: str, data: bytes, mode: Any) -> str:
        import obstore
        from obstore import exceptions

        store = self._store
        try:
            tag = obstore.put(store, path, data, mode=mode, use_multipart=False)["e_tag"]
        except (exceptions.AlreadyExistsError, exceptions.PreconditionError):
            raise StaleError(path) from None
        except _failures() as error:
            reason = reason_of(error)
            if not reason.is_refusal:
                raise UnclearError(reason.shown(self.timeout)) from None
            raise self._error(f"cannot write {path} in", error) from None
        if not tag:
            raise UnclearError("the server names no entity tag")
        return tag

    def require_conditional_writes(self) -> None:
        """Two writes that have to fail prove that this server compares before it swaps; asked once.

        Raises LogStoreUnfitError if one succeeds, LogStorageError if the server cannot be asked.
        """
        if not self._proven:
            self._require_stale(None, "If-None-Match", tries=2)
            self._require_stale(_NO_TAG, "If-Match", tries=1)
            self._proven = True

    def _require_stale(self, tag: str | None, header: str, tries: int) -> None:
        """The first of two tries may write the probe where there was none."""
        try:
            for _ in range(tries):
                self.swap(_PROBE, _PROBE_BYTES, tag)
        except StaleError:
            return
        except UnclearError as error:
            raise LogStorageError(
                f"cannot ask whether the server honours {header}: {error}", where=str(self.access),
                hint="mend the server or the connection, then run again; nothing was published",
            ) from None  # fmt: skip
        raise LogStoreUnfitError(
            f"the server ignores {header}: two writers could overwrite each other", where=str(self.access),
            expected="412 Precondition Failed",
            hint="use a server with conditional writes, or a directory or a Git ref for the log",
        )  # fmt: skip

    def _without_tags(self) -> LogStoreUnfitError:
        return LogStoreUnfitError(
            "the server names no entity tags", where=str(self.access), expected="an ETag with each object",
            hint="use another server, or a directory or a Git ref for the log",
        )  # fmt: skip

    def _error(self, what: str, error: Exception) -> LogStorageError:
        return storage_error(what, str(self.access), error, self.timeout)


def _failures() -> tuple[type[Exception], ...]:
    """What obstore raises: classes of its own and some of Python's."""
    from obstore.exceptions import BaseError

    return (BaseError, OSError, NotImplementedError, ValueError)
