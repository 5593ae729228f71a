"""Which kinds there are and in which folder each belongs: the one table to extend for a new kind.

Rules kept here
- A file belongs to the fleet only if ``area_of`` says so; everything else in the repository is not read.
- A YAML file that looks meant for the fleet but lies where nothing is read gets a warning (``stray``).

>>> area_of("policies/rbac/team/viewer.yaml"), area_of("clusters/a.yaml"), area_of("README.md")
('policies/rbac', 'clusters', None)
>>> stray("clusters/a.yml")
'rename it to clusters/a.yaml'
"""

from __future__ import annotations

from pathlib import PurePosixPath

from reconciler.documents.codes import did_you_mean

FEDERATION = "federation.yaml"
CLUSTERS = "clusters"
MANIFESTS = "policies/manifests"
AREA_OF_KIND: dict[str, str] = {
    "Federation": FEDERATION,
    "Cluster": CLUSTERS,
    "FederatedRole": "policies/rbac",
    "FederatedRoleBinding": "policies/rbac",
    "FederatedNetworkRule": "policies/rules",
    "PolicyException": "policies/exceptions",
}
ALONE = frozenset({"Join"})  # kinds of our files that are no part of a fleet; they have schemas too
_AREAS = frozenset(
    f"policies/{name}"
    for name in ("rbac", "rules", "identity", "access", "rollout", "exceptions", "manifests")
)
_YAML = (".yaml", ".yml")


def area_of(path: str) -> str | None:
    """The area of a path: "federation.yaml", "clusters", "policies/<folder>", or None."""
    if path == FEDERATION:
        return FEDERATION
    folders = path.split("/")
    if folders[0] == CLUSTERS:
        return CLUSTERS if len(folders) == 2 and path.endswith(".yaml") else None
    area = "/".join(folders[:2])
    if len(folders) < 3 or area not in _AREAS:
        return None
    return area if path.endswith(_YAML) or (area == MANIFESTS and path.endswith(".json")) else None


def stray(path: str) -> str:
    """What to do with a YAML file that is not read although it looks meant to be; "" if it does not."""
    if not path.lower().endswith(_YAML):
        return ""
    folders = path.split("/")
    if folders[0].lower() == CLUSTERS:
        return f"rename it to {CLUSTERS}/{PurePosixPath(path).stem}.yaml"
    if len(folders) == 1 and PurePosixPath(path).stem.lower() == "federation":
        return f"rename it to {FEDERATION}"
    if folders[0] != "policies" or folders[1] == "gate":
        return ""
    if "/".join(folders[:2]) in _AREAS:
        return "rename it so that it ends in .yaml"
    return did_you_mean("/".join(folders[:2]), _AREAS, f"folders are {', '.join(sorted(_AREAS))}")
