"""Witnesses over a real HTTP server: what is asked, published, shown and refused."""

import gzip
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from audit_helpers import ORIGIN, SIGNER, drift, fill, ticking_clock
from audit_s3 import S3Server, open_s3
from test_audit_git import open_git, remote  # noqa: F401  remote is a fixture
from witness_server import SIZE_TYPE, Answer, TestWitness, serve, text_of, three

from reconciler.audit.checkpoint import PATH
from reconciler.audit.codes import (
    CosignatureError,
    LogConflictError,
    LogFormatError,
    LogStorageError,
    NotWitnessedError,
    WitnessAheadError,
    WitnessForkError,
)
from reconciler.audit.cosign import RENEW, cosign
from reconciler.audit.cosignature import cosignatures
from reconciler.audit.log import Log
from reconciler.audit.note import VerifierKey, open_note, signature_line
from reconciler.audit.proof import check_proof
from reconciler.audit.store_directory import DirectoryStore
from reconciler.audit.view import LogView
from reconciler.audit.witness_policy import WitnessPolicy
from reconciler.audit.witnessed import WitnessReport, require_witnessed, witnessed

LOG_KEY = VerifierKey(ORIGIN, SIGNER.public_key)


def now() -> datetime:
    return datetime.now(UTC)


def directory_log(root: Path, *, store: DirectoryStore | None = None) -> Log:
    return Log.open(store or DirectoryStore(root), SIGNER, origin=ORIGIN, clock=ticking_clock())


def policy_of(*witnesses: TestWitness, quorum: int | None = None) -> WitnessPolicy:
    count = len(witnesses) if quorum is None else quorum
    return WitnessPolicy(tuple(each.witness for each in witnesses), count)


def ask(log: Log, policy: WitnessPolicy, timeout: float = 20.0) -> WitnessReport:
    return cosign(log, policy, clock=now, timeout=timeout)


def view_of(root: Path) -> LogView:
    return LogView(DirectoryStore(root), origin=ORIGIN, public_keys=[SIGNER.public_key])


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "log"


def test_every_witness_is_under_the_published_checkpoint(root: Path):
    witnesses = three()
    with serve(*witnesses):
        log = directory_log(root)
        fill(log, 5)
        plain = log.checkpoint
        report = ask(log, policy_of(*witnesses))
        assert (report.size, report.satisfied, report.missing, report.unpublished) == (5, True, (), None)
        assert [str(row.witness) for row in report.rows] == [each.name for each in witnesses]
        assert all(abs(row.time - now()) < timedelta(minutes=1) for row in report.cosigned if row.time)
        published = (root / PATH).read_bytes()
        assert published == log.checkpoint
        assert published.startswith(plain)
        assert require_witnessed(view_of(root), policy_of(*witnesses), now()) == report
        # Any reader that knows only the log's key, and any that knows only a witness's, opens it.
        for key in (LOG_KEY, *(each.witness.key for each in witnesses)):
            assert open_note(published, [key]).text.startswith(ORIGIN)
        assert check_proof(log.proof(3), log.raw(3), ORIGIN, [LOG_KEY]) == 3
        assert published in log.proof(3)


def test_one_request_a_run_from_the_size_that_was_cosigned(root: Path):
    witness = TestWitness()
    with serve(witness):
        for size in (1, 2, 255, 256, 257, 700):
            log = directory_log(root)
            fill(log, size)
            assert ask(log, policy_of(witness)).satisfied
            assert witness.head == (size, log.root)
        olds = [int(body.split(b"\n")[0][4:]) for body in witness.requests]
        assert olds == [0, 1, 2, 255, 256, 257]
        fill(log, 800)  # within one run as well
        ask(log, policy_of(witness))
        assert len(witness.requests) == 7


def test_a_witness_that_is_elsewhere_is_asked_again_from_there(root: Path):
    witness, other = three()[:2]
    with serve(witness, other):
        log = directory_log(root)
        fill(log, 5)
        ask(log, policy_of(witness))
        fill(log, 9)
        ask(log, policy_of(other))  # the first one's cosignature is not on the newest checkpoint
        log = directory_log(root)
        fill(log, 20)
        assert ask(log, policy_of(witness, other)).satisfied
        assert [int(body.split(b"\n")[0][4:]) for body in witness.requests] == [0, 0, 5]
        assert [int(body.split(b"\n")[0][4:]) for body in other.requests] == [0, 9]


def test_only_the_log_s_own_signatures_are_submitted(root: Path):
    witness = TestWitness()
    with serve(witness):
        log = directory_log(root)
        fill(log, 3)
        plain = log.checkpoint
        ask(log, policy_of(witness))
        ask(log, policy_of(witness))
        assert witness.requests[1] == b"old 3\n\n" + plain


def test_a_young_cosignature_is_not_replaced_and_an_old_one_is(root: Path):
    offset = -RENEW.total_seconds() - 100
    witness = TestWitness(now=lambda: time.time() + offset)
    with serve(witness):
        log = directory_log(root)
        fill(log, 3)
        ask(log, policy_of(witness))
        first = log.checkpoint
        offset += 60
        ask(log, policy_of(witness))
        assert log.checkpoint == first == (root / PATH).read_bytes()
        offset = 0
        report = ask(log, policy_of(witness))
        assert log.checkpoint != first
        assert len(log.checkpoint) == len(first)
        assert report.rows[0].time
        assert abs(report.rows[0].time - now()) < timedelta(minutes=1)


def test_an_append_asks_nobody(root: Path):
    witness = TestWitness()
    with serve(witness):
        log = directory_log(root)
        fill(log, 4)
        ask(log, policy_of(witness))
        asked = len(witness.requests)
        fill(log, 600, 50)
        assert len(witness.requests) == asked
        assert not witnessed(log.checkpoint, policy_of(witness), now()).satisfied


def test_a_log_that_was_never_written_is_not_submitted(root: Path):
    witness = TestWitness()
    with serve(witness):
        report = ask(directory_log(root), policy_of(witness))
        assert (report.size, report.satisfied, len(report.missing)) == (0, False, 1)
        assert witness.requests == []
    assert not root.exists()


def _hang(_: TestWitness, __: bytes) -> Answer:
    threading.Event().wait(30)
    return Answer(200)


def test_a_hanging_witness_costs_the_limit_and_is_shown(root: Path):
    good, slow, _ = three()
    slow.answer = _hang
    with serve(good, slow):
        log = directory_log(root)
        fill(log, 5)
        began = time.monotonic()
        report = ask(log, policy_of(slow, good, quorum=1), timeout=1.0)
        assert 1.0 <= time.monotonic() - began < 10
        assert [str(row.witness) for row in report.cosigned] == [good.name]
        assert [row.error.code for row in report.missing if row.error] == ["FW1831"]
        assert report.satisfied
        assert cosignatures((root / PATH).read_bytes(), [good.witness.key])
        with pytest.raises(NotWitnessedError, match="2 of") as error:
            require_witnessed(view_of(root), policy_of(slow, good), now())
        assert error.value.got == good.name


def test_a_witness_that_is_down_is_shown(root: Path):
    witness = TestWitness()
    with serve(witness):
        policy = policy_of(witness)
    log = directory_log(root)
    fill(log, 5)
    before = (root / PATH).read_bytes()
    [row] = ask(log, policy).rows
    assert row.error
    assert (row.time, row.error.code) == (None, "FW1831")
    assert (root / PATH).read_bytes() == before


def _signed(at: int | None = None, stated: int | None = None, text: str = "") -> Callable[..., Answer]:
    """A signature made at ``at`` (now), which says ``stated`` (the same)."""

    def answer(witness: TestWitness, body: bytes) -> Answer:
        made = int(time.time()) if at is None else at
        return Answer(200, witness.line(text or text_of(body), made, stated))

    return answer


def _by_another(_: TestWitness, body: bytes) -> Answer:
    other = TestWitness(seed=b"other" + bytes(27))  # the same name, another key
    return Answer(200, other.line(text_of(body), int(time.time())))


def _fixed(*fields: object, **named: object) -> Callable[..., Answer]:
    return lambda *_: Answer(*fields, **named)  # type: ignore[arg-type]


def _conflicts(witness: TestWitness, body: bytes) -> Answer:
    return Answer(409, b"%d\n" % min(5, len(witness.requests)), SIZE_TYPE)


def _key_id_with(value: bytes) -> Callable[..., Answer]:
    def answer(witness: TestWitness, body: bytes) -> Answer:
        line = signature_line(witness.name, int.from_bytes(witness.key_id, "big"), value)
        return Answer(200, f"{line}\n".encode())

    return answer


def _note(witness: TestWitness, body: bytes) -> Answer:
    """A right cosignature of a text that begins with the checkpoint's."""
    longer = text_of(body) + "\nmore\n"
    return Answer(200, b"more\n\n" + witness.line(longer, int(time.time())))


def _long(witness: TestWitness, body: bytes) -> Answer:
    unknown = signature_line("a.example/b", 1, bytes(70_000)).encode() + b"\n"
    return Answer(200, unknown + witness.line(text_of(body), int(time.time())))


def _compressed(witness: TestWitness, body: bytes) -> Answer:
    line = witness.line(text_of(body), int(time.time()))
    return Answer(200, gzip.compress(line), headers=(("Content-Encoding", "gzip"),))


ONCE = {"a redirect", "a conflict of another type", "a conflict without a size", "a conflict with zeros"}
ANSWERS: dict[str, tuple[Callable[..., Answer], str]] = {
    "unknown log": (_fixed(404, b"unknown log\n"), "FW1832"),
    "no known key": (_fixed(403), "FW1832"),
    "bad request": (_fixed(400), "FW1832"),
    "at fault": (_fixed(500, b"oh\n\x1b[31mno"), "FW1831"),
    "overloaded": (_fixed(429), "FW1831"),
    "no content": (_fixed(204), "FW1833"),
    "a redirect": (_fixed(307, headers=(("Location", "http://127.0.0.1:9/w1/add-checkpoint"),)), "FW1833"),
    "an empty answer": (_fixed(200), "FW1833"),
    "garbage": (_fixed(200, b"<html>\xff\0"), "FW1833"),
    "a note": (_note, "FW1833"),
    "a line that is cut": (lambda w, b: Answer(200, w.line(text_of(b), 9)[:-1]), "FW1833"),
    "too long": (_long, "FW1833"),
    "compressed": (_compressed, "FW1833"),
    "the key of another": (_by_another, "FW1833"),
    "another text": (_signed(text=f"{ORIGIN}\n5\nAAAA\n"), "FW1830"),
    "another time": (_signed(stated=12345), "FW1830"),
    "time 0": (_signed(at=0), "FW1830"),
    "a time over 2**63": (_signed(at=1 << 63), "FW1830"),
    "the far future": (_signed(at=int(time.time()) + 86_400), "FW1833"),
    "beyond all calendars": (_signed(at=10**17), "FW1833"),
    "a short signature": (_key_id_with(bytes(64)), "FW1830"),
    "a wrong signature": (_key_id_with(bytes(7) + bytes([1]) * 65), "FW1830"),
    "a conflict of another type": (_fixed(409, b"3\n"), "FW1833"),
    "a conflict without a size": (_fixed(409, b"", SIZE_TYPE), "FW1833"),
    "a conflict with zeros": (_fixed(409, b"03\n", SIZE_TYPE), "FW1833"),
    "a conflict with a huge size": (_fixed(409, b"9" * 19 + b"\n", SIZE_TYPE), "FW1833"),
    "a conflict with what we said": (_fixed(409, b"0\n", SIZE_TYPE), "FW1833"),
    "one conflict after another": (_conflicts, "FW1833"),
}


@pytest.mark.parametrize("case", ANSWERS)
def test_bad_answers_are_shown_and_change_nothing(root: Path, case: str):
    answer, code = ANSWERS[case]
    bad, good, _ = three()
    bad.answer = answer
    with serve(bad, good):
        log = directory_log(root)
        fill(log, 5)
        plain = log.checkpoint
        [row] = ask(log, policy_of(bad)).rows
        assert row.error
        assert (row.time, row.error.code) == (None, code), str(row.error)
        assert row.error.hint
        assert "\x1b" not in str(row.error)
        assert (root / PATH).read_bytes() == plain
        assert len(bad.requests) <= (1 if case in ONCE else 2)
        # The others are cosigned all the same.
        assert len(ask(log, policy_of(bad, good)).cosigned) == 1
        assert bad.name.encode() not in (root / PATH).read_bytes()


def test_unknown_lines_in_an_answer_are_ignored(root: Path):
    witness, other, _ = three()

    def both(me: TestWitness, body: bytes) -> Answer:
        lines = [each.line(text_of(body), int(time.time())) for each in (other, me)]
        return Answer(200, b"".join(lines))

    witness.answer = both
    with serve(witness):
        log = directory_log(root)
        fill(log, 5)
        assert ask(log, policy_of(witness)).satisfied
        assert other.name.encode() not in (root / PATH).read_bytes()


def test_an_answer_that_trickles_is_cut_off_at_the_limit(root: Path):
    """Every byte comes in time, the whole never does."""
    import socket

    listener = socket.create_server(("127.0.0.1", 0))
    stop = threading.Event()

    def trickle() -> None:
        connection, _ = listener.accept()
        with connection:
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 9000\r\n\r\n")
            while not stop.wait(0.05):
                try:
                    connection.sendall(b".")
                except OSError:
                    return

    thread = threading.Thread(target=trickle)
    thread.start()
    try:
        witness = TestWitness(port=listener.getsockname()[1])
        log = directory_log(root)
        fill(log, 5)
        [row] = ask(log, policy_of(witness), timeout=0.5).rows
        assert row.error
        assert row.error.code == "FW1831"
    finally:
        stop.set()
        thread.join(10)
        listener.close()


@pytest.fixture
def self_signed(tmp_path: Path) -> Path:
    """A certificate of 127.0.0.1 and its key, in one file."""
    path = tmp_path / "server.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
         "-keyout", str(path), "-out", str(tmp_path / "only.crt"), "-days", "2", "-subj", "/CN=witness",
         "-addext", "subjectAltName=IP:127.0.0.1"], check=True, capture_output=True,
    )  # fmt: skip
    path.write_text(path.read_text() + (tmp_path / "only.crt").read_text())
    return path


_ASK = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from reconciler.audit.cosign import cosign
from reconciler.audit.log import Log
from reconciler.audit.store_directory import DirectoryStore
from reconciler.audit.witness_policy import WitnessPolicy

now = lambda: datetime.now(UTC)
root, origin, key, vkey, url = sys.argv[1:]
log = Log.open(DirectoryStore(Path(root)), None, origin=origin, clock=now, public_keys=[bytes.fromhex(key)])
[row] = cosign(log, WitnessPolicy.of([(vkey, url)], 1), clock=now).rows
print(row.error.code if row.error else "cosigned")
"""


def test_https_needs_a_certificate_that_is_trusted(root: Path, self_signed: Path):
    fill(directory_log(root), 5)
    witness = TestWitness(certificate=self_signed)
    said = []
    with serve(witness):
        for trusted in ("/dev/null", str(self_signed)):  # what the system trusts is read once a process
            environment = os.environ | {"SSL_CERT_FILE": trusted, "SSL_CERT_DIR": "/dev/null"}
            named = [str(root), ORIGIN, SIGNER.public_key.hex(), witness.vkey, witness.url]
            command = [sys.executable, "-c", _ASK, *named]
            done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
            said.append(done.stdout.strip() or done.stderr)
    assert said == ["FW1831", "cosigned"]
    assert len(witness.requests) == 1


def test_a_witness_that_saw_another_tree_is_the_alarm(root: Path, tmp_path: Path):
    witness = TestWitness()
    with serve(witness):
        log = directory_log(root)
        fill(log, 5)
        ask(log, policy_of(witness))
        for name in ("same", "longer", "same size"):
            shutil.copytree(root, tmp_path / name)
        log.append([drift(1)])
        ask(log, policy_of(witness))
        for name, more in (("longer", 3), ("same size", 1)):
            fork = directory_log(tmp_path / name)
            fork.append([drift(100 + n) for n in range(more)])
            plain = fork.checkpoint
            with pytest.raises(WitnessForkError, match="another tree"):
                ask(fork, policy_of(witness))
            assert (tmp_path / name / PATH).read_bytes() == plain
        assert witness.head == (6, log.root)


def test_a_log_that_was_rolled_back_is_the_alarm(root: Path, tmp_path: Path):
    """Also when the old state was well cosigned, so that nothing in the store shows it."""
    witness = TestWitness()
    with serve(witness):
        log = directory_log(root)
        fill(log, 5)
        ask(log, policy_of(witness))
        shutil.copytree(root, tmp_path / "old")
        fill(log, 9)
        ask(log, policy_of(witness))
        old = directory_log(tmp_path / "old")
        assert require_witnessed(old, policy_of(witness), now()).satisfied
        with pytest.raises(WitnessAheadError, match="rolled back") as error:
            ask(old, policy_of(witness))
        assert (error.value.expected, error.value.got) == ("at least 9 entries", "5")


def test_a_writer_that_was_overtaken_is_no_alarm(root: Path):
    witness = TestWitness()
    with serve(witness):
        log = directory_log(root)
        fill(log, 5)
        other = directory_log(root)
        fill(other, 9)
        ask(other, policy_of(witness))
        published = (root / PATH).read_bytes()
        [row] = ask(log, policy_of(witness)).rows
        assert row.error
        assert row.error.code == "FW1833"
        assert (root / PATH).read_bytes() == published


class RacingStore(DirectoryStore):
    """Somebody else does something just before a publication."""

    before: Callable[[], object] | None = None

    def publish(self, *arguments: object) -> None:  # type: ignore[override]
        if self.before:
            before, self.before = self.before, None
            before()
        super().publish(*arguments)  # type: ignore[arg-type]


def test_an_append_that_comes_first_wins_over_cosignatures(root: Path):
    witness = TestWitness()
    with serve(witness):
        store = RacingStore(root)
        log = directory_log(root, store=store)
        fill(log, 5)
        store.before = lambda: fill(directory_log(root), 7)
        report = ask(log, policy_of(witness))
        assert isinstance(report.unpublished, LogConflictError)
        assert report.satisfied  # the witness did sign
        assert view_of(root).size == 7
        assert not witnessed(view_of(root).checkpoint, policy_of(witness), now()).satisfied
        with pytest.raises(LogConflictError):
            log.append([drift()])


def test_an_append_is_not_hurt_by_cosignatures_that_came_first(root: Path):
    witness = TestWitness()
    with serve(witness):
        store = RacingStore(root)
        log = directory_log(root, store=store)
        fill(log, 5)
        store.before = lambda: ask(directory_log(root), policy_of(witness))
        assert log.append([drift()]) == range(5, 6)
        assert log.verify().ok
        assert witness.head[0] == 5
        ask(log, policy_of(witness))
        assert [int(body.split(b"\n")[0][4:]) for body in witness.requests] == [0, 5]  # it learnt of them
        assert log.append([drift()]) == range(6, 7)


def walk(open_one: Callable[[], Log]) -> None:
    """Cosignatures and appends of two writers that overtake each other."""
    witness = TestWitness()
    with serve(witness):
        log = open_one()
        fill(log, 5)
        second = open_one()
        assert ask(second, policy_of(witness)).unpublished is None
        assert log.append([drift()]) == range(5, 6)
        assert ask(second, policy_of(witness)).unpublished is None  # it has a young one: nothing to publish
        assert ask(log, policy_of(witness)).satisfied
        again = open_one()
        assert require_witnessed(again, policy_of(witness), now()).size == 6
        assert again.verify().ok
        assert again.append([drift()]) == range(6, 7)
        assert open_one().size == 7


def test_the_same_over_a_git_ref(remote: Path, tmp_path: Path):  # noqa: F811
    scratch = iter(range(100))
    walk(lambda: open_git(remote, tmp_path / f"scratch-{next(scratch)}"))


@pytest.mark.real
@pytest.mark.xdist_group("s3")
def test_the_same_in_a_bucket(s3_server: S3Server):
    location = f"s3://{s3_server.new_bucket()}/fleet"
    walk(lambda: open_s3(location, s3_server.url))


def test_a_checkpoint_of_another_tree_is_not_published(root: Path):
    log = directory_log(root)
    fill(log, 5)
    old = log.checkpoint
    fill(log, 6)
    with pytest.raises(LogFormatError):
        log.publish_cosigned(old)


def test_a_store_that_cannot_be_written_is_in_the_report(root: Path):
    witness = TestWitness()
    with serve(witness):
        store = RacingStore(root)
        log = directory_log(root, store=store)
        fill(log, 5)

        def full() -> None:
            raise LogStorageError("disk full")

        store.before = full
        report = ask(log, policy_of(witness))
        assert isinstance(report.unpublished, LogStorageError)
        assert log.append([drift()]) == range(5, 6)


def test_a_wrong_cosignature_in_the_store_refuses_the_checkpoint(root: Path):
    witness, other, _ = three()
    with serve(witness, other):
        log = directory_log(root)
        fill(log, 5)
        line = witness.line("another text\n", int(time.time()))
        (root / PATH).write_bytes(log.checkpoint + line)
        view = view_of(root)  # whoever does not know the witness reads on
        for call in (
            lambda: require_witnessed(view, policy_of(witness, quorum=0), now()),
            lambda: ask(directory_log(root), policy_of(witness)),
        ):
            with pytest.raises(CosignatureError, match="does not fit"):
                call()
        assert not require_witnessed(view, policy_of(other, quorum=0), now()).cosigned


def test_a_cosignature_from_the_future_does_not_count(root: Path):
    witness = TestWitness()
    log = directory_log(root)
    fill(log, 5)
    text = open_note(log.checkpoint, [LOG_KEY]).text
    for ahead, counts in ((200, True), (3600, False)):
        note = log.checkpoint + witness.line(text, int(time.time()) + ahead)
        policy = WitnessPolicy.of([(witness.vkey, "")], 1)
        report = witnessed(note, policy, now())
        assert report.satisfied is counts
        assert [row.error.code for row in report.missing if row.error] == ([] if counts else ["FW1833"])
