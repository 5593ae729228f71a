"""The room's door: one fleet repository, from a path or a URL.

Rules: see the modules; this one only puts them together.

- ``locations`` judges the location, ``mirror`` fetches a URL, ``revisions`` names commits.
- ``objects`` reads, ``commits`` and ``trees`` parse, ``snapshot`` and ``worktree`` list, ``history`` walks.

>>> repo = Repository.open("git@git.example:fleet.git", cache_dir=Path("cache"))  # doctest: +SKIP
>>> repo.fetch()  # doctest: +SKIP
>>> tip = repo.resolve("refs/heads/main")  # doctest: +SKIP
>>> [commit.subject for commit in repo.commits(last_accepted, tip)]  # doctest: +SKIP
['Give support read access', 'Merge pull request #7']
>>> repo.snapshot(tip).read("federation.yaml")[:11]  # doctest: +SKIP
b'apiVersion:'
"""

import re
from pathlib import Path
from typing import Final

import pygit2
from pygit2.enums import Option

from reconciler.model import Blobs, Snapshot
from reconciler.repository.advancing import advance
from reconciler.repository.authorship import Authorship
from reconciler.repository.commits import Commit, parse_commit
from reconciler.repository.errors import (
    LimitError,
    LocationError,
    MissingObjectError,
    NotDescendantError,
    OwnershipError,
    RevisionError,
)
from reconciler.repository.history import between
from reconciler.repository.locations import parse_location
from reconciler.repository.mirror import REMOTE_HEAD, STATEMENTS, Mirror
from reconciler.repository.objects import Objects
from reconciler.repository.proposing import Proposal, Sign, draft, propose
from reconciler.repository.revisions import Revisions
from reconciler.repository.snapshot import Snapshots
from reconciler.repository.tags import SignedTag, parse_tag
from reconciler.repository.text import printable
from reconciler.repository.worktree import worktree_snapshot

MAX_STATEMENTS: Final = 100_000
_ID = re.compile(r"[0-9a-f]{40}\Z")

# Reading objects runs no code that a repository configures, so ownership is not about that. It is about whose
# refs, alternates and index are believed: like git, only the user's own or those in ``safe.directory``.
pygit2.option(Option.SET_OWNER_VALIDATION, True)


class Repository:
    """A fleet repository. Safe to keep open: what it remembers is keyed by object id."""

    def __init__(self, repo: pygit2.Repository, location: str, mirror: Mirror | None, timeout: float) -> None:
        self.location = location
        self._repo = repo
        self._mirror = mirror
        self._timeout = timeout
        self._objects = Objects(repo)
        self._snapshots = Snapshots(self._objects)
        self._authorship = Authorship(repo, self._objects, self._snapshots.entries)
        self._revisions = Revisions(repo, self._objects, head=REMOTE_HEAD if mirror else "HEAD")

    @classmethod
    def open(cls, location: str, *, cache_dir: Path, timeout: float = 60) -> "Repository":
        """Open a path (a work tree or any folder in it, or bare) or a URL (mirrored below ``cache_dir``).

        ``timeout`` is in seconds for one ``fetch``. Nothing is fetched here. Raises LocationError,
        OwnershipError, FetchError.
        """
        place = parse_location(location)
        if place.is_url:
            mirror = Mirror(place, cache_dir)
            return cls(mirror.repository(), place.shown, mirror, timeout)
        return cls(_open_path(place.shown), place.shown, None, timeout)

    def fetch(self) -> None:
        """Bring a URL's mirror up to date; nothing for a path. Raises FetchError, FetchTimeoutError."""
        if self._mirror is not None:
            self._mirror.fetch(self._timeout)

    def resolve(self, rev: str) -> str:
        """The full commit id of ``rev`` (see ``revisions``). Raises RevisionError."""
        return self._revisions.resolve(rev)

    def commit(self, oid: str) -> Commit:
        """One commit by full id. Raises RevisionError, and Missing-, Corrupt- or MalformedObjectError."""
        return parse_commit(_full(oid), self._objects.fetch(oid, "commit"))

    def commits(self, old: str | None, new: str) -> tuple[Commit, ...]:
        """Every commit in old..new by all parents, parents before children; ``old`` None: all of them.

        Full ids. Raises NotDescendantError when ``new`` does not build on ``old``, ShallowError when the
        clone ends before it, LimitError, and as ``commit`` does.
        """
        ids = between(self._objects, old and _full(old), _full(new), shallow=self._repo.is_shallow)
        return tuple(self.commit(oid) for oid in ids)

    def missing_from(self, base: str, commit: str) -> tuple[Commit, ...]:
        """What ``commit`` reaches and ``base`` does not, parents first; neither has to build on the other."""
        found = self._repo.merge_base(_full(base), _full(commit))
        common = str(found) if found else None
        already = {c.id for c in self.commits(common, base)}
        return tuple(c for c in self.commits(common, commit) if c.id not in already)

    def snapshot(self, commit: str) -> Snapshot:
        """The fleet's files at a commit (full id). Raises UnsafeTreeError, LimitError, and as ``commit``."""
        found = self.commit(commit)
        return self._snapshots.of(found.id, found.tree)

    def authored(self, commit: Commit) -> tuple[str, ...]:
        """The paths that a commit changes of its own accord (``authorship``). Raises as ``commit`` does."""
        return self._authorship.of(commit, lambda oid: self.commit(oid).tree)

    def addition(self, commit: Commit) -> tuple[str, str] | None:
        """Path and blob id of the plain file that a commit with one parent adds, if that is all it does."""
        if len(commit.parents) != 1:
            return None
        changes = self._authorship.difference(self.commit(commit.parents[0]).tree, commit.tree)
        (path, (before, after)), *more = changes.items() if changes else [("", (None, None))]
        if more or before is not None or after is None or after[0] != b"100644":
            return None
        return path, after[1]

    def file_id(self, commit: Commit, name: str) -> str:
        """The blob id of a file at the top of the commit's tree, "" if there is none."""
        entries = self._snapshots.entries(commit.tree)
        return next((entry.id for entry in entries if entry.name == name.encode() and not entry.is_tree), "")

    @property
    def blobs(self) -> Blobs:
        """File contents by blob id."""
        return self._objects

    def descends(self, commit: str, ancestor: str) -> bool:
        """Whether ``ancestor`` (full id) is ``commit`` or one of its ancestors."""
        try:
            between(self._objects, _full(ancestor), _full(commit), shallow=self._repo.is_shallow)
        except (NotDescendantError, MissingObjectError):
            return False
        return True

    def statements(self, folder: str) -> tuple[tuple[str, str], ...]:
        """(name, object id) of each ref below refs/fleetward/statements/<folder>/, by name.

        Raises LimitError for more than ``MAX_STATEMENTS``.
        """
        prefix = f"{STATEMENTS}/{folder}/"
        names = [name for name in self._repo.references if name.startswith(prefix)]
        if len(names) > MAX_STATEMENTS:
            hint = f"delete the old refs below {prefix}"
            raise LimitError("too many statements", expected=f"at most {MAX_STATEMENTS}", hint=hint)
        found = ((name, self._repo.references[name].target) for name in sorted(names))
        return tuple(
            (name.removeprefix(prefix), str(oid)) for name, oid in found if isinstance(oid, pygit2.Oid)
        )

    def tag(self, oid: str) -> SignedTag:
        """A signed statement by its full id. Raises Missing-, Corrupt- or MalformedObjectError."""
        return parse_tag(_full(oid), self._objects.fetch(oid, "tag"))

    def branch(self, ref: str) -> str | None:
        """The commit (full id) of a branch, refs/heads/..., None for no such branch."""
        try:
            return self._revisions.resolve(ref)
        except RevisionError:
            return None

    def propose(self, proposal: Proposal, sign: Sign) -> str:
        """A signed commit on a new branch; its id (see ``proposing``). Raises ProposalError."""
        return propose(self._repo, self._mirror, proposal, sign, self._timeout)

    def draft(self, proposal: Proposal, sign: Sign) -> str:
        """A signed commit on no branch yet; its id (see ``proposing``). Raises ProposalError."""
        return draft(self._repo, proposal, sign)

    def advance(self, ref: str, commit: str) -> None:
        """Move a branch from the commit's parent to the commit (see ``advancing``). Raises AdvanceError."""
        advance(self._repo, self._mirror, ref, commit, self._timeout)

    def worktree(self) -> Snapshot:
        """The fleet's files on disk. Raises WorktreeError, UnsafeTreeError, LimitError."""
        return worktree_snapshot(self._repo)


def _full(oid: str) -> str:
    if not _ID.match(oid):
        raise RevisionError("not a full commit id", expected="40 hex digits", got=printable(oid, 80))
    return oid


def _open_path(path: str) -> pygit2.Repository:
    try:
        return pygit2.Repository(path)
    except (pygit2.GitError, KeyError, ValueError, OSError) as error:
        raise _unusable(path, str(error)) from error


def _unusable(path: str, said: str) -> LocationError | OwnershipError:
    if "is not owned by" in said:
        hint = "own it, or run `git config --global --add safe.directory PATH`"
        return OwnershipError("repository belongs to another user", where=path, hint=hint)
    if "object format" in said or "objectformat" in said:
        hint = "use a repository with SHA-1 object names, which is git's default"
        return LocationError("cannot read repositories with SHA-256 object names", where=path, hint=hint)
    hint = "give the path of a Git repository, or make one with `fleetward init`"
    return LocationError("no Git repository here", got=printable(said, 200), where=path, hint=hint)
