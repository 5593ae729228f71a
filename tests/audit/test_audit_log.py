"""Opening, appending, reading, proving and verifying a log in a directory."""

import json
import shutil
from dataclasses import replace
from itertools import islice
from pathlib import Path

import pytest
from audit_helpers import (
    DAMAGES,
    ORIGIN,
    SIGNER,
    KeySigner,
    a_run,
    accepted,
    damaged_copy,
    drift,
    files_of,
    fill,
    intent,
    open_log,
    ticking_clock,
    trust,
)

from reconciler.audit.checkpoint import Checkpoint, open_checkpoint, sign_checkpoint
from reconciler.audit.codes import (
    CODES,
    BodyError,
    EntryError,
    LogBehindError,
    LogConflictError,
    LogDamagedError,
    LogForkedError,
    LogFormatError,
    LogReadOnlyError,
    LogSignatureError,
    ProofError,
)
from reconciler.audit.entry import digest_of
from reconciler.audit.log import Log
from reconciler.audit.merkle import check_consistency, check_inclusion, leaf_hash
from reconciler.audit.note import VerifierKey
from reconciler.audit.proof import check_proof
from reconciler.audit.store_directory import DirectoryStore
from reconciler.errors import AuditError

KEY = VerifierKey(ORIGIN, SIGNER.public_key)


def test_a_log_that_was_never_written(tmp_path: Path):
    log = open_log(tmp_path / "none")
    assert (log.size, log.checkpoint, list(log.entries()), log.verify().ok) == (0, b"", [], True)
    assert log.append([]) == range(0)
    assert not (tmp_path / "none").exists()


def test_append_read_and_open_again(tmp_path: Path):
    log = open_log(tmp_path)
    body = b"the change set"
    assert log.append([trust(), accepted(2, 1)]) == range(2)
    assert log.append([intent("a", 1, body, 2)], {digest_of(body): body}) == range(2, 3)
    again = open_log(tmp_path)
    assert (again.size, again.root, again.checkpoint) == (3, log.root, log.checkpoint)
    assert [entry.kind for _, entry in again.entries()] == ["trust-initialized", "commit-accepted", "intent"]
    assert [index for index, _ in again.entries(1, 2)] == [1]
    assert again.body(digest_of(body)) == body
    assert again.entry(0).time and again.entry(0).time.isoformat() == "2026-01-01T00:00:00+00:00"
    assert open_checkpoint(log.checkpoint, ORIGIN, [KEY]) == Checkpoint(ORIGIN, 3, log.root)
    assert VerifierKey.parse(log.vkey) == KEY


@pytest.mark.parametrize("batch", [1, 7, 255, 256, 257, 600])
def test_the_tree_does_not_depend_on_the_batches(tmp_path: Path, batch: int):
    one, other = open_log(tmp_path / "one"), open_log(tmp_path / "other")
    entries = [replace(drift(n), time=ticking_clock()()) for n in range(600)]
    one.append(entries)
    for at in range(0, 600, batch):
        other.append(entries[at : at + batch])
    assert one.root == other.root
    kept = files_of(tmp_path / "one")
    assert kept.items() <= files_of(tmp_path / "other").items()
    assert open_log(tmp_path / "other").verify().ok


def test_partial_tiles_go_when_the_full_one_is_there(tmp_path: Path):
    log = open_log(tmp_path)
    for _ in range(3):
        log.append([drift()] * 100)
    tiles = ["tile/0/000", "tile/0/001.p/44", "tile/1/000.p/1"]
    assert sorted(files_of(tmp_path)) == ["checkpoint", *tiles, "tile/entries/000", "tile/entries/001.p/44"]


def test_a_reader_goes_on_while_a_writer_replaces_its_partial_tiles(tmp_path: Path):
    fill(open_log(tmp_path), 200)
    reader = open_log(tmp_path)
    root = reader.root
    fill(open_log(tmp_path), 300)
    assert not (tmp_path / "tile/0/000.p").exists()
    assert len(list(reader.entries())) == 200
    leaf = leaf_hash(reader.raw(7))
    check_inclusion(leaf, 7, 200, reader.inclusion_proof(7), root)


def test_proofs(tmp_path: Path):
    log = open_log(tmp_path)
    heads = []
    for size in (1, 200, 256, 300, 700):
        fill(log, size)
        heads.append((log.size, log.root))
    log = open_log(tmp_path)
    for index in (0, 1, 255, 256, 511, 699):
        leaf = leaf_hash(log.raw(index))
        check_inclusion(leaf, index, 700, log.inclusion_proof(index), log.root)
        assert check_proof(log.proof(index, b"x"), log.raw(index), ORIGIN, [KEY]) == index
    for size, root in heads:
        assert log.root_at(size) == root
        check_consistency(size, root, 700, log.root, log.consistency_proof(size))
    for ask in (lambda: log.inclusion_proof(700), lambda: log.consistency_proof(701)):
        with pytest.raises(ProofError):
            ask()
    with pytest.raises(EntryError):
        log.raw(-1)


def test_bodies_must_be_there_and_have_their_digest(tmp_path: Path):
    log = open_log(tmp_path)
    log.append([trust()])
    with pytest.raises(BodyError, match="missing"):
        log.append([intent("a", 1, b"x")])
    with pytest.raises(BodyError, match="digest"):
        log.append([intent("a", 1, b"x")], {digest_of(b"x"): b"y"})
    log.append([intent("a", 1, b"x")], {digest_of(b"x"): b"x"})
    log.append([intent("a", 2, b"x")])  # the log has it
    body = next(path for path in (tmp_path / "bodies").rglob("*") if path.is_file())
    body.write_bytes(b"y")
    with pytest.raises(BodyError, match="altered"):
        log.body(digest_of(b"x"))
    for name in ("../checkpoint", "sha256:" + "A" * 64, "sha256:" + "a" * 63, "sha256:" + "é" * 64):
        with pytest.raises(BodyError, match="not a body"):
            log.body(name)


def test_without_a_signer_the_log_is_read_only(tmp_path: Path):
    fill(open_log(tmp_path), 3)
    log = Log.open(
        DirectoryStore(tmp_path), None, origin=ORIGIN, clock=ticking_clock(), public_keys=[SIGNER.public_key]
    )
    assert (log.size, log.verify().ok) == (3, True)
    with pytest.raises(LogReadOnlyError):
        log.append([drift()])


def test_keys_and_origins(tmp_path: Path):
    fill(open_log(tmp_path), 3)
    other = KeySigner(b"o" * 32)

    def open_with(signer: KeySigner | None, *public_keys: bytes, origin: str = ORIGIN) -> Log:
        store = DirectoryStore(tmp_path)
        return Log.open(store, signer, origin=origin, clock=ticking_clock(), public_keys=public_keys)

    for refused in (
        lambda: open_with(other),
        lambda: open_with(None),
        lambda: open_with(SIGNER, origin="x.example"),
    ):
        with pytest.raises(LogSignatureError):
            refused()
    with pytest.raises(LogFormatError):
        open_with(SIGNER, origin="a b")
    rotated = open_with(other, SIGNER.public_key)
    rotated.append([drift()])
    assert open_with(None, other.public_key).verify().ok
    with pytest.raises(LogSignatureError):
        open_with(SIGNER)


def test_the_second_of_two_writers_is_refused_and_nothing_is_lost(tmp_path: Path):
    one, two = open_log(tmp_path), open_log(tmp_path)
    one.append([trust()])
    with pytest.raises(LogConflictError, match="FW1804"):
        two.append([drift()])
    with pytest.raises(LogConflictError, match="out of date"):
        two.append([drift()])
    again = open_log(tmp_path)
    again.append([drift()])
    with pytest.raises(LogConflictError):
        one.append([drift()])
    assert [entry.kind for _, entry in open_log(tmp_path).entries()] == ["trust-initialized", "drift"]


def test_a_log_behind_or_beside_what_a_member_proves(tmp_path: Path):
    log = open_log(tmp_path)
    log.append([trust(), intent("a", 1, b"x"), intent("b", 1, b"y")], {digest_of(x): x for x in (b"x", b"y")})
    log.require_at_least("a", 1, digest_of(b"x"))
    assert log.covers(1, digest_of(b"x"))
    assert not log.covers(1, digest_of(b"y"))
    assert not log.covers(0, digest_of(b"x"))
    assert not log.covers(3, digest_of(b"x"))
    with pytest.raises(LogBehindError, match=r"FW1810: a: .*restore") as behind:
        log.require_at_least("a", 3, digest_of(b"x"))
    assert not isinstance(behind.value, LogForkedError)
    for cluster, index, body in (("a", 1, b"y"), ("b", 1, b"x"), ("a", 0, b"x")):
        with pytest.raises(LogForkedError):
            log.require_at_least(cluster, index, digest_of(body))


def test_batches_are_bounded(tmp_path: Path):
    with pytest.raises(EntryError, match="too many"):
        open_log(tmp_path).append([drift()] * 100_001)


SIZE = 1200


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("whole") / "log"
    fill(open_log(root), SIZE)
    return root


# One file of each kind: newest and old, full and partial.
KINDS_OF_FILES = ["checkpoint", "tile/0/000", "tile/0/004.p/176", "tile/1/000.p/4", "tile/entries/000"]
KINDS_OF_FILES += ["tile/entries/002", "tile/entries/004.p/176", "body"]


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("name", KINDS_OF_FILES)
def test_every_damage_is_found(whole: Path, tmp_path: Path, name: str, damage: str):
    path = damaged_copy(whole, tmp_path / "log", name, damage)
    try:
        report = open_log(tmp_path / "log").verify()
    except AuditError as error:
        assert error.code in CODES
        assert error.hint
        return
    relative = str(path.relative_to(tmp_path / "log"))
    assert relative in {finding.subject for finding in report.findings}
    assert all(finding.code in CODES and finding.hint for finding in report.findings)


def test_the_undamaged_log_is_whole_and_counted(whole: Path):
    report = open_log(whole).verify()
    assert (report.findings, report.size, report.entries) == ((), SIZE, SIZE)
    assert report.bodies == sum(entry.kind == "intent" for entry, _ in islice(a_run(), SIZE))


def test_reading_finds_an_altered_file_at_once(whole: Path, tmp_path: Path):
    for number, name in enumerate(("tile/entries/002", "tile/0/002")):
        root = tmp_path / str(number)
        damaged_copy(whole, root, name, "flipped middle")
        log = open_log(root)
        with pytest.raises(LogDamagedError):
            list(log.entries(512, 768))
        log.entry(1100)


def test_a_swapped_entry_with_a_tile_to_match_is_found(whole: Path, tmp_path: Path):
    """Someone with the store but not the key rewrites an entry and its leaf hash."""
    shutil.copytree(whole, tmp_path / "log")
    bundle, tile = tmp_path / "log/tile/entries/003", tmp_path / "log/tile/0/003"
    data = bundle.read_bytes()
    length = int.from_bytes(data[:2], "big")
    entry = data[2 : 2 + length].replace(b'"actor":"ci"', b'"actor":"me"')
    bundle.write_bytes(data[:2] + entry + data[2 + length :])
    tile.write_bytes(leaf_hash(entry) + tile.read_bytes()[32:])
    log = open_log(tmp_path / "log")
    assert {finding.code for finding in log.verify().findings} >= {"FW1820", "FW1825"}
    with pytest.raises(LogDamagedError):
        log.entry(768)


def test_an_entry_rewritten_in_its_bundle_alone_is_named(whole: Path, tmp_path: Path):
    shutil.copytree(whole, tmp_path / "log")
    bundle = tmp_path / "log/tile/entries/003"
    bundle.write_bytes(bundle.read_bytes().replace(b'"actor":"ci"', b'"actor":"me"', 1))
    findings = open_log(tmp_path / "log").verify().findings
    assert [(finding.code, finding.subject) for finding in findings] == [
        ("FW1821", "tile/entries/003"),
        ("FW1825", "checkpoint"),
    ]
    assert "entry 768 is not" in findings[0].message


def test_a_missing_checkpoint_is_damage_and_never_a_new_log(tmp_path: Path):
    log = open_log(tmp_path)
    fill(log, 5)
    (tmp_path / "checkpoint").unlink()
    with pytest.raises(LogDamagedError, match="no checkpoint"):
        open_log(tmp_path)
    with pytest.raises(LogConflictError):
        log.append([drift()])


def test_a_checkpoint_that_signs_another_root_is_refused(tmp_path: Path):
    fill(open_log(tmp_path), 300)
    (tmp_path / "checkpoint").write_bytes(sign_checkpoint(Checkpoint(ORIGIN, 300, bytes(32)), SIGNER))
    with pytest.raises(LogDamagedError, match="right edge"):
        open_log(tmp_path)


def test_a_checkpoint_moved_back_is_seen_by_verify(tmp_path: Path):
    log = open_log(tmp_path)
    fill(log, 5)
    old = log.checkpoint
    fill(log, 9)
    (tmp_path / "checkpoint").write_bytes(old)
    assert [finding.code for finding in log.verify().findings] == ["FW1826"]


def test_an_invalid_entry_and_one_out_of_order_are_findings(tmp_path: Path):
    """Written by a foreign hand that has the key."""
    log = open_log(tmp_path)
    log.append([trust()])
    rogue = json.dumps({"kind": "x"}).encode()
    frontier = log._frontier.copy()
    files: dict[str, bytes] = {}
    log._add_tree_files(files, frontier, [rogue])
    log._publish(SIGNER, frontier, files, ())
    report = open_log(tmp_path).verify()
    assert [finding.code for finding in report.findings] == ["FW1822"]
    assert (report.size, report.entries) == (2, 1)
    with pytest.raises(EntryError):
        open_log(tmp_path).state()


def test_codes_are_documented():
    from reconciler.audit import codes

    classes = [c for c in vars(codes).values() if isinstance(c, type) and issubclass(c, AuditError)]
    assert {c.code for c in classes} <= set(CODES)
    assert len({c.code for c in classes}) == len(classes)
    assert all(code.startswith("FW18") and meaning and todo for code, (meaning, todo) in CODES.items())
