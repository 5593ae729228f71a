"""SSH certificates: real ones by ssh-keygen, and ones made by hand, so that every field can be wrong."""

import base64
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

import ssh_forge as forge
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from ssh_forge import Forged, s

ENVIRONMENT = {"PATH": os.environ["PATH"], "TZ": "UTC", "LC_ALL": "C"}
FOREVER = 2**64 - 1
LIMIT = 60  # seconds


def run(*command: str | Path, stdin: bytes = b"", cwd: Path | None = None, code: int | None = 0) -> bytes:
    """Run a program; its standard output. ``code`` None: any exit code will do."""
    done = subprocess.run(command, input=stdin, cwd=cwd, env=ENVIRONMENT, capture_output=True, timeout=LIMIT)
    assert code is None or done.returncode == code, f"{command}: {done.stderr.decode(errors='replace')}"
    return done.stdout


@dataclass(frozen=True)
class Workshop:
    """A folder of real keys and certificates."""

    folder: Path

    def key(self, name: str, kind: str = "ed25519", bits: int = 0) -> Path:
        """Make a key pair; the private key's path."""
        size = ["-b", str(bits)] if bits else []
        run("ssh-keygen", "-q", "-t", kind, *size, "-N", "", "-C", name, "-f", self.folder / name)
        return self.folder / name

    def certificate(self, ca: Path, key: Path, name: str, *options: str, key_id: str = "id") -> Path:
        """Certify ``key`` as ``name`` (private half beside it, as ssh-keygen looks for it); the path."""
        for suffix in ("", ".pub"):
            (self.folder / (name + suffix)).write_bytes(key.with_name(key.name + suffix).read_bytes())
        (self.folder / name).chmod(0o600)
        run("ssh-keygen", "-q", "-s", ca, "-I", key_id, *options, self.folder / f"{name}.pub")
        return self.folder / f"{name}-cert.pub"

    def krl(self, name: str, spec: str, ca: str | Path = "", number: int = 1) -> Path:
        """A revocation list made by ssh-keygen of its own specification."""
        (self.folder / f"{name}.spec").write_text(spec)
        scope = ["-s", str(ca)] if ca else []
        run("ssh-keygen", "-q", "-k", "-f", self.folder / name, *scope, "-z", str(number), f"{name}.spec",
            cwd=self.folder)  # fmt: skip
        return self.folder / name

    def allowed(self, name: str, *lines: str) -> Path:
        (self.folder / name).write_text("".join(f"{line}\n" for line in lines))
        return self.folder / name


def text(path: Path) -> str:
    """ "TYPE BASE64" of a private key, public key or certificate."""
    public = path if path.suffix == ".pub" else path.with_name(path.name + ".pub")
    return " ".join(public.read_text().split()[:2])


def wire(path: Path) -> bytes:
    return base64.b64decode(text(path).split()[1])


def signed(key: Path, message: bytes, namespace: str = "git", *options: str) -> bytes:
    """An armoured signature; ``key`` may be a certificate's path."""
    return run("ssh-keygen", "-Y", "sign", "-q", *options, "-n", namespace, "-f", key, stdin=message)


def authority(seed: int = 0x0C) -> Forged:
    private = Ed25519PrivateKey.from_private_bytes(bytes([seed]) * 32)
    blob = s(b"ssh-ed25519") + s(private.public_key().public_bytes_raw())
    return Forged("ssh-ed25519", blob, lambda m: s(b"ssh-ed25519") + s(private.sign(m)))


def options(*pairs: tuple[bytes, bytes]) -> bytes:
    return b"".join(s(name) + s(data) for name, data in pairs)


def certificate(
    key: Forged,
    ca: Forged,
    *,
    serial: int = 7,
    kind: int = 1,
    key_id: bytes = b"id",
    principals: tuple[bytes, ...] = (b"alice",),
    after: int = 0,
    before: int = FOREVER,
    critical: bytes = b"",
    extensions: bytes = b"",
    reserved: bytes = b"",
    ca_blob: bytes = b"",
    tail: bytes = b"",
    version: bytes = b"-cert-v01@openssh.com",
) -> Forged:
    """``key`` certified by ``ca``: its blob is the certificate, and it signs as the key does."""
    start = 4 + len(key.type)
    name = key.type.removesuffix("@openssh.com").encode() + version
    names = s(b"".join(map(s, principals)))
    times = after.to_bytes(8, "big") + before.to_bytes(8, "big")
    fields = [
        s(name), s(b"n" * 32), key.blob[start:], serial.to_bytes(8, "big"), kind.to_bytes(4, "big"),
        s(key_id), names, times, s(critical), s(extensions), s(reserved), s(ca_blob or ca.blob),
    ]  # fmt: skip
    body = b"".join(fields)
    return Forged(name.decode(), body + s(ca.sign(body)) + tail, key.sign)


def signature(key: Forged, message: bytes) -> bytes:
    return forge.armour(forge.blob_of(key, message))
