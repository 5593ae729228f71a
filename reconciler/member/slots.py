"""The place of a credential that is replaced while it is in use: claimed, staged, published.

Rules for every kind of place (files in ``token_file``, Secrets in ``secret_slot``)
- ``claim`` gives None where another run is replacing the credential, or has replaced it: nothing to do.
- ``stage`` makes the new token durable, not in use; ``publish`` puts it in use with one step that is done or
  not done. Until then whoever reads the place finds the old token.
- A process that is killed anywhere leaves a place that can be claimed again; what it staged is thrown away.
- ``SlotLostError`` from either: another run was faster, and what it put there is in use.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable


class Slot(Protocol):
    """A claimed place."""

    async def stage(self, token: str) -> None:
        """Make the new token durable. Raises SlotLostError, MemberError."""
        ...

    async def publish(self) -> None:
        """The staged token takes the old one's place. Raises SlotLostError, MemberError."""
        ...


@runtime_checkable
class Replaceable(Protocol):
    """A credential source whose token can be replaced."""

    def claim(self, token: str) -> AbstractAsyncContextManager[Slot | None]:
        """The slot, if it holds ``token`` and nobody else is replacing it. Raises MemberError."""
        ...


@dataclass(frozen=True, slots=True)
class StoredSecret:
    """A Secret as the API server has it: ``data`` is decoded, ``body`` is the whole object."""

    data: Mapping[str, bytes] = field(repr=False)
    body: Mapping[str, Any] = field(default_factory=dict, repr=False)


class Secrets(Protocol):
    """Secrets on the primary. Every method raises MemberError."""

    async def read(self, namespace: str, name: str) -> StoredSecret:
        """Raises NotFoundError where there is none."""
        ...

    async def write(self, secret: StoredSecret, data: Mapping[str, bytes]) -> StoredSecret:
        """The Secret with other data, if nobody changed it since it was read; else ConflictError."""
        ...


OpenSecrets = Callable[[], AbstractAsyncContextManager[Secrets]]  # a connection to the primary, when needed
