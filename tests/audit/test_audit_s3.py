"""The log in a bucket of a real S3 server: races, lost answers, cuts at every request, bad servers."""

from __future__ import annotations

import shutil
import socket
import time
from collections.abc import Callable
from itertools import islice
from pathlib import Path

import pytest
from audit_helpers import ORIGIN, SIGNER, a_run, drift, files_of, fill, open_log, ticking_clock, trust
from audit_s3 import (
    FORWARD,
    SECRET,
    Action,
    Canned,
    Cut,
    Forward,
    Hang,
    S3Proxy,
    S3Server,
    Seen,
    open_public,
    open_s3,
    running_server,
    variables,
)

from reconciler.audit.codes import (
    LogConflictError,
    LogDamagedError,
    LogStorageError,
    LogStoreUnfitError,
    LogUncertainError,
)
from reconciler.audit.log import Log
from reconciler.audit.s3_head import Head
from reconciler.audit.store_s3 import S3Store

pytestmark = [pytest.mark.real, pytest.mark.xdist_group("s3"), pytest.mark.timeout(900)]


class Place:
    """A bucket of one test, with the log at ``deep/fleet``."""

    def __init__(self, server: S3Server) -> None:
        bucket = server.new_bucket()
        self.server, self.location = server, f"s3://{bucket}/deep/fleet"
        self.folder = server.root / "data" / bucket / "deep/fleet"

    def open(self, url: str = "", **options: object) -> Log:
        return open_s3(self.location, url or self.server.url, **options)  # type: ignore[arg-type]

    def store(self, url: str = "", timeout: float = 20.0, **other: str) -> S3Store:
        return S3Store(self.location, variables(url or self.server.url, **other), timeout=timeout)

    def public(self) -> Log:
        return open_public(self.folder)


@pytest.fixture
def place(s3_server: S3Server) -> Place:
    return Place(s3_server)


def test_a_throw_away_machine_finds_the_log_again(place: Place):
    log = place.open()
    assert (log.size, log.checkpoint, log.state().size) == (0, b"", 0)
    fill(log, 7)
    for _ in range(2):
        log = place.open()
        fill(log, log.size + 300)
    again = place.open()
    assert (again.size, again.root) == (607, log.root)
    assert again.verify().ok
    assert again.state().cluster("member-a").pending == ()


def test_the_public_files_are_those_of_a_directory(place: Place, tmp_path: Path):
    fill(place.open(), 300, 100)
    fill(open_log(tmp_path / "log"), 300, 100)
    stored, expected = files_of(place.folder), files_of(tmp_path / "log")
    assert stored.items() >= expected.items()
    # Partial tiles stay, since nothing is ever deleted.
    extra = {path for path in stored.keys() - expected.keys() if ".p/" not in path}
    assert extra == {"head", "probe"}
    assert place.public().verify().ok


def test_a_log_that_was_copied_from_a_directory_goes_on(place: Place, tmp_path: Path):
    fill(open_log(tmp_path / "log"), 300)
    place.store()._bucket.put_all(files_of(tmp_path / "log"))
    log = place.open()
    assert (log.size, log.verify().ok) == (300, True)
    fill(log, 310)
    assert place.open().verify().ok
    assert place.public().root == place.open().root == log.root


def test_the_second_of_two_writers_is_refused(place: Place):
    one, two = place.open(), place.open()
    one.append([trust()])
    with pytest.raises(LogConflictError, match="FW1804") as conflict:
        two.append([drift()])
    assert not isinstance(conflict.value, LogUncertainError)
    two = place.open()
    two.append([drift()])
    with pytest.raises(LogConflictError):
        one.append([drift()])
    assert [entry.kind for _, entry in place.open().entries()] == ["trust-initialized", "drift"]


def test_the_one_that_lost_has_not_touched_the_winners_tiles(place: Place):
    """Both would stage other bytes at the same paths."""
    fill(place.open(), 250)
    for n in range(12):
        writers = [place.open(), place.open()]
        writers[n % 2].append([drift(n), drift(n + 1)])
        with pytest.raises(LogConflictError):
            writers[1 - n % 2].append([drift(n + 100)])
        assert place.public().root == place.open().root == writers[n % 2].root
    assert (place.public().size, place.public().verify().ok, place.open().verify().ok) == (274, True, True)


def test_equal_appends_of_two_writers_are_not_taken_for_one(place: Place):
    """Same entries, same time, same key: only the nonce tells whose head it is."""
    fill(place.open(), 3)
    one, two = place.open(), place.open()
    one.append([drift()])
    with pytest.raises(LogConflictError):
        two.append([drift()])
    assert place.open().size == 4


def test_is_newest_asks_anew(place: Place):
    fill(place.open(), 2)
    store = place.store()
    store.refresh()
    seen = store.read("checkpoint", 10_000)
    assert seen is not None
    assert store.is_newest(seen)
    fill(place.open(), 4)
    assert not store.is_newest(seen)
    assert store.read("checkpoint", 10_000) == seen


def test_reads_are_bounded(place: Place):
    fill(place.open(), 300)
    store = place.store()
    store.refresh()
    assert store.read("tile/0/000", 8192) == (place.folder / "tile/0/000").read_bytes()
    with pytest.raises(LogStorageError, match="too large: expected at most 8191 bytes"):
        store.read("tile/0/000", 8191)
    assert store.read("tile/0/001", 8192) is None
    (place.folder / "head").write_bytes(b"")
    with pytest.raises(LogDamagedError, match="not a log's head"):
        place.open()


def test_an_object_that_claims_to_be_huge_is_not_read(place: Place):
    fill(place.open(), 3)
    with S3Proxy(place.server) as proxy:
        proxy.rule = lambda seen: (
            Canned(200, b"x", '"tag"', 1 << 40) if seen.path.endswith("/head") else FORWARD
        )
        with pytest.raises(LogStorageError, match="head is too large"):
            place.open(proxy.url)


def test_lost_objects_are_damage_and_never_a_new_log(place: Place):
    fill(place.open(), 5)
    (place.folder / "checkpoint").unlink()
    assert place.open().size == 5  # the head has it, and the next append publishes it again
    (place.folder / "head").unlink()
    with pytest.raises(LogDamagedError, match="tiles but no checkpoint"):
        place.open()


def test_a_checkpoint_that_was_lost_or_moved_back_is_published_again(place: Place):
    fill(place.open(), 5)
    old = (place.folder / "checkpoint").read_bytes()
    fill(place.open(), 9)
    for ruin in (
        lambda path: path.unlink(),
        lambda path: path.write_bytes(old),
        lambda path: path.write_bytes(b""),
    ):
        ruin(place.folder / "checkpoint")
        log = place.open()
        fill(log, log.size + 2)
        assert (place.public().root, place.public().verify().ok) == (log.root, True)


def test_a_head_that_was_moved_back_is_refused(place: Place):
    fill(place.open(), 5)
    old = (place.folder / "head").read_bytes()
    fill(place.open(), 9)
    (place.folder / "head").write_bytes(old)
    with pytest.raises(LogDamagedError, match="older than the checkpoint"):
        place.open()
    (place.folder / "head").unlink()  # what the runbook says when it cannot be restored
    assert (place.open().size, place.open().append([drift()])) == (9, range(9, 10))


def test_a_log_that_was_moved_back_whole_is_seen_by_the_state_cache(place: Place, tmp_path: Path):
    fill(place.open(), 5)
    shutil.copytree(place.folder, tmp_path / "old")
    fill(place.open(), 9)
    place.open(state_cache=tmp_path / "state.json").state()
    for name in ("head", "checkpoint"):
        shutil.copyfile(tmp_path / "old" / name, place.folder / name)
    with pytest.raises(Exception, match="FW1810"):
        place.open(state_cache=tmp_path / "state.json").state()


# Every request of an append is broken in turn, in each of these ways.
BREAKS: dict[str, Action] = {
    "before the server hears of it": Cut(),
    "after the server did it": Forward(answer=False),
    "with an error of the server": Canned(503, b"<Error><Code>SlowDown</Code></Error>"),
}


@pytest.mark.parametrize("way", BREAKS)
def test_a_connection_that_breaks_at_any_request(place: Place, way: str):
    """From that request on nothing gets through: the log has the append or not, and ``append`` says which."""
    for at in range(1, 60):
        before = place.open()
        size = before.size
        with S3Proxy(place.server) as proxy:
            log = place.open(proxy.url, timeout=1.0)
            log.state()  # reads all entries: a part of every append's first look, and no step of it
            proxy.forget()
            proxy.rule = _from(at, BREAKS[way], Cut())
            done = _attempt(log, at)
            reached = len(proxy.seen) >= at
        after = place.open()
        assert after.size in {True: (size + 260,), False: (size,), None: (size, size + 260)}[done]
        assert after.verify().ok
        assert place.public().verify().ok  # whoever reads the bucket without us
        after.append([drift(at), drift(at + 1)])
        assert (place.public().root, place.open().verify().ok) == (after.root, True)
        if not reached:
            assert at > 8
            assert done
            return
    pytest.fail("the append never came to its end")


def _from(at: int, first: Action, then: Action) -> Callable[[Seen], Action]:
    return lambda seen: FORWARD if seen.number < at else first if seen.number == at else then


def _attempt(log: Log, n: int) -> bool | None:
    """Whether the append is in the log; None: that is not known."""
    try:
        log.append([drift(n)] * 260)
    except LogUncertainError:
        return None
    except LogStorageError:
        return False
    return True


@pytest.mark.parametrize("way", BREAKS)
def test_one_broken_request_is_made_up_for(place: Place, way: str):
    fill(place.open(), 254)
    with S3Proxy(place.server) as proxy:
        log = place.open(proxy.url)
        fill(log, 255)
        at = 1
        while at:
            size = log.size
            proxy.forget()
            proxy.rule = _from(at, BREAKS[way], FORWARD)
            assert log.append([drift(at)] * 3) == range(size, size + 3)
            at = at + 1 if len(proxy.seen) >= at else 0
    again = place.open()
    assert (again.root, again.verify().ok, place.public().root) == (log.root, True, log.root)


def test_an_uncertain_end_says_so(place: Place):
    fill(place.open(), 3)
    with S3Proxy(place.server) as proxy:
        log = place.open(proxy.url, timeout=1.0)
        log.append([drift()])
        proxy.rule = lambda seen: Hang() if seen.path.endswith("/head") else FORWARD
        started = time.monotonic()
        with pytest.raises(LogUncertainError, match=r"FW1805: s3://.*no answer within 1 s"):
            log.append([drift()])
        assert time.monotonic() - started < 30
        with pytest.raises(LogConflictError):
            log.append([drift()])
    assert place.open().append([drift()]) == range(4, 5)


def test_an_answer_that_was_lost_is_looked_up(place: Place):
    """The head was written; the second write of it would be refused, and the nonce says that it is ours."""
    fill(place.open(), 3)
    with S3Proxy(place.server) as proxy:
        log = place.open(proxy.url)
        log.append([drift()])
        proxy.forget()
        lost: list[int] = []

        def rule(seen: Seen) -> Action:
            if _writes_head(seen) and not lost:
                lost.append(seen.number)
                return Forward(answer=False)
            return FORWARD

        proxy.rule = rule
        assert log.append([drift()]) == range(4, 5)
        assert lost
    assert place.open().size == 5


def test_an_answer_that_never_comes_is_looked_up(place: Place):
    """Every write of the head takes place, or is refused because it did, and says nothing."""
    fill(place.open(), 3)
    with S3Proxy(place.server) as proxy:
        log = place.open(proxy.url, timeout=1.0)
        proxy.rule = lambda seen: Forward(wait=True) if _writes_head(seen) else FORWARD
        assert log.append([drift()]) == range(3, 4)
    assert place.open().size == 4


def _writes_head(seen: Seen) -> bool:
    return seen.method == "PUT" and seen.path.endswith("/head")


def test_what_a_killed_writer_left_is_published_by_the_next(place: Place):
    fill(place.open(), 200)
    with S3Proxy(place.server) as proxy:
        log = place.open(proxy.url, timeout=1.0)
        log.append([drift()])

        def after_the_head(seen: Seen) -> Action:
            return FORWARD if seen.method == "GET" or seen.path.endswith("/head") else Cut()

        proxy.rule = after_the_head
        assert log.append([drift()] * 100) == range(201, 301)
        reader = place.open()
        assert (reader.size, reader.verify().ok) == (301, True)  # read out of the head
        assert place.public().size == 201
        with pytest.raises(LogStorageError):
            log.append([drift()])  # not before the last one is where everybody can read it
        proxy.forget()
        assert log.append([drift()]) == range(301, 302)
    assert (place.public().size, place.public().verify().ok) == (302, True)


def test_a_slow_writer_does_not_move_the_public_checkpoint_back(place: Place):
    fill(place.open(), 5)
    with S3Proxy(place.server) as proxy:
        slow = place.open(proxy.url)
        slow.append([drift()])

        def rule(seen: Seen) -> Action:
            if seen.method == "PUT" and seen.path.endswith("/checkpoint"):
                proxy.rule = lambda _: FORWARD
                place.open().append([drift()] * 300)  # meanwhile another does its work, and more
            return FORWARD

        proxy.rule = rule
        assert slow.append([drift()]) == range(6, 7)
        with pytest.raises(LogConflictError):
            slow.append([drift()])
    assert (place.public().size, place.public().verify().ok) == (307, True)


def test_a_server_that_is_killed_in_the_middle_of_an_append(tmp_path: Path):
    with running_server(tmp_path / "server") as server:
        place = Place(server)
        fill(place.open(), 250)
        for at in range(1, 60):
            size = place.open().size
            with S3Proxy(server) as proxy:
                log = place.open(proxy.url, timeout=1.0)
                log.state()
                proxy.forget()
                proxy.rule = _killing(server, at)
                done = _attempt(log, at)
                reached = len(proxy.seen) >= at
            server.kill()
            server.start()
            after = place.open()
            assert after.size in {True: (size + 260,), False: (size,), None: (size, size + 260)}[done]
            assert (after.verify().ok, place.public().verify().ok) == (True, True)
            if not reached:
                assert at > 8
                return
    pytest.fail("the append never came to its end")


def _killing(server: S3Server, at: int) -> Callable[[Seen], Action]:
    def rule(seen: Seen) -> Action:
        if seen.number == at:
            server.kill()
        return FORWARD

    return rule


def test_servers_that_ignore_conditions_are_found_out(place: Place):
    """Whatever the answer to a condition that cannot hold is, only a refusal proves that it was looked at."""
    for header in ("If-None-Match", "If-Match"):
        with S3Proxy(place.server) as proxy:
            log = place.open(proxy.url)
            ignored = 0 if header == "If-None-Match" else 1

            def rule(seen: Seen, ignored: int = ignored, proxy: S3Proxy = proxy) -> Action:
                probes = [s for s in proxy.seen if s.path.endswith("/probe")]
                if seen.path.endswith("/probe") and len(probes) > 1 + (1 if ignored else 0):
                    return Canned(200, b"", '"of-the-new-one"')
                return FORWARD

            (place.folder / "probe").unlink(missing_ok=True)
            proxy.rule = rule
            with pytest.raises(LogStoreUnfitError, match=f"FW1840: .*ignores {header}"):
                log.append([trust()])
            proxy.rule = lambda _: FORWARD
            assert not (place.folder / "head").exists()
    assert place.open().append([trust()]) == range(1)


def test_a_server_that_refuses_without_a_reason_is_no_conflict(place: Place):
    fill(place.open(), 3)
    with S3Proxy(place.server) as proxy:
        log = place.open(proxy.url)
        proxy.rule = lambda seen: Canned(412) if _writes_head(seen) else FORWARD
        with pytest.raises(LogStorageError, match=r"FW1806: .*refuses to replace.*delete marker"):
            log.append([drift()])
        proxy.forget()
        assert log.append([drift()]) == range(3, 4)


def test_a_server_without_conditional_writes(place: Place):
    with S3Proxy(place.server) as proxy:
        log = place.open(proxy.url, timeout=2.0)
        unknown = Canned(501, b"<Error><Code>NotImplemented</Code></Error>")
        proxy.rule = lambda seen: unknown if seen.conditional else FORWARD
        with pytest.raises(LogStorageError, match="NotImplemented"):
            log.append([trust()])
    assert place.open().size == 0


WRONG = [
    ({"AWS_SECRET_ACCESS_KEY": "a-wrong-secret"}, "SignatureDoesNotMatch.*AWS_SECRET_ACCESS_KEY"),
    ({"AWS_ACCESS_KEY_ID": "AKUNKNOWN"}, "AWS_ACCESS_KEY_ID"),
    ({"AWS_REGION": "eu-north-7"}, "AuthorizationHeaderMalformed.*AWS_REGION"),
    ({"AWS_SECRET_ACCESS_KEY": ""}, "AWS settings cannot be used"),
    ({"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""}, "NoCredentials.*AWS_ACCESS_KEY_ID"),
    ({"AWS_ENDPOINT_URL": "http://127.0.0.1:1"}, "no connection.*AWS_ENDPOINT_URL"),
]


@pytest.mark.parametrize(("wrong", "message"), WRONG)
def test_settings_that_do_not_work(place: Place, wrong: dict[str, str], message: str):
    fill(place.open(), 1)
    store = place.store(timeout=2.0, **wrong)
    started = time.monotonic()
    with pytest.raises(LogStorageError, match=f"FW1806.*{message}") as error:
        Log.open(store, SIGNER, origin=ORIGIN, clock=ticking_clock())
    assert time.monotonic() - started < 20
    for secret in (SECRET, "a-wrong-secret", "Signature=", "StringToSign"):
        assert secret not in f"{error.value}{error.value!r}{store}{store!r}{vars(store)}"


def test_a_bucket_that_is_missing_is_not_an_empty_log(s3_server: S3Server):
    with pytest.raises(
        LogStorageError, match=r"FW1806: s3://no-such-bucket/x: .*NoSuchBucket.*create the bucket"
    ):
        open_s3("s3://no-such-bucket/x", s3_server.url)


@pytest.mark.parametrize("body", [b"", b"<Error><Code>NoSuchHost</Code></Error>", b"<h1>no such page</h1>"])
def test_another_404_is_not_an_object_that_is_not_there(place: Place, body: bytes):
    """A log without its head would go on from an older checkpoint."""
    fill(place.open(), 3)
    with S3Proxy(place.server) as proxy:
        proxy.rule = lambda seen: Canned(404, body) if seen.path.endswith("/head") else FORWARD
        with pytest.raises(LogStorageError, match="FW1806"):
            place.open(proxy.url)


def test_an_archived_object_says_so(place: Place):
    fill(place.open(), 300)
    archived = Canned(403, b"<Error><Code>InvalidObjectState</Code></Error>")
    with S3Proxy(place.server) as proxy:
        log = place.open(proxy.url)
        proxy.rule = lambda seen: archived if seen.path.endswith("tile/entries/000") else FORWARD
        with pytest.raises(LogStorageError, match=r"InvalidObjectState.*restore it"):
            log.entry(3)
        assert [finding.code for finding in log.verify().findings] == ["FW1821"]


@pytest.mark.parametrize("status", [302, 400, 404, 418, 500])
@pytest.mark.parametrize("body", [b"", b"nonsense", b"<Error><Code>" + b"A" * 500_000, b"\xff" * 100])
def test_answers_that_make_no_sense(place: Place, status: int, body: bytes):
    with S3Proxy(place.server) as proxy:
        proxy.rule = lambda _: Canned(status, body)
        with pytest.raises(LogStorageError) as error:
            place.open(proxy.url, timeout=1.0)
        assert len(str(error.value)) < 500


def test_a_server_that_never_answers_is_given_up(place: Place):
    with S3Proxy(place.server) as proxy:
        proxy.rule = lambda _: Hang()
        started = time.monotonic()
        with pytest.raises(LogStorageError, match="no answer within 1 s"):
            place.open(proxy.url, timeout=1.0)
        assert time.monotonic() - started < 15


def test_a_port_that_takes_connections_and_is_silent(place: Place):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        started = time.monotonic()
        with pytest.raises(LogStorageError, match="no answer within 1 s"):
            place.open(f"http://127.0.0.1:{silent.getsockname()[1]}", timeout=1.0)
        assert time.monotonic() - started < 15


def test_variables_of_the_surroundings_change_nothing(place: Place, monkeypatch: pytest.MonkeyPatch):
    """obstore reads the environment itself; what it finds there must not outrank what it was given."""
    for name, value in {
        "AWS_ENDPOINT_URL_S3": "http://127.0.0.1:1", "AWS_ENDPOINT": "http://127.0.0.1:1",
        "AWS_SKIP_SIGNATURE": "true", "AWS_CONDITIONAL_PUT": "disabled", "AWS_BUCKET": "another",
        "AWS_VIRTUAL_HOSTED_STYLE_REQUEST": "true", "AWS_SECRET_ACCESS_KEY": "of the surroundings",
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    log = place.open()
    assert log.append([entry for entry, _ in islice(a_run(), 2)]) == range(2)
    with pytest.raises(LogConflictError):
        stale = place.open()
        log.append([drift()])
        stale.append([drift()])
    assert Head.parse((place.folder / "head").read_bytes()).checkpoint == log.checkpoint
