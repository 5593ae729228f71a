"""Verification of a whole log: every file is read, nothing is believed, all findings are collected.

Rules: from the top down, each tile must be what the one above it vouches for, so a finding names the very
file that is wrong; bundles must match their tiles, entries their schema and the state before them, bodies
their digests. Then the root is computed again from the entries alone and compared with the checkpoint.
From a later ``start`` only the tiles, entries and bodies from there on are read (``since``). A tile of level
0 is held only while its bundle is verified: of a tree's hashes, one in 256 stays in memory.

``fleetward audit verify`` prints the report; ``report.ok`` decides its exit code.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from reconciler.audit import codes
from reconciler.audit.assumed import Past
from reconciler.audit.checkpoint import PATH
from reconciler.audit.codes import BodyFormatError, EntryError, LogDamagedError, LogStorageError
from reconciler.audit.completeness import Completeness, Tally
from reconciler.audit.entry import CommitAccepted, Entry, Intent, KeyRotated, Outcome, decode, digest_of
from reconciler.audit.frontier import Frontier, partial_levels
from reconciler.audit.merkle import leaf_hash, root_of, tree_root
from reconciler.audit.note import MAX_NOTE
from reconciler.audit.provenance import read_provenance
from reconciler.audit.reader import TreeReader, load_bundle, load_tile
from reconciler.audit.state import LogState, advance, problem
from reconciler.audit.store import MAX_BODY, Store, body_path
from reconciler.audit.tiles import WIDTH, bundle_path, tile_path, width_of
from reconciler.model import Finding, SourceRef

MAX_FINDINGS = 1000
_Level = dict[int, list[bytes] | None]


@dataclass(frozen=True, slots=True)
class VerifyReport:
    """What was verified, from entry ``start``: ``entries`` and ``bodies`` are counts.

    ``root`` is the checkpoint's, 32 bytes; ``completeness`` is that of what could be read.
    """

    size: int
    root: bytes
    findings: tuple[Finding, ...]
    entries: int
    bodies: int
    start: int
    completeness: Completeness

    @property
    def ok(self) -> bool:
        """Nothing was found."""
        return not self.findings


@dataclass(slots=True)
class _Run:
    store: Store
    frontier: Frontier
    tree: TreeReader
    past: Past
    state: LogState | None
    findings: list[Finding] = field(default_factory=list)
    entries: int = 0
    seen: set[str] = field(default_factory=set)
    tally: Tally = field(default_factory=Tally)

    @classmethod
    def of(cls, store: Store, frontier: Frontier, start: int) -> _Run:
        tree = TreeReader(store, frontier)
        past = Past(start, lambda index: _earlier(run, tree, index))
        run = cls(store, frontier, tree, past, LogState(size=start))
        return run

    def report(self, code: str, path: str, message: str) -> None:
        if len(self.findings) < MAX_FINDINGS:
            hint = codes.CODES[code][1]
            self.findings.append(Finding(code, message, SourceRef(path), subject=path, hint=hint))


def verify_log(store: Store, checkpoint: bytes, frontier: Frontier, start: int = 0) -> VerifyReport:
    """Verify the log whose signed ``checkpoint`` and right edge were verified when it was opened."""
    run = _Run.of(store, frontier, start)
    if (store.read(PATH, MAX_NOTE) or b"") != checkpoint:
        run.report(codes.CHECKPOINT_CHANGED, PATH, "the checkpoint has changed since the log was opened")
    above = _verify_upper_tiles(run)
    again = Frontier()
    for n in range(start // WIDTH, (frontier.size + WIDTH - 1) // WIDTH):
        full = width_of(0, n, frontier.size) == WIDTH
        leaves = _verify_tile(run, 0, n, above) if full else _verify_edge(run, 0, n)
        _verify_bundle(run, n, leaves, again)
    if start == 0 and again.size == frontier.size and again.root() != frontier.root():
        run.report(codes.ROOT_DIFFERS, PATH, "the root recomputed from the entries is another")
    return VerifyReport(
        frontier.size,
        frontier.root(),
        tuple(run.findings),
        run.entries,
        len(run.seen),
        start,
        run.tally.result(),
    )


def _verify_upper_tiles(run: _Run) -> _Level:
    """The tiles over ``start`` and later, from the top down to level 1; its hashes, if known."""
    above: _Level = {}
    for level, partial, _ in reversed(list(partial_levels(run.frontier.size))[1:]):
        first = run.past.start >> 8 * (level + 1)
        here: _Level = {n: _verify_tile(run, level, n, above) for n in range(first, partial)}
        if run.frontier.edges[level]:
            here[partial] = _verify_edge(run, level, partial)
        above = here
    return above


def _verify_tile(run: _Run, level: int, n: int, above: _Level) -> list[bytes] | None:
    """A full tile's hashes if they are right; a tile that is wrong leaves those below it without a judge."""
    parent = above.get(n // WIDTH)
    try:
        hashes = load_tile(run.store, level, n, WIDTH)
        if parent is None or root_of(hashes) == parent[n % WIDTH]:
            return hashes
        run.report(
            codes.TILE_DAMAGED, tile_path(level, n), "the tile is not what the tile above it vouches for"
        )
    except (LogDamagedError, LogStorageError) as error:
        run.report(codes.TILE_DAMAGED, tile_path(level, n), error.message)
    return None


def _verify_edge(run: _Run, level: int, n: int) -> list[bytes]:
    """A partial tile; its right hashes were verified with the root, so only the file can be wrong."""
    edge = run.frontier.edges[level]
    path = tile_path(level, n, len(edge))
    try:
        if load_tile(run.store, level, n, len(edge)) != edge:
            run.report(codes.TILE_DAMAGED, path, "the partial tile has changed since the log was opened")
    except (LogDamagedError, LogStorageError) as error:
        run.report(codes.TILE_DAMAGED, path, error.message)
    return edge


def _verify_bundle(run: _Run, n: int, expected: list[bytes] | None, again: Frontier) -> None:
    width = width_of(0, n, run.frontier.size)
    path = bundle_path(n, width)
    try:
        rows = load_bundle(run.store, n, width)
    except (LogDamagedError, LogStorageError) as error:
        run.report(codes.BUNDLE_DAMAGED, path, error.message)
        run.state = None  # what follows cannot be judged without what is missing
        return
    leaves = [leaf_hash(row) for row in rows]
    again.extend(leaves)
    for at, row in enumerate(rows):
        index = n * WIDTH + at
        if expected is not None and leaves[at] != expected[at]:
            run.report(codes.BUNDLE_DAMAGED, path, f"entry {index} is not the one that was logged")
        if index >= run.past.start:
            _verify_entry(run, path, index, row)


def _verify_entry(run: _Run, path: str, index: int, row: bytes) -> None:
    try:
        entry = decode(row)
    except EntryError as error:
        run.report(codes.ENTRY_INVALID, path, f"entry {index}: {error.message}")
        run.state = None
        return
    run.entries += 1
    if run.state is not None:
        if run.past.start:
            run.state = run.past.assume(run.state, entry)
        if reason := problem(run.state, index, entry):
            run.report(codes.ENTRY_OUT_OF_ORDER, path, f"entry {index}: {reason}")
        elif isinstance(entry, KeyRotated) and not _stands_here(run.tree, index, entry):
            what = f"entry {index}: the rotation is of a log with other entries before it"
            run.report(codes.ENTRY_OUT_OF_ORDER, path, what)
        run.state = advance(run.state, entry)
    _verify_bodies(run, index, entry)


def _stands_here(tree: TreeReader, index: int, entry: KeyRotated) -> bool:
    """Whether the root that the rotation's keys signed is that of the entries before it."""
    try:
        return tree_root(index, tree.node).hex() == entry.root
    except (LogDamagedError, LogStorageError):  # the damage is a finding of its own
        return True


def _earlier(run: _Run, tree: TreeReader, index: int) -> Entry | None:
    """The intent at ``index``, before the window; its writes are counted with its outcome."""
    path = bundle_path(index // WIDTH, width_of(0, index // WIDTH, run.frontier.size))
    try:
        entry = decode(tree.bundle(index // WIDTH)[index % WIDTH])
    except (LogDamagedError, LogStorageError, EntryError) as error:
        run.report(codes.BUNDLE_DAMAGED, path, f"entry {index}, which an outcome needs: {error.message}")
        return None
    if isinstance(entry, Intent):
        run.tally.intent(index, entry)
    return entry


def _verify_bodies(run: _Run, index: int, entry: Entry) -> None:
    bodies = {digest: _read_body(run, index, digest) for digest in entry.body_digests()}
    match entry:
        case Intent():
            run.tally.intent(index, entry)
        case Outcome():
            try:
                run.tally.outcome(entry, bodies.get(entry.body))
            except BodyFormatError as error:
                _report_form(run, index, entry.body, error)
                run.tally.outcome(entry, None)
        case CommitAccepted():
            try:
                for data in filter(None, bodies.values()):
                    read_provenance(data)
            except BodyFormatError as error:
                _report_form(run, index, entry.provenance, error)


def _report_form(run: _Run, index: int, digest: str, error: BodyFormatError) -> None:
    run.report(codes.BODY_INVALID, body_path(digest), f"the body of entry {index}: {error.message}")


def _read_body(run: _Run, index: int, digest: str) -> bytes | None:
    """The body, if it is whole; a body that several entries name is reported once."""
    path, known = body_path(digest), digest in run.seen
    run.seen.add(digest)
    try:
        data = run.store.read(path, MAX_BODY)
        what = "is missing" if data is None else "was altered" if digest_of(data) != digest else ""
    except LogStorageError as error:
        data, what = None, f"cannot be read: {error.message}"
    if what and not known:
        run.report(codes.BODY_DAMAGED, path, f"the body of entry {index} {what}")
    return None if what else data
