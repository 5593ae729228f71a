"""Our OpenPGP verifier against gpg: every key type, and many kinds of damage.

The rule: what we accept, gpg accepts. ``STRICTER`` lists what gpg accepts and we do not, with the reason,
``LENIENT`` the one thing that is the other way round.
"""

from __future__ import annotations

import base64
import subprocess
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from git_fixtures import FleetRepo
from gpg_kit import MADE, MESSAGE, SEEN, SIGNED, Gpg, gpg_accepts, gpg_home
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.errors import TrustError
from reconciler.repository.commits import parse_commit
from reconciler.trust.errors import (
    BadSignatureError,
    KeyTypeError,
    MalformedSignatureError,
    RevokedError,
    SignerListError,
    UnknownKeyError,
    ValidityError,
    WeakHashError,
)
from reconciler.trust.openpgp import OpenPgpCertificate, VerifiedOpenPgp, parse_certificates, verify
from reconciler.trust.openpgp_packets import SIGNATURE, crc24, unarmour

LATER = datetime(2026, 1, 1, tzinfo=UTC)
KINDS = ["ed25519", "rsa2048", "rsa3072", "nistp256", "nistp384", "nistp521"]


@dataclass(frozen=True)
class Case:
    """A signature, and all that its judgement depends on."""

    signature: bytes
    certificates: tuple[str, ...]
    message: bytes = MESSAGE
    at: datetime = SEEN

    def verify(self) -> VerifiedOpenPgp:
        return verify(self.signature, self.message, listed(*self.certificates), self.at)

    def gpg(self) -> bool:
        return gpg_accepts(self.signature, self.message, list(self.certificates), self.at)


def listed(*texts: str) -> dict[str, OpenPgpCertificate]:
    return {c.fingerprint: c for text in texts for c in parse_certificates(text)}


def armour(data: bytes) -> bytes:
    text, checksum = base64.encodebytes(data), base64.b64encode(crc24(data).to_bytes(3, "big"))
    return b"-----BEGIN PGP SIGNATURE-----\n\n" + text + b"=" + checksum + b"\n-----END PGP SIGNATURE-----\n"


@pytest.fixture(scope="module")
def gpg() -> Iterator[Gpg]:
    """A home with alice (signs), mallory (nobody knows her) and bob (signs with a subkey)."""
    with gpg_home() as home:
        home.key("alice")
        home.key("mallory")
        home.subkey(home.key("bob", "rsa2048"))
        yield home


@pytest.fixture(scope="module")
def good(gpg: Gpg) -> Case:
    return Case(gpg.sign("alice"), (gpg.export("alice"),))


@pytest.mark.parametrize("kind", KINDS)
def test_a_key_of_every_type_verifies(gpg: Gpg, kind: str) -> None:
    key = gpg.key(f"kind-{kind}", kind)
    case = Case(gpg.sign(key), (gpg.export(key), gpg.export("mallory")))
    assert case.verify() == VerifiedOpenPgp(key.lower(), key.lower(), SIGNED)
    assert case.gpg()


def test_a_subkey_signs_for_its_certificate(gpg: Gpg) -> None:
    primary, subkey = gpg.fingerprints("bob")
    case = Case(gpg.sign("bob"), (gpg.export("bob"),))
    assert case.verify() == VerifiedOpenPgp(primary.lower(), subkey.lower(), SIGNED)
    assert case.gpg()


@pytest.mark.parametrize("digest", ["SHA256", "SHA384", "SHA512"])
def test_strong_hashes_are_accepted(gpg: Gpg, digest: str) -> None:
    case = Case(gpg.sign("alice", "--digest-algo", digest), (gpg.export("alice"),))
    assert case.verify() and case.gpg()


def test_armour_without_checksum_and_with_an_empty_line_after_it_is_accepted(good: Case) -> None:
    # gpg 2.2 needs the checksum; RFC 9580 has it no longer, and sq does not write it.
    lines = good.signature.splitlines(keepends=True)
    bare = replace(good, signature=b"".join(line for line in lines if line[:1] != b"="))
    spaced = replace(good, signature=good.signature + b"\n")
    assert bare.verify() == spaced.verify() == good.verify()
    assert spaced.gpg()


def test_a_certificate_shows_what_it_holds(gpg: Gpg) -> None:
    (certificate,) = parse_certificates(gpg.export("bob"))
    keys = [name.lower() for name in gpg.fingerprints("bob")]
    assert certificate.fingerprint == keys[0] and certificate.keys == set(keys)
    assert certificate.user_ids == ("bob <bob@example.com>",)
    assert "packet" not in repr(certificate)


# What follows makes one broken case each, from a home and the good case.
Break = Callable[[Gpg, Case], Case]


def packet(case: Case, change: Callable[[bytearray], object]) -> Case:
    """The same with the binary signature changed."""
    data = bytearray(unarmour(case.signature, SIGNATURE))
    change(data)
    return replace(case, signature=armour(bytes(data)))


def altered_message(_: Gpg, good: Case) -> Case:
    return replace(good, message=MESSAGE + b"x")


def unlisted_key(gpg: Gpg, good: Case) -> Case:
    return replace(good, signature=gpg.sign("mallory"))


def borrowed_name(gpg: Gpg, good: Case) -> Case:
    """Mallory's signature that says it is alice's."""
    ours, theirs = (bytes.fromhex(gpg.fingerprints(name)[0]) for name in ("alice", "mallory"))
    data = unarmour(gpg.sign("mallory"), SIGNATURE)
    data = data.replace(theirs, ours).replace(theirs[-8:], ours[-8:])
    return replace(good, signature=armour(data))


def two_names(gpg: Gpg, good: Case) -> Case:
    ours, theirs = (bytes.fromhex(gpg.fingerprints(name)[0])[-8:] for name in ("alice", "mallory"))
    data = unarmour(good.signature, SIGNATURE)
    at = data.rindex(ours)
    return replace(good, signature=armour(data[:at] + theirs + data[at + 8 :]))


def digest(name: str) -> Break:
    options = ("--allow-weak-digest-algos", "--personal-digest-preferences", name, "--digest-algo", name)
    return lambda gpg, _: Case(gpg.sign("bob", *options), (gpg.export("bob"),))


def text_mode(gpg: Gpg, good: Case) -> Case:
    return replace(good, signature=gpg.sign("alice", "--textmode"))


def clear_signed(gpg: Gpg, good: Case) -> Case:
    return replace(good, signature=gpg.sign("alice", how="--clear-sign"))


def inline(gpg: Gpg, good: Case) -> Case:
    return replace(good, signature=gpg.sign("alice", how="--sign"))


def two_signers(gpg: Gpg, good: Case) -> Case:
    return Case(gpg.sign("alice", "-u", "bob"), (gpg.export("alice"), gpg.export("bob")))


def around(before: bytes, after: bytes) -> Break:
    return lambda _, good: replace(good, signature=before + good.signature + after)


def commented(gpg: Gpg, good: Case) -> Case:
    return replace(good, signature=gpg.sign("alice", "--comment", "Approved-by: the boss"))


def carriage_returns(_: Gpg, good: Case) -> Case:
    return replace(good, signature=good.signature.replace(b"\n", b"\r\n"))


def bad_checksum(_: Gpg, good: Case) -> Case:
    head, _, rest = good.signature.partition(b"\n=")
    return replace(good, signature=head + b"\n=AAAA" + rest[4:])


def binary(_: Gpg, good: Case) -> Case:
    return replace(good, signature=unarmour(good.signature, SIGNATURE))


def trailing_packet(_: Gpg, good: Case) -> Case:
    return packet(good, lambda data: data.extend(b"\xca\x03PGP"))


def truncated(_: Gpg, good: Case) -> Case:
    return packet(good, lambda data: data.__delitem__(slice(-4, None)))


def unhashed_notation(_: Gpg, good: Case) -> Case:
    """Something that the signature does not cover, as anyone can put it there."""

    def add(data: bytearray) -> None:
        body = data[2:]
        at = 6 + int.from_bytes(body[4:6], "big")
        size = int.from_bytes(body[at : at + 2], "big")
        extra = b"\x02\x1aX"  # policy URI
        body[at : at + 2] = (size + len(extra)).to_bytes(2, "big")
        body[at + 2 + size : at + 2 + size] = extra
        data[:] = bytes([0x88, len(body)]) + body

    return packet(good, add)


def critical_notation(gpg: Gpg, good: Case) -> Case:
    return replace(good, signature=gpg.sign("alice", "--sig-notation", "!role@example.com=owner"))


def expiring(gpg: Gpg, good: Case) -> Case:
    return replace(good, signature=gpg.sign("alice", "--default-sig-expire", "1y"))


def from_the_future(gpg: Gpg, good: Case) -> Case:
    return replace(good, signature=gpg.sign("alice", time=SEEN + timedelta(minutes=6)))


def expired_key(gpg: Gpg, _: Case) -> Case:
    key = gpg.key("expired", expires="1y")
    return Case(gpg.sign(key), (gpg.export(key),), at=LATER)


def expired_subkey(gpg: Gpg, _: Case) -> Case:
    key = gpg.key("expired-sub", "rsa2048")
    gpg.subkey(key, expires="1y")
    return Case(gpg.sign(key), (gpg.export(key),), at=LATER)


def expired_primary(gpg: Gpg, _: Case) -> Case:
    """The subkey that signed has no end, its primary key has."""
    key = gpg.key("expired-primary", expires="1y")
    gpg.subkey(key)
    return Case(gpg.sign(key), (gpg.export(key),), at=LATER)


def revoked(reason: int, at: datetime) -> Break:
    """A key that its owner revoked in June, for one of gpg's reasons."""

    def make(gpg: Gpg, _: Case) -> Case:
        key = gpg.key(f"revoked-{reason}-{at:%Y}")
        signature = gpg.sign(key)
        gpg.run("--import", stdin=gpg.revocation(key, reason, datetime(2024, 6, 1, tzinfo=UTC)))
        return Case(signature, (gpg.export(key),), at=at)

    return make


def revoked_subkey(gpg: Gpg, _: Case) -> Case:
    key = gpg.key("revoked-sub", "rsa2048")
    gpg.subkey(key)
    signature = gpg.sign(key)
    gpg.revoke_subkey(key, 1, datetime(2024, 6, 1, tzinfo=UTC))
    return Case(signature, (gpg.export(key),), at=SEEN)


def renewed(gpg: Gpg, _: Case) -> Case:
    """gpg puts the new self-signature in the place of the old one: nothing vouches for the time before."""
    key = gpg.key("renewed", expires="1y")
    signature = gpg.sign(key)
    gpg.run("--quick-set-expire", key, "5y", time=datetime(2024, 9, 1, tzinfo=UTC))
    return Case(signature, (gpg.export(key),), at=datetime(2024, 10, 1, tzinfo=UTC))


def dsa_subkey(gpg: Gpg, _: Case) -> Case:
    key = gpg.key("dsa-sub", "rsa2048")
    gpg.subkey(key, "dsa2048")
    return Case(gpg.sign(key, "--digest-algo", "SHA256"), (gpg.export(key),))


def nobody(_: Gpg, good: Case) -> Case:
    return replace(good, certificates=())


BROKEN: dict[str, tuple[Break, type[TrustError]]] = {
    "altered message": (altered_message, BadSignatureError),
    "unlisted key": (unlisted_key, UnknownKeyError),
    "no certificates at all": (nobody, UnknownKeyError),
    "borrowed name": (borrowed_name, BadSignatureError),
    "two names": (two_names, MalformedSignatureError),
    "SHA-1": (digest("SHA1"), WeakHashError),
    "SHA-224": (digest("SHA224"), WeakHashError),
    "RIPEMD-160": (digest("RIPEMD160"), WeakHashError),
    "text mode": (text_mode, MalformedSignatureError),
    "clear-signed": (clear_signed, MalformedSignatureError),
    "inline": (inline, MalformedSignatureError),
    "two signers": (two_signers, MalformedSignatureError),
    "text before": (around(b"Hello\n", b""), MalformedSignatureError),
    "text after": (around(b"", b"Goodbye\n"), MalformedSignatureError),
    "comment in the armour": (commented, MalformedSignatureError),
    "carriage returns": (carriage_returns, MalformedSignatureError),
    "bad checksum": (bad_checksum, MalformedSignatureError),
    "not armoured": (binary, MalformedSignatureError),
    "packet after": (trailing_packet, MalformedSignatureError),
    "truncated": (truncated, MalformedSignatureError),
    "unhashed policy": (unhashed_notation, MalformedSignatureError),
    "critical notation": (critical_notation, MalformedSignatureError),
    "expiring signature": (expiring, MalformedSignatureError),
    "from the future": (from_the_future, ValidityError),
    "expired key, back-dated": (expired_key, ValidityError),
    "expired subkey, back-dated": (expired_subkey, ValidityError),
    "expired primary key": (expired_primary, ValidityError),
    "retired key, back-dated": (revoked(3, LATER), RevokedError),
    "revoked without reason": (revoked(0, LATER), RevokedError),
    "compromised later": (revoked(1, SEEN), RevokedError),
    "revoked later without reason": (revoked(0, SEEN), RevokedError),
    "compromised subkey": (revoked_subkey, RevokedError),
    "older than a renewal": (renewed, ValidityError),
    "DSA": (dsa_subkey, KeyTypeError),
}
STRICTER = {
    "two names": "the short one stands where nothing covers it; gpg looks at the long one only",
    "SHA-1": "collisions are made for the price of a car; gpg refuses it in certificates only",
    "packet after": "gpg skips what it takes for a marker; nothing covers it",
    "from the future": "gpg warns, and goes on",
    "SHA-224": "not one of git's own hashes, and next to nobody's choice",
    "RIPEMD-160": "160 bits: collisions are within reach of those who can pay",
    "text mode": "line ends do not count in it, so two commits have one signature",
    "text before": "text around a signature is covered by nothing",
    "text after": "text around a signature is covered by nothing",
    "comment in the armour": "a header is covered by nothing",
    "carriage returns": "one form for one signature",
    "not armoured": "one form for one signature",
    "unhashed policy": "an area that is covered by nothing",
    "expiring signature": "a commit cannot be unsigned by the passing of time",
    "older than a renewal": "the self-signature that vouched for that time is gone",
    "DSA": "withdrawn by FIPS 186-5; a repeated nonce gives the key away",
}
LENIENT = "a key retired or superseded later was good before; gpg refuses all that it ever signed"


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_signature_is_refused_and_gpg_agrees_or_we_say_why(gpg: Gpg, good: Case, name: str) -> None:
    make, error = BROKEN[name]
    case = make(gpg, good)
    with pytest.raises(TrustError) as caught:
        case.verify()
    assert type(caught.value) is error, caught.value
    assert caught.value.hint and (caught.value.got or error is BadSignatureError)
    assert case.gpg() == (name in STRICTER)


@pytest.mark.parametrize("reason", [2, 3])
def test_a_soft_revocation_counts_from_its_time_on(gpg: Gpg, good: Case, reason: int) -> None:
    case = revoked(reason, SEEN)(gpg, good)
    assert case.verify() and not case.gpg(), LENIENT
    with pytest.raises(RevokedError):
        replace(case, at=datetime(2024, 6, 1, tzinfo=UTC)).verify()


def test_the_library_alone_would_accept_the_back_dated_signature(gpg: Gpg, good: Case) -> None:
    import pysequoia

    case = expired_key(gpg, good)
    certificate = pysequoia.Cert.from_bytes(case.certificates[0].encode())
    signature = pysequoia.Sig.from_bytes(case.signature)
    assert pysequoia.verify(MESSAGE, lambda _: [certificate], signature=signature).valid_sigs
    with pytest.raises(ValidityError, match="expired"):
        case.verify()


def test_a_key_counts_to_the_second_of_its_end(gpg: Gpg) -> None:
    key = gpg.key("to-the-second", expires="2024-04-01")
    case = Case(gpg.sign(key), (gpg.export(key),))
    end = listed(*case.certificates)[key.lower()].primary.created
    assert end == MADE
    (certificate,) = listed(*case.certificates).values()
    validity = certificate.identity(SEEN)[0][2].key_validity
    assert validity
    assert replace(case, at=MADE + validity - timedelta(seconds=1)).verify()
    with pytest.raises(ValidityError, match="expired"):
        replace(case, at=MADE + validity).verify()


def test_a_clock_may_be_five_minutes_ahead(gpg: Gpg, good: Case) -> None:
    ahead = replace(good, signature=gpg.sign("alice", time=SEEN + timedelta(minutes=5)))
    assert ahead.verify().created == SEEN + timedelta(minutes=5)


def test_what_is_signed_after_a_renewal_is_accepted_and_not_before_it(gpg: Gpg) -> None:
    renewal = datetime(2024, 9, 1, tzinfo=UTC)
    key = gpg.key("kept", expires="1y")
    gpg.run("--quick-set-expire", key, "5y", time=renewal)
    signed = renewal + timedelta(days=400)
    case = Case(gpg.sign(key, time=signed), (gpg.export(key),), at=signed)
    assert case.verify() and case.gpg()
    # As of a time before the renewal nothing vouches for the key.
    with pytest.raises(ValidityError):
        replace(case, signature=gpg.sign(key), at=SEEN).verify()


def test_a_shortened_life_cannot_be_undone_by_an_older_self_signature(gpg: Gpg) -> None:
    """The certificate has both: the owner's long word, and the shorter one that came after."""
    key = gpg.key("shortened", expires="5y")
    long, signature = gpg.export(key), gpg.sign(key)
    gpg.run("--quick-set-expire", key, "7d", time=MADE + timedelta(days=30))
    both = bytes(_merged(long, gpg.export(key)))
    text = gpg.run("--enarmor", stdin=both).stdout.decode().replace("ARMORED FILE", "PUBLIC KEY BLOCK")
    case = Case(signature, (text,), at=SEEN)
    assert len(listed(text)[key.lower()].parts[1].signatures) == 2
    assert replace(case, certificates=(long,)).verify()
    with pytest.raises(ValidityError):
        case.verify()


def _merged(one: str, other: str) -> bytes:
    import pysequoia

    return bytes(pysequoia.Cert.from_bytes(one.encode()).merge(pysequoia.Cert.from_bytes(other.encode())))


def test_a_subkey_of_two_certificates_is_nobodys(gpg: Gpg) -> None:
    (certificate,) = parse_certificates(gpg.export("bob"))
    twice = {"one": certificate, "two": certificate}
    with pytest.raises(SignerListError):
        verify(gpg.sign("bob"), MESSAGE, twice, SEEN)


def test_what_others_certify_does_not_matter(gpg: Gpg) -> None:
    key = gpg.key("certified", usage="default")
    before = gpg.export(key)
    gpg.run("-u", "mallory", "--quick-sign-key", key, time=SIGNED, check=False)
    assert gpg.export(key) != before
    assert parse_certificates(gpg.export(key)) == parse_certificates(before)


REFUSED: dict[str, tuple[Callable[[Gpg], str], str]] = {
    "nothing": (lambda _: "", "armour"),
    "a sentence": (lambda _: "the key of alice", "armour"),
    "an SSH key": (lambda _: "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIMEx2+qq", "armour"),
    "a signature": (lambda gpg: gpg.sign("alice").decode(), "armour"),
    "a secret key": (
        lambda gpg: gpg.run("--armor", "--export-secret-keys", "alice").stdout.decode(),
        "armour",
    ),
    "a secret key as a public one": (
        lambda gpg: (
            gpg.run("--armor", "--export-secret-keys", "alice")
            .stdout.decode()
            .replace("PRIVATE KEY", "PUBLIC KEY")
        ),
        "secret key",
    ),
    "two certificates": (lambda gpg: gpg.run("--armor", "--export").stdout.decode(), "exactly one"),
    "two armours": (lambda gpg: gpg.export("alice") + gpg.export("bob"), "armour"),
    "a revocation alone": (lambda gpg: gpg.revocation("alice", 0, SIGNED).decode(), "certificate"),
    "short RSA": (lambda gpg: gpg.export(gpg.key("short", "rsa1024")), "RSA of 1024 bits"),
    "DSA": (lambda gpg: gpg.export(gpg.key("dsa", "dsa2048")), "algorithm 17"),
    "Brainpool": (lambda gpg: gpg.export(gpg.key("brainpool", "brainpoolP256r1")), "another curve"),
    "secp256k1": (lambda gpg: gpg.export(gpg.key("koblitz", "secp256k1")), "another curve"),
    "too long": (
        lambda gpg: gpg.export("alice").replace("\n\n", "\n" + "Comment: x\n" * 99_999 + "\n"),
        "armour",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_text_that_is_not_one_good_certificate_is_refused(gpg: Gpg, name: str) -> None:
    make, reason = REFUSED[name]
    with pytest.raises(SignerListError, match=reason):
        parse_certificates(make(gpg))


def test_a_commit_that_git_signs_verifies(gpg: Gpg, good: Case, tmp_path: Path) -> None:
    repo = FleetRepo(tmp_path)
    key = gpg.fingerprints("alice")[0]
    env = {"GNUPGHOME": gpg.home, "GIT_COMMITTER_NAME": "a", "GIT_COMMITTER_EMAIL": "a@example.com"}
    env |= {"GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@example.com"}
    options = ("-c", "gpg.format=openpgp", "-c", f"user.signingKey={key}")
    repo.git(*options, "commit", "--quiet", "--allow-empty", "-S", "-m", "signed", env=env)
    raw = subprocess.run(
        ["git", "cat-file", "commit", "HEAD"], cwd=repo.path, env=repo.env, capture_output=True, check=True
    ).stdout
    commit = parse_commit(repo.head(), raw)
    assert commit.signature
    now = datetime.now(UTC)
    verified = verify(commit.signature, commit.payload, listed(*good.certificates), now)
    assert verified.key == key.lower()
    assert repo.git("verify-commit", "HEAD", env=env) == ""
    with pytest.raises(BadSignatureError):
        verify(
            commit.signature, commit.payload.replace(b"signed", b"forged"), listed(*good.certificates), now
        )


def test_a_rust_panic_becomes_our_error_and_an_interrupt_stays_one() -> None:
    from reconciler.trust.openpgp_certificates import library

    class PanicException(BaseException):
        """What pyo3 raises when Rust code panics."""

    failure = BadSignatureError("x")
    for raised, seen in ((PanicException(), BadSignatureError), (KeyboardInterrupt(), KeyboardInterrupt)):
        with pytest.raises(seen), library(failure):
            raise raised


@settings(deadline=None, max_examples=300)
@given(st.data())
def test_no_mutated_signature_verifies_or_raises_anything_else(good: Case, data: st.DataObject) -> None:
    """Of the armour, and of the packet in a sound armour."""
    packet_bytes = unarmour(good.signature, SIGNATURE)
    inside = data.draw(st.booleans())
    original = packet_bytes if inside else good.signature
    mutated = _mutated(data, original)
    case = replace(good, signature=armour(mutated) if inside else mutated)
    with suppress(TrustError):  # lines may break elsewhere; what the armour holds may not change by a bit
        if unarmour(case.signature.rstrip(b"\n") + b"\n", SIGNATURE) == packet_bytes:
            assert case.verify() == good.verify()
            return
    with pytest.raises(TrustError):
        assert case.verify() != good.verify(), "the checksum alone may go"


@settings(deadline=None, max_examples=300)
@given(st.data())
def test_a_mutated_certificate_is_refused_or_judged(good: Case, data: st.DataObject) -> None:
    from reconciler.trust.openpgp_packets import CERTIFICATE

    mutated = _mutated(data, unarmour(good.certificates[0].encode(), CERTIFICATE))
    text = armour(mutated).decode().replace("PGP SIGNATURE", "PGP PUBLIC KEY BLOCK")
    try:
        verified = replace(good, certificates=(text,)).verify()
    except TrustError:
        return
    assert verified == good.verify()


def _mutated(data: st.DataObject, original: bytes) -> bytes:
    """A few bytes changed, removed, doubled or put in."""
    mutated = bytearray(original)
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(mutated) - 1))
        match data.draw(st.sampled_from(["flip", "cut", "insert", "double"])):
            case "flip":
                mutated[at] ^= 1 << data.draw(st.integers(0, 7))
            case "cut":
                del mutated[at : at + data.draw(st.integers(1, 8))]
            case "insert":
                mutated[at:at] = data.draw(st.binary(min_size=1, max_size=4))
            case _:
                mutated[at:at] = mutated[at : at + 8]
        mutated = mutated or bytearray(b"x")
    return bytes(mutated)


def test_no_bit_of_a_signature_can_be_turned(good: Case) -> None:
    data, known = unarmour(good.signature, SIGNATURE), listed(*good.certificates)
    for at in range(8 * len(data)):
        turned = bytearray(data)
        turned[at // 8] ^= 1 << at % 8
        with pytest.raises(TrustError):
            verify(armour(bytes(turned)), MESSAGE, known, SEEN)


def test_an_end_of_a_signature_is_refused_whether_it_must_be_understood_or_not(gpg: Gpg, good: Case) -> None:
    case = expiring(gpg, good)
    data = unarmour(case.signature, SIGNATURE)
    assert b"\x05\x83" in data  # four bytes, critical
    with pytest.raises(MalformedSignatureError, match="expires"):
        replace(case, signature=armour(data.replace(b"\x05\x83", b"\x05\x03"))).verify()


@given(st.binary(max_size=300))
def test_any_bytes_are_refused_with_our_error(data: bytes) -> None:
    for signature in (data, armour(data), armour(b"\x88" + bytes([len(data) & 255]) + data[:255])):
        with pytest.raises(TrustError):
            verify(signature, MESSAGE, {}, SEEN)
    text = armour(data).decode().replace("PGP SIGNATURE", "PGP PUBLIC KEY BLOCK")
    with pytest.raises(TrustError):
        parse_certificates(text)
