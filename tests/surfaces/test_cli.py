"""The command line as a person and a script meet it: a real process each time."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from git_fixtures import FleetRepo

from reconciler import __version__
from reconciler.surfaces.cli.root import COMMANDS

FLEETWARD = str(Path(sys.executable).with_name("fleetward"))


def run(
    *arguments: str, folder: Path | None = None, environment: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("FLEETWARD_", "GIT_", "NO_COLOR"))}
    return subprocess.run(
        [FLEETWARD, *arguments],
        cwd=folder,
        env=clean | (environment or {}),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_help_lists_every_command_and_version_says_which() -> None:
    shown = run("--help")
    assert shown.returncode == 0
    assert all(f"\n  {name} " in shown.stdout for name in COMMANDS)
    assert run("--version").stdout == f"fleetward {__version__}\n"


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_explains_itself(name: str) -> None:
    shown = run(name, "--help")
    assert shown.returncode == 0
    assert "Usage: fleetward" in shown.stdout


def test_help_loads_no_heavy_library() -> None:
    probe = (
        "import sys; sys.argv = ['fleetward', '--help']\n"
        "from reconciler.surfaces.cli import main\n"
        "try: main()\nexcept SystemExit: pass\n"
        "heavy = {'aiohttp', 'kubernetes', 'pygit2', 'jsonschema', 'cryptography', 'yaml'}\n"
        "print('HEAVY', sorted(heavy & set(sys.modules)))"
    )
    shown = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)
    assert shown.stdout.splitlines()[-1] == "HEAVY []"


def test_a_misspelt_command_is_suggested() -> None:
    shown = run("chekc")
    assert shown.returncode == 2
    assert "Did you mean 'check'?" in shown.stderr


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_scripts(shell: str) -> None:
    shown = run("completion", shell)
    assert shown.returncode == 0
    assert "_FLEETWARD_COMPLETE" in shown.stdout


def test_completion_knows_the_commands() -> None:
    words = {"_FLEETWARD_COMPLETE": "bash_complete", "COMP_WORDS": "fleetward re", "COMP_CWORD": "1"}
    assert set(run(environment=words).stdout.split()) == {"plain,render", "plain,reconcile"}


def test_an_error_says_code_place_and_what_to_do(tmp_path: Path) -> None:
    shown = run("check", "--repo", str(tmp_path), environment={"HOME": str(tmp_path)})
    assert shown.returncode == 2
    assert shown.stdout == ""
    assert "error FW1101" in shown.stderr
    assert "fix:" in shown.stderr
    assert "\x1b[" not in shown.stderr, "no colours in a pipe"


def test_an_error_is_json_where_json_was_asked_for(tmp_path: Path) -> None:
    shown = run("check", "--repo", str(tmp_path), "--output", "json", environment={"HOME": str(tmp_path)})
    assert shown.returncode == 2
    assert json.loads(shown.stdout)["error"]["code"] == "FW1101"


def test_colours_can_be_forced(tmp_path: Path) -> None:
    home = {"HOME": str(tmp_path)}
    assert "\x1b[" in run("--color", "always", "check", "--repo", str(tmp_path), environment=home).stderr


@pytest.mark.parametrize("bad", ["--upload-pack=touch x", "-x", "HEAD\x1b[2J", "no-such-branch"])
@pytest.mark.real
def test_odd_revisions_are_refused_and_shown_harmlessly(tmp_path: Path, bad: str) -> None:
    repo = FleetRepo(tmp_path)
    repo.commit({"federation.yaml": "a: 1"})
    shown = run("check", f"--rev={bad}", "--repo", str(repo.path), environment={"HOME": str(tmp_path)})
    assert shown.returncode == 2
    assert "error FW1102" in shown.stderr
    assert "\x1b" not in shown.stderr


@pytest.mark.parametrize(
    ("option", "value", "said"),
    [("--ttl", "8x", "--ttl: not a duration"), ("--labels", "=x", "not labels")],
)
def test_options_are_judged_before_anything_is_opened(
    tmp_path: Path, option: str, value: str, said: str
) -> None:
    shown = run("token", "create", option, value, folder=tmp_path)
    assert shown.returncode == 2
    assert said in shown.stderr


@pytest.mark.parametrize("bad", ["--upload-pack=touch x", "ext::sh -c true", "http://host.example/x"])
def test_odd_locations_are_refused(tmp_path: Path, bad: str) -> None:
    shown = run("check", f"--repo={bad}", environment={"HOME": str(tmp_path)})
    assert shown.returncode == 2
    assert "error FW11" in shown.stderr


def test_init_asks_for_a_key(tmp_path: Path) -> None:
    shown = run("init", str(tmp_path / "fleet"), environment={"HOME": str(tmp_path)})
    assert shown.returncode == 2
    assert "ssh-keygen -t ed25519" in shown.stderr
    assert not (tmp_path / "fleet").exists()


def test_init_overwrites_nothing(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    key = FleetRepo(tmp_path / "keys").person("alice").private_key.with_suffix(".pub")
    shown = run("init", str(tmp_path), "--key", str(key))
    assert shown.returncode == 2
    assert "FW1003" in shown.stderr


@pytest.mark.real
def test_a_new_fleet_is_clean_once_it_is_signed(tmp_path: Path, opa: str) -> None:
    """Exactly what ``init`` prints as the next steps."""
    forge = FleetRepo(tmp_path)
    alice = forge.person("alice")
    fleet = tmp_path / "new"
    made = run("init", str(fleet), "--signer", "Alice", "--key", f"{alice.private_key}.pub")
    assert made.returncode == 0, made.stderr
    forge.path = fleet
    forge.git("init", "-q", "-b", "main", cwd=fleet)
    forge.commit({}, by="alice", message="A new fleet")
    home = {"HOME": str(tmp_path), "PATH": f"{Path(opa).parent}{os.pathsep}{os.environ['PATH']}"}
    checked = run("check", "--output", "json", folder=fleet, environment=home)
    result = json.loads(checked.stdout)
    assert (checked.returncode, result["findings"]) == (0, [])
    assert list(result["signers"].values()) == ["alice"]
    trusted = run("trust", "init", "--commit", forge.head(), folder=fleet, environment=home)
    assert trusted.returncode == 0, trusted.stderr
    assert run("audit", "verify", folder=fleet, environment=home).returncode == 0


@pytest.mark.real
def test_bad_input_never_ends_in_a_traceback(tmp_path: Path, opa: str) -> None:
    repo = FleetRepo(tmp_path)
    odd = {
        "federation.yaml": b"\xff\xfe\x00",
        "clusters/a.yaml": b"a: &a [*a, *a]\n",
        "policies/manifests/b.yaml": b"x: !!python/object:os.system {}\n",
        "policies/rbac/c.yaml": "{" * 5000,
        "policies/rules/d.yaml": "on: no\n\tx: 1\n",
        "schemas/v1alpha1/Nope.json": "{",
    }
    repo.commit(odd)
    home = {"HOME": str(tmp_path), "PATH": f"{Path(opa).parent}{os.pathsep}{os.environ['PATH']}"}
    for output in ("text", "json", "sarif", "junit", "github"):
        shown = run("check", "--repo", str(repo.path), "--output", output, environment=home)
        assert shown.returncode == 1, shown.stderr
        assert "Traceback" not in shown.stdout + shown.stderr
        assert shown.stdout
