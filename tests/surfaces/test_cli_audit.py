"""``fleetward audit`` as a person and a script meet it, with nothing but the log's public key."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import audit_fleet as fleet
import pytest

from reconciler.audit.entry import KINDS
from reconciler.audit.note import VerifierKey
from reconciler.surfaces.cli.audit import COMMANDS
from reconciler.trust import ReconcilerKey

FLEETWARD = str(Path(sys.executable).with_name("fleetward"))
KEY = ReconcilerKey.from_seed(b"a" * 32)
VKEY = str(VerifierKey(fleet.ORIGIN, KEY.public_key))
Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="session")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The log of ``audit_fleet``."""
    root = tmp_path_factory.mktemp("audit-cli") / "log"
    fleet.fill(fleet.open_log(root, KEY), KEY)
    return root


@pytest.fixture
def run(tmp_path: Path, whole: Path) -> Run:
    """Runs ``fleetward audit ...`` in an empty folder, on a copy of the log if ``copy``."""
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("FLEETWARD_", "GIT_", "NO_COLOR"))}
    clean |= {"HOME": str(tmp_path), "FLEETWARD_STATE": str(tmp_path / "state"), "FLEETWARD_PUBLIC_KEY": VKEY}

    def start(*arguments: str, log: Path = whole, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [FLEETWARD, "audit", *arguments], cwd=tmp_path, capture_output=True, text=True, timeout=120,
            env=clean | {"FLEETWARD_LOG": str(log)} | environment, check=False,
        )  # fmt: skip

    return start


def good(done: subprocess.CompletedProcess[str]) -> str:
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def indices(done: subprocess.CompletedProcess[str]) -> list[int]:
    return [int(line.split()[0]) for line in good(done).splitlines()]


def test_every_command_has_its_line_and_an_example(run: Run) -> None:
    shown = good(run("--help"))
    assert all(f"\n  {name} " in shown for name in COMMANDS)
    for name in ("log", "show", "prove", "check-proof", "verify"):
        assert f"fleetward audit {name}" in good(run(name, "--help"))
    assert "Did you mean 'verify'?" in run("verfy").stderr


def test_completion_knows_commands_and_kinds(run: Run) -> None:
    words = {"_FLEETWARD_COMPLETE": "bash_complete", "COMP_CWORD": "2"}
    shown = run(**words, COMP_WORDS="fleetward audit che").stdout
    assert shown.split() == ["plain,check-proof"]
    shown = run(**words | {"COMP_CWORD": "4"}, COMP_WORDS="fleetward audit log --kind ").stdout
    assert {line.partition(",")[2] for line in shown.split()} == set(KINDS)


def test_the_log_reads_like_a_diary(run: Run) -> None:
    lines = good(run("log")).splitlines()
    assert [int(line.split()[0]) for line in lines] == list(range(11))
    assert lines[1].split()[1:3] == ["2026-01-01T01:00:00Z", "commit-accepted"]
    assert "b3b3b3b3b3b3, 2 commits signed by alice" in lines[1]
    assert "member-b: commit b3b3b3b3b3b3, 1 finding: FW1601 the plan deletes 9 of 10 objects" in lines[8]
    assert "\x1b" not in "".join(lines)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--cluster", "member-b"], [4, 5, 8]),
        (["--object", "Role shop/reader", "--cluster", "member-a"], [2, 3, 6]),
        (["--person", "bob"], [1]),
        (["--commit", "D4D4"], [7]),
        (["--kind", "drift", "--kind", "commit-refused"], [6, 7]),
        (["-n", "3"], [8, 9, 10]),
        (["-n", "3", "--reverse"], [10, 9, 8]),
        (["--since", "2026-01-01T09:00:00Z"], [9, 10]),
        (["--since", "2026-01-01", "--until", "2026-01-01T02:00:00+01:00"], [0]),
        (["--until", "99w"], []),
    ],
)
def test_the_log_is_filtered(run: Run, options: list[str], expected: list[int]) -> None:
    assert indices(run("log", *options)) == expected
    assert [row["index"] for row in json.loads(good(run("log", *options, "-o", "json")))] == expected
    lines = good(run("log", *options, "-o", "jsonl")).splitlines()
    assert [json.loads(line)["index"] for line in lines] == expected


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["log", "--since", "yesterday"], "FW1851"),
        (["log", "--commit", "main"], "FW1851"),
        (["log", "--cluster", "a\x1b[2J"], "FW1851"),
        (["show", "11"], "FW1852"),
        (["prove", "99"], "FW1852"),
        (["prove", "--cluster", "member-c"], "FW1852"),
        (["prove", "--change-set", "sha256:x"], "FW1852"),
        (["prove", "3", "--out", "no/such/folder/x"], "FW1853"),
        (["verify", "--checkpoint", "nothing"], "FW1853"),
        (["check-proof", "a", "b", "--public-key", VKEY], "FW1853"),
        (["check-proof", "a", "b", "--public-key", "nothing"], "FW1853"),
    ],
)
def test_errors_have_a_code_and_a_way_out(run: Run, arguments: list[str], code: str) -> None:
    done = run(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert f"error {code}" in done.stderr
    assert "\x1b" not in done.stderr
    shown = json.loads(run(*arguments, "-o", "json").stdout)
    assert shown["error"]["code"] == code


def test_an_entry_is_shown_with_its_bodies(run: Run) -> None:
    shown = good(run("show", "2"))
    assert "+ Role.rbac.authorization.k8s.io shop/reader" in shown
    assert "gate          digest sha256:9999" in shown
    assert "created   ConfigMap shop/settings  Audit-ID audit-1" in good(run("show", "3"))
    commits = good(run("show", "1"))
    assert f"{fleet.MIDDLE}  alice (ssh SHA256:YWxpY2U), first seen 2026-01-01T00:00:00.000Z" in commits
    assert "approved by bob (SHA256:Ym9i)" in commits
    assert "rule policies/rbac/**" in commits
    as_json = json.loads(good(run("show", "3", "-o", "json")))
    assert as_json["entry"]["kind"] == "outcome"
    assert as_json["checkpoint"]["size"] == 11
    assert [row["auditId"] for row in as_json["bodies"][0]["content"]] == ["audit-0", "audit-1"]


@pytest.mark.parametrize("index", range(11))
def test_every_entry_can_be_shown(run: Run, index: int) -> None:
    assert f"entry {index}  " in good(run("show", str(index)))


def test_a_damaged_body_does_not_hide_the_entry(run: Run, whole: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(whole, tmp_path / "copy")
    for path in (copy / "bodies").rglob("??*"):
        if path.is_file():
            path.write_bytes(b"x")
    done = run("show", "3", log=copy)
    assert done.returncode == 1
    assert "outcome" in done.stdout
    assert "FW1809" in done.stdout


def test_a_proof_is_checked_without_log_state_or_settings(run: Run, tmp_path: Path) -> None:
    said = good(run("prove", "3"))
    command = shlex.split(said.splitlines()[-1])
    assert command[:3] == ["fleetward", "audit", "check-proof"]
    assert (tmp_path / "entry-3.tlog-proof").read_text().startswith("c2sp.org/tlog-proof@v1\nindex 3\n")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    for name in ("entry-3.tlog-proof", "entry-3.json"):
        (tmp_path / name).rename(elsewhere / name)
    done = subprocess.run(
        [FLEETWARD, *command[1:]], cwd=elsewhere, env={"PATH": ""}, capture_output=True, text=True,
        timeout=60, check=False,
    )  # fmt: skip
    assert "proven: entry 3 of fleetward.io/log" in good(done)
    assert "member-a: applied" in done.stdout
    entry = elsewhere / "entry-3.json"
    entry.write_bytes(entry.read_bytes().replace(b"applied", b"failed!"))
    refused = run(*command[2:], "-o", "json", log=tmp_path / "none")
    assert refused.returncode == 2
    arguments = ["check-proof", str(elsewhere / "entry-3.tlog-proof"), str(entry), "--public-key", VKEY]
    assert "error FW1812" in run(*arguments).stderr
    other = str(VerifierKey(fleet.ORIGIN, ReconcilerKey.from_seed(b"b" * 32).public_key))
    assert "error FW1801" in run(*arguments[:-1], other).stderr


def test_a_key_file_may_hold_several_keys(run: Run, tmp_path: Path) -> None:
    good(run("prove", "--cluster", "member-b", "--out", "last.tlog-proof"))
    other = str(VerifierKey(fleet.ORIGIN, ReconcilerKey.from_seed(b"b" * 32).public_key))
    (tmp_path / "log.pub").write_text(f"# after the rotation\n{other}\n{VKEY}\n")
    done = run("check-proof", "last.tlog-proof", "last.json", "--public-key", "log.pub", "-o", "json")
    shown = json.loads(good(done))
    assert (shown["proven"], shown["index"], shown["entry"]["cluster"]) == (True, 5, "member-b")


def test_a_change_set_is_proven_by_its_digest(run: Run, tmp_path: Path) -> None:
    digest = json.loads(good(run("show", "4", "-o", "json")))["entry"]["changeSet"]
    shown = json.loads(good(run("prove", "--change-set", digest, "--out", "x.json", "-o", "json")))
    assert (shown["index"], shown["proof"], shown["entry"]) == (4, "x.json", "x.json.json")
    assert json.loads((tmp_path / "x.json.json").read_bytes())["kind"] == "intent"


@pytest.mark.parametrize("options", [[], ["3", "--cluster", "a"], ["--cluster", "a", "--change-set", "b"]])
def test_a_proof_is_of_one_thing(run: Run, options: list[str]) -> None:
    done = run("prove", *options)
    assert done.returncode == 2
    assert "Name one of INDEX" in done.stderr


def test_verify_says_how_complete_the_log_is(run: Run) -> None:
    said = good(run("verify"))
    assert "verified: 11 entries, 6 bodies" in said
    assert "complete: 75 % of 4 member writes have intent, outcome and Audit-ID" in said
    shown = json.loads(good(run("verify", "-o", "json")))
    assert shown["completeness"] == {"writes": 4, "complete": 3, "share": 0.75}
    assert (shown["ok"], shown["size"], shown["findings"]) == (True, 11, [])


def grown(log: Path) -> None:
    """Five entries later."""
    writer = fleet.open_log(log, KEY, fleet.START + timedelta(days=1))
    writer.append([writer.entry(6)] * 5)


def test_verify_goes_on_from_a_remembered_checkpoint(run: Run, whole: Path, tmp_path: Path) -> None:
    log = shutil.copytree(whole, tmp_path / "log")
    good(run("verify", "--save", "seen", log=log))
    assert (tmp_path / "seen").read_bytes() == (log / "checkpoint").read_bytes()
    grown(log)
    again = ["verify", "--checkpoint", "seen", "--save", "seen"]
    assert "verified: 5 entries after the 11 remembered ones" in good(run(*again, log=log))
    assert "verified: 0 entries after the 16 remembered ones" in good(run(*again, log=log))
    cut = run("verify", "--checkpoint", "seen")  # the log as it was before
    assert cut.returncode == 2
    assert "error FW1810" in cut.stderr


def test_verify_sees_a_fork(run: Run, whole: Path, tmp_path: Path) -> None:
    good(run("verify", "--save", "seen"))
    other = tmp_path / "fork"
    fleet.fill(fleet.open_log(other, KEY, fleet.START + timedelta(hours=1)), KEY)
    grown(other)
    assert run("verify", log=other).returncode == 0  # by itself it is whole
    forked = run("verify", "--checkpoint", "seen", log=other)
    assert forked.returncode == 2
    assert "error FW1811" in forked.stderr


def test_verify_shows_findings_and_remembers_nothing(run: Run, whole: Path, tmp_path: Path) -> None:
    log = shutil.copytree(whole, tmp_path / "log")
    next(path for path in (log / "bodies").rglob("??*") if path.is_file()).write_bytes(b"x")
    done = run("verify", "--save", "seen", "-o", "json", log=log)
    shown: dict[str, Any] = json.loads(done.stdout)
    assert done.returncode == 1
    assert [finding["code"] for finding in shown["findings"]] == ["FW1824"]
    assert not (tmp_path / "seen").exists()


NEEDS_A_LOG = (
    ["log"], ["log", "-o", "json"], ["verify"], ["verify", "--save", "seen"], ["prove", "0"], ["show", "0"],
    ["export", "-f", "csv"], ["join", "--kube-audit", "/dev/null"],
)  # fmt: skip


@pytest.mark.parametrize("arguments", NEEDS_A_LOG, ids=" ".join)
@pytest.mark.parametrize("there", [True, False])
def test_a_log_that_is_gone_is_no_empty_one(
    run: Run, tmp_path: Path, arguments: list[str], there: bool
) -> None:
    """Or a nightly audit with an emptied or mistyped folder would stay green for ever."""
    none = tmp_path / "none"
    if there:
        none.mkdir()
    done = run(*arguments, log=none)
    said = done.stdout if "json" in arguments else done.stderr
    assert done.returncode == 2
    assert "FW1852" in said
    assert str(none) in said
    assert done.stdout + done.stderr == said
    assert not (tmp_path / "seen").exists()


def test_reading_loads_no_cluster_client(whole: Path, tmp_path: Path) -> None:
    probe = (
        "import sys; sys.argv = ['fleetward', 'audit', '--help']\n"
        "from reconciler.surfaces.cli import main\n"
        "try: main()\nexcept SystemExit: pass\n"
        "heavy = {'aiohttp', 'kubernetes', 'pygit2', 'cryptography', 'yaml', 'orjson'}\n"
        "print('HEAVY', sorted(heavy & set(sys.modules)))"
    )
    shown = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)
    assert shown.stdout.splitlines()[-1] == "HEAVY []"
