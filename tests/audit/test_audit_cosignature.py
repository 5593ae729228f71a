"""Cosignatures, witness keys, URLs and policies: what the specifications say, and bad input."""

from contextlib import suppress

import pytest
from audit_helpers import ORIGIN, SIGNER, UNHURRIED
from hypothesis import given
from hypothesis import strategies as st
from witness_server import TestWitness, three

from reconciler.audit.codes import CosignatureError, LogFormatError, WitnessPolicyError
from reconciler.audit.cosignature import (
    Cosignature,
    CosignatureKey,
    answered_cosignature,
    cosignatures,
    with_cosignatures,
)
from reconciler.audit.note import VerifierKey, sign_note
from reconciler.audit.tlog_policy import parse_policy
from reconciler.audit.witness import parse_size
from reconciler.audit.witness_policy import Witness, WitnessPolicy, is_witness_url

LOG_KEY = VerifierKey(ORIGIN, SIGNER.public_key)


def test_the_latest_of_several_cosignatures_counts():
    witness = TestWitness(port=9)
    note = sign_note("a.example\n1\nAAAA\n", ORIGIN, SIGNER)
    key = witness.witness.key
    note += b"".join(witness.line("a.example\n1\nAAAA\n", at) for at in (20, 30, 10))
    found = cosignatures(note, [key])
    assert found[key].time == 30
    again = with_cosignatures(note, ORIGIN, list(found.values()))
    assert cosignatures(again, [key]) == found
    assert again.count("—".encode()) == 2


def test_a_witness_named_like_the_log_is_told_apart_by_its_key():
    witness = TestWitness(name=ORIGIN, port=9)
    note = sign_note("a.example\n1\nAAAA\n", ORIGIN, SIGNER)
    line = witness.line("a.example\n1\nAAAA\n", 7)
    found = cosignatures(note + line, [witness.witness.key])
    assert with_cosignatures(note + line, ORIGIN, list(found.values())) == note + line


VKEY = TestWitness().vkey


@pytest.mark.parametrize(
    "vkey",
    ["", "x", VKEY[:-4], VKEY.replace("w1+", "w2+"), str(LOG_KEY), VKEY.replace("+B", "+b"), VKEY + "=",
     f"witness.example/w1+00000000+{VKEY.rpartition('+')[2]}"],
)  # fmt: skip
def test_keys_that_are_refused(vkey: str):
    with pytest.raises(WitnessPolicyError):
        Witness.of(vkey)


def test_a_key_is_written_as_it_was_read():
    assert str(CosignatureKey.parse(VKEY)) == VKEY
    with pytest.raises(LogFormatError, match="another type"):
        VerifierKey.parse(VKEY)


URLS = {
    "https://w1.example": True, "https://w1.example:8443/a/b/": True, "http://127.0.0.1:7380": True,
    "http://localhost/w": True, "http://[::1]:80": True, "http://127.9.9.9": True,
    "http://w1.example": False, "http://10.0.0.1": False, "ftp://w1.example": False, "https://": False,
    "https://user@w1.example": False, "https://w1.example?x": False, "https://w1.example#x": False,
    "http://127.0.0.1@w1.example": False, "http://localhost.example": False, "w1.example": False,
    "https://w1.example:99999": False, "https://w1.example/\n": False, "https://w1.example/a b": False,
    "http://127.0.0.1\\@w1.example": False, "https://[::1": False, "https://w1.example/" + "a" * 3000: False,
}  # fmt: skip


@pytest.mark.parametrize("url", URLS)
def test_urls(url: str):
    assert is_witness_url(url) is URLS[url]
    if not URLS[url]:
        with pytest.raises(WitnessPolicyError) as error:
            Witness.of(VKEY, url)
        assert "user@" not in str(error.value)


def test_policies_that_cannot_be_used():
    one, two = Witness.of(VKEY), Witness.of(TestWitness(seed=b"2" * 32, name="witness.example/w2").vkey)
    renamed = Witness.of(TestWitness(name="witness.example/w2").vkey)
    assert str(WitnessPolicy((one, two), 2)) == "2 of witness.example/w1, witness.example/w2"
    for witnesses, quorum in (((one,), 2), ((one,), -1), ((one, one), 1), ((one, renamed), 1)):
        with pytest.raises(WitnessPolicyError):
            WitnessPolicy(witnesses, quorum)
    many = [TestWitness(name=f"w{n}", seed=bytes([n]) * 32) for n in range(33)]
    with pytest.raises(WitnessPolicyError):
        WitnessPolicy.of([(each.vkey, "") for each in many], 1)


@UNHURRIED
@given(st.one_of(st.text(max_size=80), st.builds(lambda t: VKEY[: len(t)] + t, st.text(max_size=120))))
def test_key_and_url_parsers_raise_nothing_else(text: str):
    assert is_witness_url(text) in (True, False)
    try:
        Witness.of(text)
    except WitnessPolicyError:
        return
    assert str(CosignatureKey.parse(text)) == text


@UNHURRIED
@given(st.binary(max_size=200))
def test_answer_parsers_raise_nothing_else(data: bytes):
    note = sign_note("a.example\n1\nAAAA\n", ORIGIN, SIGNER)
    with suppress(LogFormatError, CosignatureError):
        assert answered_cosignature(note, data, CosignatureKey.parse(VKEY)) is None
    with suppress(LogFormatError):
        assert b"%d\n" % parse_size(data) == data


@UNHURRIED
@given(st.integers(0, 300), st.integers(1, 255))
def test_any_changed_byte_loses_the_cosignature(at: int, flip: int):
    witness = TestWitness(port=9)
    text = f"{ORIGIN}\n1\n{'A' * 43}=\n"
    key = witness.witness.key
    data = bytearray(text.encode() + b"\n" + witness.line(text, 1700000000))
    assert cosignatures(bytes(data), [key])
    data[at % len(data)] ^= flip
    with suppress(LogFormatError, CosignatureError):
        assert cosignatures(bytes(data), [key]) == {}


@UNHURRIED
@given(st.integers(1, (1 << 63) - 1))
def test_any_time_is_signed_and_read(at: int):
    witness = TestWitness(port=9)
    key = witness.witness.key
    text = "a.example\n1\nAAAA\n"
    found = answered_cosignature(sign_note(text, ORIGIN, SIGNER), witness.line(text, at), key)
    assert isinstance(found, Cosignature)
    assert (found.time, f"{found.line}\n".encode()) == (at, witness.line(text, at))


POLICY = f"""
log {LOG_KEY}   https://log.example
  # two of three

witness\tW1 {three()[0].vkey} https://w1.example
witness W2 {three()[1].vkey}
witness W3 {three()[2].vkey}
group G 2 W1 W2 W3
group H any W2 W3
"""


@pytest.mark.parametrize(
    ("quorum", "expected"),
    [("G", "2 of W1, W2, W3"), ("H", "1 of W2, W3"), ("W2", "1 of W2"), ("none", "0 of W1, W2, W3")],
)
def test_policy_files(quorum: str, expected: str):
    policy = parse_policy(f"{POLICY}quorum {quorum}")
    assert str(policy) == expected
    assert [witness.url for witness in policy.witnesses if str(witness) == "W1"] in (
        [],
        ["https://w1.example"],
    )


@pytest.mark.parametrize(
    "line",
    ["quorum X", "quorum log", "quorum G\nquorum H", "group I all G W1\nquorum I", "group I 0 W1\nquorum I",
     "group I 4 W1 W2 W3\nquorum I", "group I any\nquorum I", "group I any W1 W1\nquorum G", "quorum",
     f"witness W4 {three()[0].vkey}\nquorum W2",
     f"witness W4 {three()[0].vkey}\nquorum none", f"witness none {VKEY}\nquorum none",
     f"log {VKEY}\nquorum G",
     f"witness W1 {VKEY}\nquorum none", f"log {LOG_KEY}\nquorum G", f"witness W4 {LOG_KEY}\nquorum none",
     "group G any W1\nquorum G", "nonsense\nquorum G", "quorum G\r", "# only a comment", "#" * 70_000],
)  # fmt: skip
def test_policy_files_that_are_refused(line: str):
    with pytest.raises(WitnessPolicyError, match="cannot be read"):
        parse_policy(POLICY + line)


WORDS = st.sampled_from(
    ["log", "witness", "group", "quorum", "all", "any", "1", "none", "W1", VKEY, "\n", "\n"]
)


@UNHURRIED
@given(st.one_of(st.text(max_size=200), st.lists(WORDS, max_size=20).map(" ".join)))
def test_the_policy_parser_raises_nothing_else(text: str):
    try:
        parse_policy(text)
    except WitnessPolicyError as error:
        assert error.expected
