"""A credential that renews itself: a service account token in a file or a Secret, before it ends.

1. facts     of the token in use: when it was made, when it ends; renewed when less than a third is left
2. whoami    the API server says which account that is
3. claim     its place, so that two runs do not renew it at once (``slots``)
4. request   a TokenRequest for that very account: same audiences, the wanted life
5. verify    one request with the new token: it is the same account's
6. stage     the new token, durable, beside the old one
7. announce  the caller logs it; a log that cannot be written leaves everything as it was
8. publish   one rename, or one update

Until the last step the old token is in its place, after it the new one, and both are valid: killing the run
at any point loses nothing. What goes wrong is told as ``Standing.error`` and never stops the run; only what
``announce`` raises does.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from reconciler.errors import MemberError
from reconciler.member import errors
from reconciler.member.identity import whoami
from reconciler.member.login import CredentialSource, Login
from reconciler.member.slots import Replaceable, Slot
from reconciler.member.token_request import Account, Issued, account_of, request_token
from reconciler.member.tokens import TokenFacts, facts_of, is_due
from reconciler.member.transport import Transport

Announce = Callable[[Issued], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Standing:
    """How a credential stands: when it ends (UTC; None: it does not say), and why it was not renewed."""

    expires: datetime | None = None
    renewed: bool = False
    error: str = ""  # "FW176x: ...", "" while all is well


UNKNOWN = Standing()


@dataclass(frozen=True, slots=True)
class Held:
    """A credential as it says of itself; ``due`` only of a token that it is time to renew."""

    standing: Standing
    token: str = field(default="", repr=False)
    due: TokenFacts | None = None


@dataclass(frozen=True, slots=True)
class Renewal:
    """What one renewal needs. ``open``: another connection to the same member, with another login."""

    transport: Transport
    source: CredentialSource
    open: Callable[[CredentialSource], Transport]
    now: datetime
    life: timedelta
    patience: timedelta  # for request and verification
    announce: Announce


@dataclass(frozen=True, slots=True)
class _New:
    token: str

    async def load(self, *, fresh: bool = False) -> Login:  # noqa: ARG002 - there is no other
        return Login(token=self.token)


async def renew(work: Renewal) -> Standing:
    """Renew the credential if it is time. Raises what ``announce`` raises, and nothing else of ours."""
    expires: datetime | None = None
    try:
        # 1. Facts.
        held = await hold(work.transport, work.source, work.now)
        if held.due is None:
            return held.standing
        expires = held.standing.expires
        if not isinstance(work.source, Replaceable) or held.due.bound[0] in ("pod", "node"):
            raise _not_ours(held.due)
        return await _renew(work, work.source, held.token, held.due)
    except errors.SlotLostError:
        return Standing(expires)
    except MemberError as error:
        return Standing(expires, error=str(error))


async def hold(transport: Transport, source: CredentialSource, now: datetime) -> Held:
    """The credential in use, or the one that would be: the member is not asked. Raises MemberError."""
    used = transport.login
    login = used if used != Login() else await source.load()
    facts = facts_of(login.token)
    if facts is None:
        return Held(_certificate(login, now))
    return Held(Standing(facts.expires), login.token, facts if facts.due(now) else None)


async def _renew(work: Renewal, source: Replaceable, token: str, facts: TokenFacts) -> Standing:
    # 2. Who am I?
    try:
        async with asyncio.timeout(work.patience.total_seconds()):
            username = await whoami(work.transport)
    except TimeoutError as error:
        raise _slow() from error
    account = account_of(username)
    if account is None:
        raise _not_ours(facts)
    # 3. Claim its place.
    async with source.claim(token) as slot:
        if slot is None:
            return Standing(facts.expires)
        return await _replace(work, slot, facts, account, username)


async def _replace(work: Renewal, slot: Slot, facts: TokenFacts, account: Account, username: str) -> Standing:
    # 4. Request, and 5. verify.
    try:
        async with asyncio.timeout(work.patience.total_seconds()):
            new = await _requested(work, facts, account)
            await _verify(work, new, username)
    except TimeoutError as error:
        raise _slow() from error
    # 6. Stage.
    await slot.stage(new.token)
    # 7. Announce.
    await work.announce(new)
    # 8. Publish.
    await slot.publish()
    return Standing(new.expires, renewed=True)


async def _requested(work: Renewal, facts: TokenFacts, account: Account) -> Issued:
    _, name, uid = facts.bound
    try:
        return await request_token(work.transport, account, work.life, facts.audiences, name, uid)
    except errors.ReplyError as error:
        raise errors.RenewalError(
            f"the member did not give a new token: {error.code}: {error.message}",
            expected=f"create on serviceaccounts/token {account.name!r} in {account.namespace}",
            got=error.got,
        ) from error


async def _verify(work: Renewal, new: Issued, username: str) -> None:
    transport = work.open(_New(new.token))
    try:
        actual = await whoami(transport)
    except errors.ReplyError as error:
        actual = f"an error ({error.code}: {error.message})"
    finally:
        await transport.close()
    if actual != username:
        raise errors.UnusableTokenError(
            "the new token does not work; the old one is kept", expected=username, got=actual,
        )  # fmt: skip


def _certificate(login: Login, now: datetime) -> Standing:
    """How a client certificate stands; one without an end that we can read stands well."""
    if not login.certificate:
        return Standing()
    from cryptography import x509

    try:
        found = x509.load_pem_x509_certificate(login.certificate)
    except ValueError:
        return Standing()
    start, end = (
        moment.replace(tzinfo=UTC) for moment in (found.not_valid_before_utc, found.not_valid_after_utc)
    )
    return Standing(end, error=str(_not_ours(None)) if is_due(start, end, now) else "")


def _not_ours(facts: TokenFacts | None) -> errors.NotRenewableError:
    got = "a client certificate" if facts is None else "another credential"
    if facts and facts.bound[0] in ("pod", "node"):
        got = f"a token bound to {facts.bound[0]} {facts.bound[1]}"
    return errors.NotRenewableError(
        "the credential ends soon, and fleetward cannot renew it",
        expected="a service account token in a tokenFile or a Secret's key `token`",
        got=got,
    )


def _slow() -> errors.RenewalError:
    return errors.RenewalError("the member did not give a new token in time")
