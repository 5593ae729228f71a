"""Errors and finding codes of the log: FW18xx, never reused.

An error stops the call that raised it; a finding is collected by ``Log.verify``. Both take their
meaning and their advice from ``CODES``, from which the runbook is made.

>>> CODES[LogConflictError.code][0]
'another writer moved the log since it was opened'
"""

from typing import ClassVar

from reconciler.errors import AuditError


class LogSignatureError(AuditError):
    """No known key signed the note, or a known key's signature is wrong."""

    code: ClassVar[str] = "FW1801"


class LogFormatError(AuditError):
    """Bytes that are not a note, checkpoint, tile, bundle, key or proof."""

    code: ClassVar[str] = "FW1802"


class EntryError(AuditError):
    """An entry that breaks its schema, is too long, or does not follow from the entries before it."""

    code: ClassVar[str] = "FW1803"


class LogConflictError(AuditError):
    """The compare-and-swap of the checkpoint failed: nothing of this append was published."""

    code: ClassVar[str] = "FW1804"


class LogUncertainError(LogConflictError):
    """The store broke off so late that the append may or may not be in the log."""

    code: ClassVar[str] = "FW1805"


class LogStorageError(AuditError):
    """The store cannot be read or written: disk full, read-only, remote out of reach."""

    code: ClassVar[str] = "FW1806"


class LogReadOnlyError(AuditError):
    """An append to a log that was opened without a signer."""

    code: ClassVar[str] = "FW1807"


class LogDamagedError(AuditError):
    """A file of the log is missing or is not what the signed checkpoint says."""

    code: ClassVar[str] = "FW1808"


class BodyError(AuditError):
    """A body that is missing, too large, or does not have the digest it is filed under."""

    code: ClassVar[str] = "FW1809"


class LogBehindError(AuditError):
    """The log is shorter than something outside it proves."""

    code: ClassVar[str] = "FW1810"


class LogForkedError(LogBehindError):
    """The log is long enough, but holds something else than what was proven."""

    code: ClassVar[str] = "FW1811"


class ProofError(AuditError):
    """A proof that does not prove what it claims."""

    code: ClassVar[str] = "FW1812"


TILE_DAMAGED = "FW1820"
BUNDLE_DAMAGED = "FW1821"
ENTRY_INVALID = "FW1822"
ENTRY_OUT_OF_ORDER = "FW1823"
BODY_DAMAGED = "FW1824"
ROOT_DIFFERS = "FW1825"
CHECKPOINT_CHANGED = "FW1826"

_RESTORE = "restore the file from a copy of the log, then run `fleetward audit verify` again"

CODES: dict[str, tuple[str, str]] = {
    "FW1800": (
        "the log cannot be read, believed or written",
        "read the message; it names the file or remote",
    ),
    "FW1801": (
        "the checkpoint is not signed by a key that is known",
        "name the log's public key; after a key rotation keep the old public key in the list",
    ),
    "FW1802": ("a note, checkpoint, tile, bundle, key or proof is malformed", _RESTORE),
    "FW1803": (
        "an entry is invalid, too long, or does not follow from the entries before it",
        "writing: correct the field that is named; reading: upgrade, or treat the log as damaged",
    ),
    "FW1804": (
        "another writer moved the log since it was opened",
        "open the log again and repeat what is needed",
    ),
    "FW1805": (
        "the store broke off and may or may not have taken the append",
        "open the log again and look whether the entry is there before you repeat it",
    ),
    "FW1806": (
        "the log's store cannot be read or written",
        "free space, make it writable, or mend the connection to the remote; nothing was published",
    ),
    "FW1807": ("the log was opened without a signing key", "run it where the reconciler's key is configured"),
    "FW1808": ("a file of the log is missing or altered", _RESTORE),
    "FW1809": ("a body is missing, too large, or altered", _RESTORE),
    "FW1810": (
        "the log is behind what a member or this machine has seen: it was lost or rolled back",
        "start no new log; restore the newest copy of this one (a backup, or the ref's old commit)",
    ),
    "FW1811": (
        "the log holds another entry than the one that was seen: it was forked or replaced",
        "find out who wrote the other branch; restore the one that members prove",
    ),
    "FW1812": ("a proof does not verify", "ask for a new proof; if that fails too, treat the log as forked"),
    TILE_DAMAGED: ("a tile of hashes is missing or altered", _RESTORE),
    BUNDLE_DAMAGED: ("a bundle of entries is missing or altered", _RESTORE),
    ENTRY_INVALID: (
        "an entry in the log breaks its schema",
        "it was written by a newer or a foreign version: upgrade",
    ),
    ENTRY_OUT_OF_ORDER: (
        "an entry does not follow from the entries before it",
        "look at the entry with `fleetward audit log`; it was not written by this version",
    ),
    BODY_DAMAGED: ("a body that an entry names is missing or altered", _RESTORE),
    ROOT_DIFFERS: ("the tree recomputed from all entries differs from the signed checkpoint", _RESTORE),
    CHECKPOINT_CHANGED: (
        "the checkpoint in the store is no longer the one that was opened",
        "if a reconciler is writing now, run it again; otherwise the log was moved back or replaced",
    ),
}
