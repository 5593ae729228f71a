"""No tracked file has what looks like a secret, but for those that say why."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SHAPES = {
    "private key": rb"PRIVATE KEY(?: BLOCK)?-----",
    "key data": rb"client-key-data\"?: *\"?[A-Za-z0-9+/=]{32,}",
    "JWT": rb"eyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}",
    "forge token": rb"\b(?:gh[pousr]_[A-Za-z0-9]{36}|github_pat_[A-Za-z0-9_]{22,}|glpat-[A-Za-z0-9_-]{20})",
    "cloud key": rb"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b|\bAIza[0-9A-Za-z_-]{35}\b",
    "bootstrap token": rb"\btoken\W{1,4}[a-z0-9]{6}\.[a-z0-9]{16}\b",
    "age key": rb"AGE-SECRET-KEY-1[0-9A-Z]{20,}",
    "bearer": rb"(?i)authorization\W{1,4}bearer +[A-Za-z0-9._~+/-]{24,}",
}
# (file, shape) -> why it is there. None of them is a secret of anything.
EXPECTED = {
    ("tests/e2e/join_world.py", "private key"): "the name of the armour that a key is cut out of",
    ("tests/leaks/test_secrets_in_repository.py", "private key"): "the example below",
    ("tests/trust/test_trust_pkcs11.py", "private key"): "the armour's name, as what is no URI",
}  # fmt: skip
EXAMPLES = {
    "private key": "-----BEGIN OPENSSH " + "PRIVATE KEY-----",
    "key data": "client-key-data: " + "QUJD" * 20,
    "JWT": "eyJhbGciOiJub25l" + ".eyJpc3MiOiJ4In0.AA",
    "forge token": "ghp_" + "a" * 36,
    "cloud key": "AKIA" + "Q" * 16,
    "bootstrap token": "token: abcdef" + ".0123456789abcdef",
    "age key": "AGE-SECRET-KEY-" + "1" + "Q" * 30,
    "bearer": "Authorization: Bearer " + "x" * 30,
}


def found_in(data: bytes) -> set[str]:
    return {shape for shape, pattern in SHAPES.items() if re.search(pattern, data)}


@pytest.mark.parametrize("shape", SHAPES)
def test_every_shape_is_recognized(shape: str) -> None:
    assert shape in found_in(EXAMPLES[shape].encode())


def test_no_tracked_file_has_a_secret() -> None:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=False)
    if listed.returncode:
        pytest.skip("not a checkout")
    names = [name for name in listed.stdout.decode().split("\0") if name and (ROOT / name).is_file()]
    assert len(names) > 500
    found = {(name, shape) for name in names for shape in found_in((ROOT / name).read_bytes())}
    assert found - EXPECTED.keys() == set()
    assert EXPECTED.keys() - found == set(), "explained, and not there any more"
