"""``fleetward cluster`` as a person and a script meet it: real processes, real repositories, a real log."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import audit_fleet
import fleet_files
import pytest
import yaml
from git_fixtures import FleetRepo
from test_cli import FLEETWARD, run

from reconciler.audit.note import VerifierKey
from reconciler.member.endpoints import EndpointHealth
from reconciler.model import ClusterName
from reconciler.pipeline.contact import Contact
from reconciler.surfaces.cli.cluster import COMMANDS
from reconciler.surfaces.contacts import FileContacts
from reconciler.trust import ReconcilerKey

KEY = ReconcilerKey.from_seed(b"c" * 32)
PLACED = fleet_files.role(
    "only-b",
    placement={"clusters": ["member-b"]},
    overrides=[{"clusterSelector": {}, "patch": {"spec": {"rules": [
        {"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}]}}}],
)  # fmt: skip


class Fleet:
    """A fleet of two clusters in a work tree, with a state folder of its own."""

    def __init__(self, root: Path) -> None:
        self.root, self.state = root, root / "state"
        self.repo = FleetRepo(root)
        signers = {"alice": self.repo.person("alice").public_key}
        files = fleet_files.fleet(signers, "member-a", "member-b")
        files["policies/rbac/only-b.yaml"] = PLACED
        files["clusters/member-b.yaml"] = "# the second\n" + files["clusters/member-b.yaml"]
        self.first = self.repo.commit(files)

    def start(
        self, *arguments: str, folder: Path | None = None, **environment: str
    ) -> subprocess.CompletedProcess[str]:
        ours = {name: value for name, value in self.repo.env.items() if name not in ("HOME", "PATH")}
        # The caches are the test's own: what is kept there must not hide what a change brings.
        ours |= {"FLEETWARD_CACHE": str(self.root / "cache"), **self.places, **environment}
        return run("cluster", *arguments, folder=folder or self.repo.path, environment=ours)

    @property
    def places(self) -> dict[str, str]:
        return {"FLEETWARD_STATE": str(self.state)}

    def good(self, *arguments: str, **environment: str) -> str:
        done = self.start(*arguments, **environment)
        assert (done.returncode, done.stderr) == (0, ""), done.stdout + done.stderr
        return done.stdout

    def refused(self, *arguments: str, code: int) -> str:
        """Standard error; and the work tree is as it was."""
        before = self.changed, self.repo.git("diff")
        done = self.start(*arguments)
        assert done.returncode == code, done.stdout + done.stderr
        assert (self.changed, self.repo.git("diff")) == before
        return done.stderr

    @property
    def changed(self) -> str:
        return self.repo.git("status", "--porcelain", "--untracked-files=all").rstrip()

    def body(self, name: str = "member-a") -> Any:
        return yaml.safe_load((self.repo.path / f"clusters/{name}.yaml").read_text())

    def log(self) -> dict[str, str]:
        """The environment in which the log of ``audit_fleet`` is read."""
        folder = self.root / "log"
        audit_fleet.fill(audit_fleet.open_log(folder, KEY), KEY)
        vkey = str(VerifierKey(audit_fleet.ORIGIN, KEY.public_key))
        return {"FLEETWARD_LOG": str(folder), "FLEETWARD_PUBLIC_KEY": vkey}


@pytest.fixture
def fleet(tmp_path: Path) -> Fleet:
    return Fleet(tmp_path)


def test_every_command_has_its_line_and_explains_itself(fleet: Fleet) -> None:
    shown = fleet.good("--help")
    assert all(f"\n  {name} " in shown for name in COMMANDS)
    for name in COMMANDS:
        assert f"Usage: fleetward cluster {name}" in fleet.good(name, "--help")


def test_the_table_needs_neither_log_nor_cluster(fleet: Fleet) -> None:
    header, first, second = fleet.good("list").splitlines()
    assert header.split()[:7] == ["NAME", "STATE", "AGE", "MODE", "VERSION", "CREDENTIALS", "APPLIED"]
    assert first.split() == [
        "member-a", "?", "-", "enforce", "1.36", "kubeconfig", "?", "-", "https://127.0.0.1:1",
        "environment=test,owner=team,tier=workload",
    ]  # fmt: skip
    assert second.startswith("member-b ")
    assert not fleet.state.exists(), "reading leaves nothing behind"


def test_what_log_and_contacts_say_is_shown_with_ages(fleet: Fleet) -> None:
    seen = datetime.now(UTC) - timedelta(hours=3)
    contacts = FileContacts(fleet.state / "contacts.json")
    contacts.put(ClusterName("member-a"), Contact(seen=seen, version="v1.36.3"))
    contacts.put(ClusterName("member-b"), Contact(error="FW1701: no answer", failures=4))
    environment = fleet.log()
    first, second = fleet.good("list", **environment).splitlines()[1:3]
    assert first.split()[6:8] == [audit_fleet.HEAD[:12], "3h"]
    assert second.split()[6:8] == ["-", "-"]  # its only change set failed
    one, other = json.loads(fleet.good("list", "-o", "json", **environment))
    assert one["applied"]["commit"] == audit_fleet.HEAD
    assert (one["contact"]["version"], other["applied"]) == ("v1.36.3", None)
    shown = fleet.good("show", "member-a", **environment)
    assert f"applied     {audit_fleet.HEAD[:12]}, change set 1, " in shown
    assert "contact     3h ago, API server v1.36.3\n" in shown
    shown = fleet.good("show", "member-b", **environment)
    assert "last        failed " in shown
    assert "1 of 2 objects failed" in shown
    assert "contact     never from here, FW1701: no answer, 4 failures in a row\n" in shown
    logged = json.loads(fleet.good("show", "member-b", "-o", "json", **environment))["log"]
    assert (logged["accepted"], logged["outcome"]["result"]) == (audit_fleet.HEAD, "failed")


def test_state_age_and_reason_are_those_seen_last(fleet: Fleet) -> None:
    since = datetime.now(UTC) - timedelta(hours=5, minutes=1)
    broken = EndpointHealth("https://127.0.0.1:1", None, since, since, 3, "FW1701")
    contact = Contact(
        state="unreachable", since=since, reason="FW1701: no connection \x1b[2J", endpoints=(broken,)
    )
    FileContacts(fleet.state / "contacts.json").put(ClusterName("member-a"), contact)
    header, first, second, said = fleet.good("list").splitlines()
    assert header.split()[1:3] == ["STATE", "AGE"]
    assert (first.split()[:3], second.split()[:3]) == (
        ["member-a", "unreachable", "5h"], ["member-b", "?", "-"]
    )  # fmt: skip
    assert said == "member-a: FW1701: no connection \\x1b[2J"
    one, other = json.loads(fleet.good("list", "-o", "json"))
    assert (one["state"], one["code"], one["registered"]) == ("unreachable", "FW1701", True)
    assert one["since"] == f"{since:%Y-%m-%dT%H:%M:%SZ}"
    assert (one["endpoints"][0]["healthy"], one["endpoints"][0]["code"]) == (False, "FW1701")
    assert (other["state"], other["since"], other["reason"]) == (None, None, "")
    shown = fleet.good("show", "member-a")
    assert "  state       unreachable, 5h: FW1701: no connection" in shown
    assert "https://127.0.0.1:1  failing since " in shown
    assert "(5h ago) with FW1701, no answer before\n" in shown
    assert "  state       unknown: never seen from here\n" in fleet.good("show", "member-b")


def test_a_log_that_cannot_be_believed_is_said_and_not_shown(fleet: Fleet) -> None:
    environment = fleet.log()
    checkpoint = Path(environment["FLEETWARD_LOG"]) / "checkpoint"
    checkpoint.write_text(checkpoint.read_text().replace("\n11\n", "\n10\n"))
    done = fleet.start("list", **environment)
    assert done.returncode == 0
    assert "warning: the log is not shown: FW18" in done.stderr
    assert done.stdout.splitlines()[1].split()[6] == "?"


def test_a_selector_chooses_as_kubectl_does(fleet: Fleet) -> None:
    fleet.good("set", "member-b", "--label", "tier=edge", "--label", "zone=")
    names = ("list", "-o", "name", "--worktree")
    assert fleet.good(*names) == "member-a\nmember-b\n"
    assert fleet.good(*names, "-l", "tier in (edge,core),zone") == "member-b\n"
    assert fleet.good(*names, "-l", "zone!=x,!spare") == "member-a\nmember-b\n"
    assert fleet.good(*names, "-l", "!zone") == "member-a\n"
    assert fleet.good("list", "-o", "name", "-l", "zone") == "", "the commit, not the work tree"
    assert "FW1001: tier in: not a label selector" in fleet.refused("list", "-l", "tier in", code=2)


def test_yaml_and_json_say_the_same(fleet: Fleet) -> None:
    assert yaml.safe_load(fleet.good("list", "-o", "yaml")) == json.loads(fleet.good("list", "-o", "json"))
    shown = yaml.safe_load(fleet.good("show", "member-b", "-o", "yaml"))
    assert shown == json.loads(fleet.good("show", "member-b", "-o", "json"))
    assert (shown["path"], shown["credentials"]["path"]) == ("clusters/member-b.yaml", "member-b.kubeconfig")


def test_another_revision_and_a_url_are_read_too(fleet: Fleet) -> None:
    (fleet.repo.path / "clusters/member-a.yaml").write_text(fleet_files.cluster("member-a", mode="observe"))
    fleet.repo.commit({})
    assert fleet.good("list").splitlines()[1].split()[3] == "observe"
    url = ("--repo", f"file://{fleet.repo.path}", "--quiet")
    assert fleet.good("list", "--rev", fleet.first, *url).splitlines()[1].split()[3] == "enforce"


def test_a_registration_with_findings_is_not_silently_missing(fleet: Fleet) -> None:
    (fleet.repo.path / "clusters/member-a.yaml").write_text("kind: Cluster\n")
    done = fleet.start("list", "--worktree", "-o", "name")
    assert (done.returncode, done.stdout) == (1, "member-b\n")
    assert "clusters/member-a.yaml:1: error FW1322" in done.stderr
    assert "error FW1322" in fleet.refused("show", "member-a", "--worktree", code=1)


def test_show_counts_what_is_placed_there(fleet: Fleet) -> None:
    other = fleet.good("show", "member-a")
    assert "FederatedRole/viewer  policies/rbac/viewer.yaml:1  1 object\n" in other
    assert "only-b" not in other
    shown = fleet.good("show", "member-b")
    assert f"member-b  clusters/member-b.yaml:2 at {fleet.first[:12]}\n" in shown
    assert "objects     3: 2 ClusterRole.rbac.authorization.k8s.io, 1 ConfigMap\n" in shown
    assert "FederatedRole/only-b  policies/rbac/only-b.yaml:1  1 object, 1 override\n" in shown
    assert "log         none is read here\n" in shown
    assert "no such cluster" in fleet.refused("show", "member-c", code=2)


def test_set_writes_what_it_shows_and_nothing_else(fleet: Fleet) -> None:
    shown = fleet.good(
        "set", "member-b", "--label", "region=eu", "--label", "tier-", "--mode", "observe",
        "--interval", "10m", "--kubernetes-version", "1.35", "--tls-server-name", "api",
        "--credentials", "secretRef:fleet/b",
        "--api-server", "https://one:1", "--api-server", "https://two:2",
    )  # fmt: skip
    assert fleet.changed.strip() == "M clusters/member-b.yaml"
    diff = fleet.repo.git("diff", "--unified=0", "clusters/member-b.yaml").splitlines()[5:]
    said = [line for line in shown.splitlines() if line[:1] in "+-" and line[:3] not in ("+++", "---")]
    assert said == [line for line in diff if line[:1] in ("+", "-")]
    assert 'git commit -S -m "Change the registration of member-b" clusters/member-b.yaml' in shown
    assert fleet.body("member-b") == {
        "apiVersion": "fleetward.io/v1alpha1",
        "kind": "Cluster",
        "metadata": {"name": "member-b", "labels": {"owner": "team", "environment": "test", "region": "eu"}},
        "spec": {
            "apiServers": ["https://one:1", "https://two:2"],
            "credentials": {"secretRef": {"namespace": "fleet", "name": "b"}},
            "mode": "observe",
            "interval": "10m",
            "kubernetesVersion": "1.35",
            "tlsServerName": "api",
        },
    }
    assert (fleet.repo.path / "clusters/member-b.yaml").read_text().startswith("# the second\n")
    assert fleet.good("list", "--worktree").splitlines()[2].split()[8:10] == ["https://one:1", "+1"]
    assert fleet.repo.head() == fleet.first
    assert fleet.repo.git("diff", "--cached") == ""


def test_what_has_findings_is_not_written_and_all_findings_are_shown(fleet: Fleet) -> None:
    fleet.good("set", "member-a", "--interval", "7m")  # what was read of it is cached, and of this text only
    shown = fleet.refused(
        "set", "member-a", "--interval", "soon", "--label", "a b=1", "--credentials", "tokenFile:../x",
        "--api-server", "http://one", "--kubernetes-version", "latest", "--tls-server-name", "A_B", code=1,
    )  # fmt: skip
    for code in ("FW1333", "FW1341", "FW1343", "FW1346", "FW1320"):
        assert f"clusters/member-a.yaml: error {code}" in shown
    assert "nothing was written" in shown
    done = fleet.start("set", "member-a", "--interval", "soon", "-o", "json")
    value = json.loads(done.stdout)
    assert (done.returncode, value["written"], value["next"]) == (1, False, [])
    assert value["findings"][0]["code"] == "FW1346"
    shown = fleet.refused("set", "member-a", "--credentials", "exec:aws get", code=1)
    assert "FW1348" in shown, "the Federation has to allow the command line"


def test_a_change_may_mend_a_registration(fleet: Fleet) -> None:
    (fleet.repo.path / "clusters/member-a.yaml").write_text(fleet_files.cluster("member-a", mode="enforc"))
    fleet.good("set", "member-a", "--mode", "enforce")
    assert fleet.body()["spec"]["mode"] == "enforce"


def test_a_ca_is_written_as_a_block_and_a_private_key_never(fleet: Fleet, tmp_path: Path) -> None:
    key, certificate = tmp_path / "ca.key", tmp_path / "ca.crt"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days",
         "3650", "-subj", "/CN=test", "-keyout", key, "-out", certificate], check=True, capture_output=True,
    )  # fmt: skip
    fleet.good("set", "member-a", "--ca-file", str(certificate))
    assert fleet.body()["spec"]["caBundle"] == certificate.read_text()
    assert "caBundle: |\n" in (fleet.repo.path / "clusters/member-a.yaml").read_text()
    assert "CA          1 certificate, good until " in fleet.good("show", "member-a", "--worktree")
    both = tmp_path / "both.key"
    both.touch(0o600)
    both.write_text(key.read_text() + certificate.read_text())
    shown = fleet.refused("set", "member-a", "--ca-file", str(both), code=1)
    assert "FW1342" in shown
    assert key.read_text().splitlines()[1] not in shown
    large = tmp_path / "large.pem"
    large.write_bytes(b"a" * 300_000)
    assert "too large" in fleet.refused("set", "member-a", "--ca-file", str(large), code=2)
    assert "cannot be read" in fleet.refused("set", "member-a", "--ca-file", "none.pem", code=2)


@pytest.mark.parametrize("name", ["../member-a", "clusters/member-a", "", "a\x1b[2J", "Member-A", "a" * 254])
def test_a_name_is_a_name(fleet: Fleet, name: str) -> None:
    shown = fleet.refused("suspend", "--", name, code=2)
    assert "error FW1001: not the name of a cluster" in shown
    assert "\x1b" not in shown


@pytest.mark.parametrize("command", [["set", "--mode=observe"], ["resume"], ["remove", "--force"], ["show"]])
def test_no_command_leaves_its_folder(fleet: Fleet, command: list[str]) -> None:
    shown = fleet.refused(*command, "../clusters/member-a", code=2)
    assert "error FW1001: not the name of a cluster" in shown


def test_a_misspelt_name_is_suggested(fleet: Fleet) -> None:
    assert 'did you mean "member-a"?' in fleet.refused("suspend", "membr-a", code=2)


def test_nothing_to_change_writes_nothing(fleet: Fleet) -> None:
    assert "nothing to change" in fleet.good(
        "set", "member-a", "--label", "tier=workload", "--label", "none-"
    )
    assert "nothing to change" in fleet.good("resume", "member-a")
    assert fleet.changed == ""
    assert "nothing to set" in fleet.refused("set", "member-a", code=2)


def test_a_member_is_suspended_with_its_reason_and_resumed(fleet: Fleet) -> None:
    shown = fleet.good("suspend", "member-a", "--reason", 'new racks: "west"')
    assert 'git commit -S -m "Suspend member-a" clusters/member-a.yaml' in shown
    assert fleet.body()["spec"]["suspend"] is True
    row, *_, said = fleet.good("list", "--worktree").splitlines()[1:]
    assert row.split()[:3] == ["member-a", "suspended", "0s"]
    assert said == 'member-a: new racks: "west"'
    assert 'suspended   yes: new racks: "west"\n' in fleet.good("show", "member-a", "--worktree")
    value = json.loads(fleet.good("list", "--worktree", "-o", "json"))[0]
    assert (value["suspended"], value["suspendReason"]) == (True, 'new racks: "west"')
    checked = run("check", "--worktree", folder=fleet.repo.path, environment=fleet.places)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    fleet.good("resume", "member-a")
    assert fleet.body()["spec"]["suspend"] is False
    assert "annotations" not in fleet.body()["metadata"]


@pytest.mark.parametrize("reason", ["a\u202eb", "a\nb", "a\x1b[2Jb", "a\x85b", "a\u2028b", "x" * 501])
def test_a_reason_that_is_no_line_of_text_is_refused_as_itself(fleet: Fleet, reason: str) -> None:
    shown = fleet.refused("suspend", "member-a", "--reason", reason, code=2)
    assert "the reason cannot be kept" in shown
    assert "one line of printable text, at most 500 characters" in shown
    assert not {"\u202e", "\x1b", "\x85", "\u2028"} & set(shown)


def test_a_cluster_that_is_named_stays(fleet: Fleet) -> None:
    shown = fleet.refused("remove", "member-b", code=1)
    assert "policies/rbac/only-b.yaml:16: error FW1337" in shown
    assert "fix: take member-b out of it first; --force" in shown
    shown = fleet.good("remove", "member-b", "--force")
    assert "-  name: member-b\n" in shown
    assert "its objects, the guard and the record stay there" in shown
    assert fleet.changed.strip() == "D clusters/member-b.yaml"


@pytest.mark.parametrize(("answer", "code", "there"), [("n", 2, True), ("y", 0, False)])
def test_a_person_is_asked_before_a_file_is_deleted(
    fleet: Fleet, answer: str, code: int, there: bool
) -> None:
    ours, theirs = pty.openpty()
    asked = subprocess.Popen(
        [FLEETWARD, "cluster", "remove", "member-a"], cwd=fleet.repo.path, stdin=theirs, stdout=theirs,
        stderr=theirs, env=os.environ | fleet.places,
    )  # fmt: skip
    os.close(theirs)
    os.write(ours, f"{answer}\n".encode())
    shown = b""
    with contextlib.suppress(OSError):  # the other end is closed
        while part := os.read(ours, 4096):
            shown += part
    os.close(ours)
    assert asked.wait(timeout=60) == code
    assert b"Delete clusters/member-a.yaml? [y/N]" in shown
    assert (fleet.repo.path / "clusters/member-a.yaml").exists() is there


def test_the_primary_stays(fleet: Fleet) -> None:
    key = fleet.repo.person("alice").public_key
    fleet.repo.commit({"federation.yaml": fleet_files.federation({"alice": key}, primary="member-a")})
    assert "federation.yaml:" in fleet.refused("remove", "member-a", code=1)


def test_a_registration_that_nothing_names_is_removed(fleet: Fleet) -> None:
    shown = fleet.good("remove", "member-a")
    assert "take the access back, use `fleetward kick member-a` instead" in shown
    assert 'git commit -S -m "Remove member-a" clusters/member-a.yaml' in shown
    assert fleet.changed.strip() == "D clusters/member-a.yaml"
    assert fleet.good("list", "--worktree", "-o", "name") == "member-b\n"
    assert "no such cluster" in fleet.refused("remove", "member-a", code=2)


def test_the_next_commands_work_where_they_are_printed(fleet: Fleet, tmp_path: Path) -> None:
    top = fleet.repo.path
    done = fleet.start("suspend", "member-a", "--repo", str(top / "policies"), "-o", "json", folder=tmp_path)
    check, commit = json.loads(done.stdout)["next"]
    assert check == f"fleetward check --worktree --repo {top}"
    assert commit == f'git -C {top} commit -S -m "Suspend member-a" clusters/member-a.yaml'


def test_changes_need_a_work_tree(fleet: Fleet, tmp_path: Path) -> None:
    for place in (f"file://{fleet.repo.path}", str(tmp_path / "home"), str(tmp_path / "none")):
        assert "work tree" in fleet.refused("suspend", "member-a", "--repo", place, code=2)


def test_a_link_is_never_followed(fleet: Fleet, tmp_path: Path) -> None:
    outside = tmp_path / "outside.yaml"
    outside.write_text(fleet_files.cluster("member-c"))
    (fleet.repo.path / "clusters/member-c.yaml").symlink_to(outside)
    assert "symlink" in fleet.refused("suspend", "member-c", code=2)
    assert outside.read_text() == fleet_files.cluster("member-c")


def test_names_are_completed_from_the_work_tree(fleet: Fleet) -> None:
    (fleet.repo.path / "clusters/odd name.yaml").touch()
    words = {"_FLEETWARD_COMPLETE": "bash_complete", "COMP_CWORD": "3"}
    for command in ("show", "set", "suspend", "resume", "remove"):
        shown = fleet.good(**words, COMP_WORDS=f"fleetward cluster {command} ")
        assert shown.split() == ["plain,member-a", "plain,member-b"]
    elsewhere = words | {
        "COMP_CWORD": "5",
        "COMP_WORDS": f"fleetward cluster show --repo {fleet.repo.path} member-b",
    }
    assert fleet.start(folder=fleet.root, **elsewhere).stdout.split() == ["plain,member-b"]


def test_a_pipe_gets_no_colours_and_a_terminal_may(fleet: Fleet) -> None:
    fleet.good("suspend", "member-a")
    assert "\x1b" not in fleet.good("list", "--worktree") + fleet.good("show", "member-a", "--worktree")
    asked = ("--color", "always", "cluster", "list", "--worktree")
    coloured = run(*asked, folder=fleet.repo.path, environment=fleet.places)
    assert "\x1b[33m" in coloured.stdout
