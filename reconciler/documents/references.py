"""Names in one document that another document must answer to.

Rules kept here
- Only good documents are asked what they name; every document that has a name, good or bad, answers.
- ``Names.roles`` is None when a file that could hold roles cannot be read: then roles are not missed.
- The target of a PolicyException is not looked up here: that is the gate's business.

>>> missing_clusters(["membr-a"], {"member-a", "primary"})
[('membr-a', 'did you mean "member-a"?')]
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass

from reconciler.documents.build import build_credentials
from reconciler.documents.codes import did_you_mean, finding, shown
from reconciler.documents.fleet import GROUP, Document, Federation
from reconciler.documents.placement import ANNOTATION_PLACEMENT, placement_of
from reconciler.documents.whole import Located, Pointer
from reconciler.model import Finding, Severity


@dataclass(frozen=True, slots=True)
class Names:
    """What there is to be named."""

    clusters: Collection[str]
    roles: dict[str, Document] | None  # by name
    federation: Federation | None


def reference_findings(document: Document, names: Names) -> Iterator[Located]:
    """The findings of one good document."""
    if document.group != GROUP:
        yield from _placement(document, ["metadata", "annotations", ANNOTATION_PLACEMENT], names)
        return
    yield from _placement(document, ["spec", "placement", "clusters"], names)
    if document.kind == "FederatedRoleBinding" and names.roles is not None:
        yield from _role(document, names.roles)
    elif document.kind == "Cluster" and names.federation is not None:
        yield from _plugin(document, names.federation)
    elif document.kind == "Federation":
        yield from _federation(document, names)


def missing_clusters(wanted: Iterable[str], known: Collection[str]) -> list[tuple[str, str]]:
    """(name, hint) of each wanted cluster that is not known."""
    listed = ", ".join(sorted(known)[:10]) or "none"
    return [(n, did_you_mean(n, known, f"known clusters: {listed}")) for n in wanted if n not in known]


def _placement(document: Document, pointer: Pointer, names: Names) -> Iterator[Located]:
    wanted = placement_of(document).clusters or ()
    for name, hint in missing_clusters(wanted, names.clusters):
        message = f"the placement names the cluster {shown(name)}, which the fleet does not have"
        at = [*pointer, wanted.index(name)] if document.group == GROUP else pointer
        yield _missing(document, message, hint), at


def _role(document: Document, roles: dict[str, Document]) -> Iterator[Located]:
    spec = document.body["spec"]
    name = spec["roleRef"]["name"]
    if spec["roleRef"]["kind"] != "FederatedRole":
        return
    if name in roles:
        yield from _namespaces(document, roles[name])
    else:
        message = f"roleRef names the FederatedRole {shown(name)}, which the fleet does not have"
        yield _missing(document, message, did_you_mean(name, roles)), ["spec", "roleRef", "name"]


def _namespaces(document: Document, role: Document) -> Iterator[Located]:
    """A role of scope Namespace can only be bound where it is."""
    spec = role.body.get("spec")
    if not isinstance(spec, dict) or spec.get("scope") != "Namespace":
        return
    bound, there = document.body["spec"].get("namespaces"), spec.get("namespaces")
    missing = (
        sorted(set(bound or ()) - {n for n in there if isinstance(n, str)}) if isinstance(there, list) else []
    )
    if missing or not bound:
        where = (
            f"not in {', '.join(missing)}" if missing else "only in namespaces, and the binding names none"
        )
        message = f"the FederatedRole {shown(role.name)} exists {where}"
        yield _missing(document, message, "name namespaces that the role has"), ["spec", "namespaces"]


def _plugin(document: Document, federation: Federation) -> Iterator[Located]:
    for name in ("credentials", "viewerCredentials"):
        if name in document.body["spec"]:
            yield from _allowed(document, federation, name)


def _allowed(document: Document, federation: Federation, name: str) -> Iterator[Located]:
    credentials = build_credentials(document.body["spec"][name])
    if credentials.method == "exec" and credentials.argv not in federation.exec_commands:
        source = document.source
        message = (
            f"the Federation does not allow the exec plugin {shown(credentials.argv[0])} with these arguments"
        )
        hint = "add the whole command line to credentials.execCommands of federation.yaml"
        found = finding("FW1348", source.path, source.line, message, subject=document.subject, hint=hint)
        yield found, ["spec", name, "exec"]


def _federation(document: Document, names: Names) -> Iterator[Located]:
    spec = document.body["spec"]
    primary = spec.get("primary")
    for name, hint in missing_clusters([primary] if primary else [], names.clusters):
        message = f"primary names the cluster {shown(name)}, which the fleet does not have"
        yield _missing(document, message, hint), ["spec", "primary"]
    for index, name in enumerate(spec.get("gate", {}).get("wildcardRoles", ())):
        if names.roles is not None and name not in names.roles:
            message = f"wildcardRoles names the FederatedRole {shown(name)}, which the fleet does not have"
            found = _missing(document, message, did_you_mean(name, names.roles), Severity.WARNING)
            yield found, ["spec", "gate", "wildcardRoles", index]


def _missing(document: Document, message: str, hint: str, severity: Severity = Severity.ERROR) -> Finding:
    source, subject = document.source, document.subject
    return finding("FW1337", source.path, source.line, message, subject=subject, hint=hint, severity=severity)
