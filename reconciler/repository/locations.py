"""Where a fleet repository is: a path, or a URL that is safe to hand to git.

Rules:
- Schemes https, ssh and file, and ``user@host:path`` (ssh). No http or git (nobody is authenticated), no
  ``ext::`` or other helpers (they run commands).
- Nothing that ssh or git could take for an option, no control characters, no query or fragment.
- A password or token in a URL is used and never shown: ``shown`` is what goes into errors and the log.

>>> location = parse_location("https://bot:s3cret@git.example/fleet.git")
>>> location.shown, location.protocol
('https://git.example/fleet.git', 'https')
>>> parse_location("git@git.example:fleet.git").shown
'git@git.example:fleet.git'
>>> parse_location("../fleet").is_url
False
"""

import re
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import SplitResult, unquote, urlsplit

from reconciler.repository.errors import LocationError
from reconciler.repository.text import printable

_SCHEMES = ("https", "ssh", "file")
_HELPER = re.compile(r"[A-Za-z0-9+.-]+::")
_SCP = re.compile(r"(?:([^/@:]+)@)?([^/@:]+):([^:].*)")
_HINT = "give a path, or an https://, ssh:// or file:// URL (user@host:path is ssh)"


@dataclass(frozen=True, slots=True)
class Location:
    """``shown`` has no secrets; ``url`` does, if the caller gave some, and is "" for a path."""

    shown: str
    url: str = field(default="", repr=False)
    protocol: str = ""
    secrets: tuple[str, ...] = field(default=(), repr=False)

    @property
    def is_url(self) -> bool:
        """Whether it has to be fetched into a mirror."""
        return bool(self.protocol)

    def redacted(self, text: str) -> str:
        """``text``, e.g. what git said, without this location's secrets."""
        for secret in self.secrets:
            text = text.replace(secret, "***")
        return text


def parse_location(location: str) -> Location:
    """Judge ``location`` without touching disk (but for "host:path", which may be a file here) or network.

    Raises LocationError.
    """
    if not location or not location.isprintable() or len(location) > 2048:
        raise _refused("empty, too long, or has characters that do not print", location[:60])
    if location.startswith("-") or _HELPER.match(location):
        raise _refused("looks like an option or a remote helper", location)
    if "://" in location:
        return _url(location)
    match = _SCP.fullmatch(location)
    if match and not Path(location).exists():
        _check_parts(location, match[1] or "", match[2], match[3])
        return Location(location, location, "ssh")
    return Location(location)


def _url(location: str) -> Location:
    try:
        parts = urlsplit(location)
        _ = parts.port
    except ValueError as error:
        raise _refused("not a URL", "") from error
    if parts.scheme not in _SCHEMES:
        raise _refused("scheme is not allowed", parts.scheme)
    if parts.query or parts.fragment:
        raise _refused("has a query or fragment", parts.scheme + "://" + (parts.hostname or ""))
    if (not parts.hostname) != (parts.scheme == "file"):
        raise _refused("host is missing, or given for a file", parts.scheme)
    _check_parts(_shown(parts), parts.username or "", parts.hostname or "", parts.path.lstrip("/"))
    return Location(_shown(parts), location, parts.scheme, _secrets(parts))


def _check_parts(shown: str, user: str, host: str, path: str) -> None:
    if user.startswith("-") or host.startswith("-") or path.startswith("-"):
        raise _refused("a part looks like an option", shown)
    if not path.strip("/"):
        raise _refused("names no repository", shown)


def _secrets(parts: SplitResult) -> tuple[str, ...]:
    """The password, and an https user long enough to be a token, as written and decoded."""
    user = parts.username or ""
    token = user if parts.scheme == "https" and len(user) > 8 else ""
    found = [word for word in (parts.password, token) if word]
    return tuple(sorted({*found, *map(unquote, found)}, key=len, reverse=True))


def _shown(parts: SplitResult) -> str:
    """The URL without secrets; the user of an ssh URL stays, it says which repository is meant."""
    host = parts.netloc.rpartition("@")[2]
    user = f"{parts.username}@" if parts.username and parts.scheme == "ssh" else ""
    return f"{parts.scheme}://{user}{host}{parts.path}"


def _refused(why: str, got: str) -> LocationError:
    return LocationError(f"not a usable repository location: {why}", got=printable(got, 120), hint=_HINT)
