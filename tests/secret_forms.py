"""What a secret may look like where it should not be, and a search for many of them at once.

A secret is learned as its core: the bytes that cannot be guessed and that are in every form of it. Of a
private key that is the private number (or seed), so that PEM, OpenSSH, PKCS#8 and DER are all found; of a JWT
the signature, since header and payload are no secret; of anything else the text itself.

``Index`` finds cores in any of their forms: raw, base64 and base64url at each of the three alignments, hex in
both cases, URL-quoted; wrapped over lines, with or without escapes. Its cost does not depend on their number:
every needle has a window of 15 bytes, so each occurrence covers one aligned block of 8 bytes whole, whatever
the alignment; the blocks of the data are looked up in one set of integers, and only a hit is searched for.

>>> index = Index()
>>> index.add(Secret("password", b"correct horse battery staple"))
True
>>> [found.kind for found in index.find(b"<<" + base64.b64encode(b"x correct horse battery staple") + b">>")]
['password']
>>> index.find(b"correct horse"), index.find(bytes(1000))
([], [])
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from urllib.parse import quote_from_bytes

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import dsa, ec, rsa

SHORTEST = 16  # bytes of a core: less could be there by chance, or be a word
_WINDOW, _BLOCK = 15, 8
_JWT = re.compile(rb"eyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{2,}\.([A-Za-z0-9_-]{32,})")
_PEM = re.compile(rb"-----BEGIN ([A-Z ]*PRIVATE KEY)-----[^-]{32,}-----END \1-----")
_KEY_DATA = re.compile(rb"client-key-data\"?: *\"?([A-Za-z0-9+/=]{64,})")
_BEARER = re.compile(rb"(?m)^ *(?:- )?token: *[\"']?([!-~]{16,}?)[\"']? *$")
_GPG = re.compile(rb"\(d #([0-9A-F\s]{32,})#\)")
_ONE_LINE = re.compile(rb"[!-~]{16,8192}")


@dataclass(frozen=True)
class Secret:
    """``core`` as in the module; ``kind`` is what a finding may say."""

    kind: str
    core: bytes = field(repr=False)


def secrets_of(data: bytes) -> Iterator[Secret]:
    """The secrets in the bytes of a credential place: a key, a token, a kubeconfig, one line of anything."""
    keys = [match[0] for match in _PEM.finditer(data)]
    keys += [_decoded(match[1]) for match in _KEY_DATA.finditer(data)]
    for key in keys:
        yield from (Secret("private key", core) for core in _private(key))
    found = list(_JWT.finditer(data))
    yield from (Secret("token (JWT)", match[1]) for match in found)
    bearers = [match[1] for match in _BEARER.finditer(data) if not _JWT.search(match[1])]
    yield from (Secret("bearer token", bearer) for bearer in bearers)
    yield from (
        Secret("private key (OpenPGP)", bytes.fromhex("".join(match[1].decode().split())))
        for match in _GPG.finditer(data)
    )
    if not keys and not found and _ONE_LINE.fullmatch(line := data.strip()):
        yield Secret("secret of one line", line)


def _decoded(text: bytes) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except ValueError:
        return b""


def _private(pem: bytes) -> list[bytes]:
    """The private numbers of a key in PEM; of one that cannot be read without a password, its text."""
    load = serialization.load_pem_private_key
    try:
        if b"OPENSSH" in pem:
            key = serialization.load_ssh_private_key(pem, None)
        else:
            key = load(pem, None, unsafe_skip_rsa_key_validation=True)  # type: ignore[assignment]
    except (ValueError, TypeError, OverflowError, NotImplementedError):
        return [b"".join(pem.splitlines()[1:-1])[:8192]]
    if isinstance(key, rsa.RSAPrivateKey):
        numbers = key.private_numbers()
        return [_big(number) for number in (numbers.d, numbers.p, numbers.q)]
    if isinstance(key, ec.EllipticCurvePrivateKey):
        return [_big(key.private_numbers().private_value)]
    if isinstance(key, dsa.DSAPrivateKey):
        return [_big(key.private_numbers().x)]
    return [key.private_bytes_raw()]  # type: ignore[union-attr]


def _big(number: int) -> bytes:
    return number.to_bytes((number.bit_length() + 7) // 8, "big")


def forms(core: bytes) -> set[bytes]:
    """The core in every form that is looked for."""
    found = {core, core.hex().encode(), core.hex().upper().encode(), quote_from_bytes(core, safe="").encode()}
    for shift, skipped in ((0, 0), (1, 2), (2, 3)):  # characters that depend on what comes before
        usable = (shift + len(core)) * 8 // 6
        plain = base64.b64encode(bytes(shift) + core)[skipped:usable]
        found |= {plain, plain.translate(bytes.maketrans(b"+/", b"-_"))}
    return found


class Index:
    """Secrets, ready to be looked for."""

    def __init__(self, known: Iterable[Secret] = ()) -> None:
        self.secrets: dict[bytes, Secret] = {}
        self._blocks: set[int] = set()
        for secret in known:
            self.add(secret)

    def add(self, secret: Secret) -> bool:
        """Whether it is new, and long enough to be looked for."""
        if len(secret.core) < SHORTEST or len(set(secret.core)) < 6 or secret.core in self.secrets:
            return False
        self.secrets[secret.core] = secret
        for form in forms(secret.core):
            window = _window(form)
            blocks = (window[at : at + _BLOCK] for at in range(_WINDOW - _BLOCK + 1))
            self._blocks.update(int.from_bytes(block, _ORDER) for block in blocks)
        return True

    def find(self, data: bytes) -> list[Secret]:
        """The secrets that are in ``data``."""
        if not self.secrets or len(data) < SHORTEST:
            return []
        views = [data]
        if b"\n" in data or b"\\n" in data:
            views.append(data.replace(b"\\n", b"").translate(None, b"\r\n\t "))
        hit = [view for view in views if not self._blocks.isdisjoint(_blocks_of(view))]
        return [
            secret
            for core, secret in (self.secrets.items() if hit else ())
            if any(form in view for form in forms(core) for view in hit)
        ]

    def redact(self, text: str) -> str:
        """``text`` without what was found in it; without anything, where it cannot be cut out."""
        data = text.encode("utf-8", "surrogatepass")
        for secret in self.find(data):
            for form in forms(secret.core):
                data = data.replace(form, f"[{secret.kind}]".encode())
        return "[withheld: it has a secret]" if self.find(data) else data.decode("utf-8", "replace")


_ORDER = "little" if memoryview(b"\1\0\0\0\0\0\0\0").cast("Q")[0] == 1 else "big"


def _blocks_of(data: bytes) -> memoryview:
    return memoryview(data)[: len(data) // _BLOCK * _BLOCK].cast("Q")


def _window(form: bytes) -> bytes:
    """The most varied 15 bytes, so that few blocks of innocent data are alike."""
    return max(
        (form[at : at + _WINDOW] for at in range(len(form) - _WINDOW + 1)), key=lambda one: len(set(one))
    )
