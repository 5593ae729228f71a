"""Raw Git objects by id: bounded, and checked against their own name.

Rules:
- An object is what its id says: the SHA-1 of "<type> <size>\\0<bytes>" is computed here on every read,
  and libgit2 computes it too, with collision detection (SHAttered objects are refused).
- Only the object store is asked. ``refs/replace``, ``info/grafts`` and the shallow boundary change what
  *git* shows for an id; they change nothing here.
- The size is known from the header before anything is inflated.

>>> git_id("blob", b"hello\\n")
'ce013625030ba8dba906f756967f9e9ca394464a'
"""

import hashlib
from typing import Final

import pygit2
from pygit2.enums import ObjectType

from reconciler.repository.errors import CorruptObjectError, LimitError, MissingObjectError

MAX_COMMIT: Final = 1 << 20  # bytes
MAX_TREE: Final = 16 << 20
MAX_BLOB: Final = 1 << 20

_NAMES = {
    ObjectType.COMMIT: "commit",
    ObjectType.TREE: "tree",
    ObjectType.BLOB: "blob",
    ObjectType.TAG: "tag",
}
_LIMITS = {"commit": MAX_COMMIT, "tree": MAX_TREE, "blob": MAX_BLOB, "tag": MAX_COMMIT}


def git_id(kind: str, data: bytes) -> str:
    """The id that Git gives to ``data`` as an object of type ``kind`` (40 hex digits)."""
    # SHA-1 names objects here, it is not what trust rests on alone: libgit2 detects collisions.
    return hashlib.sha1(b"%s %d\0%s" % (kind.encode(), len(data), data), usedforsecurity=False).hexdigest()


class Objects:
    """The object store of one repository; also the ``Blobs`` port of its snapshots."""

    def __init__(self, repo: pygit2.Repository) -> None:
        self._odb = repo.odb

    def header(self, oid: str) -> tuple[str, int]:
        """(type, size in bytes), without inflating. Raises MissingObjectError, CorruptObjectError."""
        try:
            kind, size = self._odb.read_header(pygit2.Oid(hex=oid))
        except KeyError as error:
            raise _missing(oid) from error
        except (pygit2.GitError, ValueError, OSError) as error:
            raise _corrupt(oid, str(error)) from error
        return _NAMES.get(ObjectType(kind), "unknown"), size

    def has(self, oid: str) -> bool:
        """Whether the store holds ``oid``, of any type."""
        return pygit2.Oid(hex=oid) in self._odb

    def fetch(self, oid: str, kind: str) -> bytes:
        """The content of an object of type ``kind``. Raises as ``header`` does, and LimitError."""
        found, size = self.header(oid)
        if found != kind:
            raise CorruptObjectError("object is of another type", expected=kind, got=found, where=oid)
        if size > _LIMITS[kind]:
            raise LimitError(
                f"{kind} is too large", expected=f"at most {_LIMITS[kind]} bytes", got=str(size), where=oid
            )
        try:
            data = self._odb.read(pygit2.Oid(hex=oid))[1]
        except KeyError as error:
            raise _missing(oid) from error
        except (pygit2.GitError, ValueError, OSError) as error:
            raise _corrupt(oid, str(error)) from error
        if git_id(kind, data) != oid:
            raise _corrupt(oid, "its bytes hash to another id")
        return data

    def read(self, blob: str) -> bytes:
        """A blob's bytes, at most 1 MiB (``model.Blobs``)."""
        return self.fetch(blob, "blob")


def _missing(oid: str) -> MissingObjectError:
    hint = "fetch again; a partial clone needs `git fetch --refetch --no-filter`"
    return MissingObjectError("object is not in the repository", hint=hint, where=oid)


def _corrupt(oid: str, why: str) -> CorruptObjectError:
    hint = "run `git fsck --full`; delete the cached mirror or clone again"
    return CorruptObjectError("object is corrupt", got=why, hint=hint, where=oid)
