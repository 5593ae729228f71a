"""What each object of a member should be: the claim of a verified change set and of its verified commit.

- The member's signed record says which content an object was given last; the newest change set that gave it
  that content explains it. A content that differs from the record's is explained only by a change set after
  the record's own, whose run has not come to its end.
- What the change set says of the object has to be what its commit compiles to, or the commit of the record's
  own change set, which has nearly all objects and so has to be compiled only once.
- What fails is a finding: for a change set or commit once, and for every object that rests on it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from reconciler.audit.state import IntentState
from reconciler.audit.view import LogView
from reconciler.documents import Cache
from reconciler.errors import FleetwardError
from reconciler.member.census import Census
from reconciler.model import DesiredObject, Finding, LiveMeta, ObjectRef, Record
from reconciler.pipeline.accepting import as_finding
from reconciler.pipeline.chain import Chain, ContradictionError, History, Link, is_deletion
from reconciler.pipeline.codes import CODES
from reconciler.pipeline.origins import EXPECTED, Origin, Origins
from reconciler.repository import Repository


@dataclass(frozen=True, slots=True)
class Claim:
    """What an object should be. ``recorded`` False: by a change set after the record's."""

    link: Link
    item: DesiredObject
    compiled_from: str  # commit
    recorded: bool

    @property
    def change_set(self) -> str:
        """For people."""
        return f"change set {self.link.change_set.sequence}"


class Trace:
    """One member's objects on their way back; ``findings`` fill up as they go."""

    def __init__(
        self, log: LogView, repository: Repository, cache: Cache, name: str, seen: Census, record: Record
    ) -> None:
        self.findings: list[Finding] = []
        self.leaving: list[ObjectRef] = []  # being deleted, as a change set says
        self.origins: dict[str, Origin] = {}  # change set -> its commit
        self.name, self._seen, self._record = name, seen, record
        self._failed: set[str] = set()  # change sets whose commit does not hold
        history = History(log, name)
        self._origins = Origins(repository, cache, history, name)
        logged = log.state().cluster(name)
        self._chain = Chain(history, _newest(logged.intent, seen, record), seen.cluster_uid)
        if logged.applied and logged.applied.cluster_uid == seen.cluster_uid:
            self._check_age(logged.applied.index, logged.applied.sequence)
        self.holder = self._hold()

    def claims(self, live: Mapping[ObjectRef, LiveMeta], refs: Iterable[ObjectRef]) -> dict[ObjectRef, Claim]:
        """What each of the objects should be; those that nothing explains become findings."""
        found = {ref: claim for ref in refs if (claim := self._claim(ref, live.get(ref)))}
        if self._chain.broken:
            self._cause(self._chain.broken)
        return found

    def add(
        self, code: str, message: str, ref: ObjectRef | None = None, *, expected: str = "", got: str = ""
    ) -> None:
        """A finding about the member or one of its objects."""
        subject = f"{self.name}/{ref}" if ref else self.name
        hint = CODES[code][1]
        self.findings.append(Finding(code, message, subject=subject, expected=expected, got=got, hint=hint))

    def _check_age(self, index: int, sequence: int) -> None:
        if index > self._record.log_index:
            self.add(
                "FW1272",
                "the record is older than the change set that was applied last",
                expected=f"change set {sequence}",
                got=f"change set {self._record.sequence}",
            )

    def _hold(self) -> Link | None:
        """The record's own change set, which has to say what the record says."""
        link = self._chain.find(self._record.change_set)
        if link is None:
            if self._chain.broken is None:
                what = "the log's change sets do not lead to the record's"
                self._cause(ContradictionError(what, got=self._record.change_set, hint=CODES["FW1275"][1]))
            return None
        said = f"commit {link.change_set.commit}, sequence {link.change_set.sequence}"
        recorded = f"commit {self._record.commit}, sequence {self._record.sequence}"
        if said != recorded:
            what = "the record is not of the change set that it names"
            hint = CODES["FW1275"][1]
            self._cause(ContradictionError(what, expected=said, got=recorded, hint=hint))
            return None
        return link if self._origin(link) else None

    def _claim(self, ref: ObjectRef, meta: LiveMeta | None) -> Claim | None:
        known = self._record.objects.get(ref)
        later = self._later(ref, meta) if meta and (known is None or meta.digest != known.digest) else None
        if later and meta:
            return self._held_against(ref, meta.digest, later, recorded=False)
        if known is None:
            self._unknown(ref, meta)
            return None
        link = self._chain.explain(ref, known.digest)
        if link is None:
            self._unexplained(ref, f"no change set made it what the record says ({known.digest})")
            return None
        return self._held_against(ref, known.digest, link, recorded=True)

    def _later(self, ref: ObjectRef, meta: LiveMeta) -> Link | None:
        link = self._chain.since(ref, self._record.sequence)
        return link if link and meta.digest and link.changes[ref].after == meta.digest else None

    def _unknown(self, ref: ObjectRef, meta: LiveMeta | None) -> None:
        newest = self._chain.newest(ref)
        deleted = newest is not None and is_deletion(newest, ref)
        if meta is None:
            self.add("FW1270", "there is no such object, neither in the record nor live", ref)
        elif deleted and ref in self._seen.leaving:
            self.leaving.append(ref)
        elif newest and deleted:
            self._unexplained(ref, f"change set {newest.change_set.sequence} deleted it")
        else:
            self._unexplained(ref, "neither the record nor a change set after it has it")

    def _held_against(self, ref: ObjectRef, digest: str, link: Link, *, recorded: bool) -> Claim | None:
        if not self._origin(link):
            self._unexplained(ref, f"change set {link.change_set.sequence} does not hold")
            return None
        commits = [link.change_set.commit]
        if recorded and self.holder:
            commits.insert(0, self.holder.change_set.commit)
        try:
            found = self._origins.content(ref, digest, commits)
        except EXPECTED as error:
            self._unexplained(ref, f"{error.code} {error.message}")
            return None
        if found is None:
            what = "the commit does not say what its change set says"
            self.add("FW1278", what, ref, expected=digest, got=f"commit {link.change_set.commit}")
            return None
        return Claim(link, found[1], found[0], recorded)

    def _origin(self, link: Link) -> Origin | None:
        """The change set's commit, judged once."""
        if link.digest not in self.origins and link.digest not in self._failed:
            try:
                self.origins[link.digest] = self._origins.of(link)
            except EXPECTED as error:
                self._failed.add(link.digest)
                self._cause(error)
        return self.origins.get(link.digest)

    def _unexplained(self, ref: ObjectRef, got: str) -> None:
        self.add("FW1270", "no change set explains the object", ref, got=got)

    def _cause(self, error: FleetwardError) -> None:
        subject = f"{self.name} {error.where.removeprefix(self.name)}".strip()
        self.findings.append(as_finding(error, subject))


def _newest(last: IntentState | None, seen: Census, record: Record) -> str:
    """The change set that the log signed last for this very cluster."""
    return last.change_set if last and last.cluster_uid == seen.cluster_uid else record.change_set
