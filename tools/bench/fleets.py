"""Large fleets as real repositories: one NetworkPolicy a file, one signed commit."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

from reconciler.sandbox.binaries import ensure

NAMESPACE = "bench"


@dataclass(frozen=True, slots=True)
class BenchFleet:
    """A repository and the environment in which ``fleetward`` and git know nothing else."""

    folder: Path
    environment: Mapping[str, str]

    @property
    def repo(self) -> Path:
        """The work tree."""
        return self.folder / "fleet"

    def git(self, *arguments: str) -> str:
        """Run git in the repository."""
        done = subprocess.run(
            ["git", *arguments], cwd=self.repo, env=dict(self.environment), capture_output=True, check=True
        )
        return done.stdout.decode().strip()

    def write(self, path: str, text: str) -> None:
        """Write one file."""
        target = self.repo / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")

    def commit(self, message: str) -> str:
        """Commit everything, signed."""
        self.git("add", "-A")
        self.git("commit", "-q", "-m", message)
        return self.git("rev-parse", "HEAD")


def make(folder: Path, binaries: Path, clusters: Mapping[str, Mapping[str, object]]) -> BenchFleet:
    """An empty fleet with these registrations (name -> spec)."""
    folder.mkdir(parents=True, exist_ok=True)
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("FLEETWARD_", "GIT_"))} | {
        "PATH": os.pathsep.join((str(binaries), str(binaries_of_opa()), os.environ["PATH"])),
        "HOME": str(folder),
        "FLEETWARD_STATE": str(folder / "state"),
        "FLEETWARD_CACHE": str(folder / "cache"),
        "FLEETWARD_CREDENTIALS": str(folder / "credentials"),
    }
    fleet = BenchFleet(folder, environment)
    fleet.repo.mkdir()
    key = folder / "signer"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
    fleet.git("init", "-q", "-b", "main")
    for name, value in _settings(key).items():
        fleet.git("config", name, value)
    public = " ".join(key.with_suffix(".pub").read_text().split()[:2])
    fleet.write(
        "federation.yaml", _ours("Federation", "bench", {"signers": [{"name": "bench", "keys": [public]}]})
    )
    for name, spec in clusters.items():
        fleet.write(f"clusters/{name}.yaml", _ours("Cluster", name, spec))
    return fleet


def binaries_of_opa() -> Path:
    """Where OPA is, since the bench has another cache folder."""
    return ensure(["opa"], print)["opa"].parent


def _settings(key: Path) -> dict[str, str]:
    return {
        "user.name": "bench",
        "user.email": "bench@fleet.example",
        "gpg.format": "ssh",
        "user.signingkey": str(key),
        "commit.gpgsign": "true",
        "gc.auto": "0",
    }


def _ours(kind: str, name: str, spec: Mapping[str, object]) -> str:
    labels = {"owner": "bench", "environment": "test", "tier": "workload"}
    metadata = {"name": name, **({"labels": labels} if kind == "Cluster" else {})}
    body = {"apiVersion": "fleetward.io/v1alpha1", "kind": kind, "metadata": metadata, "spec": dict(spec)}
    return yaml.safe_dump(body, sort_keys=False)


def policies(fleet: BenchFleet, names: Sequence[str]) -> None:
    """Write a namespace and a NetworkPolicy for each name."""
    fleet.write(
        "policies/manifests/namespace.yaml",
        f"apiVersion: v1\nkind: Namespace\nmetadata:\n  name: {NAMESPACE}\n",
    )
    for name in names:
        fleet.write(f"policies/manifests/{name[-2:]}/{name}.yaml", policy(name))


def policy(name: str, port: int = 8080) -> str:
    """A NetworkPolicy as people write them."""
    return f"""# Lets the gateway in.
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: {name}
  namespace: {NAMESPACE}
  labels:
    app: {name}
spec:
  podSelector:
    matchLabels:
      app: {name}
  policyTypes:
    - Ingress
  ingress:
    - from:
        - namespaceSelector:
            matchLabels:
              kubernetes.io/metadata.name: gateway
          podSelector:
            matchLabels:
              app: gateway
      ports:
        - protocol: TCP
          port: {port}
"""
