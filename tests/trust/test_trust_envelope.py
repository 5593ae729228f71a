"""DSSE: the specification's own vector, and every way to disturb an envelope."""

import base64
import json

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.dsse import (
    EnvelopeError,
    EnvelopeSignatureError,
    PayloadTypeError,
    canonical,
    pae,
    sign,
    verify,
)
from reconciler.errors import TrustError
from reconciler.trust import ReconcilerKey

KEY = ReconcilerKey.from_seed(b"\x01" * 32)
OTHER = ReconcilerKey.from_seed(b"\x02" * 32)
KIND = "application/vnd.test+json"
GOOD = sign(KIND, b'{"a":1}', KEY)


def test_pae_is_the_specifications() -> None:
    """The vectors of github.com/secure-systems-lab/dsse, protocol.md; lengths count bytes, not characters."""
    assert pae("http://example.com/HelloWorld", b"hello world") == (
        b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
    )
    assert pae("", b"") == b"DSSEv1 0  0 "
    assert pae("é", "ü".encode()) == b"DSSEv1 2 \xc3\xa9 2 \xc3\xbc"


def test_an_envelope_read_by_hand() -> None:
    """What any other DSSE reader does, without our code."""
    envelope = json.loads(GOOD)
    payload = base64.b64decode(envelope["payload"])
    signature = base64.b64decode(envelope["signatures"][0]["sig"])
    message = b"DSSEv1 %d %s %d %s" % (len(KIND), KIND.encode(), len(payload), payload)
    Ed25519PublicKey.from_public_bytes(KEY.public_key).verify(signature, message)
    assert verify(GOOD, KIND, [OTHER.public_key, KEY.public_key]) == payload == b'{"a":1}'
    assert envelope["signatures"][0]["keyid"] == KEY.key_id


def test_only_known_keys_count() -> None:
    for keys in ([], [OTHER.public_key]):
        with pytest.raises(EnvelopeSignatureError, match="FW1231"):
            verify(GOOD, KIND, keys)
    lying = json.loads(sign(KIND, b"evil", OTHER))
    lying["signatures"][0]["keyid"] = KEY.key_id
    with pytest.raises(EnvelopeSignatureError):
        verify(canonical(lying), KIND, [KEY.public_key])


def test_another_type_is_refused() -> None:
    with pytest.raises(PayloadTypeError, match="FW1232"):
        verify(GOOD, "application/other", [KEY.public_key])


def changed(**fields: object) -> bytes:
    return canonical({**json.loads(GOOD), **fields})


SIGNATURE = json.loads(GOOD)["signatures"][0]


@pytest.mark.parametrize(
    ("envelope", "error"),
    [
        (b"", EnvelopeError),
        (b"[]", EnvelopeError),
        (b"null", EnvelopeError),
        (b"{}", EnvelopeError),
        (b"[" * 5000, EnvelopeError),
        (b"\xff", EnvelopeError),
        (GOOD + b"\n", EnvelopeError),
        (b" " + GOOD, EnvelopeError),
        (json.dumps(json.loads(GOOD)).encode(), EnvelopeError),
        (GOOD.replace(b'{"payload"', b'{"payload":"e30=","payload"'), EnvelopeError),
        (changed(extra=1), EnvelopeError),
        (changed(signatures=[]), EnvelopeError),
        (changed(signatures={}), EnvelopeError),
        (changed(signatures=[1]), EnvelopeError),
        (changed(signatures=[SIGNATURE] * 17), EnvelopeError),
        (changed(signatures=[{**SIGNATURE, "cert": "x"}]), EnvelopeError),
        (changed(signatures=[{**SIGNATURE, "keyid": 1}]), EnvelopeError),
        (changed(signatures=[{**SIGNATURE, "sig": "!"}]), EnvelopeError),
        (changed(signatures=[{**SIGNATURE, "sig": SIGNATURE["sig"].rstrip("=")}]), EnvelopeError),
        (changed(payload="eyJhIjoxfR=="), EnvelopeError),
        (changed(payload=None), EnvelopeError),
        (changed(payloadType="x\x1b"), EnvelopeError),
        (changed(payload="e30="), EnvelopeSignatureError),
        (changed(payloadType="application/other"), EnvelopeSignatureError),
        (changed(signatures=[{**SIGNATURE, "sig": ""}]), EnvelopeSignatureError),
    ],
)
def test_disturbed_envelopes(envelope: bytes, error: type[TrustError]) -> None:
    with pytest.raises(error) as caught:
        verify(envelope, KIND, [KEY.public_key])
    assert type(caught.value) is error


def test_one_good_signature_among_others_is_enough() -> None:
    both = [json.loads(sign(KIND, b'{"a":1}', key))["signatures"][0] for key in (OTHER, KEY)]
    assert verify(changed(signatures=both), KIND, [KEY.public_key]) == b'{"a":1}'


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_anything(data: bytes) -> None:
    with pytest.raises(TrustError) as caught:
        verify(data, KIND, [KEY.public_key])
    assert str(caught.value).isprintable()


@settings(deadline=None)
@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(max_size=5), st.lists))
def test_any_json_in_any_field(value: object) -> None:
    for field in ("payload", "payloadType", "signatures"):
        try:
            disturbed = changed(**{field: value})
        except TypeError:  # an integer that JSON readers do not keep exactly
            continue
        with pytest.raises(TrustError):
            verify(disturbed, KIND, [KEY.public_key])


@settings(deadline=None)
@given(st.binary(max_size=100), st.text(max_size=20))
def test_round_trip(payload: bytes, name: str) -> None:
    kind = "application/" + "".join(c for c in name if c.isprintable())
    assert verify(sign(kind, payload, KEY), kind, [KEY.public_key]) == payload
