"""federation-viewer: what only reads asks nothing as the writer, by the member's own audit log."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from e2e_world import MAPS, MERGE, Fleet, Plane, manifest, until
from token_kit import aged, claims_of

from reconciler.audit.entry import CredentialRenewed, CredentialRole
from reconciler.member.bootstrap import VIEWER, VIEWER_USER
from reconciler.model import RECONCILER_USER
from reconciler.sandbox.local import Sandbox

pytestmark = pytest.mark.real
# The sandbox logs writes; here reads too.
POLICY = {
    "apiVersion": "audit.k8s.io/v1",
    "kind": "Policy",
    "omitStages": ["RequestReceived"],
    "rules": [{"level": "Metadata"}],
}


@pytest.fixture
def everything_logged(sandbox: Sandbox, a: Plane, tmp_path: Path) -> Any:
    """member-a with an audit log of every request; yields what is in it: user -> verbs."""
    policy, log = tmp_path / "policy.json", tmp_path / "audit.jsonl"
    policy.write_text(json.dumps(POLICY))
    sandbox.stop("member-a")
    sandbox.start("member-a", [f"--audit-policy-file={policy}", f"--audit-log-path={log}"])
    start = 0

    def since() -> dict[str, Counter[str]]:
        nonlocal start
        lines = log.read_text().splitlines()
        found: dict[str, Counter[str]] = {}
        for line in lines[start:]:
            event = json.loads(line)
            if event.get("userAgent", "").startswith("fleetward/"):
                found.setdefault(event["user"]["username"], Counter())[event["verb"]] += 1
        start = len(lines)
        return found

    yield since
    sandbox.stop("member-a")
    sandbox.start("member-a")


@pytest.fixture
def viewed(fleet: Fleet, a: Plane) -> Fleet:
    """member-a applied, with the viewer registered."""
    (fleet.settings.credentials / "a-viewer.token").write_text(a.token(VIEWER))
    fleet.start(fleet.registration("member-a", viewerCredentials={"tokenFile": "a-viewer.token"}))
    assert fleet.reconcile().converged
    return fleet


def run(fleet: Fleet, *arguments: str, code: int = 0) -> Any:
    done = fleet.run(*arguments, "-o", "json", "-q")
    assert done.returncode == code, done.stdout + done.stderr
    return json.loads(done.stdout)


def test_nothing_that_only_reads_asks_as_the_writer(everything_logged: Any, viewed: Fleet, a: Plane) -> None:
    assert RECONCILER_USER in everything_logged()  # the reconcile before; so it would be seen

    def settled() -> bool:  # the guard's status is written after the guard, and puts it in doubt until a run
        assert viewed.reconcile().converged
        everything_logged()
        run(viewed, "plan", "--cluster", "member-a")
        return everything_logged().keys() == {VIEWER_USER}

    until(settled, "a member that is as the record has it")
    commands: list[tuple[str, ...]] = [
        ("verify", "--cluster", "member-a"), ("verify", "--cluster", "member-a", "--deep"),
        ("verify", "--cluster", "member-a", "--object", "ConfigMap/default/settings"),
        ("status",), ("plan", "--cluster", "member-a"),
    ]  # fmt: skip
    for command in commands:
        run(viewed, *command)
        users = everything_logged()
        assert users.keys() == {VIEWER_USER}, command
        assert users[VIEWER_USER].keys() <= {"get", "list"}, command
    # Now with something in doubt: a change by hand, and one that is committed.
    a.unguard()
    a.by_hand("PATCH", f"{MAPS}/settings", {"data": {"colour": "red"}}, MERGE)
    viewed.commit(manifest("settings", colour="green"))
    assert {one["cluster"]: one["changes"] for one in run(viewed, "status", code=1)}["member-a"] >= 2
    assert everything_logged().keys() == {VIEWER_USER}
    estimated = run(viewed, "plan", "--cluster", "member-a", "--no-dry-run", code=1)
    assert everything_logged().keys() == {VIEWER_USER}
    planned = run(viewed, "plan", "--cluster", "member-a", code=1)
    users = everything_logged()
    assert users[RECONCILER_USER].keys() <= {"get", "patch"}  # dry runs, for what is in doubt
    assert users[VIEWER_USER]["list"] > 0
    assert estimated == planned  # reading tells the same here
    assert "green" in json.dumps(planned)


def test_the_viewer_reads_and_cannot_write(viewed: Fleet, a: Plane) -> None:
    reviews = "/apis/authorization.k8s.io/v1/subjectaccessreviews"

    def may(verb: str, resource: str, group: str = "", **more: str) -> bool:
        attributes = {"verb": verb, "resource": resource, "group": group, **more}
        groups = ["system:serviceaccounts", "system:authenticated"]
        spec = {"user": VIEWER_USER, "groups": groups, "resourceAttributes": attributes}
        body = {"apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview", "spec": spec}
        return bool(a.must("POST", reviews, body)["status"]["allowed"])

    rbac = "rbac.authorization.k8s.io"
    kinds = [
        ("configmaps", ""), ("namespaces", ""), ("pods", ""), ("clusterroles", rbac), ("rolebindings", rbac),
        ("networkpolicies", "networking.k8s.io"), ("customresourcedefinitions", "apiextensions.k8s.io"),
        ("validatingadmissionpolicies", "admissionregistration.k8s.io"),
    ]  # fmt: skip
    for resource, group in kinds:
        assert may("list", resource, group), resource
        assert not any(may(verb, resource, group) for verb in ("create", "patch", "delete")), resource
    assert not may("list", "secrets")
    own = {"subresource": "token", "namespace": "federation-system"}
    for account, expected in ((VIEWER, True), ("federation-reconciler", False), ("default", False)):
        assert may("create", "serviceaccounts", name=account, **own) is expected


def test_the_viewers_token_is_renewed_by_the_viewer_itself(viewed: Fleet, a: Plane) -> None:
    file = viewed.settings.credentials / "a-viewer.token"
    file.write_text(aged(a.member, a.token(VIEWER), age=3000, left=600))
    answer = run(viewed, "reconcile", "--once", "-y")
    member = {one["cluster"]: one for one in answer["members"]}["member-a"]
    assert member["viewerCredential"]["renewed"]
    (entry,) = [entry for entry in viewed.entries() if isinstance(entry, CredentialRenewed)]
    assert entry.role is CredentialRole.VIEWER
    assert claims_of(file.read_text())["sub"] == VIEWER_USER
    events = [json.loads(line) for line in a.member.audit_log.read_text().splitlines()]
    (made,) = [event for event in events if event["auditID"] == entry.audit_id]
    assert made["user"]["username"] == VIEWER_USER
    status = {one["cluster"]: one for one in run(viewed, "status")}["member-a"]
    assert status["viewer_expires"] == entry.expires.isoformat()
    with viewed.wiring() as wiring:
        assert wiring.log_view().state().cluster("member-a").credential_expires is None  # of the writer


def test_a_viewer_that_is_registered_badly_is_found_by_check(fleet: Fleet) -> None:
    plugin = {"exec": {"command": "login", "args": ["--insecure-x"]}}
    files = fleet.registration("member-a", viewerCredentials=plugin)
    fleet.commit({"federation.yaml": fleet.federation()}, files)
    done = fleet.run("check", "--worktree", "-q")
    assert done.returncode == 1
    assert "spec.viewerCredentials.exec.args" in done.stdout
    assert "FW1344" in done.stdout
