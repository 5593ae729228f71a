"""A fleet with a log and one member in memory: real Git, real signatures, a real log in a folder."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import fleet_files
from git_fixtures import FleetRepo
from hypothesis import HealthCheck, settings
from pipeline_ports import check_ports

from reconciler.audit.entry import (
    CommitAccepted,
    GateSummary,
    Intent,
    Outcome,
    OutcomeResult,
    PlanCounts,
    TrustInitialized,
)
from reconciler.audit.log import Log
from reconciler.audit.store_directory import DirectoryStore
from reconciler.audit.view import LogView
from reconciler.compile import compile_cluster
from reconciler.member.census import Census
from reconciler.model import (
    Desired,
    DesiredObject,
    Json,
    LiveMeta,
    ObjectOutcome,
    ObjectRef,
    ObjectResult,
    Record,
    Recorded,
)
from reconciler.pipeline.explanation import Explanation, parse_wanted
from reconciler.pipeline.guarding import guarded
from reconciler.pipeline.origins import fleet_of
from reconciler.pipeline.verify import VerifyPorts, verify_member
from reconciler.trust import Change, ChangeAction, ChangeSet, sign_change_set
from reconciler.trust.keys import ReconcilerKey

ORIGIN, REF, UID = "fleet.example/log", "refs/heads/main", "c0ffee"
REPOSITORY = "https://forge.example/fleet.git"
DIGEST = "sha256:" + "a" * 64
GATE = GateSummary(DIGEST, 7)
SETTINGS = ObjectRef("", "ConfigMap", "default", "settings")
RED = {"policies/manifests/settings.yaml": fleet_files.config_map("settings", colour="red")}
KEY = ReconcilerKey.from_seed(b"x" * 32)
SLOW = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow], max_examples=200)


@dataclass
class MemberInMemory:
    """The port to a member, as far as verify asks."""

    record: Record | None = None
    bodies: dict[ObjectRef, dict[str, Any]] = field(default_factory=dict)
    fetched: list[ObjectRef] = field(default_factory=list)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None

    async def census(self, *, lists: bool = True) -> Census:
        live = {ref: self._meta(ref) for ref in self.bodies} if lists else {}
        leaving = frozenset(r for r, b in self.bodies.items() if "deletionTimestamp" in b["metadata"])
        known = self.record.objects if self.record else {}
        kinds = frozenset((ref.group, ref.kind) for ref in known)
        return Census(UID, self.record, kinds, live, leaving, "1")

    def _meta(self, ref: ObjectRef) -> LiveMeta:
        metadata = self.bodies[ref]["metadata"]
        digest = metadata.get("annotations", {}).get("fleetward.io/digest", "")
        return LiveMeta(metadata["uid"], metadata["resourceVersion"], digest)

    async def fetch(self, wanted: Mapping[ObjectRef, str]) -> Mapping[ObjectRef, Json]:
        self.fetched += wanted
        return {ref: self.bodies[ref] for ref in wanted if ref in self.bodies}

    async def require_unmoved(self, seen: Census) -> None:
        assert seen.record == self.record


class World:
    """A fleet's repository, its log, and one member."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.repo = FleetRepo(root)
        self.files: dict[str, str | bytes | None] = {
            **fleet_files.fleet({"alice": self.repo.person("alice").public_key})
        }
        self.member = MemberInMemory()
        self.accepted = self.repo.commit(self.files)
        self.sequence, self.previous = 0, ""
        self._version = 0
        self.log = Log.open(DirectoryStore(root / "log"), KEY, origin=ORIGIN, clock=lambda: datetime.now(UTC))
        entry = TrustInitialized(
            actor="t", commit=self.accepted, repository=REPOSITORY, ref=REF, public_key=self.log.vkey
        )
        self.log.append([entry])

    def accept(self, files: Mapping[str, str | bytes | None], *, by: str = "alice", sign: bool = True) -> str:
        """A commit that the log says was accepted."""
        commit = self.repo.commit(files, by=by, sign=sign)
        tree = self.repo.head("HEAD^{tree}")
        entry = CommitAccepted(
            actor="t", commit=commit, tree=tree, previous=self.accepted, ref=REF, commits=1,
            signers=(by,), gate=GATE,
        )  # fmt: skip
        self.log.append([entry])
        self.accepted = commit
        return commit

    def desired(self, commit: str) -> Desired:
        with check_ports(self.repo, self.root) as ports:
            fleet = fleet_of(ports.repository, commit, ports.cache)
            (cluster,) = fleet.clusters
            return guarded(compile_cluster(fleet, cluster, cache=ports.cache).desired, cluster)

    def apply(
        self,
        commit: str = "",
        *,
        record: bool = True,
        edit: Callable[[DesiredObject], DesiredObject] = lambda item: item,
        **said: Any,
    ) -> str:
        """The change set of a commit, with intent and outcome, put onto the member; its digest."""
        commit = commit or self.accepted
        desired = self.desired(commit)
        objects = [edit(item) for item in desired.objects]
        known = self.member.record.objects if self.member.record else {}
        changed = [item for item in objects if item.ref not in known or known[item.ref].digest != item.digest]
        gone = sorted(known.keys() - {item.ref for item in objects})
        self.sequence += 1
        facts: dict[str, Any] = {
            "cluster": "member-a", "cluster_uid": UID, "repository": REPOSITORY, "ref": REF, "commit": commit,
            "tree": self.repo.head(f"{commit}^{{tree}}"), "gate_digest": DIGEST, "gate_rules": 3,
            "gate_allowed": True, "sequence": self.sequence, "previous": self.previous,
            "created": "2026-01-31T12:00:00Z", "desired_digest": desired.digest, "base": DIGEST,
            "changes": (
                *(Change(i.ref, ChangeAction.CREATE, "", i.digest, "") for i in changed),
                *(Change(ref, ChangeAction.DELETE, known[ref].digest, "", "1") for ref in gone),
            ),
        }  # fmt: skip
        signer = said.pop("signer", KEY)
        signed = sign_change_set(ChangeSet(**{**facts, **said}), signer)
        intent = Intent(
            actor="t", cluster="member-a", cluster_uid=UID, commit=commit, change_set=signed.digest,
            sequence=self.sequence, counts=PlanCounts(len(changed), 0, len(gone)), gate=GATE,
        )  # fmt: skip
        (index,) = self.log.append([intent], {signed.digest: signed.envelope})
        for item in changed:
            self.put(item)
        for ref in gone:
            del self.member.bodies[ref]
        self.previous = signed.digest
        if record:
            self._settle(index, signed.digest, commit, desired, objects)
        return signed.digest

    def put(self, item: DesiredObject, **metadata: str) -> None:
        """As an API server keeps it: with uid, version and the account of who wrote it."""
        self._version += 1
        body = json.loads(item.body)
        number = f"{self._version:012}"
        uid = self.member.bodies.get(item.ref, {"metadata": {"uid": f"00000000-0000-0000-0000-{number}"}})
        body["metadata"] |= {"uid": uid["metadata"]["uid"], "resourceVersion": str(self._version)}
        body["metadata"] |= metadata
        body["metadata"]["managedFields"] = [managed("fleetward", "Apply", json.loads(item.body))]
        self.member.bodies[item.ref] = body

    def _settle(
        self, index: int, digest: str, commit: str, desired: Desired, objects: list[DesiredObject]
    ) -> None:
        metas = {item.ref: self.member.bodies[item.ref]["metadata"] for item in objects}
        outcomes = [
            ObjectOutcome(item.ref, ObjectResult.CREATED, metas[item.ref]["uid"], audit_id=f"audit-{n}")
            for n, item in enumerate(objects)
        ]
        entry, bodies = Outcome.of(
            actor="t", cluster="member-a", intent=index, result=OutcomeResult.APPLIED, outcomes=outcomes
        )
        self.log.append([entry], bodies)
        recorded = {
            item.ref: Recorded(item.digest, metas[item.ref]["uid"], metas[item.ref]["resourceVersion"])
            for item in objects
        }
        self.member.record = Record(UID, commit, desired.digest, digest, index, self.sequence, recorded)

    @contextmanager
    def ports(self) -> Any:
        with check_ports(self.repo, self.root) as checks:
            log = LogView(DirectoryStore(self.root / "log"), origin=ORIGIN, public_keys=[KEY.public_key])
            member: Any = self.member
            yield VerifyPorts(checks.repository, checks.cache, log, lambda _cluster, _fleet: member)

    def verify(self, *names: str, deep: bool = False) -> Explanation:
        self.member.fetched.clear()
        with self.ports() as ports:
            wanted = [parse_wanted(name) for name in names]
            return asyncio.run(verify_member(ports, "member-a", wanted, deep=deep))


def managed(manager: str, operation: str, body: Json, **entry: str) -> dict[str, Any]:
    """A ``managedFields`` entry that owns every leaf of the body."""

    def fields(value: Json) -> dict[str, Any]:
        if not isinstance(value, dict):
            return {}
        return {f"f:{key}": fields(below) for key, below in value.items()}

    left = {key: value for key, value in body.items() if key not in ("apiVersion", "kind")}
    metadata = {k: v for k, v in left.get("metadata", {}).items() if k in ("labels", "annotations")}
    left = {**left, "metadata": metadata} if metadata else {k: v for k, v in left.items() if k != "metadata"}
    return {"manager": manager, "operation": operation, "fieldsV1": fields(left), **entry}
