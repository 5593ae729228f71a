"""The findings of this room: their codes, what they mean, and the one way to make one.

A finding points at the document (path and line of its first key). Where a single field is meant, ``rule`` is
``schema:/spec/ports/0/port``: a JSON pointer into the document, so that a caller who has the text can
refine the line.

>>> found("FW1421", "a ConfigMap needs a namespace", source=SourceRef("a.yaml", 3)).hint
'write metadata.namespace: nothing falls into "default" by accident'
"""

from __future__ import annotations

from reconciler.model import Finding, Severity, SourceRef

# code -> (meaning, what to do)
CODES: dict[str, tuple[str, str]] = {
    "FW1400": ("the fleet cannot be compiled", "mend what the message names"),
    "FW1401": (
        "an override does not apply",
        "mend the patch; paths of a JSON Patch must exist in the document",
    ),
    "FW1402": (
        "an override changes which object it is",
        "leave apiVersion, kind, metadata.name and metadata.namespace alone: write a second document",
    ),
    "FW1403": (
        "a document is not valid after its overrides",
        "make the patched document pass the kind's schema",
    ),
    "FW1404": (
        "a binding names a role that the fleet does not have",
        "mend roleRef.name, or add the FederatedRole",
    ),
    "FW1405": (
        "a binding is placed where its role is not",
        "give the FederatedRole a placement that covers the binding's",
    ),
    "FW1406": (
        "a role's scope does not fit its binding",
        "a binding without namespaces needs a ClusterRole or a FederatedRole of scope Cluster",
    ),
    "FW1407": (
        "a role does not exist in a namespace of its binding",
        "add the namespace to the role's namespaces",
    ),
    "FW1408": (
        "a subject is incomplete",
        "a ServiceAccount needs a namespace; a User or Group must not have one",
    ),
    "FW1409": ("a role that the API server would refuse or overwrite", "see the message"),
    "FW1411": (
        "a named port cannot be subtracted",
        "write the port's number: a name means another one in every pod",
    ),
    "FW1412": ("a peer that means nothing", "a peer has selectors, or a cidr with optional except; not both"),
    "FW1413": ("a port range that means nothing", "ports are 1 to 65535, and endPort is at least port"),
    "FW1414": (
        "a deny list that NetworkPolicy cannot express in a sane size",
        "split the rule, or deny by one label",
    ),
    "FW1415": (
        "a deny by labels beside traffic allowed by address",
        "some network plugins match pods by ipBlock: deny the cluster's pod range too, as a cidr",
    ),
    "FW1421": (
        "a namespaced object without a namespace",
        'write metadata.namespace: nothing falls into "default" by accident',
    ),
    "FW1422": ("a cluster-scoped object with a namespace", "remove metadata.namespace"),
    "FW1424": ("a label or annotation that fleetward owns", "remove it from the manifest"),
    "FW1425": ("a name that fleetward keeps for itself", "choose another name or namespace"),
    "FW1426": ("not an object that can be applied", "write the objects themselves, one document each"),
    "FW1427": ("a value that JSON cannot carry", "numbers are 64 bits wide, text is UTF-8"),
    "FW1431": ("two sources give one object", "remove one, or narrow one of the placements"),
    "FW1441": ("a field that Kubernetes would refuse", "mend the field; `kubectl explain` describes it"),
    "FW1442": ("a field that Kubernetes does not know", "look for a typo or a wrong indentation"),
    "FW1443": (
        "a kind that this Kubernetes version does not serve",
        "use a version that the message names, or correct the cluster's kubernetesVersion",
    ),
    "FW1444": (
        "a kind that neither Kubernetes nor this commit's CRDs know",
        "add its CustomResourceDefinition to the fleet, or ignore this if the member has it",
    ),
    "FW1445": ("a custom resource in a version that is not served", "use a served version of its definition"),
    "FW1446": ("a CustomResourceDefinition whose schema cannot be used", "mend spec.versions[].schema"),
    "FW1447": (
        "a Kubernetes version older than any schema we have",
        "upgrade the member, or correct the cluster's kubernetesVersion",
    ),
}

# Findings that hold for one cluster rather than for the document wherever it goes.
ABOUT_A_CLUSTER = frozenset(
    {"FW1401", "FW1402", "FW1403", "FW1405", "FW1406", "FW1407", "FW1443", "FW1444", "FW1447"}
)


def found(
    code: str,
    message: str,
    *,
    source: SourceRef | None = None,
    subject: str = "",
    rule: str = "",
    expected: str = "",
    got: str = "",
    severity: Severity = Severity.ERROR,
) -> Finding:
    """A finding whose hint is the code's own."""
    return Finding(code, message, source, severity, subject, rule, expected, got, CODES[code][1])
