"""Our own SSH signatures, held against ssh-keygen and our own verification."""

import subprocess
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from reconciler.trust.keys import ReconcilerKey
from reconciler.trust.sshsig import parse, public_key_text, sign, verify

KEY = ReconcilerKey.from_seed(b"s" * 32)


def test_ssh_keygen_believes_it(tmp_path: Path):
    (tmp_path / "allowed").write_text(f"reconciler {public_key_text(KEY.public_key)}\n")
    (tmp_path / "sig").write_bytes(sign(KEY, b"message", namespace="git") + b"\n")
    command = ["ssh-keygen", "-Y", "verify", "-f", tmp_path / "allowed", "-I", "reconciler"]
    command += ["-n", "git", "-s", tmp_path / "sig"]
    assert subprocess.run(command, input=b"message", capture_output=True, check=False).returncode == 0
    assert subprocess.run(command, input=b"massage", capture_output=True, check=False).returncode != 0


@given(st.binary(max_size=300))
def test_we_believe_it(message: bytes):
    signature = parse(sign(KEY, message, namespace="git"))
    verify(signature, message, namespace="git")
    assert signature.hash_name == "sha512"
