"""A change set: what a plan does to one member, bound to commit, gate and base, and signed.

Rules:
- It is an in-toto Statement v1 (predicate ``change-set/v1``, see ``docs/change-set.md``) in a DSSE envelope.
- Apply takes a ``SignedChangeSet`` and nothing else; there are two ways to get one: ``sign_change_set`` and
  ``open_change_set``, and both check everything that is checked here.
- Only what the gate allowed can be signed: at least one rule evaluated and none denied.
- A statement has one form: parsing it and writing it again gives the same bytes, or it is refused. So there
  are no unknown fields, and the subject cannot say something else than the predicate.
- The digest of the envelope names the change set; each names its predecessor on the same member.

>>> from reconciler.trust.keys import ReconcilerKey
>>> signed = sign_change_set(EXAMPLE, ReconcilerKey.from_seed(bytes(32)))  # doctest: +SKIP
>>> open_change_set(signed.envelope, [key.public_key]).change_set == EXAMPLE  # doctest: +SKIP
True
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

import orjson

from reconciler import dsse
from reconciler.model import Json, ObjectRef, Signer
from reconciler.trust.errors import ChangeSetError

PAYLOAD_TYPE: Final = "application/vnd.in-toto+json"
STATEMENT_TYPE: Final = "https://in-toto.io/Statement/v1"
PREDICATE_TYPE: Final = "https://fleetward.io/change-set/v1"
MAX_CHANGES: Final = 100_000
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}\Z")
_ID = re.compile(r"[0-9a-f]{40}\Z")
_TIME = re.compile(r"[0-9]{4}-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]:[0-6][0-9](?:\.[0-9]{1,9})?Z\Z")


class ChangeAction(StrEnum):
    """What a change does to its object."""

    CREATE = "create"
    UPDATE = "update"
    DELETE = "delete"
    RELEASE = "release"  # our labels and annotations go, the object stays


@dataclass(frozen=True, slots=True)
class Change:
    """One object: digests are "sha256:<hex>", ``before`` "" for create, ``after`` "" for delete and
    release.

    ``resource_version`` is that of the object that the plan saw, "" if there was none.
    """

    ref: ObjectRef
    action: ChangeAction
    before: str
    after: str
    resource_version: str


@dataclass(frozen=True, slots=True)
class ChangeSet:
    """Everything that is signed. Digests are "sha256:<hex>"; commit and tree are full Git ids."""

    cluster: str
    cluster_uid: str  # uid of the member's kube-system namespace
    repository: str  # location without credentials
    ref: str  # "refs/heads/main"
    commit: str
    tree: str
    gate_digest: str
    gate_rules: int  # evaluated; at least 1
    gate_allowed: bool  # always True in a signed one
    sequence: int  # 1, 2, 3, ... per member
    previous: str  # digest of the member's previous change set, "" for the first
    created: str  # RFC 3339, UTC, "2026-01-31T12:00:00Z"
    desired_digest: str
    base: str  # digest of what the plan was made on, see ``base_digest``
    changes: tuple[Change, ...]


@dataclass(frozen=True, slots=True)
class SignedChangeSet:
    """A change set whose signature holds. ``digest`` is that of ``envelope``."""

    envelope: bytes
    digest: str
    change_set: ChangeSet


def base_digest(facts: Json) -> str:
    """The digest of what a plan depends on, any JSON value; apply makes it again and compares."""
    return dsse.digest(dsse.canonical(facts))


def sign_change_set(change_set: ChangeSet, signer: Signer) -> SignedChangeSet:
    """Check and sign. Raises ChangeSetError."""
    _check(change_set)
    envelope = dsse.sign(PAYLOAD_TYPE, dsse.canonical(statement(change_set)), signer)
    return SignedChangeSet(envelope, dsse.digest(envelope), change_set)


def open_change_set(envelope: bytes, public_keys: Iterable[bytes]) -> SignedChangeSet:
    """Verify, parse and check. Raises as ``envelope.verify`` does, and ChangeSetError."""
    payload = dsse.verify(envelope, PAYLOAD_TYPE, public_keys)
    try:
        change_set = _parse(orjson.loads(payload))
        same = dsse.canonical(statement(change_set)) == payload
    except (ValueError, TypeError, KeyError, IndexError, AttributeError, RecursionError) as error:
        raise _malformed("fields that are missing or of another type") from error
    if not same:
        raise _malformed("unknown fields, a subject that contradicts, or JSON that is not canonical")
    _check(change_set)
    return SignedChangeSet(envelope, dsse.digest(envelope), change_set)


def statement(change_set: ChangeSet) -> Json:
    """The in-toto Statement as a JSON value."""
    return {
        "_type": STATEMENT_TYPE,
        "subject": [
            {"name": change_set.cluster, "digest": {"sha256": change_set.desired_digest[7:]}},
            {"name": change_set.repository, "digest": {"gitCommit": change_set.commit}},
        ],
        "predicateType": PREDICATE_TYPE,
        "predicate": _predicate(change_set),
    }


def _predicate(change_set: ChangeSet) -> Json:
    c = change_set
    return {
        "base": c.base,
        "changes": [_change(change) for change in c.changes],
        "cluster": {"name": c.cluster, "uid": c.cluster_uid},
        "created": c.created,
        "desired": c.desired_digest,
        "gate": {"allowed": c.gate_allowed, "digest": c.gate_digest, "rules": c.gate_rules},
        "previous": c.previous,
        "sequence": c.sequence,
        "source": {"commit": c.commit, "ref": c.ref, "repository": c.repository, "tree": c.tree},
    }


def _change(change: Change) -> Json:
    ref = change.ref
    return {
        "action": str(change.action),
        "after": change.after,
        "before": change.before,
        "object": {"group": ref.group, "kind": ref.kind, "name": ref.name, "namespace": ref.namespace},
        "resourceVersion": change.resource_version,
    }


def _parse(value: Any) -> ChangeSet:
    predicate = value["predicate"]
    cluster, gate, source = predicate["cluster"], predicate["gate"], predicate["source"]
    return ChangeSet(
        cluster=_text(cluster["name"]),
        cluster_uid=_text(cluster["uid"]),
        repository=_text(source["repository"]),
        ref=_text(source["ref"]),
        commit=_text(source["commit"]),
        tree=_text(source["tree"]),
        gate_digest=_text(gate["digest"]),
        gate_rules=_count(gate["rules"]),
        gate_allowed=gate["allowed"],
        sequence=_count(predicate["sequence"]),
        previous=_text(predicate["previous"]),
        created=_text(predicate["created"]),
        desired_digest=_text(predicate["desired"]),
        base=_text(predicate["base"]),
        changes=tuple(_parse_change(change) for change in predicate["changes"]),
    )


def _parse_change(value: Any) -> Change:
    ref = value["object"]
    names = (_text(ref[key]) for key in ("group", "kind", "namespace", "name"))
    before, after = _text(value["before"]), _text(value["after"])
    return Change(
        ObjectRef(*names), ChangeAction(value["action"]), before, after, _text(value["resourceVersion"])
    )


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


def _count(value: Any) -> int:
    if type(value) is not int:
        raise TypeError
    return value


def _check(c: ChangeSet) -> None:
    """Raise ChangeSetError unless every field is one that apply may rely on."""
    if c.gate_allowed is not True or c.gate_rules < 1:
        got = f"{c.gate_rules} rules, allowed {c.gate_allowed}"
        raise ChangeSetError(
            "the gate did not allow this", expected="at least one rule, none denying", got=got
        )
    facts = {
        "cluster": bool(c.cluster) and bool(c.cluster_uid),
        "source": bool(c.repository) and c.ref.startswith("refs/"),
        "commit": bool(_ID.match(c.commit) and _ID.match(c.tree)),
        "digests": all(map(_DIGEST.match, (c.gate_digest, c.desired_digest, c.base))),
        # The first has no predecessor, every other one has.
        "sequence": c.sequence >= 1 and bool(_DIGEST.match(c.previous) if c.sequence > 1 else not c.previous),
        "created": bool(_TIME.match(c.created)),
        "changes": len(c.changes) <= MAX_CHANGES and all(map(_sound, c.changes)),
        "objects": len({change.ref for change in c.changes}) == len(c.changes),
    }
    if wrong := [name for name, good in facts.items() if not good]:
        raise ChangeSetError("change set is not complete and consistent", got=f"bad {', '.join(wrong)}")


def _sound(change: Change) -> bool:
    """A change names its object, and has the digests that its action needs."""
    before, after = bool(_DIGEST.match(change.before)), bool(_DIGEST.match(change.after))
    digests = {
        ChangeAction.CREATE: after and not change.before,
        ChangeAction.UPDATE: after and (before or not change.before),
        ChangeAction.DELETE: not change.after and (before or not change.before),
        ChangeAction.RELEASE: not change.after and (before or not change.before),
    }
    return bool(change.ref.kind and change.ref.name) and digests[change.action]


def _malformed(got: str) -> ChangeSetError:
    return ChangeSetError("statement is not a change set", got=got, expected=f"predicate {PREDICATE_TYPE}")
