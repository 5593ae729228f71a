"""Secrets of the primary's API server, and the slot of a token in one.

1. claim    read the Secret: it has the token that is to be replaced, and it may be changed
2. stage    the new token under the key ``token.new``, by an update with the resourceVersion that was read
3. publish  ``token`` is the new one and ``token.new`` is gone: one update with the version of step 2

Rules
- An update with a resourceVersion is a compare-and-swap: of two runs one gets past step 2, and the other one
  has lost. Its token was never used and ends by itself.
- An update whose answer was lost is sent again and meets itself: what is there then tells.
- Everything else in the Secret stays as it is. A Secret that is ``immutable`` is said, not fought.
"""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from typing import Any

import orjson

from reconciler.errors import MemberError
from reconciler.member import errors
from reconciler.member.discovery import BUILT_IN
from reconciler.member.slots import OpenSecrets, StoredSecret
from reconciler.member.transport import Answer, Request, Transport, expecting

TOKEN, STAGED = "token", "token.new"  # keys of the Secret's data


class ApiSecrets:
    """Secrets by one connection to the API server that has them."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def read(self, namespace: str, name: str) -> StoredSecret:
        """Raises NotFoundError, MemberError."""
        return _stored(await self._transport.send(Request("GET", _path(namespace, name))))

    async def write(self, secret: StoredSecret, data: Mapping[str, bytes]) -> StoredSecret:
        """Raises ConflictError when it was changed since it was read, MemberError."""
        metadata = secret.body["metadata"]
        body = {**secret.body, "apiVersion": "v1", "kind": "Secret", "data": _encoded(data)}
        path = _path(metadata["namespace"], metadata["name"])
        return _stored(await self._transport.send(Request("PUT", path, orjson.dumps(body))))

    async def create(
        self, namespace: str, name: str, data: Mapping[str, bytes], labels: Mapping[str, str]
    ) -> None:
        """A new Secret of type Opaque. Raises ConflictError when there is one, MemberError."""
        metadata = {"name": name, "namespace": namespace, "labels": dict(labels)}
        body = {
            "apiVersion": "v1", "kind": "Secret", "metadata": metadata, "type": "Opaque",
            "data": _encoded(data),
        }  # fmt: skip
        await self._transport.send(Request("POST", _path(namespace, ""), orjson.dumps(body)))

    async def delete(self, secret: StoredSecret) -> None:
        """This very Secret. Raises ConflictError when another has its name, NotFoundError, MemberError."""
        metadata = secret.body["metadata"]
        body = {"apiVersion": "v1", "kind": "DeleteOptions", "preconditions": {"uid": metadata["uid"]}}
        path = _path(metadata["namespace"], metadata["name"])
        await self._transport.send(Request("DELETE", path, orjson.dumps(body)))


@dataclass(slots=True)
class SecretSlot:
    """The place of a token in a Secret; see the module."""

    open: OpenSecrets
    secret: StoredSecret
    staged: bytes = b""

    async def stage(self, token: str) -> None:
        """Put the new token beside the old one. Raises SlotLostError, SecretWriteError, MemberError."""
        self.staged = token.encode("ascii")
        await self._write({**self.secret.data, STAGED: self.staged}, STAGED)

    async def publish(self) -> None:
        """The staged token takes the old one's place. Raises as ``stage``."""
        rest = {key: value for key, value in self.secret.data.items() if key != STAGED}
        await self._write({**rest, TOKEN: self.staged}, TOKEN)
        self.staged = b""

    async def drop(self) -> None:
        """Take away what was staged and not published."""
        if self.staged and self.secret.data.get(STAGED) == self.staged:
            rest = {key: value for key, value in self.secret.data.items() if key != STAGED}
            await self._write(rest, TOKEN)

    async def _write(self, data: Mapping[str, bytes], key: str) -> None:
        where = label_of(self.secret)
        with writing(where):
            async with self.open() as secrets:
                try:
                    self.secret = await secrets.write(self.secret, data)
                except errors.ConflictError as error:
                    metadata = self.secret.body["metadata"]
                    found = await secrets.read(metadata["namespace"], metadata["name"])
                    if found.data.get(key) != data[key]:
                        raise errors.SlotLostError(
                            "another run replaced the credential", where=where,
                        ) from error  # fmt: skip
                    self.secret = found  # our own update, whose answer was lost


@asynccontextmanager
async def claimed_secret(
    open_secrets: OpenSecrets, namespace: str, name: str, token: str
) -> AsyncIterator[SecretSlot | None]:
    """The Secret's slot, if its token is ``token``. Raises SecretWriteError, MemberError."""
    async with open_secrets() as secrets:
        found = await secrets.read(namespace, name)
    if found.data.get(TOKEN, b"").strip() != token.encode():
        yield None
        return
    require_mutable(found)
    slot = SecretSlot(open_secrets, found)
    try:
        yield slot
    finally:
        with suppress(MemberError):
            await slot.drop()


def require_mutable(secret: StoredSecret) -> None:
    """Raises SecretWriteError for a Secret that the API server does not let anybody change."""
    if secret.body.get("immutable"):
        raise errors.SecretWriteError(
            "the Secret of a credential is immutable", where=label_of(secret),
            hint="delete it and make it again without `immutable: true`, or put new tokens into new Secrets",
        )  # fmt: skip


@contextmanager
def writing(where: str) -> Iterator[None]:
    """A refusal of the API server to write a Secret, as SecretWriteError: what there is to do is known."""
    try:
        yield
    except (errors.ForbiddenError, errors.NotFoundError, errors.InvalidError) as error:
        raise errors.SecretWriteError(
            f"the Secret of a credential cannot be written: {error.code}: {error.message}",
            got=error.got, where=where,
        ) from error  # fmt: skip


def label_of(secret: StoredSecret) -> str:
    """For people."""
    metadata = secret.body.get("metadata", {})
    return f"Secret {metadata.get('namespace', '')}/{metadata.get('name', '')} on the primary"


def _stored(answer: Answer) -> StoredSecret:
    with expecting("a Secret"):
        body: dict[str, Any] = answer.json()
        data = {key: base64.b64decode(value) for key, value in (body.get("data") or {}).items()}
        return StoredSecret(data, {**body, "metadata": answer.metadata()})


def _encoded(data: Mapping[str, bytes]) -> dict[str, str]:
    return {key: base64.b64encode(value).decode() for key, value in data.items()}


def _path(namespace: str, name: str) -> str:
    return BUILT_IN["", "Secret"].path(namespace, name)
