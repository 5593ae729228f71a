"""Our verifier against ``ssh-keygen -Y verify``, over every key type and many kinds of damage.

The rule: what we accept, ssh-keygen accepts. Where it accepts and we do not, the case is listed in
``STRICTER`` with the reason.
"""

import base64
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import ssh_forge as forge
from hypothesis import given, settings
from hypothesis import strategies as st
from trust_kit import signer, verify

from reconciler.documents import TrustedSigner
from reconciler.errors import TrustError
from reconciler.trust import VerifiedSigner, sshsig
from reconciler.trust.errors import (
    BadSignatureError,
    KeyTypeError,
    MalformedSignatureError,
    NamespaceError,
    SignatureFormatError,
    SignerListError,
    UnknownKeyError,
    UnsignedError,
    UserPresenceError,
    WeakHashError,
)
from reconciler.trust.sshkeys import parse_key, parse_key_text

MESSAGE = b"tree 0000\nauthor A <a@x> 1 +0000\n\nmessage\n"
KINDS = [
    ("ed25519", 0),
    ("ecdsa", 256),
    ("ecdsa", 384),
    ("ecdsa", 521),
    ("rsa", 2048),
    ("rsa", 3072),
    ("rsa", 4096),
]


def keygen(folder: Path, kind: str, bits: int) -> Path:
    path = folder / f"{kind}{bits}"
    size = ["-b", str(bits)] if bits else []
    subprocess.run(["ssh-keygen", "-q", "-t", kind, *size, "-N", "", "-f", path], check=True, timeout=60)
    return path


def ssh_signature(key: Path, message: bytes, namespace: str = "git", *options: str) -> bytes:
    command = ["ssh-keygen", "-Y", "sign", "-q", *options, "-n", namespace, "-f", str(key)]
    return subprocess.run(command, input=message, capture_output=True, check=True, timeout=60).stdout


def public(path: Path) -> str:
    return " ".join(path.with_name(path.name + ".pub").read_text().split()[:2])


def ssh_accepts(folder: Path, key_text: str, signature: bytes, message: bytes) -> bool:
    (folder / "allowed").write_text(f"alice {key_text}\n")
    (folder / "sig").write_bytes(signature)
    command = ["ssh-keygen", "-Y", "verify", "-f", "allowed", "-I", "alice", "-n", "git", "-s", "sig"]
    return subprocess.run(command, input=message, cwd=folder, capture_output=True, timeout=60).returncode == 0


def our_answer(key_text: str, signature: bytes, message: bytes) -> VerifiedSigner | TrustError:
    try:
        return verify(message, signature, signer("alice", key_text))
    except TrustError as error:
        assert str(error).isprintable()
        return error


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, int], Path]:
    folder = tmp_path_factory.mktemp("keys")
    return {kind: keygen(folder, *kind) for kind in KINDS}


def flipped(at: int) -> Callable[[bytes], bytes]:
    def change(armoured: bytes) -> bytes:
        blob = bytearray(forge.dearmour(armoured))
        blob[at % len(blob)] ^= 1
        return forge.armour(bytes(blob))

    return change


def replaced(old: bytes, new: bytes) -> Callable[[bytes], bytes]:
    return lambda armoured: armoured.replace(old, new)


def rebuilt(change: Callable[[bytes], bytes]) -> Callable[[bytes], bytes]:
    return lambda armoured: forge.armour(change(forge.dearmour(armoured)))


DAMAGE: dict[str, Callable[[bytes], bytes]] = {
    "untouched": lambda a: a,
    "no last line end": lambda a: a.rstrip(b"\n"),
    "wrapped at 64": lambda a: forge.armour(forge.dearmour(a), 64),
    "wrapped at 200": lambda a: forge.armour(forge.dearmour(a), 200),
    "garbage before": lambda a: b"x\n" + a,
    "garbage after": lambda a: a + b"x\n",
    "two signatures": lambda a: a + a,
    "blank line before": lambda a: b"\n" + a,
    "blank line within": replaced(b"SIGNATURE-----\n", b"SIGNATURE-----\n\n"),
    "CRLF": replaced(b"\n", b"\r\n"),
    "spaces in base64": replaced(b"AAAA", b"AA AA"),
    "no begin": replaced(b"BEGIN", b"BEGUN"),
    "no end": replaced(b"-----END SSH SIGNATURE-----\n", b""),
    "empty": lambda _: b"-----BEGIN SSH SIGNATURE-----\n-----END SSH SIGNATURE-----\n",
    "cut short": rebuilt(lambda b: b[:-1]),
    "half": rebuilt(lambda b: b[: len(b) // 2]),
    "one byte more": rebuilt(lambda b: b + b"\0"),
    "magic": flipped(0),
    "version": flipped(9),
    "key type": flipped(16),
    "key": flipped(60),
    "last byte": flipped(-1),
    "signature": flipped(-20),
    "namespace file": rebuilt(lambda b: b.replace(forge.s(b"git"), forge.s(b"file"), 1)),
    "namespace empty": rebuilt(lambda b: b.replace(forge.s(b"git"), forge.s(b""), 1)),
    "reserved set": rebuilt(
        lambda b: b.replace(forge.s(b"git") + forge.s(b""), forge.s(b"git") + forge.s(b"x"), 1)
    ),
    "hash sha256": rebuilt(lambda b: b.replace(b"sha512", b"sha256", 1)),
    "hash sha1": rebuilt(lambda b: b.replace(forge.s(b"sha512"), forge.s(b"sha1"), 1)),
    "hash none": rebuilt(lambda b: b.replace(forge.s(b"sha512"), forge.s(b""), 1)),
    "huge length": rebuilt(lambda b: b[:10] + b"\xff\xff\xff\xff" + b[14:]),
    "trailing bits in base64": lambda a: re.sub(
        rb"([A-Za-z0-9+/])(=+\n-)", lambda m: bytes([m[1][0] + 1]) + m[2], a
    ),
    "padding too long": replaced(b"\n-----END", b"====\n-----END"),
    "not ascii": lambda a: a + "é".encode(),
}
# We refuse, ssh-keygen accepts: things around or inside a signature that it does not cover, so that anyone
# can change them, and that another reader could take for something else.
STRICTER = {
    "version",  # it takes 0 for 1
    "reserved set",  # it does not look
    "garbage after",
    "two signatures",
    "not ascii",
    "CRLF",
    "blank line within",
    "spaces in base64",
    "wrapped at 200",
}


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: f"{kind[0]}{kind[1] or ''}")
def test_every_key_type_whole_and_damaged(
    keys: dict[tuple[str, int], Path], kind: tuple[str, int], tmp_path: Path
) -> None:
    key = keys[kind]
    good = ssh_signature(key, MESSAGE)
    for name, damage in DAMAGE.items():
        signature = damage(good)
        theirs = ssh_accepts(tmp_path, public(key), signature, MESSAGE)
        ours = our_answer(public(key), signature, MESSAGE)
        accepted = isinstance(ours, VerifiedSigner)
        assert accepted == theirs or (theirs and name in STRICTER), f"{name}: ssh-keygen {theirs}, we {ours}"
        if name in ("untouched", "no last line end", "wrapped at 64"):
            assert accepted, f"{name}: {ours}"
        elif signature != good:
            assert not accepted, name
    for altered in (MESSAGE + b"\n", MESSAGE[:-1], b""):
        assert isinstance(our_answer(public(key), good, altered), BadSignatureError)


def test_sha256_signatures_are_as_good(keys: dict[tuple[str, int], Path], tmp_path: Path) -> None:
    key = keys["ed25519", 0]
    signature = ssh_signature(key, MESSAGE, "git", "-O", "hashalg=sha256")
    assert b"sha256" in forge.dearmour(signature)
    assert ssh_accepts(tmp_path, public(key), signature, MESSAGE)
    assert our_answer(public(key), signature, MESSAGE) == VerifiedSigner("alice", fingerprint(key))


def fingerprint(key: Path) -> str:
    done = subprocess.run(["ssh-keygen", "-lf", key], capture_output=True, text=True, check=True, timeout=60)
    return done.stdout.split()[1]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: f"{kind[0]}{kind[1] or ''}")
def test_fingerprints_are_those_of_ssh(keys: dict[tuple[str, int], Path], kind: tuple[str, int]) -> None:
    assert parse_key_text(public(keys[kind])).fingerprint == fingerprint(keys[kind])


@pytest.mark.parametrize(
    "make", [forge.sk_ed25519, forge.sk_ecdsa, forge.ed25519, lambda: forge.rsa_key(2048)]
)
def test_what_is_forged_well_is_good(make: Callable[[], forge.Forged], tmp_path: Path) -> None:
    """Shows that the forgeries below are refused for their one fault and not for clumsy forging."""
    key = make()
    signature = forge.armour(forge.blob_of(key, MESSAGE))
    assert ssh_accepts(tmp_path, key.text, signature, MESSAGE)
    assert isinstance(our_answer(key.text, signature, MESSAGE), VerifiedSigner)


@pytest.mark.parametrize(
    ("make", "fields", "error", "ssh_agrees"),
    [
        (forge.ed25519, {"namespace": b"file"}, NamespaceError, True),
        (forge.ed25519, {"namespace": b""}, NamespaceError, True),
        (forge.ed25519, {"namespace": b"git\0"}, NamespaceError, True),
        (forge.ed25519, {"namespace": b"\x1b[2Jgit"}, NamespaceError, True),
        (forge.ed25519, {"hash_name": "sha1"}, WeakHashError, True),
        (forge.ed25519, {"hash_name": "md5"}, WeakHashError, True),
        (forge.ed25519, {"hash_name": "sha384"}, WeakHashError, True),
        (forge.ed25519, {"version": 2}, MalformedSignatureError, True),
        (forge.ed25519, {"reserved": b"x"}, MalformedSignatureError, True),
        (forge.ed25519, {"magic": b"SSHSIX"}, MalformedSignatureError, True),
        (lambda: forge.rsa_key(2048, "ssh-rsa"), {}, KeyTypeError, True),  # SHA-1 inside
        (lambda: forge.rsa_key(1024), {}, KeyTypeError, False),  # ssh-keygen takes 1024 bits
        (lambda: forge.sk_ed25519(flags=0), {}, UserPresenceError, False),  # it leaves touch to its caller
        (lambda: forge.sk_ecdsa(flags=4), {}, UserPresenceError, False),
        (lambda: forge.sk_ed25519(application=b"https://example.com"), {}, KeyTypeError, False),  # a web key
    ],
)
def test_well_signed_but_not_acceptable(
    make: Callable[[], forge.Forged],
    fields: dict[str, object],
    error: type[TrustError],
    ssh_agrees: bool,
    tmp_path: Path,
) -> None:
    key = make()
    signature = forge.armour(forge.blob_of(key, MESSAGE, **fields))  # type: ignore[arg-type]
    with pytest.raises(error):
        sshsig.verify(sshsig.parse(signature), MESSAGE, namespace="git")
    assert ssh_accepts(tmp_path, key.text, signature, MESSAGE) != ssh_agrees


def test_a_signature_of_another_algorithm_of_the_same_key(tmp_path: Path) -> None:
    good = forge.ed25519()
    liar = forge.Forged(good.type, good.blob, lambda m: forge.s(b"ssh-rsa") + good.sign(m)[15:])
    with pytest.raises(KeyTypeError, match="expected ssh-ed25519, got ssh-rsa"):
        verify(MESSAGE, forge.armour(forge.blob_of(liar, MESSAGE)), signer("a", good.text))


def test_dsa_and_certificates_are_refused(tmp_path: Path) -> None:
    for kind in (b"ssh-dss", b"ssh-ed25519-cert-v01@openssh.com", b"nonsense"):
        with pytest.raises(KeyTypeError, match="FW1208"):
            parse_key(forge.s(kind) + forge.s(b"x"))
    with pytest.raises(KeyTypeError, match="certificates"):
        parse_key(forge.s(b"ssh-ed25519-cert-v01@openssh.com"))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ssh-ed25519",
        "ssh-ed25519 !!!",
        "ssh-ed25519 AAAA",
        "ssh-rsa AAAAC3NzaC1lZDI1NTE5AAAAIMEx2+qqrzUe24XDqtihQLZ9o+a2PTXclHbyGgkO6CLT",
        'command="x" ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIMEx2+qqrzUe24XDqtihQLZ9o+a2PTXclHbyGgkO6CLT',
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIMEx2+qqrzUe24XDqtihQLZ9o+a2PTXclHbyGgkO6CLTAAAA",
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIMEx2+qqrzUe24XDqtihQLZ9o+a2PTXclHbyGgkO6CLT\nssh-rsa AAAA",
    ],
)
def test_key_texts_that_are_refused(text: str) -> None:
    with pytest.raises(KeyTypeError, match="FW1208"):
        parse_key_text(text)
    with pytest.raises(SignerListError, match="FW1209"):
        verify(MESSAGE, b"", signer("alice", text))


def test_each_reason_has_its_own_error(keys: dict[tuple[str, int], Path]) -> None:
    alice, bob = public(keys["ed25519", 0]), public(keys["ecdsa", 256])
    good = ssh_signature(keys["ed25519", 0], MESSAGE)
    signers = (signer("alice", alice),)
    cases: list[tuple[type[TrustError], str, bytes | None, tuple[TrustedSigner, ...]]] = [
        (UnsignedError, "FW1201", None, signers),
        (UnsignedError, "FW1201", b"", signers),
        (SignatureFormatError, "FW1202", b"-----BEGIN PGP MESSAGE-----\n\nx\n", signers),
        (SignatureFormatError, "FW1202", b"x", signers),
        (SignatureFormatError, "FW1202", b"\xff" * 100_000, signers),
        (MalformedSignatureError, "FW1203", b"-----BEGIN PGP SIGNATURE-----\n\nx\n", signers),
        (MalformedSignatureError, "FW1203", b"-----BEGIN SIGNED MESSAGE-----\nx\n", signers),
        (MalformedSignatureError, "FW1203", sshsig.BEGIN + b"\xff" * 100_000, signers),
        (UnknownKeyError, "FW1206", good, (signer("bob", bob),)),
        (UnknownKeyError, "FW1206", good, ()),
        (SignerListError, "FW1209", good, (*signers, signer("mallory", alice))),
        (SignerListError, "FW1209", good, (signer("alice", alice, alice),)),
    ]
    for error, code, signature, trusted in cases:
        with pytest.raises(error, match=code) as caught:
            verify(MESSAGE, signature, *trusted)
        assert type(caught.value) is error
        assert caught.value.hint
    for_a_file = ssh_signature(keys["ed25519", 0], MESSAGE, "file")
    with pytest.raises(NamespaceError, match="FW1204"):  # whoever made it, it was not made for this
        verify(MESSAGE, for_a_file)
    with pytest.raises(UnknownKeyError, match=fingerprint(keys["ed25519", 0]).replace("+", r"\+")):
        verify(MESSAGE, good)


SIGNED = forge.blob_of(forge.ed25519(), MESSAGE)


@settings(deadline=None)
@given(st.binary(max_size=300))
def test_parsers_on_anything(data: bytes) -> None:
    for raw in (data, forge.armour(data), forge.armour(b"SSHSIG\0\0\0\1" + data)):
        assert isinstance(our_answer(forge.ed25519().text, raw, MESSAGE), TrustError)
    with pytest.raises(KeyTypeError):
        parse_key(data)


@settings(deadline=None)
@given(st.integers(0, len(SIGNED)), st.binary(max_size=5), st.integers(0, 8))
def test_almost_good_signatures(at: int, insert: bytes, cut: int) -> None:
    blob = SIGNED[:at] + insert + SIGNED[at + cut :]
    answer = our_answer(forge.ed25519().text, forge.armour(blob), MESSAGE)
    assert isinstance(answer, VerifiedSigner) == (blob == SIGNED)


@settings(deadline=None)
@given(
    st.sampled_from([forge.ed25519(), forge.sk_ed25519(), forge.sk_ecdsa()]),
    st.integers(0, 200),
    st.binary(max_size=5),
    st.integers(0, 8),
)
def test_almost_good_keys(key: forge.Forged, at: int, insert: bytes, cut: int) -> None:
    blob = key.blob[:at] + insert + key.blob[at + cut :]
    try:
        parsed = parse_key(blob)
    except KeyTypeError as error:
        assert str(error).isprintable()
    else:
        assert parsed.blob == blob
        text = f"{parsed.type} {base64.b64encode(blob).decode()}"
        assert parse_key_text(text).fingerprint == parsed.fingerprint


@settings(deadline=None)
@given(st.text(max_size=80))
def test_key_text_on_anything(text: str) -> None:
    with pytest.raises(KeyTypeError):
        parse_key_text(text)
