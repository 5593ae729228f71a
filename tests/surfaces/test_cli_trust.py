"""trust and approve as people use them: real processes, git's own signing settings, a remote."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
import yaml
from git_fixtures import FleetRepo
from judging_kit import Team
from test_cli import run


@pytest.fixture
def team(tmp_path: Path) -> Team:
    return Team(tmp_path)


def fleetward(team: Team, *arguments: str, code: int = 0) -> str:
    # The caches of HOME stay, or every test would build OPA.
    ours = {name: value for name, value in team.repo.env.items() if name not in ("HOME", "PATH")}
    done = run(*arguments, folder=team.repo.path, environment=ours | {"FLEETWARD_STATE": "state"})
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout + done.stderr


def spec(repo: FleetRepo) -> dict[str, object]:
    body: dict[str, object] = yaml.safe_load((repo.path / "federation.yaml").read_text())["spec"]
    return body


def signers(repo: FleetRepo) -> dict[str, dict[str, object]]:
    return {signer["name"]: signer for signer in spec(repo)["signers"]}  # type: ignore[attr-defined]


def test_a_change_is_explained_approved_and_explained_again(team: Team) -> None:
    commit = team.change()
    shown = fleetward(team, "trust", "explain", "--against", team.base, code=1)
    assert "refused FW1261" in shown
    assert "lacks 1 of security" in shown
    assert "policies/rbac/** needs 2 of security; counted: alice" in shown
    team.signing("bob")
    shown = fleetward(team, "approve", "--against", team.base)
    assert f"  {commit[:12]} change" in shown
    assert "Next: git push origin refs/fleetward/statements/approvals/" in shown
    shown = fleetward(team, "trust", "explain", "--against", team.base)
    assert "approved by bob, ssh SHA256:" in shown
    assert "counted: alice, bob" in shown
    value = json.loads(fleetward(team, "trust", "explain", "--against", team.base, "-o", "json"))
    assert (value["ok"], value["commits"][0]["signer"]["name"]) == (True, "alice")
    assert value["commits"][0]["rules"][0]["missing"] == []


def test_without_anything_accepted_a_commit_is_held_against_its_parent(team: Team) -> None:
    team.change()
    assert "lacks 1 of security" in fleetward(team, "trust", "explain", code=1)
    shown = fleetward(team, "trust", "explain", team.base, code=2)
    assert "nothing came before this commit" in shown
    assert "trust init" in shown


def test_an_approval_is_pushed_and_reaches_who_fetches(team: Team, tmp_path: Path) -> None:
    remote = tmp_path / "remote.git"
    team.repo.git("init", "-q", "--bare", str(remote))
    team.repo.git("remote", "add", "origin", str(remote))
    team.repo.git("push", "-q", "origin", "main")
    commit = team.change()
    team.repo.git("push", "-q", "origin", "main:change")
    team.signing("bob")
    fleetward(team, "approve", "--push")  # the base is origin/main
    team.repo.git("push", "-q", "origin", "main")
    repo = f"file://{remote}"
    shown = fleetward(team, "trust", "explain", commit, "--against", team.base, "--repo", repo)
    assert "approved by bob" in shown


def test_there_has_to_be_something_to_approve(team: Team) -> None:
    team.signing("bob")
    shown = fleetward(team, "approve", "--against", "HEAD", code=2)
    assert "there is nothing to approve" in shown


def test_without_a_signing_key_git_says_why(team: Team) -> None:
    team.change()
    team.signing("bob")
    team.repo.git("config", "user.signingKey", "/nowhere")
    shown = fleetward(team, "approve", "--against", team.base, code=2)
    assert "FW1115" in shown
    assert "fix: sign as for commits" in shown
    assert team.repo.git("for-each-ref", "refs/tags", "refs/fleetward") == ""


def test_a_signer_is_added_and_the_document_keeps_its_comments(team: Team) -> None:
    path = team.repo.path / "federation.yaml"
    path.write_text("# who may change the fleet\n" + path.read_text())
    key = team.repo.person("erin").private_key.with_suffix(".pub")
    shown = fleetward(team, "trust", "add-signer", "erin", "--key", str(key), "--role", "sre")
    assert "git commit -S" in shown
    assert path.read_text().startswith("# who may change the fleet\n")
    assert signers(team.repo)["erin"] == {
        "name": "erin",
        "roles": ["sre"],
        "keys": [team.repo.person("erin").public_key],
    }
    assert spec(team.repo)["trust"] == {"version": 2}
    fleetward(team, "check", "--worktree")
    team.repo.commit({})
    assert team.codes() == []


def test_a_key_is_rotated_with_an_end_for_the_old_one(team: Team) -> None:
    new = team.repo.person("alice2").public_key
    fleetward(team, "trust", "rotate", "alice", "--key", new, "--overlap", "24h")
    old, now = signers(team.repo)["alice"]["keys"]  # type: ignore[misc]
    assert (old["key"], now) == (team.repo.person("alice").public_key, new)  # type: ignore[index]
    assert old["validBefore"].endswith("Z") or old["validBefore"].tzinfo  # type: ignore[index]
    fleetward(team, "check", "--worktree")


def test_a_rotation_ends_keys_that_would_end_later(team: Team) -> None:
    late, soon, new = (team.repo.person(name).public_key for name in ("late", "soon", "new"))
    for key, end in ((late, "2099-01-01T00:00:00Z"), (soon, "2020-01-01T00:00:00Z")):
        fleetward(team, "trust", "add-signer", "alice", "--key", key, "--valid-before", end)
    fleetward(team, "trust", "rotate", "alice", "--key", new, "--overlap", "24h")
    held = {k["key"]: k["validBefore"] for k in signers(team.repo)["alice"]["keys"] if isinstance(k, dict)}  # type: ignore[attr-defined]
    assert held[late] == held[team.repo.person("alice").public_key]
    assert "2020-01-01" in str(held[soon])
    assert "2099" not in str(held[late])
    shown = fleetward(team, "trust", "rotate", "alice", "--key", new, code=2)
    assert "has this key already" in shown


@pytest.mark.parametrize(
    "arguments",
    [
        ("add-signer", "erin", "--openpgp", "/nonexistent"), ("add-signer", "erin", "--openpgp", "/bin/ls"),
        ("add-signer", "erin", "--openpgp", "/"), ("add-signer", "erin", "--key", "/bin/ls"),
        ("import", "/bin/ls"), ("rotate", "alice", "--key", "/bin/ls"),
    ],
)  # fmt: skip
def test_files_that_are_none(team: Team, arguments: tuple[str, ...]) -> None:
    shown = fleetward(team, "trust", *arguments, code=2)
    assert "FW1000" not in shown
    assert arguments[-1] in shown


@pytest.mark.parametrize("arguments", [("", "--role", "a"), ("erin", "--role", "Bad Role"), ("x" * 300,)])
def test_a_signer_that_does_not_fit_is_not_written(team: Team, arguments: tuple[str, ...]) -> None:
    before = (team.repo.path / "federation.yaml").read_bytes()
    key = team.repo.person("erin").public_key
    shown = fleetward(team, "trust", "add-signer", *arguments, "--key", key, code=2)
    assert "federation.yaml:" in shown
    assert "nothing was written" in shown
    assert (team.repo.path / "federation.yaml").read_bytes() == before


def test_a_key_or_a_signer_is_revoked(team: Team) -> None:
    fleetward(team, "trust", "revoke", "dave")
    assert "dave" not in signers(team.repo)
    shown = fleetward(team, "trust", "revoke", "alice", "--key", team.repo.person("bob").public_key, code=2)
    assert "no such key" in shown
    shown = fleetward(team, "trust", "revoke", "nobody", code=2)
    assert "no such signer" in shown
    assert spec(team.repo)["trust"] == {"version": 2}  # what failed wrote nothing


def test_the_last_signer_cannot_be_revoked(tmp_path: Path) -> None:
    team = Team(tmp_path, rules=[])
    (team.repo.path / "federation.yaml").write_text(team.federation({"alice": []}))
    shown = fleetward(team, "trust", "revoke", "alice", code=2)
    assert "nobody would be left" in shown


def test_allowed_signers_are_imported(team: Team) -> None:
    file = team.repo.root / "allowed"
    erin, frank = (team.repo.person(name).public_key for name in ("erin", "frank"))
    file.write_text(
        f'# people\nerin {erin}\nfrank,frankie valid-before="20270101Z" {frank}\n'
        f'mail namespaces="file" {frank}\n'
    )
    shown = fleetward(team, "trust", "import", str(file), "--role", "sre")
    assert "allowed:4: warning FW1209" in shown
    assert signers(team.repo)["erin"]["roles"] == ["sre"]
    assert "frankie" not in signers(team.repo)
    assert "line 3: the key is frank's; left out: frankie" in shown
    fleetward(team, "check", "--worktree")


def test_an_imported_authority_speaks_for_its_own_names_alone(team: Team) -> None:
    file = team.repo.root / "allowed"
    staff, temps = (team.repo.person(name).public_key for name in ("staff-ca", "temps-ca"))
    file.write_text(f"erin,frank cert-authority {staff}\nmallory cert-authority {temps}\n")
    fleetward(team, "trust", "import", str(file))
    assert [one["name"] for one in spec(team.repo)["authorities"]] == [
        "allowed-signers-1",
        "allowed-signers-2",
    ]  # type: ignore[index]
    assert signers(team.repo)["erin"]["principals"] == [{"name": "erin", "authority": "allowed-signers-1"}]
    assert signers(team.repo)["mallory"]["principals"] == [
        {"name": "mallory", "authority": "allowed-signers-2"}
    ]
    fleetward(team, "trust", "add-signer", "ann", "--principal", "ann", "--authority", "allowed-signers-2")
    assert signers(team.repo)["ann"]["principals"] == [{"name": "ann", "authority": "allowed-signers-2"}]


def test_an_authority_with_an_end_is_not_imported_without_it(team: Team) -> None:
    before = (team.repo.path / "federation.yaml").read_text()
    file = team.repo.root / "allowed"
    ca = team.repo.person("ca").public_key
    file.write_text(f'erin cert-authority,valid-before="20270101Z" {ca}\n')
    assert "no window of time" in fleetward(team, "trust", "import", str(file), code=2)
    assert (team.repo.path / "federation.yaml").read_text() == before


def test_a_line_that_cannot_be_taken_imports_nothing(team: Team) -> None:
    before = (team.repo.path / "federation.yaml").read_text()
    file = team.repo.root / "allowed"
    file.write_text(f"erin {team.repo.person('erin').public_key}\n*@example.com ssh-ed25519 AAAA\n")
    assert "allowed:2" in fleetward(team, "trust", "import", str(file), code=2)
    assert (team.repo.path / "federation.yaml").read_text() == before


def test_what_adds_nothing_is_no_new_version(team: Team) -> None:
    before = (team.repo.path / "federation.yaml").read_bytes()
    file = team.repo.path / "allowed"
    file.write_text("# nobody\n\n")
    assert "the file has no signers" in fleetward(team, "trust", "import", str(file), code=2)
    line = str(signers(team.repo)["alice"]["keys"][0])  # type: ignore[index]
    shown = fleetward(team, "trust", "add-signer", "alice", "--key", line, code=2)
    assert "nothing would change" in shown
    assert (team.repo.path / "federation.yaml").read_bytes() == before


def test_a_heartbeat_is_signed_and_pushed_over_the_last(team: Team, tmp_path: Path) -> None:
    remote = tmp_path / "remote.git"
    team.repo.git("init", "-q", "--bare", str(remote))
    team.repo.git("remote", "add", "origin", str(remote))
    team.signing("carol")
    for _ in range(2):
        fleetward(team, "trust", "heartbeat", "--ttl", "2h", "--push")
    refs = subprocess.run(
        ["git", "-C", remote, "for-each-ref"], capture_output=True, text=True, check=True
    ).stdout
    assert refs.split()[2] == "refs/fleetward/statements/heartbeat/current"
    assert len(refs.splitlines()) == 1
