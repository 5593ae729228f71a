"""What ``verify`` answers: every object of a member with its way back to a signature, and what has none.

>>> parse_wanted("ClusterRole.rbac.authorization.k8s.io/viewer")
Wanted(group='rbac.authorization.k8s.io', kind='ClusterRole', namespace='', name='viewer')
>>> parse_wanted("ConfigMap/shop/settings").ref([])
ObjectRef(group='', kind='ConfigMap', namespace='shop', name='settings')
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

from reconciler.errors import SettingsError
from reconciler.model import Finding, ObjectRef, Record
from reconciler.pipeline.chain import Link
from reconciler.pipeline.origins import Origin

_LONGEST = 1024


class Compared(StrEnum):
    """How the live object was held against what was applied."""

    VERSION = "version"  # uid and resourceVersion are those of the signed record: nobody has written it since
    CONTENT = "content"  # every applied field was compared


@dataclass(frozen=True, slots=True)
class Explained:
    """One live object. ``change_set`` is a digest; ``compiled_from`` the commit that its content is in."""

    ref: ObjectRef
    digest: str
    source: str  # path in the repository, "fleetward:guard" for our own
    change_set: str
    compiled_from: str
    compared: Compared
    recorded: bool  # False: a change set after the record's made it, whose run has not ended
    resource_version: str
    audit_id: str  # of the write, "" where the log does not say it


@dataclass(frozen=True, slots=True)
class Explanation:
    """One member. ``links`` are the change sets that objects are of, newest first, unlike ones too."""

    cluster: str
    cluster_uid: str
    record: Record = field(repr=False)
    log_origin: str
    log_size: int
    log_root: bytes
    links: tuple[Link, ...] = field(repr=False)
    origins: Mapping[str, Origin] = field(repr=False)  # change set -> its commit
    objects: tuple[Explained, ...] = field(repr=False)
    leaving: tuple[ObjectRef, ...]  # being deleted, as a change set says
    findings: tuple[Finding, ...]

    @property
    def ok(self) -> bool:
        """Everything that was looked at is explained."""
        return not self.findings


class Wanted(NamedTuple):
    """An object as a person names it; ``group`` is None when it was left out."""

    group: str | None
    kind: str
    namespace: str
    name: str

    def ref(self, kinds: Iterable[tuple[str, str]]) -> ObjectRef:
        """The object, with its group found among these (group, kind). Raises SettingsError."""
        groups = sorted({group for group, kind in kinds if kind == self.kind})
        if self.group is None and len(groups) > 1:
            raise SettingsError(
                f"there are several kinds {self.kind}",
                expected=" or ".join(
                    f"{self.kind}.{group}" if group else self.kind + "." for group in groups
                ),
                got=self.kind,
            )
        group = self.group if self.group is not None else next(iter(groups), "")
        return ObjectRef(group, self.kind, self.namespace, self.name)


def parse_wanted(text: str) -> Wanted:
    """KIND[.GROUP]/[NAMESPACE/]NAME; "KIND./NAME" is the core group. Raises SettingsError."""
    head, *place = text.split("/")
    kind, dot, group = head.partition(".")
    if not kind or not all(place) or len(place) not in (1, 2) or len(text) > _LONGEST:
        raise SettingsError(
            "not an object's name",
            expected="KIND[.GROUP]/[NAMESPACE/]NAME, such as ConfigMap/shop/settings",
            got=text[:100],
        )
    return Wanted(group if dot else None, kind, place[0] if len(place) == 2 else "", place[-1])
