"""The log's checkpoint under its witnesses' cosignatures.

Rules: what is cosigned is durable and published before anybody is asked, and everybody is asked at once,
so a slow or dead witness costs ``timeout`` at the end of a run and nothing else; it is shown. All are asked
each time, also who cosigned already: only so does a log that was rolled back to a cosigned state show. The
cosignatures are published under the same checkpoint by the store's compare-and-swap, or not at all if
another writer has moved the log. A witness that saw another tree, or more entries than the log has by any
writer, raises an alarm; then nothing is published.

What a witness cosigned last is read from the last cosigned checkpoint or asked from it: nothing is kept.

Worked example::

    log.append([...])
    report = cosign(log, policy, clock=clock)                 # blocks: call it in a thread
    report.satisfied, [str(row.error) for row in report.missing]
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TypeVar

from reconciler.audit.checkpoint import parse_checkpoint_text
from reconciler.audit.codes import (
    CosignatureError,
    WitnessAheadError,
    WitnessError,
    WitnessForkError,
)
from reconciler.audit.cosignature import Cosignature, CosignatureKey, cosignatures, with_cosignatures
from reconciler.audit.log import Log
from reconciler.audit.note import parse_note
from reconciler.audit.witness import SizeConflictError, Submission, cosignature_of
from reconciler.audit.witness_policy import Witness, WitnessPolicy
from reconciler.audit.witnessed import WitnessReport, WitnessRow, row_of, witnessed
from reconciler.errors import AuditError
from reconciler.model import Clock

TIMEOUT = 5.0  # seconds, for all witnesses together
RENEW = timedelta(hours=1)  # a cosignature that is younger than this is not replaced by a newer one
_Result = TypeVar("_Result")
_Answer = Cosignature | WitnessError | CosignatureError | WitnessForkError
_Answers = Mapping[Witness, _Answer]


def cosign(log: Log, policy: WitnessPolicy, *, clock: Clock, timeout: float = TIMEOUT) -> WitnessReport:
    """Ask every witness that has a URL, and publish what they signed; who did and who did not, and why.

    Raises WitnessForkError or WitnessAheadError (the alarm), CosignatureError if the published checkpoint
    has a wrong cosignature, and what reading the log raises; never for a witness that does not answer.
    """
    before = witnessed(log.checkpoint, policy, clock())
    asked = [witness for witness in policy.witnesses if witness.url]
    if not log.checkpoint or not asked:
        return before
    answers = _run(_ask_all(log, asked, timeout))
    _require_unforked(log, answers)
    return _publish(log, policy, answers, clock())


def _run(work: Coroutine[object, object, _Result]) -> _Result:
    """``asyncio.run``, but without waiting at its end for a name server that does not answer."""
    loop = asyncio.new_event_loop()
    try:
        return loop.run_until_complete(work)
    finally:
        loop.close()


async def _ask_all(log: Log, witnesses: Sequence[Witness], seconds: float) -> dict[Witness, _Answer]:
    import ssl

    import aiohttp

    submission = Submission(
        with_cosignatures(log.checkpoint, log.origin, ()), log.size, log.consistency_proof
    )
    known = _cosigned_sizes(log, [witness.key for witness in witnesses])
    async with aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0, ssl=ssl.create_default_context()),
        cookie_jar=aiohttp.DummyCookieJar(), auto_decompress=False, headers={"User-Agent": "fleetward"},
    ) as session:  # fmt: skip
        work = [
            cosignature_of(session, witness, submission, old=known.get(witness.key, 0), seconds=seconds)
            for witness in witnesses
        ]
        results = await asyncio.gather(*work, return_exceptions=True)
    return dict(zip(witnesses, map(_answer, results), strict=True))


def _answer(result: Cosignature | BaseException) -> _Answer:
    if isinstance(result, Cosignature | WitnessError | CosignatureError | WitnessForkError):
        return result
    raise result


def _cosigned_sizes(log: Log, keys: Sequence[CosignatureKey]) -> dict[CosignatureKey, int]:
    """The sizes that witnesses cosigned last, as far as this log has seen them; a guess."""
    try:
        found = cosignatures(log.cosigned, keys) if log.cosigned else {}
    except CosignatureError:
        return {}
    return dict.fromkeys(found, parse_checkpoint_text(parse_note(log.cosigned).text).size) if found else {}


def _require_unforked(log: Log, answers: _Answers) -> None:
    for answer in answers.values():
        if isinstance(answer, WitnessForkError):
            raise answer
    ahead = {w: a.size for w, a in answers.items() if isinstance(a, SizeConflictError) and a.size > log.size}
    # Another writer may have appended and asked since this log was opened: that is no alarm.
    if ahead and max(ahead.values()) > (published := log.published_size()):
        witness = max(ahead, key=lambda each: ahead[each])
        raise WitnessAheadError(
            "a witness cosigned more entries of this log than it has: it was lost or rolled back",
            where=str(witness), expected=f"at least {ahead[witness]} entries", got=str(published),
            hint="apply nothing and start no new log; restore the newest copy of this one",
        )  # fmt: skip


def _publish(log: Log, policy: WitnessPolicy, answers: _Answers, now: datetime) -> WitnessReport:
    old = cosignatures(log.checkpoint, [witness.key for witness in policy.witnesses])
    rows, chosen = list[WitnessRow](), list[Cosignature]()
    for witness in policy.witnesses:
        row, cosignature = _choose(witness, old.get(witness.key), answers.get(witness), now)
        rows.append(row)
        chosen += [cosignature] if cosignature else []
    report = WitnessReport(log.size, policy.quorum, tuple(rows))
    if all(old.get(one.key) == one for one in chosen):
        return report
    try:
        log.publish_cosigned(with_cosignatures(log.checkpoint, log.origin, chosen))
    except AuditError as error:
        return replace(report, unpublished=error)
    return report


def _choose(
    witness: Witness, old: Cosignature | None, answer: _Answer | None, now: datetime
) -> tuple[WitnessRow, Cosignature | None]:
    """The row of a witness, and the cosignature that belongs under the checkpoint."""
    if not isinstance(answer, Cosignature):
        return replace(row_of(witness, old.time if old else 0, now), error=answer), old
    row = row_of(witness, answer.time, now)
    if row.error:
        return replace(row_of(witness, old.time if old else 0, now), error=row.error), old
    if old and answer.time - old.time < RENEW.total_seconds():
        return row_of(witness, old.time, now), old
    return row, answer
