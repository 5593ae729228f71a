"""Which built-in kinds are cluster-scoped, and which are no objects at all.

Kubernetes' JSON schemas do not say it, so it stands here (from ``kubectl api-resources`` of 1.25 to 1.37,
by group and kind: the scope of a kind is the same in all its versions). A test holds the table against the
kinds that the shipped schemas know.

>>> is_cluster_scoped("", "Namespace"), is_cluster_scoped("apps", "Deployment")
(True, False)
"""

_ADMISSION = (
    *("MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"),
    *("MutatingAdmissionPolicy", "MutatingAdmissionPolicyBinding"),
    *("ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"),
)

_CLUSTER_SCOPED: dict[str, tuple[str, ...]] = {
    "": ("ComponentStatus", "Namespace", "Node", "PersistentVolume"),
    "admissionregistration.k8s.io": _ADMISSION,
    "apiextensions.k8s.io": ("CustomResourceDefinition",),
    "apiregistration.k8s.io": ("APIService",),
    "authentication.k8s.io": ("SelfSubjectReview", "TokenReview"),
    "authorization.k8s.io": ("SelfSubjectAccessReview", "SelfSubjectRulesReview", "SubjectAccessReview"),
    "certificates.k8s.io": ("CertificateSigningRequest", "ClusterTrustBundle"),
    "flowcontrol.apiserver.k8s.io": ("FlowSchema", "PriorityLevelConfiguration"),
    "internal.apiserver.k8s.io": ("StorageVersion",),
    "networking.k8s.io": ("ClusterCIDR", "IPAddress", "IngressClass", "ServiceCIDR"),
    "node.k8s.io": ("RuntimeClass",),
    "rbac.authorization.k8s.io": ("ClusterRole", "ClusterRoleBinding"),
    "resource.k8s.io": (
        "DeviceClass",
        "DeviceTaintRule",
        "ResourceClass",
        "ResourcePoolStatusRequest",
        "ResourceSlice",
    ),
    "scheduling.k8s.io": ("PriorityClass",),
    "storage.k8s.io": ("CSIDriver", "CSINode", "StorageClass", "VolumeAttachment", "VolumeAttributesClass"),
    "storagemigration.k8s.io": ("StorageVersionMigration",),
}

CLUSTER_SCOPED = frozenset((group, kind) for group, kinds in _CLUSTER_SCOPED.items() for kind in kinds)

# Requests, answers and containers: they have a schema, but nothing that could be applied and stay.
NOT_OBJECTS = frozenset(
    {
        ("", "Binding"),
        ("", "ComponentStatus"),
        ("authentication.k8s.io", "SelfSubjectReview"),
        ("authentication.k8s.io", "TokenRequest"),
        ("authentication.k8s.io", "TokenReview"),
        ("authorization.k8s.io", "LocalSubjectAccessReview"),
        ("authorization.k8s.io", "SelfSubjectAccessReview"),
        ("authorization.k8s.io", "SelfSubjectRulesReview"),
        ("authorization.k8s.io", "SubjectAccessReview"),
        ("autoscaling", "Scale"),
        ("policy", "Eviction"),
    }
)


def is_cluster_scoped(group: str, kind: str) -> bool:
    """True for a built-in kind without namespaces."""
    return (group, kind) in CLUSTER_SCOPED


def is_object(group: str, kind: str) -> bool:
    """False for what cannot be applied: lists, reviews, subresources' bodies."""
    if kind in {"DeleteOptions", "Status"} or (group == "" and kind.endswith("List")):
        return False
    return (group, kind) not in NOT_OBJECTS
