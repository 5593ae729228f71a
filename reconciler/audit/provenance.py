"""The body of an accepted commit: for every commit that was judged, who signed it and why that counted.

Rules: canonical JSON ``{"commits": [...], "schema": ...}``, closed and bounded; ``read_provenance`` takes
only bytes that ``provenance_body`` would write. Keys are named by fingerprint; no key and no signature
is in it. A commit is judged at ``first_seen``, the time at which the reconciler first met it.

>>> from datetime import UTC, datetime
>>> row = CommitProvenance(commit="4" * 40, signer="alice", method="ssh", fingerprint="SHA256:Zm9v",
...     first_seen=datetime(2026, 1, 2, tzinfo=UTC), rules=("policies/rbac/**",))
>>> read_provenance(provenance_body([row])) == (row,)
True
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

from reconciler.audit import fields as f
from reconciler.audit.codes import BodyFormatError
from reconciler.audit.store import MAX_BODY

PROVENANCE_SCHEMA = "fleetward.io/log-provenance/v1"
MAX_COMMITS = 100_000  # as many as are judged at once
METHODS = ("ssh", "ssh-certificate", "openpgp", "x509")
_MAX_EACH = 100  # rules, and approvals, of one commit


@dataclass(frozen=True, slots=True)
class ApprovalProvenance:
    """One approval that was counted; ``attestation`` is the digest of what was signed."""

    name: f.Name
    fingerprint: f.Name
    attestation: f.Digest


@dataclass(frozen=True, slots=True, kw_only=True)
class CommitProvenance:
    """One judged commit. ``authority`` is the CA or root that vouches for the key, "" for a key of its own.

    ``rules`` are the patterns of the path rules that applied; ``first_seen`` is UTC, whole milliseconds.
    """

    commit: f.CommitId
    signer: f.Name
    method: Annotated[str, f.one_of(METHODS, "a signing method")]
    fingerprint: f.Name
    authority: f.MaybeName = ""
    first_seen: Annotated[datetime, f.TIME]
    rules: Annotated[tuple[str, ...], f.listing(f.text(512), _MAX_EACH)] = ()
    approvals: Annotated[
        tuple[ApprovalProvenance, ...], f.listing(f.record(ApprovalProvenance), _MAX_EACH)
    ] = ()


@dataclass(frozen=True, slots=True)
class _Body:
    schema: Annotated[str, f.constant(PROVENANCE_SCHEMA)]
    commits: Annotated[tuple[CommitProvenance, ...], f.listing(f.record(CommitProvenance), MAX_COMMITS)]


def provenance_body(rows: Sequence[CommitProvenance]) -> bytes:
    """The body of these commits. Raises BodyFormatError for a field out of bounds, or a body over 64 MiB."""
    try:
        value = f.write_fields(_Body(PROVENANCE_SCHEMA, tuple(rows)))
        f.read_fields(_Body, value)  # whoever reads it must be able to
        body = f.canonical(value)
    except ValueError as error:
        raise BodyFormatError(f"the provenance cannot be written: {error}") from error
    if len(body) > MAX_BODY:
        raise BodyFormatError(
            "the provenance is too long", expected=f"at most {MAX_BODY} bytes", got=str(len(body)),
            hint="reconcile more often, so that fewer commits are judged at once",
        )  # fmt: skip
    return body


def read_provenance(body: bytes) -> tuple[CommitProvenance, ...]:
    """The rows of a body. Raises BodyFormatError for anything that ``provenance_body`` would not write."""
    read: _Body = f.read_body(_Body, body, "the provenance of a commit")
    return read.commits
