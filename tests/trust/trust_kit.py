"""Trust roots of SSH keys for tests, and the moment at which everything is seen."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from reconciler.documents import TrustedKey, TrustedSigner, TrustRoot
from reconciler.trust import VerifiedSigner, verify_signature

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def signer(name: str, *keys: str, roles: Sequence[str] = ()) -> TrustedSigner:
    """Somebody with these SSH keys ("TYPE BASE64")."""
    return TrustedSigner(name, tuple(TrustedKey(key) for key in keys), roles=tuple(roles))


def verify(payload: bytes, signature: bytes | None, *signers: TrustedSigner) -> VerifiedSigner:
    """Who of ``signers`` signed, seen now."""
    return verify_signature(payload, signature, TrustRoot(signers), NOW)
