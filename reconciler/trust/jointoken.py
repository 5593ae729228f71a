"""Join tokens: JWTs (RFC 7519) signed with ES256 (RFC 7518) by a P-256 key of the primary's own.

Rules:
- One algorithm, ES256, one key, named by ``kid``; the ``alg`` and ``kid`` of a token choose nothing.
- All claims are there and of their type, and no others; a token of another issuer or audience, before its
  time or after its end is refused. Text of at most ``MAX_TOKEN`` characters is looked at.
- Whether a token was used or revoked is the log's to say, not the token's.
- ``peek`` reads a token without its key, as the joining side has to: it believes the address and the pin
  because a person handed the token over, and sends it nowhere else.
- Neither the token nor what is in it appears in an error.

Steps of ``verify``: 1. size and form; 2. header; 3. signature, times, issuer, audience; 4. claims.

>>> key = TokenKey.new()
>>> claims = Claims("log", "a" * 22, 1_000, 4_600, ("https://127.0.0.1:11443",), f"sha256:{'0' * 64}")
>>> verify(issue(key, claims), key.public, "log", now=datetime.fromtimestamp(1_001, UTC)) == claims
True
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import orjson
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from reconciler.documents.formats import is_https_url
from reconciler.errors import TrustError
from reconciler.pki import spki_digest

if TYPE_CHECKING:
    from jwt import PyJWT

AUDIENCE: Final = "fleetward-join"
MAX_TOKEN: Final = 8192  # characters
MAX_ADDRESSES: Final = 16
MAX_LABELS: Final = 64
_ALGORITHM = "ES256"
_PARTS = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")
_ID = re.compile(r"[A-Za-z0-9_-]{16,64}")
_PIN = re.compile(r"sha256:[0-9a-f]{64}")
_END_OF_TIME = 253_402_300_800  # the year 10000, which no datetime has
_NAMES = ("iss", "aud", "jti", "iat", "nbf", "exp", "urls", "pin", "cluster", "labels")


class TokenError(TrustError):
    """A join token that is not one of this primary's: altered, of another algorithm, or of another."""

    code = "FW1740"


class TokenTimeError(TokenError):
    """A join token before its time or after its end."""

    code = "FW1741"


class OtherPrimaryError(TokenError):
    """A join token of another primary."""

    code = "FW1742"


@dataclass(frozen=True, slots=True)
class Claims:
    """What a token says. Times are seconds since 1970; ``cluster`` is "" for any name.

    ``urls`` are those of the join endpoint, ``pin`` names its CA (SHA-256 of the SubjectPublicKeyInfo).
    """

    issuer: str
    id: str
    issued: int
    expires: int
    urls: tuple[str, ...]
    pin: str
    cluster: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)


class TokenKey:
    """The private key that signs tokens; ``public`` is its SubjectPublicKeyInfo (DER)."""

    __slots__ = ("_private", "public")

    def __init__(self, private: ec.EllipticCurvePrivateKey) -> None:
        self._private = private
        form = serialization.PublicFormat.SubjectPublicKeyInfo
        self.public = private.public_key().public_bytes(serialization.Encoding.DER, form)

    @classmethod
    def new(cls) -> TokenKey:
        """A new key."""
        return cls(ec.generate_private_key(ec.SECP256R1()))

    @classmethod
    def parse(cls, pem: bytes) -> TokenKey:
        """From unencrypted PKCS#8 PEM. Raises TokenError."""
        try:
            key = serialization.load_pem_private_key(pem, password=None)
        except (ValueError, TypeError, UnsupportedAlgorithm):
            key = None
        if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256R1):
            raise TokenError("not a key for tokens", expected="an unencrypted P-256 key in PKCS#8 PEM")
        return cls(key)

    @property
    def id(self) -> str:
        """``sha256:<hex>`` of the SubjectPublicKeyInfo."""
        return spki_digest(self.public)

    def pem(self) -> bytes:
        """The private key as PKCS#8 PEM: a secret."""
        return self._private.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )

    def __repr__(self) -> str:
        return f"TokenKey({self.id})"


def issue(key: TokenKey, claims: Claims) -> str:
    """The token: a secret until it was used. Raises TokenError for one that would be too long."""
    payload = {
        "iss": claims.issuer, "aud": AUDIENCE, "jti": claims.id, "iat": claims.issued, "nbf": claims.issued,
        "exp": claims.expires, "urls": list(claims.urls), "pin": claims.pin, "cluster": claims.cluster,
        "labels": dict(claims.labels),
    }  # fmt: skip
    token = _jwt().encode(payload, key.pem().decode(), algorithm=_ALGORITHM, headers={"kid": key.id})
    if len(token) > MAX_TOKEN:
        raise TokenError("the token would be too long", expected=f"at most {MAX_TOKEN} characters")
    return token


def verify(token: str, public: bytes, issuer: str, *, now: datetime) -> Claims:
    """The claims of a token that ``public`` (DER) signed for ``issuer``.

    Raises TokenError, TokenTimeError, OtherPrimaryError.
    """
    # 1. Size and form.
    header, said = _parts(token)
    # 2. Header: both are compared, neither is used.
    if header.get("alg") != _ALGORITHM or header.keys() - {"alg", "kid", "typ"}:
        raise _refused("another algorithm than ES256")
    if said.get("iss") != issuer or said.get("aud") != AUDIENCE or header.get("kid") != spki_digest(public):
        raise OtherPrimaryError(
            "the token is not one of this primary's", hint="ask this primary's administrators for a token"
        )
    # 3. The signature; the times are compared below, with the clock that is passed in.
    from jwt import InvalidTokenError

    options: Any = {"verify_exp": False, "verify_nbf": False, "verify_iat": False}
    options["require"] = ["iss", "aud", "jti", "iat", "nbf", "exp"]
    try:
        found = _jwt().decode(
            token, key=_public_key(public), algorithms=[_ALGORITHM], audience=AUDIENCE, issuer=issuer,
            options=options,
        )  # fmt: skip
    except (InvalidTokenError, ValueError, TypeError):
        raise _refused("a signature that does not hold") from None  # the cause may quote the token
    # 4. Claims.
    claims = _claims(found)
    if not claims.issued <= now.timestamp() < claims.expires:
        late = now.timestamp() >= claims.expires
        raise TokenTimeError(
            "the token has expired" if late else "the token is not valid yet",
            hint="make a new one: `fleetward token create`" if late else "check both clocks",
        )
    return claims


def peek(token: str) -> Claims:
    """The claims of a token whose key is not known here; nothing of it is proven. Raises TokenError."""
    return _claims(_parts(token)[1])


def _jwt() -> PyJWT:
    from jwt import PyJWT

    return PyJWT()


def _public_key(der: bytes) -> ec.EllipticCurvePublicKey:
    key = serialization.load_der_public_key(der)
    if not isinstance(key, ec.EllipticCurvePublicKey):
        raise TypeError("not an elliptic curve key")
    return key


def _parts(token: str) -> tuple[dict[str, Any], dict[str, Any]]:
    if len(token) > MAX_TOKEN or not _PARTS.fullmatch(token):
        raise _refused("no token")
    header, payload, _ = token.split(".")
    return _object(header), _object(payload)


def _object(part: str) -> dict[str, Any]:
    try:
        raw = base64.b64decode(part + "=" * (-len(part) % 4), altchars=b"-_", validate=True)
        value = orjson.loads(raw)
    except (binascii.Error, ValueError):
        raise _refused("no token") from None
    if not isinstance(value, dict):
        raise _refused("no token")
    return value


def _claims(value: dict[str, Any]) -> Claims:
    """Raises TokenError for a claim that is missing, of another type or out of bounds."""
    if value.keys() != set(_NAMES) or not all(isinstance(value[n], str) for n in ("iss", "jti", "pin")):
        raise _refused("other claims")
    times = [value[name] for name in ("iat", "nbf", "exp")]
    urls, labels = value["urls"], value["labels"]
    good = (
        all(type(time) is int and 0 <= time < _END_OF_TIME for time in times)
        and value["iat"] == value["nbf"]
        and _ID.fullmatch(value["jti"])
        and _PIN.fullmatch(value["pin"])
        and isinstance(value["cluster"], str)
        and isinstance(urls, list)
        and 0 < len(urls) <= MAX_ADDRESSES
        and all(isinstance(url, str) and len(url) <= 308 and is_https_url(url) for url in urls)
        and isinstance(labels, dict)
        and len(labels) <= MAX_LABELS
        and all(isinstance(text, str) for text in labels.values())
    )
    if not good:
        raise _refused("other claims")
    return Claims(
        value["iss"], value["jti"], value["iat"], value["exp"], tuple(urls), value["pin"], value["cluster"],
        labels,
    )  # fmt: skip


def _refused(got: str) -> TokenError:
    hint = "copy the token whole; if it is, ask for a new one"
    return TokenError(
        "not a join token of this primary", expected="a JWT signed with ES256", got=got, hint=hint
    )


def at(seconds: int) -> datetime:
    """Seconds since 1970 as a time in UTC."""
    return datetime.fromtimestamp(seconds, UTC)
