"""C2SP tlog-proof: one file that shows offline that an entry is in the log.

Rules: header, optional ``extra`` (never authenticated), index, the RFC 6962 path one hash a line, a
blank line, the checkpoint as it was signed. ``check_proof`` needs the entry's bytes and the log's key
and nothing else; it raises ``ProofError``, ``LogSignatureError`` or ``LogFormatError``.

>>> print(format_proof(Proof(3, (bytes(32),), b"checkpoint\\n")).decode(), end="")
c2sp.org/tlog-proof@v1
index 3
AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=
<BLANKLINE>
checkpoint
"""

from __future__ import annotations

import base64
import re
from collections.abc import Sequence
from dataclasses import dataclass

from reconciler.audit.checkpoint import open_checkpoint
from reconciler.audit.codes import LogFormatError
from reconciler.audit.merkle import HASH_SIZE, check_inclusion, leaf_hash
from reconciler.audit.note import VerifierKey, decode_base64

HEADER = "c2sp.org/tlog-proof@v1"
MAX_PROOF = 2 << 20  # bytes
_INDEX = re.compile(r"index (0|[1-9][0-9]{0,18})")


@dataclass(frozen=True, slots=True)
class Proof:
    """Entry ``index`` is in the tree of ``checkpoint`` (a signed note) by ``path``."""

    index: int
    path: tuple[bytes, ...]
    checkpoint: bytes
    extra: bytes = b""  # not authenticated


def format_proof(proof: Proof) -> bytes:
    """The proof as a ``.tlog-proof`` file."""
    lines = [HEADER]
    if proof.extra:
        lines.append(f"extra {base64.b64encode(proof.extra).decode()}")
    lines.append(f"index {proof.index}")
    lines += [base64.b64encode(value).decode() for value in proof.path]
    return "".join(f"{line}\n" for line in (*lines, "")).encode() + proof.checkpoint


def parse_proof(data: bytes) -> Proof:
    """Raises LogFormatError; nothing is verified."""
    head, blank, checkpoint = data.partition(b"\n\n")
    try:
        lines = head.decode("ascii").split("\n") if len(data) <= MAX_PROOF and blank else [""]
    except UnicodeDecodeError:
        lines = [""]
    if lines.pop(0) != HEADER:
        raise LogFormatError("not a tlog-proof", expected=f"a first line {HEADER}")
    extra = b""
    if lines and lines[0].startswith("extra "):
        extra = decode_base64(lines.pop(0)[6:], "a proof's extra data")
    index = _INDEX.fullmatch(lines.pop(0)) if lines else None
    if not index:
        raise LogFormatError("a proof without its index", expected="index <number>")
    return Proof(int(index[1]), tuple(_hash(line) for line in lines), checkpoint, extra)


def _hash(line: str) -> bytes:
    value = decode_base64(line, "a proof's hash")
    if len(value) != HASH_SIZE:
        raise LogFormatError("a proof's hash has the wrong length", expected="32 bytes", got=str(len(value)))
    return value


def check_proof(data: bytes, entry: bytes, origin: str, keys: Sequence[VerifierKey]) -> int:
    """The index at which ``entry`` (its exact bytes) stands in the log of ``origin``."""
    proof = parse_proof(data)
    checkpoint = open_checkpoint(proof.checkpoint, origin, keys)
    check_inclusion(leaf_hash(entry), proof.index, checkpoint.size, proof.path, checkpoint.root)
    return proof.index
