"""The reconciler's own key: Ed25519 (RFC 8032), PKCS#8 PEM on disk (RFC 8410).

Rules:
- A file is made with mode 0600 and never overwritten; one that others can read is refused.
- The private key never appears in an error, a repr or a log.
- A key's id is the SHA-256 of its SubjectPublicKeyInfo, as in-toto and cosign count it.

>>> key = ReconcilerKey.from_seed(bytes(32))
>>> key
ReconcilerKey(sha256:339e2ff917630507b6a423b5ce084e285d1fa65d93b3e27a6195d3bbebc9ae23)
>>> parse_public_key(public_key_text(key.public_key)) == key.public_key
True
"""

import errno
import os
import stat
from pathlib import Path
from typing import Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from reconciler.dsse import key_id
from reconciler.trust.errors import KeyExistsError, KeyFileError, KeyPermissionError

MAX_PEM: Final = 16 << 10  # bytes
_EXPECTED = "an unencrypted Ed25519 private key in PKCS#8 PEM"


class ReconcilerKey:
    """An Ed25519 private key; a ``model.Signer``."""

    __slots__ = ("_private", "public_key")

    def __init__(self, private: Ed25519PrivateKey) -> None:
        self._private = private
        self.public_key = private.public_key().public_bytes_raw()

    @classmethod
    def from_seed(cls, seed: bytes) -> "ReconcilerKey":
        """From the 32 secret bytes of RFC 8032."""
        return cls(Ed25519PrivateKey.from_private_bytes(seed))

    @property
    def key_id(self) -> str:
        """See ``key_id``."""
        return key_id(self.public_key)

    def sign(self, message: bytes) -> bytes:
        """64 raw bytes."""
        return self._private.sign(message)

    def pem(self) -> bytes:
        """The private key as PKCS#8 PEM: a secret."""
        return self._private.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )

    def __repr__(self) -> str:
        return f"ReconcilerKey({self.key_id})"


def generate(path: Path) -> ReconcilerKey:
    """Make a new key and write it to ``path`` (mode 0600). Raises KeyExistsError, KeyFileError."""
    key = ReconcilerKey(Ed25519PrivateKey.generate())
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(key.pem())
            file.flush()
            os.fsync(handle)
    except FileExistsError as error:
        hint = "keep it, or move it away first: what it signed can only be verified with it"
        raise KeyExistsError("there is a key already", where=str(path), hint=hint) from error
    except OSError as error:
        raise KeyFileError("cannot write the key", got=error.strerror or "", where=str(path)) from error
    return key


def load(path: Path) -> ReconcilerKey:
    """Read the key at ``path``. Raises KeyPermissionError when others can read it, KeyFileError."""
    try:
        # Not blocking: a pipe put in the key's place must not hang us.
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(handle, "rb") as file:
            _check_file(path, os.fstat(handle))
            pem = file.read(MAX_PEM + 1)
    except OSError as error:
        hint = "make one with `fleetward init`" if error.errno == errno.ENOENT else ""
        raise KeyFileError(
            "cannot read the key", got=error.strerror or "", where=str(path), hint=hint
        ) from error
    return _parse(pem, str(path))


def load_text(pem: str) -> ReconcilerKey:
    """A key from text, as CI passes it in an environment variable. Raises KeyFileError."""
    # Secret stores tend to lose the last line end, or to keep it as "\\n".
    return _parse(pem.strip().replace("\\n", "\n").encode() + b"\n", "the key given as text")


def public_key_text(public_key: bytes) -> str:
    """32 raw bytes as PEM ("BEGIN PUBLIC KEY"), which openssl and cosign read."""
    key = Ed25519PublicKey.from_public_bytes(public_key)
    return key.public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    ).decode()


def parse_public_key(text: str) -> bytes:
    """32 raw bytes from PEM. Raises KeyFileError."""
    try:
        key = serialization.load_pem_public_key(text[:MAX_PEM].encode())
    except (ValueError, UnsupportedAlgorithm) as error:
        raise KeyFileError("not a public key", expected="an Ed25519 public key in PEM") from error
    if not isinstance(key, Ed25519PublicKey):
        raise KeyFileError("not a key of ours", expected="an Ed25519 public key", got=type(key).__name__)
    return key.public_bytes_raw()


def _check_file(path: Path, facts: os.stat_result) -> None:
    if not stat.S_ISREG(facts.st_mode):
        raise KeyFileError("the key is not a regular file", where=str(path))
    if facts.st_mode & 0o077:
        mode = f"mode {stat.S_IMODE(facts.st_mode):04o}"
        hint = f"chmod 600 {path}; if others had access to it, make a new key"
        raise KeyPermissionError(
            "others can read the key", expected="mode 0600", got=mode, where=str(path), hint=hint
        )


def _parse(pem: bytes, where: str) -> ReconcilerKey:
    try:
        if len(pem) > MAX_PEM:
            raise KeyFileError("not a key", expected=_EXPECTED, got="a large file", where=where)
        key = serialization.load_pem_private_key(pem, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        # The library's message is left out: it may quote what it was given.
        raise KeyFileError("not a key", expected=_EXPECTED, where=where) from None
    if not isinstance(key, Ed25519PrivateKey):
        raise KeyFileError("not a key of ours", expected=_EXPECTED, got=type(key).__name__, where=where)
    return ReconcilerKey(key)
