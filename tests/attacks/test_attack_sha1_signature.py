"""SHA-1 signature: the hash that is signed can be had for two contents.

The key is a known signer's and the signature is right; the algorithm is what must not be believed.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import ssh_forge as forge
from attack_kit import PEOPLE, Fleet

pytestmark = pytest.mark.real


def test_an_rsa_signature_with_sha1(make: Callable[..., Fleet]) -> None:
    """``ssh-rsa`` as OpenSSH wrote it before 8.2."""
    weak = forge.rsa_key(2048, "ssh-rsa")
    fleet = make(more=lambda _repo: [{"name": "erin", "keys": [weak.text]}])
    payload = fleet.payload()
    fleet.forge_commit(payload, forge.armour(forge.blob_of(weak, payload)))
    fleet.refused("FW1208")


@pytest.mark.parametrize("name", ["sha1", "md5", "sha224"])
def test_a_weak_hash_of_the_commit(make: Callable[..., Fleet], name: str) -> None:
    """Signed as PROTOCOL.sshsig says, but for the hash."""
    key = forge.ed25519()
    fleet = make(more=lambda _repo: [{"name": "erin", "keys": [key.text]}])
    payload = fleet.payload()
    fleet.forge_commit(payload, forge.armour(forge.blob_of(key, payload, hash_name=name)))
    (finding,) = fleet.refused("FW1205")
    assert finding.got == name


@pytest.fixture
def home() -> Iterator[Path]:
    """A GnuPG home whose path is short enough for its agent's socket."""
    with tempfile.TemporaryDirectory(prefix="gpg") as folder:
        yield Path(folder)
        gpg(Path(folder), "gpgconf", "--kill", "all", program="")


def gpg(home: Path, *arguments: str, stdin: bytes = b"", program: str = "gpg") -> bytes:
    command = [program, "--batch", "--quiet", *arguments] if program else list(arguments)
    environment = {"PATH": os.environ["PATH"], "GNUPGHOME": str(home), "LC_ALL": "C"}
    done = subprocess.run(command, input=stdin, env=environment, capture_output=True, timeout=60)
    assert done.returncode == 0, done.stderr.decode(errors="replace")
    return done.stdout


@pytest.mark.parametrize(("digest", "code"), [("SHA1", "FW1205"), ("SHA256", "")])
def test_an_openpgp_signature(make: Callable[..., Fleet], home: Path, digest: str, code: str) -> None:
    options = ("--passphrase", "", "--pinentry-mode", "loopback")
    gpg(home, *options, "--quick-generate-key", "erin@example.com", "ed25519", "sign", "never")
    public = gpg(home, "--armor", "--export", "erin@example.com").decode()
    fleet = make(people=PEOPLE, more=lambda _repo: [{"name": "erin", "openpgp": [public]}])
    payload = fleet.payload()
    weak = ("--allow-weak-digest-algos", "--digest-algo", digest)
    fleet.forge_commit(payload, gpg(home, *weak, "--armor", "--detach-sign", stdin=payload))
    if code:
        fleet.refused(code)
    else:
        fleet.accepted()
