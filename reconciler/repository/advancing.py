"""Moves a branch by one commit that was made here, if it is still where it was: compare and swap.

Rules:
- The commit's only parent is where the branch was, so nothing that others pushed is ever lost: it is a
  fast-forward, or nothing. In a URL's remote that is a push with a lease; its hooks have their say.
- A branch that is checked out is not moved: its work tree would look as if the new file had been deleted.

>>> advance(repo, mirror, "refs/heads/main", commit, 60)  # doctest: +SKIP
"""

import pygit2

from reconciler.errors import RepositoryError
from reconciler.repository.errors import FetchError
from reconciler.repository.mirror import Mirror
from reconciler.repository.text import printable


class AdvanceError(RepositoryError):
    """A commit could not be added to a branch."""

    code = "FW1779"


def advance(repo: pygit2.Repository, mirror: Mirror | None, ref: str, commit: str, timeout: float) -> None:
    """Move ``ref`` (refs/heads/...) from the commit's parent to the commit. Raises AdvanceError."""
    if not ref.startswith("refs/heads/") or not pygit2.reference_is_valid_name(ref):
        raise _failed(ref, "not a branch")
    try:
        (parent,) = repo[commit].peel(pygit2.Commit).parent_ids
        if mirror is None:
            _move(repo, ref, str(parent), commit)
        else:
            mirror.push(commit, ref, timeout, expected=str(parent))
    except FetchError as error:
        raise _failed(ref, error.got or error.message) from error
    except (pygit2.GitError, ValueError, KeyError, OSError) as error:
        raise _failed(ref, printable(str(error), 200)) from error


def _move(repo: pygit2.Repository, ref: str, old: str, new: str) -> None:
    """libgit2 writes only where the ref is as it was when it was looked up."""
    if repo.branches.local[ref.removeprefix("refs/heads/")].is_checked_out():
        raise _failed(ref, "the branch is checked out in a work tree: serve from a bare repository or a URL")
    reference = repo.references[ref]
    if str(reference.target) != old:
        raise _failed(ref, f"it is at {str(reference.target)[:40]} by now")
    reference.set_target(new)


def _failed(ref: str, got: str) -> AdvanceError:
    return AdvanceError(
        "the registration could not be committed", got=got, where=ref,
        hint="let the primary push to the fleet's branch, or join with a token that is not auto-approved",
    )  # fmt: skip
