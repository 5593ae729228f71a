"""The workflows' own commands, run: an ordinary pull request, a fork's, a hostile report, a push."""

from __future__ import annotations

import base64
import gzip
import io
import json
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from workflow_fleet import SignedFleet, make_fleet, network_rule
from workflow_runner import Ran, Runner

ROOT = Path(__file__).resolve().parents[2]
WORKFLOWS = ROOT / ".github" / "workflows"
BIN = Path(sys.executable).parent
REPOSITORY = "acme/fleet"
RUN_URL = "https://github.example/acme/fleet/actions/runs/5"
HOSTILE_BRANCH = "$(touch pwned)`touch pwned`;touch pwned"

pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
def origin(tmp_path_factory: pytest.TempPathFactory) -> SignedFleet:
    return make_fleet(tmp_path_factory.mktemp("origin") / "made")


@pytest.fixture
def fleet(origin: SignedFleet, tmp_path: Path) -> SignedFleet:
    copy = SignedFleet(tmp_path / "fleet", origin.key)
    shutil.copytree(origin.folder, copy.folder)
    return copy


def ignore(_runner: Runner, _inputs: Mapping[str, str]) -> None:
    """An action whose effect does not matter to the commands."""


def check_out(fleet: SignedFleet, runner: Runner, inputs: Mapping[str, str]) -> None:
    """What actions/checkout leaves for commands to find: all branches, and where they are from."""
    if inputs["path"] == "fleet":
        target = runner.workspace / "fleet"
        fleet.git("clone", "--quiet", "--no-local", str(fleet.folder), str(target))


def pull_request(fleet: SignedFleet, base: str, head: str, folder: Path) -> tuple[list[Ran], Path, Runner]:
    """Run validate.yml; returns the steps, the report that it left, and the runner."""
    event = {"pull_request": {"number": 7, "base": {"sha": base}, "head": {"sha": head}}}
    kept = folder / "artifact"
    actions = {
        "actions/checkout": partial(check_out, fleet),
        "./product": ignore,
        "actions/upload-artifact": lambda _r, inputs: shutil.copytree(inputs["path"], kept) and None,
    }
    runner = Runner(folder, event, {"repository": REPOSITORY, "ref": "refs/pull/7/merge"}, actions)
    runner.environment["PATH"] = f"{BIN}{os.pathsep}{os.environ['PATH']}"
    runner.environment["FLEETWARD_CACHE"] = os.environ.get(
        "FLEETWARD_CACHE", str(Path("~/.cache/fleetward").expanduser())
    )
    return runner.run(WORKFLOWS / "validate.yml", "fleet"), kept, runner


def by_name(ran: list[Ran]) -> dict[str, int | None]:
    return {step.name: step.code for step in ran}


def text_of(ran: list[Ran]) -> str:
    return "\n".join(f"--- {step.name}: {step.code}\n{step.text}" for step in ran)


def test_an_ordinary_pull_request_is_checked_and_planned(fleet: SignedFleet, tmp_path: Path) -> None:
    base = fleet.git("rev-parse", "HEAD")
    head = fleet.commit("policies/rules/extra.yaml", network_rule("extra"))
    ran, report, runner = pull_request(fleet, base, head, tmp_path / "run")
    assert by_name(ran)["Verdict"] == 0, text_of(ran)
    sarif = json.loads((report / "check.sarif").read_text())
    assert sarif["version"] == "2.1.0"
    assert len(sarif["runs"]) == 1
    plan = (report / "plan.md").read_text()
    assert "extra" in plan
    assert plan in runner.summary


def test_an_unsigned_commit_fails_and_still_reports(fleet: SignedFleet, tmp_path: Path) -> None:
    base = fleet.git("rev-parse", "HEAD")
    head = fleet.commit("policies/rules/extra.yaml", network_rule("extra"), sign=False)
    ran, report, _ = pull_request(fleet, base, head, tmp_path / "run")
    assert by_name(ran)["Verdict"] == 1, text_of(ran)
    assert json.loads((report / "check.sarif").read_text())["runs"][0]["results"], text_of(ran)
    assert "::error" in next(step.text for step in ran if step.name == "Check")


def test_a_forbidden_change_is_annotated_beside_its_line(fleet: SignedFleet, tmp_path: Path) -> None:
    base = fleet.git("rev-parse", "HEAD")
    viewer = (fleet.folder / "policies/rbac/viewer.yaml").read_text()
    head = fleet.commit(
        "policies/rbac/viewer.yaml", viewer.replace("verbs: [get, list, watch]", 'verbs: ["*"]', 1)
    )
    ran, _, _ = pull_request(fleet, base, head, tmp_path / "run")
    assert by_name(ran)["Verdict"] == 1, text_of(ran)
    assert "file=policies/rbac/viewer.yaml" in next(step.text for step in ran if step.name == "Check")


def test_an_approval_that_was_pushed_counts(fleet: SignedFleet, tmp_path: Path) -> None:
    bob = tmp_path / "bob"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(bob)], check=True, timeout=60)
    key = " ".join(bob.with_suffix(".pub").read_text().split()[:2])
    text = (fleet.folder / "federation.yaml").read_text()
    rules = "  approvals: [{paths: [policies/rules/**], needs: [{count: 2}]}]\n"
    text = text.replace("  signers:\n", f"{rules}  signers:\n    - {{name: bob, keys: [{key}]}}\n")
    base = fleet.commit("federation.yaml", text)
    head = fleet.commit("policies/rules/extra.yaml", network_rule("extra"))
    ran, _, _ = pull_request(fleet, base, head, tmp_path / "run")
    assert by_name(ran)["Verdict"] == 1
    assert "lacks 1 of the signers" in text_of(ran)
    for name, value in (("user.signingKey", str(bob)), ("gpg.format", "ssh"), ("user.name", "bob"),
                        ("user.email", "bob@example.com")):  # fmt: skip
        fleet.git("config", name, value)
    command = [str(BIN / "fleetward"), "approve", head, "--against", base]
    subprocess.run(command, cwd=fleet.folder, check=True, timeout=120, capture_output=True)
    ran, _, _ = pull_request(fleet, base, head, tmp_path / "again")
    assert by_name(ran)["Verdict"] == 0, text_of(ran)


def test_nothing_in_a_pull_request_run_has_a_token_but_the_fetch_of_approvals(
    fleet: SignedFleet, tmp_path: Path
) -> None:
    base = fleet.git("rev-parse", "HEAD")
    head = fleet.commit("policies/rules/extra.yaml", network_rule("extra"))
    ran, _, _ = pull_request(fleet, base, head, tmp_path / "run")
    for step in ran:
        assert not {"GH_TOKEN", "GITHUB_TOKEN", "FLEETWARD_SIGNING_KEY"} & set(step.environment)
        assert ("ghs_test" in step.environment.values()) == (step.name == "Approvals")


# comment.yml: the half that may write.


@dataclass
class Hub:
    """A GitHub that holds one pull request, one artifact and the comments; remembers what it was asked."""

    folder: Path
    head: str
    head_repository: str = REPOSITORY
    branch: str = "topic"
    size: int = 1000

    def start(self, archive: bytes) -> None:
        self.folder.mkdir(parents=True)
        (self.folder / "archive.zip").write_bytes(archive)
        pull = {"number": 7, "head": {"sha": self.head}, "base": {"repo": {"full_name": REPOSITORY}}}
        artifact = {"id": 9, "name": "fleet-report", "size_in_bytes": self.size, "expired": False}
        answers = {
            f"repos/{REPOSITORY}/pulls": [pull],
            f"repos/{REPOSITORY}/actions/runs/5/artifacts": {"artifacts": [artifact]},
            f"repos/{REPOSITORY}/issues/7/comments?per_page=100": [
                {"id": 1, "user": {"login": "mallory"}, "body": "<!-- fleetward:plan -->\nnot ours"}
            ],
        }
        (self.folder / "answers.json").write_text(json.dumps(answers))
        program = self.folder / "gh"
        program.write_text(
            f'#!/bin/sh\nexec "{sys.executable}" "{Path(__file__).with_name("fake_gh.py")}" "$@"\n'
        )
        program.chmod(0o755)

    def comment(self, run: Path, *, head: str = "") -> list[Ran]:
        owner = self.head_repository.partition("/")[0]
        event = {
            "workflow_run": {
                "id": 5, "event": "pull_request", "conclusion": "success", "html_url": RUN_URL,
                "head_sha": head or self.head, "head_branch": self.branch,
                "head_repository": {"full_name": self.head_repository, "owner": {"login": owner}},
            }
        }  # fmt: skip
        runner = Runner(run, event, {"repository": REPOSITORY}, {})
        runner.environment["PATH"] = f"{self.folder}{os.pathsep}{os.environ['PATH']}"
        runner.environment["FAKE_GH"] = str(self.folder)
        return runner.run(WORKFLOWS / "comment.yml", "pull-request")

    def calls(self, method: str) -> list[dict[str, Any]]:
        lines = [json.loads(line) for line in (self.folder / "calls.jsonl").read_text().splitlines()]
        return [line for line in lines if line["method"] == method]


def archive(entries: Mapping[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as file:
        for name, data in entries.items():
            file.writestr(name, data)
    return buffer.getvalue()


SARIF = b'{"version": "2.1.0", "runs": [{"tool": {"driver": {"name": "fleetward"}}, "results": []}]}'
REPORT = {"plan.md": b"### member-a\n1 to create\n", "check.sarif": SARIF}


def test_the_plan_becomes_one_comment_kept_up_to_date(tmp_path: Path) -> None:
    hub = Hub(tmp_path / "hub", "a" * 40)
    hub.start(archive(REPORT))
    first, second = hub.comment(tmp_path / "one"), hub.comment(tmp_path / "two")
    assert set(by_name(first).values()) == {0}, text_of(first)
    assert set(by_name(second).values()) == {0}, text_of(second)
    posted = [call for call in hub.calls("POST") if call["path"].endswith("/comments")]
    assert [call["path"] for call in posted] == [f"repos/{REPOSITORY}/issues/7/comments"]
    assert "1 to create" in posted[0]["body"]["body"]
    # A comment of somebody else that carries the marker is never edited.
    assert [call["path"] for call in hub.calls("PATCH")] == [f"repos/{REPOSITORY}/issues/comments/77"]


def test_findings_go_to_code_scanning_as_the_head_of_the_pull_request(tmp_path: Path) -> None:
    hub = Hub(tmp_path / "hub", "a" * 40)
    hub.start(archive(REPORT))
    hub.comment(tmp_path / "run")
    [upload] = [call["body"] for call in hub.calls("POST") if call["path"].endswith("/code-scanning/sarifs")]
    assert (upload["commit_sha"], upload["ref"]) == ("a" * 40, "refs/pull/7/head")
    unpacked = gzip.decompress(base64.b64decode(upload["sarif"]))
    assert unpacked == SARIF


def test_a_fork_gets_its_comment_but_no_code_scanning_and_runs_nothing(tmp_path: Path) -> None:
    hub = Hub(tmp_path / "hub", "b" * 40, "mallory/fleet", HOSTILE_BRANCH)
    hub.start(archive(REPORT))
    ran = hub.comment(tmp_path / "run")
    assert by_name(ran)["Keep one comment up to date"] == 0, text_of(ran)
    assert by_name(ran)["Findings to code scanning"] is None
    assert hub.calls("GET")[0]["query"]["head"] == f"mallory:{HOSTILE_BRANCH}"
    assert [path.name for path in tmp_path.rglob("pwned")] == []


def test_a_hostile_report_is_only_text(tmp_path: Path) -> None:
    hub = Hub(tmp_path / "hub", "b" * 40, "mallory/fleet")
    plan = b"@everyone ![x](https://evil.example/x.png) <!-- fleetward:plan --> \xff\xfe " + b"A" * 9_000_000
    hub.start(archive({"plan.md": plan, "../../escaped": b"x", "check.sarif": b"{}", "7": b"8"}))
    ran = hub.comment(tmp_path / "run")
    assert by_name(ran)["Keep one comment up to date"] == 0, text_of(ran)
    [call] = [call for call in hub.calls("POST") if call["path"].endswith("/comments")]
    body = call["body"]["body"]
    assert len(body.encode()) < 65_536
    assert "@everyone" not in body
    assert "![" not in body
    assert body.count("<!--") == 1  # our own marker
    assert list(tmp_path.rglob("escaped")) == []


@pytest.mark.parametrize("size", [20_000_001, 123_456_789_012])
def test_a_report_that_is_too_large_is_not_even_fetched(tmp_path: Path, size: int) -> None:
    hub = Hub(tmp_path / "hub", "b" * 40, size=size)
    hub.start(archive(REPORT))
    ran = hub.comment(tmp_path / "run")
    assert by_name(ran)["Take the report"] == 1
    assert not [call for call in hub.calls("GET") if call["path"].endswith("/zip")]
    assert hub.calls("POST") == []


def test_a_run_that_a_push_has_overtaken_says_nothing(tmp_path: Path) -> None:
    hub = Hub(tmp_path / "hub", "a" * 40)
    hub.start(archive(REPORT))
    ran = hub.comment(tmp_path / "run", head="c" * 40)
    assert by_name(ran)["Which pull request"] == 0
    assert set(list(by_name(ran).values())[1:]) == {None}
    assert hub.calls("POST") == []


@pytest.mark.parametrize(
    "sarif", [b"", b"not json", b'{"version": "2.1.0", "runs": []}', b'{"version": "1"}']
)
def test_what_is_no_sarif_is_not_uploaded(tmp_path: Path, sarif: bytes) -> None:
    hub = Hub(tmp_path / "hub", "a" * 40)
    hub.start(archive({**REPORT, "check.sarif": sarif}))
    ran = hub.comment(tmp_path / "run")
    assert "::warning::" in text_of(ran)
    assert not [call for call in hub.calls("POST") if "code-scanning" in call["path"]]


# reconcile.yml: a push to main, and the schedule.


def push(folder: Path, url: str, secrets: Mapping[str, str], **more: str) -> tuple[list[Ran], Runner]:
    github = {
        "repository": REPOSITORY, "ref": "refs/heads/main", "event_name": "push",
        "server_url": url, **more,
    }  # fmt: skip
    actions = {"actions/checkout": ignore, "./product": ignore}
    runner = Runner(
        folder, {"ref": "refs/heads/main"}, github, actions, secrets, {"FLEETWARD_RECONCILE": "on"}
    )
    runner.environment |= {
        "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}", "GITHUB_SERVER_URL": url,
        "GITHUB_REPOSITORY": REPOSITORY, "XDG_CACHE_HOME": str(Path("~/.cache").expanduser()),
    }  # fmt: skip
    return runner.run(WORKFLOWS / "reconcile.yml", "fleet"), runner


@pytest.fixture
def remote(fleet: SignedFleet, tmp_path: Path) -> Path:
    """A bare repository where GITHUB_SERVER_URL/GITHUB_REPOSITORY.git is."""
    bare = tmp_path / "server" / f"{REPOSITORY}.git"
    fleet.git("clone", "--quiet", "--bare", str(fleet.folder), str(bare))
    return bare


@pytest.fixture
def signing_key() -> str:
    key = Ed25519PrivateKey.generate()
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def refs(bare: Path) -> dict[str, str]:
    done = subprocess.run(
        ["git", "--git-dir", str(bare), "for-each-ref", "--format=%(refname) %(objectname)"],
        capture_output=True, text=True, timeout=30, check=True,
    )  # fmt: skip
    return dict(line.split() for line in done.stdout.splitlines())


def test_a_push_reconciles_with_its_state_in_git_alone(
    fleet: SignedFleet, remote: Path, signing_key: str, tmp_path: Path
) -> None:
    url = f"file://{tmp_path / 'server'}"
    environment = {
        **os.environ,
        "FLEETWARD_SIGNING_KEY": signing_key,
        "FLEETWARD_STATE": str(tmp_path / "state"),
    }
    subprocess.run(
        [str(BIN / "fleetward"), "trust", "init", "--repo", f"{url}/{REPOSITORY}.git", "--log", "git",
         "--commit", fleet.git("rev-parse", "HEAD")],
        env=environment, check=True, timeout=120,
    )  # fmt: skip
    before = refs(remote)["refs/fleetward/log"]
    fleet.commit("policies/rules/extra.yaml", network_rule("extra"))
    fleet.git("push", "--quiet", str(remote), "main")
    secrets = {"FLEETWARD_SIGNING_KEY": signing_key, "FLEETWARD_CREDENTIALS": kubeconfigs()}
    ran, runner = push(tmp_path / "run", url, secrets)
    # The members of this fleet do not exist: the run says so (1), and the log that the commit was accepted.
    assert by_name(ran)["Reconcile"] == 1, text_of(ran)
    assert "member-a" in runner.summary
    assert refs(remote)["refs/fleetward/log"] != before
    assert by_name(ran)["Leave no credentials behind"] == 0
    assert list(runner.temp.glob("fleet-*")) == []


def kubeconfigs() -> str:
    """Kubeconfigs of clusters where nobody listens."""
    cluster = {"name": "c", "cluster": {"server": "https://127.0.0.1:9"}}
    user = {"name": "u", "user": {"token": "t0ken"}}
    context = {"name": "x", "context": {"cluster": "c", "user": "u"}}
    config = {
        "apiVersion": "v1", "kind": "Config", "clusters": [cluster], "users": [user], "contexts": [context],
        "current-context": "x",
    }  # fmt: skip
    return json.dumps({f"{n}.kubeconfig": json.dumps(config) for n in ("primary", "member-a", "member-b")})


def test_a_fleet_that_nobody_trusted_yet_is_not_reconciled(
    remote: Path, signing_key: str, tmp_path: Path
) -> None:
    before = refs(remote)
    ran, runner = push(
        tmp_path / "run", f"file://{tmp_path / 'server'}", {"FLEETWARD_SIGNING_KEY": signing_key}
    )
    assert by_name(ran)["Reconcile"] == 2, text_of(ran)
    assert "trust init" in text_of(ran)
    assert refs(remote) == before
    assert signing_key.splitlines()[1] not in text_of(ran) + runner.summary


def test_the_signing_key_is_seen_by_one_step_alone(remote: Path, signing_key: str, tmp_path: Path) -> None:
    ran, _ = push(tmp_path / "run", f"file://{tmp_path / 'server'}", {"FLEETWARD_SIGNING_KEY": signing_key})
    assert [step.name for step in ran if signing_key in step.environment.values()] == ["Reconcile"]


@pytest.mark.parametrize("name", ["../escaped", "/tmp/x", ".hidden", "a/b", "a b", ""])  # noqa: S108
def test_credentials_have_plain_names(tmp_path: Path, name: str) -> None:
    secret = "do not print me"
    ran, runner = push(
        tmp_path / "run", "file:///nowhere", {"FLEETWARD_CREDENTIALS": json.dumps({name: secret})}
    )
    assert by_name(ran)["Credentials of the members"] == 1
    assert by_name(ran)["Reconcile"] is None
    assert secret not in text_of(ran)
    assert list(tmp_path.rglob("escaped")) == []
    assert list(runner.temp.glob("fleet-*")) == []


def test_a_run_on_another_branch_does_nothing(tmp_path: Path) -> None:
    ran, _ = push(tmp_path / "run", "file:///nowhere", {}, ref="refs/heads/topic")
    assert ran == []
