"""C2SP tlog-checkpoint: the signed tree head.

Rules: origin, size without leading zeros, base64 root of 32 bytes, then extension lines that are not
empty; the origin must be the one that the reader expects, so that no other log's head passes.

>>> Checkpoint("log.example", 0, bytes(32)).text()
'log.example\\n0\\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\\n'
>>> parse_checkpoint_text(_) == Checkpoint("log.example", 0, bytes(32))
True
"""

from __future__ import annotations

import base64
import re
from collections.abc import Sequence
from dataclasses import dataclass

from reconciler.audit.codes import LogFormatError, LogSignatureError
from reconciler.audit.merkle import HASH_SIZE
from reconciler.audit.note import VerifierKey, decode_base64, open_note, sign_note
from reconciler.model import Signer

PATH = "checkpoint"
MAX_SIZE = (1 << 63) - 1
_SIZE = re.compile(r"0|[1-9][0-9]{0,18}")


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A tree head of ``origin``: ``size`` leaves, 32-byte ``root``."""

    origin: str
    size: int
    root: bytes
    extensions: tuple[str, ...] = ()

    def text(self) -> str:
        """The note text that is signed."""
        lines = (self.origin, str(self.size), base64.b64encode(self.root).decode(), *self.extensions)
        return "".join(f"{line}\n" for line in lines)


def parse_checkpoint_text(text: str) -> Checkpoint:
    """Raises LogFormatError."""
    lines = text.split("\n")
    if len(lines) < 4 or lines.pop() or not all(lines):
        raise LogFormatError("not a checkpoint", expected="origin, size and root, one a line")
    if not _SIZE.fullmatch(lines[1]) or int(lines[1]) > MAX_SIZE:
        raise LogFormatError("a checkpoint's size is not a number", got=repr(lines[1][:40]))
    root = decode_base64(lines[2], "a checkpoint's root")
    if len(root) != HASH_SIZE:
        raise LogFormatError(
            "a checkpoint's root has the wrong length", expected="32 bytes", got=str(len(root))
        )
    return Checkpoint(lines[0], int(lines[1]), root, tuple(lines[3:]))


def open_checkpoint(data: bytes, origin: str, keys: Sequence[VerifierKey]) -> Checkpoint:
    """The verified checkpoint of ``origin``. Raises LogFormatError or LogSignatureError."""
    checkpoint = parse_checkpoint_text(open_note(data, keys).text)
    if checkpoint.origin != origin:
        raise LogSignatureError(
            "the checkpoint is of another log", expected=origin, got=checkpoint.origin[:200],
            hint="point to this fleet's own log, or correct the configured origin",
        )  # fmt: skip
    return checkpoint


def sign_checkpoint(checkpoint: Checkpoint, signer: Signer) -> bytes:
    """The checkpoint as a note signed under the origin's name."""
    return sign_note(checkpoint.text(), checkpoint.origin, signer)
