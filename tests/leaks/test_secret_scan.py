"""The watch itself: tests that leak are run by a pytest of its own, and every one of them fails."""

from __future__ import annotations

import base64
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from hypothesis import given
from hypothesis import strategies as st
from secret_forms import Index, Secret, forms, secrets_of

TESTS = Path(__file__).resolve().parents[1]
PEM, NONE = serialization.Encoding.PEM, serialization.NoEncryption()
HEAD = """
import base64, gzip, logging, secrets, subprocess, sys
from pathlib import Path
import pytest, secret_scan

def place(folder, name="member-a.token"):
    path = Path(folder, name)
    path.touch(mode=0o600)
    path.write_text(secrets.token_urlsafe(40))
    path.with_name("copy-for-the-outer-test").symlink_to(path)
    return path.read_text()

def git(folder, *words):
    who = ["-c", "user.name=a", "-c", "user.email=a@example.com"]
    subprocess.run(["git", *who, *words], cwd=folder, check=True, capture_output=True)

def test_inner(tmp_path, capsys):
    secret = place(tmp_path)
"""
LEAKS = {
    "stdout": ("print('x', secret)", "stdout"),
    "stderr": ("print(secret, file=sys.stderr)", "stderr"),
    "capsys": ("print(secret); capsys.readouterr()", "stdout"),
    "logging": ("logging.getLogger('x').warning('using %s', secret)", "log"),
    "file": ("(tmp_path / 'state.json').write_text('{\"a\": \"' + secret + '\"}')", "state.json"),
    "base64": ("(tmp_path / 'x').write_bytes(base64.b64encode(b'Basic: ' + secret.encode()))", "/x"),
    "hex": ("(tmp_path / 'x').write_text(secret.encode().hex())", "/x"),
    "wrapped": ("(tmp_path / 'x').write_text(secret[:20] + '\\n  ' + secret[20:])", "/x"),
    "gzip": ("(tmp_path / 'x').write_bytes(gzip.compress(secret.encode()))", "/x (unpacked)"),
    "readable by others": ("(tmp_path / 'b.token').write_text(secret)", "b.token"),
    "failure": ("raise ValueError(secret)", "the failure"),
    "assertion": ("assert secret == 'x'", "the failure"),
    "caught": (
        "\n    with pytest.raises(ValueError):\n        raise ValueError(f'bad: {secret}')",
        "the text of ValueError",
    ),
    "program": (
        "subprocess.run([sys.executable, '-c', f'print(\"{secret}\")'], capture_output=True)",
        "stdout of",
    ),
    "commit message": (
        "git(tmp_path, 'init', '-q'); git(tmp_path, 'commit', '-q', '--allow-empty', '-m', secret)",
        "commit",
    ),
    "removed blob": (
        "git(tmp_path, 'init', '-q'); (tmp_path / 'f').write_text(secret); git(tmp_path, 'add', 'f');"
        "git(tmp_path, 'commit', '-qm', 'x'); git(tmp_path, 'rm', '-q', 'f');"
        "git(tmp_path, 'commit', '-qm', 'y')",
        "blob",
    ),
    "unreachable and packed": (
        "git(tmp_path, 'init', '-q'); (tmp_path / 'f').write_text(secret); git(tmp_path, 'add', 'f');"
        "git(tmp_path, 'commit', '-qm', 'x'); git(tmp_path, 'gc', '-q'); (tmp_path / 'f').unlink();"
        "git(tmp_path, 'checkout', '-q', '--orphan', 'o'); git(tmp_path, 'commit', '-qam', 'y')",
        "blob",
    ),
    "told": ("other = secrets.token_hex(32); secret_scan.learn(other, 'claim'); print(other)", "claim is in"),
    "seen": ("secret_scan.saw(f'said {secret}', 'the endpoint')", "the endpoint"),
}  # fmt: skip
GOOD = {
    "nothing": "pass",
    "another": "print(secrets.token_urlsafe(40))",
    "its digest": "import hashlib; print(hashlib.sha256(secret.encode()).hexdigest())",
    "its place": "(tmp_path / 'b.token').touch(0o600); (tmp_path / 'b.token').write_text(secret)",
    "what may print": (
        "p = tmp_path / 'fleetward'; p.write_text('#!/bin/sh\\necho ' + 'x' * 40); p.chmod(0o755);"
        "subprocess.run([p, 'token', 'create'], capture_output=True)"
    ),
}  # fmt: skip


@pytest.fixture
def folder() -> Iterator[Path]:
    """Outside of ``tmp_path``, or what leaks here on purpose would be found there."""
    with tempfile.TemporaryDirectory(prefix="fleetward-leaks-") as name:
        yield Path(name)


def named(name: str, body: str) -> str:
    """The source of a test of that name."""
    return HEAD.replace("test_inner", f"test_{name.replace(' ', '_')}") + f"    {body}\n"


@pytest.fixture(scope="module")
def leaked() -> Iterator[tuple[str, dict[str, str], list[str]]]:
    """All that was printed for ``LEAKS``; each test's own part of it; the secrets."""
    with tempfile.TemporaryDirectory(prefix="fleetward-leaks-") as name:
        folder = Path(name)
        code, said = inner(folder, "".join(named(name, body) for name, (body, _) in LEAKS.items()))
        assert code == 1, said
        parts = re.split(r"(?m)^_+ (?:ERROR at \w+ of )?test_(\w+) _+$", said)
        found: dict[str, str] = {}
        for test, part in zip(parts[1::2], parts[2::2], strict=True):
            found[test] = found.get(test, "") + part
        yield said, found, [link.read_text() for link in folder.glob("base/**/copy-for-the-outer-test")]


def inner(folder: Path, source: str, *more: str) -> tuple[int, str]:
    """pytest's exit code and all that it printed, for one test of its own."""
    (folder / "test_inner.py").write_text(source)
    (folder / "pytest.ini").write_text("[pytest]\nmarkers = real: x\n")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "secret_scan", "-p", "no:cacheprovider"]
    command += ["--rootdir", str(folder), "--basetemp", str(folder / "base"), *more, str(folder)]
    path = {"PYTHONPATH": str(TESTS), "PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": str(folder)}
    process = subprocess.Popen(
        command, cwd=folder, env=path, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    assert process.stdout is not None
    said = process.stdout.read().decode()
    return process.wait(60), said


def secret_of(folder: Path) -> str:
    (link,) = folder.glob("base/**/copy-for-the-outer-test")
    return link.read_text()


@pytest.mark.parametrize("name", LEAKS)
def test_what_leaks_fails(leaked: tuple[str, dict[str, str], list[str]], name: str) -> None:
    said = leaked[1].get(name.replace(" ", "_"), "it passed")
    where = LEAKS[name][1]
    assert "a secret leaked:" in said
    assert re.search(rf"^- .* is in .*{re.escape(where)}|^- {re.escape(where)}", said, re.MULTILINE), said


def test_what_leaks_is_not_shown(leaked: tuple[str, dict[str, str], list[str]]) -> None:
    said, _, secrets = leaked
    assert len(secrets) == len(LEAKS)
    assert [secret for secret in secrets if secret in said] == []


def test_what_does_not_leak_passes(folder: Path) -> None:
    code, said = inner(folder, "".join(named(name, body) for name, body in GOOD.items()))
    assert code == 0, said
    assert f"{len(GOOD)} passed" in said


SHARED = """
@pytest.fixture(scope="session")
def server(tmp_path_factory):
    folder = tmp_path_factory.mktemp("server")
    yield folder, place(folder)
    (folder / "audit.jsonl").write_text((folder / "member-a.token").read_text())

@pytest.mark.real
def test_prints(server):
    print(server[1])

def test_innocent(server):
    pass
"""


@pytest.mark.parametrize("more", [(), ("-n", "1")])
def test_what_the_session_shares(folder: Path, more: tuple[str, ...]) -> None:
    code, said = inner(folder, HEAD.replace("test_inner", "_inner") + SHARED, *more)
    assert code == 1
    assert "is in Captured stdout call" in said
    assert "a secret leaked into what tests share" in said
    assert "audit.jsonl" in said
    assert secret_of(folder) not in said


def test_what_is_too_large_is_said(folder: Path) -> None:
    large = "(tmp_path / 'large').open('wb').truncate((64 << 20) + 1)"
    code, said = inner(folder, f"{HEAD}    {large}\n")
    assert code == 0, said
    assert re.search("not searched for secrets: .*/large: larger than", said)


def keys() -> list[tuple[str, bytes, bytes]]:
    """Kind, PEM and DER of one key of each kind."""
    made = {
        "rsa": rsa.generate_private_key(65_537, 2048), "ec": ec.generate_private_key(ec.SECP256R1()),
        "ed25519": ed25519.Ed25519PrivateKey.generate(),
    }  # fmt: skip
    der, pkcs8 = serialization.Encoding.DER, serialization.PrivateFormat.PKCS8
    return [
        (n, k.private_bytes(PEM, pkcs8, NONE), k.private_bytes(der, pkcs8, NONE)) for n, k in made.items()
    ]


@pytest.mark.parametrize(("kind", "pem", "der"), keys(), ids=lambda v: v if isinstance(v, str) else "")
def test_a_private_key_in_any_coat(kind: str, pem: bytes, der: bytes) -> None:
    index = Index(secrets_of(pem))
    assert index.secrets
    key = serialization.load_pem_private_key(pem, None)
    openssh = key.private_bytes(PEM, serialization.PrivateFormat.OpenSSH, NONE)
    yaml = b"a: |\n" + b"".join(b"      " + line for line in pem.splitlines(keepends=True))
    for coat in (
        pem,
        der,
        openssh,
        yaml,
        pem.replace(b"\n", b"\\n"),
        der.hex().encode(),
        base64.b64encode(der),
    ):
        assert index.find(b"before " + coat + b" after"), coat[:30]
    public = serialization.PublicFormat.SubjectPublicKeyInfo
    for form in (PEM, serialization.Encoding.DER):
        assert index.find(key.public_key().public_bytes(form, public)) == []


@given(st.binary(min_size=16, max_size=80), st.binary(max_size=40), st.binary(max_size=40))
def test_every_form_at_every_place(core: bytes, before: bytes, after: bytes) -> None:
    index = Index()
    if not index.add(Secret("x", core)):
        assert len(set(core)) < 6
        return
    for form in forms(core):
        assert index.find(before + form + after)
    for encode in (base64.b64encode, base64.urlsafe_b64encode, bytes.hex):
        coat = encode(before + core + after)
        assert index.find(coat if isinstance(coat, bytes) else coat.encode())


@given(st.binary(max_size=300))
def test_a_place_with_any_bytes(data: bytes) -> None:
    assert all(secret.core for secret in secrets_of(data) if secret.core)
