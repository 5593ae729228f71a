"""The member's credentials: whether they can be read, and for how long they last. Nothing of them is shown.

A token's claims (RFC 7519) are read without verifying them: only the API server can do that, and it is asked
elsewhere. They come from our own host, and are bounded and believed for nothing but a date.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from cryptography import x509

from reconciler.errors import FleetwardError
from reconciler.member import errors
from reconciler.member.diagnosis.certificates import valid
from reconciler.member.diagnosis.results import (
    Bounds,
    MemberCheck,
    Result,
    failed,
    failed_by,
    ok,
    skipped,
    warning,
)
from reconciler.member.diagnosis.validity import Validity, validity_result
from reconciler.member.login import CredentialSource, Login
from reconciler.member.tokens import claims

_HINT = "renew it: docs/joining-by-hand.md, step 2"


@dataclass(frozen=True, slots=True)
class Loaded:
    """A login that was read already, as a source: what one look finds is about one login."""

    login: Login

    async def load(self, *, fresh: bool = False) -> Login:  # noqa: ARG002  there is no other
        return self.login


async def load_login(source: CredentialSource, method: str, seconds: float) -> tuple[Result, Login | None]:
    """The login, and whether there is one. An exec command and a Secret on the primary may take time."""
    expected, hint = f"a login by {method}", errors.CODES["FW1717"][1]
    try:
        async with asyncio.timeout(seconds):
            login = await source.load()
    except TimeoutError:
        return failed(MemberCheck.USABLE, expected, f"none in {seconds:g} s", hint, code="FW1717"), None
    except FleetwardError as error:  # a Secret is read by way of another member
        return failed_by(MemberCheck.USABLE, error, expected), None
    kinds = ["a token"] * bool(login.token) + ["a client certificate"] * bool(login.certificate)
    return ok(MemberCheck.USABLE, expected, " and ".join(kinds)), login


def expiry_results(login: Login, now: datetime, bounds: Bounds) -> list[Result]:
    """How long token and client certificate last, one result each."""
    results = [_token(login.token, now, bounds)] if login.token else []
    return [*results, _certificate(login.certificate, now, bounds)] if login.certificate else results


def _token(token: str, now: datetime, bounds: Bounds) -> Result:
    check = MemberCheck.CREDENTIAL_EXPIRY
    found = claims(token)
    if found is None:
        return skipped(check, "the token is no JWT, so it does not say")
    end, begin = _time(found, "exp"), _time(found, "nbf") or _time(found, "iat")
    if end is None:
        hint = "use a bound token (`kubectl create token`), and revoke this one"
        return warning(check, "a token that ends", "the token has no exp: it never does", hint, code="FW1734")
    return validity_result(
        check, "the token is valid", Validity(begin, end), now, bounds.expiring, code="FW1734", hint=_HINT
    )


def _certificate(pem: bytes, now: datetime, bounds: Bounds) -> Result:
    check, what = MemberCheck.CREDENTIAL_EXPIRY, "the client certificate is valid"
    try:
        certificate = x509.load_pem_x509_certificate(pem)
    except ValueError:
        hint = errors.CODES["FW1717"][1]
        return failed(check, "a client certificate in PEM", "another text", hint, code="FW1717")
    return validity_result(check, what, valid(certificate), now, bounds.expiring, code="FW1734", hint=_HINT)


def _time(found: dict[str, Any], name: str) -> datetime | None:
    """A NumericDate; None where there is none, or none that a calendar has."""
    value = found.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return datetime.fromtimestamp(value, UTC)
    except (ValueError, OverflowError, OSError):
        return None
