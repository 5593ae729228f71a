"""A fleet with a primary and a join endpoint as processes of their own, and clusters that join it."""

from __future__ import annotations

import base64
import json
import os
import signal
import subprocess
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import fleet_files
import secret_scan
import yaml
from e2e_world import Fleet, Plane, manifest, until
from git_fixtures import FleetRepo

from reconciler.audit.entry import Entry, JoinRefused
from reconciler.pipeline.membership.promoting import require_primary
from reconciler.pipeline.membership.tokens import url_of
from reconciler.sandbox.components import free_port
from reconciler.sandbox.local import Sandbox
from reconciler.surfaces.membership import administrator_of
from reconciler.surfaces.provision import provision

LABELS = "owner=team,environment=test,tier=workload"
OURS = ("federation-reconciler", "federation-reconciler-extra")
RBAC = "/apis/rbac.authorization.k8s.io/v1"


@dataclass
class Endpoint:
    """A running ``fleetward serve``; what it says is kept, so that secrets can be looked for."""

    process: subprocess.Popen[str]
    said: list[str] = field(default_factory=list)
    port: int = 0

    def read(self) -> None:
        """Both outputs, to their end."""
        for stream in (self.process.stdout, self.process.stderr):
            threading.Thread(target=lambda s=stream: self.said.extend(s or ()), daemon=True).start()

    def wait(self) -> None:
        until(
            lambda: any("serving on port" in line for line in self.said) or self.process.poll() is not None,
            "serve",
        )
        line = next((line for line in self.said if "serving on port" in line), "")
        assert line, self.said
        self.port = int(line.split()[-1])

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(30)


@dataclass
class World:
    """See the module. ``secrets`` are all that were made; ``outputs`` is all that was printed."""

    fleet: Fleet
    primary: Plane
    port: int
    secrets: list[str] = field(default_factory=list)
    outputs: list[str] = field(default_factory=list)

    def command(self, *arguments: str, stdin: str = "", exits: int = 0) -> str:
        """``fleetward``, to its end; its standard output."""
        done = subprocess.run(
            self.fleet.command(*arguments), input=stdin, env=self.environment, capture_output=True, text=True,
            timeout=120,
        )  # fmt: skip
        told = done.stdout + done.stderr
        if arguments[:2] == ("token", "create") and done.returncode == 0:
            self.keep("join token", done.stdout.strip())
            told = done.stderr
        self.outputs.append(told)
        assert done.returncode == exits, (arguments, done.stdout, done.stderr)
        return done.stdout if exits == 0 else told

    @property
    def environment(self) -> dict[str, str]:
        return self.fleet.environment

    def promote(self, address: str = "127.0.0.1", exits: int = 0) -> str:
        config = str(self.primary.member.kubeconfig)
        return self.command(
            "promote", "--address", address, "--port", str(self.port), "--kubeconfig", config, exits=exits
        )

    def token(self, *options: str) -> str:
        return self.command("token", "create", "--labels", LABELS, *options).strip()

    def join(self, plane: Plane, token: str, *options: str, exits: int = 0, kubeconfig: str = "") -> str:
        config = kubeconfig or str(plane.member.kubeconfig)
        return self.command("join", "--stdin", "--kubeconfig", config, *options, stdin=token, exits=exits)

    @contextmanager
    def serving(self, *options: str) -> Iterator[Endpoint]:
        """The endpoint at the promoted port."""
        pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        process = subprocess.Popen(self.fleet.command("serve", *options), env=self.environment, **pipes)
        endpoint = Endpoint(process)
        endpoint.read()
        try:
            endpoint.wait()
            yield endpoint
        finally:
            process.terminate()
            process.wait(30)
            self.outputs += endpoint.said
            secret_scan.saw("".join(endpoint.said), "the output of fleetward serve")

    def keep(self, kind: str, *secrets: str) -> None:
        """Have these looked for, by ``scan`` and after the test."""
        self.secrets += secrets
        for secret in secrets:
            secret_scan.learn(secret, kind)

    def entries(self) -> list[Entry]:
        return self.fleet.entries()

    def kinds(self, *wanted: str) -> list[str]:
        """The kinds of the log's entries, in order; only those of ``wanted``."""
        return [entry.kind for entry in self.entries() if not wanted or entry.kind in wanted]

    def refusals(self) -> list[str]:
        return [entry.code for entry in self.entries() if isinstance(entry, JoinRefused)]

    def merge(self, name: str) -> str:
        """Review and take over, as docs/joining.md says: alice signs what was proposed."""
        self.fleet.repo.git("merge", "--squash", "-q", f"join/{name}")
        return self.fleet.repo.commit({}, by="alice", message=f"Register {name}")

    def merge_leave(self, name: str) -> str:
        """The same for the removal of a registration; the branch is deleted."""
        self.fleet.repo.git("merge", "--squash", "-q", f"leave/{name}")
        commit = self.fleet.repo.commit({}, by="alice", message=f"Remove {name}")
        self.fleet.repo.git("branch", "-D", f"leave/{name}")
        return commit

    def body(self, plane: Plane, token: str, name: str, **change: Any) -> dict[str, Any]:
        """A good request for a cluster that was prepared, with some fields changed."""
        admin = administrator_of(str(plane.member.kubeconfig), None)
        uid = plane.must("GET", "/api/v1/namespaces/kube-system")["metadata"]["uid"]
        request = {
            "token": token, "claim": os.urandom(32).hex(), "name": name, "uid": uid,
            "apiServers": [plane.member.url], "caBundle": admin.ca_bundle, "tlsServerName": "",
            "credential": self.credential(plane),
        }  # fmt: skip
        self.keep("claim or credential of a join", request["claim"], request["credential"])
        return request | change

    def credential(self, plane: Plane, account: str = "federation-reconciler") -> str:
        return plane.token(account)

    def administrator_token(self, plane: Plane) -> str:
        """A service account that may do everything there."""
        space = "/api/v1/namespaces/default"
        plane.send("POST", f"{space}/serviceaccounts", {"metadata": {"name": "installer"}})
        subject = {"kind": "ServiceAccount", "name": "installer", "namespace": "default"}
        role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"}
        binding = {"metadata": {"name": "installer"}, "subjects": [subject], "roleRef": role}
        plane.send("POST", f"{RBAC}/clusterrolebindings", binding)
        token = plane.token("installer", "default")
        self.keep("administrator's token", token)
        return token

    def allow_config_maps(self, plane: Plane) -> None:
        """What a cluster's owner does who wants more kinds than the bootstrap allows; until it holds."""
        labels = {"fleetward.io/aggregate-to-reconciler": "true"}
        verbs = ["get", "list", "create", "patch", "delete"]
        rules = [{"apiGroups": [""], "resources": ["configmaps"], "verbs": verbs}]
        role = {"metadata": {"name": "reconciler-config", "labels": labels}, "rules": rules}
        plane.send("POST", f"{RBAC}/clusterroles", role)
        extra = f"{RBAC}/clusterroles/federation-reconciler-extra"
        until(lambda: bool(plane.must("GET", extra)["rules"]), "the aggregated rules")

    @property
    def url(self) -> str:
        with self.fleet.wiring() as wiring:
            return url_of(require_primary(wiring.log_view().state()))

    @property
    def pin(self) -> str:
        with self.fleet.wiring() as wiring:
            return require_primary(wiring.log_view().state()).ca_pin

    def scan(self, root: Path) -> list[str]:
        """Where a secret is that should not be: output, and every file but the ones that are its place."""
        allowed = {"token.key", "ca.pem", "reconciler.key"}
        found = [line for line in self.outputs if any(secret in line for secret in self.secrets)]
        keys = [_body_of(path) for name in allowed for path in root.rglob(name)]
        for path in root.rglob("*"):
            if path.is_file() and path.name not in allowed:
                data = path.read_bytes()
                if any(secret.encode() in data for secret in (*self.secrets, *filter(None, keys))):
                    found.append(str(path))
        return found


@contextmanager
def making_world(
    sandbox: Sandbox, planes: Mapping[str, Plane], shared: Path, folder: Path
) -> Iterator[World]:
    """A trusted fleet without members, promoted on the sandbox's primary; member-b was never prepared."""
    own = folder / "own"  # credentials of this fleet alone
    own.mkdir()
    (shared / "cache").mkdir(exist_ok=True)
    (own / "cache").symlink_to(shared / "cache")
    fleet = Fleet(FleetRepo(folder), planes, own, folder / "machine")
    first = {"federation.yaml": fleet.federation(), "policies/rbac/viewer.yaml": fleet_files.role("viewer")}
    fleet.trust(fleet.commit(first, manifest("settings", colour="blue")))
    unprepare(planes["member-b"])
    made = World(fleet, Plane(sandbox.members["primary"]), free_port())
    made.promote()
    yield made
    unprepare(planes["member-b"])
    provision(sandbox.members["member-b"], shared / "credentials")  # as the other tests expect it


def _body_of(path: Path) -> str:
    """The longest line of a private key's PEM."""
    text = path.read_text()
    _, _, key = text.partition("PRIVATE KEY-----\n")
    return key.splitlines()[0] if key else ""


def unprepare(plane: Plane) -> None:
    """As before anything of the bootstrap."""
    for name in OURS:
        plane.send("DELETE", f"{RBAC}/clusterrolebindings/{name}")
        plane.send("DELETE", f"{RBAC}/clusterroles/{name}")
    space = "/api/v1/namespaces/federation-system"
    plane.send("DELETE", f"{RBAC}/namespaces/federation-system/rolebindings/{OURS[0]}")
    plane.send("DELETE", f"{space}/serviceaccounts/{OURS[0]}")
    plane.send("DELETE", f"{space}/secrets/fleetward-join")
    for name in ("sandbox-every-kind", "sandbox-every-kind-view", "reconciler-config"):
        plane.send("DELETE", f"{RBAC}/clusterroles/{name}")


def kubeconfig(path: Path, plane: Plane, server: str, token: str) -> str:
    """A kubeconfig with a bearer token for any URL of the cluster."""
    ca = base64.b64encode(plane.member.ca_file.read_bytes()).decode()
    document = {
        "apiVersion": "v1", "kind": "Config", "current-context": "x",
        "clusters": [{"name": "x", "cluster": {"server": server, "certificate-authority-data": ca}}],
        "users": [{"name": "x", "user": {"token": token}}],
        "contexts": [{"name": "x", "context": {"cluster": "x", "user": "x"}}],
    }  # fmt: skip
    path.touch(mode=0o600)
    path.write_text(yaml.safe_dump(document))
    return str(path)


def claims_of(token: str) -> dict[str, Any]:
    part = token.split(".")[1]
    value: dict[str, Any] = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    return value
