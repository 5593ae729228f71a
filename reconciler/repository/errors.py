"""What can go wrong between a location and a snapshot; each class has its own code.

Raised errors stop the run. A tree that must not be used raises one ``UnsafeTreeError`` that carries
*every* problem found as a ``Finding``, so that a person mends them in one go.

>>> error = RevisionError("no such revision", got="mian", hint="see `git branch -a`")
>>> str(error)
'FW1102: no such revision: got mian. To fix: see `git branch -a`'
"""

from reconciler.errors import RepositoryError
from reconciler.model import Finding


class LocationError(RepositoryError):
    """A path or URL that cannot be a fleet repository."""

    code = "FW1101"


class RevisionError(RepositoryError):
    """A revision that does not exist, is ambiguous, or looks like an option."""

    code = "FW1102"


class MissingObjectError(RepositoryError):
    """An object that the repository should have and does not."""

    code = "FW1103"


class CorruptObjectError(RepositoryError):
    """An object whose bytes do not hash to its name, or that cannot be decompressed."""

    code = "FW1104"


class MalformedObjectError(RepositoryError):
    """A commit, tree or tag that is not exactly what Git would write."""

    code = "FW1105"


class ShallowError(RepositoryError):
    """History ends (``git clone --depth``) before the last accepted commit."""

    code = "FW1106"


class NotDescendantError(RepositoryError):
    """The new commit does not build on the last accepted one: the ref moved back or was rewritten."""

    code = "FW1107"


class FetchError(RepositoryError):
    """``git fetch`` failed."""

    code = "FW1108"


class FetchTimeoutError(FetchError):
    """``git fetch`` did not end in time and was killed."""

    code = "FW1109"


class UnsafeTreeError(RepositoryError):
    """A tree with entries that must not be read; ``findings`` has all of them (at most 100)."""

    code = "FW1110"

    def __init__(self, where: str, findings: tuple[Finding, ...]) -> None:
        first, more = findings[0], len(findings) - 1
        tail = f" (and {more} more)" if more else ""
        super().__init__(f"{first.code} {first.message}{tail}", got=first.got, hint=first.hint, where=where)
        self.findings = findings


class LimitError(RepositoryError):
    """Something larger, deeper or longer than any fleet needs."""

    code = "FW1111"


class WorktreeError(RepositoryError):
    """A work tree that cannot be read, or changed while it was read."""

    code = "FW1112"


class OwnershipError(RepositoryError):
    """A repository that belongs to another user and is not listed as safe."""

    code = "FW1113"


class MissingPathError(RepositoryError):
    """A path that the snapshot does not have."""

    code = "FW1114"


class SigningError(RepositoryError):
    """Git did not sign or push a statement."""

    code = "FW1115"


SYMLINK, SUBMODULE, BAD_NAME, CASE_COLLISION, NOT_A_FILE = "FW1120", "FW1121", "FW1122", "FW1123", "FW1124"
TOO_LARGE = "FW1125"

CODES: dict[str, tuple[str, str]] = {
    "FW1100": (
        "Git said no in a way that has no code of its own.",
        "Run the same with git and read its answer.",
    ),
    "FW1101": (
        "The location is not a usable repository path or URL.",
        "Give a path, or an https, ssh or file URL without query and fragment.",
    ),
    "FW1102": (
        "The revision does not exist, is ambiguous, or looks like an option.",
        "Name a full ref (refs/heads/main) or a full commit id; fetch first if it is new.",
    ),
    "FW1103": (
        "An object is missing from the repository.",
        "Fetch again; a partial clone must be made whole with `git fetch --refetch --no-filter`.",
    ),
    "FW1104": (
        "An object's bytes do not match its id.",
        "Run `git fsck --full`; delete the mirror in the cache, or clone again.",
    ),
    "FW1105": (
        "A commit, tree or tag is not well formed, e.g. has a header twice.",
        "Refuse it: rewrite the commit with an unmodified git and find out who made it.",
    ),
    "FW1106": ("The clone is shallow and ends inside the range to verify.", "Run `git fetch --unshallow`."),
    "FW1107": (
        "The ref does not descend from the last accepted commit.",
        "Find out who moved it back; restore the old tip and add new commits on top of it.",
    ),
    "FW1108": ("git fetch failed.", "Try `git ls-remote URL` as the same user: address, key, network."),
    "FW1109": (
        "git fetch did not end in time and was killed.",
        "Try `git ls-remote URL`; raise the time limit.",
    ),
    "FW1110": ("The tree has entries that are never read; each has its own code.", "Mend each one named."),
    "FW1111": (
        "A bound was exceeded (files, depth, sizes, commits).",
        "Split the fleet, or take what does not belong out of its folders.",
    ),
    "FW1112": (
        "The work tree cannot be read.",
        "Use a checkout that you own, and do not edit while it is read.",
    ),
    "FW1113": (
        "The repository belongs to another user.",
        "Own it, or `git config --global --add safe.directory PATH`.",
    ),
    "FW1114": ("The snapshot has no such path.", "Add the file to the commit, or correct the name."),
    "FW1115": (
        "Git did not sign or push an approval or heartbeat.",
        "Set git up to sign as for commits (gpg.format, user.signingKey); try `git tag -s` and `git push`.",
    ),
    SYMLINK: ("A symlink in a fleet folder.", "Replace it by a regular file."),
    SUBMODULE: ("A submodule in a fleet folder.", "Copy its files into the fleet repository."),
    BAD_NAME: ("A file name that could deceive a reader or leave the folder.", "Rename the file."),
    CASE_COLLISION: (
        "Two names that are one on a file system that ignores case.",
        "Rename one of them.",
    ),
    NOT_A_FILE: ("A fleet path that is neither a regular file nor a folder.", "Make it a regular file."),
    TOO_LARGE: ("A file over 1 MiB in a fleet folder.", "Split it, or move it out of the fleet's folders."),
}
