"""A credential that is sealed at rest: AES-256-GCM (NIST SP 800-38D), bound to the place of its file.

    fleetward-sealed-v1
    BASE64                        of: key id (8 bytes), nonce (12), ciphertext, tag (16)

Rules
- The associated data are the header line, the key id and the file's path below the credentials folder: a file
  that is copied to another name does not open.
- The key id is a digest of the key, so that a wrong key is told from a damaged file. It is not secret.
- A nonce is random and never used twice: one key seals far fewer than the 2**32 files that this allows.
- Whatever bytes there are, what cannot be opened raises ``WrongSealKeyError`` or ``DamagedSealError``; never
  another exception, and never with any of the contents in it.

>>> key = SealKey(bytes(32))
>>> sealed = seal(key, "joined/member-a.token", b"secret")
>>> unseal([key], "joined/member-a.token", sealed)
b'secret'
>>> try:
...     unseal([key], "joined/member-b.token", sealed)
... except errors.DamagedSealError as error:
...     print(error.code, error.message)
FW1795 a sealed credential was altered, or is another file's
"""

from __future__ import annotations

import base64
import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass, field

from reconciler.member import errors

HEADER = b"fleetward-sealed-v1"
_FAMILY = b"fleetward-sealed"  # later versions too: they are no plain tokens
KEY, _ID, _NONCE, _TAG = 32, 8, 12, 16  # bytes
MAX_SEALED = 1 << 20  # bytes


@dataclass(frozen=True, slots=True)
class SealKey:
    """256 secret bits."""

    secret: bytes = field(repr=False)

    @classmethod
    def new(cls) -> SealKey:
        """From the system's generator."""
        return cls(os.urandom(KEY))

    @property
    def id(self) -> bytes:
        """8 bytes that name the key and tell nothing of it."""
        return hashlib.sha256(b"fleetward-credentials-key-v1\0" + self.secret).digest()[:_ID]


def is_sealed(data: bytes) -> bool:
    """Whether the file says that it is sealed, by this version or a later one."""
    return data.startswith(_FAMILY)


def seal(key: SealKey, label: str, secret: bytes) -> bytes:
    """The file's bytes; ``label`` is its path below the credentials folder."""
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    nonce = os.urandom(_NONCE)
    closed = AESGCM(key.secret).encrypt(nonce, secret, _bound_to(key.id, label))
    return HEADER + b"\n" + base64.b64encode(key.id + nonce + closed) + b"\n"


def unseal(keys: Sequence[SealKey], label: str, data: bytes) -> bytes:
    """The secret. Raises DamagedSealError, WrongSealKeyError."""
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    key_id, nonce, closed = _parts(label, data)
    key = next((key for key in keys if key.id == key_id), None)
    if key is None:
        raise errors.WrongSealKeyError(
            "a credential is sealed with another key", expected=key_id.hex(),
            got=", ".join(key.id.hex() for key in keys) or "no key", where=label,
        )  # fmt: skip
    try:
        return AESGCM(key.secret).decrypt(nonce, closed, _bound_to(key_id, label))
    except InvalidTag:
        raise _damaged("was altered, or is another file's", label) from None


def key_id_of(label: str, data: bytes) -> bytes:
    """Which key a file is sealed with. Raises DamagedSealError."""
    return _parts(label, data)[0]


def _parts(label: str, data: bytes) -> tuple[bytes, bytes, bytes]:
    header, _, rest = data.partition(b"\n")
    if header != HEADER or len(data) > MAX_SEALED:
        raise _damaged("is of another version, or too large", label)
    try:
        whole = base64.b64decode(rest.removesuffix(b"\n"), validate=True)
    except ValueError:
        raise _damaged("is no base64", label) from None
    if len(whole) < _ID + _NONCE + _TAG:
        raise _damaged("was cut", label)
    return whole[:_ID], whole[_ID : _ID + _NONCE], whole[_ID + _NONCE :]


def _bound_to(key_id: bytes, label: str) -> bytes:
    return HEADER + b"\n" + key_id + os.fsencode(label)


def _damaged(what: str, label: str) -> errors.DamagedSealError:
    return errors.DamagedSealError(f"a sealed credential {what}", where=label)
