"""SSH signatures made by hand, so that every field can be wrong; security keys without hardware."""

import base64
import hashlib
from collections.abc import Callable
from dataclasses import dataclass

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

Sign = Callable[[bytes], bytes]  # message -> wire form of the signature


def s(data: bytes) -> bytes:
    """An SSH string."""
    return len(data).to_bytes(4, "big") + data


def mpint(number: int) -> bytes:
    """An SSH integer, minimal."""
    return s(number.to_bytes(number.bit_length() // 8 + 1, "big"))


@dataclass(frozen=True)
class Forged:
    """A key pair: public wire form, its type, and how it signs."""

    type: str
    blob: bytes
    sign: Sign

    @property
    def text(self) -> str:
        return f"{self.type} {base64.b64encode(self.blob).decode()}"


def ed25519() -> Forged:
    private = Ed25519PrivateKey.from_private_bytes(b"\x07" * 32)
    blob = s(b"ssh-ed25519") + s(private.public_key().public_bytes_raw())
    return Forged("ssh-ed25519", blob, lambda m: s(b"ssh-ed25519") + s(private.sign(m)))


def rsa_key(bits: int, algorithm: str = "rsa-sha2-512") -> Forged:
    private = rsa.generate_private_key(65537, bits)
    numbers = private.public_key().public_numbers()
    digest = {"ssh-rsa": hashes.SHA1(), "rsa-sha2-256": hashes.SHA256()}.get(algorithm, hashes.SHA512())  # noqa: S303
    return Forged(
        "ssh-rsa",
        s(b"ssh-rsa") + mpint(numbers.e) + mpint(numbers.n),
        lambda m: s(algorithm.encode()) + s(private.sign(m, padding.PKCS1v15(), digest)),
    )


def sk_ed25519(flags: int = 1, application: bytes = b"ssh:") -> Forged:
    """As a security key signs (PROTOCOL.u2f); bit 0 of ``flags`` says that it was touched."""
    kind = b"sk-ssh-ed25519@openssh.com"
    private = Ed25519PrivateKey.from_private_bytes(b"\x09" * 32)

    def sign(message: bytes) -> bytes:
        tail = bytes([flags]) + (7).to_bytes(4, "big")
        signed = hashlib.sha256(application).digest() + tail + hashlib.sha256(message).digest()
        return s(kind) + s(private.sign(signed)) + tail

    blob = s(kind) + s(private.public_key().public_bytes_raw()) + s(application)
    return Forged(kind.decode(), blob, sign)


def sk_ecdsa(flags: int = 1, application: bytes = b"ssh:") -> Forged:
    kind = b"sk-ecdsa-sha2-nistp256@openssh.com"
    private = ec.derive_private_key(0x1234567, ec.SECP256R1())
    numbers = private.public_key().public_numbers()
    point = b"\x04" + numbers.x.to_bytes(32, "big") + numbers.y.to_bytes(32, "big")

    def sign(message: bytes) -> bytes:
        tail = bytes([flags]) + (7).to_bytes(4, "big")
        signed = hashlib.sha256(application).digest() + tail + hashlib.sha256(message).digest()
        r, t = decode_dss_signature(private.sign(signed, ec.ECDSA(hashes.SHA256())))
        return s(kind) + s(mpint(r) + mpint(t)) + tail

    return Forged(kind.decode(), s(kind) + s(b"nistp256") + s(point) + s(application), sign)


def blob_of(
    key: Forged,
    message: bytes,
    *,
    magic: bytes = b"SSHSIG",
    version: int = 1,
    namespace: bytes = b"git",
    reserved: bytes = b"",
    hash_name: str = "sha512",
) -> bytes:
    """The binary signature; whatever is claimed is also what is signed."""
    digest = hashlib.new(hash_name, message).digest()
    signed = b"SSHSIG" + s(namespace) + s(reserved) + s(hash_name.encode()) + s(digest)
    fields = (key.blob, namespace, reserved, hash_name.encode(), key.sign(signed))
    return magic + version.to_bytes(4, "big") + b"".join(map(s, fields))


def armour(blob: bytes, width: int = 70) -> bytes:
    """The text form, as ssh-keygen writes it."""
    text = base64.b64encode(blob)
    lines = [text[at : at + width] for at in range(0, len(text), width)]
    return b"\n".join([b"-----BEGIN SSH SIGNATURE-----", *lines, b"-----END SSH SIGNATURE-----", b""])


def dearmour(armoured: bytes) -> bytes:
    """The binary form of a good armour."""
    return base64.b64decode(b"".join(armoured.split(b"\n")[1:-2]))
