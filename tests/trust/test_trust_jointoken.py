"""Join tokens: what is issued is believed, and nothing else is."""

import base64
import json
from datetime import UTC, datetime

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import example, given
from hypothesis import strategies as st

from reconciler.trust.jointoken import (
    Claims,
    OtherPrimaryError,
    TokenError,
    TokenKey,
    TokenTimeError,
    issue,
    peek,
    verify,
)

KEY, OTHER = TokenKey.new(), TokenKey.new()
PIN = f"sha256:{'1' * 64}"
CLAIMS = Claims(
    "log", "i" * 22, 1000, 4600, ("https://primary:11443",), PIN, "member-a", {"tier": "workload"}
)
TOKEN = issue(KEY, CLAIMS)
PAYLOAD = jwt.decode(TOKEN, options={"verify_signature": False})


def at(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def signed(change: dict[str, object], key: TokenKey = KEY, **header: str) -> str:
    """A token with other claims, well signed."""
    payload = {k: v for k, v in (PAYLOAD | change).items() if v is not None}
    return jwt.encode(payload, key.pem().decode(), algorithm="ES256", headers={"kid": KEY.id, **header})


def raw(header: dict[str, object], signature: str = "") -> str:
    """A token of any header over the same claims."""
    parts = [
        base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in (header, PAYLOAD)
    ]
    return ".".join([*parts, signature])


def test_what_is_issued_is_believed_until_it_ends():
    assert verify(TOKEN, KEY.public, "log", now=at(1000)) == CLAIMS == peek(TOKEN)
    assert verify(TOKEN, KEY.public, "log", now=at(4599)) == CLAIMS
    for moment in (999, 4600):
        with pytest.raises(TokenTimeError, match="FW1741"):
            verify(TOKEN, KEY.public, "log", now=at(moment))


def test_the_last_second_that_a_token_can_end_at():
    last = peek(signed({"exp": 253_402_300_799}))
    assert datetime.fromtimestamp(last.expires, UTC).year == 9999
    for later in (253_402_300_800, 260_000_000_000):
        with pytest.raises(TokenError, match="FW1740"):
            peek(signed({"exp": later}))


def hs256() -> str:
    """The classic: the public key as the secret of HMAC."""
    pem = serialization.load_der_public_key(KEY.public).public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    import hmac

    body = raw({"alg": "HS256", "kid": KEY.id}).rstrip(".")
    mac = hmac.digest(pem, body.encode(), "sha256")
    return f"{body}.{base64.urlsafe_b64encode(mac).decode().rstrip('=')}"


@pytest.mark.parametrize(
    "token",
    [
        raw({"alg": "none", "kid": KEY.id}),
        raw({"alg": "none", "kid": KEY.id}, "AA"),
        raw({"alg": "ES256", "kid": KEY.id}, "AA"),
        raw({"alg": "ES256", "kid": KEY.id}, TOKEN.rpartition(".")[2][:-4] + "AAAA"),
        raw({"alg": "ES256", "kid": KEY.id, "jku": "https://x"}, TOKEN.rpartition(".")[2]),
        raw({"alg": "ES256", "kid": KEY.id, "crit": ["x"]}, TOKEN.rpartition(".")[2]),
        hs256(),
        signed({}, OTHER),
        signed({"jti": "short"}),
        signed({"jti": None}),
        signed({"exp": "4600"}),
        signed({"exp": None}),
        signed({"exp": 253_402_300_800}),  # the year 10000
        signed({"nbf": 900}),
        signed({"urls": []}),
        signed({"urls": ["http://primary"]}),
        signed({"urls": ["https://[::1"]}),
        signed({"pin": "sha256:x"}),
        signed({"labels": {"a": 1}}),
        signed({"admin": True}),
        TOKEN + "A",
        TOKEN + ".",
        TOKEN.rpartition(".")[0] + ".",
        "",
        "a.b.c",
        "x" * 100_000,
    ],
)
def test_anything_else_is_refused(token: str):
    with pytest.raises(TokenError) as caught:
        verify(token, KEY.public, "log", now=at(2000))
    assert caught.value.code == "FW1740"
    assert len(token) < 30 or token not in str(caught.value)


@pytest.mark.parametrize("token", [signed({"iss": "another"}), signed({"aud": "api"}), signed({}, kid="x")])
def test_a_token_of_another_primary(token: str):
    with pytest.raises(OtherPrimaryError, match="FW1742"):
        verify(token, KEY.public, "log", now=at(2000))


@given(st.integers(0, len(TOKEN) - 1), st.characters(codec="ascii"))
def test_every_altered_character_is_refused(place: int, char: str):
    # The last character of a signature has bits that mean nothing (RFC 7515 has no canonical form).
    altered = TOKEN[:place] + char + TOKEN[place + 1 :]
    if altered != TOKEN and place < len(TOKEN) - 1:
        with pytest.raises(TokenError):
            verify(altered, KEY.public, "log", now=at(2000))


@given(st.text(max_size=60) | st.builds(".".join, st.lists(st.text("Aew0_-", max_size=9), max_size=4)))
@example("e30.W10.AA")
@example("e30.eyJpc3MiOnt9fQ.AA")
def test_any_text(text: str):
    with pytest.raises(TokenError):
        verify(text, KEY.public, "log", now=at(2000))
    with pytest.raises(TokenError):
        peek(text)


def test_a_key_shows_nothing_and_is_of_the_right_kind():
    assert "PRIVATE" not in repr(KEY)
    assert TokenKey.parse(KEY.pem()).public == KEY.public
    p384 = TokenKey(ec.generate_private_key(ec.SECP384R1())).pem()
    for bad in (b"", b"x", p384):
        with pytest.raises(TokenError):
            TokenKey.parse(bad)


def test_too_many_labels_do_not_fit():
    labels = {f"label-{n}": "v" * 60 for n in range(200)}
    with pytest.raises(TokenError, match="too long"):
        issue(KEY, Claims("log", "i" * 22, 1000, 4600, CLAIMS.urls, PIN, "", labels))
