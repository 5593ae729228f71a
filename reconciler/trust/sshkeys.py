"""SSH public keys: parsed from their wire form, and able to check a signature.

Rules:
- Accepted: ssh-ed25519; ecdsa-sha2-nistp256/384/521; ssh-rsa of 2048 to 16384 bits, but only rsa-sha2-256/512
  signatures; the security keys sk-ssh-ed25519@openssh.com and sk-ecdsa-sha2-nistp256@openssh.com, touched.
- Refused: DSA, SHA-1 signatures (type "ssh-rsa"), compressed curve points, anything left over; certificates,
  which are no keys (``sshcert``).
- A key is its wire bytes: two keys are one exactly when these are equal.

Formats: RFC 4253 6.6, RFC 5656 3.1, RFC 8332, RFC 8709, OpenSSH PROTOCOL.u2f.

>>> key = parse_key_text("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIMEx2+qqrzUe24XDqtihQLZ9o+a2PTXclHbyGgkO6CLT")
>>> key.type, key.fingerprint
('ssh-ed25519', 'SHA256:cbAcyQCSL60m1sRupRDygR+IlLrGqQhGg1mUql1x5hM')
"""

import base64
import binascii
import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from reconciler.trust.errors import (
    BadSignatureError,
    KeyTypeError,
    MalformedSignatureError,
    UserPresenceError,
)
from reconciler.trust.wire import Reader, WireError

MIN_RSA_BITS: Final = 2048
MAX_RSA_BITS: Final = 16384
_USER_PRESENT = 0x01
_USER_VERIFIED = 0x04
_CURVES: dict[str, tuple[ec.EllipticCurve, hashes.HashAlgorithm]] = {
    "nistp256": (ec.SECP256R1(), hashes.SHA256()),
    "nistp384": (ec.SECP384R1(), hashes.SHA384()),
    "nistp521": (ec.SECP521R1(), hashes.SHA512()),
}
_RSA_HASHES: dict[str, hashes.HashAlgorithm] = {
    "rsa-sha2-256": hashes.SHA256(),
    "rsa-sha2-512": hashes.SHA512(),
}
# (signature type, signature blob, signed bytes) -> raises InvalidSignature, WireError or KeyTypeError
Check = Callable[[str, bytes, bytes], None]


@dataclass(frozen=True, slots=True)
class SshKey:
    """One public key; ``blob`` is its wire form, ``application`` is set for security keys."""

    type: str
    blob: bytes
    application: bytes = b""
    _check: Check = field(default=lambda *_: _never(), repr=False, compare=False)

    @property
    def fingerprint(self) -> str:
        """As ``ssh-keygen -l`` shows it."""
        digest = hashlib.sha256(self.blob).digest()
        return "SHA256:" + base64.b64encode(digest).decode().rstrip("=")

    def verify(self, signature: bytes, message: bytes, *, user_verified: bool = False) -> None:
        """Check the wire form of an SSH signature over ``message``.

        ``user_verified`` asks a security key for more than a touch: a PIN or a fingerprint.
        Raises BadSignatureError, MalformedSignatureError, KeyTypeError, UserPresenceError.
        """
        wanted = _USER_PRESENT | (_USER_VERIFIED if user_verified else 0)
        try:
            reader = Reader(signature)
            kind, blob = reader.text(), reader.string()
            signed = self._touched(reader, message, wanted) if self.application else message
            reader.end()
            self._check(kind, blob, signed)
        except WireError as error:
            raise MalformedSignatureError("signature is not well formed", got=str(error)) from error
        except InvalidSignature as error:
            hint = "the commit or its signature was altered: do not merge, find out where it came from"
            raise BadSignatureError("signature does not match", got=self.fingerprint, hint=hint) from error

    def _touched(self, reader: Reader, message: bytes, wanted: int) -> bytes:
        """What a security key signs (PROTOCOL.u2f): it cannot sign without saying whether it was touched."""
        flags, counter = reader.take(1), reader.take(4)
        if not flags[0] & _USER_PRESENT:
            hint = "make the key without no-touch-required and sign again"
            raise UserPresenceError("the security key was not touched", got=self.fingerprint, hint=hint)
        if flags[0] & wanted != wanted:
            hint = "make the key with `-O verify-required` and sign again"
            raise UserPresenceError("the security key verified nobody", got=self.fingerprint, hint=hint)
        return hashlib.sha256(self.application).digest() + flags + counter + hashlib.sha256(message).digest()


def parse_key_text(text: str) -> SshKey:
    """A key as in a ``.pub`` file: "TYPE BASE64 [comment]", no options. Raises KeyTypeError."""
    words = text.split(None, 2)
    if len(words) < 2 or "\n" in text.strip() or len(text) > 16384:
        raise KeyTypeError("not a public key", expected="'TYPE BASE64' as in a .pub file")
    try:
        blob = base64.b64decode(words[1], validate=True)
    except (binascii.Error, ValueError) as error:
        raise KeyTypeError("not a public key", expected="'TYPE BASE64' as in a .pub file") from error
    key = parse_key(blob)
    if key.type != words[0] or base64.b64encode(blob).decode() != words[1]:
        raise KeyTypeError("key text contradicts itself", expected=key.type)
    return key


@lru_cache(maxsize=1024)  # a range of commits has few keys, and loading one costs as much as a check
def parse_key(blob: bytes) -> SshKey:
    """A key from its wire form. Raises KeyTypeError."""
    reader = Reader(blob)
    try:
        kind = reader.text()
        parse = _PARSERS.get(kind)
        if parse is None:
            raise _refused(kind)
        key = parse(kind, blob, reader)
        reader.end()
    except (WireError, ValueError, UnsupportedAlgorithm) as error:
        raise KeyTypeError("public key is not well formed", got=str(error)[:120]) from error
    return key


def _ed25519(kind: str, blob: bytes, reader: Reader) -> SshKey:
    public = Ed25519PublicKey.from_public_bytes(reader.string())

    def check(signature_type: str, signature: bytes, message: bytes) -> None:
        _expect(signature_type, kind)
        public.verify(signature, message)

    return SshKey(kind, blob, _application(reader) if kind.startswith("sk-") else b"", check)


def _ecdsa(kind: str, blob: bytes, reader: Reader) -> SshKey:
    name = reader.text()
    if not kind.removesuffix("@openssh.com").endswith("-" + name) or name not in _CURVES:
        raise WireError("a curve that does not belong to the key type")
    curve, digest = _CURVES[name]
    point = reader.string()
    if point[:1] != b"\x04":
        raise WireError("a curve point that is not uncompressed")
    public = ec.EllipticCurvePublicKey.from_encoded_point(curve, point)

    def check(signature_type: str, signature: bytes, message: bytes) -> None:
        _expect(signature_type, kind)
        numbers = Reader(signature)
        r, s = numbers.mpint(), numbers.mpint()
        numbers.end()
        public.verify(encode_dss_signature(r, s), message, ec.ECDSA(digest))

    return SshKey(kind, blob, _application(reader) if kind.startswith("sk-") else b"", check)


def _rsa(kind: str, blob: bytes, reader: Reader) -> SshKey:
    exponent, modulus = reader.mpint(), reader.mpint()
    bits = modulus.bit_length()
    if not MIN_RSA_BITS <= bits <= MAX_RSA_BITS or exponent.bit_length() > 64:
        raise KeyTypeError(
            "RSA key size is not accepted", expected=f"{MIN_RSA_BITS} bits or more", got=f"{bits}"
        )
    public = rsa.RSAPublicNumbers(exponent, modulus).public_key()

    def check(signature_type: str, signature: bytes, message: bytes) -> None:
        digest = _RSA_HASHES.get(signature_type)
        if digest is None:
            raise _weak(signature_type, " or ".join(_RSA_HASHES))
        public.verify(signature, message, padding.PKCS1v15(), digest)

    return SshKey(kind, blob, b"", check)


_PARSERS: dict[str, Callable[[str, bytes, Reader], SshKey]] = {
    "ssh-ed25519": _ed25519,
    "sk-ssh-ed25519@openssh.com": _ed25519,
    "ecdsa-sha2-nistp256": _ecdsa,
    "ecdsa-sha2-nistp384": _ecdsa,
    "ecdsa-sha2-nistp521": _ecdsa,
    "sk-ecdsa-sha2-nistp256@openssh.com": _ecdsa,
    "ssh-rsa": _rsa,
}


def _application(reader: Reader) -> bytes:
    application = reader.string()
    if not application.startswith(b"ssh:"):
        raise WireError("a security key that was not made for SSH")
    return application


def _expect(got: str, expected: str) -> None:
    if got != expected:
        raise _weak(got, expected)


def _weak(got: str, expected: str) -> KeyTypeError:
    return KeyTypeError("signature algorithm is not accepted", expected=expected, got=got)


def _refused(kind: str) -> KeyTypeError:
    if "-cert-v" in kind:
        hint = "give the plain key; who issues certificates is listed as an authority"
        return KeyTypeError("SSH certificates are not accepted as keys", got=kind, hint=hint)
    hint = "use ssh-ed25519, ECDSA, RSA of 2048 bits or more, or a security key"
    return KeyTypeError("key type is not accepted", got=kind, hint=hint)


def _never() -> None:
    raise InvalidSignature
