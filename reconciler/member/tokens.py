"""What a service account token says of itself: read to know when it ends, never to believe it.

- A token is a JWT (RFC 7519); nothing is verified here, since the API server does that at every request.
- What cannot be read has no facts, whatever its bytes: such a token is used as it is, and not renewed.

>>> facts_of("a-static-token") is None
True
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import orjson

MAX_TOKEN = 64 << 10  # characters; an API server takes no longer header
MAX_AUDIENCES = 64
_KINDS = ("pod", "node", "secret")  # what a token may be bound to, beside its account


@dataclass(frozen=True, slots=True)
class TokenFacts:
    """Life (UTC), audiences, and the object it is bound to: ("secret", name, uid), or "" for none."""

    issued: datetime
    expires: datetime
    audiences: tuple[str, ...] = ()
    bound: tuple[str, str, str] = ("", "", "")

    def due(self, now: datetime) -> bool:
        """Whether less than a third of its life is left."""
        return is_due(self.issued, self.expires, now)


def is_due(start: datetime, end: datetime, now: datetime) -> bool:
    """Whether less than a third of the time from ``start`` to ``end`` is left.

    >>> day = [datetime(2026, 1, 1, hour, tzinfo=UTC) for hour in (0, 9, 15, 16, 17)]
    >>> [is_due(day[0], datetime(2026, 1, 2, tzinfo=UTC), now) for now in day[1:]]
    [False, False, False, True]
    """
    return (end - now) * 3 < end - start


def claims(token: str) -> dict[str, Any] | None:
    """The claims of a JWT, not verified; None for anything else.

    >>> claims("e30.eyJleHAiOjE3Njc2MTQ0MDB9.c2ln")
    {'exp': 1767614400}
    """
    parts = token.split(".") if len(token) <= MAX_TOKEN else ()
    if len(parts) != 3:
        return None
    try:
        padded = parts[1] + "=" * (-len(parts[1]) % 4)
        found = orjson.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def facts_of(token: str) -> TokenFacts | None:
    """What a token says of itself; None for one that is no JWT, or does not say when it ends."""
    found = claims(token)
    try:
        return _facts(found) if found else None
    except (ValueError, TypeError, OverflowError, OSError):
        return None


def _facts(found: dict[str, Any]) -> TokenFacts:
    issued, expires = _moment(found.get("iat")), _moment(found.get("exp"))
    if expires <= issued:
        raise ValueError("it ends before it begins")
    given = found.get("aud", ())
    audiences = tuple([given] if isinstance(given, str) else given)
    if len(audiences) > MAX_AUDIENCES or not all(isinstance(one, str) for one in audiences):
        raise ValueError("not audiences")
    return TokenFacts(issued, expires, audiences, _bound(found.get("kubernetes.io")))


def _moment(value: object) -> datetime:
    """A NumericDate."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError("not a NumericDate")
    return datetime.fromtimestamp(value, UTC)


def _bound(claim: object) -> tuple[str, str, str]:
    for kind in _KINDS if isinstance(claim, dict) else ():
        found = claim.get(kind)  # type: ignore[attr-defined]
        if isinstance(found, dict):
            return kind, str(found.get("name", "")), str(found.get("uid", ""))
    return "", "", ""
