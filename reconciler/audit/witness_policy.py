"""The witnesses that are asked to cosign the log's checkpoints, and how many of them must have.

Rules: a witness counts once, so no two have the same key, whatever they are called (C2SP tlog-policy). A
quorum of 0 asks them and requires nothing. A witness without a URL can be verified, not asked; a URL is
https, or http to this machine itself.

>>> str(WitnessPolicy.of([], quorum=0)), is_witness_url("http://w1.example")
('none', False)
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Self
from urllib.parse import urlsplit

from reconciler.audit.codes import LogFormatError, WitnessPolicyError
from reconciler.audit.cosignature import CosignatureKey

MAX_WITNESSES = 32
_MAX_URL = 2048


@dataclass(frozen=True, slots=True)
class Witness:
    """One witness: its key, and its submission prefix ("": it is not asked)."""

    key: CosignatureKey
    url: str = ""
    name: str = ""  # as people call it; the key's name if empty

    def __post_init__(self) -> None:
        if self.url and not is_witness_url(self.url):
            raise WitnessPolicyError(
                "not a URL to submit checkpoints to", where=str(self), got=self.url.split("@")[-1][:200],
                expected="https://host[:port][/path], or http on this machine's loopback",
            )  # fmt: skip

    def __str__(self) -> str:
        return self.name or self.key.name

    @classmethod
    def of(cls, vkey: str, url: str = "", name: str = "") -> Self:
        """Raises WitnessPolicyError for anything but a vkey of type 0x04 and a URL that may be used."""
        try:
            return cls(CosignatureKey.parse(vkey), url, name)
        except LogFormatError as error:
            raise WitnessPolicyError(
                f"a witness's verifier key cannot be used: {error.message}",
                expected=error.expected or "<name>+<8 hex digits>+<base64>", got=error.got, where=name,
                hint="take the key that the witness's operator publishes for cosignature/v1 (Ed25519)",
            ) from error  # fmt: skip


def is_witness_url(url: str) -> bool:
    """https anywhere, http to loopback only; no user, query or fragment."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return False
    plain = url.isprintable() and not set(url) & set(" \\?#@") and len(url) <= _MAX_URL and port != 0
    return plain and bool(host) and (parts.scheme == "https" or (parts.scheme == "http" and _is_here(host)))


def _is_here(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


@dataclass(frozen=True, slots=True)
class WitnessPolicy:
    """At least ``quorum`` of ``witnesses`` must have cosigned. Raises WitnessPolicyError."""

    witnesses: tuple[Witness, ...] = ()
    quorum: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.quorum <= len(self.witnesses) <= MAX_WITNESSES:
            raise WitnessPolicyError(
                "a quorum that cannot be reached, or too many witnesses",
                expected=f"at most {MAX_WITNESSES} witnesses, and a quorum from 0 to their number",
                got=f"{self.quorum} of {len(self.witnesses)}",
            )
        for what in ([w.key.public_key for w in self.witnesses], [str(w) for w in self.witnesses]):
            if len(set(what)) != len(what):
                raise WitnessPolicyError(
                    "two witnesses with the same key or name", hint="name each witness once"
                )

    def __str__(self) -> str:
        names = ", ".join(map(str, self.witnesses))
        return f"{self.quorum} of {names}" if names else "none"

    @classmethod
    def of(cls, witnesses: Iterable[tuple[str, str]], quorum: int) -> Self:
        """The policy of (vkey, url) pairs, as ``spec.log`` of federation.yaml has them."""
        return cls(tuple(Witness.of(vkey, url) for vkey, url in witnesses), quorum)
