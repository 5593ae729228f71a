"""Names that people give to commits -> full commit ids.

Rules:
- Understood: a full id, an abbreviated id of 7 digits or more, ``HEAD`` or ``@``, a full ref
  (``refs/heads/main``), a short tag, branch or remote branch (``main``, ``origin/main``), with ``~N`` and
  ``^N`` after it. Nothing else of git's language (dates, searches, reflogs), nothing that starts with "-".
- A short name that is a tag *and* a branch is refused: git would warn and guess.
- A tag is followed to its commit, at most 8 times.

>>> Revisions(repo, objects, head="HEAD").resolve("v1.2~1")  # doctest: +SKIP
'9fceb02d0ae598e95dc970b74767f19372d61af8'
"""

import re
from typing import Final

import pygit2

from reconciler.repository.commits import parse_commit
from reconciler.repository.errors import MalformedObjectError, RevisionError
from reconciler.repository.objects import Objects
from reconciler.repository.text import printable

MAX_STEPS: Final = 10_000  # of ~N
_REVISION = re.compile(r"([A-Za-z0-9@][^\s~^:?*\[\\\x00-\x20\x7f]{0,255})((?:[~^][0-9]{0,5}){0,16})\Z")
_ID = re.compile(r"[0-9a-f]{40}\Z")
_SHORT_ID = re.compile(r"[0-9a-f]{7,39}\Z")
_STEP = re.compile(r"([~^])([0-9]*)")
_TAG = re.compile(rb"object ([0-9a-f]{40})\ntype ([a-z]+)\n")
_SHORT_REFS = ("refs/tags/", "refs/heads/", "refs/remotes/")


class Revisions:
    """Resolves names in one repository; ``head`` is the ref that HEAD stands for."""

    def __init__(self, repo: pygit2.Repository, objects: Objects, *, head: str) -> None:
        self._repo = repo
        self._objects = objects
        self._head = head

    def resolve(self, rev: str) -> str:
        """The full id of the commit that ``rev`` names. Raises RevisionError."""
        match = _REVISION.match(rev)
        if not match or ".." in rev or "@{" in rev:
            raise _refused(rev)
        commit = self._peel(rev, self._named(rev, match[1]))
        for kind, number in _STEP.findall(match[2]):
            commit = self._step(rev, commit, kind, int(number or 1))
        return commit

    def _named(self, rev: str, name: str) -> str:
        if _ID.match(name):
            return name
        found = self._refs(name)
        if len(set(found.values())) > 1:
            raise RevisionError(
                "ambiguous revision",
                got=" and ".join(sorted(found)),
                hint="give the full name, as refs/heads/NAME",
            )
        if found:
            return next(iter(found.values()))
        if _SHORT_ID.match(name):
            return self._abbreviated(rev, name)
        raise _unknown(rev)

    def _refs(self, name: str) -> dict[str, str]:
        if name in ("HEAD", "@"):
            names = [self._head]
        elif name.startswith("refs/"):
            names = [name]
        else:
            names = [start + name for start in _SHORT_REFS]
        return {full: target for full in names if (target := self._target(full))}

    def _target(self, ref: str) -> str:
        try:
            return str(self._repo.references[ref].resolve().target)
        except (KeyError, ValueError, pygit2.GitError):
            return ""

    def _abbreviated(self, rev: str, name: str) -> str:
        try:
            return str(self._repo.expand_id(name))
        except (KeyError, ValueError, pygit2.GitError) as error:
            raise _unknown(rev) from error

    def _peel(self, rev: str, oid: str) -> str:
        for _ in range(8):
            if not self._objects.has(oid):
                break
            kind, _size = self._objects.header(oid)
            if kind == "commit":
                return oid
            if kind != "tag":
                raise RevisionError("revision is not a commit", got=f"{printable(rev, 100)}, a {kind}")
            match = _TAG.match(self._objects.fetch(oid, "tag"))
            if not match:
                raise MalformedObjectError("tag is not well formed", where=f"tag {oid}")
            oid = match[1].decode()
        raise _unknown(rev)

    def _step(self, rev: str, commit: str, kind: str, number: int) -> str:
        if number > MAX_STEPS:
            raise _refused(rev)
        for _ in range(number if kind == "~" else 1):
            parents = parse_commit(commit, self._objects.fetch(commit, "commit")).parents
            wanted = 1 if kind == "~" else number
            if wanted > len(parents):
                raise _unknown(rev)
            commit = parents[wanted - 1] if wanted else commit
        return commit


def _unknown(rev: str) -> RevisionError:
    hint = "fetch first if it is new; check the name with `git branch -a` and `git tag`"
    return RevisionError("no such revision", got=printable(rev, 100), hint=hint)


def _refused(rev: str) -> RevisionError:
    hint = "give a commit id, a ref (refs/heads/main), a branch or a tag, with ~N or ^N at most"
    return RevisionError("not a revision", got=printable(rev, 100), hint=hint)
