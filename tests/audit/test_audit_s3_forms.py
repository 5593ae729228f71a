"""What the object store reads before it believes it: locations, variables, heads, answers."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path

import pytest
from audit_helpers import UNHURRIED
from hypothesis import given
from hypothesis import strategies as st

from reconciler.audit.codes import LogFormatError, LogStorageError
from reconciler.audit.s3_access import S3Access
from reconciler.audit.s3_errors import reason_of
from reconciler.audit.s3_head import MAX_FILES, Head
from reconciler.audit.store_s3 import S3Store
from reconciler.audit.tiles import bundle_path, tile_path

HEAD = Head("ab" * 16, b"note\n", {"tile/0/000.p/2": bytes(64), "tile/entries/000.p/2": b"\0\1a\0\0"})
PATHS = st.one_of(
    st.builds(tile_path, st.integers(0, 5), st.integers(0, 10**9), st.integers(1, 256)),
    st.builds(bundle_path, st.integers(0, 10**9), st.integers(1, 256)),
)


@UNHURRIED
@given(st.binary(max_size=100), st.dictionaries(PATHS, st.binary(max_size=50), max_size=5))
def test_heads_come_back_as_they_went(checkpoint: bytes, files: dict[str, bytes]):
    head = Head("0f" * 16, checkpoint, files)
    assert Head.parse(head.encode()) == head


@UNHURRIED
@given(st.binary(max_size=300))
def test_no_bytes_end_in_a_traceback(data: bytes):
    for whole in (data, b"fleetward-head/v1\n" + data, b"fleetward-head/v1\n" + data + b"\n"):
        with suppress(LogFormatError):
            assert Head.parse(whole)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=9), lambda v: st.lists(v, max_size=3)
)


@UNHURRIED
@given(
    st.fixed_dictionaries({"nonce": JSON | st.just("0" * 32), "checkpoint": JSON, "files": JSON}), st.binary()
)
def test_no_table_ends_in_a_traceback(table: dict[str, object], rest: bytes):
    with suppress(LogFormatError):
        Head.parse(b"fleetward-head/v1\n" + json.dumps(table).encode() + b"\n" + rest)


@UNHURRIED
@given(st.data())
def test_a_changed_head_is_refused_or_another(data: st.DataObject):
    good = HEAD.encode()
    at = data.draw(st.integers(0, len(good) - 1))
    bad = good[:at] + bytes([data.draw(st.integers(0, 255).filter(lambda b: b != good[at]))]) + good[at + 1 :]
    for changed in (bad, good[:at], good + b"x"):
        with suppress(LogFormatError):
            assert Head.parse(changed) != HEAD


@pytest.mark.parametrize(
    "path",
    ["checkpoint", "head", "bodies/sha256/ab/cd", "tile/../head", "/tile/0/000", "tile/0/000/", "tile/64/000",
     "tile/0/0000", "tile/0/000.p/", "tile/0/000.p/1/2", "tile/0/000\n", "tile/0/\u0660\u0660\u0660", ""],
)  # fmt: skip
def test_a_head_names_tiles_and_nothing_else(path: str):
    with pytest.raises(LogFormatError, match="no tiles"):
        Head(files={path: b""})
    line = json.dumps({"nonce": "0" * 32, "checkpoint": 0, "files": [[path, 0]]})
    with pytest.raises(LogFormatError):
        Head.parse(f"fleetward-head/v1\n{line}\n".encode())


def test_a_head_does_not_name_endless_files():
    with pytest.raises(LogFormatError):
        Head(files={f"tile/0/x{n // 1000:03}/{n % 1000:03}": b"" for n in range(MAX_FILES + 1)})


@pytest.mark.parametrize(
    "location",
    ["s3://", "s3:///x", "s3://ab", "s3://Bucket/x", "s3://key:secret@bucket/x", "s3://bucket//x", "s3://bucket/a//b",
     "s3://bucket/../x", "s3://bucket/.", "s3://bucket/x?y=1", "s3://bucket/x#y", "s3://bucket/x y", "s3://bucket/\n",
     "s3://bucket/" + "x" * 600, "s3:bucket", "https://bucket/x", "s3://bucket/ä", "s3://bucket/%2e"],
)  # fmt: skip
def test_locations_that_are_no_buckets(location: str):
    with pytest.raises(LogStorageError, match="s3://bucket/prefix") as error:
        S3Store(location, {})
    assert "secret" not in str(error.value)


@pytest.mark.parametrize(
    ("location", "shown"),
    [
        ("s3://bucket", "s3://bucket"),
        ("s3://bucket/", "s3://bucket"),
        ("s3://my.bucket/a/b-c_1/", "s3://my.bucket/a/b-c_1"),
    ],
)
def test_locations_that_are_taken(location: str, shown: str):
    assert str(S3Store(location, {})) == shown


@UNHURRIED
@given(st.text())
def test_no_location_and_no_endpoint_end_in_a_traceback(text: str):
    for location, url in ((f"s3://{text}", ""), ("s3://bucket", text), ("s3://bucket", f"https://{text}")):
        with suppress(LogStorageError):
            S3Access.of(location, {"AWS_ENDPOINT_URL": url, "AWS_REGION": "eu-west-1"})


GOOD_ENDPOINTS = [
    "https://s3.example",
    "https://s3.example:9000/",
    "http://127.0.0.1:9",
    "http://localhost:9",
]
GOOD_ENDPOINTS += ["http://[::1]:9", "http://127.8.8.8"]


@pytest.mark.parametrize("url", GOOD_ENDPOINTS)
def test_endpoints_that_are_taken(url: str):
    assert S3Access.of("s3://bucket", {"AWS_ENDPOINT_URL": url}).endpoint == url.rstrip("/")


BAD_ENDPOINTS = [
    "http://s3.example",
    "http://10.0.0.1",
    "http://127.0.0.1.evil.example",
    "ftp://s3.example",
    "s3.example",
]
BAD_ENDPOINTS += [
    "https://key:secret@s3.example",
    "https://s3.example/bucket",
    "https://s3.example?x=secret",
    "https://",
]
BAD_ENDPOINTS += [
    "https://s3.example:notaport",
    "http://localhost.evil.example",
    "http://0.0.0.0:1",
    "file:///x",
]


@pytest.mark.parametrize("url", BAD_ENDPOINTS)
def test_endpoints_that_are_refused(url: str):
    with pytest.raises(LogStorageError, match="http only for a loopback address") as error:
        S3Access.of("s3://bucket", {"AWS_ENDPOINT_URL": url})
    assert "secret" not in str(error.value)


def test_variables_as_the_aws_tools_have_them():
    both = {"AWS_ENDPOINT_URL": "https://other.example", "AWS_ENDPOINT_URL_S3": "https://s3.example"}
    access = S3Access.of(
        "s3://bucket", both | {"AWS_DEFAULT_REGION": "eu-west-1", "AWS_SESSION_TOKEN": "sekret"}
    )
    assert access.endpoint == access.options["aws_endpoint_url_s3"] == "https://s3.example"
    assert (access.options["region"], access.options["session_token"]) == ("eu-west-1", "sekret")
    assert "sekret" not in repr(access)
    assert S3Access.of("s3://bucket", {}).endpoint == "https://s3.us-east-1.amazonaws.com"
    with pytest.raises(LogStorageError, match="AWS region"):
        S3Access.of("s3://bucket", {"AWS_REGION": "eu.evil.example/"})


def test_authorities_are_read_from_a_file(tmp_path: Path):
    file = tmp_path / "ca.pem"
    for wrong in (None, b"", b"not PEM", b"x" * (5 << 20)):
        if wrong is not None:
            file.write_bytes(wrong)
        with pytest.raises(LogStorageError, match="AWS_CA_BUNDLE"):
            S3Access.of("s3://bucket", {"AWS_CA_BUNDLE": str(file)})
    file.write_bytes(b"-----BEGIN CERTIFICATE-----\n")
    assert S3Access.of("s3://bucket", {"AWS_CA_BUNDLE": str(file)}).authorities == file.read_bytes()


@UNHURRIED
@given(st.text())
def test_what_an_answer_says_is_never_shown_but_its_code(text: str):
    said = f"status code: 403 Forbidden: <Code>AccessDenied</Code><Message>{text}</Message>"
    assert reason_of(OSError(said)).shown(1.0) in ("AccessDenied", "NoCredentials") or "Certificate" in text
    assert len(reason_of(OSError(text)).shown(1.0)) < 120
