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


class LogStoreUnfitError(LogStorageError):
    """An object store without conditional writes: two writers would overwrite each other."""

    code: ClassVar[str] = "FW1840"


class CosignatureError(LogSignatureError):
    """A cosignature by a known witness that is malformed or does not fit the checkpoint."""

    code: ClassVar[str] = "FW1830"


class WitnessError(AuditError):
    """A witness that cannot be reached, or did not answer in time."""

    code: ClassVar[str] = "FW1831"


class WitnessRefusedError(WitnessError):
    """A witness that does not know the log or its key, or says that it cannot cosign."""

    code: ClassVar[str] = "FW1832"


class WitnessAnswerError(WitnessError):
    """An answer that is not what C2SP tlog-witness says."""

    code: ClassVar[str] = "FW1833"


class WitnessAheadError(LogBehindError):
    """A witness cosigned more entries of this log than it has."""

    code: ClassVar[str] = "FW1834"


class WitnessForkError(LogForkedError):
    """A witness cosigned another tree of this log."""

    code: ClassVar[str] = "FW1835"


class NotWitnessedError(AuditError):
    """A checkpoint with fewer cosignatures than the policy asks for."""

    code: ClassVar[str] = "FW1836"


class WitnessPolicyError(AuditError):
    """A witness policy that cannot be used."""

    code: ClassVar[str] = "FW1837"


class BodyFormatError(AuditError):
    """A body that is not of the form that its entry says."""

    code: ClassVar[str] = "FW1850"


class QueryError(AuditError):
    """A filter of the log that cannot be used."""

    code: ClassVar[str] = "FW1851"


class NotLoggedError(AuditError):
    """The log has nothing of the kind that was asked for."""

    code: ClassVar[str] = "FW1852"


class EvidenceFileError(AuditError):
    """A proof, an entry or a checkpoint that cannot be read from a file or written to one."""

    code: ClassVar[str] = "FW1853"


class KubeAuditError(AuditError):
    """A member's Kubernetes audit log that cannot be read at all, or says nothing."""

    code: ClassVar[str] = "FW1860"


class ExportError(AuditError):
    """An export that cannot be written where it was asked for."""

    code: ClassVar[str] = "FW1869"


# ``fleetward audit join``: what a member's own audit log says beside ours.
KUBE_LINE = "FW1861"
WRITE_MISSING = "FW1862"
WRITE_UNEXPLAINED = "FW1863"
WRITE_BY_OTHERS = "FW1864"
AUDIT_ID_REUSED = "FW1865"
WRITE_REFUSED = "FW1866"
WRITE_UNPROVEN = "FW1867"
IMPERSONATED = "FW1868"

TILE_DAMAGED = "FW1820"
BUNDLE_DAMAGED = "FW1821"
ENTRY_INVALID = "FW1822"
ENTRY_OUT_OF_ORDER = "FW1823"
BODY_DAMAGED = "FW1824"
ROOT_DIFFERS = "FW1825"
CHECKPOINT_CHANGED = "FW1826"
BODY_INVALID = "FW1854"

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
    "FW1840": (
        "the object store ignores the conditions of conditional writes",
        "use a server that honours If-Match and If-None-Match, or a directory or a Git ref for the log",
    ),
    "FW1830": (
        "a known witness's cosignature on the checkpoint is wrong",
        "the checkpoint was altered, or the witness's key is not the configured one: compare it with the"
        " witness's operator; the log's next append writes a new checkpoint",
    ),
    "FW1831": (
        "a witness cannot be reached or did not answer in time",
        "nothing was delayed, and the next run asks again; if it stays so, ask the witness's operator",
    ),
    "FW1832": (
        "a witness does not cosign this log",
        "have its operator register the log's origin and public key (after a key rotation the new key too)",
    ),
    "FW1833": (
        "a witness's answer is not what the protocol says",
        "check the URL (the submission prefix) and the verifier key; then ask the witness's operator",
    ),
    "FW1834": (
        "a witness cosigned more entries of this log than it has: the log was lost or rolled back",
        "apply nothing; restore the newest copy of the log (a backup, or the ref's old commit)",
    ),
    "FW1835": (
        "a witness cosigned another tree of this log: it was forked or replaced",
        "apply nothing; find out who wrote the other branch, and compare with the checkpoint that the witness"
        " or another reader has",
    ),
    "FW1836": (
        "the checkpoint has fewer cosignatures than the policy asks for",
        "see which witnesses are missing and why; run again when they answer, or change the quorum",
    ),
    "FW1837": ("a witness policy cannot be used", "correct spec.log in federation.yaml as the message says"),
    "FW1860": (
        "a Kubernetes audit log cannot be read, or has no event that could be joined",
        "name a file of audit.k8s.io/v1 events as JSON lines, plain or gzip, as the API server writes it",
    ),
    KUBE_LINE: (
        "a line of a Kubernetes audit log is no audit.k8s.io/v1 event",
        "look at that line: it was cut, altered, or is no audit log; what it said is not covered by the join",
    ),
    WRITE_MISSING: (
        "a write of ours is not in the member's audit log, although that log covers its time",
        "look at the member's audit policy and whether events were dropped; else treat its log as altered",
    ),
    WRITE_UNEXPLAINED: (
        "a write by the reconciler's user that no outcome in our log explains",
        "treat the reconciler's credentials on this member as stolen: replace them, then find the caller",
    ),
    WRITE_BY_OTHERS: (
        "a write to a federated object by somebody else",
        "ask who made it; the next reconcile repairs the object; look whether the guard is in force",
    ),
    AUDIT_ID_REUSED: (
        "a request carries the Audit-ID of one of our writes, but is not that write",
        "find the caller by user, address and user agent: somebody copied the Audit-ID to look like us",
    ),
    WRITE_REFUSED: (
        "a write that the API server refused: to a federated object, or by the reconciler's user",
        "nothing changed; ask who tried and why if it is not known",
    ),
    WRITE_UNPROVEN: (
        "a write by the reconciler's user that only an intent explains, since its run did not end well",
        "nothing to do if a run was interrupted then; `fleetward audit log --cluster` shows the outcome",
    ),
    IMPERSONATED: (
        "somebody impersonated the reconciler's user to write",
        "find out who holds the right to impersonate (the event's user does) and take it away",
    ),
    "FW1869": (
        "the export cannot be written",
        "name a file in a folder that exists and can be written; a file that was there is unchanged",
    ),
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
    "FW1850": (
        "a body is not of the form that its entry says",
        "it was written by a newer or a foreign version: upgrade; otherwise treat the log as damaged",
    ),
    "FW1851": (
        "a filter of the log cannot be used",
        "read what was expected; `fleetward audit log --help` has examples",
    ),
    "FW1852": (
        "the log has no such entry",
        "look with `fleetward audit log` at what there is",
    ),
    "FW1853": (
        "a proof, an entry or a checkpoint cannot be read from its file, or written to one",
        "check the path and its rights; the log itself is untouched",
    ),
    BODY_INVALID: (
        "a body is whole, but not of the form that its entry says",
        "it was written by a newer or a foreign version: upgrade",
    ),
}
