"""The record's DSSE envelope: what cannot be believed is a RecordError, whatever is wrong with it.

>>> unseal(b"{}", [])
Traceback (most recent call last):
...
reconciler.member.errors.RecordError: FW1720: the record on the member cannot be believed...
"""

from __future__ import annotations

from collections.abc import Sequence

from reconciler import dsse
from reconciler.errors import TrustError
from reconciler.member import errors
from reconciler.model import Signer

RECORD_TYPE = "application/vnd.fleetward.record+json"


def seal(payload: bytes, signer: Signer) -> bytes:
    """The envelope's JSON with one signature."""
    return dsse.sign(RECORD_TYPE, payload, signer)


def unseal(envelope: bytes, public_keys: Sequence[bytes]) -> bytes:
    """The payload, when one of the keys signed it as a record. Raises RecordError."""
    try:
        return dsse.verify(envelope, RECORD_TYPE, public_keys)
    except TrustError as error:
        raise distrust(error.message) from error


def distrust(reason: str) -> errors.RecordError:
    """The error for a record that cannot be believed."""
    return errors.RecordError("the record on the member cannot be believed", got=reason)
