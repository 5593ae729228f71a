"""The log: appends, all of it verified, proofs made and checked; beside others' code at the same work."""

from __future__ import annotations

import json
import os
import shutil
import statistics
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count, islice
from pathlib import Path

from reconciler.audit.entry import encode, stamp
from reconciler.audit.log import Log
from reconciler.audit.note import VerifierKey, format_signer_key
from reconciler.audit.proof import check_proof
from reconciler.audit.store_directory import DirectoryStore
from reconciler.audit.tiles import encode_bundle
from reconciler.audit.view import LogView
from reconciler.surfaces.cli.run import collect_rarely
from reconciler.surfaces.signing import ORIGIN
from reconciler.trust.keys import ReconcilerKey
from tools.bench.history import Logged, drifts, grow, life
from tools.bench.measure import Figure, alternate, peak_of, process, timed
from tools.bench.offline import BIN
from tools.bench.others import Others

APPENDS = {1: 100, 100: 5000, 1000: 20_000}  # batch -> entries
APPEND_RUNS = 5
VERIFY_RUNS = 3
PROOF_RUNS = 5
PROOFS = 1000
BUILD_BATCH = 20_000
SEED = bytes(range(32))
VERIFY = ("fleetward", "audit", "verify", "--output", "json")


@dataclass(frozen=True, slots=True)
class LogBench:
    """Where logs are made, with which key, and whose code they are held against."""

    folder: Path
    others: Others
    key: ReconcilerKey

    @property
    def vkey(self) -> VerifierKey:
        """The logs' public key."""
        return VerifierKey(ORIGIN, self.key.public_key)

    def new(self, name: str) -> Log:
        """An empty log in a folder of that name, opened as the command line opens its own."""
        root = self.folder / name
        shutil.rmtree(root, ignore_errors=True)
        root.mkdir(parents=True)
        return Log.open(
            DirectoryStore(root / "log"), self.key, origin=ORIGIN, clock=lambda: datetime.now(UTC),
            state_cache=root / "log-state.json",
        )  # fmt: skip

    def view(self, name: str) -> LogView:
        """The log of that name, for reading."""
        store = DirectoryStore(self.folder / name / "log")
        return LogView(store, origin=ORIGIN, public_keys=[self.key.public_key])

    def environment(self, name: str) -> Mapping[str, str]:
        """In which ``fleetward`` knows of nothing but that log."""
        clean = {k: v for k, v in os.environ.items() if not k.startswith(("FLEETWARD_", "GIT_"))}
        return clean | {
            "PATH": os.pathsep.join((str(BIN), os.environ["PATH"])),
            "FLEETWARD_LOG": str(self.folder / name / "log"),
            "FLEETWARD_PUBLIC_KEY": str(self.vkey),
            "FLEETWARD_STATE": str(self.folder / name),
            "FLEETWARD_CACHE": str(self.folder / "cache"),
        }


def log_figures(folder: Path, entries: int) -> list[Figure]:
    """Everything about the log; ``entries`` is how long the one is that is verified and proven from."""
    collect_rarely()  # as the command line does
    bench = LogBench(folder, Others.build(folder), ReconcilerKey.from_seed(SEED))
    figures = [figure for batch, total in APPENDS.items() for figure in append_figures(bench, batch, total)]
    log = bench.new("long")
    grow(log, life(str(bench.vkey)), entries, BUILD_BATCH)
    return [*figures, *verify_figures(bench, "long"), *proof_figures(bench, "long", PROOFS)]


def append_figures(bench: LogBench, batch: int, total: int) -> list[Figure]:
    """``total`` entries without bodies, ``batch`` under one checkpoint; in turn, each into a new log."""
    pairs = list(islice(drifts(), total))
    rows = [encode(stamp(entry, datetime.now(UTC))) for entry, _ in pairs]
    bundle = bench.folder / "entries"
    bundle.write_bytes(encode_bundle(rows))
    skey = format_signer_key(ORIGIN, SEED, bench.key.public_key)
    fresh = count()
    own, tessera, floor = alternate(
        APPEND_RUNS,
        lambda: append(bench, pairs, batch),
        lambda: bench.others.append(bench.folder / f"tessera-{batch}-{next(fresh)}", skey, bundle, batch),
        lambda: plain(bench.folder / "plain", rows, batch),
    )
    what = f"durable append, {batch} at a time" if batch > 1 else "durable append, one at a time"
    rate = total / own
    return [
        Figure(what, rate, unit="entries/s", ratio=own / tessera, against="tessera's POSIX driver"),
        Figure(what, rate, unit="entries/s", ratio=own / floor, against="write and fsync of the same bytes"),
    ]


def append(bench: LogBench, pairs: list[Logged], batch: int) -> float:
    """Seconds of our own."""
    log = bench.new("append")
    return timed(lambda: grow(log, iter(pairs), len(pairs), batch))


def plain(path: Path, rows: list[bytes], batch: int) -> float:
    """Seconds to make the same bytes durable in one file: no tree, no signature, no names."""

    def write() -> None:
        for at in range(0, len(rows), batch):
            file.write(b"".join(rows[at : at + batch]))
            file.flush()
            os.fsync(file.fileno())

    with path.open("wb") as file:
        return timed(write)


def verify_figures(bench: LogBench, name: str) -> list[Figure]:
    """``audit verify`` as a process beside tessera's fsck as a process: seconds, and memory at its most."""
    log, vkey, size = bench.folder / name / "log", str(bench.vkey), bench.view(name).size
    own, other = alternate(
        VERIFY_RUNS,
        lambda: audit_verify(bench, name, size),
        lambda: bench.others.fsck(log, vkey).seconds,
    )
    peak = peak_of(VERIFY, bench.environment(name), bench.folder)
    other_peak = peak_of(bench.others.fsck_command(log, vkey), {}, log)
    what = f"`audit verify`, {size} entries"
    against = "tessera's fsck, all cores, hashes only"
    return [
        Figure(what, own, ratio=own / other, against=against),
        Figure(f"{what}: peak memory", peak, unit="MiB", ratio=peak / other_peak, against=against),
    ]


def audit_verify(bench: LogBench, name: str, size: int) -> float:
    """Seconds of one ``audit verify``. Raises RuntimeError unless the log is whole."""
    done = process(VERIFY, bench.environment(name), bench.folder)
    if done.code != 0 or json.loads(done.output)["entries"] != size:
        raise RuntimeError(done.output[-2000:])
    return done.seconds


def proof_figures(bench: LogBench, name: str, number: int) -> list[Figure]:
    """tlog-proofs spread over the log, made from a log that was just opened, and checked from their bytes."""
    log, vkey = bench.folder / name / "log", str(bench.vkey)
    view = bench.view(name)
    indices = [n * (view.size // number) for n in range(number)]
    entries = [view.raw(index) for index in indices]
    rounds = [
        (*prove(bench, name, indices, entries), *bench.others.prove(log, vkey, number))
        for _ in range(PROOF_RUNS + 1)
    ][1:]
    made, checked, their_made, their_checked = (
        statistics.median(column) / number for column in zip(*rounds, strict=True)
    )
    against = "golang.org/x/mod/sumdb/tlog"
    return [
        Figure(f"a tlog-proof made, {view.size} entries", made * 1000, unit="ms", ratio=made / their_made,
               against=against),
        Figure(f"a tlog-proof checked, {view.size} entries", checked * 1000, unit="ms",
               ratio=checked / their_checked, against=against),
    ]  # fmt: skip


def prove(bench: LogBench, name: str, indices: list[int], entries: list[bytes]) -> tuple[float, float]:
    """Seconds to make the proofs, and to check them."""
    view = bench.view(name)
    proofs: list[bytes] = []
    made = timed(lambda: proofs.extend(view.proof(index) for index in indices))

    def check() -> None:
        for proof, entry, index in zip(proofs, entries, indices, strict=True):
            assert check_proof(proof, entry, ORIGIN, [bench.vkey]) == index

    return made, timed(check)
