"""DSSE v1 envelopes (github.com/secure-systems-lab/dsse), signed with Ed25519: change sets and records.

Rules:
- What is signed is the pre-authentication encoding of type and payload, never JSON: nothing is parsed before
  a signature over its bytes holds.
- An envelope has one form: canonical JSON (sorted keys, no spaces), standard base64. Any other spelling of
  the same envelope is refused, so its digest names it.
- ``keyid`` is a hint that nothing depends on; all known keys are tried.

>>> pae("http://example.com/HelloWorld", b"hello world")
b'DSSEv1 29 http://example.com/HelloWorld 11 hello world'
"""

import base64
import hashlib
from collections.abc import Iterable
from typing import Any, Final

import orjson
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from reconciler.errors import TrustError
from reconciler.model import Signer

MAX_ENVELOPE: Final = 64 << 20  # bytes; 100,000 changes are about 40 MiB
MAX_SIGNATURES: Final = 16
_SPKI = bytes.fromhex("302a300506032b6570032100")  # what comes before the 32 bytes (RFC 8410)


class EnvelopeError(TrustError):
    """Bytes that are not a DSSE envelope as we write it."""

    code = "FW1230"


class EnvelopeSignatureError(TrustError):
    """An envelope that none of the known keys signed."""

    code = "FW1231"


class PayloadTypeError(TrustError):
    """A well signed envelope of another type."""

    code = "FW1232"


def key_id(public_key: bytes) -> str:
    """ "sha256:<hex>" of the SubjectPublicKeyInfo of 32 raw bytes."""
    return "sha256:" + hashlib.sha256(_SPKI + public_key).hexdigest()


def pae(payload_type: str, payload: bytes) -> bytes:
    """The bytes that are signed: "DSSEv1 LEN(type) type LEN(payload) payload", lengths in decimal."""
    kind = payload_type.encode()
    return b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(payload), payload)


def canonical(value: Any) -> bytes:
    """``value`` as canonical JSON: sorted keys, no spaces, UTF-8."""
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)


def digest(data: bytes) -> str:
    """ "sha256:<hex>" of ``data``."""
    return "sha256:" + hashlib.sha256(data).hexdigest()


def sign(payload_type: str, payload: bytes, signer: Signer) -> bytes:
    """The envelope of ``payload`` with one signature, as canonical JSON."""
    signature = signer.sign(pae(payload_type, payload))
    return canonical(
        {
            "payload": base64.b64encode(payload).decode(),
            "payloadType": payload_type,
            "signatures": [{"keyid": key_id(signer.public_key), "sig": base64.b64encode(signature).decode()}],
        }
    )


def verify(envelope: bytes, payload_type: str, public_keys: Iterable[bytes]) -> bytes:
    """The payload, once one of ``public_keys`` (32 raw bytes each) has signed it as ``payload_type``.

    Steps: 1. bounds and form; 2. a signature by a known key; 3. the type.
    Raises EnvelopeError, EnvelopeSignatureError, PayloadTypeError.
    """
    kind, payload, signatures = _parse(envelope)
    keys = [Ed25519PublicKey.from_public_bytes(key) for key in public_keys]
    message = pae(kind, payload)
    if not any(_matches(key, signature, message) for key in keys for signature in signatures):
        hint = "check that the public key is that of the reconciler which made it; else treat it as forged"
        raise EnvelopeSignatureError("no known key signed this envelope", hint=hint)
    if kind != payload_type:
        raise PayloadTypeError("envelope is of another type", expected=payload_type, got=kind)
    return payload


def _parse(envelope: bytes) -> tuple[str, bytes, list[bytes]]:
    """(payload type, payload, signatures)."""
    if len(envelope) > MAX_ENVELOPE:
        raise _malformed(f"{len(envelope)} bytes")
    try:
        value = orjson.loads(envelope)
        # A key that occurs twice, another order or spacing all show as a difference here.
        if canonical(value) != envelope:
            raise _malformed("JSON that is not canonical")
        kind, payload, signatures = _fields(value)
    except orjson.JSONDecodeError as error:
        raise _malformed("no JSON") from error
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise _malformed("fields that are missing, of another type, or unknown") from error
    return kind, payload, signatures


def _fields(value: Any) -> tuple[str, bytes, list[bytes]]:
    if value.keys() != {"payload", "payloadType", "signatures"}:
        raise KeyError
    kind, signatures = value["payloadType"], value["signatures"]
    if not isinstance(kind, str) or not isinstance(signatures, list):
        raise TypeError
    if not 1 <= len(signatures) <= MAX_SIGNATURES or len(kind) > 256 or not kind.isprintable():
        raise ValueError
    if any(entry.keys() != {"keyid", "sig"} or not isinstance(entry["keyid"], str) for entry in signatures):
        raise KeyError
    return kind, _base64(value["payload"]), [_base64(entry["sig"]) for entry in signatures]


def _base64(text: Any) -> bytes:
    if not isinstance(text, str):
        raise TypeError
    data = base64.b64decode(text, validate=True)
    if base64.b64encode(data).decode() != text:
        raise ValueError
    return data


def _matches(key: Ed25519PublicKey, signature: bytes, message: bytes) -> bool:
    try:
        key.verify(signature, message)
    except InvalidSignature:
        return False
    return True


def _malformed(got: str) -> EnvelopeError:
    hint = "use the envelope as it was written, unchanged"
    return EnvelopeError("not a DSSE envelope of ours", got=got, hint=hint)
