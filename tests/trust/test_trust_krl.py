"""Revocation lists: made by ``ssh-keygen -k``, asked with ``ssh-keygen -Q`` and by us; and made by hand."""

import random
import re
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import cert_forge as certs
import pytest
import ssh_forge as forge
from cert_forge import Workshop
from hypothesis import given, settings
from hypothesis import strategies as st
from ssh_forge import s

from reconciler.errors import TrustError
from reconciler.trust.certkeys import parse_certificate
from reconciler.trust.errors import RevocationDataError
from reconciler.trust.krl import MAX_ENTRIES, MAX_KRL, Krl, parse_krl
from reconciler.trust.sshkeys import SshKey, parse_key
from reconciler.trust.wire import Reader

LIST, RANGE, BITMAP, KEY_ID, CERT_EXTENSION = 0x20, 0x21, 0x22, 0x23, 0x39
CERTIFICATES, KEYS, SHA1, SIGNATURE, SHA256, EXTENSION = 1, 2, 3, 4, 5, 255
LAST = 2**64 - 1
CA = certs.authority()
OTHER = certs.authority(0x0D)


@dataclass(frozen=True)
class Asked:
    """A certificate as far as a list looks at it."""

    serial: int = 1
    key_id: str = "id"
    key: SshKey = parse_key(forge.ed25519().blob)  # noqa: RUF009  frozen
    authority: SshKey = parse_key(CA.blob)  # noqa: RUF009


def u64(*numbers: int) -> bytes:
    return b"".join(number.to_bytes(8, "big") for number in numbers)


def section(kind: int, data: bytes) -> bytes:
    return bytes([kind]) + s(data)


def issued(*sections: bytes, ca: bytes = CA.blob, reserved: bytes = b"") -> bytes:
    return section(CERTIFICATES, s(ca) + s(reserved) + b"".join(sections))


def krl(*sections: bytes, version: int = 1, flags: int = 0, reserved: bytes = b"", made: int = 5) -> bytes:
    header = b"SSHKRL\n\0" + version.to_bytes(4, "big") + u64(9, made, flags) + s(reserved) + s(b"comment")
    return header + b"".join(sections)


def bitmap(offset: int, *serials: int) -> bytes:
    bits = sum(1 << serial - offset for serial in serials)
    return section(BITMAP, u64(offset) + forge.mpint(bits))


@pytest.fixture(scope="module")
def workshop(tmp_path_factory: pytest.TempPathFactory) -> Workshop:
    return Workshop(tmp_path_factory.mktemp("revocation"))


@pytest.fixture(scope="module")
def population(workshop: Workshop) -> dict[str, Path]:
    """Keys of several types, authorities, and certificates by both with serials and key ids of their own."""
    found = {name: workshop.key(name) for name in ("ca", "other", "alice", "bob")}
    found |= {"rsa": workshop.key("rsa", "rsa", 2048), "ecdsa": workshop.key("ecdsa", "ecdsa", 384)}
    for ca in ("ca", "other"):
        for serial in (0, 1, 2, 3, 9, 1000, 1001, 70_000, LAST):
            name = f"{ca}-{serial}"
            key = found[("alice", "rsa", "ecdsa")[serial % 3]]
            found[name] = workshop.certificate(
                found[ca], key, name, "-n", "x", "-z", str(serial), key_id=f"id{serial}"
            )
    return found


def theirs(krl_file: Path, population: dict[str, Path]) -> dict[str, bool]:
    """By name, whether ssh-keygen holds it for revoked; it answers for all files in one run."""
    paths = {
        name: path if path.suffix == ".pub" else path.with_suffix(".pub") for name, path in population.items()
    }
    answer = certs.run("ssh-keygen", "-Q", "-f", krl_file, *paths.values(), code=None).decode()
    found = dict(re.findall(r"^(\S+)(?: \(.*\))?: (ok|REVOKED)$", answer, re.M))
    assert len(found) == len(paths), answer
    return {name: found[str(path)] == "REVOKED" for name, path in paths.items()}


def ours(data: Krl, population: dict[str, Path]) -> dict[str, bool]:
    def revoked(path: Path) -> bool:
        if path.suffix == ".pub":
            return data.revokes_certificate(parse_certificate(certs.wire(path)))
        return data.revokes_key(parse_key(certs.wire(path)))

    return {name: revoked(path) for name, path in population.items()}


SPECS: dict[str, tuple[str, str]] = {
    "nothing": ("", "ca"),
    "a serial": ("serial: 9\n", "ca"),
    "serials": ("serial: 1\nserial: 3\nserial: 9\nserial: 70000\n", "ca"),
    "a range": ("serial: 2-1000\n", "ca"),
    "the last": ("serial: 18446744073709551615\n", "ca"),
    "nearly all": ("serial: 1-18446744073709551614\n", "ca"),
    "a bitmap": ("".join(f"serial: {n}\n" for n in range(1, 1400, 3)), "ca"),
    "all kinds": ("".join(f"serial: {n}\n" for n in range(1, 300, 2)) + "serial: 1000-5000\n", "ca"),
    "serials of all": ("serial: 1-9\n", "none"),
    "key id": ("id: id9\nid: nobody\nid: id0\n", "ca"),
    "key id of all": ("id: id1000\n", "none"),
    "the key": ("key: {alice}\n", ""),
    "RSA": ("key: {rsa}\n", ""),
    "SHA-1": ("sha1: {ecdsa}\n", ""),
    "SHA-256": ("sha256: {alice}\nsha256: {bob}\n", ""),
    "a fingerprint": ("hash: {fingerprint}\n", ""),
    "the authority": ("key: {ca}\n", ""),
    "the authority by SHA-256": ("sha256: {other}\n", ""),
    "much": ("serial: 3\nid: id2\nkey: {bob}\nsha256: {rsa}\nsha1: {other}\n", "ca"),
}  # fmt: skip


@pytest.mark.parametrize("name", SPECS)
def test_we_and_ssh_keygen_agree(workshop: Workshop, population: dict[str, Path], name: str) -> None:
    spec, ca = SPECS[name]
    listed = {key: certs.text(path) for key, path in population.items()}
    spec = spec.format(**listed, fingerprint=parse_key(certs.wire(population["alice"])).fingerprint)
    scope = population[ca].with_suffix(".pub") if ca not in ("", "none") else ca
    path = workshop.krl("krl-" + re.sub(r"\W", "-", name), spec, scope, number=42)
    parsed = parse_krl(path.read_bytes())
    assert ours(parsed, population) == theirs(path, population)
    assert any(ours(parsed, population).values()) == (name != "nothing")
    assert parsed.number == 42
    assert abs(parsed.generated.timestamp() - time.time()) < 120


def test_a_certificate_given_as_it_is(workshop: Workshop, population: dict[str, Path]) -> None:
    """``ssh-keygen -k FILE...`` revokes certificates by serial, or by key id when there is none."""
    path = workshop.folder / "given"
    files = (population["ca-9"], population["other-0"], population["bob"].with_suffix(".pub"))
    certs.run("ssh-keygen", "-q", "-k", "-f", path, *files)
    verdict = ours(parse_krl(path.read_bytes()), population)
    assert verdict == theirs(path, population)
    assert {name for name, revoked in verdict.items() if revoked} == {"ca-9", "other-0", "bob"}


def test_updates_keep_what_was_there(workshop: Workshop, population: dict[str, Path]) -> None:
    ca = population["ca"].with_suffix(".pub")
    path = workshop.krl("updated", "serial: 1\n", ca)
    (workshop.folder / "more.spec").write_text("serial: 3\nid: id2\n")
    certs.run("ssh-keygen", "-q", "-k", "-u", "-f", path, "-s", ca, "-z", "2", workshop.folder / "more.spec")
    parsed = parse_krl(path.read_bytes())
    assert parsed.number == 2
    assert ours(parsed, population) == theirs(path, population)
    assert {n for n, r in ours(parsed, population).items() if r} == {"ca-1", "ca-2", "ca-3"}


def sections_within(data: bytes) -> set[int]:
    """The kinds of section in a list that is all about one authority's certificates."""
    reader = Reader(data)
    reader.take(36)
    reader.string(), reader.string(), reader.take(1)
    within = Reader(reader.string(MAX_KRL))
    within.string(), within.string()
    found = set()
    while within.left:
        found.add(within.take(1)[0])
        within.string(MAX_KRL)
    return found


def test_many_serials_in_whatever_sections_ssh_keygen_likes(
    workshop: Workshop, population: dict[str, Path]
) -> None:
    """Runs, gaps and single serials: it chooses lists, ranges and bitmaps by size; all are seen here."""
    chance = random.Random(7)  # noqa: S311  not a secret
    wanted: set[int] = set()
    at = 1
    for _ in range(400):
        at += chance.choice((1, 2, 3, 8, 100, 5000, 2**33))
        run = chance.choice((1, 1, 1, 2, 5, 60))
        wanted.update(range(at, at + run))
        at += run
    spec = "".join(f"serial: {serial}\n" for serial in chance.sample(sorted(wanted), len(wanted)))
    data = workshop.krl("many", spec, population["ca"].with_suffix(".pub")).read_bytes()
    assert sections_within(data) == {LIST, RANGE, BITMAP}
    parsed = parse_krl(data)
    near = {serial + step for serial in wanted for step in (-1, 0, 1)} - {0}
    authority = parse_key(certs.wire(population["ca"]))
    assert {n for n in near if parsed.revokes_certificate(Asked(n, authority=authority))} == wanted


@settings(deadline=None, max_examples=60)
@given(st.data(), st.sets(st.integers(1, 400), min_size=1, max_size=60), st.integers(0, LAST - 500))
def test_all_encodings_mean_the_same(data: st.DataObject, serials: set[int], base: int) -> None:
    """Each serial in a section of any kind, in any order, overlapping or not."""
    numbers = sorted(base + serial for serial in serials)
    kinds = [data.draw(st.sampled_from((LIST, RANGE, BITMAP))) for _ in numbers]
    by_kind = {kind: [n for n, k in zip(numbers, kinds, strict=True) if k == kind] for kind in kinds}
    parts = [section(RANGE, u64(n, n)) for n in by_kind.get(RANGE, ())]
    parts += [section(LIST, u64(*by_kind[LIST]))] if LIST in by_kind else []
    parts += [bitmap(base, *by_kind[BITMAP])] if BITMAP in by_kind else []
    parsed = parse_krl(krl(*(issued(part) for part in data.draw(st.permutations(parts)))))
    everything = range(max(1, base), base + 402)
    assert [n for n in everything if parsed.revokes_certificate(Asked(n))] == numbers
    assert not any(parsed.revokes_certificate(Asked(n, authority=parse_key(OTHER.blob))) for n in numbers)


def test_what_is_exposed() -> None:
    parsed = parse_krl(krl(issued(section(LIST, u64(1, 2, 3, 9)), section(KEY_ID, s(b"a") + s(b"b")))))
    assert (parsed.number, parsed.generated) == (9, datetime(1970, 1, 1, 0, 0, 5, tzinfo=UTC))
    assert parsed.issued[CA.blob].serials == ((1, 3), (9, 9))
    assert parsed.entries == 4
    assert "issued" not in repr(parsed)


def test_the_wildcard_is_for_all_authorities() -> None:
    parsed = parse_krl(krl(issued(section(LIST, u64(5)), section(KEY_ID, s(b"lost")), ca=b"")))
    for authority in (CA, OTHER):
        key = parse_key(authority.blob)
        assert parsed.revokes_certificate(Asked(5, authority=key))
        assert parsed.revokes_certificate(Asked(0, "lost", authority=key))
        assert not parsed.revokes_certificate(Asked(6, authority=key))


def test_keys_of_types_that_are_not_accepted_can_be_revoked() -> None:
    old = s(b"ssh-dss") + s(b"x")
    assert parse_krl(krl(section(KEYS, s(old)))).keys == {old}


def test_extensions_that_are_not_critical_are_skipped() -> None:
    extension = s(b"x@y") + b"\0" + s(b"anything")
    parsed = parse_krl(
        krl(section(EXTENSION, extension), issued(section(CERT_EXTENSION, extension), section(LIST, u64(1))))
    )
    assert parsed.entries == 1


FAULTS: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "0 bytes"),
    "a list of keys": (b"ssh-ed25519 AAAA\n" * 9, "no KRL"),
    "version": (krl(version=2), "version 2"),
    "flags": (krl(flags=1), "flags"),
    "reserved": (krl(reserved=b"x"), "reserved"),
    "generated in the year 10000": (krl(made=253_402_300_800), "9999"),
    "cut": (krl(issued(section(LIST, u64(1))))[:-1], "ends after"),
    "unknown section": (krl(section(6, b"")), "unknown section 6"),
    "signed": (krl(section(SIGNATURE, CA.blob) + s(CA.sign(b""))), "signature section"),
    "critical extension": (krl(section(EXTENSION, s(b"x@y") + b"\1" + s(b""))), "critical extension x@y"),
    "extension neither": (krl(section(EXTENSION, s(b"x@y") + b"\2" + s(b""))), "critical"),
    "extension and more": (krl(section(EXTENSION, s(b"x@y") + b"\0" + s(b"") + b"x")), "too many"),
    "critical within": (krl(issued(section(CERT_EXTENSION, s(b"x@y") + b"\1" + s(b"")))), "critical"),
    "unknown section within": (krl(issued(section(0x24, b""))), "certificate section 36"),
    "reserved within": (krl(issued(reserved=b"x")), "reserved"),
    "authority is nothing": (krl(issued(ca=b"x")), "not well formed"),
    "authority is a certificate": (krl(issued(ca=certs.certificate(CA, CA).blob)), "certificates"),
    "serial 0": (krl(issued(section(LIST, u64(0)))), "cannot be"),
    "serial 0 in a bitmap": (krl(issued(bitmap(0, 0))), "cannot be"),
    "backward range": (krl(issued(section(RANGE, u64(5, 4)))), "cannot be"),
    "range and more": (krl(issued(section(RANGE, u64(4, 5, 6)))), "too many"),
    "half a serial": (krl(issued(section(LIST, u64(1) + b"x"))), "ends after"),
    "bitmap past the end": (krl(issued(bitmap(LAST, LAST, LAST + 1))), "cannot be"),
    "empty bitmap": (krl(issued(section(BITMAP, u64(1) + s(b"")))), "positive"),
    "bitmap and more": (krl(issued(section(BITMAP, u64(1) + forge.mpint(5) + b"x"))), "too many"),
    "no key ids": (krl(issued(section(KEY_ID, b""))), "empty section"),
    "key id with a zero byte": (krl(issued(section(KEY_ID, s(b"lost\0")))), "zero byte"),
    "no keys": (krl(section(KEYS, b"")), "empty section"),
    "certificate as a key": (krl(section(KEYS, s(certs.certificate(CA, CA).blob))), "certificate in place"),
    "no key as a key": (krl(section(KEYS, s(b"x"))), "ends after"),
    "short SHA-1": (krl(section(SHA1, s(b"x" * 19))), "19 bytes"),
    "short SHA-256": (krl(section(SHA256, s(b"x" * 20))), "20 bytes"),
    "too many": (krl(issued(*(section(LIST, u64(*range(2, 2 * MAX_ENTRIES + 4, 2))),))), "entries"),
    "too long": (krl() + b"x" * MAX_KRL, "bytes"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_each_fault_refuses_the_list(name: str) -> None:
    data, message = FAULTS[name]
    with pytest.raises(RevocationDataError, match="FW1215") as caught:
        parse_krl(data)
    assert message in str(caught.value) and str(caught.value).isprintable()


def test_the_largest_bitmaps_take_no_time() -> None:
    """Alternating bits are the most ranges that a byte can mean."""
    dense = section(BITMAP, u64(1) + forge.mpint(int("01" * 2**18, 2)))
    started = time.monotonic()
    with pytest.raises(RevocationDataError, match="entries"):
        parse_krl(krl(*(issued(dense),) * 60))
    assert time.monotonic() - started < 10


GOOD = krl(
    issued(
        section(LIST, u64(1, 5)), section(RANGE, u64(7, 9)), bitmap(20, 20, 22), section(KEY_ID, s(b"lost"))
    ),
    section(KEYS, s(OTHER.blob)),
    section(SHA1, s(b"a" * 20)),
    section(SHA256, s(b"b" * 32)),
    section(EXTENSION, s(b"x@y") + b"\0" + s(b"z")),
)


@settings(deadline=None, max_examples=300)
@given(st.integers(0, len(GOOD)), st.binary(max_size=5), st.integers(0, 8))
def test_almost_good_lists(at: int, insert: bytes, cut: int) -> None:
    try:
        parsed = parse_krl(GOOD[:at] + insert + GOOD[at + cut :])
    except TrustError as error:
        assert type(error) is RevocationDataError and str(error).isprintable()
    else:
        assert parsed.revokes_certificate(Asked(5)) in (True, False)


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_lists_of_anything(data: bytes) -> None:
    for raw in (data, krl() + data, krl(section(CERTIFICATES, data)), krl(issued(data))):
        try:
            parse_krl(raw)
        except RevocationDataError as error:
            assert str(error).isprintable()
