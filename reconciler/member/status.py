"""A Kubernetes answer that is not 2xx as a typed error.

The API server's own words (``metav1.Status``: message, reason, details.causes) reach the reader, bounded
and without control characters: they are input like any other.

>>> error = refusal(422, b'{"message":"bad","details":{"causes":[{"field":"spec.a","message":"no"}]}}', "m")
>>> error.code, error.got
('FW1714', 'bad [spec.a: no]')
"""

from __future__ import annotations

import re
from typing import Any

import orjson

from reconciler.member import errors

_LONGEST = 2000
_MOST_CAUSES = 20
_MISTYPED = "failed to create typed patch object"
_MANAGER = re.compile(
    r'conflict with "(?P<name>(?:[^"\\]|\\.)*)"(?: with subresource "(?P<sub>[^"]*)")?'
    r"(?P<update> using \S+(?: at \S+)?)?\Z"
)
_KINDS: dict[int, type[errors.ReplyError]] = {
    400: errors.InvalidError,
    401: errors.UnauthorizedError,
    403: errors.ForbiddenError,
    404: errors.NotFoundError,
    405: errors.NotFoundError,
    408: errors.SlowError,
    409: errors.ConflictError,
    410: errors.ConflictError,
    413: errors.InvalidError,
    415: errors.InvalidError,
    422: errors.InvalidError,
    429: errors.ThrottledError,
}


def refusal(status: int, body: bytes, where: str) -> errors.ReplyError:
    """The error for an HTTP status of 300 and more; ``body`` may be anything."""
    if status < 400:
        return errors.RedirectError("the API server redirects", got=f"HTTP {status}", where=where)
    default = errors.ServerError if status >= 500 else errors.InvalidError
    kind = _KINDS.get(status, default)
    answer = _status_of(body)
    if status == 500 and _MISTYPED in str(answer.get("message")):
        kind = errors.InvalidError  # the API server's own word for a field of the wrong type in an apply
    error = kind(_summary(status, answer), got=_words(answer), where=where)
    if isinstance(error, errors.ConflictError):
        error.managers = tuple(_managers(answer))
    return error


def _status_of(body: bytes) -> dict[str, Any]:
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError:
        return {}
    return value if isinstance(value, dict) else {}


def _summary(status: int, answer: dict[str, Any]) -> str:
    reason = answer.get("reason")
    return f"HTTP {status} {reason}" if isinstance(reason, str) and reason.isalnum() else f"HTTP {status}"


def _words(answer: dict[str, Any]) -> str:
    message = answer.get("message")
    text = message if isinstance(message, str) else ""
    causes = [f"{c.get('field', '')}: {c.get('message', '')}" for c in _causes(answer)]
    # Most messages repeat their causes already.
    added = [cause for cause in causes if cause.partition(": ")[2] not in text]
    text += f" [{'; '.join(added)}]" if added else ""
    return "".join(char if char.isprintable() else " " for char in text[:_LONGEST])


def _causes(answer: dict[str, Any]) -> list[dict[str, Any]]:
    details = answer.get("details")
    causes = details.get("causes") if isinstance(details, dict) else None
    return [c for c in causes if isinstance(c, dict)][:_MOST_CAUSES] if isinstance(causes, list) else []


def _managers(answer: dict[str, Any]) -> list[tuple[str, str, str, str]]:
    found = []
    for cause in _causes(answer):
        if cause.get("reason") != "FieldManagerConflict":
            continue
        match = _MANAGER.match(str(cause.get("message", "")))
        name, sub, update = match.group("name", "sub", "update") if match else ("?", "", "")
        found.append((name, "Update" if update else "Apply", sub or "", str(cause.get("field", ""))))
    return found
