"""A log in a Git ref of the fleet's own remote, so that a throw-away machine needs nothing but Git.

Rules: the ref's newest commit holds the log as a tree with the same paths as the directory store; each
append is a commit on it, pushed with the expected old value. The remote moves a ref only from the value
that it still has: that is the compare-and-swap. After a push that failed the remote is asked what became
of it: our commit is a success, the old value means nothing was published, any other a conflict; if it
cannot be asked, ``LogUncertainError``. ``scratch`` is a bare repository, a cache that may be deleted.

Worked example::

    store = GitStore("ssh://git@forge.example/fleet.git", scratch=cache / "log.git", clock=clock)
    log = Log.open(store, signer, origin="fleet.example/log", clock=clock)  # no such ref: an empty log
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from reconciler.audit.checkpoint import PATH as CHECKPOINT
from reconciler.audit.codes import LogConflictError, LogStorageError, LogUncertainError
from reconciler.audit.git_remote import Answer, GitRemote, safe_url, shown_url
from reconciler.audit.note import MAX_NOTE
from reconciler.model import Clock

if TYPE_CHECKING:
    from pygit2 import Oid, Tree
    from pygit2.repository import Repository

REF = "refs/fleetward/log"
_FILE, _FOLDER = 0o100644, 0o040000
_Changes = dict[str, "_Changes | bytes | None"]


class GitStore:
    """The log of ``url``'s ``ref``; ``timeout`` bounds each git command, in seconds."""

    def __init__(
        self, url: str, *, scratch: Path, clock: Clock, ref: str = REF, timeout: float = 60.0
    ) -> None:
        if not ref.startswith("refs/") or not ref.isprintable() or set(ref) & set(" ~^:?*[\\"):
            raise LogStorageError("not a full ref name for the log", expected=REF, got=ref[:200])
        self._remote = GitRemote(safe_url(url), scratch, ref, timeout)
        self._clock = clock
        self._repository: Repository | None = None
        self._tip = ""  # the commit that is read, "" for none

    def __str__(self) -> str:
        return f"{shown_url(self._remote.url)} {self._remote.ref}"

    def refresh(self) -> None:
        """Fetch the ref if the remote has moved it. Raises LogStorageError."""
        tip = self._remote.tip()
        # git moves the local ref only after all objects are there: the ref says what is complete.
        if tip and self._local_tip() != tip:
            self._remote.fetch()
            tip = self._local_tip()
        self._tip = tip

    def read(self, path: str, limit: int) -> bytes | None:
        """See ``Store.read``."""
        import pygit2

        try:
            tree = self._tree()
            found = tree[path] if tree is not None and path in tree else None
            if not isinstance(found, pygit2.Blob) or found.filemode != _FILE:
                return None
            if found.size <= limit:
                return found.data
        except (KeyError, ValueError, pygit2.GitError) as error:
            raise self._storage_error(error) from error
        raise LogStorageError(
            f"{path} is too large",
            where=str(self),
            expected=f"at most {limit} bytes",
            hint="restore this file from an earlier commit of the ref",
        )

    def is_vacant(self) -> bool:
        """The remote has no such ref, or an empty tree there."""
        return not self._tip or (self.read(CHECKPOINT, MAX_NOTE) is None and not self._has_tiles())

    def _has_tiles(self) -> bool:
        tree = self._tree()
        return tree is not None and "tile" in tree

    def is_newest(self, checkpoint: bytes) -> bool:  # noqa: ARG002  it is what is read at the tip
        """See ``Store.is_newest``."""
        return self._remote.tip() == self._tip

    def publish(
        self, base: bytes, checkpoint: bytes, files: Mapping[str, bytes], drop: Sequence[str]
    ) -> None:
        """See ``Store.publish``."""
        import pygit2

        if (self.read(CHECKPOINT, MAX_NOTE) or b"") != base:
            raise self._conflict("")
        try:
            new = self._write_commit({**dict.fromkeys(drop), **files, CHECKPOINT: checkpoint})
        except (OSError, KeyError, pygit2.GitError) as error:
            raise self._storage_error(error) from error
        answer = self._remote.push(new, self._tip)
        if answer.code:
            self._ask_what_became(new, answer)
        self._tip = new
        self._open_scratch().references.create(self._remote.ref, new, force=True)

    def _ask_what_became(self, new: str, answer: Answer) -> None:
        """Return if the remote has ``new`` after all."""
        said = " ".join(answer.messages.split())[-600:]
        try:
            tip = self._remote.tip()
        except LogStorageError as error:
            raise self._uncertain(said) from error
        if tip == self._tip:
            # Killed at the time limit, the remote may still be at work on what it was sent.
            raise (
                self._uncertain(said)
                if answer.late
                else LogStorageError(
                    f"the remote did not take the log: {said}",
                    where=str(self),
                    hint=f"allow this user to push to {self._remote.ref}; nothing was published",
                )
            )
        if tip != new:
            raise self._conflict(said)

    def _uncertain(self, said: str) -> LogUncertainError:
        return LogUncertainError(
            f"the push broke off, and whether the remote took it is not known: {said}",
            where=str(self),
            hint="open the log again when the remote answers, before you repeat anything",
        )

    def _conflict(self, said: str) -> LogConflictError:
        return LogConflictError(
            "another writer has moved the log's ref",
            where=str(self),
            got=said[-200:],
            hint="open the log again and repeat what is still needed",
        )

    def _storage_error(self, error: Exception) -> LogStorageError:
        return LogStorageError(
            f"the scratch repository cannot be used: {error}",
            where=str(self._remote.scratch),
            hint="free space, or delete it: it is only a cache",
        )

    def _open_scratch(self) -> Repository:
        import pygit2

        if self._repository is None:
            path = self._remote.scratch
            try:
                if not (path / "HEAD").exists():
                    pygit2.init_repository(str(path), bare=True)
                self._repository = pygit2.Repository(str(path))
            except (pygit2.GitError, OSError) as error:
                raise self._storage_error(error) from error
        return self._repository

    def _local_tip(self) -> str:
        reference = self._open_scratch().references.get(self._remote.ref)
        return str(reference.target) if reference else ""

    def _tree(self) -> Tree | None:
        import pygit2

        return self._open_scratch()[self._tip].peel(pygit2.Tree) if self._tip else None

    def _write_commit(self, changes: Mapping[str, bytes | None]) -> str:
        """A commit on the tip with these files set (None: removed); only changed trees are written."""
        import pygit2

        repository = self._open_scratch()
        nested: _Changes = {}
        for path, data in changes.items():
            _set(nested, path.split("/"), data)
        tree = _write_tree(repository, self._tree(), nested)
        now = int(self._clock().timestamp())
        author = pygit2.Signature("fleetward", "fleetward@localhost", now, 0)
        parents = [pygit2.Oid(hex=self._tip)] if self._tip else []
        return str(repository.create_commit(None, author, author, "fleetward log\n", tree, parents))


def _set(changes: _Changes, parts: Sequence[str], data: bytes | None) -> None:
    for part in parts[:-1]:
        below = changes.setdefault(part, {})
        if not isinstance(below, dict):
            below = changes[part] = {}
        changes = below
    changes[parts[-1]] = data


def _write_tree(repository: Repository, old: Tree | None, changes: _Changes) -> Oid:
    import pygit2

    builder = repository.TreeBuilder(old) if old is not None else repository.TreeBuilder()
    for name, change in changes.items():
        before = old[name] if old is not None and name in old else None
        if change is None:
            if before is not None:
                builder.remove(name)
        elif isinstance(change, bytes):
            builder.insert(name, repository.create_blob(change), _FILE)
        else:
            below = before if isinstance(before, pygit2.Tree) else None
            builder.insert(name, _write_tree(repository, below, change), _FOLDER)
    return builder.write()
