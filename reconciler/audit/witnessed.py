"""Who cosigned a checkpoint, held against the policy.

Rules: a cosignature that is wrong refuses the checkpoint; one from the future does not count; the rest
count, however old. Whoever reads the log can require the policy: ``require_witnessed`` asks nobody.

Worked example::

    policy = WitnessPolicy.of([("witness.example/w1+65709b2d+BPUI...", "https://w1.example")], quorum=1)
    report = witnessed(view.checkpoint, policy, now)
    [(str(row.witness), row.time) for row in report.rows]      # [("witness.example/w1", 2026-01-31 ...)]
    require_witnessed(view, policy, now)                       # raises NotWitnessedError below the quorum
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from reconciler.audit.checkpoint import parse_checkpoint_text
from reconciler.audit.codes import NotWitnessedError, WitnessAnswerError
from reconciler.audit.cosignature import cosignatures
from reconciler.audit.note import parse_note
from reconciler.audit.view import LogView
from reconciler.audit.witness_policy import Witness, WitnessPolicy
from reconciler.errors import AuditError

MAX_SKEW = timedelta(minutes=5)  # a witness's clock may be this much ahead of ours


@dataclass(frozen=True, slots=True)
class WitnessRow:
    """One witness: when it cosigned (UTC), and why it did not or did not do so now."""

    witness: Witness
    time: datetime | None = None
    error: AuditError | None = None


@dataclass(frozen=True, slots=True)
class WitnessReport:
    """Who cosigned a checkpoint of ``size`` entries; one row a witness, in the policy's order.

    ``unpublished`` is why the cosignatures that were collected are not in the store.
    """

    size: int
    quorum: int
    rows: tuple[WitnessRow, ...]
    unpublished: AuditError | None = None

    @property
    def cosigned(self) -> tuple[WitnessRow, ...]:
        """Those whose cosignature counts."""
        return tuple(row for row in self.rows if row.time is not None)

    @property
    def missing(self) -> tuple[WitnessRow, ...]:
        """The others."""
        return tuple(row for row in self.rows if row.time is None)

    @property
    def satisfied(self) -> bool:
        """The policy's quorum is reached."""
        return len(self.cosigned) >= self.quorum


def witnessed(checkpoint: bytes, policy: WitnessPolicy, now: datetime) -> WitnessReport:
    """Who of the policy cosigned ``checkpoint``, whose own signature the caller has verified.

    Raises CosignatureError if a known witness's cosignature is wrong, LogFormatError if it is no checkpoint.
    b"", the checkpoint of a log that was never written, has no cosignatures.
    """
    if not checkpoint:
        return WitnessReport(0, policy.quorum, tuple(WitnessRow(witness) for witness in policy.witnesses))
    found = cosignatures(checkpoint, [witness.key for witness in policy.witnesses])
    rows = tuple(
        row_of(witness, found[witness.key].time if witness.key in found else 0, now)
        for witness in policy.witnesses
    )
    return WitnessReport(parse_checkpoint_text(parse_note(checkpoint).text).size, policy.quorum, rows)


def row_of(witness: Witness, time: int, now: datetime) -> WitnessRow:
    """The row for a cosignature made at ``time`` (POSIX seconds, 0: none)."""
    if not time:
        return WitnessRow(witness)
    if time > (now + MAX_SKEW).timestamp():
        return WitnessRow(witness, error=from_the_future(witness, time, now))
    return WitnessRow(witness, datetime.fromtimestamp(time, UTC))


def from_the_future(witness: Witness, time: int, now: datetime) -> WitnessAnswerError:
    """The error for a cosignature that was made later than now."""
    return WitnessAnswerError(
        "a cosignature from the future does not count", where=str(witness),
        expected=f"at most {int((now + MAX_SKEW).timestamp())} (POSIX seconds)", got=str(time),
        hint="set this machine's clock; if it is right, the witness's is wrong",
    )  # fmt: skip


def require_witnessed(view: LogView, policy: WitnessPolicy, now: datetime) -> WitnessReport:
    """The report, if the log's checkpoint satisfies the policy.

    Raises NotWitnessedError, or CosignatureError.
    """
    report = witnessed(view.checkpoint, policy, now)
    if not report.satisfied:
        raise NotWitnessedError(
            "the log's checkpoint is not witnessed", where=view.origin,
            expected=str(policy),
            got=", ".join(str(row.witness) for row in report.cosigned) or "none",
            hint="run again when the witnesses answer; if they cosigned another tree, the log was forked",
        )  # fmt: skip
    return report
