"""A new key for the log, such that whoever knows only the first one can follow.

Rules: the entry carries a statement that names origin, both keys, the reason, its own index and the root of
the tree before it, as a C2SP signed note by the new key (which shows that it exists) and by the old one
(which is why it is believed). A statement so bound cannot be moved to another log or another place in it.
The checkpoint over the entry is signed by both keys; every later one by the new key alone. Nobody believes
a statement that a lost key did not sign: readers have to be told of the new key by hand.

>>> print(statement("o", "o+1+A", "o+2+B", "rotation", 7, bytes(32).hex()), end="")
fleetward.io/log-key-rotation/v1
o
o+1+A
o+2+B
rotation
7
0000000000000000000000000000000000000000000000000000000000000000
"""

from __future__ import annotations

from reconciler.audit.codes import LogFormatError, LogSignatureError
from reconciler.audit.entry import KeyRotated, RotationReason
from reconciler.audit.note import VerifierKey, open_note, signature_line
from reconciler.errors import AuditError
from reconciler.model import Signer

SCHEMA = "fleetward.io/log-key-rotation/v1"


def statement(origin: str, old: str, new: str, reason: str, index: int, root: str) -> str:
    """The note text that both keys sign; ``old`` and ``new`` are vkeys, ``root`` is hex."""
    return "".join(f"{line}\n" for line in (SCHEMA, origin, old, new, reason, index, root))


def note_signature(text: str, origin: str, signer: Signer) -> str:
    """One signature line under ``text``."""
    key_id = VerifierKey(origin, signer.public_key).key_id
    return signature_line(origin, key_id, signer.sign(text.encode()))


def rotated(
    origin: str, old_key: str, new: Signer, *, actor: str, reason: RotationReason, index: int, root: bytes,
    old_signer: Signer | None,
) -> KeyRotated:  # fmt: skip
    """The entry for ``index`` that replaces the key ``old_key`` (a vkey) by ``new``.

    ``old_signer`` is None only for a key that was lost. Raises LogFormatError.
    """
    new_key = str(VerifierKey(origin, new.public_key))
    text = statement(origin, old_key, new_key, reason, index, root.hex())
    signers = [new] if old_signer is None else [new, old_signer]
    lines = tuple(note_signature(text, origin, signer) for signer in signers)
    return KeyRotated(
        actor=actor, old_key=old_key, new_key=new_key, reason=reason, root=root.hex(), signatures=lines
    )


def rotation_note(entry: KeyRotated, index: int) -> bytes:
    """The entry's statement as a signed note, as other tools verify it. Raises LogFormatError."""
    origin = VerifierKey.parse(entry.new_key).name
    text = statement(origin, entry.old_key, entry.new_key, entry.reason, index, entry.root)
    return "\n".join((text, *entry.signatures, "")).encode()


def rotation_problem(entry: KeyRotated, index: int) -> str:
    """Why the entry's own signatures do not carry it at ``index``, "" if they do. Pure."""
    try:
        old, new = VerifierKey.parse(entry.old_key), VerifierKey.parse(entry.new_key)
        if old.name != new.name:
            return "its two keys are of different logs"
        note = rotation_note(entry, index)
        open_note(note, [new])
        if entry.reason is not RotationReason.LOSS:
            open_note(note, [old])
    except AuditError as error:
        return f"its statement does not hold: {error.message}"
    return ""


def require_current(checkpoint: bytes, public_key: str) -> None:
    """The checkpoint is signed by the key that the log names last. Raises LogSignatureError.

    A key that was replaced could otherwise go on with the log after its successor was named.
    """
    try:
        open_note(checkpoint, [VerifierKey.parse(public_key)])
    except (LogSignatureError, LogFormatError) as error:
        raise LogSignatureError(
            "the checkpoint is not signed by the key that the log's last rotation names",
            expected=public_key,
            hint="a replaced key went on writing: find out who has it, and restore the log's newest copy",
        ) from error
