"""Requests, refusals, rates and registrations: what comes from outside, bounded."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from reconciler.audit.state import AcceptedCommit, LogState
from reconciler.documents import load
from reconciler.documents.joined import in_file
from reconciler.errors import FleetwardError
from reconciler.model import Snapshot
from reconciler.pipeline.membership.codes import CODES
from reconciler.pipeline.membership.promoting import require_promotable
from reconciler.pipeline.membership.refusals import MAX_KINDS, WINDOW, Refusals
from reconciler.pipeline.membership.refused import RequestError
from reconciler.pipeline.membership.registration import registration
from reconciler.pipeline.membership.request import MAX_BODY, parse_request
from reconciler.pipeline.membership.tokens import parse_labels, require_name
from reconciler.surfaces.join_server import PER_MINUTE, Rates

SIGNER = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIFtyILzrNg6PjL1rPyprFcK0sZKM51B3U1FJAhCIwvR2"
NOW = datetime(2026, 1, 1, tzinfo=UTC)
CA = (
    "-----BEGIN CERTIFICATE-----\nMIIBcjCCARigAwIBAgIUAqJJi2n2pCzQcs2yD/NljswBw2kwCgYIKoZIzj0EAwIw\n"
    "JTEjMCEGA1UEAwwacGxhY2Vob2xkZXIgQ0Egb2YgbWVtYmVyLWEwHhcNMjYwMTAx\n"
    "MDAwMDAwWhcNNDYwMTAxMDAwMDAwWjAlMSMwIQYDVQQDDBpwbGFjZWhvbGRlciBD\n"
    "QSBvZiBtZW1iZXItYTBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABACCJUTyUyv4\n"
    "mIkciXDBlDmpvy17/ellQJyfE1xZWbRUboaFAfPcWorr5u8bIzfI+292Jf60MM8u\n"
    "d53qqA4ZtR2jJjAkMBIGA1UdEwEB/wQIMAYBAf8CAQAwDgYDVR0PAQH/BAQDAgEG\n"
    "MAoGCCqGSM49BAMCA0gAMEUCIQCVa1vaiPxWKGtTtFTLFce6v39thqvZYGcw67TR\n"
    "84oypQIgWNNMpCp5Y3UrHa7LpoERmV0TWr1T7tdygEKj1iYAX94=\n-----END CERTIFICATE-----\n"
)
GOOD = {
    "token": "a.b.c", "claim": "0" * 64, "name": "member-a", "uid": "1234-abcd",
    "apiServers": ["https://203.0.113.10:6443"], "caBundle": CA, "tlsServerName": "",
    "credential": "s3cret-credential",
}  # fmt: skip


def encoded(**change: Any) -> bytes:
    return json.dumps(GOOD | change).encode()


def test_a_good_request_is_read_back_and_shows_no_secret():
    request = parse_request(encoded())
    assert request.to_json() == GOOD
    assert not any(secret in repr(request) for secret in ("s3cret", "a.b.c", "0" * 64))


@pytest.mark.parametrize(
    "change",
    [
        {"token": ""}, {"token": "x" * 9000}, {"claim": "A" * 64}, {"claim": "0" * 63}, {"name": ""},
        {"name": "x" * 254}, {"uid": "a b"}, {"uid": ""}, {"apiServers": []}, {"apiServers": ["http://a"]},
        {"apiServers": ["https://user:pw@a"]}, {"apiServers": ["https://a"] * 5}, {"apiServers": "https://a"},
        {"caBundle": "x"}, {"caBundle": None}, {"tlsServerName": "../x"}, {"credential": ""},
        {"credential": "a b"}, {"credential": "x" * 20_000}, {"credential": "a\r\nHost: b"}, {"more": 1},
    ],
)  # fmt: skip
def test_a_field_out_of_bounds(change: dict[str, Any]):
    with pytest.raises(RequestError) as caught:
        parse_request(encoded(**change))
    assert "s3cret" not in str(caught.value)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(list(GOOD)), inner, max_size=8)
    ),
)


@given(json_values | st.fixed_dictionaries(dict.fromkeys(GOOD, json_values)))
def test_any_json(value: Any):
    with pytest.raises(RequestError):
        parse_request(json.dumps(value).encode())


@given(st.binary(max_size=200))
def test_any_bytes(data: bytes):
    with pytest.raises(RequestError):
        parse_request(data)


def test_a_large_body_is_not_parsed():
    with pytest.raises(RequestError, match=str(MAX_BODY)):
        parse_request(b" " * (MAX_BODY + 1))


def test_ten_thousand_refusals_are_a_few_entries_and_none_is_lost():
    refusals, entries = Refusals(), []
    for n in range(10_000):
        if refusals.note("FW1740", f"name-{n}", "", "192.0.2.1", NOW):
            entries += refusals.take("ci", NOW)
    entries += refusals.take("ci", NOW + WINDOW)
    assert len(entries) <= MAX_KINDS + 2
    assert sum(entry.count for entry in entries) == 10_000
    assert refusals.take("ci", NOW + 2 * WINDOW, everything=True) == []


def test_names_in_refusals_are_cut():
    refusals = Refusals()
    refusals.note("FW1746", "../" * 500, "", "x" * 500, NOW)
    (entry,) = refusals.take("ci", NOW)
    assert len(entry.cluster) <= 100
    assert len(entry.address) <= 100


def test_rates_are_by_address_and_refill():
    now = [0.0]
    rates = Rates(clock=lambda: now[0])
    assert [rates.take("192.0.2.1") for _ in range(PER_MINUTE + 5)].count(True) == PER_MINUTE
    assert rates.take("192.0.2.2")
    now[0] = 60 / PER_MINUTE
    assert [rates.take("192.0.2.1") for _ in range(2)] == [True, False]
    assert [rates.take(f"2001:db8::{n:x}") for n in range(PER_MINUTE + 1)].count(True) == PER_MINUTE


class Blobs(dict[str, bytes]):
    def read(self, blob: str) -> bytes:
        return self[blob]


def test_a_registration_is_a_document_of_the_fleet_and_always_the_same():
    request = parse_request(encoded())
    labels = {"tier": "workload", "owner": "null", "environment": "on"}
    logins = {"credentials": in_file("member-a"), "viewerCredentials": in_file("member-a", viewer=True)}
    text = registration(request, labels, "v1.36.3", logins)
    assert text == registration(request, dict(reversed(labels.items())), "v1.36.3", logins)
    federation = yaml.safe_dump(
        {"apiVersion": "fleetward.io/v1alpha1", "kind": "Federation", "metadata": {"name": "f"},
         "spec": {"signers": [{"name": "a", "keys": [SIGNER]}]}}
    ).encode()  # fmt: skip
    blobs = Blobs(a=text, b=federation)
    files = {"clusters/member-a.yaml": "a", "federation.yaml": "b"}
    loaded = load(Snapshot("0" * 40, "0" * 40, files, blobs))
    assert loaded.findings == ()
    assert loaded.fleet is not None
    (cluster,) = loaded.fleet.clusters
    assert (dict(cluster.labels), cluster.ca_bundle, cluster.api_servers) == (labels, CA, request.servers)
    assert (cluster.credentials.path, cluster.kubernetes_version) == ("joined/member-a.token", "1.36")


@pytest.mark.parametrize("text", ["a", "a=b,a=c", "=x", "a b=c", "a=b c", "a=" + "x" * 64])
def test_labels_that_are_none(text: str):
    with pytest.raises(FleetwardError, match="FW1001"):
        parse_labels(text)


@given(st.text(max_size=70))
def test_only_labels_of_dns_are_names(name: str):
    try:
        require_name(name)
    except FleetwardError as error:
        assert error.code == "FW1746"
    else:
        assert set(name) <= set("abcdefghijklmnopqrstuvwxyz0123456789-")
        assert len(name) <= 63
        assert name.strip("-") == name


@pytest.mark.parametrize("address", ["a..b", "xn--a.example", f"{'a' * 64}.example", "::1%lo", "-", ""])
def test_addresses_that_no_primary_can_have(address: str):
    state = LogState(accepted=AcceptedCommit(1, "0" * 40, "", datetime.now(UTC)))
    require_promotable(state, "primary.example", 11443)
    with pytest.raises(FleetwardError, match=r"FW1755.*not an address that members can join at"):
        require_promotable(state, address, 11443)


def test_codes_are_whole():
    numbers = [f"FW17{n}" for n in (*range(40, 60), *range(68, 80))]
    assert sorted(CODES) == numbers
    assert timedelta(seconds=60) == WINDOW
