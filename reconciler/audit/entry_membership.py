"""Entries about who belongs to the fleet: the primary, join tokens, joins and refusals, kicks.

Rules: a token is named by its id (``jti``, RFC 7519), which is no secret; the token itself, credentials and
the joining side's claim are never in an entry, the claim only as its SHA-256. What must hold between these
entries: ``membership``.

>>> TokenRevoked(actor="ann@laptop", token="a" * 22).kind
'token-revoked'
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, ClassVar

from reconciler.audit import fields as f
from reconciler.audit.entry_base import Entry

MAX_LABELS = 64
MAX_REASON = 512  # bytes of JSON
TokenId = Annotated[str, f.matching("[A-Za-z0-9_-]{16,64}", "a token's id")]
MaybeTokenId = Annotated[str, f.matching("[A-Za-z0-9_-]{16,64}", "a token's id", empty=True)]
Labels = Annotated[tuple[str, ...], f.listing(f.text(512), MAX_LABELS)]  # "key=value", sorted


@dataclass(frozen=True, slots=True, kw_only=True)
class Promoted(Entry):
    """A cluster became the primary: members join at ``address``:``port`` from here on.

    ``token_key`` is the SHA-256 of the SubjectPublicKeyInfo of the key that signs tokens, ``ca_pin`` that of
    the join endpoint's CA.
    """

    kind: ClassVar[str] = "promoted"
    cluster_uid: f.Name
    address: f.Name
    port: f.Number
    token_key: f.Digest
    ca_pin: f.Digest


@dataclass(frozen=True, slots=True, kw_only=True)
class Demoted(Entry):
    """There is no primary from here on; ``members`` were registered and are left as they are."""

    kind: ClassVar[str] = "demoted"
    cluster_uid: f.Name
    members: f.Number


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenCreated(Entry):
    """A join token was made; ``cluster`` is the only name that it may be used for, "" for any.

    ``auto_approve``: its join registers the cluster at once, if the Federation still allows it then.
    """

    kind: ClassVar[str] = "token-created"
    token: TokenId
    cluster: f.MaybeName
    labels: Labels
    expires: Annotated[datetime, f.TIME]
    auto_approve: Annotated[bool, f.FLAG] = False


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenUsed(Entry):
    """A cluster used the token, once and for all; ``claim`` is the SHA-256 of what only its joiner knows."""

    kind: ClassVar[str] = "token-used"
    token: TokenId
    cluster: f.Name
    cluster_uid: f.Name
    claim: f.Digest


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenRevoked(Entry):
    """The token may not be used any more."""

    kind: ClassVar[str] = "token-revoked"
    token: TokenId


@dataclass(frozen=True, slots=True, kw_only=True)
class JoinRefused(Entry):
    """Requests to join that were refused with ``code``: ``count`` alike, so that nobody can fill the log.

    ``cluster`` is the name as it was asked for, cut; ``token`` is "" where none was believed; ``address`` is
    where the first of them came from.
    """

    kind: ClassVar[str] = "join-refused"
    code: f.Name
    cluster: f.MaybeName
    token: MaybeTokenId
    address: f.MaybeName
    count: f.Number


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberJoined(Entry):
    """A cluster joined; ``commit`` on ``branch`` has its registration.

    On ``join/NAME`` it is proposed, and a merge makes it true. On the fleet's own ref it holds: committed by
    an auto-approved token, or merged before the join.
    """

    kind: ClassVar[str] = "member-joined"
    token: TokenId
    cluster: f.Name
    cluster_uid: f.Name
    commit: f.CommitId
    branch: f.Long


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberKicked(Entry):
    """A cluster is to leave; logged before anything is done. From here on it is left alone.

    ``registration`` is the SHA-256 of the bytes of its registration, "" if it has none: another one counts
    as new. ``contacted``: the cluster itself is to be asked; False for one that is gone. ``cluster_uid`` is
    "" where nobody knows it.
    """

    kind: ClassVar[str] = "member-kicked"
    cluster: f.Name
    cluster_uid: f.MaybeName
    registration: f.MaybeDigest
    reason: Annotated[str, f.text(MAX_REASON, empty=True)]
    kept_objects: Annotated[bool, f.FLAG]
    contacted: Annotated[bool, f.FLAG]


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberLeft(Entry):
    """What came of the kick at index ``kick``: all of it was done.

    What was deleted or released on the cluster has its own intent and outcome. ``credentials`` files were
    removed here. The removal of the registration is proposed as ``commit`` on
    ``branch``, both "" where there was nothing to remove.
    """

    kind: ClassVar[str] = "member-left"
    cluster: f.Name
    cluster_uid: f.MaybeName
    kick: f.Number
    credentials: f.Number
    commit: f.MaybeCommit
    branch: Annotated[str, f.text(2048, empty=True)]
