"""SIGKILL at every step of an append, on every store: the log stays valid and what was reported is there."""

from __future__ import annotations

import os
import random
import select
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from audit_helpers import drift
from audit_places import open_place
from audit_s3 import FORWARD, Action, Cut, Forward, S3Proxy, S3Server, Seen, open_public, variables

from reconciler.audit.codes import LogConflictError
from reconciler.audit.log import Log

pytestmark = [pytest.mark.real, pytest.mark.xdist_group("s3"), pytest.mark.timeout(900)]
HERE = Path(__file__).parent
# Over the end of the first tile: full and partial tiles and bundles, a new level, a body.
FIRST, SECOND = 250, 10
KILLS, RACES = 8, 6
HOOKS = ("pre-receive", "update", "reference-transaction", "post-update")


@dataclass
class Place:
    """Where a log is: ``name`` is what programs are given, with ``environment``."""

    name: str
    environment: dict[str, str] = field(default_factory=dict)
    reported: set[str] = field(default_factory=set)

    def start(self, program: str, *arguments: str) -> subprocess.Popen[str]:
        path = os.pathsep.join((str(HERE), str(HERE.parent), str(HERE.parents[1])))
        every = {**os.environ, "PYTHONPATH": path, **self.environment}
        command = [sys.executable, str(HERE / program), self.name, *arguments]
        pipe = subprocess.PIPE
        return subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, env=every)

    def open(self) -> Log:
        return open_place(self.name, self.environment)

    def hear(self, lines: list[str]) -> int:
        """Note what a program reported as durable; how many entries that was."""
        whole = {line.strip() for line in lines if line.endswith("\n")} - {"armed"}
        self.reported |= whole
        return len(whole)

    def check(self) -> Log:
        """Verified, nothing lost that was reported, nothing doubled."""
        log = self.open()
        report = log.verify()
        assert report.ok, report.findings
        logged = [f"{index} {entry.objects[0]}" for index, entry in log.entries()]  # type: ignore[attr-defined]
        assert self.reported <= set(logged)
        names = [line.split()[1] for line in logged]
        assert len(names) == len(set(names))
        return log

    def go_on(self, name: str) -> None:
        """Another writer appends. What the dead one had sent may still arrive meanwhile, but once."""
        for _ in range(3):
            log = self.open()
            try:
                [index] = log.append([replace(drift(), objects=(name,))])
            except LogConflictError:
                continue
            self.reported.add(f"{index} {name}")
            return
        pytest.fail("the log could not be appended to")


@pytest.fixture
def directory(tmp_path: Path) -> Callable[[], Place]:
    return lambda: Place(str(tmp_path / f"log-{len(list(tmp_path.iterdir()))}"))


@pytest.fixture
def git(tmp_path: Path) -> Callable[[], Place]:
    def make() -> Place:
        root = tmp_path / f"git-{len(list(tmp_path.iterdir()))}"
        subprocess.run(["git", "init", "-q", "--bare", str(root / "remote.git")], check=True)
        return Place(f"git:{root / 'remote.git'}:{root / 'scratch'}")

    return make


@pytest.fixture
def s3(s3_server: S3Server) -> Callable[[], Place]:
    return lambda: Place(f"s3://{s3_server.new_bucket()}/log", variables(s3_server.url))


@pytest.fixture(params=["directory", "git", "s3"])
def place(request: pytest.FixtureRequest) -> Place:
    made: Place = request.getfixturevalue(request.param)()
    return made


def die(place: Place, name: str, step: int = 0, armed: Callable[[int], None] = lambda _: None) -> bool:
    """Run ``audit_steps.py`` until it is killed; False if it came to its end."""
    process = place.start("audit_steps.py", name, str(FIRST), str(SECOND))
    with process:
        assert process.stdin
        assert process.stdout
        lines = []
        while not lines or lines[-1] != "armed\n":
            lines.append(process.stdout.readline())
            assert lines[-1], "the program ended before it was armed"
        armed(process.pid)
        process.stdin.write(f"{step}\n")
        process.stdin.flush()
        lines += process.stdout.readlines()
        ended = process.wait() == 0
    heard = place.hear(lines)
    assert heard == FIRST + SECOND if ended else heard in (FIRST, FIRST + SECOND)
    return not ended


def aftermath(place: Place, name: str) -> None:
    """Valid at once; the last append is there as a whole or not at all; and the log goes on."""
    assert (place.check().size - FIRST) in (0, SECOND)
    place.go_on(f"after-{name}")
    assert (place.check().size - FIRST) in (1, 1 + SECOND)


@pytest.mark.parametrize("kind", ["directory", "git"])
def test_killed_before_each_system_call(request: pytest.FixtureRequest, kind: str):
    make = request.getfixturevalue(kind)
    for step in range(1, 200):
        place = make()
        killed = die(place, "w", step)
        aftermath(place, "w")
        if not killed:
            assert step > {"directory": 30, "git": 4}[kind]
            return
    pytest.fail("the append never came to its end")


@pytest.mark.parametrize("hook", HOOKS)
def test_killed_while_the_remote_takes_the_push(git: Callable[[], Place], tmp_path: Path, hook: str):
    """The remote's own steps: it has the objects, it judges, it locks the ref, it has moved it."""
    states = ("prepared", "committed") if hook == "reference-transaction" else ("",)
    for state in states:
        place = git()
        remote, victim = Path(place.name.split(":")[1]), tmp_path / f"victim-{hook}-{state}"
        script = remote / "hooks" / hook
        script.write_text(
            f'#!/bin/sh\n[ -z "{state}" ] || [ "$1" = "{state}" ] || exit 0\n'
            f'[ -s {victim} ] && kill -9 "$(cat {victim})" && : > {victim}\nexit 0\n'
        )
        script.chmod(0o755)
        assert die(place, "w", armed=lambda pid, file=victim: file.write_text(str(pid)))  # type: ignore[misc]
        aftermath(place, "w")


@pytest.mark.parametrize("sent", [False, True], ids=["before a request", "after a request"])
def test_killed_at_each_request(s3: Callable[[], Place], s3_server: S3Server, sent: bool):
    for at in range(1, 60):
        place = s3()
        with S3Proxy(s3_server) as proxy:
            place.environment = variables(proxy.url)
            killed = die(place, "w", armed=lambda pid, p=proxy, n=at: _kill_at(p, n, pid, sent))  # type: ignore[misc]
        place.environment = variables(s3_server.url)
        public = s3_server.root / "data" / place.name.removeprefix("s3://")
        assert open_public(public).verify().ok  # those who read the bucket without us
        aftermath(place, "w")
        assert open_public(public).root == place.open().root
        if not killed:
            assert at > 7
            return
    pytest.fail("the append never came to its end")


def _kill_at(proxy: S3Proxy, at: int, pid: int, sent: bool) -> None:
    """From now on count, and kill at the request ``at``, which the server may still do."""

    def rule(seen: Seen) -> Action:
        if seen.number == at:
            os.kill(pid, 9)
        if seen.number < at:
            return FORWARD
        return Forward(answer=False) if sent and seen.number == at else Cut()

    proxy.forget()
    proxy.rule = rule


def test_killed_at_any_moment(place: Place):
    """Writers that append for ever, each killed a random moment after some of its reports."""
    for number in range(KILLS):
        with place.start("audit_writer.py", f"w{number}") as process:
            assert process.stdout
            lines = [process.stdout.readline() for _ in range(random.choice((1, 2, 5, 30)))]  # noqa: S311
            select.select([], [], [], random.random() * 0.05)  # noqa: S311  a moment anywhere in an append
            process.kill()
            lines += process.stdout.readlines()
        place.hear(lines)
        place.open()
    assert len(place.reported) >= KILLS
    place.go_on("last")
    place.check()


def test_writers_that_race_lose_and_double_nothing(place: Place):
    """Each repeats what was refused; exactly one wins each time, so that every entry is there once."""
    names = ("one", "two", "three")
    own = [replace(place, name=place.name.replace("scratch", f"scratch-{name}")) for name in names]
    writers = [p.start("audit_racer.py", name, str(RACES)) for p, name in zip(own, names, strict=True)]
    said = [writer.communicate(timeout=240)[0].splitlines(keepends=True) for writer in writers]
    assert [writer.returncode for writer in writers] == [0, 0, 0]
    assert sum(place.hear(lines) for lines in said) == len(names) * RACES
    log = place.check()
    logged = {entry.objects[0] for _, entry in log.entries()}  # type: ignore[attr-defined]
    assert logged == {f"{name}-{n}" for name in names for n in range(RACES)}
    assert log.size == len(names) * RACES
