"""A fleet of real clusters for end-to-end tests: signed commits in, the product's own wiring, a real log.

``Fleet`` is one repository with its reconciler; ``Plane`` is one cluster as its administrator sees it.
Tests share the clusters, and ``Plane.clear`` takes away all that an earlier test federated.
"""

from __future__ import annotations

import asyncio
import http.client
import json
import os
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import fleet_files
import yaml
from git_fixtures import FleetRepo

from reconciler.audit.entry import CommitAccepted, Entry, Intent, Outcome
from reconciler.model import APPLYSET_ID, LABEL_PART_OF
from reconciler.pipeline.reconcile import Run, reconcile
from reconciler.pipeline.run import MemberResult, MemberState
from reconciler.pipeline.status import MemberStatus, fleet_status
from reconciler.pipeline.trusting import initialize_trust
from reconciler.plan import NOTHING_ALLOWED, Allowances
from reconciler.sandbox import binaries
from reconciler.sandbox.members import Member
from reconciler.surfaces.settings import Settings
from reconciler.surfaces.wiring import Wiring, clock

FLEETWARD = Path(sys.executable).parent / "fleetward"
LIMIT = 60.0  # seconds that a test waits for anything
PAUSE = 0.03  # seconds between two looks
MERGE, APPLY = "application/merge-patch+json", "application/apply-patch+yaml"
MAPS = "/api/v1/namespaces/default/configmaps"
RECORDS = "/api/v1/namespaces/federation-system/configmaps"
ROLES = "/apis/rbac.authorization.k8s.io/v1/clusterroles"
GUARDS = "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolic"
CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
_KINDS = (f"{GUARDS}ybindings", f"{GUARDS}ies", "/api/v1/configmaps", "/api/v1/secrets", ROLES, CRDS)
_OURS = f"labelSelector={LABEL_PART_OF}%3D{APPLYSET_ID}"


def until(done: Callable[[], bool], what: str, limit: float = LIMIT, pause: float = PAUSE) -> None:
    """Ask until it is so, with a pause between questions: asking costs the API server what it waits for."""
    deadline = time.monotonic() + limit
    while not done():
        assert time.monotonic() < deadline, f"waited {limit:.0f} s for {what}"
        time.sleep(pause)


@dataclass
class Plane:
    """A cluster, with its administrator's certificate."""

    member: Member
    _context: ssl.SSLContext = field(init=False, repr=False)
    _connection: http.client.HTTPSConnection | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        self._context = ssl.create_default_context(cafile=str(self.member.ca_file))
        self._context.load_cert_chain(self.member.admin_cert, self.member.admin_key)

    @property
    def name(self) -> str:
        return self.member.name

    def send(self, method: str, path: str, body: Any = None, kind: str = "application/json") -> int:
        """The status of any request."""
        return self._send(method, path, body, kind)[0]

    def must(self, method: str, path: str, body: Any = None, kind: str = "application/json") -> Any:
        """The value of a request that has to succeed."""
        status, value = self._send(method, path, body, kind)
        assert status < 300, value
        return value

    def get(self, path: str) -> Any:
        """An object, None for none."""
        status, value = self._send("GET", path)
        assert status in (200, 404), value
        return value if status == 200 else None

    def data(self, name: str) -> dict[str, str] | None:
        """A ConfigMap's data, None for no such ConfigMap."""
        found = self.get(f"{MAPS}/{name}")
        return None if found is None else found.get("data", {})

    def apply(self, path: str, body: Any, manager: str = "other") -> Any:
        """As ``kubectl apply --server-side`` does it."""
        return self.must("PATCH", f"{path}?fieldManager={manager}", body, APPLY)

    def versions(self) -> dict[str, str]:
        """All that is federated, records included: "<cluster> <list> <name>" -> resourceVersion."""
        lists = [f"{kind}?{_OURS}" for kind in _KINDS] + [f"{RECORDS}?labelSelector=fleetward.io/record"]
        found = {}
        for path in lists:
            for item in self.must("GET", path)["items"]:
                key = f"{self.name} {path.partition('?')[0]} {item['metadata']['name']}"
                found[key] = item["metadata"]["resourceVersion"]
        return found

    def unguard(self) -> None:
        """What an administrator does before changing something by hand."""
        for item in self.must("GET", f"{GUARDS}ybindings?{_OURS}")["items"]:
            self.must("DELETE", f"{GUARDS}ybindings/{item['metadata']['name']}")

    def by_hand(self, method: str, path: str, body: Any = None, kind: str = MERGE) -> None:
        """A change after ``unguard``; admission takes a moment to forget the guard."""
        until(lambda: self.send(method, path, body, kind) < 300, f"{method} {path}")

    def token(self, account: str, space: str = "federation-system") -> str:
        """A service account's token by the administrator, as ``kubectl create token`` makes one."""
        path = f"/api/v1/namespaces/{space}/serviceaccounts/{account}/token"
        body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"audiences": []}}
        return str(self.must("POST", path, body)["status"]["token"])

    def remove(self, *namespaces: str) -> None:
        """Namespaces with all that is in them, at once: each takes the controller five seconds."""
        paths = [f"/api/v1/namespaces/{name}" for name in namespaces]
        for path in paths:
            self.send("DELETE", path)
        until(lambda: not any(self.get(path) for path in paths), f"{namespaces} to go")

    def clear(self) -> None:
        """Guard first, or it would protect the rest; then until nothing is left."""
        until(lambda: not self._delete_all(), f"{self.name} to be empty")

    def _delete_all(self) -> int:
        lists = [f"{kind}?{_OURS}" for kind in _KINDS] + [f"{RECORDS}?labelSelector=fleetward.io/record"]
        left = 0
        for path in lists:
            for item in self.must("GET", path)["items"]:
                left += 1
                space = item["metadata"].get("namespace")
                base = path.partition("?")[0]
                base = f"/api/v1/namespaces/{space}/{base.rpartition('/')[2]}" if space else base
                self.send("DELETE", f"{base}/{item['metadata']['name']}")
        return left

    def _send(
        self, method: str, path: str, body: Any = None, kind: str = "application/json"
    ) -> tuple[int, Any]:
        for attempt in (1, 2):  # a server that was restarted closed the connection that was kept
            if self._connection is None:
                host = self.member.url.removeprefix("https://")
                self._connection = http.client.HTTPSConnection(host, timeout=30, context=self._context)
            try:
                given = None if body is None else json.dumps(body)
                self._connection.request(method, path, given, {"Content-Type": kind})
                response = self._connection.getresponse()
                return response.status, json.loads(response.read() or b"{}")
            except (OSError, http.client.HTTPException):
                self._connection = None
                if attempt == 2:
                    raise
        raise AssertionError


@dataclass
class Fleet:
    """A fleet's repository and the folders of the machine that reconciles it."""

    repo: FleetRepo
    planes: Mapping[str, Plane]
    shared: Path  # credentials of the members, and the cache
    machine: Path  # state and log
    location: str = ""  # another than the repository's own path
    log: str = ""
    signing_key: str = ""

    @classmethod
    def new(cls, root: Path, planes: Mapping[str, Plane], shared: Path) -> Fleet:
        return cls(FleetRepo(root), planes, shared, root / "machine")

    def federation(self, **spec: Any) -> str:
        """federation.yaml with alice as signer; no answer within 5 s is none."""
        limits = {"requestTimeout": "5s", **spec.pop("limits", {})}
        return fleet_files.federation({"alice": self.repo.person("alice").public_key}, limits=limits, **spec)

    def registration(self, name: str, *servers: str, **spec: Any) -> dict[str, str]:
        """clusters/<name>.yaml for the real cluster, at these URLs or its own."""
        member = self.planes[name].member
        text = fleet_files.cluster(name, member.url, member.ca_file.read_text(), **spec)
        if servers:
            body = yaml.safe_load(text)
            body["spec"]["apiServers"] = list(servers)
            text = yaml.safe_dump(body, sort_keys=False)
        return {f"clusters/{name}.yaml": text}

    def commit(self, *files: Mapping[str, str | bytes | None]) -> str:
        """A commit by alice."""
        return self.repo.commit({path: text for part in files for path, text in part.items()}, by="alice")

    def start(self, *files: Mapping[str, str | bytes | None]) -> str:
        """A first commit with federation, both members and a ConfigMap and role for them; trusted."""
        made: dict[str, str | bytes | None] = {"federation.yaml": self.federation()}
        for name in self.planes:
            made |= self.registration(name)
        made |= manifest("settings", colour="blue")
        made |= {"policies/rbac/viewer.yaml": fleet_files.role("viewer")}
        for part in files:
            made |= part
        commit = self.commit({path: text for path, text in made.items() if text is not None})
        self.trust(commit)
        return commit

    def trust(self, commit: str) -> None:
        """As ``fleetward trust init`` does it."""
        with self.wiring() as wiring:
            initialize_trust(wiring.checks(), wiring.log(wiring.new_key()), commit, "tester@e2e")

    @property
    def settings(self) -> Settings:
        location = self.location or str(self.repo.path)
        state = self.machine / "state"
        log = self.log or str(self.machine / "log")
        return Settings(
            location, state, self.shared / "cache", self.shared / "credentials", log, self.signing_key
        )

    @property
    def log_folder(self) -> Path:
        return Path(self.settings.log)

    @contextmanager
    def wiring(self) -> Iterator[Wiring]:
        """The product's own wiring."""
        with ExitStack() as stack:
            yield Wiring(self.settings, lambda _line: None, stack)

    def reconcile(
        self,
        *clusters: str,
        deep: bool = False,
        allow: Allowances = NOTHING_ALLOWED,
        now: Callable[[], datetime] = clock,
    ) -> Run:
        """One run, in this process."""
        with self.wiring() as wiring:
            members = replace(wiring.members(), clock=now)
            checks, writes = wiring.checks(), wiring.writes()
            return asyncio.run(reconcile(checks, members, writes, clusters=clusters, deep=deep, allow=allow))

    def status(self) -> dict[str, MemberStatus]:
        """As ``fleetward status`` finds it."""
        from reconciler.pipeline.check import prepare

        with self.wiring() as wiring:
            checks, state = wiring.checks(), wiring.log_view().state()
            assert state.accepted
            prepared = prepare(checks, checks.repository.snapshot(state.accepted.commit))
            found = asyncio.run(fleet_status(prepared, state, wiring.members()))
        return {one.cluster: one for one in found}

    def command(self, *arguments: str) -> list[str]:
        """The command ``fleetward`` of this installation."""
        return [str(FLEETWARD), *arguments]

    @property
    def environment(self) -> dict[str, str]:
        """What that command is told by ``FLEETWARD_*``."""
        settings = self.settings
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("FLEETWARD_", "GIT_"))}
        opa = binaries.find("opa").parent  # another cache would mean to build it again
        return kept | {
            "PATH": f"{opa}{os.pathsep}{kept['PATH']}",
            "FLEETWARD_REPO": settings.repo,
            "FLEETWARD_STATE": str(settings.state),
            "FLEETWARD_CACHE": str(settings.cache),
            "FLEETWARD_CREDENTIALS": str(settings.credentials),
            "FLEETWARD_LOG": settings.log,
            "FLEETWARD_SIGNING_KEY": settings.signing_key,
        }

    def spawn(self, *arguments: str) -> subprocess.Popen[str]:
        """``command`` as a process of its own."""
        pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        return subprocess.Popen(self.command(*arguments), env=self.environment, **pipes)

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """The command ``fleetward``, to its end."""
        with self.spawn(*arguments) as process:
            out, err = process.communicate(timeout=120)
            return subprocess.CompletedProcess(arguments, process.returncode, out, err)

    def entries(self) -> list[Entry]:
        """The log, read anew."""
        with self.wiring() as wiring:
            return [entry for _, entry in wiring.log_view().entries()]

    def outcomes(self, cluster: str = "") -> list[Outcome]:
        return [e for e in self.entries() if isinstance(e, Outcome) and cluster in ("", e.cluster)]

    def assert_log_whole(self) -> None:
        """The tree verifies, every intent has exactly one outcome, and nothing is there twice."""
        with self.wiring() as wiring:
            view = wiring.log_view()
            assert view.verify().findings == ()
            entries = [entry for _, entry in view.entries()]
        intents = [i for i, entry in enumerate(entries) if isinstance(entry, Intent)]
        assert sorted(e.intent for e in entries if isinstance(e, Outcome)) == intents
        sets = [e.change_set for e in entries if isinstance(e, Intent)]
        assert len(sets) == len(set(sets))
        accepted = [e.commit for e in entries if isinstance(e, CommitAccepted)]
        assert len(accepted) == len(set(accepted))


def manifest(name: str, clusters: Sequence[str] = (), conflict: str = "", **data: str) -> dict[str, str]:
    """policies/manifests/<name>.yaml: a ConfigMap, for all clusters or some."""
    body = yaml.safe_load(fleet_files.config_map(name, **data))
    notes = {"fleetward.io/placement": json.dumps({"clusters": list(clusters)})} if clusters else {}
    notes |= {"fleetward.io/conflict": conflict} if conflict else {}
    if notes:
        body["metadata"]["annotations"] = notes
    return {f"policies/manifests/{name}.yaml": yaml.safe_dump(body)}


def states(run: Run) -> dict[str, MemberState]:
    """Every member's state."""
    return {member.cluster: member.state for member in run.members}


def result(run: Run, cluster: str) -> MemberResult:
    """One member's part."""
    (found,) = (member for member in run.members if member.cluster == cluster)
    return found


def codes(run: Run, cluster: str) -> set[str]:
    """The codes of a member's findings."""
    return {finding.code for finding in result(run, cluster).findings}
