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
from contextlib import suppress
from pathlib import Path
from typing import Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from reconciler.dsse import key_id
from reconciler.files import create, sync_folder
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
    return save(path, ReconcilerKey(Ed25519PrivateKey.generate()))


def save(path: Path, key: ReconcilerKey) -> ReconcilerKey:
    """Write the key to a new file (mode 0600), durably and all at once.

    Raises KeyExistsError, KeyFileError.
    """
    save_private(path, key.pem())
    return key


def save_private(path: Path, secret: bytes) -> None:
    """Write a secret to a new file (mode 0600), durably and all at once.

    Raises KeyExistsError, KeyFileError.
    """
    try:
        create(path, secret)
    except FileExistsError as error:
        hint = "keep it, or move it away first: what it signed can only be verified with it"
        raise KeyExistsError("there is a key already", where=str(path), hint=hint) from error
    except OSError as error:
        raise KeyFileError("cannot write the key", got=error.strerror or "", where=str(path)) from error


def replace(path: Path, new: Path) -> Path | None:
    """Put the key file ``new`` in the place of ``path``; where the old one is now, None if there was none.

    At every moment ``path`` is the old key or the new one; done half, it can be done again.
    Raises KeyFileError.
    """
    try:
        old = _old_name(path) if path.exists() else None
        if old is not None:
            with suppress(FileExistsError):
                os.link(path, old)
        new.replace(path)
        sync_folder(path.parent)
    except OSError as error:
        raise KeyFileError("cannot replace the key", got=error.strerror or "", where=str(path)) from error
    return old


def retire(path: Path, *, unless: bytes) -> Path | None:
    """Move the key file away, unless its public key is ``unless``; where it is now. Raises KeyFileError."""
    if not path.exists() or load(path).public_key == unless:
        return None
    try:
        old = path.replace(_old_name(path))
        sync_folder(path.parent)
    except OSError as error:
        raise KeyFileError("cannot move the key", got=error.strerror or "", where=str(path)) from error
    return old


def _old_name(path: Path) -> Path:
    return path.with_name(f"{path.name}.old-{load(path).key_id.removeprefix('sha256:')[:16]}")


def load(path: Path) -> ReconcilerKey:
    """Read the key at ``path``. Raises KeyPermissionError when others can read it, KeyFileError."""
    return _parse(read_private(path, MAX_PEM, "the key"), str(path))


def read_private(path: Path, limit: int, what: str) -> bytes:
    """A secret's file: regular, mode 0600, read up to one byte over ``limit``.

    Raises KeyPermissionError, KeyFileError.
    """
    try:
        # Not blocking: a pipe put in the key's place must not hang us.
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(handle, "rb") as file:
            _check_file(path, os.fstat(handle), what)
            return file.read(limit + 1)
    except OSError as error:
        hint = "`fleetward trust init` makes the key" if error.errno == errno.ENOENT else ""
        raise KeyFileError(
            f"cannot read {what}", got=error.strerror or "", where=str(path), hint=hint
        ) from error


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


def _check_file(path: Path, facts: os.stat_result, what: str) -> None:
    if not stat.S_ISREG(facts.st_mode):
        raise KeyFileError(f"{what} is not a regular file", where=str(path))
    if facts.st_mode & 0o077:
        mode = f"mode {stat.S_IMODE(facts.st_mode):04o}"
        hint = f"chmod 600 {path}; if others had access to it, make a new one"
        raise KeyPermissionError(
            f"others can read {what}", expected="mode 0600", got=mode, where=str(path), hint=hint
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
