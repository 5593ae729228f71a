"""``fleetward key``, and reading with the public key alone: real processes, real files, a real token."""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from softhsm_fixtures import PIN, SoftHsm

from reconciler.audit.entry import Drift, KeyRotated, TrustInitialized
from reconciler.audit.note import VerifierKey
from reconciler.surfaces.settings import Settings, resolve
from reconciler.surfaces.signing import ORIGIN, parse_public_keys, vkey
from reconciler.surfaces.wiring import Wiring
from reconciler.trust import ReconcilerKey, load
from reconciler.trust.errors import PublicKeyError

FLEETWARD = str(Path(sys.executable).with_name("fleetward"))
LIMIT = 30.0  # seconds


@dataclass
class Host:
    """A machine with a state folder and a log; ``key`` is what it signs with by environment."""

    root: Path
    name: str = "state"

    @property
    def state(self) -> Path:
        return self.root / self.name

    @property
    def log(self) -> Path:
        return self.root / "log"

    def environment(self, **more: str) -> dict[str, str]:
        clean = {k: v for k, v in os.environ.items() if not k.startswith("FLEETWARD_")}
        settings = {"REPO": self.root, "STATE": self.state, "LOG": self.log, "CACHE": self.root / "cache"}
        return clean | {f"FLEETWARD_{k}": str(v) for k, v in settings.items()} | more

    def run(self, *arguments: str, fails: bool = False, **environment: str) -> str:
        """Its output; what it says on stderr when it should fail."""
        done = subprocess.run(
            [FLEETWARD, *arguments], env=self.environment(**environment), capture_output=True, text=True,
            timeout=60, check=False,
        )  # fmt: skip
        assert done.returncode == (2 if fails else 0), (done.stdout, done.stderr)
        assert "Traceback" not in done.stderr
        assert PIN not in done.stdout + done.stderr
        return done.stderr if fails else done.stdout

    def spawn(self, *arguments: str, **environment: str) -> subprocess.Popen[bytes]:
        pipe = subprocess.PIPE
        command = [FLEETWARD, *arguments]
        return subprocess.Popen(command, env=self.environment(**environment), stdout=pipe, stderr=pipe)

    def show(self, **environment: str) -> list[str]:
        """The log's keys, oldest first."""
        shown = json.loads(self.run("key", "show", "-o", "json", **environment))
        return [key["key"] for key in shown["keys"]]

    def settings(self, **environment: str) -> Settings:
        flags = dict.fromkeys(("repo", "state", "cache", "credentials", "log"))
        return resolve(flags, self.environment(**environment))

    def append(self, number: int = 1, **environment: str) -> None:
        """As a reconcile does it: with the key that is configured, if it is in force."""
        with ExitStack() as stack:
            writes = Wiring(self.settings(**environment), lambda _: None, stack).writes()
            drift = Drift(actor="x", cluster="a", commit="0" * 40, objects=(str(number),), count=1)
            writes.log.append([drift])

    def rotations(self) -> int:
        with ExitStack() as stack:
            entries = Wiring(self.settings(), lambda _: None, stack).log_view().entries()
            return sum(isinstance(entry, KeyRotated) for _, entry in entries)


@pytest.fixture
def host(tmp_path: Path) -> Host:
    """Its key is made, and the log begins with it."""
    made = Host(tmp_path)
    begin(made)
    return made


def begin(host: Host, **environment: str) -> None:
    with ExitStack() as stack:
        wiring = Wiring(host.settings(**environment), lambda _: None, stack)
        log = wiring.log(wiring.new_key())
        entry = TrustInitialized(
            actor="x", commit="0" * 40, repository="x", ref="refs/heads/main", public_key=log.vkey
        )
        log.append([entry])


def until(done: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + LIMIT
    while not done():
        assert time.monotonic() < deadline, f"waited for {what}"


def test_the_public_key_is_written_beside_the_private_one(host: Host) -> None:
    text = (host.state / "reconciler.pub").read_text().strip()
    assert VerifierKey.parse(text).public_key == load(host.state / "reconciler.key").public_key
    assert host.show() == [text]
    shown = host.run("key", "show")
    assert f"{text}  in force since entry 0" in shown
    assert str(host.state / "reconciler.key") in shown
    (host.state / "reconciler.pub").unlink()  # as before there was one: it follows from the private key
    assert host.show() == [text]
    host.append()
    assert (host.state / "reconciler.pub").read_text().strip() == text


def test_reading_needs_the_public_key_alone(host: Host) -> None:
    key = (host.state / "reconciler.pub").read_text().strip()
    reader = Host(host.root, "reader")
    keys = host.root / "keys"
    keys.write_text(f"# ours\n\n{vkey(bytes(32))}\n{key}\n")
    for given_key in (key, str(keys)):
        assert "verified: 1 entries" in reader.run("audit", "verify", FLEETWARD_PUBLIC_KEY=given_key)
        assert "trust-initialized" in reader.run("audit", "log", FLEETWARD_PUBLIC_KEY=given_key)
        shown = reader.run("key", "show", FLEETWARD_PUBLIC_KEY=given_key)
        assert "private key: not on this machine" in shown
    assert not (reader.state / "reconciler.key").exists()
    assert "FW1001" in reader.run("audit", "verify", fails=True)
    other = vkey(ReconcilerKey.from_seed(bytes(32)).public_key)
    assert "FW1801" in reader.run("audit", "verify", fails=True, FLEETWARD_PUBLIC_KEY=other)
    with pytest.raises(Exception, match="FW1001"):
        reader.append(FLEETWARD_PUBLIC_KEY=key)


@pytest.mark.parametrize("bad", ["/no/such/file", "x\0y", f"{ORIGIN}+00000000+AAAA", "other/log+1+A"])
def test_a_public_key_that_is_none_says_so(host: Host, bad: str) -> None:
    with pytest.raises((PublicKeyError, ValueError), match=r"FW1226|null byte"), ExitStack() as stack:
        Wiring(host.settings(FLEETWARD_PUBLIC_KEY=bad), lambda _: None, stack).public_keys()


@given(st.text(max_size=200))
def test_parsing_public_keys_raises_nothing_else(text: str) -> None:
    for whole in (text, f"{vkey(bytes(32))}\n{text}"):
        try:
            assert parse_public_keys(whole)
        except PublicKeyError:
            continue


def test_a_rotation_keeps_everything_verifiable(host: Host) -> None:
    (old,) = host.show()
    host.append(1)
    said = json.loads(host.run("key", "rotate", "-o", "json"))
    assert (said["index"], said["old"]) == (2, old)
    host.append(2)
    assert host.show() == [old, said["new"]]
    assert "verified: 4 entries" in host.run("audit", "verify")
    assert "key-rotated" in host.run("audit", "log")
    kept = Path(said["oldFile"])
    assert vkey(load(kept).public_key) == old
    assert vkey(load(host.state / "reconciler.key").public_key) == said["new"]
    # Who pinned the first key follows; who was told the new one does not need to.
    for pinned in (old, said["new"]):
        reader = Host(host.root, "reader")
        assert reader.show(FLEETWARD_PUBLIC_KEY=pinned) == [old, said["new"]]
        assert "verified" in reader.run("audit", "verify", FLEETWARD_PUBLIC_KEY=pinned)


def test_the_old_key_is_of_no_use_any_more(host: Host) -> None:
    pem = (host.state / "reconciler.key").read_text()
    host.run("key", "rotate")
    with pytest.raises(Exception, match=r"FW1227.*replaced at entry 1"):
        host.append(FLEETWARD_SIGNING_KEY=pem)
    host.append()
    with pytest.raises(Exception, match=r"FW1227.*replaced at entry 1"):
        host.append(FLEETWARD_SIGNING_KEY=pem)
    assert "FW1228" in host.run("key", "rotate", fails=True, FLEETWARD_SIGNING_KEY=pem)


def test_a_given_key_is_copied_and_one_that_others_read_is_refused(host: Host) -> None:
    mine = host.root / "mine.pem"
    mine.write_bytes(ReconcilerKey.from_seed(b"m" * 32).pem())
    mine.chmod(0o644)
    assert "FW1221" in host.run("key", "rotate", "--new-key", str(mine), fails=True)
    mine.chmod(0o600)
    host.run("key", "rotate", "--new-key", str(mine))
    assert host.show()[-1] == vkey(load(mine).public_key)
    assert (host.state / "reconciler.key").stat().st_mode & 0o777 == 0o600
    host.run("key", "rotate", "--new-key", str(mine))  # it is in force: nothing is left to do
    assert host.rotations() == 1
    host.run("key", "rotate")
    assert "FW1228" in host.run("key", "rotate", "--new-key", str(mine), fails=True)


def test_rotations_that_make_no_sense(host: Host, tmp_path: Path) -> None:
    assert "FW1228" in host.run("key", "rotate", "--lost", fails=True)
    host.run("key", "rotate", "--lost", "--compromised", fails=True)
    assert host.rotations() == 0
    assert not (host.state / "reconciler.key.new").exists()
    fresh = Host(tmp_path / "fresh")
    fresh.root.mkdir()
    fresh.run("key", "generate")
    assert "FW1228" in fresh.run("key", "rotate", fails=True)
    assert not (fresh.state / "reconciler.key.new").exists()
    assert "FW1222" in fresh.run("key", "generate", fails=True)


def test_a_lost_key(host: Host) -> None:
    """As the runbook says: the public key is enough to go on; who pinned it has to be told."""
    (old,) = host.show()
    (host.state / "reconciler.key").unlink()
    assert "FW1001" in host.run("key", "rotate", fails=True)
    new = json.loads(host.run("key", "rotate", "--lost", "-o", "json"))["new"]
    host.append()
    assert "verified: 3 entries" in host.run("audit", "verify")
    reader = Host(host.root, "reader")
    said = reader.run("audit", "verify", fails=True, FLEETWARD_PUBLIC_KEY=old)
    assert "FW1801" in said
    assert new in said
    assert "verified" in reader.run("audit", "verify", FLEETWARD_PUBLIC_KEY=new)


def test_a_lost_machine(host: Host) -> None:
    """The state folder is gone, the log and its public key are not: a new host goes on."""
    (old,) = host.show()
    other = Host(host.root, "new-machine")
    other.run("key", "rotate", "--lost", FLEETWARD_PUBLIC_KEY=old)
    other.append()
    assert other.show()[0] == old
    with pytest.raises(Exception, match=r"FW1801|FW1227"):
        host.append()  # the lost one is found again


def test_killed_before_the_log_names_the_new_key(host: Host) -> None:
    (old,) = host.show()
    with (host.log / ".lock").open("rb+") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # the rotation waits here, its new key is durable
        process = host.spawn("key", "rotate")
        until((host.state / "reconciler.key.new").exists, "the new key")
        process.kill()
        process.communicate()
    begun = vkey(load(host.state / "reconciler.key.new").public_key)
    host.append()  # the old one is in force
    assert host.show() == [old]
    host.run("key", "rotate")
    assert (host.show(), host.rotations()) == ([old, begun], 1)
    assert not (host.state / "reconciler.key.new").exists()


def test_killed_after_the_log_names_the_new_key(host: Host) -> None:
    (old,) = host.show()
    public = host.state / "reconciler.pub"
    public.unlink()
    os.mkfifo(public)  # whoever reads it waits for a writer
    before = (host.log / "checkpoint").read_bytes()
    process = host.spawn("key", "rotate", FLEETWARD_PUBLIC_KEY=old)
    feed(public, old)  # as the command reads the private key; the next look is after the log's step
    until(lambda: (host.log / "checkpoint").read_bytes() != before, "the log's step")
    process.kill()
    process.communicate()
    public.unlink()
    assert vkey(load(host.state / "reconciler.key").public_key) == old
    with pytest.raises(Exception, match=r"FW1227.*key rotate"):
        host.append(FLEETWARD_PUBLIC_KEY=old)
    host.run("key", "rotate")
    assert host.rotations() == 1
    host.append()
    assert host.show()[0] == old
    assert (host.state / "reconciler.pub").read_text().strip() == host.show()[-1]


def feed(fifo: Path, text: str) -> None:
    with fifo.open("w") as file:
        file.write(f"{text}\n")


def test_killed_while_the_files_are_exchanged(host: Host) -> None:
    """The old key has its second name, the first one is not the new key's yet."""
    (old,) = host.show()
    pem = (host.state / "reconciler.key").read_bytes()
    made = json.loads(host.run("key", "rotate", "-o", "json"))
    (host.state / "reconciler.key").rename(host.state / "reconciler.key.new")
    Path(made["oldFile"]).rename(host.state / "reconciler.key")
    os.link(host.state / "reconciler.key", made["oldFile"])
    again = json.loads(host.run("key", "rotate", "-o", "json"))
    assert again == made
    assert Path(made["oldFile"]).read_bytes() == pem
    assert host.show() == [old, made["new"]]
    host.append()


def test_killed_anywhere(host: Host) -> None:
    """Whatever step it was: the log is whole, and one more run ends with a key that works."""
    moments: Mapping[str, Callable[[], bool]] = {
        "new": (host.state / "reconciler.key.new").exists,
        "staged": lambda: (host.log / ".staging").exists(),
        "old": lambda: len(list(host.state.glob("*.old-*"))) > 0,
    }
    for number, (name, moment) in enumerate(moments.items()):
        for path in host.state.glob("*.old-*"):
            path.unlink()
        process = host.spawn("key", "rotate")
        until(lambda m=moment, p=process: m() or p.poll() is not None, name)
        process.kill()
        process.communicate()
        host.run("key", "rotate")
        host.append(number)
        assert "verified" in host.run("audit", "verify")
        assert vkey(load(host.state / "reconciler.key").public_key) == host.show()[-1]


def test_the_key_of_a_token(host: Host, softhsm: SoftHsm) -> None:
    """From a file to a token, and from a token to another key of it."""
    (old,) = host.show()
    first, second = (softhsm.uri("one", f"cli-{n}") for n in (1, 2))
    made = host.run("key", "generate", first).split()[0]
    assert "FW1222" in host.run("key", "generate", first, fails=True)
    said = host.run("key", "rotate", "--new-key", first)
    assert "set FLEETWARD_SIGNING_KEY" in said
    assert not (host.state / "reconciler.key").exists()
    with pytest.raises(Exception, match="FW1001"):
        host.append()
    assert host.show() == [old, made]  # the token is not asked
    host.run("key", "rotate", "--new-key", first, FLEETWARD_SIGNING_KEY=first)  # again: nothing is left to do
    assert host.rotations() == 1
    in_process(host, first)
    assert "pkcs11:token=one;object=cli-1\n" in host.run("key", "show", FLEETWARD_SIGNING_KEY=first)
    host.run("key", "generate", second)
    host.run("key", "rotate", "--compromised", "--new-key", second, FLEETWARD_SIGNING_KEY=first)
    assert "verified" in host.run("audit", "verify")
    assert len(host.show()) == 3


def in_process(host: Host, uri: str) -> None:
    """Writing with the token, with its PIN from outside as well."""
    host.append(FLEETWARD_SIGNING_KEY=uri)
    with ExitStack() as stack:
        wiring = Wiring(host.settings(FLEETWARD_SIGNING_KEY=uri), lambda _: None, stack)
        assert "29184756" not in repr(wiring)
        assert wiring.public_keys()


def test_the_pin_may_come_from_the_environment(host: Host, softhsm: SoftHsm) -> None:
    assert PIN not in repr(host.settings(FLEETWARD_PIN=PIN))
    uri = softhsm.uri("two", "env", pin=False)
    assert "FW1225" in host.run("key", "generate", uri, fails=True)
    made = host.run("key", "generate", uri, FLEETWARD_PIN=PIN).split()[0]
    fresh = Host(host.root / "fresh")
    fresh.root.mkdir()
    begin(fresh, FLEETWARD_SIGNING_KEY=uri, FLEETWARD_PIN=PIN)
    assert fresh.show() == [made]
    assert "FW1225" in fresh.run("key", "rotate", fails=True, FLEETWARD_SIGNING_KEY=uri, FLEETWARD_PIN="0000")
