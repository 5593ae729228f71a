"""C2SP tlog-witness: one witness is asked over HTTP to cosign a checkpoint.

Rules: POST to ``<submission prefix>/add-checkpoint`` the size that the witness cosigned last, an RFC 6962
consistency proof from there, and the checkpoint. 200 has signature lines; 409 has the size that it really
was, which is tried once; 422 says that the proof leads elsewhere: **the witness saw another tree**. Answers
are bounded in bytes and time, redirects are not followed, lines by other keys are ignored, and nothing is
believed but a cosignature that the configured key verifies.

>>> print(request_body(2, [bytes(32)], b"<checkpoint>").decode())
old 2
AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=
<BLANKLINE>
<checkpoint>
>>> parse_size(b"20852014\\n")
20852014
"""

from __future__ import annotations

import asyncio
import base64
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from reconciler.audit.checkpoint import MAX_SIZE
from reconciler.audit.codes import (
    LogFormatError,
    WitnessAnswerError,
    WitnessError,
    WitnessForkError,
    WitnessRefusedError,
)
from reconciler.audit.cosignature import Cosignature, answered_cosignature
from reconciler.audit.witness_policy import Witness

if TYPE_CHECKING:
    from aiohttp import ClientResponse, ClientSession

MAX_ANSWER = 64 << 10  # bytes
_SIZE_TYPE = "text/x.tlog.size"
_SIZE = re.compile(rb"(0|[1-9][0-9]{0,18})\n")
_PROTOCOL = "check the URL (the submission prefix); else ask the witness's operator"


class SizeConflictError(WitnessAnswerError):
    """409: the witness cosigned ``size`` entries last, not what we said."""

    def __init__(self, url: str, said: int, size: int) -> None:
        super().__init__(
            "the witness cosigned another size last; somebody else submits this log's checkpoints",
            where=url, expected=str(said), got=str(size), hint="run again when no other run is at work",
        )  # fmt: skip
        self.size = size


@dataclass(frozen=True, slots=True)
class Submission:
    """A checkpoint of ``size`` entries as the log signed it; ``prove`` gives the proof from an older size."""

    checkpoint: bytes
    size: int
    prove: Callable[[int], Sequence[bytes]]


def request_body(old: int, proof: Sequence[bytes], checkpoint: bytes) -> bytes:
    """The body of ``add-checkpoint``; ``proof`` are 32-byte hashes."""
    lines = [f"old {old}", *(base64.b64encode(value).decode() for value in proof), ""]
    return "".join(f"{line}\n" for line in lines).encode() + checkpoint


def parse_size(body: bytes) -> int:
    """The size in the body of a 409. Raises LogFormatError."""
    found = _SIZE.fullmatch(body)
    if not found or int(found[1]) > MAX_SIZE:
        raise LogFormatError("not a tree size", got=repr(body[:40]))
    return int(found[1])


async def cosignature_of(
    session: ClientSession, witness: Witness, submission: Submission, *, old: int, seconds: float
) -> Cosignature:
    """The witness's verified cosignature, in at most ``seconds``; ``old`` is a guess.

    Raises WitnessError (also SizeConflictError), CosignatureError, WitnessForkError, and what ``prove``
    raises.
    """
    try:
        async with asyncio.timeout(seconds):
            lines = await _submit(session, witness.url, submission, old)
    except TimeoutError as error:
        raise WitnessError(
            f"the witness gave no answer within {seconds:g} s", where=witness.url,
            hint="nothing waited for it; the next run asks again",
        ) from error  # fmt: skip
    try:
        found = answered_cosignature(submission.checkpoint, lines, witness.key)
    except LogFormatError as error:
        raise _protocol_error(witness.url, f"the answer is not signature lines: {error.message}") from error
    if found is None:
        raise WitnessAnswerError(
            "the witness did not sign with the key that is configured", where=witness.url,
            expected=f"a signature by {witness.key.name}+{witness.key.key_id:08x}",
            hint="compare its verifier key with what its operator publishes",
        )  # fmt: skip
    return found


async def _submit(session: ClientSession, url: str, submission: Submission, old: int) -> bytes:
    checkpoint, prove = submission.checkpoint, submission.prove
    try:
        return await add_checkpoint(session, url, old, prove(old), checkpoint)
    except SizeConflictError as conflict:
        if conflict.size > submission.size:
            raise
        return await add_checkpoint(session, url, conflict.size, prove(conflict.size), checkpoint)


async def add_checkpoint(
    session: ClientSession, url: str, old: int, proof: Sequence[bytes], checkpoint: bytes
) -> bytes:
    """One request; the signature lines of the answer, not verified.

    ``session`` must not decompress. Raises WitnessError and below, or WitnessForkError for a 422.
    """
    from aiohttp import ClientError
    from yarl import URL

    target = URL(f"{url.rstrip('/')}/add-checkpoint")
    body = request_body(old, proof, checkpoint)
    try:
        async with session.post(target, data=body, allow_redirects=False) as response:
            answer = await _read(response, url)
    except (ClientError, OSError, ValueError) as error:
        if isinstance(error, TimeoutError):
            raise
        raise WitnessError(
            f"the witness cannot be reached: {error or type(error).__name__}", where=url,
            hint="check the URL and the connection; nothing waited for it, and the next run asks again",
        ) from error  # fmt: skip
    if response.status == 200:
        return answer
    raise _refusal(url, response.status, response.content_type, old, answer)


async def _read(response: ClientResponse, url: str) -> bytes:
    body = b""
    async for part in response.content.iter_any():
        body += part
        if len(body) > MAX_ANSWER:
            response.close()
            raise _protocol_error(url, f"the answer is longer than {MAX_ANSWER} bytes")
    return body


def _refusal(url: str, status: int, content_type: str, old: int, body: bytes) -> Exception:
    text = " ".join(body[:200].decode(errors="replace").split())
    said = f"{status} {''.join(c for c in text if c.isprintable())}"
    if status == 409 and content_type == _SIZE_TYPE:
        try:
            return SizeConflictError(url, old, parse_size(body))
        except LogFormatError as error:
            return _protocol_error(url, f"a conflict without a size: {error.got}")
    if status == 422:
        return WitnessForkError(
            f"the witness cosigned another tree than this log's first {old} entries", where=url,
            got=said, hint="apply nothing; find out who wrote the other branch of the log",
        )  # fmt: skip
    if status in (400, 403, 404):
        return WitnessRefusedError(
            "the witness does not cosign this log", where=url, got=said,
            hint="have its operator register the log's origin and public key",
        )  # fmt: skip
    if status == 429 or status >= 500:
        return WitnessError(
            "the witness is at fault or overloaded", where=url, got=said, hint="the next run asks again"
        )
    return _protocol_error(url, f"an answer of status {said}")


def _protocol_error(url: str, what: str) -> WitnessAnswerError:
    return WitnessAnswerError(what, where=url, expected="as C2SP tlog-witness says", hint=_PROTOCOL)
