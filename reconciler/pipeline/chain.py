"""A member's change sets, from the newest back to the one that somebody asks for, each verified once.

Rules:
- The log is read from its end backwards and no further than needed: what an object needs was usually written
  lately, and a log may have a million entries.
- A change set counts when the log has its intent, the log's key signed it, it says what the intent says, it
  is for this very cluster, and the intent's inclusion proof leads to the signed checkpoint. Each names its
  predecessor, so none can be left out or put in.
- The commit of a change set has to be the one accepted last before its intent.

>>> chain.explain(ref, digest).change_set.sequence  # doctest: +SKIP
3
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from reconciler.audit.codes import BodyError
from reconciler.audit.entry import CommitAccepted, Intent, Outcome, TrustInitialized
from reconciler.audit.note import VerifierKey
from reconciler.audit.proof import check_proof
from reconciler.audit.view import LogView
from reconciler.dsse import key_id
from reconciler.errors import FleetwardError, TrustError
from reconciler.model import ObjectRef
from reconciler.trust import Change, ChangeAction, ChangeSet, open_change_set

Acceptance = CommitAccepted | TrustInitialized


class UnloggedError(TrustError):
    """A change set that the log has no intent of."""

    code = "FW1274"


class ContradictionError(TrustError):
    """A change set that says something else than its intent, or is for another member."""

    code = "FW1275"


@dataclass(frozen=True, slots=True)
class Inclusion:
    """An inclusion proof that was recomputed: entry ``index`` in the tree of ``size`` entries."""

    index: int
    size: int
    hashes: int  # length of the path


@dataclass(frozen=True, slots=True)
class Link:
    """One verified change set. ``outcome`` and ``result`` are None and "" while there is none."""

    digest: str
    change_set: ChangeSet
    key_id: str  # of the key that signed it
    time: datetime  # of the intent
    actor: str
    inclusion: Inclusion  # of the intent
    outcome: int | None
    result: str
    outcomes: str  # digest of the body with every object's outcome, "" for none
    changes: Mapping[ObjectRef, Change] = field(repr=False)


class History:
    """The log's entries about one cluster, read backwards as far as somebody asks."""

    def __init__(self, log: LogView, cluster: str) -> None:
        self.log, self._cluster = log, cluster
        self._next = log.size - 1
        self._intents: dict[str, tuple[int, Intent]] = {}
        self._outcomes: dict[int, tuple[int, Outcome]] = {}
        self._accepted: list[tuple[int, Acceptance]] = []

    def intent(self, change_set: str) -> tuple[int, Intent]:
        """The intent of a change set of this cluster, with its index. Raises UnloggedError."""
        while change_set not in self._intents and self._read():
            pass
        if change_set not in self._intents:
            raise UnloggedError(
                "the log has no intent of the change set",
                where=self._cluster, got=change_set,
                hint="the log was replaced, or the change set was never authorized: see the runbook",
            )  # fmt: skip
        return self._intents[change_set]

    def outcome(self, intent: int) -> tuple[int, Outcome] | None:
        """The outcome of a known intent: it comes after it, so it has been read."""
        return self._outcomes.get(intent)

    def acceptance_before(self, index: int) -> tuple[int, Acceptance] | None:
        """The last acceptance of a commit before an entry."""
        while (not self._accepted or self._accepted[-1][0] >= index) and self._read():
            pass
        return next((found for found in self._accepted if found[0] < index), None)

    def include(self, index: int) -> Inclusion:
        """Recomputes the inclusion proof of an entry from its exact bytes. Raises AuditError."""
        key = VerifierKey.parse(self.log.state().public_key)
        check_proof(self.log.proof(index), self.log.raw(index), self.log.origin, [key])
        return Inclusion(index, self.log.size, len(self.log.inclusion_proof(index)))

    def _read(self) -> bool:
        """Reads one entry more; False at the log's beginning."""
        if self._next < 0:
            return False
        index, entry = self._next, self.log.entry(self._next)
        self._next -= 1
        match entry:
            case Intent() if entry.cluster == self._cluster:
                self._intents[entry.change_set] = index, entry
            case Outcome() if entry.cluster == self._cluster:
                self._outcomes[entry.intent] = index, entry
            case CommitAccepted() | TrustInitialized():
                self._accepted.append((index, entry))
        return True


class Chain:
    """The change sets of one member. ``broken`` is why it could not be followed to its beginning."""

    def __init__(self, history: History, newest: str, cluster_uid: str) -> None:
        """``newest`` is the digest of the change set to begin with; ``cluster_uid`` is the member's own."""
        self._history, self._uid = history, cluster_uid
        self._following = newest
        self._sequence: int | None = None
        self._links: list[Link] = []
        self._by_object: dict[ObjectRef, list[Link]] = {}
        self.broken: FleetwardError | None = None

    def explain(self, ref: ObjectRef, digest: str) -> Link | None:
        """The newest change set that made the object what this digest says."""
        done = 0
        while True:
            links = self._by_object.get(ref, ())
            for link in links[done:]:
                if link.changes[ref].after == digest:
                    return link
            done = len(links)
            if not self._follow():
                return None

    def find(self, digest: str) -> Link | None:
        """The change set of this digest, if the chain leads to it."""
        while all(link.digest != digest for link in self._links) and self._follow():
            pass
        return next((link for link in self._links if link.digest == digest), None)

    def newest(self, ref: ObjectRef) -> Link | None:
        """The newest change set that names the object."""
        while ref not in self._by_object and self._follow():
            pass
        return next(iter(self._by_object.get(ref, ())), None)

    def since(self, ref: ObjectRef, sequence: int) -> Link | None:
        """The newest change set after ``sequence`` that names the object."""
        while (self._sequence is None or self._sequence > sequence) and self._follow():
            pass
        link = next(iter(self._by_object.get(ref, ())), None)
        return link if link and link.change_set.sequence > sequence else None

    def _follow(self) -> bool:
        if not self._following or self.broken:
            return False
        try:
            link = self._open(self._following)
        except (TrustError, BodyError) as error:  # a log that is damaged otherwise explains nothing at all
            self.broken = error
            return False
        self._links.append(link)
        for ref in link.changes:
            self._by_object.setdefault(ref, []).append(link)
        self._following, self._sequence = link.change_set.previous, link.change_set.sequence
        return True

    def _open(self, digest: str) -> Link:
        history = self._history
        # 1. The log has an intent of it.
        index, intent = history.intent(digest)
        # 2. Its bytes are those that the intent names, signed by the key that the log had then.
        key = history.log.state().key_at(index)
        change_set = open_change_set(history.log.body(digest), (key,)).change_set
        # 3. It says what the intent says, and is for this very cluster.
        self._agree(index, intent, change_set)
        # 4. The intent is in the tree of the signed checkpoint.
        inclusion = history.include(index)
        found = history.outcome(index)
        assert intent.time is not None  # noqa: S101  an entry that was read has its time
        return Link(
            digest, change_set, key_id(key), intent.time, intent.actor, inclusion,
            found[0] if found else None, found[1].result.value if found else "",
            found[1].body if found else "", {change.ref: change for change in change_set.changes},
        )  # fmt: skip

    def _agree(self, index: int, intent: Intent, said: ChangeSet) -> None:
        state = self._history.log.state()
        facts = [
            ("cluster", intent.cluster, said.cluster),
            ("cluster uid", self._uid, said.cluster_uid),
            ("cluster uid in the log", intent.cluster_uid, said.cluster_uid),
            ("commit", intent.commit, said.commit),
            ("sequence", str(intent.sequence), str(said.sequence)),
            ("repository", state.repository, said.repository),
            ("ref", state.ref, said.ref),
        ]
        if self._sequence is not None and said.sequence >= self._sequence:
            facts.append(("sequence", f"below {self._sequence}", str(said.sequence)))
        for name, expected, got in facts:
            if expected != got:
                raise ContradictionError(
                    f"the change set of entry {index} is for another {name}",
                    where=intent.cluster, expected=expected, got=got,
                    hint="treat the log as forged: find who could sign with its key",
                )  # fmt: skip


def is_deletion(link: Link, ref: ObjectRef) -> bool:
    """Whether the change set deletes the object, or gives it up."""
    return link.changes[ref].action in (ChangeAction.DELETE, ChangeAction.RELEASE)
