"""A signed fleet repository for the workflow tests: this repository's own fleet, with a fresh signer."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
_PARTS = ("clusters", "policies/rbac", "policies/rules", "policies/manifests", "policies/exceptions")


@dataclass(frozen=True)
class SignedFleet:
    """``folder`` is a work tree whose commits are signed by ``key`` (a private key file)."""

    folder: Path
    key: Path

    def git(self, *arguments: str, sign: bool = True) -> str:
        """Run git in the work tree, ignoring the machine's configuration."""
        config = {
            "user.name": "tester", "user.email": "tester@fleet.example", "gpg.format": "ssh",
            "user.signingkey": str(self.key), "commit.gpgsign": str(sign).lower(),
        }  # fmt: skip
        words = [word for name, value in config.items() for word in ("-c", f"{name}={value}")]
        environment = {"PATH": "/usr/bin:/bin", "HOME": str(self.folder), "GIT_CONFIG_NOSYSTEM": "1"}
        done = subprocess.run(
            ["git", *words, *arguments], cwd=self.folder, env=environment, capture_output=True, text=True,
            timeout=60, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def commit(self, path: str, text: str, *, sign: bool = True) -> str:
        """Write one file and commit it; returns the commit."""
        file = self.folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        self.git("add", "--all")
        self.git("commit", "--quiet", "-m", f"Change {path}", sign=sign)
        return self.git("rev-parse", "HEAD")


def make_fleet(folder: Path) -> SignedFleet:
    """The first commit: our fleet, where the example's key is replaced by a new one."""
    key = folder / "signer"
    folder.mkdir(parents=True)
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True, timeout=60)
    fleet = SignedFleet(folder / "fleet", key)
    for part in _PARTS:
        shutil.copytree(ROOT / part, fleet.folder / part)
    public = " ".join(key.with_suffix(".pub").read_text().split()[:2])
    federation = re.sub(r"ssh-ed25519 \S+", public, (ROOT / "federation.yaml").read_text())
    fleet.git("init", "--quiet", "--initial-branch", "main")
    fleet.commit("federation.yaml", federation)
    return fleet


def network_rule(name: str) -> str:
    """A harmless new document for a pull request."""
    return f"""apiVersion: fleetward.io/v1alpha1
kind: FederatedNetworkRule
metadata:
  name: {name}
spec:
  namespaces: [shop]
  isolate: [ingress]
"""
