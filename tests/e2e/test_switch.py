"""Short-lived kubeconfigs, judged by kubectl itself."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from e2e_world import Fleet, Plane
from token_kit import claims_of

from reconciler.audit.entry import CredentialIssued, CredentialRole
from reconciler.member.bootstrap import VIEWER_USER
from reconciler.model import RECONCILER_USER
from reconciler.pipeline.joining import join
from reconciler.surfaces import kubeconfigs

pytestmark = pytest.mark.real
KUBECTL = str(Path(sys.executable).parent / "kubectl")


@pytest.fixture
def applied(fleet: Fleet) -> Fleet:
    """A fleet whose primary is member-b, reconciled."""
    fleet.start({"federation.yaml": fleet.federation(primary="member-b")})
    assert fleet.reconcile().converged
    return fleet


def kubectl(file: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "KUBECONFIG": str(file)}
    return subprocess.run([KUBECTL, *arguments], env=environment, capture_output=True, text=True, timeout=60)


def issued(fleet: Fleet) -> list[CredentialIssued]:
    return [entry for entry in fleet.entries() if isinstance(entry, CredentialIssued)]


def token_in(file: Path) -> str:
    document: Any = yaml.safe_load(file.read_text())
    return str(document["users"][-1]["user"]["token"])


def test_a_viewer_reads_and_cannot_write(applied: Fleet, a: Plane, tmp_path: Path) -> None:
    out = tmp_path / "viewer"
    done = applied.run("kubeconfig", "member-a", "--out", str(out), "-q")
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"export KUBECONFIG={out}\n"
    assert out.stat().st_mode & 0o777 == 0o600
    assert kubectl(out, "config", "current-context").stdout == "member-a\n"
    assert kubectl(out, "auth", "whoami", "-o", "jsonpath={.status.userInfo.username}").stdout == VIEWER_USER
    assert kubectl(out, "get", "configmap", "settings", "-o", "name").stdout == "configmap/settings\n"
    for arguments in (
        ("create", "configmap", "mine"), ("delete", "configmap", "settings"), ("get", "secrets"),
        ("label", "namespace", "default", "x=y"),
    ):  # fmt: skip
        refused = kubectl(out, *arguments)
        assert refused.returncode != 0
        assert "forbidden" in refused.stderr.lower()
    token = token_in(out)
    (entry,) = issued(applied)
    assert (entry.cluster, entry.role) == ("member-a", CredentialRole.VIEWER)
    assert entry.expires == datetime.fromtimestamp(claims_of(token)["exp"], UTC)
    assert claims_of(token)["exp"] - claims_of(token)["iat"] == 15 * 60
    assert "@" in entry.actor
    assert token not in done.stdout + done.stderr
    files = [path for path in applied.machine.rglob("*") if path.is_file()]
    assert not [path for path in files if token.encode() in path.read_bytes()]
    with applied.wiring() as wiring:  # the writer asked for it, and the member's log and ours agree
        joined = join(wiring.log_view(), [a.member.audit_log], cluster="member-a")
    assert entry.audit_id not in {f.event.audit_id for f in joined.findings if f.event}
    assert joined.tokens >= 1


def test_an_admin_is_asked_and_logged(applied: Fleet) -> None:
    refused = applied.run("kubeconfig", "member-a", "--role", "admin", "-q")
    assert refused.returncode == 2
    assert "FW1767" in refused.stderr
    assert issued(applied) == []
    done = applied.run("kubeconfig", "member-a", "--role", "admin", "--ttl", "1h", "--yes", "-q")
    assert done.returncode == 0, done.stderr
    file = applied.settings.state / "kubeconfigs" / "member-a-admin"
    assert file.stat().st_mode & 0o777 == 0o600
    whoami = kubectl(file, "auth", "whoami", "-o", "jsonpath={.status.userInfo.username}")
    assert whoami.stdout == RECONCILER_USER
    (entry,) = issued(applied)
    assert entry.role is CredentialRole.ADMIN
    assert timedelta(minutes=58) < entry.expires - datetime.now(UTC) <= timedelta(hours=1)
    shown = applied.run("kubeconfig", "member-a", "--out", "-", "-q")
    assert yaml.safe_load(shown.stdout)["current-context"] == "member-a"
    assert len(issued(applied)) == 2


def test_use_goes_from_cluster_to_cluster_in_a_file_of_its_own(applied: Fleet, tmp_path: Path) -> None:
    file = applied.settings.state / "kubeconfig"
    before = json.loads(applied.run("use", "--list", "-o", "json", "-q").stdout)
    assert [(one["name"], one["primary"], one["current"]) for one in before] == [
        ("member-a", False, False), ("member-b", True, False),
    ]  # fmt: skip
    assert issued(applied) == []
    for name in ("member-a", "member-b", "member-a"):
        done = applied.run("use", name, "-q")
        assert done.returncode == 0, done.stderr
        assert done.stdout == f"export KUBECONFIG={file}\n"
        assert kubectl(file, "config", "current-context").stdout == f"{name}\n"
        assert kubectl(file, "get", "namespaces", "-o", "name").returncode == 0
    assert file.stat().st_mode & 0o777 == 0o600
    document = yaml.safe_load(file.read_text())
    assert [len(document[key]) for key in ("clusters", "users", "contexts")] == [2, 2, 2]
    assert [entry.cluster for entry in issued(applied)] == ["member-a", "member-b", "member-a"]
    listed = applied.run("use", "--list", "-q").stdout.splitlines()
    assert listed[0].startswith("* member-a ")
    assert "until 20" in listed[0]
    assert listed[1].split()[:2] == ["member-b", "primary"]


def test_what_is_wrong_is_said_before_anything_is_issued(applied: Fleet) -> None:
    file = applied.settings.state / "kubeconfig"
    wrong = {
        ("kubeconfig", "member-x"): "member-a or member-b",
        ("kubeconfig", "member-a", "--ttl", "5m"): "FW1765",
        ("kubeconfig", "member-a", "--ttl", "25h"): "FW1765", ("use", "member-a", "--ttl", "soon"): "FW1765",
        ("use",): "--list", ("use", "member-a", "--list"): "--list",
    }  # fmt: skip
    for arguments, said in wrong.items():
        done = applied.run(*arguments, "-q")
        assert done.returncode == 2, done.stdout
        assert said in done.stderr, done.stderr
    file.write_text("clusters: []")
    done = applied.run("use", "member-a", "-q")
    assert "FW1766" in done.stderr
    assert file.read_text() == "clusters: []"
    assert issued(applied) == []


def test_a_member_without_the_viewer_says_what_to_do(applied: Fleet, a: Plane) -> None:
    path = "/api/v1/namespaces/federation-system/serviceaccounts/federation-viewer"
    a.must("DELETE", path)
    try:
        done = applied.run("kubeconfig", "member-a", "-q")
    finally:
        account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "federation-viewer"}}
        a.apply(path, account, "fleetward-bootstrap")
    assert done.returncode == 2
    assert "FW1764" in done.stderr
    assert "bootstrap/member.yaml" in done.stderr


@pytest.mark.parametrize("text", ["[]", "a: [", "clusters: [1]\nusers: []\ncontexts: []", "\0", "x" * 10])
def test_a_kubeconfig_of_others_is_not_touched(tmp_path: Path, text: str) -> None:
    from reconciler.member.errors import KubeconfigFileError

    (tmp_path / "k").write_text(text)
    with pytest.raises(KubeconfigFileError):
        kubeconfigs.read(tmp_path / "k")
