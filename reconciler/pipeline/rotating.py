"""A new key for the reconciler, such that all that the old one signed stays verifiable.

The log says when which key was in force (``audit.rotation``): change sets of older intents are verified with
the key of their time, records on members are believed from older keys until the next apply renews them, and
whoever knows only the first key follows the log to the present one. After a compromise the records of all
older keys are believed no more; after a loss the old key signs nothing, so readers are told by hand.
"""

from __future__ import annotations

from dataclasses import dataclass

from reconciler.audit.entry import RotationReason
from reconciler.audit.log import Log
from reconciler.audit.note import VerifierKey
from reconciler.audit.rotation import rotated
from reconciler.audit.state import LogState
from reconciler.model import Signer
from reconciler.trust.errors import RotationError


@dataclass(frozen=True, slots=True)
class Rotation:
    """The rotation at ``index`` of the log; ``old`` and ``new`` are vkeys."""

    index: int
    old: str
    new: str


def rotation_to(state: LogState, vkey: str) -> Rotation | None:
    """The rotation that put ``vkey`` in force, if it still is: then only what comes after it is left."""
    if len(state.keys) < 2 or state.keys[-1].vkey != vkey:
        return None
    return Rotation(state.keys[-1].since, state.keys[-2].vkey, vkey)


def rotate_key(log: Log, new: Signer, *, actor: str, reason: RotationReason, old: Signer | None) -> Rotation:
    """Put ``new`` in force; ``log`` was opened with ``old`` or, where that was lost (None), with ``new``.

    Nothing is written when this raises RotationError, or AuditError other than LogUncertainError.
    """
    state = log.state()
    new_key = str(VerifierKey(log.origin, new.public_key))
    old_key = str(VerifierKey(log.origin, old.public_key)) if old else state.public_key
    require_replaceable(state)
    _require_succession(state, old_key, new_key)
    entry = rotated(
        log.origin, old_key, new, actor=actor, reason=reason, index=log.size, root=log.root, old_signer=old
    )
    return Rotation(log.rotate(entry, new), old_key, new_key)


def require_replaceable(state: LogState) -> None:
    """The log has a key. Raises RotationError."""
    if not state.keys:
        raise RotationError(
            "the log names no key yet",
            hint="`fleetward trust init` starts it; before that, just use another key",
        )


def _require_succession(state: LogState, old: str, new: str) -> None:
    if old != state.public_key:
        raise RotationError(
            "the key to replace is not the log's present key", expected=state.public_key, got=old,
            hint="use the present key: `fleetward key show` says which one it is and since when",
        )  # fmt: skip
    if new in {key.vkey for key in state.keys}:
        raise RotationError(
            "the new key was in use before", got=new, hint="make another; each key has one time in the log"
        )
