"""What observing, probing and applying share: connection, kinds, and whose records are believed."""

from __future__ import annotations

from dataclasses import dataclass

from reconciler.member.discovery import Kinds
from reconciler.member.transport import Transport


@dataclass(frozen=True, slots=True)
class Client:
    """One member, connected; ``public_keys`` are the keys whose records are believed."""

    transport: Transport
    kinds: Kinds
    public_keys: tuple[bytes, ...]
