"""``fleetward key credentials``: the key of sealed credentials, where it comes from, and a new one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from reconciler.member.diagnosis.results import Grade
from reconciler.member.seal_keys import KeyFile, text_of
from reconciler.member.sealed import SealKey
from reconciler.member.token_file import keep_token, read_token
from reconciler.pipeline.examining_host import sealed_result
from reconciler.surfaces.settings import Settings, resolve

FLEETWARD = str(Path(sys.executable).with_name("fleetward"))


def settings(tmp_path: Path, **environment: str) -> Settings:
    return resolve({"repo": str(tmp_path), "state": str(tmp_path / "state")}, environment)


def run(tmp_path: Path, *arguments: str, exits: int = 0, **environment: str) -> str:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("FLEETWARD_")}
    places = ("--repo", str(tmp_path), "--state", str(tmp_path / "state"))
    done = subprocess.run(
        [FLEETWARD, "key", "credentials", *places, *arguments], env=kept | environment, capture_output=True,
        text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == exits, done.stderr
    return done.stdout + done.stderr


def test_shown_and_replaced(tmp_path: Path) -> None:
    assert "FW1790" in run(tmp_path, exits=2)
    here = settings(tmp_path)
    keep_token(here.credentials, "joined/a.token", "secret", here.seal_keys)
    (old,) = here.seal_keys.load()
    assert f"{old.id.hex()}  seals and opens" in run(tmp_path)
    said = run(tmp_path, "--rotate")
    (new,) = here.seal_keys.load()
    assert "sealed anew: joined/a.token" in said
    assert f"{new.id.hex()}  seals and opens" in said
    assert old != new
    assert read_token(here.credentials, "joined/a.token", here.seal_keys) == b"secret\n"
    shown = json.loads(run(tmp_path, "--output", "json"))
    assert shown == {"file": str(tmp_path / "state" / "credentials.key"), "keys": [new.id.hex()]}


@pytest.mark.parametrize("variable", ["FLEETWARD_CREDENTIALS_KEY", "CREDENTIALS_DIRECTORY"])
def test_a_key_from_elsewhere(tmp_path: Path, variable: str) -> None:
    given = tmp_path / "given" / "fleetward-credentials-key"
    given.parent.mkdir()
    given.write_bytes(text_of([SealKey(bytes(32))]))
    given.chmod(0o440)  # as systemd's ACL shows
    value = str(given if variable.startswith("FLEETWARD") else given.parent)
    here = settings(tmp_path, **{variable: value})
    assert here.seal_keys.path == given
    assert not here.seal_keys.ours
    keep_token(here.credentials, "joined/a.token", "secret", here.seal_keys)
    assert not (tmp_path / "state" / "credentials.key").exists()
    assert SealKey(bytes(32)).id.hex() in run(tmp_path, "--rotate", **{variable: value})
    assert given.read_bytes() == text_of([SealKey(bytes(32))])
    assert settings(tmp_path, CREDENTIALS_DIRECTORY=str(tmp_path)).seal_keys.ours  # one without our key


def test_doctor_looks_at_the_key_and_opens_every_file(tmp_path: Path) -> None:
    folder = tmp_path / "credentials"
    keys = KeyFile(tmp_path / "credentials.key", tmp_path / "credentials.lock")
    assert sealed_result(folder, keys).grade is Grade.SKIPPED
    keep_token(folder, "joined/a.token", "secret", keys)
    found = sealed_result(folder, keys)
    assert (found.grade, found.found) == (Grade.OK, "1 files")
    keys.path.chmod(0o644)
    found = sealed_result(folder, keys)
    assert (found.grade, found.code) == (Grade.FAILED, "FW1791")
    keys.path.chmod(0o600)
    path = folder / "joined" / "a.token"
    path.rename(folder / "joined" / "b.token")
    found = sealed_result(folder, keys)
    assert (found.grade, found.code, found.where) == (Grade.FAILED, "FW1795", "joined/b.token")
    (folder / "joined" / "b.token").unlink()
    keys.path.chmod(0o644)
    assert sealed_result(folder, keys).code == "FW1791"
