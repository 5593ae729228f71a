"""Where a private key is on a PKCS#11 token: RFC 7512 URIs, read strictly.

Rules:
- Every attribute is one that selects the token or the key, or ``module-path`` or ``pin-source``; any other is
  refused, since ignoring it could mean another key than its writer meant.
- A PIN never stands in a URI (``pin-value``): URIs are seen in process lists and logs. It is in a file of
  mode 0600 (``pin-source=file:...``) or in FLEETWARD_PIN.
- Key and module are named: no searching for a module, no "the only key there is".

>>> uri = parse_uri("pkcs11:token=fleet;object=log%20key?module-path=/usr/lib/softhsm/libsofthsm2.so")
>>> uri.token, uri.object, uri.module, str(uri)
('fleet', 'log key', '/usr/lib/softhsm/libsofthsm2.so', 'pkcs11:token=fleet;object=log%20key')
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote, quote_from_bytes, unquote_to_bytes

from reconciler.trust.errors import KeyUriError

SCHEME: Final = "pkcs11:"
MAX_URI: Final = 4096  # characters
_PATH: Final = ("token", "serial", "manufacturer", "model", "object", "id", "type")
_QUERY: Final = ("module-path", "pin-source")
_EXPECTED: Final = "pkcs11:token=NAME;object=LABEL?module-path=FILE&pin-source=file:FILE"
_SAFE: Final = "-._~:[]@!$'()*+,="


@dataclass(frozen=True, slots=True)
class KeyUri:
    """What the URI says; "" or b"" where it does not. ``str`` gives its path alone."""

    module: str  # file of the PKCS#11 module
    token: str = ""
    serial: str = ""
    manufacturer: str = ""
    model: str = ""
    object: str = ""  # CKA_LABEL
    id: bytes = b""  # CKA_ID
    pin_source: str = ""  # a file

    def __str__(self) -> str:
        names = ("token", "serial", "manufacturer", "model", "object")
        parts = [f"{name}={quote(getattr(self, name), safe=_SAFE)}" for name in names if getattr(self, name)]
        parts += [f"id={quote_from_bytes(self.id, safe='')}"] if self.id else []
        return SCHEME + ";".join(parts)


def is_uri(text: str) -> bool:
    """Whether the text means a key on a token; RFC 3986 schemes are case-insensitive."""
    return text.lstrip()[: len(SCHEME)].lower() == SCHEME


def parse_uri(text: str) -> KeyUri:
    """The URI's meaning. Raises KeyUriError, which never shows what stands behind the question mark."""
    text = text.strip()
    if not is_uri(text) or len(text) > MAX_URI or not re.fullmatch(r"[!-~]+", text) or "#" in text:
        raise KeyUriError("not a PKCS#11 URI", expected=_EXPECTED)
    path, _, query = text[len(SCHEME) :].partition("?")
    found = _attributes(path.split(";") if path else (), _PATH)
    asked = _attributes(query.split("&") if query else (), _QUERY)
    if found.get("type", b"private") != b"private":
        raise KeyUriError("the URI is not that of a private key", expected="type=private")
    names = {name: _text(name, value) for name, value in found.items() if name not in ("id", "type")}
    uri = KeyUri(
        module=_text("module-path", asked.get("module-path", b"")),
        id=found.get("id", b""),
        pin_source=_file(_text("pin-source", asked.get("pin-source", b""))),
        **names,
    )
    return _whole(uri)


def _whole(uri: KeyUri) -> KeyUri:
    for given, what in (
        (uri.module, "module-path, the module's file"),
        (uri.token or uri.serial, "the token, by token= or serial="),
        (uri.object or uri.id, "the key, by object= or id="),
    ):
        if not given:
            raise KeyUriError(f"the PKCS#11 URI does not name {what}", expected=_EXPECTED, got=str(uri))
    return uri


def _attributes(parts: Iterable[str], known: tuple[str, ...]) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    for part in parts:
        name, equals, value = part.partition("=")
        if name in ("pin-value", "pin"):
            raise KeyUriError(
                "a PIN must not stand in a URI", expected="pin-source=file:FILE, or FLEETWARD_PIN",
                hint="others may have seen it by now: change the PIN",
            )  # fmt: skip
        if name not in known or not equals or name in found:
            what = "twice" if name in found else "not one that is used"
            shown = name if re.fullmatch("[a-z-]{1,30}", name) else "its name"
            raise KeyUriError(
                f"an attribute of the PKCS#11 URI is {what}: {shown}", expected=", ".join(known)
            )
        if re.search(r"%(?![0-9A-Fa-f]{2})", value):
            raise KeyUriError(f"the percent-encoding of {name} is broken", expected="% and two hex digits")
        found[name] = unquote_to_bytes(value)
    return found


def _text(name: str, value: bytes) -> str:
    try:
        text = value.decode()
    except UnicodeDecodeError:
        text = "\0"
    if not text.isprintable():
        raise KeyUriError(f"{name} of the PKCS#11 URI is not a printable text")
    return text


def _file(source: str) -> str:
    """The file of a pin-source: a path, or a ``file:`` URI without a host."""
    rest = source.removeprefix("file:")
    path = rest[2:] if source.startswith("file:///") else rest
    if path and not (path.startswith("/") and not path.startswith("//")):
        raise KeyUriError("the pin-source is not a file", expected="pin-source=file:/path")
    return path
