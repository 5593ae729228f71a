"""A real member for tests: kubectl for what others do to it, ``World.reconcile`` for what we do."""

import hashlib
import json
import subprocess
import sys
import time
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import yaml

from reconciler.compile.objects import canonical, desired_digest, labelled
from reconciler.documents import Cluster, Credentials
from reconciler.member.bootstrap import LABEL_AGGREGATE, bootstrap_objects
from reconciler.member.client import ApplyReport, Member
from reconciler.member.limits import Limits
from reconciler.member.login import Login
from reconciler.member.transport import Transport
from reconciler.model import (
    APPLYSET_ID,
    LABEL_PART_OF,
    MEMBER_NAMESPACE,
    RECONCILER_USER,
    ClusterName,
    Desired,
    DesiredObject,
    ObjectRef,
    ObjectResult,
    Observation,
    SourceRef,
)
from reconciler.pipeline.change_sets import Authorized
from reconciler.plan import Plan, build_plan
from reconciler.sandbox.members import Member as SandboxMember
from reconciler.trust import Change, ChangeAction, ChangeSet, sign_change_set
from reconciler.trust.keys import ReconcilerKey

KUBECTL = str(Path(sys.executable).parent / "kubectl")
SIGNER = ReconcilerKey.from_seed(b"k" * 32)
FAST = Limits(backoff=timedelta(milliseconds=1), request_timeout=timedelta(seconds=5))
DIGEST = "sha256:" + "1" * 64
_KINDS = ("widgets.example.org", "networkpolicies,configmaps,services,deployments,clusterroles")
EXTRA_ROLE = {
    "apiVersion": "rbac.authorization.k8s.io/v1",
    "kind": "ClusterRole",
    "metadata": {"name": "tests-extra", "labels": {LABEL_AGGREGATE: "true"}},
    "rules": [
        {
            "apiGroups": ["", "apps", "apiextensions.k8s.io", "example.org"],
            "resources": ["configmaps", "services", "deployments", "customresourcedefinitions", "widgets"],
            "verbs": ["get", "list", "create", "patch", "delete"],
        }
    ],
}


@dataclass(frozen=True, slots=True)
class Token:
    """Credentials as a plain value."""

    token: str

    async def load(self, *, fresh: bool = False) -> Login:  # noqa: ARG002
        return Login(token=self.token)


@dataclass(slots=True)
class ControlPlane:
    """The cluster as its administrator sees it."""

    server: SandboxMember
    token: str = ""

    def kubectl(self, *arguments: str, given: Any = None) -> subprocess.CompletedProcess[str]:
        command = [KUBECTL, "--kubeconfig", str(self.server.kubeconfig), *arguments]
        text = yaml.safe_dump_all(given) if isinstance(given, list) else given and json.dumps(given)
        return subprocess.run(command, input=text, capture_output=True, text=True, check=False, timeout=60)

    def must(self, *arguments: str, given: Any = None) -> str:
        done = self.kubectl(*arguments, given=given)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def get(self, *arguments: str) -> Any:
        return json.loads(self.must("get", *arguments, "-o", "json"))

    def bootstrap(self) -> None:
        self.must("apply", "-f", "-", given=[*bootstrap_objects(), EXTRA_ROLE])
        account = RECONCILER_USER.rpartition(":")[2]
        self.token = self.must("create", "token", account, "-n", MEMBER_NAMESPACE).strip()

    def clear(self) -> None:
        """Until nothing is left: the guard may be in force for a moment after it is gone."""
        deadline = time.monotonic() + 60
        while self._delete_all():
            assert time.monotonic() < deadline, "what tests made cannot be deleted"

    def _delete_all(self) -> str:
        """Guard first, or it would protect the rest. What is left."""
        for kind in ("validatingadmissionpolicybinding", "validatingadmissionpolicy"):
            self.kubectl("delete", kind, "-l", f"{LABEL_PART_OF}={APPLYSET_ID}")
        self.kubectl("delete", "configmap", "-n", MEMBER_NAMESPACE, "-l", "fleetward.io/record")
        for kinds in _KINDS:  # apart, since the first may not be known
            self.kubectl("delete", kinds, "-A", "-l", f"{LABEL_PART_OF}={APPLYSET_ID}")
        self.kubectl("delete", "crd,namespace", "-l", f"{LABEL_PART_OF}={APPLYSET_ID}", "--wait=false")
        return self.must("get", _KINDS[-1], "-A", "-l", f"{LABEL_PART_OF}={APPLYSET_ID}", "-o", "name")


@dataclass(slots=True)
class World:
    """One test's fleet: a namespace name of its own, and the reconciler's side of the cluster."""

    plane: ControlPlane
    namespace: str = field(default_factory=lambda: f"t-{uuid.uuid4().hex[:10]}")

    @property
    def cluster(self) -> Cluster:
        return Cluster(
            ClusterName("m"), {}, (self.plane.server.url,), self.plane.server.ca_file.read_text(), "",
            Credentials("tokenFile", path="token"), SourceRef("clusters/m.yaml"),
        )  # fmt: skip

    def member(self, token: str = "", **settings: Any) -> Member:
        settings = {"public_keys": [SIGNER.public_key], "signer": SIGNER, "limits": FAST} | settings
        return Member(self.cluster, Token(token or self.plane.token), **settings)

    @asynccontextmanager
    async def transport(self) -> AsyncIterator[Transport]:
        cluster = self.cluster
        transport = Transport(cluster.api_servers, cluster.ca_bundle, "", Token(self.plane.token), FAST)
        yield transport
        await transport.close()

    def desired(self, *bodies: dict[str, Any], take: bool = False) -> Desired:
        objects = tuple(sorted((finish(body, take=take) for body in bodies), key=lambda item: item.ref))
        return Desired(ClusterName("m"), objects, desired_digest(objects))

    def base(self) -> dict[str, Any]:
        return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": self.namespace}}

    def config(self, name: str, **data: str) -> dict[str, Any]:
        metadata = {"name": name, "namespace": self.namespace}
        return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}

    async def plan(self, desired: Desired, **options: Any) -> tuple[Observation, Plan]:
        async with self.member() as member:
            seen = await member.observe(desired, **options)
        return seen, build_plan(desired, seen)

    async def reconcile(
        self, desired: Desired, *, index: int = 1, **settings: Any
    ) -> tuple[Plan, ApplyReport]:
        async with self.member(**settings) as member:
            seen = await member.observe(desired)
            plan = build_plan(desired, seen)
            signed = authorization(seen, plan)
            return plan, await member.apply(desired, signed, log_index=index)


def finish(body: dict[str, Any], *, take: bool = False) -> DesiredObject:
    """As compile does it."""
    body = labelled(body, "policies/manifests/test.yaml")
    digest = f"sha256:{hashlib.sha256(canonical(body)).hexdigest()}"
    body["metadata"]["annotations"]["fleetward.io/digest"] = digest
    group, _, version = body["apiVersion"].rpartition("/")
    ref = ObjectRef(group, body["kind"], body["metadata"].get("namespace", ""), body["metadata"]["name"])
    return DesiredObject(ref, version, digest, canonical(body), SourceRef("test.yaml", 1), take)


def authorization(seen: Observation, plan: Plan, **changed: Any) -> Authorized:
    """The plan, signed as the pipeline does it; ``changed`` overrides fields of the change set."""
    sequence = seen.record.sequence if seen.record else 0
    unsigned = ChangeSet(
        cluster="m", cluster_uid=seen.cluster_uid, repository="https://example.org/fleet.git",
        ref="refs/heads/main", commit="c" * 40, tree="d" * 40, gate_digest=DIGEST, gate_rules=1,
        gate_allowed=True, sequence=sequence + 1, previous=DIGEST if sequence else "",
        created="2026-01-31T12:00:00Z", desired_digest=plan.desired_digest, base=DIGEST,
        changes=tuple(
            Change(c.ref, ChangeAction(c.action.value), c.before, c.after, c.resource_version)
            for c in plan.changes
        ),
    )  # fmt: skip
    return Authorized(sign_change_set(replace(unsigned, **changed), SIGNER), SIGNER.public_key)


def results(report: ApplyReport) -> dict[str, ObjectResult]:
    """Outcomes by kind and name."""
    return {f"{outcome.ref.kind}/{outcome.ref.name}": outcome.result for outcome in report.outcomes}
