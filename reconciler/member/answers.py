"""Reading what an API server answers, whoever it really is: bounded, and JSON or nothing."""

from __future__ import annotations

import aiohttp

from reconciler.member import errors
from reconciler.member.status import refusal

JSON = "application/json"


async def read_body(response: aiohttp.ClientResponse, limit: int, server: str) -> bytes:
    """The whole body. Raises TooLargeError as soon as it is longer than ``limit``."""
    parts: list[bytes] = []
    size = 0
    async for part in response.content.iter_any():
        size += len(part)
        if size > limit:
            response.close()
            raise errors.TooLargeError(
                "the answer is too large", expected=f"at most {limit} bytes", where=server,
            )  # fmt: skip
        parts.append(part)
    return parts[0] if len(parts) == 1 else b"".join(parts)


def check_type(response: aiohttp.ClientResponse, server: str) -> None:
    """Raises NotKubernetesError unless the answer says that it is JSON."""
    if response.content_type != JSON:
        raise errors.NotKubernetesError(
            "the answer is not JSON", expected=JSON, got=response.content_type[:100], where=server,
        )  # fmt: skip


def refused(response: aiohttp.ClientResponse, body: bytes, server: str) -> errors.ReplyError:
    """The error for an answer that is not 2xx, with its ``Retry-After`` and ``Date``."""
    error = refusal(response.status, body, server)
    error.date = response.headers.get("Date", "")
    asked = response.headers.get("Retry-After", "")
    if asked.isascii() and asked.isdigit() and len(asked) < 7:
        error.retry_after = float(asked)
    return error
