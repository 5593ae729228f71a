"""DSSE envelopes (secure-systems-lab/dsse, protocol v1) for the record, Ed25519.

>>> pae("t", b"abc")
b'DSSEv1 1 t 3 abc'
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Sequence

import orjson

from reconciler.member import errors
from reconciler.model import Signer

RECORD_TYPE = "application/vnd.fleetward.record+json"


def pae(payload_type: str, payload: bytes) -> bytes:
    """DSSE's pre-authentication encoding: what is really signed."""
    kind = payload_type.encode()
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)


def seal(payload: bytes, signer: Signer) -> bytes:
    """The envelope's JSON with one signature."""
    signature = signer.sign(pae(RECORD_TYPE, payload))
    return orjson.dumps(
        {
            "payload": base64.b64encode(payload).decode(),
            "payloadType": RECORD_TYPE,
            "signatures": [
                {
                    "keyid": hashlib.sha256(signer.public_key).hexdigest(),
                    "sig": base64.b64encode(signature).decode(),
                }
            ],
        }
    )


def unseal(envelope: bytes, public_keys: Sequence[bytes]) -> bytes:
    """The payload, when one of the keys signed it. Raises RecordError."""
    try:
        value = orjson.loads(envelope)
        payload = base64.b64decode(value["payload"], validate=True)
        signatures = [base64.b64decode(item["sig"], validate=True) for item in value["signatures"]]
        payload_type = value["payloadType"]
    except (orjson.JSONDecodeError, binascii.Error, KeyError, TypeError, ValueError) as error:
        raise distrust("it is not a DSSE envelope") from error
    if payload_type != RECORD_TYPE:
        raise distrust(f"its payload type is not {RECORD_TYPE}")
    message = pae(RECORD_TYPE, payload)
    if not any(_signed(key, signature, message) for key in public_keys for signature in signatures[:8]):
        raise distrust("no trusted key signed it")
    return payload


def _signed(key: bytes, signature: bytes, message: bytes) -> bool:
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    try:
        Ed25519PublicKey.from_public_bytes(key).verify(signature, message)
    except InvalidSignature:
        return False
    return True


def distrust(reason: str) -> errors.RecordError:
    """The error for a record that cannot be believed."""
    return errors.RecordError(
        "the record on the member cannot be believed", got=reason, hint=errors.CODES["FW1720"][1]
    )
