"""Evidence about one entry for people who have nothing but the log's public key.

Rules: evidence is two files: the entry's exact bytes, and a C2SP ``.tlog-proof`` that leads from them to the
signed checkpoint. What is handed out was checked first, as its reader will check it. ``check`` needs no log,
no state and no settings; it raises and never returns a falsy value.

Worked example::

    evidence = gather(view, latest_outcome(view, "member-a"))
    check(evidence.proof, evidence.entry, [evidence.key]).index      # 7
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from reconciler.audit.checkpoint import Checkpoint, open_checkpoint
from reconciler.audit.codes import EntryError, LogSignatureError, NotLoggedError
from reconciler.audit.entry import Entry, Intent, decode, is_digest
from reconciler.audit.note import VerifierKey, parse_note
from reconciler.audit.proof import check_proof, parse_proof
from reconciler.audit.view import LogView


@dataclass(frozen=True, slots=True)
class Evidence:
    """The two files' contents, and the key that they are checked with."""

    index: int
    proof: bytes
    entry: bytes
    key: VerifierKey


@dataclass(frozen=True, slots=True)
class Proven:
    """``entry`` stands at ``index`` of the log of ``checkpoint``; None if this version cannot read it."""

    index: int
    checkpoint: Checkpoint
    entry: Entry | None


def gather(log: LogView, index: int) -> Evidence:
    """Evidence for the entry at ``index``. Raises NotLoggedError, LogDamagedError, ProofError."""
    require_index(log, index)
    evidence = Evidence(index, log.proof(index), log.raw(index), signing_key(log))
    check(evidence.proof, evidence.entry, [evidence.key])
    return evidence


def check(proof: bytes, entry: bytes, keys: Sequence[VerifierKey]) -> Proven:
    """What the proof proves of the entry's bytes, for one of ``keys``, which are of one log.

    Raises LogFormatError, LogSignatureError or ProofError.
    """
    origin = keys[0].name if keys else ""
    index = check_proof(proof, entry, origin, keys)
    checkpoint = open_checkpoint(parse_proof(proof).checkpoint, origin, keys)
    try:
        return Proven(index, checkpoint, decode(entry))
    except EntryError:
        return Proven(index, checkpoint, None)


def signing_key(log: LogView) -> VerifierKey:
    """The key of the log that signed its checkpoint. Raises LogSignatureError."""
    signed = {(line.name, line.key_id) for line in parse_note(log.checkpoint).signatures}
    for key in log.keys:
        if (key.name, key.key_id) in signed:
            return key
    raise LogSignatureError("no known key signed the checkpoint", hint="name the log's public key")


def require_index(log: LogView, index: int) -> int:
    """``index``, where the log has an entry. Raises NotLoggedError."""
    if 0 <= index < log.size:
        return index
    expected = f"an index from 0 to {log.size - 1}" if log.size else "an index; the log is empty"
    raise NotLoggedError("the log has no such entry", expected=expected, got=str(index))


def latest_outcome(log: LogView, cluster: str) -> int:
    """The index of the cluster's last outcome. Raises NotLoggedError."""
    last = log.state().cluster(cluster).outcome
    if last is None:
        raise NotLoggedError(
            "the log has no outcome of this cluster", got=cluster,
            hint="see which clusters it speaks of with `fleetward audit log --kind outcome`",
        )  # fmt: skip
    return last.index


def intent_of(log: LogView, change_set: str) -> int:
    """The index of the newest intent of the change set ``sha256:<hex>``. Raises NotLoggedError."""
    mark = b'"changeSet":"%s"' % change_set.encode(errors="replace")
    for index in range(log.size - 1, -1, -1) if is_digest(change_set) else ():
        data = log.raw(index)
        if mark in data and isinstance(entry := decode(data), Intent) and entry.change_set == change_set:
            return index
    raise NotLoggedError(
        "the log has no intent of this change set", expected="sha256:<64 hex digits> of one that it has",
        got=change_set[:80],
    )  # fmt: skip
