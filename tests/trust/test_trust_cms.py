"""Our CMS verifier against ``openssl cms -verify``: key types, chains, revocation lists, and damage.

The rule: what we accept, openssl accepts. ``STRICTER`` lists what openssl accepts and we do not, and why.
"""

from __future__ import annotations

import base64
import subprocess
import tempfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from cms_forge import (
    ALICE,
    CODE,
    DAY,
    MESSAGE,
    SEEN,
    SERVER,
    START,
    Authority,
    Holder,
    Knobs,
    armour,
    forge,
    forge_der,
    make,
    new_key,
    pem,
    usage,
)
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.errors import TrustError
from reconciler.trust.armour import pattern, unarmour
from reconciler.trust.cms import VerifiedX509, X509Authority, parse_authority, verify
from reconciler.trust.der import check_der
from reconciler.trust.errors import (
    AuthorityError,
    BadSignatureError,
    KeyTypeError,
    MalformedSignatureError,
    PrincipalError,
    RevocationDataError,
    RevokedError,
    SignerListError,
    UnknownKeyError,
    ValidityError,
    WeakHashError,
)
from reconciler.trust.wire import WireError

PEOPLE = Authority()
RSA = Authority("rsa", name="Old")
LEAF = PEOPLE.leaf()
SOFT = x509.ReasonFlags.superseded
HARD = x509.ReasonFlags.key_compromise


@dataclass(frozen=True)
class Case:
    """A signature, and all that its judgement depends on."""

    signature: bytes
    roots: str = pem(PEOPLE.root.certificate)
    crls: str = field(default_factory=PEOPLE.crls)
    message: bytes = MESSAGE
    at: datetime = SEEN
    required: bool = True

    def authority(self) -> X509Authority:
        return parse_authority("people", self.roots, self.crls, self.required)

    def verify(self) -> VerifiedX509:
        return verify(self.signature, self.message, [self.authority()], self.at)

    def openssl(self) -> bool:
        """Whether openssl accepts it at that time, knowing these authorities and lists only."""
        with tempfile.TemporaryDirectory() as folder:
            text = self.signature.replace(b"SIGNED MESSAGE", b"CMS")
            files = {"sig": text, "message": self.message, "ca": (self.roots + self.crls).encode()}
            paths = {name: Path(folder, name) for name in files}
            for name, data in files.items():
                paths[name].write_bytes(data)
            checks = ["-crl_check_all"] if self.required else []
            command = ["openssl", "cms", "-verify", "-binary", "-inform", "PEM", "-in", str(paths["sig"])]
            command += ["-content", str(paths["message"]), "-CAfile", str(paths["ca"]), "-no-CApath"]
            command += ["-no-CAstore", "-purpose", "any", "-attime", str(int(self.at.timestamp())), *checks]
            return subprocess.run(command, capture_output=True, timeout=60, check=False).returncode == 0


def openssl_sign(by: Holder, folder: Path, *options: str) -> bytes:
    """What openssl makes, as smimesign does: detached over the bytes as they are, with the chain."""
    paths = {name: folder / name for name in ("message", "cert", "key", "extra")}
    paths["message"].write_bytes(MESSAGE)
    paths["cert"].write_text(pem(by.certificate))
    paths["key"].write_text(by.key_pem)
    paths["extra"].write_text("".join(map(pem, by.extra)))
    command = ["openssl", "cms", "-sign", "-binary", "-outform", "DER", "-in", str(paths["message"])]
    command += ["-signer", str(paths["cert"]), "-inkey", str(paths["key"])]
    command += ["-certfile", str(paths["extra"])] if by.extra else []
    return subprocess.run([*command, *options], capture_output=True, check=True, timeout=60).stdout


def now() -> datetime:
    """openssl signs with its own clock; a time at which both it and the certificates hold."""
    return datetime.now(SEEN.tzinfo)


def current() -> tuple[Authority, Case]:
    """An authority whose certificates and lists hold for some years, for what openssl signs today."""
    people = Authority(middle_days=20_000)
    days = (now() - START).days + 60
    return people, Case(b"", pem(people.root.certificate), people.crls(days=max(days, 60)), at=now() + DAY)


@pytest.mark.parametrize("kind", ["p256", "p384", "p521", "rsa"])
def test_a_key_of_every_type_verifies(kind: str) -> None:
    leaf = PEOPLE.leaf(kind)
    case = Case(forge(MESSAGE, leaf))
    fingerprint = "SHA256:" + leaf.certificate.fingerprint(hashes.SHA256()).hex()
    assert case.verify() == VerifiedX509(
        ("alice@example.com",), fingerprint, "people", leaf.certificate.serial_number
    )
    assert case.openssl()


def test_ed25519_verifies_below_an_issuer_of_another_kind() -> None:
    """openssl 3.0 cannot do it in CMS; RFC 8419."""
    assert Case(forge_armour(PEOPLE.leaf("ed25519"), Knobs(digest="sha512"))).verify().names


def forge_armour(by: Holder, knobs: Knobs) -> bytes:
    return armour(forge_der(by, knobs))


SOUND: dict[str, Callable[[], Case]] = {
    "SHA-384": lambda: Case(forge_armour(LEAF, Knobs(digest="sha384"))),
    "SHA-512": lambda: Case(forge_armour(LEAF, Knobs(digest="sha512"))),
    "RSA-PSS": lambda: Case(forge_armour(PEOPLE.leaf("rsa"), Knobs(pss=True))),
    "key identifier": lambda: Case(forge_armour(LEAF, Knobs(key_id=True))),
    "no signing time": lambda: Case(forge_armour(LEAF, Knobs(signing_time=None))),
    "an unsigned attribute": lambda: Case(forge_armour(LEAF, Knobs(unsigned=True))),
    "an RSA authority": lambda: Case(forge(MESSAGE, RSA.leaf("rsa")), pem(RSA.root.certificate), RSA.crls()),
    "code signing": lambda: Case(forge(MESSAGE, PEOPLE.leaf(purposes=(CODE,)))),
    "issued by the root": lambda: Case(forge(MESSAGE, PEOPLE.leaf(issuer=PEOPLE.root))),
    "a listed intermediate": lambda: Case(
        forge_armour(LEAF, Knobs(certificates=[LEAF.certificate])),
        pem(PEOPLE.middle.certificate) + pem(PEOPLE.root.certificate),
    ),
    "an authority without revocations": lambda: Case(forge(MESSAGE, LEAF), crls="", required=False),
    "a clock that is ahead": lambda: Case(
        forge_armour(LEAF, Knobs(signing_time=SEEN + timedelta(minutes=5)))
    ),
    "an empty line after": lambda: Case(forge(MESSAGE, LEAF) + b"\n"),
    "the last day of the list": lambda: Case(
        forge(MESSAGE, LEAF), at=START + 60 * DAY - timedelta(seconds=1)
    ),
    "names within constraints": lambda: constrained("example.com"),
}


def constrained(domain: str) -> Case:
    names = x509.NameConstraints([x509.RFC822Name(domain)], None)
    people = Authority(middle_extensions=((names, True),))
    return Case(forge(MESSAGE, people.leaf()), pem(people.root.certificate), people.crls())


@pytest.mark.parametrize("name", SOUND)
def test_a_sound_signature_is_accepted(name: str) -> None:
    case = SOUND[name]()
    assert case.verify().names == ("alice@example.com",)
    assert case.openssl()


@pytest.mark.parametrize("options", [(), ("-md", "sha512"), ("-keyid",), ("-md", "sha384", "-nosmimecap")])
def test_what_openssl_signs_verifies(tmp_path: Path, options: tuple[str, ...]) -> None:
    people, case = current()
    for leaf in (people.leaf(days=20_000), people.leaf("rsa", days=20_000)):
        signed = replace(case, signature=armour(openssl_sign(leaf, tmp_path, *options)))
        assert signed.verify().names == ("alice@example.com",)
        assert signed.openssl()


def test_names_are_addresses_and_uris_and_not_hosts() -> None:
    uri = x509.UniformResourceIdentifier("https://ci.example.com/fleet/.github/workflows/release.yaml@main")
    leaf = PEOPLE.leaf(names=(*ALICE, uri, x509.DNSName("alice")))
    assert Case(forge(MESSAGE, leaf)).verify().names == ("alice@example.com", uri.value)


# What follows makes one broken case each.


def knobs(**changes: object) -> Callable[[], Case]:
    return lambda: Case(forge_armour(LEAF, replace(Knobs(), **changes)))  # type: ignore[arg-type]


def leaf(kind: str = "p256", **options: object) -> Callable[[], Case]:
    return lambda: Case(forge(MESSAGE, PEOPLE.leaf(kind, **options)))  # type: ignore[arg-type]


def text(change: Callable[[bytes], bytes]) -> Callable[[], Case]:
    return lambda: Case(change(forge(MESSAGE, LEAF)))


def below(**options: object) -> Callable[[], Case]:
    """A sound leaf of an authority that was made otherwise."""

    def build() -> Case:
        people = Authority(**options)  # type: ignore[arg-type]
        return Case(forge(MESSAGE, people.leaf()), pem(people.root.certificate), people.crls())

    return build


def with_lists(make_lists: Callable[[], str], at: datetime = SEEN) -> Callable[[], Case]:
    return lambda: Case(forge(MESSAGE, LEAF), crls=make_lists(), at=at)


def two_below_path_length() -> Case:
    people = Authority(path_length=0)
    key = new_key()
    options = {"ca": True, "key_usage": usage("key_cert_sign", "crl_sign")}
    lower = Holder(make("Lower", people.middle, key, **options), key)  # type: ignore[arg-type]
    alice = people.leaf(issuer=lower)
    alice.extra = (lower.certificate, people.middle.certificate)
    return Case(forge(MESSAGE, alice), pem(people.root.certificate), people.crls() + people.crl(lower))


def issued_by_a_person() -> Case:
    mallory = PEOPLE.leaf(issuer=LEAF)
    mallory.extra = (LEAF.certificate, PEOPLE.middle.certificate)
    return Case(forge(MESSAGE, mallory))


def signed_by_another() -> Case:
    """Alice's certificate, another's key."""
    return Case(forge(MESSAGE, Holder(LEAF.certificate, new_key(), LEAF.extra)))


def another_root_of_the_same_name() -> Case:
    return replace(Case(forge(MESSAGE, Authority().leaf())), roots=pem(PEOPLE.root.certificate))


def authority_as_signer() -> Case:
    return Case(forge(MESSAGE, Holder(PEOPLE.middle.certificate, PEOPLE.middle.key)))


def root_as_signer() -> Case:
    return Case(forge(MESSAGE, Holder(PEOPLE.root.certificate, PEOPLE.root.key)))


def short_lived() -> Case:
    """As Fulcio issues them: ten minutes, over when the commit is seen the next day."""
    return Case(
        forge_armour(
            PEOPLE.leaf(start=SEEN - DAY, days=1 / 144, purposes=(CODE,)), Knobs(signing_time=SEEN - DAY)
        )
    )


def ber() -> Case:
    """The outermost length indefinite, as gpgsm writes it."""
    der = forge_der(LEAF, Knobs())
    return Case(armour(b"\x30\x80" + der[4:] + b"\0\0"))


def sha1_certificate() -> Case:
    """By openssl: our own library does not make one any more."""
    people, case = current()
    alice = people.leaf()
    with tempfile.TemporaryDirectory() as folder:
        texts = {"ca": pem(people.middle.certificate), "key": people.middle.key_pem, "own": alice.public_pem}
        texts["extensions"] = (
            "basicConstraints=critical,CA:FALSE\nkeyUsage=critical,digitalSignature\n"
            "extendedKeyUsage=emailProtection\nsubjectAltName=email:alice@example.com\n"
        )
        paths = {name: str(Path(folder, name)) for name in texts}
        for name, content in texts.items():
            Path(paths[name]).write_text(content)
        command = ["openssl", "x509", "-new", "-subj", "/CN=alice", "-sha1", "-force_pubkey", paths["own"]]
        command += [
            "-CA",
            paths["ca"],
            "-CAkey",
            paths["key"],
            "-extfile",
            paths["extensions"],
            "-days",
            "99",
        ]
        made = subprocess.run(command, capture_output=True, check=True, timeout=60).stdout
    weak = Holder(x509.load_pem_x509_certificate(made), alice.key, alice.extra)
    return replace(case, signature=forge(MESSAGE, weak))


BROKEN: dict[str, tuple[Callable[[], Case], type[TrustError]]] = {
    "altered message": (lambda: replace(Case(forge(MESSAGE, LEAF)), message=b"x"), BadSignatureError),
    "another's key": (signed_by_another, BadSignatureError),
    "no signed attributes": (knobs(signed=False), MalformedSignatureError),
    "no content type": (knobs(content_type=None), MalformedSignatureError),
    "another content type": (knobs(content_type="signed_data"), MalformedSignatureError),
    "no message digest": (knobs(message_digest=False), MalformedSignatureError),
    "content type twice": (knobs(twice="content_type"), MalformedSignatureError),
    "message digest twice": (knobs(twice="message_digest"), MalformedSignatureError),
    "attributes out of order": (knobs(reverse=True), MalformedSignatureError),
    "content inside": (knobs(content=MESSAGE), MalformedSignatureError),
    "empty content inside": (knobs(content=b""), MalformedSignatureError),
    "two signers": (knobs(signers=2), MalformedSignatureError),
    "no signer": (knobs(signers=0), MalformedSignatureError),
    "another version": (knobs(version="v3"), MalformedSignatureError),
    "another digest announced": (knobs(announce="sha512"), MalformedSignatureError),
    "SHA-1": (knobs(digest="sha1"), WeakHashError),
    "SHA-224": (knobs(digest="sha224"), WeakHashError),
    "MD5": (lambda: Case(forge_armour(PEOPLE.leaf("rsa"), Knobs(digest="md5"))), WeakHashError),
    "hashes that differ": (knobs(algorithm="sha512_ecdsa"), KeyTypeError),
    "RSA said of an ECDSA key": (knobs(algorithm="sha256_rsa"), KeyTypeError),
    "RSA-PSS over SHA-1": (
        lambda: Case(forge_armour(PEOPLE.leaf("rsa"), Knobs(pss=True, mask="sha1"))),
        KeyTypeError,
    ),
    "short RSA": (leaf("rsa1024"), KeyTypeError),
    "another curve": (leaf("p224"), KeyTypeError),
    "signer's certificate missing": (knobs(certificates=[PEOPLE.middle.certificate]), UnknownKeyError),
    "intermediate missing": (knobs(certificates=[LEAF.certificate]), AuthorityError),
    "from the future": (knobs(signing_time=SEEN + timedelta(minutes=6)), ValidityError),
    "text before": (text(lambda armoured: b"Hello\n" + armoured), MalformedSignatureError),
    "text after": (text(lambda armoured: armoured + b"Goodbye\n"), MalformedSignatureError),
    "carriage returns": (text(lambda armoured: armoured.replace(b"\n", b"\r\n")), MalformedSignatureError),
    "bytes after": (lambda: Case(armour(forge_der(LEAF, Knobs()) + b"\0")), MalformedSignatureError),
    "BER": (ber, MalformedSignatureError),
    "expired": (leaf(days=10), ValidityError),
    "not yet valid": (leaf(start=SEEN + DAY), ValidityError),
    "short-lived": (short_lived, ValidityError),
    "issuer expired": (below(middle_days=10), ValidityError),
    "another root": (lambda: replace(Case(forge(MESSAGE, RSA.leaf()))), AuthorityError),
    "another root of the same name": (another_root_of_the_same_name, AuthorityError),
    "issued by a person": (issued_by_a_person, AuthorityError),
    "an authority signs": (authority_as_signer, AuthorityError),
    "the root signs": (root_as_signer, AuthorityError),
    "path too long": (two_below_path_length, AuthorityError),
    "issuer that may not sign": (below(middle_usage=("digital_signature", "crl_sign")), AuthorityError),
    "another purpose": (leaf(purposes=(SERVER,)), AuthorityError),
    "no purpose": (leaf(purposes=()), AuthorityError),
    "key for encryption": (leaf(key_usage=usage("key_encipherment")), AuthorityError),
    "issuer for another purpose": (
        below(middle_extensions=((x509.ExtendedKeyUsage([SERVER]), False),)),
        AuthorityError,
    ),
    "name outside constraints": (lambda: constrained("example.org"), AuthorityError),
    "SHA-1 in the chain": (sha1_certificate, AuthorityError),
    "unknown critical extension": (
        leaf(extensions=((x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"\x05\0"), True),)),
        AuthorityError,
    ),
    "hosts only": (leaf(names=(x509.DNSName("alice"),)), PrincipalError),
    "no names": (leaf(names=()), AuthorityError),
    "an odd address": (leaf(names=(x509.RFC822Name("alice"),)), PrincipalError),
    "a URI that is an address": (
        leaf(names=(x509.UniformResourceIdentifier("root@example.com"),)),
        PrincipalError,
    ),
    "no list": (with_lists(str), RevocationDataError),
    "no list of the root": (with_lists(lambda: PEOPLE.crl(PEOPLE.middle)), RevocationDataError),
    "list out of date": (with_lists(PEOPLE.crls, START + 60 * DAY), RevocationDataError),
    "list of the future": (with_lists(lambda: PEOPLE.crls(start=SEEN + DAY)), RevocationDataError),
    "forged list": (with_lists(lambda: PEOPLE.crls(key=new_key())), RevocationDataError),
    "list by one who may not": (below(middle_usage=("key_cert_sign",)), RevocationDataError),
    "compromised": (with_lists(lambda: PEOPLE.crls(LEAF, reason=HARD)), RevokedError),
    "revoked without reason": (with_lists(lambda: PEOPLE.crls(LEAF)), RevokedError),
    "compromised later": (with_lists(lambda: PEOPLE.crls(LEAF, reason=HARD, since=SEEN + DAY)), RevokedError),
    "revoked in an old list": (
        with_lists(lambda: PEOPLE.crls(LEAF, days=1, reason=HARD) + PEOPLE.crls()),
        RevokedError,
    ),
    "superseded": (with_lists(lambda: PEOPLE.crls(LEAF, reason=SOFT, since=SEEN)), RevokedError),
    "issuer revoked": (
        with_lists(lambda: PEOPLE.crl(PEOPLE.middle) + PEOPLE.crl(PEOPLE.root, PEOPLE.middle)),
        RevokedError,
    ),
}
STRICTER = {
    "another content type": "a signature over something else than data is for another purpose",
    "MD5": "collisions are made in a second",
    "hashes that differ": "two hashes where one is meant; openssl takes the digest's",
    "RSA said of an ECDSA key": "the algorithm is that of the key; openssl takes the key's",
    "key for encryption": "asked of openssl for any purpose",
    "no signed attributes": "a signature over a SET would be one over that text too (RFC 5652, section 5.3)",
    "attributes out of order": "one encoding of what is signed",
    "content inside": "two texts, and the reader would have to know which one counts",
    "empty content inside": "two texts, and the reader would have to know which one counts",
    "two signers": "one commit has one signer",
    "another version": "the version says how the signer is named",
    "SHA-1": "collisions are made for the price of a car",
    "SHA-224": "not one of git's own hashes, and next to nobody's choice",
    "RSA-PSS over SHA-1": "two hashes where one is meant",
    "another curve": "not among the curves that all parts of fleetward accept",
    "short RSA": "factored by whoever has the money",
    "from the future": "openssl does not look at the signing time",
    "text before": "text around a signature is covered by nothing",
    "text after": "text around a signature is covered by nothing",
    "carriage returns": "one form for one signature",
    "bytes after": "bytes that are covered by nothing",
    "BER": "one encoding for one signature",
    "the root signs": "a root vouches for others; what signs commits can be revoked",
    "an authority signs": "an authority vouches for others",
    "another purpose": "a server's certificate says nothing of who may sign",
    "no purpose": "a certificate for everything is one for nothing in particular",
    "issuer for another purpose": "asked of openssl for any purpose",
    "SHA-1 in the chain": "collisions are made for the price of a car",
    "hosts only": "a host is nobody who signs",
    "no names": "nobody is named",
    "an odd address": "nobody is named",
    "a URI that is an address": "a name of one kind must not pass for one of another",
    "revoked in an old list": "openssl asks the current list only",
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_signature_is_refused_and_openssl_agrees_or_we_say_why(name: str) -> None:
    build, error = BROKEN[name]
    case = build()
    with pytest.raises(TrustError) as caught:
        case.verify()
    assert type(caught.value) is error, caught.value
    assert caught.value.hint
    assert case.openssl() == (name in STRICTER)


@pytest.mark.parametrize(
    ("lists", "at"),
    [
        (lambda: PEOPLE.crls(LEAF, reason=SOFT, since=SEEN + DAY), SEEN),
        (lambda: PEOPLE.crls(PEOPLE.leaf(), reason=HARD), SEEN),
        (lambda: PEOPLE.crls(days=1) + PEOPLE.crls(), SEEN),
    ],
    ids=["superseded later", "another one revoked", "one list of two is current"],
)
def test_a_revocation_that_does_not_count_does_no_harm(lists: Callable[[], str], at: datetime) -> None:
    assert Case(forge(MESSAGE, LEAF), crls=lists(), at=at).verify()


def test_a_certificate_counts_to_the_second_of_its_end() -> None:
    alice = PEOPLE.leaf(days=40)
    end = alice.certificate.not_valid_after_utc
    case = Case(forge_armour(alice, Knobs(signing_time=None)), at=end)
    assert case.verify()
    with pytest.raises(ValidityError, match="2026-02-10T00:00:00Z"):
        replace(case, at=end + timedelta(seconds=1)).verify()


def test_an_authority_without_lists_still_honours_a_revocation_that_it_has() -> None:
    case = Case(forge(MESSAGE, LEAF), crls=PEOPLE.crls(LEAF), required=False)
    with pytest.raises(RevokedError):
        case.verify()


def test_each_authority_vouches_for_its_own() -> None:
    both = [Case(b"").authority(), parse_authority("old", pem(RSA.root.certificate), RSA.crls())]
    assert verify(forge(MESSAGE, LEAF), MESSAGE, both, SEEN).authority == "people"
    assert verify(forge(MESSAGE, RSA.leaf()), MESSAGE, both, SEEN).authority == "old"
    with pytest.raises(SignerListError, match="more than one"):
        verify(forge(MESSAGE, LEAF), MESSAGE, [both[0], replace(both[0], name="again")], SEEN)
    with pytest.raises(AuthorityError, match="no authority is listed"):
        verify(forge(MESSAGE, LEAF), MESSAGE, [], SEEN)


def test_the_reason_is_said_without_what_the_certificate_says_of_itself() -> None:
    alice = PEOPLE.leaf(purposes=(SERVER,))
    with pytest.raises(AuthorityError, match=r"people: .*another purpose") as caught:
        Case(forge(MESSAGE, alice)).verify()
    assert "alice" not in str(caught.value)


DELTA = ((x509.DeltaCRLIndicator(1), True),)
PARTIAL = ((x509.IssuingDistributionPoint(None, None, True, False, None, False, False), True),)
ROOT = pem(PEOPLE.root.certificate)
UNUSABLE: dict[str, tuple[str, str, type[TrustError]]] = {
    "nothing": ("", "", SignerListError),
    "a sentence": ("our root", "", SignerListError),
    "an intermediate only": (pem(PEOPLE.middle.certificate), "", SignerListError),
    "a key": (ROOT + PEOPLE.root.key_pem, "", SignerListError),
    "cut short": (ROOT[:-40], "", SignerListError),
    "broken inside": (ROOT.replace("MII", "MIJ", 1), "", SignerListError),
    "too many": (ROOT * 51, "", SignerListError),
    "lists that are a sentence": (ROOT, "none so far", RevocationDataError),
    "lists that are certificates": (ROOT, ROOT, RevocationDataError),
    "a list cut short": (ROOT, PEOPLE.crls()[:-40], RevocationDataError),
    "a list broken inside": (
        ROOT,
        PEOPLE.crls().replace("\nMI", "\nMJ"),
        RevocationDataError,
    ),
    "a delta list": (ROOT, PEOPLE.crls(extensions=DELTA), RevocationDataError),
    "a partial list": (ROOT, PEOPLE.crls(extensions=PARTIAL), RevocationDataError),
}


@pytest.mark.parametrize("name", UNUSABLE)
def test_an_authority_that_is_not_exactly_one_is_refused(name: str) -> None:
    roots, lists, error = UNUSABLE[name]
    with pytest.raises(error):
        parse_authority("people", roots, lists)


DER = forge_der(LEAF, Knobs())
ARMOUR = pattern(b"SIGNED MESSAGE")


@settings(deadline=None, max_examples=400)
@given(st.data())
def test_no_mutated_signature_verifies_or_raises_anything_else(data: st.DataObject) -> None:
    """Of the armour, and of the DER in a sound armour."""
    inside = data.draw(st.booleans())
    original = DER if inside else armour(DER)
    mutated = bytearray(original)
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(mutated) - 1))
        match data.draw(st.sampled_from(["flip", "cut", "insert"])):
            case "flip":
                mutated[at] ^= 1 << data.draw(st.integers(0, 7))
            case "cut":
                del mutated[at : at + data.draw(st.integers(1, 8))]
            case _:
                mutated[at:at] = data.draw(st.binary(min_size=1, max_size=4))
        mutated = mutated or bytearray(b"x")
    refused_or_the_same(armour(bytes(mutated)) if inside else bytes(mutated))


def refused_or_the_same(signature: bytes) -> None:
    """Lines may break elsewhere; what the armour holds may not change by a bit."""
    with suppress(WireError):
        if unarmour(signature.rstrip(b"\n") + b"\n", ARMOUR)[0] == DER:
            assert Case(signature).verify() == Case(armour(DER)).verify()
            return
    with pytest.raises(TrustError):
        Case(signature).verify()


def test_a_line_that_breaks_elsewhere_holds_the_same() -> None:
    lines = armour(DER).split(b"\n")
    broken = b"\n".join([*lines[:2], lines[2][:9], lines[2][9:], *lines[3:]])
    assert broken != armour(DER)
    assert unarmour(broken, ARMOUR)[0] == DER
    refused_or_the_same(broken)


def test_no_bit_of_a_signature_can_be_turned() -> None:
    people = [Case(b"").authority()]
    for at in range(len(DER)):
        turned = bytearray(DER)
        turned[at] ^= 1 << at % 8
        with pytest.raises(TrustError):
            verify(armour(bytes(turned)), MESSAGE, people, SEEN)


def test_a_certificate_has_one_encoding_and_one_fingerprint() -> None:
    """The count of bits that its signature leaves unused is not signed, and libraries pass over it."""
    alice = LEAF
    while alice.certificate.signature[-1] & 1:
        alice = PEOPLE.leaf()
    der = forge_der(alice, Knobs())
    inside = alice.certificate.public_bytes(serialization.Encoding.DER)
    at = der.index(inside) + len(inside) - len(alice.certificate.signature) - 1
    assert der[at] == 0 and Case(armour(der)).verify()
    with pytest.raises(MalformedSignatureError, match="end at a byte"):
        Case(armour(der[:at] + b"\1" + der[at + 1 :])).verify()


@pytest.mark.parametrize("body", ["AB==", "AAB=", "AA==\n", "AA=A", "A", "", "AA==AA==", "=", "A" * 80])
def test_base64_that_is_not_canonical_is_refused(body: str) -> None:
    armoured = f"-----BEGIN SIGNED MESSAGE-----\n{body}\n-----END SIGNED MESSAGE-----\n".encode()
    with pytest.raises(WireError):
        unarmour(armoured, pattern(b"SIGNED MESSAGE"))


@given(st.binary(max_size=300))
def test_any_bytes_are_refused_with_our_error(data: bytes) -> None:
    for signature in (data, armour(data), armour(b"\x30\x82" + len(data).to_bytes(2, "big") + data)):
        with pytest.raises(TrustError):
            verify(signature, MESSAGE, [], SEEN)
    body = base64.encodebytes(data).decode()
    for kind in ("CERTIFICATE", "X509 CRL"):
        block = f"-----BEGIN {kind}-----\n{body}-----END {kind}-----\n"
        with pytest.raises(TrustError):
            parse_authority("people", ROOT + block if kind == "CERTIFICATE" else ROOT, block)


@pytest.mark.parametrize(
    ("encoded", "reason"),
    [
        ("", "exactly one"),
        ("02010002 0100", "exactly one"),
        ("0202007f", "not minimal"),
        ("0202ff80", "not minimal"),
        ("0200", "not minimal"),
        ("3080020101 0000", "not definite"),
        ("04810100", "not minimal"),
        ("0482008000", "not minimal"),
        ("0485010000000000", "too long"),
        ("1f8100", "long tag"),
        ("0402ff", "too early"),
        ("3003 0202ff", "too early"),
        ("30" * 40, "too early"),
    ],
)
def test_what_is_not_der_is_refused(encoded: str, reason: str) -> None:
    with pytest.raises(WireError, match=reason):
        check_der(bytes.fromhex(encoded))


def test_depth_and_count_are_bounded() -> None:
    deep = b"\x05\x00"
    for _ in range(30):
        deep = b"\x30" + bytes([len(deep)]) + deep
    with pytest.raises(WireError, match="too deep"):
        check_der(deep)
    many = b"\x05\x00" * 20_001
    with pytest.raises(WireError, match="too many"):
        check_der(b"\x30\x82" + len(many).to_bytes(2, "big") + many)
