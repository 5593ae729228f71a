"""The limits that fleetward is measured against: plain asyncio and aiohttp, nothing in between.

``raw_apply`` is a server-side apply of given bytes over N connections; ``raw_list`` is one metadata list.
Both start cold, handshake included, as a scheduled run does. Neither checks, retries or records anything.
"""

import asyncio
import ssl
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import aiohttp

LIST = "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io"


@dataclass(frozen=True, slots=True)
class Server:
    """An API server with what it takes to talk to it."""

    url: str
    ca: Path
    token: str


def _session(server: Server, connections: int) -> aiohttp.ClientSession:
    trust = ssl.create_default_context(cafile=str(server.ca))
    connector = aiohttp.TCPConnector(limit=connections, ssl=trust)
    # Identity, as fleetward asks: both sides carry the same bytes.
    headers = {"Authorization": f"Bearer {server.token}", "Accept-Encoding": "identity"}
    return aiohttp.ClientSession(connector=connector, headers=headers)


async def raw_apply(server: Server, work: Sequence[tuple[str, bytes]], connections: int = 32) -> float:
    """Seconds to apply all (path, body) pairs; every answer is read."""
    started = time.perf_counter()
    async with _session(server, connections) as session:
        shared = iter(work)

        async def worker() -> None:
            for path, body in shared:
                url = f"{server.url}{path}?fieldManager=fleetward&fieldValidation=Strict"
                headers = {"Content-Type": "application/apply-patch+yaml"}
                async with session.patch(url, data=body, headers=headers) as response:
                    answer = await response.read()
                    assert response.status < 300, answer[:300]

        await asyncio.gather(*(worker() for _ in range(connections)))
    return time.perf_counter() - started


async def raw_list(server: Server, path: str) -> tuple[float, int]:
    """Seconds for one metadata list of ``path`` (query included), and its size in bytes."""
    started = time.perf_counter()
    async with (
        _session(server, 1) as session,
        session.get(server.url + path, headers={"Accept": LIST}) as response,
    ):
        answer = await response.read()
        assert response.status < 300, answer[:300]
    return time.perf_counter() - started, len(answer)
