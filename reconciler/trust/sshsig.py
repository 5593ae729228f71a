"""SSH signatures (OpenSSH PROTOCOL.sshsig): the armour, the blob, the check.

Rules:
- The armour is exact: the two marker lines, between them canonical base64 in lines of 1 to 76 characters,
  LF line ends, nothing before or after.
- Version 1; the hash is sha256 or sha512; the namespace is the one asked for; ``reserved`` is empty
  (ssh-keygen neither writes nor covers it, so anything could be put there). Nothing is left over.
- What is signed names the namespace, so a signature of a file can never pass for one of a commit.
- A signature may carry a certificate in place of its key. Then ``key`` is the certified key and
  ``certificate`` says who issued it; nothing is believed of it before ``sshcert.check_certificate``.

Steps: 1. parse; 2. namespace; 3. hash; 4. signature over magic, namespace, the empty reserved field, hash
name and the digest of the message.

>>> signature = parse(armoured)  # doctest: +SKIP
>>> signature.key.fingerprint  # doctest: +SKIP
'SHA256:cbAcyQCSL60m1sRupRDygR+IlLrGqQhGg1mUql1x5hM'
>>> verify(signature, message, namespace="git")  # doctest: +SKIP
"""

import base64
import binascii
import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from reconciler.model import Signer
from reconciler.trust.certkeys import SshCertificate, is_certificate, parse_certificate
from reconciler.trust.errors import MalformedSignatureError, NamespaceError, WeakHashError
from reconciler.trust.sshkeys import SshKey, parse_key
from reconciler.trust.wire import Reader, WireError, string

MAX_ARMOUR: Final = 64 << 10  # bytes
BEGIN: Final = b"-----BEGIN SSH SIGNATURE-----"
_ARMOUR = re.compile(
    BEGIN + rb"\n((?:[A-Za-z0-9+/=]{1,76}\n)+)-----END SSH SIGNATURE-----\n?",
)
_MAGIC = b"SSHSIG"
_HASHES = {"sha256": hashlib.sha256, "sha512": hashlib.sha512}


@dataclass(frozen=True, slots=True)
class SshSignature:
    """A parsed signature; nothing about it is trusted before ``verify``.

    With a ``certificate`` it is no signature of its plain ``key``: the certificate has to be checked too.
    """

    key: SshKey
    namespace: bytes
    hash_name: str
    signature: bytes  # wire form: algorithm, blob, and for security keys flags and counter
    certificate: SshCertificate | None = None


def parse(armoured: bytes) -> SshSignature:
    """Parse an armoured signature. Raises MalformedSignatureError, KeyTypeError."""
    match = _ARMOUR.fullmatch(armoured) if len(armoured) <= MAX_ARMOUR else None
    if not match:
        raise _malformed("armour that is not exact")
    lines = match[1].replace(b"\n", b"")
    try:
        blob = base64.b64decode(lines, validate=True)
        if base64.b64encode(blob) != lines:
            raise _malformed("base64 that is not canonical")
        return _parse_blob(blob)
    except (binascii.Error, WireError) as error:
        raise _malformed(str(error)) from error


def _parse_blob(blob: bytes) -> SshSignature:
    reader = Reader(blob)
    if reader.take(len(_MAGIC)) != _MAGIC:
        raise WireError("no SSHSIG at the start")
    version = reader.u32()
    if version != 1:
        raise WireError(f"version {version}")
    key, namespace, reserved = reader.string(), reader.string(), reader.string()
    hash_name, signature = reader.text(), reader.string()
    reader.end()
    if reserved:
        raise WireError("a reserved field that is not empty")
    if not is_certificate(key):
        return SshSignature(parse_key(key), namespace, hash_name, signature)
    certificate = parse_certificate(key)
    return SshSignature(certificate.key, namespace, hash_name, signature, certificate)


def verify(signature: SshSignature, message: bytes, *, namespace: str) -> None:
    """Raise unless ``signature.key`` signed ``message`` for ``namespace``; whose key it is, is not judged.

    The certificate is not judged either, but what it asks of a signature is (``verify-required``).
    Raises as ``check_purpose`` and ``SshKey.verify`` do.
    """
    digest = check_purpose(signature, namespace=namespace)
    fields = (
        signature.namespace,
        b"",
        signature.hash_name.encode(),
        digest(message).digest(),
    )
    signed = _MAGIC + b"".join(map(string, fields))
    asked = signature.certificate is not None and signature.certificate.verify_required
    signature.key.verify(signature.signature, signed, user_verified=asked)


def check_purpose(signature: SshSignature, *, namespace: str) -> "Callable[[bytes], hashlib._Hash]":
    """The signature's hash function, if it claims ``namespace``. Raises NamespaceError, WeakHashError."""
    if signature.namespace != namespace.encode():
        got = signature.namespace.decode("ascii", "backslashreplace")
        shown = got if got.isprintable() and len(got) < 64 else "another"
        hint = "sign with `git commit -S`; a signature of a file cannot stand in for one"
        raise NamespaceError("signature has another purpose", expected=namespace, got=shown, hint=hint)
    digest = _HASHES.get(signature.hash_name)
    if digest is None:
        hint = "sign again with ssh-keygen's default"
        raise WeakHashError(
            "hash is not accepted", expected="sha256 or sha512", got=signature.hash_name, hint=hint
        )
    return digest


def sign(signer: Signer, message: bytes, *, namespace: str) -> bytes:
    """An armoured signature by an Ed25519 key, as ``ssh-keygen -Y sign`` makes it (sha512)."""
    kind = b"ssh-ed25519"
    purpose = (string(namespace.encode()), string(b""), string(b"sha512"))
    digest = string(hashlib.sha512(message).digest())
    signature = string(kind) + string(signer.sign(_MAGIC + b"".join(purpose) + digest))
    public = string(string(kind) + string(signer.public_key))
    blob = _MAGIC + (1).to_bytes(4, "big") + public + b"".join(purpose) + string(signature)
    text = base64.b64encode(blob)
    lines = [text[at : at + 70] for at in range(0, len(text), 70)]
    return b"\n".join([BEGIN, *lines, b"-----END SSH SIGNATURE-----"])


def public_key_text(public_key: bytes) -> str:
    """32 bytes of an Ed25519 key as OpenSSH writes it: "ssh-ed25519 AAAA..."."""
    kind = b"ssh-ed25519"
    return f"ssh-ed25519 {base64.b64encode(string(kind) + string(public_key)).decode()}"


def _malformed(got: str) -> MalformedSignatureError:
    hint = "sign again with an unmodified git and ssh-keygen"
    return MalformedSignatureError("SSH signature is not well formed", got=got, hint=hint)
