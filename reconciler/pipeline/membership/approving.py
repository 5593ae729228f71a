"""A join that needs no review: who allows it, and how its registration gets onto the fleet's own ref.

Rules:
- The last accepted commit says ``joining.autoApprove: true`` and lists the reconciler's key as an enroller;
  asked when the token is made, and again when it is used.
- The commit is made on the ref's tip and checked as ``reconcile`` would (signatures, documents, gate) before
  it is pushed: what would be refused there, and stop the whole fleet, is refused here.
- It is pushed by compare and swap. Where somebody else pushed in between it is made anew on the new tip, at
  most ``TRIES`` times.
- A join that broke off after the push finds its own file, and pushes nothing.

Nothing falls back to a proposal: whoever asked for a join at once is told why there is none.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from reconciler.audit.state import LogState
from reconciler.documents import Federation
from reconciler.errors import FleetwardError
from reconciler.model import Finding, Severity, Signer
from reconciler.pipeline.membership.refused import AutoApproveError, EnrollerMissingError, NameTakenError
from reconciler.pipeline.stating import federation_at
from reconciler.repository import Repository
from reconciler.repository.advancing import AdvanceError
from reconciler.repository.proposing import Proposal
from reconciler.trust.errors import EnrollerForbiddenError
from reconciler.trust.sshsig import public_key_text, sign

TRIES = 5
Check = Callable[[str, str], Sequence[Finding]]  # commit, base -> what reconcile would say


def require_allowed(repository: Repository, state: LogState, public_key: bytes) -> None:
    """The last accepted commit lets this key add clusters. Raises AutoApproveError, EnrollerMissingError."""
    accepted = state.accepted.commit if state.accepted else ""
    require_by(federation_at(repository, accepted), public_key, f"commit {accepted[:12]}")


def require_by(federation: Federation, public_key: bytes, where: str) -> None:
    """This Federation lets the key add clusters. Raises AutoApproveError, EnrollerMissingError."""
    if not federation.root.auto_approve:
        raise AutoApproveError(
            "the Federation does not allow joins without review", expected="joining.autoApprove: true",
            got="false", where=where,
            hint="join with a token that is not auto-approved, or have federation.yaml changed first",
        )  # fmt: skip
    text = public_key_text(public_key)
    enrollers = (signer for signer in federation.root.signers if signer.is_enroller)
    if not any(key.text == text for signer in enrollers for key in signer.keys):
        raise EnrollerMissingError(
            "the reconciler's key is no enroller of the fleet", expected="a signer with role enroller",
            got=text, where=where,
            hint=f"fleetward trust add-signer fleetward --role enroller --key '{text}', reviewed and merged",
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Enrolment:
    """What is to be committed; ``proposal.base`` and ``branch`` are the tip and name of the fleet's ref."""

    proposal: Proposal
    accepted: str

    @property
    def ref(self) -> str:
        """The fleet's ref."""
        return self.proposal.branch


def enroll(enrolment: Enrolment, repository: Repository, signer: Signer, check: Check) -> str:
    """The commit on the fleet's ref that has the registration.

    Raises AutoApproveError, EnrollerMissingError, NameTakenError, AdvanceError, RepositoryError.
    """
    for attempt in range(TRIES):
        repository.fetch()
        tip = repository.resolve(enrolment.ref)
        if found := _there(enrolment, repository, tip):
            return found
        commit = _drafted(enrolment, repository, signer, tip, check)
        try:
            repository.advance(enrolment.ref, commit)
        except AdvanceError:
            repository.fetch()
            if attempt + 1 == TRIES or repository.resolve(enrolment.ref) == tip:
                raise
        else:
            return commit
    raise AssertionError("unreachable")


def _there(enrolment: Enrolment, repository: Repository, tip: str) -> str:
    """The commit that brought our file to the tip, "" if there is no such file. Raises NameTakenError."""
    snapshot, path = repository.snapshot(tip), enrolment.proposal.path
    if path not in snapshot.files:
        return ""
    if snapshot.read(path) != enrolment.proposal.content:
        raise NameTakenError("the registration has something else in it by now", where=path)
    blob = snapshot.files[path]
    for commit in repository.commits(enrolment.accepted, tip):
        if repository.addition(commit) == (path, blob):
            return commit.id
    return enrolment.accepted


def _drafted(enrolment: Enrolment, repository: Repository, signer: Signer, tip: str, check: Check) -> str:
    """The commit's objects, checked. Raises as ``enroll``."""
    require_by(federation_at(repository, tip), signer.public_key, f"commit {tip[:12]}")
    one = enrolment.proposal
    proposal = Proposal(tip, one.path, one.content, one.branch, one.subject, one.author, one.email, one.time)
    commit = repository.draft(proposal, lambda raw: sign(signer, raw, namespace="git"))
    errors = [found for found in check(commit, enrolment.accepted) if found.severity is Severity.ERROR]
    if errors:
        raise _refused(errors, one.path)
    return commit


def _refused(errors: Sequence[Finding], path: str) -> FleetwardError:
    """The findings as one error; who joins is told of their own registration, of the rest only the code."""
    first = next((found for found in errors if found.code == EnrollerForbiddenError.code), errors[0])
    kind = AutoApproveError if first.code == EnrollerForbiddenError.code else AdvanceError
    own = first.source is not None and first.source.path == path
    return kind(
        "the registration would be refused on the fleet's ref",
        got=f"{first.code} {first.message}" if own else first.code, where=path,
        hint="mend what it names, or join with a token that is not auto-approved",
    )  # fmt: skip
