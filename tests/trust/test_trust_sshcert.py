"""Certificates: parsed as ssh-keygen makes them, and refused for each single fault."""

import base64
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import cert_forge as certs
import pytest
import ssh_forge as forge
from cert_forge import Workshop
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.errors import TrustError
from reconciler.trust import sshsig
from reconciler.trust.errors import (
    AuthorityError,
    BadSignatureError,
    KeyTypeError,
    RevocationDataError,
    RevokedError,
    SignerListError,
    UserPresenceError,
    ValidityError,
)
from reconciler.trust.krl import parse_krl
from reconciler.trust.sshcert import (
    SshAuthority,
    SshCertificate,
    check_certificate,
    check_window,
    parse_certificate,
    ssh_authority,
)
from reconciler.trust.sshkeys import parse_key

MESSAGE = b"tree 0000\n\nmessage\n"
NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)
KINDS = [("ed25519", 0), ("ecdsa", 256), ("ecdsa", 384), ("ecdsa", 521), ("rsa", 2048)]
CA = certs.authority()


@pytest.fixture(scope="module")
def workshop(tmp_path_factory: pytest.TempPathFactory) -> Workshop:
    return Workshop(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="module")
def keys(workshop: Workshop) -> dict[tuple[str, int], Path]:
    return {(kind, bits): workshop.key(f"{kind}{bits}", kind, bits) for kind, bits in KINDS}


def listed(*keys: bytes, krl: bytes | None = None, required: bool = False) -> dict[bytes, SshAuthority]:
    parsed = parse_krl(krl) if krl else None
    return {key: SshAuthority("people", parse_key(key), parsed, required) for key in keys}


def forged(**fields: object) -> SshCertificate:
    return parse_certificate(certs.certificate(forge.ed25519(), CA, **fields).blob)  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: f"{kind[0]}{kind[1] or ''}")
def test_every_key_type_by_every_authority(
    workshop: Workshop, keys: dict[tuple[str, int], Path], kind: tuple[str, int]
) -> None:
    key = keys[kind]
    for number, ca in enumerate(keys.values()):
        path = workshop.certificate(
            ca, key, f"{key.name}-by-{ca.name}", "-n", "alice,bob", "-z", str(number), "-V",
            "20260501120000:20260501130000", key_id="laptop of Älice",
        )  # fmt: skip
        certificate = parse_certificate(certs.wire(path))
        assert (certificate.key, certificate.authority) == (
            parse_key(certs.wire(key)),
            parse_key(certs.wire(ca)),
        )
        assert (certificate.serial, certificate.key_id) == (number, "laptop of Älice")
        assert (certificate.principals, certificate.critical_options) == (("alice", "bob"), ())
        assert (certificate.valid_after, certificate.valid_before) == (NOON, NOON + timedelta(hours=1))
        assert "permit-pty" in certificate.extensions
        assert check_certificate(certificate, listed(certs.wire(ca)), NOON).name == "people"
        with pytest.raises(AuthorityError):
            check_certificate(certificate, {}, NOON)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: f"{kind[0]}{kind[1] or ''}")
def test_a_signature_that_carries_a_certificate(
    workshop: Workshop, keys: dict[tuple[str, int], Path], kind: tuple[str, int]
) -> None:
    key = keys[kind]
    path = workshop.certificate(keys["ed25519", 0], key, f"signing-{key.name}", "-n", "alice")
    found = sshsig.parse(certs.signed(path, MESSAGE))
    assert found.certificate is not None
    assert found.key == found.certificate.key == parse_key(certs.wire(key))
    sshsig.verify(found, MESSAGE, namespace="git")
    with pytest.raises(BadSignatureError):
        sshsig.verify(found, MESSAGE + b"\n", namespace="git")
    assert sshsig.parse(certs.signed(key, MESSAGE)).certificate is None


@pytest.mark.parametrize("make", [forge.sk_ed25519, forge.sk_ecdsa])
def test_security_keys_are_certified_too(make: Callable[..., forge.Forged]) -> None:
    certificate = certs.certificate(make(), CA)
    found = sshsig.parse(certs.signature(certificate, MESSAGE))
    assert found.certificate is not None and found.key.application == b"ssh:"
    sshsig.verify(found, MESSAGE, namespace="git")
    assert check_certificate(found.certificate, listed(CA.blob), NOON)
    permissive = certs.options((b"no-touch-required", b""))
    untouched = certs.certificate(make(flags=0), CA, extensions=permissive)
    with pytest.raises(UserPresenceError):
        sshsig.verify(sshsig.parse(certs.signature(untouched, MESSAGE)), MESSAGE, namespace="git")


@pytest.mark.parametrize("make", [forge.sk_ed25519, forge.sk_ecdsa])
def test_verify_required_is_kept(make: Callable[..., forge.Forged]) -> None:
    asked = certs.options((b"verify-required", b""))
    for flags, accepted in ((1, False), (4, False), (5, True)):
        signature = certs.signature(certs.certificate(make(flags=flags), CA, critical=asked), MESSAGE)
        found = sshsig.parse(signature)
        assert found.certificate is not None and found.certificate.verify_required
        if accepted:
            sshsig.verify(found, MESSAGE, namespace="git")
            continue
        with pytest.raises(UserPresenceError, match="FW1210"):
            sshsig.verify(found, MESSAGE, namespace="git")


def test_an_authority_may_be_a_security_key() -> None:
    ca = forge.sk_ed25519()
    certificate = parse_certificate(certs.certificate(forge.ed25519(), ca).blob)
    assert check_certificate(certificate, listed(ca.blob), NOON)
    untouched = parse_certificate(certs.certificate(forge.ed25519(), forge.sk_ed25519(flags=0)).blob)
    with pytest.raises(AuthorityError, match="touched"):
        check_certificate(untouched, listed(ca.blob), NOON)


FAULTS: dict[str, tuple[dict[str, object], str]] = {
    "host": ({"kind": 2}, "got a host certificate"),
    "kind": ({"kind": 3}, "got type 3"),
    "version": ({"version": b"-cert-v00@openssh.com"}, "type is not accepted"),
    "no principals": ({"principals": ()}, "good for everybody"),
    "empty principal": ({"principals": (b"alice", b"")}, "good for everybody"),
    "many principals": ({"principals": (b"alice",) * 257}, "more than 256"),
    "long principal": ({"principals": (b"a" * 1025,)}, "cannot be shown"),
    "principal with a line end": ({"principals": (b"alice\n",)}, "cannot be shown"),
    "principal with a zero byte": ({"principals": (b"alice\0",)}, "cannot be shown"),
    "principal in no encoding": ({"principals": (b"\xff",)}, "decode"),
    "key id with an escape": ({"key_id": b"\x1b[2J"}, "cannot be shown"),
    "force-command": ({"critical": certs.options((b"force-command", forge.s(b"x")))}, "force-command"),
    "source-address": ({"critical": certs.options((b"source-address", forge.s(b"::/0")))}, "source-address"),
    "verify-required on a plain key": ({"critical": certs.options((b"verify-required", b""))}, "verify-"),
    "unknown critical option": ({"critical": certs.options((b"x@y", b""))}, "got x@y"),
    "options out of order": ({"extensions": certs.options((b"b", b""), (b"a", b""))}, "not in order"),
    "options twice": ({"extensions": certs.options((b"a", b""), (b"a", b""))}, "not once each"),
    "half an option": ({"extensions": forge.s(b"a")}, "ends after"),
    "reserved": ({"reserved": b"x"}, "reserved"),
    "leftovers": ({"tail": b"x"}, "1 bytes too many"),
    "year 10000": ({"before": 253_402_300_800}, "9999"),
    "authority is a certificate": ({"ca_blob": certs.certificate(CA, CA).blob}, "certificates are not"),
    "authority is nothing": ({"ca_blob": b"x"}, "not well formed"),
    "authority of DSA": ({"ca_blob": forge.s(b"ssh-dss") + forge.s(b"x")}, "ssh-dss"),
    "too long": ({"extensions": certs.options((b"a", b"x" * 49_000))}, "bytes"),
}  # fmt: skip


@pytest.mark.parametrize("name", FAULTS)
def test_each_fault_is_refused(name: str) -> None:
    """Without the fault the very same certificate is accepted."""
    fields, message = FAULTS[name]
    with pytest.raises(KeyTypeError, match="FW1208") as caught:
        forged(**fields)
    assert message in str(caught.value) and str(caught.value).isprintable()
    assert check_certificate(forged(), listed(CA.blob), NOON)


def test_short_rsa_and_sha1() -> None:
    for algorithm, accepted in (("rsa-sha2-256", True), ("rsa-sha2-512", True), ("ssh-rsa", False)):
        ca = forge.rsa_key(2048, algorithm)
        certificate = parse_certificate(certs.certificate(forge.ed25519(), ca).blob)
        if accepted:
            assert check_certificate(certificate, listed(ca.blob), NOON)
            continue
        with pytest.raises(AuthorityError, match="not accepted: ssh-rsa"):
            check_certificate(certificate, listed(ca.blob), NOON)
    with pytest.raises(KeyTypeError, match="1024"):
        parse_certificate(certs.certificate(forge.rsa_key(1024), CA).blob)


def test_window_is_half_open() -> None:
    start = int(NOON.timestamp())
    certificate = forged(after=start, before=start + 60)
    authorities = listed(CA.blob)
    for at in (NOON, NOON + 59 * SECOND):
        assert check_certificate(certificate, authorities, at)
    for at, message in ((NOON - SECOND, "not valid yet"), (NOON + 60 * SECOND, "no longer valid")):
        with pytest.raises(ValidityError, match=message):
            check_certificate(certificate, authorities, at)
    always = forged()
    assert (always.valid_after, always.valid_before) == (None, None)
    assert check_certificate(always, authorities, datetime(9999, 1, 1, tzinfo=UTC))


def test_windows_of_keys() -> None:
    check_window("key", None, None, NOON)
    check_window("key", NOON, NOON + SECOND, NOON)
    for after, before in ((NOON + SECOND, None), (None, NOON), (NOON, NOON), (None, NOON - SECOND)):
        with pytest.raises(ValidityError, match=r"FW1211: key .*2026-05-01T12:00:00Z"):
            check_window("key", after, before, NOON)


def test_issued_by_somebody_else() -> None:
    """The authority's key is named in the certificate, but did not sign it."""
    liar = certs.authority(0x0D)
    certificate = forge.Forged(CA.type, CA.blob, liar.sign)
    with pytest.raises(AuthorityError, match="did not issue"):
        check_certificate(
            parse_certificate(certs.certificate(forge.ed25519(), certificate).blob), listed(CA.blob), NOON
        )
    with pytest.raises(AuthorityError, match="no listed authority"):
        check_certificate(forged(), listed(liar.blob), NOON)


def test_missing_revocation_data_is_an_error(workshop: Workshop) -> None:
    with pytest.raises(RevocationDataError, match=r"FW1215.*'people'"):
        check_certificate(forged(), listed(CA.blob, required=True), NOON)
    (workshop.folder / "ca.pub").write_text(CA.text)
    krl = workshop.krl("ca.krl", "serial: 7\n", workshop.folder / "ca.pub").read_bytes()
    authorities = listed(CA.blob, krl=krl, required=True)
    assert check_certificate(forged(serial=8), authorities, NOON)
    with pytest.raises(RevokedError, match=r"FW1212.*serial 7"):
        check_certificate(forged(serial=7), authorities, NOON)


def test_an_authority_as_it_is_listed(workshop: Workshop) -> None:
    (workshop.folder / "listed.pub").write_text(CA.text)
    krl = workshop.krl("listed.krl", "id: lost\n", workshop.folder / "listed.pub").read_bytes()
    written = base64.encodebytes(krl).decode()  # in lines, as base64(1) writes it
    found = ssh_authority("people", CA.text + " a comment", written)
    assert found.krl is not None and found.revocation_required and found.key.blob == CA.blob
    with pytest.raises(RevokedError):
        check_certificate(forged(key_id=b"lost"), {CA.blob: found}, NOON)
    with pytest.raises(RevocationDataError):
        check_certificate(forged(), {CA.blob: ssh_authority("people", CA.text, "")}, NOON)
    on_purpose = ssh_authority("people", CA.text, "", revocable=False)
    assert check_certificate(forged(), {CA.blob: on_purpose}, NOON) == on_purpose
    with pytest.raises(SignerListError, match="'people'"):
        ssh_authority("people", "ssh-ed25519 x", "")
    for broken in ("!", "AAAA", written[:-9], written + "AAAA"):
        with pytest.raises(RevocationDataError, match="'people'"):
            ssh_authority("people", CA.text, broken)


GOOD = certs.certificate(forge.ed25519(), CA, extensions=certs.options((b"permit-pty", b""))).blob


@settings(deadline=None, max_examples=300)
@given(st.integers(0, len(GOOD)), st.binary(max_size=5), st.integers(0, 8))
def test_almost_good_certificates(at: int, insert: bytes, cut: int) -> None:
    """Whatever is changed, nobody issued it."""
    blob = GOOD[:at] + insert + GOOD[at + cut :]
    try:
        found = check_certificate(parse_certificate(blob), listed(CA.blob), NOON)
    except TrustError as error:
        assert blob != GOOD and str(error).isprintable()
    else:
        assert blob == GOOD and found.name == "people"


@settings(deadline=None)
@given(st.binary(max_size=300), st.sampled_from(["", "ssh-ed25519", "ssh-rsa", "ecdsa-sha2-nistp256"]))
def test_certificates_of_anything(data: bytes, kind: str) -> None:
    blob = forge.s(kind.encode() + b"-cert-v01@openssh.com") + data
    with pytest.raises(KeyTypeError):
        parse_certificate(blob)
    with pytest.raises(TrustError):
        sshsig.parse(forge.armour(b"SSHSIG\0\0\0\1" + forge.s(blob) + data))
