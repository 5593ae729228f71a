"""The reconciler's key on disk: private, whole, and of one kind."""

import os
import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.dsse import key_id
from reconciler.model import Signer
from reconciler.trust import (
    ReconcilerKey,
    generate,
    load,
    load_text,
    parse_public_key,
    public_key_text,
)
from reconciler.trust.errors import KeyExistsError, KeyFileError, KeyPermissionError


def test_a_new_key_is_private_and_comes_back(tmp_path: Path) -> None:
    path = tmp_path / "key.pem"
    before = os.umask(0)
    try:
        key = generate(path)
    finally:
        os.umask(before)
    assert path.stat().st_mode & 0o777 == 0o600
    again: Signer = load(path)
    assert again.public_key == key.public_key
    public = ed25519.Ed25519PublicKey.from_public_bytes(key.public_key)
    public.verify(again.sign(b"message"), b"message")


def test_an_existing_key_is_never_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "key.pem"
    generate(path)
    before = path.read_bytes()
    with pytest.raises(KeyExistsError, match="FW1222"):
        generate(path)
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(KeyExistsError):
        generate(tmp_path / "link")
    assert path.read_bytes() == before
    assert not (tmp_path / "elsewhere").exists()
    with pytest.raises(KeyFileError, match="FW1220"):
        generate(tmp_path / "no/such/folder")


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o601, 0o777])
def test_a_key_that_others_can_touch_is_refused(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "key.pem"
    generate(path)
    path.chmod(mode)
    with pytest.raises(KeyPermissionError, match=f"FW1221.*got mode {mode:04o}.*chmod 600"):
        load(path)
    path.chmod(0o400)
    load(path)


def test_openssl_reads_both_halves(tmp_path: Path) -> None:
    key = generate(tmp_path / "key.pem")
    command = ["openssl", "pkey", "-in", str(tmp_path / "key.pem"), "-pubout"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout == public_key_text(key.public_key)
    assert parse_public_key(done.stdout) == key.public_key
    der = subprocess.run([*command, "-outform", "DER"], capture_output=True, check=True, timeout=60).stdout
    digest = subprocess.run(["sha256sum"], input=der, capture_output=True, check=True, timeout=60).stdout
    assert key_id(key.public_key) == key.key_id == "sha256:" + digest.decode().split()[0]


def test_text_from_a_secret_store_is_read(tmp_path: Path) -> None:
    pem = ReconcilerKey.from_seed(b"\x05" * 32).pem().decode()
    wanted = ReconcilerKey.from_seed(b"\x05" * 32).public_key
    for text in (pem, pem.strip(), f"\n{pem}\n", pem.strip().replace("\n", "\\n"), pem.replace("\n", "\r\n")):
        assert load_text(text).public_key == wanted


def foreign_keys() -> dict[str, bytes]:
    ours = ed25519.Ed25519PrivateKey.generate()
    pem, pkcs8 = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    locked = serialization.BestAvailableEncryption(b"s3cret")
    return {
        "another kind": ec.generate_private_key(ec.SECP256R1()).private_bytes(
            pem, pkcs8, serialization.NoEncryption()
        ),
        "encrypted": ours.private_bytes(pem, pkcs8, locked),
        "public": ours.public_key().public_bytes(pem, serialization.PublicFormat.SubjectPublicKeyInfo),
        "empty": b"",
        "text": b"s3cret",
        "not UTF-8": b"\xff" * 64,
        "large": b"s3cret" * 10_000,
    }


@pytest.mark.parametrize("name", foreign_keys())
def test_what_is_not_our_key(tmp_path: Path, name: str) -> None:
    path = tmp_path / "key.pem"
    path.write_bytes(foreign_keys()[name])
    path.chmod(0o600)
    with pytest.raises(KeyFileError, match="FW1220") as caught:
        load(path)
    assert "s3cret" not in str(caught.value)


def test_places_that_hold_no_key(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe", 0o600)
    for path in (tmp_path / "pipe", tmp_path, tmp_path / "nowhere"):
        with pytest.raises(KeyFileError):
            load(path)


def test_a_key_does_not_show_itself() -> None:
    key = ReconcilerKey.from_seed(b"\x05" * 32)
    assert repr(key) == f"ReconcilerKey({key.key_id})"


@settings(deadline=None)
@given(st.text(max_size=200))
def test_public_keys_on_anything(text: str) -> None:
    with pytest.raises(KeyFileError):
        parse_public_key(text)
    with pytest.raises(KeyFileError):
        load_text(text)
