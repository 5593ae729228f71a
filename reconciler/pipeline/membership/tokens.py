"""Join tokens, made and taken back: the log knows the id, and only the person who made it the token.

Rules: from a minute to a week; the entry is durable before the token is given out, so a token that the log
does not know is none. Labels and name are as a registration takes them. Ids are hexadecimal: one that
began with a dash would look like an option to `token revoke`.

>>> parse_labels("tier=workload,owner=shop")
{'owner': 'shop', 'tier': 'workload'}
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from reconciler.audit.entry import TokenCreated, TokenRevoked
from reconciler.audit.log import Log
from reconciler.audit.membership import MAX_TOKENS, Primary
from reconciler.audit.state import LogState
from reconciler.documents.formats import is_dns_label, is_label_key, is_label_value
from reconciler.errors import SettingsError
from reconciler.model import Clock
from reconciler.pipeline.membership.promoting import require_primary
from reconciler.pipeline.membership.refused import (
    BadNameError,
    PrimaryError,
    TokenUnknownError,
    TokenUsedError,
)
from reconciler.trust.jointoken import MAX_LABELS, Claims, TokenKey, at, issue

Approver = Callable[[LogState], None]  # raises where joins without review are not allowed
SHORTEST, LONGEST = timedelta(minutes=1), timedelta(days=7)


@dataclass(frozen=True, slots=True)
class MadeToken:
    """A new token: the secret itself, its id and end (UTC)."""

    token: str = field(repr=False)
    id: str
    expires: datetime


def create_token(
    log: Log,
    key: TokenKey,
    *,
    ttl: timedelta,
    cluster: str,
    labels: Mapping[str, str],
    clock: Clock,
    actor: str,
    approver: Approver | None = None,
) -> MadeToken:
    """A token for ``cluster`` ("" for any); with an ``approver`` its join needs no review.

    Raises SettingsError, BadNameError, PrimaryError, AuditError; AutoApproveError and EnrollerMissingError
    where the last accepted commit does not allow that.
    """
    state = log.state()
    primary = require_primary(state)
    require_key(primary, key)
    if not SHORTEST <= ttl <= LONGEST:
        raise SettingsError("the token's life is out of bounds", expected="from 1m to 168h", got=str(ttl))
    if cluster:
        require_name(cluster)
    if approver is not None:
        approver(state)
    now = clock()
    if len(state.membership.open_tokens(now)) >= MAX_TOKENS:
        raise PrimaryError(f"there are {MAX_TOKENS} unused tokens", hint="revoke some, or let them expire")
    claims = Claims(
        issuer_of(state), secrets.token_hex(16), int(now.timestamp()), int((now + ttl).timestamp()),
        (url_of(primary),), primary.ca_pin, cluster, dict(labels),
    )  # fmt: skip
    token = issue(key, claims)
    shown = tuple(f"{name}={value}" for name, value in sorted(labels.items()))
    entry = TokenCreated(
        actor=actor, token=claims.id, cluster=cluster, labels=shown, expires=at(claims.expires),
        auto_approve=approver is not None,
    )  # fmt: skip
    log.append([entry])
    return MadeToken(token, claims.id, at(claims.expires))


def revoke_token(log: Log, token: str, *, actor: str) -> None:
    """Take a token back. Raises TokenUnknownError, TokenUsedError, AuditError."""
    known = log.state().membership.tokens.get(token)
    if known is None or known.revoked:
        raise TokenUnknownError(
            "no token of this id can be revoked", got=token[:64], hint="`fleetward token list` shows the ids"
        )
    if known.used_by:
        raise TokenUsedError(
            f"the token was used by cluster {known.used_by}", got=token[:64],
            hint=f"give its proposal up: delete the branch join/{known.used_by}",
        )  # fmt: skip
    log.append([TokenRevoked(actor=actor, token=token)])


def issuer_of(state: LogState) -> str:
    """Who issues tokens: the log's first key with its origin (a vkey), which stays when keys are replaced."""
    return state.keys[0].vkey


def url_of(primary: Primary) -> str:
    """Where members join."""
    host = f"[{primary.address}]" if ":" in primary.address else primary.address
    return f"https://{host}:{primary.port}"


def require_key(primary: Primary, key: TokenKey) -> None:
    """The key is the one that the log names. Raises PrimaryError."""
    if key.id != primary.token_key:
        raise PrimaryError(
            "this machine's token key is not the primary's", expected=primary.token_key, got=key.id,
            hint="use the state folder that `fleetward promote` ran with, or demote and promote again",
        )  # fmt: skip


def require_name(name: str) -> None:
    """Raises BadNameError unless a cluster may join under this name."""
    if not is_dns_label(name):
        raise BadNameError(
            "not a name for a cluster",
            expected="lower-case letters, digits and '-', at most 63",
            got=name[:80],
        )


def parse_labels(text: str) -> dict[str, str]:
    """Labels from ``key=value,...``. Raises SettingsError."""
    found: dict[str, str] = {}
    for part in filter(None, text.split(",")):
        key, equals, value = part.partition("=")
        if not equals or key in found or not is_label_key(key) or not is_label_value(value):
            raise SettingsError(
                "not labels", expected="key=value,... as Kubernetes takes them", got=part[:100]
            )
        found[key] = value
    if len(found) > MAX_LABELS:
        raise SettingsError("too many labels", expected=f"at most {MAX_LABELS}", got=str(len(found)))
    return dict(sorted(found.items()))
