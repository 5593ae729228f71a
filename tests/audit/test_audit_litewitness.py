"""A witness that is not ours (``litewitness`` of torchwood, built once from ``tools/litewitness``).

It cosigns real appends, its cosignatures are verified by ours and by Go code of others (``tools/logcheck``),
and it finds logs that were rolled back or forked.
"""

import os
import re
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from audit_helpers import ORIGIN, SIGNER, KeySigner, accepted, drift, fill, ticking_clock, trust
from test_audit_others import check, logcheck  # noqa: F401  logcheck is a fixture

from reconciler.audit.codes import NotWitnessedError, WitnessAheadError, WitnessForkError
from reconciler.audit.cosign import cosign
from reconciler.audit.entry import RotationReason
from reconciler.audit.log import Log
from reconciler.audit.note import VerifierKey
from reconciler.audit.rotation import rotated
from reconciler.audit.store_directory import DirectoryStore
from reconciler.audit.view import LogView
from reconciler.audit.witness_policy import WitnessPolicy
from reconciler.audit.witnessed import WitnessReport, require_witnessed
from reconciler.sandbox import binaries
from reconciler.sandbox.components import free_port
from reconciler.sandbox.golang import Recipe

pytestmark = [pytest.mark.real, pytest.mark.xdist_group("logcheck"), pytest.mark.timeout(900)]
_COMMANDS = "filippo.io/torchwood/cmd/"
RECIPES = [
    Recipe(name, "v0.9.0", "litewitness", f"{_COMMANDS}{name}", "30 s")
    for name in ("litewitness", "witnessctl")
]
_SECONDS = 30.0
NEW = KeySigner(b"n" * 32)


def vkey_of(signer: KeySigner) -> str:
    return str(VerifierKey(ORIGIN, signer.public_key))


def until(done: Callable[[], bool], said: Callable[[], str]) -> None:
    deadline = time.monotonic() + _SECONDS
    while not done():
        assert time.monotonic() < deadline, said()
        select.select([], [], [], 0.02)


class LiteWitness:
    """One witness with its key in an ssh-agent of its own; it can be stopped and started again."""

    def __init__(self, root: Path, programs: dict[str, Path], name: str) -> None:
        self.root, self.name, self.port = root, name, free_port()
        self._programs = programs
        self._processes: list[subprocess.Popen[bytes]] = []
        self._agent = self.root / "agent"
        self._start_agent()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def _start_agent(self) -> None:
        key = self.root / "key"
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
        self._processes.append(
            subprocess.Popen(["ssh-agent", "-D", "-a", str(self._agent)], stdout=subprocess.DEVNULL)
        )
        environment = os.environ | {"SSH_AUTH_SOCK": str(self._agent)}
        until(self._agent.exists, lambda: "no agent")
        subprocess.run(["ssh-add", "-q", str(key)], check=True, env=environment, timeout=_SECONDS)
        listed = subprocess.run(
            ["ssh-keygen", "-l", "-f", str(key)], check=True, capture_output=True, text=True
        )
        self.fingerprint = listed.stdout.split()[1]

    def start(self) -> None:
        command = [
            str(self._programs["litewitness"]), "-name", self.name, "-db", str(self.root / "db"),
            "-ssh-agent", str(self._agent), "-listen", f"127.0.0.1:{self.port}", "-key", self.fingerprint,
        ]  # fmt: skip
        with (self.root / "log").open("ab") as log:
            self._server = subprocess.Popen(command, stdout=log, stderr=log, cwd=self.root)
        until(self._answers, self.said)

    def said(self) -> str:
        return (self.root / "log").read_text(errors="replace")[-3000:]

    def _answers(self) -> bool:
        assert self._server.poll() is None, self.said()
        with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1.0):
            return True
        return False

    @property
    def vkey(self) -> str:
        found = re.findall(r"vkey=(\S+)", self.said())
        return str(found[-1])

    def ctl(self, *arguments: str) -> None:
        command = [str(self._programs["witnessctl"]), arguments[0], "-db", str(self.root / "db")]
        subprocess.run(
            [*command, *arguments[1:]], check=True, capture_output=True, timeout=_SECONDS, cwd=self.root
        )

    def register(self, signer: KeySigner = SIGNER) -> None:
        self.ctl("add-log", "-origin", ORIGIN)
        self.ctl("add-key", "-origin", ORIGIN, "-key", vkey_of(signer))

    def stop(self) -> None:
        self._server.send_signal(signal.SIGINT)
        self._server.wait(_SECONDS)

    def close(self) -> None:
        for process in (*self._processes, self._server):
            process.kill()
            process.wait()


@pytest.fixture(scope="session")
def programs() -> dict[str, Path]:
    def report(line: str) -> None:
        print(line, file=sys.stderr, flush=True)

    return {recipe.name: binaries.ensure_recipe(recipe, report) for recipe in RECIPES}


@pytest.fixture
def start(programs: dict[str, Path]) -> Iterator[Callable[[str], LiteWitness]]:
    """Starts witnesses that know no log yet."""
    started = list[LiteWitness]()

    def one(name: str) -> LiteWitness:
        # The path of a socket is short.
        witness = LiteWitness(Path(tempfile.mkdtemp(prefix="lw-")), programs, name)
        started.append(witness)
        witness.start()
        return witness

    yield one
    for witness in started:
        witness.close()
        shutil.rmtree(witness.root)


@pytest.fixture
def witness(start: Callable[[str], LiteWitness]) -> LiteWitness:
    witness = start("witness.example/w1")
    witness.register()
    return witness


def now() -> datetime:
    return datetime.now(UTC)


def open_at(root: Path, signer: KeySigner = SIGNER) -> Log:
    return Log.open(DirectoryStore(root), signer, origin=ORIGIN, clock=ticking_clock())


def policy_of(*witnesses: LiteWitness, quorum: int | None = None) -> WitnessPolicy:
    count = len(witnesses) if quorum is None else quorum
    return WitnessPolicy.of([(each.vkey, each.url) for each in witnesses], count)


def ask(log: Log, policy: WitnessPolicy) -> WitnessReport:
    return cosign(log, policy, clock=now, timeout=20.0)


def view_of(root: Path) -> LogView:
    return LogView(DirectoryStore(root), origin=ORIGIN, public_keys=[SIGNER.public_key])


def test_real_appends_are_cosigned(witness: LiteWitness, logcheck: Path, tmp_path: Path):  # noqa: F811
    root, policy = tmp_path / "log", policy_of(witness)
    for size in (1, 2, 3, 255, 256, 257, 700):
        log = open_at(root)
        fill(log, size, 100)
        report = ask(log, policy)
        assert report.satisfied, [str(row.error) for row in report.rows]
        [row] = report.rows
        assert row.time
        assert abs(row.time - now()) < timedelta(minutes=2)
        assert require_witnessed(view_of(root), policy, now()).size == size
        cosigned = ["-cosigned", witness.vkey]
        assert check(logcheck, root, *cosigned) == {"size": size, "sumdb": "", "fsck": ""}
    assert open_at(root).verify().ok


def test_others_miss_a_cosignature_that_is_not_there(
    witness: LiteWitness,
    start: Callable[[str], LiteWitness],
    logcheck: Path,  # noqa: F811
    tmp_path: Path,
):
    root, other = tmp_path / "log", start("witness.example/w2")
    log = open_at(root)
    fill(log, 5)
    report = ask(log, policy_of(witness, other, quorum=1))  # the other knows no log
    assert report.satisfied
    assert [row.error.code for row in report.missing if row.error] == ["FW1832"]
    assert check(logcheck, root, "-cosigned", witness.vkey)["sumdb"] == ""
    assert "witness.example/w2" in check(logcheck, root, "-cosigned", other.vkey)["sumdb"]
    other.register()
    assert ask(log, policy_of(witness, other)).satisfied
    both = ["-cosigned", witness.vkey, "-cosigned", other.vkey]
    assert check(logcheck, root, *both) == {"size": 5, "sumdb": "", "fsck": ""}


def test_a_log_key_that_the_witness_does_not_know(start: Callable[[str], LiteWitness], tmp_path: Path):
    witness = start("witness.example/w1")
    witness.register(NEW)
    log = open_at(tmp_path / "log")
    fill(log, 5)
    [row] = ask(log, policy_of(witness)).rows
    assert row.error
    assert (row.error.code, row.error.got[:3]) == ("FW1832", "403")


def test_stopped_and_started_again(witness: LiteWitness, tmp_path: Path):
    root, policy = tmp_path / "log", policy_of(witness)
    log = open_at(root)
    fill(log, 5)
    ask(log, policy)
    witness.stop()
    fill(log, 9)
    [row] = ask(log, policy).rows
    assert row.error
    assert (row.time, row.error.code) == (None, "FW1831")
    with pytest.raises(NotWitnessedError):
        require_witnessed(view_of(root), policy, now())
    fill(log, 12)
    witness.start()
    assert ask(log, policy).satisfied
    assert require_witnessed(view_of(root), policy, now()).size == 12


def test_a_copy_that_was_rolled_back_or_forked_is_the_alarm(witness: LiteWitness, tmp_path: Path):
    root, policy = tmp_path / "log", policy_of(witness)
    log = open_at(root)
    fill(log, 5)
    ask(log, policy)
    for name in ("old", "shorter", "same", "longer"):
        shutil.copytree(root, tmp_path / name)
    fill(log, 9)
    ask(log, policy)
    old = open_at(tmp_path / "old")
    assert require_witnessed(old, policy, now()).satisfied  # nothing in the copy shows it
    with pytest.raises(WitnessAheadError) as error:
        ask(old, policy)
    assert (error.value.expected, error.value.got) == ("at least 9 entries", "5")
    for name, size, kind in (
        ("shorter", 8, WitnessAheadError), ("same", 9, WitnessForkError), ("longer", 20, WitnessForkError),
    ):  # fmt: skip
        fork = open_at(tmp_path / name)
        fork.append([drift(100 + n) for n in range(size - 5)])
        with pytest.raises(kind):
            ask(fork, policy)
    fill(log, 10)
    assert ask(log, policy).satisfied  # the witness still follows the right one


def test_a_key_of_the_log_that_was_replaced(witness: LiteWitness, tmp_path: Path):
    root, policy = tmp_path / "log", policy_of(witness)
    log = open_at(root)
    log.append([replace(trust(), public_key=vkey_of(SIGNER)), accepted(2, 1)])
    ask(log, policy)
    entry = rotated(
        ORIGIN, vkey_of(SIGNER), NEW, actor="ann", reason=RotationReason.ROTATION, index=log.size,
        root=log.root, old_signer=SIGNER,
    )  # fmt: skip
    log.rotate(entry, NEW)
    assert ask(log, policy).satisfied  # both keys signed this one
    log.append([drift()])
    [row] = ask(log, policy).rows
    assert row.error
    assert row.error.code == "FW1832"
    witness.ctl("add-key", "-origin", ORIGIN, "-key", vkey_of(NEW))
    assert ask(log, policy).satisfied
