"""The directory store when things go wrong: killed writers, leftovers, full and read-only disks."""

import ctypes
import os
import random
import resource
import select
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
from audit_helpers import ORIGIN, SIGNER, drift, files_of, fill, open_log, ticking_clock, trust

from reconciler.audit.codes import LogConflictError, LogStorageError
from reconciler.audit.log import Log
from reconciler.audit.store_directory import DirectoryStore

HERE = Path(__file__).parent
KILLS = 40


class Crash(BaseException):
    """What a test raises where a machine would lose power."""


class CrashingStore(DirectoryStore):
    """A directory store whose machine dies after so many writes to the disk."""

    def __init__(self, root: Path, steps: int) -> None:
        super().__init__(root)
        self.steps = steps

    def _write_temporary(self, data: bytes) -> Path:
        self._step()
        path = super()._write_temporary(data)
        self._step()
        return path

    def _drop(self, folders: Sequence[str]) -> None:
        self._step()
        super()._drop(folders)

    def _step(self) -> None:
        self.steps -= 1
        if self.steps < 0:
            raise Crash


@pytest.mark.parametrize("size", [0, 3, 255, 300])
def test_a_crash_at_any_step_leaves_the_old_or_the_new_log(tmp_path: Path, size: int):
    for steps in range(100):
        root = tmp_path / str(steps)
        fill(open_log(root), size)
        before = open_log(root).root
        log = Log.open(CrashingStore(root, steps), SIGNER, origin=ORIGIN, clock=ticking_clock())
        try:
            log.append([drift(7, 50)] * 260)
        except Crash:
            again = open_log(root)
            assert (again.size, again.root) in ((size, before), (size + 260, again.root))
            again.append([drift(8), drift(9)])  # other bytes where the crashed append had staged its own
            assert open_log(root).verify().ok
        else:
            assert steps > 5
            return
    pytest.fail("the append never came to its end")


def test_a_staged_partial_tile_with_other_contents_does_not_poison(tmp_path: Path):
    fill(open_log(tmp_path), 4)
    crashed = Log.open(CrashingStore(tmp_path, 5), SIGNER, origin=ORIGIN, clock=ticking_clock())
    with pytest.raises(Crash):
        crashed.append([drift(1)])
    staged = (tmp_path / "tile/entries/000.p/5").read_bytes(), (tmp_path / "tile/0/000.p/5").read_bytes()
    log = open_log(tmp_path)
    assert (log.size, log.verify().ok) == (4, True)
    log.append([drift(2)])
    assert (tmp_path / "tile/entries/000.p/5").read_bytes() != staged[0]
    assert (tmp_path / "tile/0/000.p/5").read_bytes() != staged[1]
    assert open_log(tmp_path).verify().ok
    assert not (tmp_path / ".staging").exists() or not list((tmp_path / ".staging").iterdir())


def _kill_once(directory: Path, name: str, wait_for: int) -> list[str]:
    """Start a writer, kill it a random moment after so many lines; the lines that came out whole."""
    command = [sys.executable, str(HERE / "audit_writer.py"), str(directory), name]
    environment = {**os.environ, "PYTHONPATH": f"{HERE}{os.pathsep}{HERE.parent}"}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, env=environment)
    assert process.stdout
    said = [process.stdout.readline() for _ in range(wait_for)]
    select.select([], [], [], random.random() * 0.01)  # noqa: S311  a moment anywhere in an append
    process.kill()
    said += process.stdout.readlines()
    process.wait()
    return [line.decode().strip() for line in said if line.endswith(b"\n")]


def test_killed_writers_lose_and_double_nothing(tmp_path: Path):
    reported: list[str] = []
    for number in range(KILLS):
        reported += _kill_once(tmp_path / "log", f"w{number}", random.choice((1, 2, 5, 30)))  # noqa: S311
        open_log(tmp_path / "log")
    log = open_log(tmp_path / "log")
    report = log.verify()
    assert report.ok, report.findings
    logged = [f"{index} {entry.objects[0]}" for index, entry in log.entries()]  # type: ignore[attr-defined]
    names = [line.split()[1] for line in logged]
    assert set(reported) <= set(logged)
    assert len(names) == len(set(names))
    assert len(reported) >= KILLS


_LIBC = ctypes.CDLL(None, use_errno=True)
_MS_RDONLY, _MS_REMOUNT = 1, 32


def _mount(path: Path, flags: int, options: str) -> None:
    if _LIBC.mount(b"tmpfs", str(path).encode(), b"tmpfs", flags, options.encode()):
        pytest.skip(f"no tmpfs may be mounted here ({os.strerror(ctypes.get_errno())})")


@contextmanager
def small_disk(path: Path, size: str = "256k") -> Iterator[Path]:
    """A tmpfs of its own size; needs root."""
    path.mkdir()
    _mount(path, 0, f"size={size}")
    try:
        yield path
    finally:
        _LIBC.umount2(str(path).encode(), 2)


@contextmanager
def file_size_limit(size: int) -> Iterator[None]:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_full_disk_publishes_nothing_and_the_log_goes_on_after_it(tmp_path: Path):
    with small_disk(tmp_path / "disk") as disk:
        log = open_log(disk / "log")
        with pytest.raises(
            LogStorageError, match=r"FW1806: cannot write .*No space left.*nothing was published"
        ):
            while True:
                log.append([drift(log.size, 20)])
        size = log.size
        assert size > 3
        again = open_log(disk / "log")
        assert (again.size, again.root, again.verify().ok) == (size, log.root, True)
        _mount(disk, _MS_REMOUNT, "size=2m")
        assert log.append([drift()]) == range(size, size + 1)
        assert open_log(disk / "log").verify().ok


def test_a_read_only_disk_can_be_read_and_refuses_an_append(tmp_path: Path):
    with small_disk(tmp_path / "disk") as disk:
        fill(open_log(disk / "log"), 9)
        _mount(disk, _MS_REMOUNT | _MS_RDONLY, "")
        log = open_log(disk / "log", state_cache=disk / "state.json")
        assert (log.state().size, log.verify().ok) == (9, True)
        with pytest.raises(LogStorageError, match="Read-only"):
            log.append([drift()])
        assert log.size == 9


def test_a_limit_on_file_sizes_publishes_nothing(tmp_path: Path):
    log = open_log(tmp_path)
    fill(log, 9)
    kept = files_of(tmp_path)
    with file_size_limit(2000), pytest.raises(LogStorageError, match="File too large"):
        log.append([drift(1, 40)] * 3)
    assert files_of(tmp_path).items() >= kept.items()
    assert open_log(tmp_path).root == log.root
    log.append([drift(1, 40)] * 3)
    assert open_log(tmp_path).verify().ok


def test_a_file_in_the_way(tmp_path: Path):
    (tmp_path / "log").write_text("a file, not a directory")
    log = open_log(tmp_path / "log")
    with pytest.raises(LogStorageError):
        log.append([trust()])


def test_a_writer_that_holds_the_log_too_long_is_a_conflict(tmp_path: Path):
    class Impatient(DirectoryStore):
        lock_seconds = 0.05

        def publish(
            self, base: bytes, checkpoint: bytes, files: Mapping[str, bytes], drop: Sequence[str]
        ) -> None:
            with DirectoryStore(self.root)._lock():
                super().publish(base, checkpoint, files, drop)

    fill(open_log(tmp_path), 2)
    log = Log.open(Impatient(tmp_path), SIGNER, origin=ORIGIN, clock=ticking_clock())
    with pytest.raises(LogConflictError, match="held the log"):
        log.append([drift()])
    assert open_log(tmp_path).append([drift()]) == range(2, 3)
