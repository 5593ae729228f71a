"""A range of commits judged: by whom each is signed, who agreed to it, and what trust root that leaves.

Rules:
- Every commit is judged, on all sides of a merge, by the newest trust root that does not build on it
  (``roots``): a commit that changes the root by the old one, everything else by the new one, also what was
  made or pushed before it and was not accepted yet.
- A root counts only once people of the root before it agreed to it, in a commit of the range that authors
  federation.yaml. What a branch from before the range has in its federation.yaml never judges anything.
- The root's version grows by one with every change of it. A root that is older than one of its parents' is a
  rollback, however well it is signed; so is another root of the same version, brought in by a merge.
- A forge may merge: its commits author nothing (``repository.authorship``). An enroller may add a cluster,
  for which no path rule asks anybody (``enrolling``). Neither counts as a person.
- A path rule needs people: who signed the commit and who approved it, each once. Approvals that cannot be
  believed count as if they were not there, and are shown.
- Every commit gets a verdict with all its findings; nothing stops at the first.

Steps for one commit: 1. the signature; 2. a forge merges only, an enroller enrolls only; 3. the root's
version; 4. the path rules.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from reconciler.documents import TrustedSigner, TrustRoot
from reconciler.documents.trust_root import PathRule
from reconciler.errors import TrustError
from reconciler.model import Finding
from reconciler.trust import enrolling, objections
from reconciler.trust.commits import VerifiedSigner, verify_signature
from reconciler.trust.errors import StatementError
from reconciler.trust.keyring import keyring_of
from reconciler.trust.roots import Roots
from reconciler.trust.rules import lacking, rules_for
from reconciler.trust.statements import Approval
from reconciler.trust.verdicts import (
    Approver,
    Candidate,
    CommitVerdict,
    Judgement,
    RuleVerdict,
    SignedApproval,
)


@dataclass(slots=True)
class Case:
    """What is judged: ``commits`` parents first up to ``head``, by ``root``; ``roots`` of parents outside.

    ``at`` (UTC) is when the approvals are looked at.
    """

    commits: Sequence[Candidate]
    head: str
    root: TrustRoot
    roots: Mapping[str, TrustRoot]
    approvals: Sequence[SignedApproval]
    repository: str
    ref: str
    at: datetime
    _effective: dict[str, TrustRoot] = field(default_factory=dict)  # as read; an unreadable one its parent's
    _parents: dict[str, tuple[str, ...]] = field(default_factory=dict)
    _covered: dict[str, frozenset[str]] = field(default_factory=dict)
    _known: dict[int, list[tuple[SignedApproval, VerifiedSigner]]] = field(default_factory=dict)
    _notes: dict[str, Finding] = field(default_factory=dict)

    def judge(self) -> Judgement:
        """Judge every commit.

        Raises SignerListError or RevocationDataError for an unusable trust root, RootVersionError for too
        many changes of it.
        """
        self._effective = dict(self.roots)
        self._parents = {commit.id: commit.parents for commit in self.commits}
        self._covered = {one.id: self._coverage(one.approval) for one in self.approvals}
        roots = Roots(self.root, self.commits)
        verdicts = tuple(self._strictest(commit, roots.of(commit.id)) for commit in self.commits)
        tip = next((c.root for c in self.commits if c.id == self.head), None) or roots.last()
        keyring_of(tip)
        return Judgement(verdicts, tip, tuple(self._notes.values()))

    def _strictest(self, commit: Candidate, roots: Sequence[TrustRoot]) -> CommitVerdict:
        """The verdict by all of these roots: the first that objects, if any does."""
        verdicts = []
        for root in roots:
            if id(root) not in self._known:  # by id: a root is long to hash, and there are few
                keyring_of(root)
                self._known[id(root)] = self._believed(root)
            verdicts.append(self._judge(commit, root, self._known[id(root)]))
        return next((verdict for verdict in verdicts if verdict.findings), verdicts[0])

    def _reach(self, start: str) -> set[str]:
        """The commits of the range that ``start`` reaches, itself included."""
        found, queue = set(), [start]
        while queue:
            commit = queue.pop()
            if commit in self._parents and commit not in found:
                found.add(commit)
                queue += self._parents[commit]
        return found

    def _coverage(self, approval: Approval) -> frozenset[str]:
        return frozenset(self._reach(approval.commit) - self._reach(approval.base))

    def _believed(self, root: TrustRoot) -> list[tuple[SignedApproval, VerifiedSigner]]:
        found = []
        for one in self.approvals:
            try:
                found.append((one, self._verify(one, root)))
            except TrustError as error:
                self._notes[one.id] = objections.note(f"tag {one.id}", error)
        return found

    def _verify(self, one: SignedApproval, root: TrustRoot) -> VerifiedSigner:
        """Who approved. Raises TrustError."""
        said = one.approval.repository, one.approval.ref
        if said != (self.repository, self.ref):
            raise StatementError(
                "the approval is for another repository or ref",
                expected=f"{self.repository} {self.ref}",
                got=" ".join(said),
                hint="approve again in a clone of this repository",
            )
        return verify_signature(one.payload, one.signature, root, self.at)

    def _judge(
        self, commit: Candidate, root: TrustRoot, approvals: Sequence[tuple[SignedApproval, VerifiedSigner]]
    ) -> CommitVerdict:
        findings: list[TrustError] = []
        signer: VerifiedSigner | None = None
        people = {person.name: person for person in root.signers}
        # 1. The signature.
        try:
            signer = verify_signature(commit.payload, commit.signature, root, commit.first_seen)
        except TrustError as error:
            findings.append(error)
        # 2. A forge merges only, an enroller enrolls only.
        person = signer is not None and people[signer.name].is_person
        if signer and people[signer.name].is_forge and commit.paths:
            findings.append(objections.forge_error(commit, signer))
        enroller = signer is not None and people[signer.name].is_enroller
        if signer and enroller:
            findings += enrolling.objections(commit, signer, root)
        # 3. The root's version.
        findings += self._version_errors(commit, root)
        # 4. The path rules.
        given = [
            Approver(who, one.id, one.digest) for one, who in approvals if commit.id in self._covered[one.id]
        ]
        counted = [who.name for who in ([signer] if signer and person else []) + [a.signer for a in given]]
        agreed = [people[name] for name in dict.fromkeys(counted) if people[name].is_person]
        asked = () if enroller else rules_for(root, commit.paths)
        rules = tuple(_rule(rule, paths, agreed) for rule, paths in asked)
        if person:  # who did not sign, or may not, needs no approvals first
            findings += [objections.lacking_error(rule) for rule in rules if rule.lacking]
        return CommitVerdict(
            commit.id,
            commit.first_seen,
            root.version,
            commit.paths,
            signer,
            tuple(given),
            rules,
            tuple(objections.finding(error, commit.id) for error in findings),
        )

    def _version_errors(self, commit: Candidate, root: TrustRoot) -> list[TrustError]:
        """What is wrong with the version of the commit's root; an unreadable one counts as its parent's.

        A merge is held against ``root``, which judges it: the root of a parent may be one that nobody of the
        accepted root agreed to. So is a commit whose parent has none.
        """
        known = [self._effective[p] for p in commit.parents if p in self._effective]
        last = known[0] if known and len(commit.parents) == 1 else root
        own = self._effective[commit.id] = commit.root or last
        if own.version < last.version:
            return [objections.rollback(own.version, last.version)]
        follows = own.digest == last.digest or own.version == last.version + 1
        return [] if follows else [objections.not_next(own.version, last.version)]


def _rule(rule: PathRule, paths: tuple[str, ...], agreed: Sequence[TrustedSigner]) -> RuleVerdict:
    roles = {need.role for need in rule.needs}
    counted = tuple(p.name for p in agreed if "" in roles or roles & set(p.roles))
    return RuleVerdict(rule, paths, counted, lacking(rule.needs, agreed))
