"""Real gpg for tests, each in a home of its own: keys, signatures, and gpg's verdict as git reads it."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

MESSAGE = b"tree 0000\nauthor A <a@x> 1 +0000\n\nmessage\n"
MADE = datetime(2024, 1, 1, tzinfo=UTC)
SIGNED = datetime(2024, 3, 1, tzinfo=UTC)
SEEN = datetime(2024, 3, 2, tzinfo=UTC)


class Gpg:
    """A home with keys; nothing of the machine's own is used."""

    def __init__(self, home: str) -> None:
        self.home = home
        self.env = {"PATH": os.environ["PATH"], "HOME": home, "GNUPGHOME": home, "LC_ALL": "C", "TZ": "UTC"}

    def run(
        self, *arguments: str, stdin: bytes = b"", time: datetime = MADE, check: bool = True
    ) -> subprocess.CompletedProcess[bytes]:
        now = f"{time:%Y%m%dT%H%M%S}"
        quiet = [
            "--no-tty",
            "--pinentry-mode",
            "loopback",
            "--passphrase",
            "",
            "--faked-system-time",
            f"{now}!",
        ]
        batch = [] if "--command-fd" in arguments else ["--batch", "--yes"]
        command = ["gpg", "--homedir", self.home, *quiet, *batch, *arguments]
        done = subprocess.run(command, input=stdin, capture_output=True, env=self.env, timeout=120)
        assert done.returncode == 0 or not check, done.stderr.decode(errors="replace")
        return done

    def key(self, name: str, kind: str = "ed25519", usage: str = "sign", expires: str = "0") -> str:
        """A new key, made at ``MADE``; the fingerprint of its primary key."""
        self.run("--quick-gen-key", f"{name} <{name}@example.com>", kind, usage, expires)
        return self.fingerprints(f"<{name}@example.com>")[0]

    def subkey(self, primary: str, kind: str = "ed25519", usage: str = "sign", expires: str = "0") -> str:
        self.run("--quick-add-key", primary, kind, usage, expires)
        return self.fingerprints(primary)[-1]

    def fingerprints(self, name: str) -> list[str]:
        lines = self.run("--with-colons", "--list-keys", name).stdout.decode().splitlines()
        return [line.split(":")[9] for line in lines if line.startswith("fpr:")]

    def export(self, name: str, *options: str) -> str:
        return self.run(*options, "--armor", "--export", name).stdout.decode()

    def sign(
        self,
        by: str,
        *options: str,
        message: bytes = MESSAGE,
        time: datetime = SIGNED,
        how: str = "--detach-sign",
    ) -> bytes:
        return self.run(*options, "-u", by, "--armor", how, stdin=message, time=time).stdout

    def revocation(self, key: str, reason: int, time: datetime) -> bytes:
        """A revocation certificate: 0 no reason, 1 compromised, 2 superseded, 3 no longer used."""
        answers = f"y\n{reason}\n\ny\n".encode()
        return self.run("--command-fd", "0", "--gen-revoke", key, stdin=answers, time=time).stdout

    def revoke_subkey(self, key: str, reason: int, time: datetime) -> None:
        answers = f"key 1\nrevkey\ny\n{reason}\n\ny\nsave\n".encode()
        self.run("--command-fd", "0", "--edit-key", key, stdin=answers, time=time)


@contextmanager
def gpg_home() -> Iterator[Gpg]:
    # Not pytest's folder: the name of a socket has little room.
    home = tempfile.mkdtemp(prefix="gpg-")
    try:
        yield Gpg(home)
    finally:
        subprocess.run(["gpgconf", "--homedir", home, "--kill", "all"], check=False, timeout=60)
        shutil.rmtree(home, ignore_errors=True)


def gpg_accepts(signature: bytes, message: bytes, certificates: list[str], at: datetime) -> bool:
    """Whether gpg, knowing these keys only and with its clock at that time, says what git takes for good."""
    with gpg_home() as gpg:
        for certificate in certificates:
            gpg.run("--import", stdin=certificate.encode(), time=at, check=False)
        files = {"signature": signature, "message": message}
        for name, data in files.items():
            with open(f"{gpg.home}/{name}", "wb") as file:  # noqa: PTH123
                file.write(data)
        paths = [f"{gpg.home}/{name}" for name in files]
        # As git calls it; a signature that covers its own text has none beside it.
        done = gpg.run("--status-fd=1", "--verify", *paths, time=at, check=False)
        status = done.stdout.decode(errors="replace")
    return done.returncode == 0 and status.count("GOODSIG") == 1 == status.count("NEWSIG")
