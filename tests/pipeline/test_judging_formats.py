"""Every way of signing that federation.yaml can name, from document to verdict: real git, gpg, openssl."""

from __future__ import annotations

import base64
import shutil
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import fleet_files
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from judging_kit import NOW, Team

from reconciler.documents import load
from reconciler.repository import Repository

TODAY = datetime.now(UTC)  # gpg and openssl write the time at which they sign


def soon() -> datetime:
    """Just after whatever was signed until now; the suite may have begun long ago."""
    return datetime.now(UTC) + timedelta(minutes=1)


@pytest.fixture
def team(tmp_path: Path) -> Team:
    return Team(tmp_path)


def run(team: Team, *command: str | Path, stdin: bytes = b"") -> bytes:
    done = subprocess.run(
        command, input=stdin, cwd=team.repo.root, env=team.repo.env, capture_output=True, timeout=60
    )
    assert done.returncode == 0, done.stderr.decode(errors="replace")
    return done.stdout


def trusting(team: Team, dave: dict[str, object], *authorities: object) -> str:
    """A next root in which dave is this; the base that it makes."""
    alice = {"name": "alice", "keys": [team.repo.person("alice").public_key]}
    spec = {"signers": [alice, {"name": "dave", **dave}], "authorities": list(authorities), "approvals": []}
    return team.repo.commit({"federation.yaml": team.federation(trust={"version": 2}, **spec)})


def by_dave(team: Team, *config: str) -> str:
    """A commit by dave, signed as ``config`` says."""
    (team.repo.path / "policies/manifests/x.yaml").write_text(fleet_files.config_map("x"))
    team.repo.git("add", "--all")
    settings = [
        word for line in ("user.name=dave", "user.email=dave@example.com", *config) for word in ("-c", line)
    ]
    team.repo.git(*settings, "commit", "-qS", "--allow-empty", "-m", "by dave")
    return team.repo.head()


def signed_by(team: Team, base: str, at: datetime = NOW) -> tuple[str, str, str]:
    """(name, method, authority) of the last commit; it has no findings."""
    judged = team.judge(base=base, at=at)
    assert judged.findings == ()
    signer = judged.verdicts[-1].signer
    assert signer is not None
    return signer.name, signer.method.value, signer.authority


def schema_is_clean(team: Team) -> bool:
    repository = Repository.open(str(team.repo.path), cache_dir=team.repo.root / "cache")
    return load(repository.snapshot(team.repo.head())).findings == ()


@pytest.fixture
def gpg_home(team: Team) -> Iterator[Path]:
    # An agent's socket has a short path limit, shorter than pytest's folders.
    home = Path(run(team, "mktemp", "-d", "/tmp/gpg.XXXXXX").decode().strip())  # noqa: S108
    home.chmod(0o700)
    team.repo.env["GNUPGHOME"] = str(home)
    yield home
    subprocess.run(["gpgconf", "--kill", "all"], env=team.repo.env, check=False, timeout=60)
    shutil.rmtree(home)


def test_openpgp(team: Team, gpg_home: Path) -> None:
    for name in ("dave", "mallory"):
        run(
            team,
            "gpg",
            "--batch",
            "--passphrase",
            "",
            "--quick-gen-key",
            f"{name}@example.com",
            "ed25519",
            "sign",
        )
    armoured = run(team, "gpg", "--armor", "--export", "dave@example.com").decode()
    base = trusting(team, {"openpgp": [armoured]})
    assert schema_is_clean(team)
    by_dave(team, "gpg.format=openpgp", "user.signingKey=dave@example.com")
    assert signed_by(team, base, soon()) == ("dave", "openpgp", "")
    by_dave(team, "gpg.format=openpgp", "user.signingKey=mallory@example.com")
    assert [f.code for f in team.judge(base=base, at=soon()).findings] == ["FW1206"]


def test_an_ssh_certificate(team: Team) -> None:
    keys = team.repo.root / "keys"
    ca, dave = team.repo.person("ca"), team.repo.person("dave")
    window = ["-V", "20260101000000Z:20270101000000Z"]
    for name, principals in (("good", "dave,admins"), ("other", "erin")):
        for suffix in ("", ".pub"):
            shutil.copy(keys / f"dave{suffix}", keys / f"{name}{suffix}")
        run(team, "ssh-keygen", "-q", "-s", ca.private_key, "-I", name, "-z", "7", "-n", principals, *window,
            keys / f"{name}.pub")  # fmt: skip
    (keys / "spec").write_text("")
    run(team, "ssh-keygen", "-q", "-k", "-f", keys / "krl", "-s", f"{ca.private_key}.pub", keys / "spec")
    krl = base64.b64encode((keys / "krl").read_bytes()).decode()
    base = trusting(team, {"principals": ["dave"]}, {"name": "people", "ssh": ca.public_key, "krl": krl})
    assert schema_is_clean(team)
    by_dave(team, "gpg.format=ssh", f"user.signingKey={keys / 'good-cert.pub'}")
    assert signed_by(team, base) == ("dave", "ssh-certificate", "people")
    assert team.codes(base=base, at=NOW + timedelta(days=365)) == ["FW1211"]
    team.repo.git("reset", "-q", "--hard", base)
    by_dave(team, "gpg.format=ssh", f"user.signingKey={keys / 'other-cert.pub'}")
    assert team.codes(base=base) == ["FW1214"]
    team.repo.git("reset", "-q", "--hard", base)
    by_dave(team, "gpg.format=ssh", f"user.signingKey={dave.private_key}")
    assert team.codes(base=base) == ["FW1206"]
    # The same certificate, revoked by its serial in the next root.
    (keys / "spec").write_text("serial: 7\n")
    run(team, "ssh-keygen", "-q", "-k", "-f", keys / "krl", "-s", f"{ca.private_key}.pub", keys / "spec")
    krl = base64.b64encode((keys / "krl").read_bytes()).decode()
    base = trusting(team, {"principals": ["dave"]}, {"name": "people", "ssh": ca.public_key, "krl": krl})
    by_dave(team, "gpg.format=ssh", f"user.signingKey={keys / 'good-cert.pub'}")
    assert team.codes(base=base) == ["FW1212"]


def certificate(name: str, issuer: tuple[x509.Name, ec.EllipticCurvePrivateKey] | None = None) -> tuple[
    x509.Certificate, ec.EllipticCurvePrivateKey
]:  # fmt: skip
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    signer_name, signer_key = issuer or (subject, key)
    usage = dict.fromkeys(
        (
            "content_commitment",
            "key_encipherment",
            "data_encipherment",
            "key_agreement",
            "encipher_only",
            "decipher_only",
        ),
        False,
    )
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(signer_name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(TODAY - timedelta(days=300))
        .not_valid_after(TODAY + timedelta(days=300))
        .add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True)
        .add_extension(
            x509.KeyUsage(
                digital_signature=bool(issuer), key_cert_sign=not issuer, crl_sign=not issuer, **usage
            ),
            critical=True,
        )
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(signer_key.public_key()), critical=False
        )
    )
    if issuer:
        names = x509.SubjectAlternativeName([x509.RFC822Name(f"{name}@example.com")])
        purpose = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION])
        builder = builder.add_extension(names, critical=False).add_extension(purpose, critical=False)
    return builder.sign(signer_key, hashes.SHA256()), key


def test_x509(team: Team) -> None:
    root, root_key = certificate("root")
    leaf, leaf_key = certificate("dave", (root.subject, root_key))
    pem = serialization.Encoding.PEM
    folder = team.repo.root
    (folder / "leaf.pem").write_bytes(leaf.public_bytes(pem))
    (folder / "leaf.key").write_bytes(
        leaf_key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    crl = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(root.subject)
        .last_update(TODAY - timedelta(days=1))
        .next_update(TODAY + timedelta(days=30))
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(root_key.public_key()), critical=False
        )
        .add_extension(x509.CRLNumber(1), critical=False)
        .sign(root_key, hashes.SHA256())
    )
    authority = {
        "name": "mail",
        "x509": root.public_bytes(pem).decode(),
        "crl": crl.public_bytes(pem).decode(),
    }
    base = trusting(team, {"principals": ["dave@example.com"]}, authority)
    assert schema_is_clean(team)
    unsigned = team.repo.commit(
        {"policies/manifests/x.yaml": fleet_files.config_map("x")}, by="dave", sign=False
    )
    raw = team.repo.git("cat-file", "commit", unsigned).encode()
    made = ("-signer", "leaf.pem", "-inkey", "leaf.key", "-md", "sha256", "-outform", "DER")
    der = run(team, "openssl", "cms", "-sign", "-binary", *made, stdin=raw)
    lines = base64.encodebytes(der).decode()
    armour = f"-----BEGIN SIGNED MESSAGE-----\n{lines}-----END SIGNED MESSAGE-----"
    header = "gpgsig " + armour.replace("\n", "\n ")
    commit = team.repo.write_object("commit", raw.replace(b"\n\n", f"\n{header}\n\n".encode(), 1))
    team.repo.git("update-ref", "refs/heads/main", commit)
    assert signed_by(team, base, soon()) == ("dave", "x509", "mail")
    assert team.codes(base=base, at=TODAY + timedelta(days=31)) == ["FW1215"]


def test_an_authority_without_revocation_data_is_a_finding_of_the_document(team: Team) -> None:
    trusting(team, {"principals": ["dave"]}, {"name": "people", "ssh": team.repo.person("ca").public_key})
    assert not schema_is_clean(team)
