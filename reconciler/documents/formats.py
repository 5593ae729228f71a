"""The ``format`` values of our schemas: what each takes, which code it gives, and what to expect instead.

Rules kept here
- Every check takes any string, answers True or False, and never raises.
- A schema names a format, so that one pass over a document finds everything with its place; editors, which do
  not know these formats, ignore them.

>>> is_https_url("https://10.0.0.1:6443"), is_https_url("https://user@host"), is_https_url("http://host")
(True, False, False)
"""

from __future__ import annotations

import base64
import binascii
import ipaddress
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import lru_cache
from urllib.parse import SplitResult, urlsplit

from reconciler.documents.durations import is_duration

_LABEL = "[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?"
_QUALIFIED = re.compile(r"[A-Za-z0-9](?:[-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?", re.ASCII)
_DNS_LABEL = re.compile(_LABEL, re.ASCII)
_SUBDOMAIN = re.compile(r"[a-z0-9](?:[-a-z0-9]*[a-z0-9])?(?:\.[a-z0-9](?:[-a-z0-9]*[a-z0-9])?)*", re.ASCII)
_RBAC_NAME = re.compile(r"[A-Za-z0-9](?:[-A-Za-z0-9:._]*[A-Za-z0-9])?", re.ASCII)
_PORT_NAME = re.compile(r"(?=[a-z0-9-]*[a-z])[a-z0-9](?:-?[a-z0-9])*", re.ASCII)
_SCP_URL = re.compile(r"[A-Za-z0-9._][-A-Za-z0-9._]*@[A-Za-z0-9][-A-Za-z0-9.]*:[^\s:-][^\s:]*", re.ASCII)
_REF = re.compile(r"refs/(?!.*(?:\.\.|//|@\{|/\.|\.lock(?:/|$)))[!-~]+(?<![/.])", re.ASCII)
_REF_REFUSED = frozenset(" ~^:?*[\\\x7f")
_KEY_TYPES = frozenset(
    {
        "ssh-ed25519",
        "ssh-rsa",
        "ecdsa-sha2-nistp256",
        "ecdsa-sha2-nistp384",
        "ecdsa-sha2-nistp521",
        "sk-ssh-ed25519@openssh.com",
        "sk-ecdsa-sha2-nistp256@openssh.com",
    }
)
_PEM = "-----BEGIN CERTIFICATE-----"
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


@dataclass(frozen=True, slots=True)
class Format:
    """One format: its check, the code of its finding, and what the finding says was expected."""

    check: Callable[[str], bool]
    code: str
    expected: str


def is_subdomain(text: str) -> bool:
    """DNS-1123 subdomain, as k8s.io/apimachinery's IsDNS1123Subdomain."""
    return len(text) <= 253 and _SUBDOMAIN.fullmatch(text) is not None


def is_dns_label(text: str) -> bool:
    """DNS-1123 label, as IsDNS1123Label."""
    return _DNS_LABEL.fullmatch(text) is not None


def is_rbac_name(text: str) -> bool:
    """RBAC names are path segments and may hold ':'; we take what no URL has to escape."""
    return len(text) <= 253 and _RBAC_NAME.fullmatch(text) is not None


def is_label_key(text: str) -> bool:
    """A qualified name with an optional DNS prefix, as IsQualifiedName."""
    prefix, slash, name = text.rpartition("/")
    return _QUALIFIED.fullmatch(name) is not None and (not slash or is_subdomain(prefix))


def is_label_value(text: str) -> bool:
    """As IsValidLabelValue: empty, or at most 63 characters."""
    return not text or _QUALIFIED.fullmatch(text) is not None


def is_port_name(text: str) -> bool:
    """An IANA service name, as IsValidPortName."""
    return len(text) <= 15 and _PORT_NAME.fullmatch(text) is not None


def is_cidr(text: str) -> bool:
    """An IPv4 or IPv6 network whose host bits are zero."""
    try:
        ipaddress.ip_network(text)
    except ValueError:
        return False
    return "/" in text and "%" not in text


def is_https_url(text: str) -> bool:
    """``https://host[:port][/path]``: no user, no query, no fragment."""
    return _is_plain_url(text, {"https"})


def is_gate_url(text: str) -> bool:
    """The same, or http to the same host."""
    url = _split(text)
    return _is_plain_url(text, {"https", "http"} if url and url.hostname in _LOOPBACK else {"https"})


def is_git_url(text: str) -> bool:
    """https or ssh URL, ``user@host:path``, ``file:///path`` or an absolute path; no password, no option."""
    if not text.isprintable() or " " in text or len(text) > 2048:
        return False
    if text.startswith(("/", "file:///")) or _SCP_URL.fullmatch(text):
        return True
    if text.startswith("ssh://"):
        url = _split(text)
        return (
            url is not None
            and url.password is None
            and not (url.netloc.startswith("-") or "@-" in url.netloc)
        )
    return _is_plain_url(text, {"https"})


def is_git_ref(text: str) -> bool:
    """A full ref name, as ``git check-ref-format`` takes it."""
    return len(text) <= 255 and _REF.fullmatch(text) is not None and not _REF_REFUSED & set(text)


def is_credentials_path(text: str) -> bool:
    """A relative path that stays below its folder."""
    if not text.isprintable() or text.startswith(("/", "~")) or "\\" in text or len(text) > 1024:
        return False
    return all(part not in ("", ".", "..") for part in text.split("/"))


def is_ssh_key(text: str) -> bool:
    """A public key line: a known type, then base64 that names the same type (RFC 4253, 6.6)."""
    words = text.split(None, 2)
    if len(words) < 2 or words[0] not in _KEY_TYPES or not text.isprintable() or len(text) > 16384:
        return False
    try:
        blob = base64.b64decode(words[1], validate=True)
    except (binascii.Error, ValueError):
        return False
    name = words[0].encode()
    return blob.startswith(len(name).to_bytes(4, "big") + name) and len(blob) > len(name) + 8


@lru_cache(maxsize=256)
def is_certificates(text: str) -> bool:
    """One or more PEM certificates, all readable, and no private key beside them."""
    if _PEM not in text or "PRIVATE KEY" in text:
        return False
    from cryptography import x509

    try:
        found = x509.load_pem_x509_certificates(text.encode())
    except ValueError:
        return False
    return len(found) == text.count(_PEM)


def is_date(text: str) -> bool:
    """A calendar day, YYYY-MM-DD."""
    try:
        return len(text) == 10 and bool(date.fromisoformat(text))
    except ValueError:
        return False


def parse_time(text: str) -> datetime:
    """RFC 3339 in UTC with whole seconds, "2027-01-31T12:00:00Z". Raises ValueError."""
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)


def is_time(text: str) -> bool:
    """Whether ``parse_time`` takes the text."""
    try:
        return len(text) == 20 and bool(parse_time(text))
    except ValueError:
        return False


def is_path_glob(text: str) -> bool:
    """A relative glob: ``*``, ``?`` and ``**`` as a whole segment; no empty, "." or ".." segment."""
    if not text.isprintable() or len(text) > 1024 or set(text) & set("\\[]{}!"):
        return False
    parts = text.split("/")
    return all(part not in ("", ".", "..") and ("**" not in part or part == "**") for part in parts)


def is_base64(text: str) -> bool:
    """Standard base64, line breaks allowed."""
    try:
        return bool(base64.b64decode("".join(text.split()), validate=True))
    except (binascii.Error, ValueError):
        return False


def is_openpgp_certificate(text: str) -> bool:
    """An armoured public key block; whether it can be used is found when it is parsed."""
    begin, end = "-----BEGIN PGP PUBLIC KEY BLOCK-----", "-----END PGP PUBLIC KEY BLOCK-----"
    return len(text) <= 1 << 20 and text.strip().startswith(begin) and text.strip().endswith(end)


def is_verifier_key(text: str) -> bool:
    """A C2SP signed-note verifier key: name+8 hex digits+base64."""
    return re.fullmatch(r"[^\s+]{1,253}\+[0-9a-f]{8}\+[A-Za-z0-9+/=]{1,200}", text) is not None


def _split(text: str) -> SplitResult | None:
    try:
        url = urlsplit(text)
        url.port  # noqa: B018 - raises ValueError for a port that is no number
    except ValueError:
        return None
    return url


def _is_plain_url(text: str, schemes: set[str]) -> bool:
    if not text.isascii() or not text.isprintable() or set(text) & set(' "<>\\^`{|}?#@') or len(text) > 2048:
        return False
    url = _split(text)
    return url is not None and url.scheme in schemes and bool(url.hostname) and _can_be_asked(text)


def _can_be_asked(text: str) -> bool:
    """Whether what connects (yarl, aiohttp, the resolver) takes the host: all look at it late, and raise."""
    from yarl import URL

    try:
        url = URL(text)
        return bool(url.host) and bool((url.raw_host or "").encode("idna"))
    except ValueError:  # UnicodeError too
        return False


FORMATS: dict[str, Format] = {
    "dns-1123-subdomain": Format(
        is_subdomain, "FW1333", "a DNS-1123 subdomain: lower-case letters, digits, '-' and '.', at most 253"
    ),
    "dns-1123-label": Format(
        is_dns_label, "FW1333", "a DNS-1123 label: lower-case letters, digits and '-', at most 63"
    ),
    "rbac-name": Format(is_rbac_name, "FW1333", "letters, digits and . : _ -, at most 253"),
    "label-key": Format(is_label_key, "FW1333", "a label key: [prefix/]name, the name at most 63"),
    "label-value": Format(is_label_value, "FW1333", "a label value: letters, digits and . _ -, at most 63"),
    "port-name": Format(
        is_port_name, "FW1333", "a port name: lower-case letters, digits and '-', at most 15"
    ),
    "cidr": Format(is_cidr, "FW1320", "a network such as 10.0.0.0/8, host bits zero"),
    "https-url": Format(is_https_url, "FW1341", "https://host[:port][/path] without user, query or fragment"),
    "gate-url": Format(is_gate_url, "FW1341", "an https URL, or http://localhost[:port]"),
    "git-url": Format(is_git_url, "FW1341", "an https or ssh URL without a password, or user@host:path"),
    "git-ref": Format(is_git_ref, "FW1320", "a full ref name such as refs/heads/main"),
    "credentials-path": Format(is_credentials_path, "FW1343", "a relative path without '..'"),
    "ssh-public-key": Format(is_ssh_key, "FW1320", 'an SSH public key such as "ssh-ed25519 AAAA..."'),
    "pem-certificates": Format(is_certificates, "FW1342", "one or more PEM certificates and nothing secret"),
    "go-duration": Format(is_duration, "FW1346", 'a Go duration such as "30s", "5m" or "1h30m"'),
    "rfc3339-time": Format(is_time, "FW1320", "a time in UTC such as 2027-01-31T12:00:00Z"),
    "path-glob": Format(is_path_glob, "FW1320", "a glob from the top such as policies/rbac/**"),
    "base64": Format(is_base64, "FW1320", "standard base64"),
    "openpgp-certificate": Format(is_openpgp_certificate, "FW1320", "an armoured PGP PUBLIC KEY BLOCK"),
    "verifier-key": Format(is_verifier_key, "FW1320", "a verifier key: name+id+base64"),
    "date": Format(is_date, "FW1320", "a day as YYYY-MM-DD"),
}
