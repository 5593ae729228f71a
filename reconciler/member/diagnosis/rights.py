"""What the reconciler may do on a member, held against what it needs there.

- Needed are: what reads and writes each compiled kind everywhere (``bind`` and ``escalate`` on roles, since
  it hands out rights that it does not have), its record in federation-system, and who answers. A member in
  mode observe is only read and planned for by dry runs.
- ``missing``: one SelfSubjectAccessReview a right, since only the API server knows all its authorizers.
- Who only reads needs get and list of the same, and nothing else.
- ``excess``: SelfSubjectRulesReviews of a few namespaces. What ``bootstrap`` grants is never too much; what
  can be seen is what RBAC says, in those namespaces.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence

import orjson

from reconciler.errors import MemberError
from reconciler.member import errors
from reconciler.member.bootstrap import LABEL_AGGREGATE, VIEWER, needed_rights
from reconciler.member.concurrent import pool, together
from reconciler.member.connection import Client
from reconciler.member.diagnosis.results import MemberCheck, Result, failed, failed_by, ok, warning
from reconciler.member.discovery import Kind
from reconciler.member.promoted import profile_roles
from reconciler.member.rights import REVIEWS, Right, allowed, rights_of
from reconciler.member.transport import Request, Transport, expecting
from reconciler.model import MEMBER_NAMESPACE, Desired

_RBAC = "rbac.authorization.k8s.io"
_HANDS_OUT = {(_RBAC, "Role"), (_RBAC, "ClusterRole"), (_RBAC, "RoleBinding"), (_RBAC, "ClusterRoleBinding")}
_READ = ("get", "list")
_DRY = ("create", "patch")
_NAMESPACES = (MEMBER_NAMESPACE, "default", "kube-system")  # where rights are looked for that are too much
_MOST_KINDS = 200
_WIDTH = 16
_SHOWN = 12


async def needed(client: Client, desired: Desired, *, writes: bool) -> tuple[Right, ...]:
    """What governing ``desired`` takes. Kinds that the member does not know yet are left out."""
    verbs = (*_READ, *_DRY, *(("delete",) if writes else ()))
    kinds = _kinds(desired)
    found = {Right("get", "", "namespaces"): None}  # kube-system: who answers
    found |= dict.fromkeys(await _of_kinds(client, desired, verbs))
    if _HANDS_OUT & set(kinds):  # a dry run is judged like a write
        found |= dict.fromkeys(_handing_out(kinds))
    record = ("get", "list", "create", "update", "delete") if writes else ("get",)
    return (*found, *(Right(verb, "", "configmaps", MEMBER_NAMESPACE) for verb in record))


async def needed_to_read(client: Client, desired: Desired) -> tuple[Right, ...]:
    """What looking at ``desired`` and at the record takes."""
    kinds = await _of_kinds(client, desired, _READ)
    record = (Right(verb, "", "configmaps", MEMBER_NAMESPACE) for verb in _READ)
    return tuple(dict.fromkeys((Right("get", "", "namespaces"), *kinds, *record)))


async def _of_kinds(client: Client, desired: Desired, verbs: Sequence[str]) -> list[Right]:
    client.kinds.learn_desired(desired)
    found = []
    for kind in _kinds(desired):
        try:
            resource = await client.kinds.find(kind)
        except errors.UnknownKindError:
            continue
        found += [Right(verb, resource.group, resource.plural) for verb in verbs]
    return found


def _kinds(desired: Desired) -> list[Kind]:
    return sorted({(item.ref.group, item.ref.kind) for item in desired.objects})[:_MOST_KINDS]


def _handing_out(kinds: Sequence[Kind]) -> Iterator[Right]:
    for resource in ("clusterroles", "roles"):
        yield Right("bind", _RBAC, resource)
        if {(_RBAC, "Role"), (_RBAC, "ClusterRole")} & set(kinds):
            yield Right("escalate", _RBAC, resource)


async def missing_result(
    client: Client, rights: Sequence[Right], check: MemberCheck = MemberCheck.RIGHTS,
    label: str = LABEL_AGGREGATE,
) -> Result:  # fmt: skip
    """Whether every needed right is there; ``label`` gives more."""
    expected = f"{len(rights)} rights that the compiled kinds need"
    denied: set[Right] = set()

    async def ask(right: Right) -> None:
        if not await allowed(client.transport, right):
            denied.add(right)

    try:
        await pool(rights, ask, min(_WIDTH, len(rights)))
    except MemberError as error:
        return failed_by(check, error, expected)
    if not denied:
        return ok(check, expected, "all of them")
    hint = (
        "kubectl apply -f bootstrap/member.yaml on the member; for further kinds a ClusterRole with these"
        f' verbs and the label {label}: "true" (docs/joining-by-hand.md, step 1)'
    )
    return failed(check, expected, f"missing: {listed(denied)}", hint, code="FW1711")


async def excess_result(client: Client, rights: Iterable[Right]) -> Result:
    """Whether there is more than ``rights`` and what the bootstrap gives."""
    check, expected = MemberCheck.EXCESS, "no more than the compiled kinds and the bootstrap need"
    try:
        granted = await _granted(client.transport)
    except MemberError as error:
        return failed_by(check, error, expected)
    known = {*_always(), *rights}
    everywhere = {right for right in known if not right.namespace}
    more = set()
    for space, found in granted.items():
        here = everywhere | {right._replace(namespace="") for right in known if right.namespace == space}
        more |= {right for right in found if not {right, right._replace(name="")} & here}
    hint = "take away the binding, or the ClusterRole with the label, that gives them: the account needs none"
    return _excess(check, expected, more, hint)


async def beyond_reading_result(client: Client, wanted: Iterable[Right]) -> Result:
    """Whether who only reads may write, or read Secrets that are not ``wanted``.

    Its own tokens and reviews of itself are none of that.
    """
    check, expected = MemberCheck.VIEWER_EXCESS, "nothing but to read, and no Secrets"
    try:
        granted = await _granted(client.transport)
    except MemberError as error:
        return failed_by(check, error, expected)
    known = {*wanted, *_reviews(), Right("create", "", "serviceaccounts/token", name=VIEWER)}
    more = {right for found in granted.values() for right in found - known if not _only_reads(right)}
    hint = "take away the binding, or the ClusterRole with the label, that gives them: it only reads"
    return _excess(check, expected, more, hint)


def _only_reads(right: Right) -> bool:
    secret = right.group in ("", "*") and right.resource.partition("/")[0] in ("secrets", "*")
    return right.verb in (*_READ, "watch") and not secret


def _excess(check: MemberCheck, expected: str, more: Collection[Right], hint: str) -> Result:
    where = f"looked at in {', '.join(_NAMESPACES)}"
    if not more:
        return ok(check, expected, where)
    return warning(check, expected, f"also: {listed(more)} ({where})", hint, code="FW1735")


async def _granted(transport: Transport) -> dict[str, set[Right]]:
    """What RBAC gives in each namespace that is looked at."""
    answers = await together(*(_rules(transport, space) for space in _NAMESPACES))
    return dict(zip(_NAMESPACES, answers, strict=True))


async def _rules(transport: Transport, namespace: str) -> set[Right]:
    """All that RBAC lets us do in a namespace, cluster-wide rights included."""
    kind = {"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectRulesReview"}
    body = orjson.dumps(kind | {"spec": {"namespace": namespace}})
    answer = (await transport.send(Request("POST", f"{REVIEWS}/selfsubjectrulesreviews", body))).json()
    with expecting("a SelfSubjectRulesReview"):
        return {right for rule in answer["status"]["resourceRules"] or () for right in rights_of(rule)}


def _always() -> Iterator[Right]:
    """What bootstrap and promotion grant, and what every authenticated user may ask about oneself."""
    yield from needed_rights()
    for role in profile_roles():
        yield from (right for rule in role["rules"] for right in rights_of(rule))
    yield from _reviews()


def _reviews() -> Iterator[Right]:
    for resource in ("selfsubjectaccessreviews", "selfsubjectrulesreviews"):
        yield Right("create", "authorization.k8s.io", resource)
    yield Right("create", "authentication.k8s.io", "selfsubjectreviews")


def listed(rights: Iterable[Right]) -> str:
    """The rights by resource, those on everything first: "get, list roles.rbac...; ...".

    >>> listed([Right("list", "", "pods"), Right("get", "", "pods"), Right("*", "*", "*")])
    '* *.*; get, list pods'
    """
    verbs: dict[tuple[str, str, str, str], set[str]] = defaultdict(set)
    for right in rights:
        verbs[right[1:]].add(right.verb)
    rows = sorted(verbs.items(), key=lambda row: ("*" not in row[0], row[0]))
    texts = [str(Right(", ".join(sorted(found)), *what)) for what, found in rows]
    more = [f"and {len(texts) - _SHOWN} more"] if len(texts) > _SHOWN else []
    return "; ".join([*texts[:_SHOWN], *more])
