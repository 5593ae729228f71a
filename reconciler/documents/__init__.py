"""documents: a Snapshot of a fleet repository becomes a typed, checked Fleet.

>>> from reconciler.documents import load  # doctest: +SKIP
>>> loaded = load(snapshot)  # doctest: +SKIP
>>> loaded.fleet.clusters[0].name, loaded.findings  # doctest: +SKIP
('member-a', ())
"""

from reconciler.documents.fleet import (
    GROUP,
    Cluster,
    Credentials,
    Defaults,
    Document,
    Federation,
    Fleet,
    GateSettings,
    Limits,
    Override,
    Placement,
    Requirement,
)
from reconciler.documents.loader import Loaded, load
from reconciler.documents.place import locate
from reconciler.documents.placement import (
    ANNOTATION_CONFLICT,
    ANNOTATION_OVERRIDES,
    ANNOTATION_PLACEMENT,
    overrides_of,
    placement_of,
)
from reconciler.documents.reading import Cache
from reconciler.documents.trust_root import TrustedKey, TrustedSigner, TrustRoot

__all__ = [
    "ANNOTATION_CONFLICT",
    "ANNOTATION_OVERRIDES",
    "ANNOTATION_PLACEMENT",
    "GROUP",
    "Cache",
    "Cluster",
    "Credentials",
    "Defaults",
    "Document",
    "Federation",
    "Fleet",
    "GateSettings",
    "Limits",
    "Loaded",
    "Override",
    "Placement",
    "Requirement",
    "TrustRoot",
    "TrustedKey",
    "TrustedSigner",
    "load",
    "locate",
    "overrides_of",
    "placement_of",
]
