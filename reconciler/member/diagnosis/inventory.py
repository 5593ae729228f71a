"""The record on a member: whether it can be believed, and how near it is to what a cluster can hold.

Limits: etcd takes requests of 1.5 MiB by default, Kubernetes a ConfigMap with 1 MiB of data and 256 KiB of
annotations (which name all kinds and namespaces); the record has at most ``MOST_PARTS`` parts.
"""

from __future__ import annotations

from reconciler.errors import MemberError
from reconciler.member import errors
from reconciler.member.census import Census
from reconciler.member.diagnosis.results import MemberCheck, Result, failed_by, ok, skipped, warning
from reconciler.member.parent import Parent
from reconciler.member.record import MOST_PARTS
from reconciler.model import Record

MAX_DATA = 1 << 20  # bytes; ConfigMap validation (MaxSecretSize)
MAX_ANNOTATIONS = 256 << 10  # bytes; TotalAnnotationSizeLimitB
_NEAR = 0.8


def record_result(seen: Census, *, writes: bool) -> Result:
    """A record that was believed, or none."""
    check, expected = MemberCheck.RECORD, "a record, signed by the reconciler for this cluster"
    if seen.record:
        found = f"{len(seen.record.objects)} objects, change set {seen.record.sequence}"
        return ok(check, expected, f"{found}, entry {seen.record.log_index} of the log")
    if not writes:
        return skipped(check, "a member in mode observe has none")
    hint = "`fleetward reconcile` writes it; if there was one before, find out who deleted it"
    return warning(check, expected, "none: never reconciled, or deleted", hint)


def unbelieved(error: MemberError) -> Result:
    """A record that is not ours, of another cluster, or that cannot be read."""
    return failed_by(MemberCheck.RECORD, error, "a record, signed by the reconciler for this cluster")


def size_result(parent: Parent, record: Record) -> Result:
    """How full it is: a warning from four fifths of what bounds the number of objects or namespaces.

    The parent's data bounds nothing: what is more than ``record.PART`` goes into another part.
    """
    data = sum(len(text) * 3 // 4 for text in parent.data.values())  # it is base64
    annotations = sum(len(key) + len(value.encode()) for key, value in parent.annotations.items())
    rows = (("parts", len(parent.parts), MOST_PARTS), ("bytes of annotations", annotations, MAX_ANNOTATIONS))
    found = ", ".join(f"{used} of {most} {what}" for what, used, most in rows)
    found = f"{len(record.objects)} objects; {found}, {data} of {MAX_DATA} bytes in the parent"
    expected = f"below {_NEAR:.0%} of what the cluster holds"
    if any(used >= _NEAR * most for _, used, most in rows):
        hint = errors.CODES["FW1728"][1]
        return warning(MemberCheck.SIZE, expected, found, hint, code="FW1728")
    return ok(MemberCheck.SIZE, expected, found)
