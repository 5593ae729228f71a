"""Proposes one file, or its removal, as a signed commit on a branch of its own; nothing that counts is moved.

Rules:
- The commit is the base's tree with one file more, or one less, made as objects: no work tree, index, filter
  or hook of this side has a part in it. ``sign`` gets what ``git commit -S`` would hand to ssh-keygen.
- The branch is made, never moved: where it is there already, ProposalError. In a URL's remote that is a push
  that expects no such branch; the remote's hooks and protections have their say.
- What breaks off before the branch leaves loose objects that git cleans up by itself.

>>> commit = propose(repo, mirror, Proposal(tip, "clusters/a.yaml", b"...", "refs/heads/join/a", ...), sign)
... # doctest: +SKIP
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import pygit2
from pygit2.enums import FileMode, ObjectType

from reconciler.errors import RepositoryError
from reconciler.repository.errors import FetchError
from reconciler.repository.mirror import Mirror
from reconciler.repository.text import printable

MAX_CONTENT: Final = 1 << 20  # bytes
Sign = Callable[[bytes], bytes]  # the commit without its signature -> the armoured signature
_BRANCH = re.compile(r"refs/heads/[a-z0-9][a-z0-9./-]{0,300}\Z")
_EMPTY: Final = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"  # the tree of nothing
_PATH = re.compile(r"[a-z0-9][a-z0-9.-]*(?:/[a-z0-9][a-z0-9.-]*){0,4}\Z")


class ProposalError(RepositoryError):
    """A commit could not be proposed on a branch."""

    code = "FW1759"


@dataclass(frozen=True, slots=True)
class Proposal:
    """One file at ``path`` on top of commit ``base`` (full ids), None for its removal; ``time`` is UTC."""

    base: str
    path: str
    content: bytes | None
    branch: str  # refs/heads/...
    subject: str
    author: str
    email: str
    time: datetime


def propose(
    repo: pygit2.Repository, mirror: Mirror | None, proposal: Proposal, sign: Sign, timeout: float
) -> str:
    """The id of the commit, which is on the branch when this returns. Raises ProposalError, FetchError."""
    if not _BRANCH.match(proposal.branch) or ".." in proposal.branch:
        raise _failed(proposal, "a name that is none")
    commit = draft(repo, proposal, sign)
    if mirror is not None:
        _push(mirror, commit, proposal, timeout)
        return commit
    try:
        repo.references.create(proposal.branch, commit)
    except (pygit2.GitError, ValueError, OSError) as error:
        raise _failed(proposal, printable(str(error), 200)) from error
    return commit


def draft(repo: pygit2.Repository, proposal: Proposal, sign: Sign) -> str:
    """The commit's objects, on no branch yet; its id. Raises ProposalError."""
    if not _PATH.match(proposal.path):
        raise _failed(proposal, "a name that is none")
    if proposal.content is not None and len(proposal.content) > MAX_CONTENT:
        raise _failed(proposal, f"more than {MAX_CONTENT} bytes")
    try:
        return _write_commit(repo, proposal, sign)
    except (pygit2.GitError, ValueError, KeyError, OSError) as error:
        raise _failed(proposal, printable(str(error), 200)) from error


def _push(mirror: Mirror, commit: str, proposal: Proposal, timeout: float) -> None:
    try:
        mirror.push(commit, proposal.branch, timeout)
    except FetchError as error:
        raise _failed(proposal, error.got or error.message) from error


def _write_commit(repo: pygit2.Repository, proposal: Proposal, sign: Sign) -> str:
    base = repo[proposal.base].peel(pygit2.Commit)
    path, content = proposal.path.split("/"), proposal.content
    if content is None:
        tree = _without_file(repo, base.tree, path)
    else:
        tree = _with_file(repo, base.tree, path, repo.create_blob(content))
    person = f"{proposal.author} <{proposal.email}> {int(proposal.time.timestamp())} +0000"
    raw = (
        f"tree {tree}\nparent {proposal.base}\nauthor {person}\ncommitter {person}\n\n{proposal.subject}\n"
    ).encode()
    head, _, message = raw.partition(b"\n\n")
    signature = sign(raw).strip().replace(b"\n", b"\n ")
    signed = head + b"\ngpgsig " + signature + b"\n\n" + message
    return str(repo.odb.write(ObjectType.COMMIT, signed))


def _with_file(
    repo: pygit2.Repository, tree: pygit2.Tree | None, path: list[str], blob: pygit2.Oid
) -> pygit2.Oid:
    """The tree with the blob at ``path``. Raises ValueError where something is there already."""
    builder = repo.TreeBuilder(tree) if tree is not None else repo.TreeBuilder()
    there = builder.get(path[0])
    if len(path) == 1:
        if there is not None:
            raise ValueError("the file is there already")
        builder.insert(path[0], blob, FileMode.BLOB)
        return builder.write()
    if there is not None and not isinstance(there, pygit2.Tree):
        raise ValueError("a file is where a folder should be")
    builder.insert(path[0], _with_file(repo, there, path[1:], blob), FileMode.TREE)
    return builder.write()


def _without_file(repo: pygit2.Repository, tree: pygit2.Tree, path: list[str]) -> pygit2.Oid:
    """The tree without the file, and folders that only held it. Raises ValueError for no such file."""
    builder = repo.TreeBuilder(tree)
    there = builder.get(path[0])
    if len(path) == 1:
        if not isinstance(there, pygit2.Blob):
            raise ValueError("there is no such file")
        builder.remove(path[0])
        return builder.write()
    if not isinstance(there, pygit2.Tree):
        raise ValueError("there is no such folder")  # noqa: TRY004  as for a file that is there
    below = _without_file(repo, there, path[1:])
    if str(below) != _EMPTY:  # git keeps no empty folder
        builder.insert(path[0], below, FileMode.TREE)
    else:
        builder.remove(path[0])
    return builder.write()


def _failed(proposal: Proposal, got: str) -> ProposalError:
    return ProposalError(
        "the change of the registration cannot be proposed", got=got, where=proposal.branch,
        hint="let the primary push branches join/* and leave/*; if the branch is there, review or delete it",
    )  # fmt: skip
