"""Notes, keys, checkpoints, proofs, tiles and bundles: what the specifications say, and bad input."""

import base64

import pytest
from audit_helpers import ORIGIN, SIGNER, UNHURRIED, KeySigner
from hypothesis import given
from hypothesis import strategies as st

from reconciler.audit.checkpoint import Checkpoint, open_checkpoint, parse_checkpoint_text, sign_checkpoint
from reconciler.audit.codes import CODES, LogFormatError, LogSignatureError, ProofError
from reconciler.audit.merkle import leaf_hash
from reconciler.audit.note import (
    VerifierKey,
    format_signer_key,
    open_note,
    parse_note,
    sign_note,
    signature_line,
)
from reconciler.audit.proof import Proof, check_proof, format_proof, parse_proof
from reconciler.audit.tiles import (
    bundle_path,
    encode_bundle,
    parse_bundle,
    parse_tile,
    tile_path,
    width_of,
)
from reconciler.errors import AuditError

# The example of golang.org/x/mod/sumdb/note.
NEUMANN = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
NEUMANN_NOTE = (
    "If you think cryptography is the answer to your problem,\n"
    "then you don't know what your problem is.\n"
    "\n"
    "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6"
    "KE6RyyBwJnAM=\n"
)
KEY = VerifierKey(ORIGIN, SIGNER.public_key)


def test_the_known_note_opens():
    note = open_note(NEUMANN_NOTE.encode(), [VerifierKey.parse(NEUMANN)])
    assert note.text.endswith("your problem is.\n")
    assert str(VerifierKey.parse(NEUMANN)) == NEUMANN


SIGNATURES = [
    "— a AAAAAAAA",
    "— a AAAAAAAA\nrest\n",
    "- a AAAAAAAA\n",
    "— a  AAAAAAAA\n",
    "— a+b AAAAAAAA\n",
    "— a AAAA\n",
    "— a AAAAAAAB=\n",
    "— a AAAAAAB=\n",
    "— a AAAA AAAA\n",
    "— a AAAAAAAA\n" * 101,
]
TEXTS = ["", "\n", "text\n", "text\n\n", "te\rxt\n\n— a AAAAAAAA\n", "te\0xt\n\n— a AAAAAAAA\n"]


@pytest.mark.parametrize("data", [*TEXTS, *[f"text\n\n{block}" for block in SIGNATURES]])
def test_malformed_notes(data: str):
    with pytest.raises(LogFormatError):
        parse_note(data.encode())


def test_a_known_key_with_a_wrong_signature_refuses_the_note():
    good = sign_note("text\n", ORIGIN, SIGNER).decode()
    bad = f"{good}{signature_line(ORIGIN, KEY.key_id, bytes(64))}\n"
    with pytest.raises(LogSignatureError, match="does not fit"):
        open_note(bad.encode(), [KEY])


def test_unknown_signatures_are_ignored_but_do_not_count():
    other = KeySigner(b"o" * 32)
    note = sign_note("text\n", ORIGIN, SIGNER).decode()
    both = f"{note}{signature_line('witness.example', 7, bytes(72))}\n".encode()
    assert open_note(both, [KEY]).text == "text\n"
    with pytest.raises(LogSignatureError, match="no known key"):
        open_note(both, [VerifierKey(ORIGIN, other.public_key)])
    with pytest.raises(LogSignatureError, match="no known key"):
        open_note(both, [])


@UNHURRIED
@given(st.integers(0, 200), st.integers(1, 255))
def test_any_changed_byte_of_a_signed_note_is_refused(at: int, flip: int):
    data = bytearray(sign_note("some text\nof a note\n", ORIGIN, SIGNER))
    data[at % len(data)] ^= flip
    with pytest.raises((LogFormatError, LogSignatureError)):
        open_note(bytes(data), [KEY])


def test_keys_are_written_as_go_writes_them():
    # The pair of golang.org/x/mod/sumdb/note's own example.
    seed = base64.b64decode("AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz")[1:]
    public = KeySigner(seed).public_key
    skey = format_signer_key("PeterNeumann", seed, public)
    assert skey == "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz"
    vkey = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
    assert VerifierKey.parse(vkey) == VerifierKey("PeterNeumann", public)


@UNHURRIED
@given(st.text(max_size=80))
def test_key_parsers_raise_nothing_else(text: str):
    with pytest.raises(LogFormatError):
        VerifierKey.parse(text)


@UNHURRIED
@given(st.one_of(st.binary(max_size=300), st.text(max_size=200).map(str.encode)))
def test_note_and_proof_parsers_raise_nothing_else(data: bytes):
    for parse in (parse_note, parse_proof, lambda d: open_checkpoint(d, ORIGIN, [KEY])):
        try:
            parse(data)
        except AuditError as error:
            assert error.code in CODES


lines = st.one_of(
    st.sampled_from(["log.example", "0", "12", "01", "", "A" * 43 + "=", "x" * 10]), st.text(max_size=9)
)


@UNHURRIED
@given(st.lists(lines, max_size=6).map("\n".join))
def test_checkpoint_parser_raises_nothing_else_and_is_exact(text: str):
    try:
        checkpoint = parse_checkpoint_text(text)
    except LogFormatError:
        return
    assert checkpoint.text() == text


@pytest.mark.parametrize("size", ["", "-1", "+1", "01", "1 ", "1e3", str(1 << 63), "٣"])
def test_sizes_of_a_checkpoint_are_plain_numbers(size: str):
    with pytest.raises(LogFormatError):
        parse_checkpoint_text(f"o\n{size}\n{'A' * 43}=\n")


def test_a_checkpoint_of_another_origin_is_refused():
    note = sign_note(Checkpoint("other.example/log", 0, bytes(32)).text(), ORIGIN, SIGNER)
    with pytest.raises(LogSignatureError, match="another log"):
        open_checkpoint(note, ORIGIN, [KEY])
    signed = sign_checkpoint(Checkpoint(ORIGIN, 3, bytes(32), ("extension",)), SIGNER)
    assert open_checkpoint(signed, ORIGIN, [KEY]) == Checkpoint(ORIGIN, 3, bytes(32), ("extension",))


def test_tlog_proof_round_trip_and_check():
    root = leaf_hash(b"entry")
    checkpoint = sign_checkpoint(Checkpoint(ORIGIN, 1, root), SIGNER)
    data = format_proof(Proof(0, (), checkpoint, b"extra"))
    assert parse_proof(data) == Proof(0, (), checkpoint, b"extra")
    assert check_proof(data, b"entry", ORIGIN, [KEY]) == 0
    with pytest.raises(ProofError):
        check_proof(data, b"entry!", ORIGIN, [KEY])


def test_paths_of_the_specification():
    assert tile_path(1, 1234067, 5) == "tile/1/x001/x234/067.p/5"
    assert tile_path(63, 0) == "tile/63/000"
    assert bundle_path(999) == "tile/entries/999"
    assert bundle_path(1000, 255) == "tile/entries/x001/000.p/255"


def test_widths_of_a_tree_of_70000():
    assert [width_of(0, n, 70_000) for n in (272, 273, 274)] == [256, 112, 0]
    assert [width_of(1, n, 70_000) for n in (0, 1)] == [256, 17]
    assert width_of(2, 0, 70_000) == 1


@UNHURRIED
@given(st.lists(st.binary(max_size=80), max_size=256))
def test_bundles_round_trip(entries: list[bytes]):
    assert parse_bundle(encode_bundle(entries), len(entries)) == entries


@UNHURRIED
@given(st.binary(max_size=200), st.integers(1, 6))
def test_tile_and_bundle_parsers_raise_nothing_else(data: bytes, width: int):
    for parse in (parse_tile, parse_bundle):
        try:
            assert len(parse(data, width)) == width
        except LogFormatError:
            continue


def test_bundles_of_the_wrong_width_and_entries_too_long():
    for bad, width in (
        (encode_bundle([b"a"]), 2),
        (encode_bundle([b"a", b"b"]), 1),
        (b"\0", 1),
        (b"\0\2a", 1),
    ):
        with pytest.raises(LogFormatError):
            parse_bundle(bad, width)
    assert len(encode_bundle([bytes(65_535)])) == 65_537
    with pytest.raises(LogFormatError):
        encode_bundle([bytes(65_536)])
