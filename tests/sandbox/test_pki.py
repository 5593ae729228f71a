"""Certificates as strict verifiers want them; kubeconfigs that stand alone."""

import ssl
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509

from reconciler.errors import SandboxError
from reconciler.sandbox import pki


def openssl_verify(authority: pki.Authority, made: pki.Credential, *flags: str) -> str:
    command = ["openssl", "verify", "-x509_strict", "-CAfile", str(authority.directory / "ca.crt"), *flags]
    done = subprocess.run([*command, str(made.cert)], capture_output=True, text=True, check=False)
    return done.stdout + done.stderr


def test_openssl_takes_what_is_issued(tmp_path: Path) -> None:
    authority = pki.create(tmp_path, "member-a")
    made = authority.issue("x", common_name="x", sans=["localhost", "127.0.0.1"])
    assert "x.crt: OK" in openssl_verify(authority, made, "-purpose", "sslserver", "-verify_ip", "127.0.0.1")
    assert "x.crt: OK" in openssl_verify(authority, made, "-purpose", "sslclient")
    assert "IP address mismatch" in openssl_verify(authority, made, "-verify_ip", "127.0.0.2")
    ssl.create_default_context(cafile=str(tmp_path / "ca.crt")).load_cert_chain(made.cert, made.key)


def test_one_that_expired_is_expired_and_nothing_else(tmp_path: Path) -> None:
    authority = pki.create(tmp_path, "member-a")
    made = authority.issue("old", common_name="old", not_after=datetime.now(UTC) - timedelta(days=1))
    assert "certificate has expired" in openssl_verify(authority, made)
    assert "old.crt: OK" in openssl_verify(authority, made, "-no_check_time")


def test_keys_are_private_and_authorities_come_back(tmp_path: Path) -> None:
    pki.create(tmp_path, "member-a").issue("x", common_name="x")
    assert {path.stat().st_mode & 0o777 for path in tmp_path.glob("*.key")} == {0o600}
    made = pki.load(tmp_path).issue("y", common_name="y", organizations=["a", "b"])
    assert x509.load_pem_x509_certificate(made.cert.read_bytes()).subject.rfc4514_string() == "CN=y,O=b,O=a"


def test_a_broken_authority_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "ca.crt").write_text("not PEM")
    with pytest.raises(SandboxError, match="cannot read the cluster's CA"):
        pki.load(tmp_path)
