"""SSH certificates read: a key with names and a time, signed by an authority (OpenSSH PROTOCOL.certkeys).

Rules:
- User certificates only, version 01, over every key type that ``sshkeys`` accepts. The authority's key is a
  plain key.
- Principals are named: a certificate without any would be good for everybody.
- A critical option is a condition. ``verify-required`` on a security key is kept (``sshsig.verify``); any
  other refuses the certificate, since nothing here could keep it. Extensions only give and are not needed:
  ``no-touch-required`` changes nothing, a security key is touched.
- Options and extensions are in order and occur once; ``reserved`` is empty; nothing is left over; names are
  printable UTF-8.

>>> certificate = parse_certificate(blob)  # doctest: +SKIP
>>> certificate.principals, certificate.serial  # doctest: +SKIP
(('alice',), 7)
"""

from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import Final

from reconciler.trust.errors import KeyTypeError
from reconciler.trust.sshkeys import SshKey, parse_key
from reconciler.trust.wire import Reader, WireError, moment, string

MAX_CERTIFICATE: Final = 48 << 10  # bytes
MAX_PRINCIPALS: Final = 256  # as OpenSSH
_MAX_NAME = 1024  # bytes of a key id or a principal
_USER = 1
_FOREVER = 2**64 - 1
_VERIFY_REQUIRED = "verify-required"
_SUFFIX = "-cert-v01@openssh.com"
# The certificate's type -> the key's type, and how many strings (or mpints) the key has after its type
_TYPES: dict[str, tuple[str, int]] = {
    "ssh-ed25519" + _SUFFIX: ("ssh-ed25519", 1),
    "ecdsa-sha2-nistp256" + _SUFFIX: ("ecdsa-sha2-nistp256", 2),
    "ecdsa-sha2-nistp384" + _SUFFIX: ("ecdsa-sha2-nistp384", 2),
    "ecdsa-sha2-nistp521" + _SUFFIX: ("ecdsa-sha2-nistp521", 2),
    "ssh-rsa" + _SUFFIX: ("ssh-rsa", 2),
    "sk-ssh-ed25519" + _SUFFIX: ("sk-ssh-ed25519@openssh.com", 2),
    "sk-ecdsa-sha2-nistp256" + _SUFFIX: ("sk-ecdsa-sha2-nistp256@openssh.com", 3),
}


@dataclass(frozen=True, slots=True)
class SshCertificate:
    """A parsed certificate; nothing about it is trusted before ``sshcert.check_certificate``.

    ``valid_after`` and ``valid_before`` are UTC, None when that side is open. ``signature`` is the
    authority's, in wire form, over ``signed``: everything before it.
    """

    key: SshKey
    serial: int  # 0: the authority does not count
    key_id: str
    principals: tuple[str, ...]
    valid_after: datetime | None
    valid_before: datetime | None
    critical_options: tuple[str, ...]
    extensions: tuple[str, ...]
    authority: SshKey
    signed: bytes = field(repr=False)
    signature: bytes = field(repr=False)

    @property
    def verify_required(self) -> bool:
        """The security key has to verify its user, by a PIN or a fingerprint, at every signature."""
        return _VERIFY_REQUIRED in self.critical_options


def is_certificate(blob: bytes) -> bool:
    """Whether a public key field claims to be a certificate, of a kind that is accepted or not."""
    try:
        return "-cert-v" in Reader(blob).text()
    except WireError:
        return False


@lru_cache(maxsize=1024)  # as for keys: a range of commits has few certificates
def parse_certificate(blob: bytes) -> SshCertificate:
    """A certificate from its wire form. Raises KeyTypeError."""
    if len(blob) > MAX_CERTIFICATE:
        raise _malformed(f"{len(blob)} bytes")
    reader = Reader(blob)
    try:
        certificate = _parse(reader)
        reader.end()
    except (WireError, UnicodeDecodeError) as error:
        raise _malformed(str(error)[:120]) from error
    return certificate


def _parse(reader: Reader) -> SshCertificate:
    """Arguments are read in the order of the fields."""
    kind = reader.text()
    if kind not in _TYPES:
        raise KeyTypeError("certificate type is not accepted", got=kind, expected="one of a key that is")
    reader.string()  # the nonce
    key, serial = _certified(reader, *_TYPES[kind]), reader.u64()
    _expect_user(reader.u32())
    return SshCertificate(
        key=key,
        serial=serial,
        key_id=_name(reader.string()),
        principals=_principals(reader.string()),
        valid_after=_moment(reader.u64(), open_at=0),
        valid_before=_moment(reader.u64(), open_at=_FOREVER),
        critical_options=_critical(_options(reader.string()), key),
        extensions=tuple(_options(reader.string())),
        authority=_authority(reader),
        signed=reader.passed,
        signature=reader.string(),
    )


def _certified(reader: Reader, kind: str, strings: int) -> SshKey:
    parts = [kind.encode(), *(reader.string() for _ in range(strings))]
    return parse_key(b"".join(map(string, parts)))


def _authority(reader: Reader) -> SshKey:
    if reader.string():
        raise WireError("a reserved field that is not empty")
    return parse_key(reader.string())


def _expect_user(kind: int) -> None:
    if kind != _USER:
        got = {2: "a host certificate"}.get(kind, f"type {kind}")
        hint = "issue one with `ssh-keygen -s CA -I ID -n PRINCIPAL`, without -h"
        raise KeyTypeError(
            "certificate is not for a person", expected="a user certificate", got=got, hint=hint
        )


def _principals(packed: bytes) -> tuple[str, ...]:
    reader, found = Reader(packed), []
    while reader.left:
        found.append(_name(reader.string()))
        if len(found) > MAX_PRINCIPALS:
            raise WireError(f"more than {MAX_PRINCIPALS} principals")
    if not found or "" in found:
        hint = "issue it for somebody: `ssh-keygen -s CA -I ID -n PRINCIPAL`"
        raise KeyTypeError("certificate without a principal is good for everybody", hint=hint)
    return tuple(found)


def _name(raw: bytes) -> str:
    name = raw.decode()
    if len(raw) > _MAX_NAME or not name.isprintable():
        raise WireError("a name that cannot be shown")
    return name


def _moment(seconds: int, *, open_at: int) -> datetime | None:
    return None if seconds == open_at else moment(seconds)


def _options(packed: bytes) -> dict[str, bytes]:
    reader, found, last = Reader(packed), dict[str, bytes](), ""
    while reader.left:
        name = reader.text()
        if name <= last:  # ASCII: the order of the bytes
            raise WireError("options that are not in order, or not once each")
        found[name], last = reader.string(), name
    return found


def _critical(options: dict[str, bytes], key: SshKey) -> tuple[str, ...]:
    for name, data in options.items():
        if name != _VERIFY_REQUIRED or data or not key.application:
            hint = "issue the certificate without it: it cannot be kept when a commit is verified"
            raise KeyTypeError("critical option is not accepted", got=name, hint=hint)
    return tuple(options)


def _malformed(got: str) -> KeyTypeError:
    hint = "have it issued again by an unmodified ssh-keygen"
    return KeyTypeError("certificate is not well formed", got=got, hint=hint)
