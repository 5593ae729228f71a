"""Real repositories for tests: real git, real ssh-keygen, nothing of the machine's own configuration.

>>> repo = FleetRepo(tmp_path)  # doctest: +SKIP
>>> alice = repo.person("alice")  # doctest: +SKIP
>>> first = repo.commit({"federation.yaml": "kind: Federation"}, by="alice")  # doctest: +SKIP
>>> second = repo.commit({"old.yaml": None}, by="alice", message="Delete", sign=False)  # doctest: +SKIP
>>> repo.path, alice.public_key  # doctest: +SKIP
(PosixPath('.../fleet'), 'ssh-ed25519 AAAA...')
"""

import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Person:
    """Somebody with an SSH key; ``public_key`` is "TYPE BASE64"."""

    name: str
    private_key: Path
    public_key: str

    @property
    def email(self) -> str:
        return f"{self.name}@example.com"


class FleetRepo:
    """A repository at ``root/fleet`` (bare: no work tree) whose commits are made by named people."""

    def __init__(self, root: Path, *, bare: bool = False) -> None:
        self.root = root
        self.path = root / "fleet"
        self.people: dict[str, Person] = {}
        self._clock = 1_700_000_000
        home = root / "home"
        home.mkdir(parents=True, exist_ok=True)
        self.env = {
            "PATH": os.environ["PATH"],
            "HOME": str(home),
            "XDG_CONFIG_HOME": str(home),
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_CONFIG_GLOBAL": str(home / "gitconfig"),
            "LC_ALL": "C",
            "TZ": "UTC",
        }
        (home / "gitconfig").write_text("[init]\n\tdefaultBranch = main\n[gc]\n\tauto = 0\n")
        self.git("init", "--quiet", *(["--bare"] if bare else []), str(self.path), cwd=root)

    def person(self, name: str, kind: str = "ed25519", bits: int = 0) -> Person:
        """Make (once) the key pair of ``name``; ``kind`` and ``bits`` as ``ssh-keygen -t -b``."""
        if name not in self.people:
            folder = self.root / "keys"
            folder.mkdir(exist_ok=True)
            size = ["-b", str(bits)] if bits else []
            self._run(["ssh-keygen", "-q", "-t", kind, *size, "-N", "", "-C", name, "-f", str(folder / name)])
            public = " ".join((folder / f"{name}.pub").read_text().split()[:2])
            self.people[name] = Person(name, folder / name, public)
        return self.people[name]

    def commit(
        self,
        files: Mapping[str, str | bytes | None],
        *,
        by: str = "alice",
        message: str = "change",
        sign: bool = True,
    ) -> str:
        """Write (or with None delete) files, commit them all on the current branch; the commit's id."""
        for name, content in files.items():
            place = self.path / name
            if content is None:
                place.unlink()
                continue
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(content.encode() if isinstance(content, str) else content)
        self.git("add", "--all")
        self.git(
            *self._signing(by, sign), "commit", "--quiet", "--allow-empty", "-m", message, env=self._who(by)
        )
        return self.head()

    def merge(self, *others: str, by: str = "alice", sign: bool = True) -> str:
        """Merge commits or branches into the current branch, always with a merge commit; its id."""
        command = ("merge", "--quiet", "--no-ff", "-m", "merge", *others)
        self.git(*self._signing(by, sign), *command, env=self._who(by))
        return self.head()

    def head(self, rev: str = "HEAD") -> str:
        """The full id of ``rev``."""
        return self.git("rev-parse", rev).strip()

    def write_object(self, kind: str, raw: bytes) -> str:
        """Store any bytes as an object, however malformed; the id."""
        command = ["git", "hash-object", "-t", kind, "--literally", "-w", "--stdin"]
        return self._run(command, stdin=raw, cwd=self.path).decode().strip()

    def git(self, *arguments: str, cwd: Path | None = None, env: Mapping[str, str] | None = None) -> str:
        """Run git in the repository; its standard output."""
        return self._run(["git", *arguments], cwd=cwd or self.path, env=env).decode()

    def _signing(self, by: str, sign: bool) -> list[str]:
        if not sign:
            return ["-c", "commit.gpgSign=false"]
        key = self.person(by).private_key
        return ["-c", "gpg.format=ssh", "-c", f"user.signingKey={key}", "-c", "commit.gpgSign=true"]

    def _who(self, by: str) -> dict[str, str]:
        """The person as author and committer; time grows by a second with every commit."""
        self._clock += 1
        facts = {"NAME": by, "EMAIL": f"{by}@example.com", "DATE": f"{self._clock} +0000"}
        return {
            f"GIT_{role}_{key}": value for role in ("AUTHOR", "COMMITTER") for key, value in facts.items()
        }

    def _run(
        self,
        command: list[str],
        *,
        stdin: bytes = b"",
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
    ) -> bytes:
        environment = {**self.env, **(env or {})}
        done = subprocess.run(
            command, input=stdin, cwd=cwd or self.root, env=environment, capture_output=True, timeout=60
        )
        assert done.returncode == 0, f"{command}: {done.stderr.decode(errors='replace')}"
        return done.stdout
