"""Examinations of one member: certificates, clocks and rights that are wrong, each on a real server."""

from __future__ import annotations

import base64
import http.server
import json
import re
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from member_world import EXTRA_ROLE, FAST, SIGNER, Token, World

from reconciler.documents import Cluster, Credentials
from reconciler.member.diagnosis.agreement import agreement
from reconciler.member.diagnosis.certificates import authority_result
from reconciler.member.diagnosis.clocks import clock_result, measured
from reconciler.member.diagnosis.inventory import size_result
from reconciler.member.diagnosis.logins import expiry_results
from reconciler.member.diagnosis.member import Seen, examine, sampled
from reconciler.member.diagnosis.results import Bounds, Grade, MemberCheck, Result
from reconciler.member.diagnosis.rights import listed
from reconciler.member.diagnosis.servers import Server, Way
from reconciler.member.identity import Identity
from reconciler.member.login import Login
from reconciler.member.parent import Parent
from reconciler.member.rights import Right
from reconciler.member.tokens import claims
from reconciler.member.versions import minor
from reconciler.model import ClusterName, Desired, ObjectRef, Record, SourceRef
from reconciler.pipeline.examining_host import HostCheck
from reconciler.sandbox import pki

DOCS = Path(__file__).resolve().parents[2] / "docs" / "doctor.md"
NOW = datetime(2026, 6, 1, tzinfo=UTC)
BOUNDS = Bounds(timeout=timedelta(seconds=8))
NOTHING = Desired(ClusterName("m"), (), "")
USER = "system:serviceaccount:federation-system:federation-reconciler"


@dataclass(frozen=True)
class Fake:
    """A TLS server that answers like an API server, as far as an examination asks before it looks inside."""

    url: str
    port: int


class _Handler(http.server.BaseHTTPRequestHandler):
    ahead = timedelta(0)
    status = 200

    def do_GET(self) -> None:
        self._answer({"gitVersion": "v1.36.3", "metadata": {"uid": "u", "resourceVersion": "1"}})

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self._answer({"status": {"userInfo": {"username": USER}}})

    def date_time_string(self, timestamp: float | None = None) -> str:  # noqa: ARG002  the base class's
        return format_datetime(datetime.now(UTC) + self.ahead, usegmt=True)

    def _answer(self, value: Any) -> None:
        body = json.dumps(value).encode()
        self.send_response(self.status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  the base class's name
        """Quiet."""


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that refuse the certificate leave broken connections."""


@contextmanager
def serving(
    made: pki.Credential | None, ahead: timedelta = timedelta(0), status: int = 200
) -> Iterator[Fake]:
    """The server with this certificate; None: no TLS at all."""
    handler = type("Handler", (_Handler,), {"ahead": ahead, "status": status})
    with _Server(("127.0.0.1", 0), handler) as server:
        if made:
            context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
            context.load_cert_chain(made.cert, made.key)
            server.socket = context.wrap_socket(
                server.socket, server_side=True, do_handshake_on_connect=False
            )
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        port = int(server.server_address[1])
        yield Fake(f"https://127.0.0.1:{port}", port)
        server.shutdown()


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> pki.Authority:
    return pki.create(tmp_path_factory.mktemp("pki"), "m")


@pytest.fixture(scope="module")
def good(authority: pki.Authority) -> pki.Credential:
    return authority.issue("good", common_name="m", sans=["127.0.0.1", "api.example"])


def bundle(authority: pki.Authority) -> str:
    return (authority.directory / "ca.crt").read_text()


def cluster(authority: pki.Authority, *urls: str, **fields: Any) -> Cluster:
    credentials = Credentials("tokenFile", path="token")
    made = Cluster(
        ClusterName("m"), {}, urls, bundle(authority), "", credentials, SourceRef("clusters/m.yaml")
    )
    return replace(made, **fields)


async def examined(registered: Cluster, bounds: Bounds = BOUNDS, secret: str = "") -> list[Result]:
    seen = Seen()
    way = Way(registered, Token(secret or "t"), FAST, lambda: datetime.now(UTC), bounds)
    await examine(way, NOTHING, (), seen)
    return seen.all_results


def of(results: list[Result], check: str, where: str = "") -> Result:
    (found,) = [one for one in results if one.check == check and (not where or one.where == where)]
    return found


def bad(results: list[Result]) -> dict[str, str]:
    """check -> code of what failed before anything inside was asked for."""
    outside = list(MemberCheck)[: list(MemberCheck).index(MemberCheck.VERSIONS) + 1]
    return {str(one.check): one.code for one in results if one.grade is Grade.FAILED and one.check in outside}


async def test_a_sound_server(authority: pki.Authority, good: pki.Credential) -> None:
    with serving(good) as fake:
        results = await examined(cluster(authority, fake.url))
    assert bad(results) == {}
    assert of(results, "tls.san").found == "api.example, 127.0.0.1"
    assert of(results, "tls.handshake").found == "TLSv1.3"
    assert of(results, "clock.skew").grade is Grade.OK
    assert of(results, "names.dns").found == "an address, no name"


async def test_a_certificate_for_another_name(authority: pki.Authority) -> None:
    made = authority.issue("other", common_name="m", sans=["192.0.2.1", "elsewhere.example"])
    with serving(made) as fake:
        results = await examined(cluster(authority, fake.url))
        renamed = await examined(cluster(authority, fake.url, tls_server_name="elsewhere.example"))
    assert bad(results) == {"tls.san": "FW1705", "api.answer": "FW1705"}
    found = of(results, "tls.san")
    assert (found.expected, found.found) == ("the name 127.0.0.1", "elsewhere.example, 192.0.2.1")
    assert of(results, "tls.chain").grade is Grade.OK
    assert bad(renamed) == {}


async def test_a_certificate_that_expired(authority: pki.Authority) -> None:
    made = authority.issue("old", common_name="m", sans=["127.0.0.1"], not_after=datetime.now(UTC))
    with serving(made) as fake:
        results = await examined(cluster(authority, fake.url))
    assert bad(results) == {"tls.expiry": "FW1704", "api.answer": "FW1704"}
    assert "expired" in of(results, "tls.expiry").found
    assert of(results, "tls.san").grade is Grade.OK


async def test_a_certificate_that_soon_expires(authority: pki.Authority) -> None:
    soon = datetime.now(UTC) + timedelta(minutes=1)
    made = authority.issue("soon", common_name="m", sans=["127.0.0.1"], not_after=soon)
    with serving(made) as fake:
        results = await examined(cluster(authority, fake.url))
        calm = await examined(cluster(authority, fake.url), replace(BOUNDS, expiring=timedelta(seconds=1)))
    found = of(results, "tls.expiry")
    assert (found.grade, found.code, bad(results)) == (Grade.WARNING, "FW1704", {})
    assert of(calm, "tls.expiry").grade is Grade.OK


async def test_an_unknown_authority_and_everything_wrong_at_once(
    authority: pki.Authority, tmp_path: Path
) -> None:
    stranger = pki.create(tmp_path, "stranger")
    past = datetime.now(UTC) - timedelta(days=1)
    made = stranger.issue("all", common_name="m", sans=["192.0.2.9"], not_after=past)
    with serving(made) as fake:
        results = await examined(cluster(authority, fake.url))
    wrong = {"tls.chain": "FW1703", "tls.san": "FW1705", "tls.expiry": "FW1704", "api.answer": "FW1703"}
    assert bad(results) == wrong
    assert "stranger sandbox CA" in of(results, "tls.chain").found


async def test_no_token_goes_to_a_server_that_is_not_believed(
    authority: pki.Authority, tmp_path: Path
) -> None:
    heard: list[bytes] = []
    made = pki.create(tmp_path, "stranger").issue("s", common_name="m", sans=["127.0.0.1"])
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(made.cert, made.key)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(10)

        def listen() -> None:
            try:
                while True:
                    plain, _ = listener.accept()
                    try:
                        with context.wrap_socket(plain, server_side=True) as inside:
                            heard.append(inside.recv(4096))
                    except OSError:
                        continue
            except OSError:
                return

        threading.Thread(target=listen, daemon=True).start()
        url = f"https://127.0.0.1:{listener.getsockname()[1]}"
        results = await examined(cluster(authority, url), secret="very-secret")
        listener.close()
    assert bad(results)["api.answer"] == "FW1703"
    assert len(heard) >= 1
    assert b"".join(heard) == b""


async def test_no_tls_a_closed_port_and_a_name_that_is_none(authority: pki.Authority) -> None:
    with serving(None) as fake, socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        closed = f"https://127.0.0.1:{held.getsockname()[1]}"
        nowhere = "https://no-such-host.invalid"
        results = await examined(cluster(authority, fake.url, closed, nowhere))
    assert of(results, "tls.handshake", fake.url).code == "FW1726"
    assert of(results, "port.open", closed).code == "FW1701"
    assert of(results, "names.dns", nowhere).code == "FW1701"
    for url in (fake.url, closed, nowhere):
        assert of(results, "tls.san", url).grade is Grade.SKIPPED
        assert of(results, "api.answer", url).grade in (Grade.SKIPPED, Grade.FAILED)
    assert of(results, "rights.missing").grade is Grade.SKIPPED


async def test_a_server_that_accepts_and_says_nothing(authority: pki.Authority) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"https://127.0.0.1:{silent.getsockname()[1]}"
        results = await examined(cluster(authority, url), Bounds(timeout=timedelta(seconds=2)))
    assert of(results, "tls.handshake").code == "FW1702"


@pytest.mark.parametrize(
    ("ahead", "grade"),
    [(timedelta(seconds=90), Grade.FAILED), (timedelta(seconds=-90), Grade.FAILED),
     (timedelta(seconds=22), Grade.WARNING), (timedelta(0), Grade.OK)],
)  # fmt: skip
async def test_a_clock_that_is_wrong(
    authority: pki.Authority, good: pki.Credential, ahead: timedelta, grade: Grade
) -> None:
    with serving(good, ahead) as fake:
        results = await examined(cluster(authority, fake.url))
        lenient = await examined(cluster(authority, fake.url), replace(BOUNDS, clock_skew=timedelta(hours=1)))
    found = of(results, "clock.skew")
    assert (found.grade, found.code) == (grade, "" if grade is Grade.OK else "FW1732")
    assert of(lenient, "clock.skew").grade is Grade.OK


async def test_a_clock_shows_also_where_the_token_is_refused(
    authority: pki.Authority, good: pki.Credential
) -> None:
    """A wrong clock is why tokens are refused: the check must not need a token that is accepted."""
    with serving(good, timedelta(minutes=10), status=401) as fake:
        results = await examined(cluster(authority, fake.url))
    assert bad(results) == {"clock.skew": "FW1732", "credentials.identity": "FW1710"}


async def test_a_ca_bundle_of_no_use(authority: pki.Authority, good: pki.Credential) -> None:
    with serving(good) as fake:
        results = await examined(cluster(authority, fake.url, ca_bundle="no certificate"))
    assert of(results, "tls.ca").code == "FW1717"
    assert of(results, "tls.chain").code == "FW1717"
    later = datetime.now(UTC) + timedelta(days=400)
    assert authority_result(bundle(authority), later, BOUNDS).code == "FW1704"
    assert authority_result("", NOW, BOUNDS).grade is Grade.SKIPPED


def token(**said: Any) -> str:
    body = base64.urlsafe_b64encode(orjson.dumps(said)).rstrip(b"=").decode()
    return f"e30.{body}.c2ln"


@pytest.mark.parametrize(
    ("said", "grade"),
    [
        ({"exp": NOW.timestamp() - 1}, Grade.FAILED),
        ({"exp": NOW.timestamp() + 60, "iat": NOW.timestamp() - 3600}, Grade.WARNING),
        ({"exp": NOW.timestamp() + 3600, "iat": NOW.timestamp()}, Grade.OK),
        ({"exp": NOW.timestamp() + 3600, "nbf": NOW.timestamp() + 60}, Grade.FAILED),
        ({"exp": NOW.timestamp() + 90 * 86_400}, Grade.OK),
        ({"iat": 1}, Grade.WARNING),
    ],
)
def test_the_end_of_a_token(said: dict[str, Any], grade: Grade) -> None:
    (result,) = expiry_results(Login(token=token(**said)), NOW, BOUNDS)
    assert result.grade is grade
    assert result.code == ("" if grade is Grade.OK else "FW1734")


def test_the_end_of_a_client_certificate(authority: pki.Authority) -> None:
    made = authority.issue("client", common_name="c", not_after=NOW + timedelta(hours=1))
    login = Login(certificate=made.cert.read_bytes(), key=made.key.read_bytes())
    (result,) = expiry_results(login, NOW + timedelta(hours=2), BOUNDS)
    assert (result.grade, result.code) == (Grade.FAILED, "FW1734")
    (broken,) = expiry_results(Login(certificate=b"x", key=b"y"), NOW, BOUNDS)
    assert broken.code == "FW1717"


@given(st.text() | st.from_regex(r"[\w-]{0,20}\.[\w-]{0,40}\.[\w-]{0,20}", fullmatch=True))
def test_any_token_is_taken_apart_or_not(text: str) -> None:
    found = claims(text)
    assert found is None or isinstance(found, dict)


@given(
    st.dictionaries(
        st.sampled_from(["exp", "nbf", "iat"]), st.floats() | st.integers() | st.text() | st.none()
    )
)
def test_any_claims_give_one_result(said: dict[str, Any]) -> None:
    body = json.dumps(said, allow_nan=True).encode()
    text = f"a.{base64.urlsafe_b64encode(body).decode()}.b"
    (result,) = expiry_results(Login(token=text), NOW, BOUNDS)
    assert result.check == "credentials.expiry"


@given(st.text())
def test_any_date_gives_a_result(text: str) -> None:
    assert clock_result("u", text, NOW, NOW, BOUNDS).check == "clock.skew"


@given(st.integers(-10_000, 10_000), st.integers(0, 60))
def test_a_skew_is_never_more_than_it_is(seconds: int, slow: int) -> None:
    """Whatever the answer took, and however Date was rounded: at least so much and not more."""
    date = format_datetime(NOW + timedelta(seconds=seconds), usegmt=True)
    skew = measured(date, NOW - timedelta(seconds=slow), NOW)
    assert skew.least <= abs(timedelta(seconds=seconds))
    assert skew.low <= timedelta(seconds=seconds) <= skew.high


@given(st.text())
def test_any_version_is_one_or_none(text: str) -> None:
    assert len(minor(text)) in (0, 2)


def test_urls_of_two_clusters_and_of_two_versions() -> None:
    one = Server("https://a", version="v1.36.3", identity=Identity("uid-a", "v1.36.3", USER))
    other = Server("https://b", version="v1.35.9", identity=Identity("uid-b", "v1.35.9", USER))
    found = {str(result.check): result for result in agreement([one, other], "1.36")}
    assert found["api.cluster"].code == "FW1721"
    assert (found["version.registered"].grade, found["version.registered"].code) == (Grade.FAILED, "FW1731")
    assert found["version.servers"].grade is Grade.WARNING
    newer = {str(r.check): r.grade for r in agreement([replace_version(one, "v1.37.0")], "1.36")}
    assert newer == {"api.cluster": "ok", "version.registered": "warning", "version.servers": "ok"}


def replace_version(server: Server, version: str) -> Server:
    return replace(server, version=version)


def test_a_sample_begins_with_what_was_touched_and_has_every_kind() -> None:
    maps = [ObjectRef("", "ConfigMap", "n", f"m{number:03}") for number in range(100)]
    roles = [ObjectRef("rbac", "Role", "n", f"r{number}") for number in range(3)]
    touched = {maps[90], maps[91]}
    found = sampled([*maps, *roles], touched)
    assert set(found[:2]) == touched
    assert set(roles) < set(found)
    assert len(found) == 16 + 3
    assert sampled([], set()) == ()


def test_a_record_that_is_nearly_too_large() -> None:
    record = Record("u", "c", "d", "s", 1, 1, {})
    small = Parent(parts=("p",), data={"body": "A" * 1000}, annotations={"a": "b"})
    assert size_result(small, record).grade is Grade.OK
    for full in (
        replace(small, parts=("p",) * 60),
        replace(small, annotations={"a": "x" * 240_000}),
    ):
        result = size_result(full, record)
        assert (result.grade, result.code) == (Grade.WARNING, "FW1728")


def test_many_rights_are_listed_shortly() -> None:
    rights = [Right("get", "", f"kind{number:02}") for number in range(30)]
    assert listed(rights).endswith("and 18 more")


@pytest.mark.real
async def test_rights_that_are_missing_and_too_much(world: World) -> None:
    """An account that may read everything, and one that may do a thing too much."""
    plane = world.plane
    desired = world.desired(world.base(), world.config("settings", colour="blue"))
    reader = f"reader-{world.namespace}"
    plane.must("create", "serviceaccount", reader, "-n", "default")
    plane.must(
        "create", "clusterrolebinding", reader, "--clusterrole=view", f"--serviceaccount=default:{reader}"
    )
    try:
        found = await inside(world, desired, reader)
    finally:
        plane.must("delete", "clusterrolebinding", reader)
        plane.must("delete", "serviceaccount", reader, "-n", "default")
    missing = found["rights.missing"]
    assert (missing.grade, missing.code) == (Grade.FAILED, "FW1711")
    assert "create, delete, patch configmaps" in missing.found
    assert "create, delete, patch namespaces" in missing.found
    assert "list" not in missing.found
    excess = found["rights.excess"]
    assert (excess.grade, excess.code) == (Grade.WARNING, "FW1735")


async def inside(world: World, desired: Desired, account: str = "") -> dict[str, Result]:
    """check -> result; by the reconciler's own token, or that of an account in default."""
    registered, text = world.cluster, world.plane.token
    if account:
        text = world.plane.must("create", "token", account, "-n", "default").strip()
        registered = replace(registered, username=f"system:serviceaccount:default:{account}")
    seen = Seen()
    way = Way(registered, Token(text), FAST, lambda: datetime.now(UTC), BOUNDS)
    await examine(way, desired, (SIGNER.public_key,), seen)
    return {str(one.check): one for one in seen.all_results}


@pytest.mark.real
async def test_the_bootstrap_alone_is_neither_too_much_nor_too_little(world: World) -> None:
    desired = world.desired(world.base())
    found = await inside(world, desired)
    assert found["rights.missing"].grade is Grade.OK
    assert found["rights.excess"].grade is Grade.WARNING  # what the tests' own role adds, and nothing else
    more = {part.partition(" (")[0].rpartition(" ")[2] for part in found["rights.excess"].found.split("; ")}
    assert "namespaces" not in more
    assert more - {"more"} <= {
        f"{resource}.{group}".rstrip(".")
        for group in EXTRA_ROLE["rules"][0]["apiGroups"]
        for resource in EXTRA_ROLE["rules"][0]["resources"]
    }
    wanted = world.desired(world.base(), {
        "apiVersion": "batch/v1", "kind": "CronJob",
        "metadata": {"name": "nightly", "namespace": world.namespace}, "spec": {},
    })  # fmt: skip
    lacking = (await inside(world, wanted))["rights.missing"]
    assert lacking.found == "missing: create, delete, get, list, patch cronjobs.batch"


@pytest.mark.real
async def test_a_member_with_a_record(world: World) -> None:
    desired = world.desired(world.base(), world.config("settings", colour="blue"))
    await world.reconcile(desired)
    found = await inside(world, desired)
    assert found["inventory.record"].grade is Grade.OK
    assert found["inventory.size"].found.startswith("2 objects; 1 of 64 parts, ")
    assert found["credentials.expiry"].grade is Grade.OK
    assert found["credentials.identity"].found == world.cluster.username
    assert found["api.cluster"].grade is Grade.OK


@pytest.mark.real
async def test_another_user_than_registered(world: World) -> None:
    world.plane.must("create", "serviceaccount", world.namespace, "-n", "default")
    text = world.plane.must("create", "token", world.namespace, "-n", "default").strip()
    world.plane.must("delete", "serviceaccount", world.namespace, "-n", "default")
    seen = Seen()
    way = Way(world.cluster, Token(text), FAST, lambda: datetime.now(UTC), BOUNDS)
    await examine(way, NOTHING, (), seen)
    codes = {str(one.check): one.code for one in seen.all_results if one.grade is Grade.FAILED}
    assert codes["credentials.identity"] in ("FW1710", "FW1719")


def test_the_page_has_exactly_the_checks_there_are() -> None:
    rows = re.findall(r"^\| `([a-z.]+)` \| [^|]+ \| [^|]+ \| [^|]+ \|$", DOCS.read_text(), re.MULTILINE)
    assert sorted(rows) == sorted([*MemberCheck, *HostCheck])
