"""The benchmarks at a small size, beside the real tools of others; what they measure is not asserted."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from reconciler.trust.keys import ReconcilerKey
from tools.bench import commits, logs
from tools.bench.fleets import make
from tools.bench.history import grow, life
from tools.bench.logs import LogBench
from tools.bench.measure import Figure, peak_of
from tools.bench.others import Others
from tools.bench.page import HEAD, put, section

BIN = Path(sys.executable).parent


@pytest.fixture
def bench(tmp_path: Path) -> LogBench:
    """Whose reference is not built yet."""
    return LogBench(tmp_path, Others(tmp_path / "none"), ReconcilerKey.from_seed(logs.SEED))


@pytest.fixture(scope="module")
def others(tmp_path_factory: pytest.TempPathFactory) -> Others:
    """The references, built in seconds from Go's own caches."""
    return Others.build(tmp_path_factory.mktemp("others"))


def test_a_part_that_is_measured_again_replaces_its_own_section_only():
    page = put(put("", "Members", "| old |"), "Written by hand", "as it is")
    measured = section([Figure("append", 12.0, unit="entries/s", ratio=0.5, against="theirs")], "- a note")
    again = put(page, "Members", measured)
    assert again.startswith(HEAD)
    assert "| append | 12.0 entries/s | 0.50x | theirs |  |\n\n- a note\n\n## Written by hand" in again
    assert again.endswith("## Written by hand\n\nas it is\n")
    assert "old" not in again


def test_the_page_is_as_it_would_be_written():
    page = (Path(__file__).resolve().parents[2] / "docs/benchmarks.md").read_text()
    title, body = page.split("\n## ")[1].split("\n", 1)
    assert put(page, title, body.strip()) == page


def test_what_the_log_is_filled_with_is_a_life_that_it_accepts(bench: LogBench):
    log = bench.new("long")
    grow(log, life(str(bench.vkey)), 41, 7)
    report = log.verify()
    assert (report.findings, report.entries, report.bodies) == ((), 41, 20)
    assert (report.completeness.writes, report.completeness.share) == (30, 1.0)


def test_a_process_is_not_as_large_as_who_measures_it(tmp_path: Path):
    held = b"x" * (300 << 20)
    assert peak_of((sys.executable, "-c", "pass"), {}, tmp_path) < 150
    assert peak_of((sys.executable, "-c", "b'x' * (200 << 20)"), {}, tmp_path) > 200
    assert len(held) > 0
    with pytest.raises(RuntimeError):
        peak_of(("false",), {"PATH": "/bin:/usr/bin"}, tmp_path)


@pytest.mark.real
@pytest.mark.xdist_group("logcheck")
def test_the_log_is_measured_beside_others_code(bench: LogBench, others: Others):
    whole = LogBench(bench.folder, others, bench.key)
    grow(whole.new("long"), life(str(whole.vkey)), 300, 100)
    figures = [
        *logs.append_figures(whole, 10, 30),
        *logs.verify_figures(whole, "long"),
        *logs.proof_figures(whole, "long", 20),
    ]
    assert len(figures) == 6
    assert all(figure.value > 0 and figure.ratio for figure in figures)


@pytest.mark.real
@pytest.mark.xdist_group("logcheck")
def test_a_log_that_is_not_whole_is_not_measured(bench: LogBench, others: Others):
    grow(bench.new("long"), life(str(bench.vkey)), 300, 100)
    log = bench.folder / "long" / "log"
    with pytest.raises(RuntimeError):
        logs.audit_verify(bench, "long", 301)
    (log / "tile/entries/000").write_bytes(b"\0\0" * 256)
    with pytest.raises(RuntimeError):
        logs.audit_verify(bench, "long", 300)
    with pytest.raises(RuntimeError):
        others.fsck(log, str(bench.vkey))
    with pytest.raises(RuntimeError):
        others.prove(log, str(bench.vkey), 3)


@pytest.mark.real
def test_commits_are_verified_by_ours_and_by_git_before_they_are_measured(tmp_path: Path):
    fleet = make(tmp_path, BIN, {})
    base, found = commits.history(fleet, 3)
    with pytest.raises(RuntimeError):
        commits.verified(fleet, found)  # nobody is allowed to sign yet
    commits.allow(fleet)
    assert commits.explained(fleet, base, 3) > 0
    assert commits.verified(fleet, found) > 0
    assert commits.logged(fleet, base, 3) > 0
    fleet.write("README.md", "unsigned\n")
    fleet.git("add", "-A")
    fleet.git("-c", "commit.gpgsign=false", "commit", "-q", "-m", "unsigned")
    for measured in (commits.explained, commits.logged):
        with pytest.raises(RuntimeError):
            measured(fleet, base, 4)
