"""Commits signed by real git, judged by us and by ``git verify-commit``."""

import subprocess
from pathlib import Path

import pytest
from git_fixtures import FleetRepo
from trust_kit import signer, verify

from reconciler.documents import TrustedSigner
from reconciler.errors import TrustError
from reconciler.repository import Repository
from reconciler.trust.errors import NamespaceError, SignerListError


@pytest.fixture
def fleet(tmp_path: Path) -> FleetRepo:
    return FleetRepo(tmp_path)


def opened(fleet: FleetRepo) -> Repository:
    return Repository.open(str(fleet.path), cache_dir=fleet.root / "cache")


def signers(fleet: FleetRepo, *names: str) -> tuple[TrustedSigner, ...]:
    return tuple(signer(name, fleet.person(name).public_key) for name in names)


def git_accepts(fleet: FleetRepo, commit: str, trusted: tuple[TrustedSigner, ...]) -> bool:
    allowed = fleet.root / "allowed"
    allowed.write_text("".join(f"{s.name} {key.text}\n" for s in trusted for key in s.keys))
    command = ["git", "-c", f"gpg.ssh.allowedSignersFile={allowed}", "verify-commit", commit]
    return (
        subprocess.run(command, cwd=fleet.path, env=fleet.env, capture_output=True, timeout=60).returncode
        == 0
    )


def we_accept(fleet: FleetRepo, commit: str, trusted: tuple[TrustedSigner, ...]) -> bool:
    found = opened(fleet).commit(commit)
    try:
        verify(found.payload, found.signature, *trusted)
    except TrustError:
        return False
    return True


@pytest.mark.parametrize(
    ("kind", "bits"),
    [("ed25519", 0), ("ecdsa", 256), ("ecdsa", 384), ("ecdsa", 521), ("rsa", 2048), ("rsa", 3072)],
)
def test_git_and_we_agree_on_commits(fleet: FleetRepo, kind: str, bits: int) -> None:
    fleet.person("alice", kind, bits)
    trusted = signers(fleet, "alice")
    good = fleet.commit({"federation.yaml": "1"}, message="Subject\n\nBody with gpgsig\n text")
    raw = fleet.git("cat-file", "commit", good)
    altered = {
        "message": raw.replace("Subject", "Object"),
        "author": raw.replace("author alice", "author carol", 1),
        "time": raw.replace(" +0000", " +0100", 1),
        "tree": raw.replace(raw[5:45], "4b825dc642cb6eb9a060e54bf8d69288fbee4904", 1),
        "header added": raw.replace("\n\n", "\nencoding latin1\n\n", 1),
        "parent added": raw.replace("author", f"parent {good}\nauthor", 1),
        "signature removed": "\n".join(
            line
            for number, line in enumerate(raw.split("\n"))
            if not line.startswith("gpgsig")
            and not (line.startswith(" ") and number < raw.split("\n").index(""))
        ),
        "end added": raw + "\n",
    }
    assert git_accepts(fleet, good, trusted) and we_accept(fleet, good, trusted)
    for name, text in altered.items():
        assert text != raw, name
        commit = fleet.write_object("commit", text.encode())
        assert not git_accepts(fleet, commit, trusted), name
        assert not we_accept(fleet, commit, trusted), name
    others = signers(fleet, "bob")
    assert not git_accepts(fleet, good, others) and not we_accept(fleet, good, others)


def test_a_signature_of_a_file_is_no_signature_of_a_commit(fleet: FleetRepo) -> None:
    """The very same bytes, signed for the namespace "file" and pasted into the commit."""
    unsigned = fleet.commit({"federation.yaml": "1"}, sign=False)
    raw = fleet.git("cat-file", "commit", unsigned)
    key = fleet.person("alice").private_key
    commits = []
    for namespace in ("git", "file"):
        command = ["ssh-keygen", "-Y", "sign", "-q", "-n", namespace, "-f", str(key)]
        done = subprocess.run(command, input=raw.encode(), capture_output=True, check=True, timeout=60)
        header = "gpgsig " + done.stdout.decode().rstrip("\n").replace("\n", "\n ")
        commit = fleet.write_object("commit", raw.replace("\n\n", f"\n{header}\n\n", 1).encode())
        commits.append(opened(fleet).commit(commit))
    good, bad = commits
    trusted = signers(fleet, "alice")
    assert verify(good.payload, good.signature, *trusted).name == "alice"
    with pytest.raises(NamespaceError, match="FW1204") as caught:
        verify(bad.payload, bad.signature, *trusted)
    assert caught.value.got == "file"


def test_a_broken_list_of_signers_stops_everything(fleet: FleetRepo) -> None:
    fleet.commit({"federation.yaml": "1"})
    commit = opened(fleet).commit(fleet.head())
    with pytest.raises(SignerListError, match="FW1209"):
        verify(commit.payload, commit.signature, *signers(fleet, "alice"), signer("bob", "ssh-ed25519 x"))
