"""The kinds that compile to Kubernetes objects. A new kind is one new file, one line here, and a schema.

>>> sorted(KINDS)
['FederatedNetworkRule', 'FederatedRole', 'FederatedRoleBinding', 'Federation']
"""

from __future__ import annotations

from reconciler.compile import bindings, manifests, network, profiles, roles
from reconciler.compile.context import Compiler
from reconciler.documents import GROUP, Document

KINDS: dict[str, Compiler] = {
    "FederatedRole": Compiler(roles.roles),
    "FederatedRoleBinding": Compiler(bindings.bindings, bindings.reads),
    "FederatedNetworkRule": Compiler(network.network_policies),
    "Federation": Compiler(profiles.profiles, profiles.reads),
}

MANIFESTS = Compiler(manifests.manifests, manifests.reads)


def compiler_for(document: Document) -> Compiler | None:
    """The document's compiler; None for a kind of ours that leaves nothing on a member (Cluster)."""
    return KINDS.get(document.kind) if document.group == GROUP else MANIFESTS
