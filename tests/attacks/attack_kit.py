"""A fleet that was trusted and its reconciler, for attacks that no member ever sees.

``Fleet`` is a repository of real Git and real signatures, reconciled by the product's own wiring: a log in a
directory, a real OPA. Its member is at 127.0.0.1:1, where nobody listens: a refused commit contacts none.

``Fleet.refused`` holds what every attack has to show: the run ends with an error, the log gets one entry
``commit-refused`` with the attack's own code and no other, no intent, nothing is accepted, no member is
contacted, and the next run with the same commit refuses it again without filling the log.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import fleet_files
from git_fixtures import FleetRepo
from shared_cache import shared_cache

from reconciler.audit.entry import CommitAccepted, CommitRefused, Entry, Intent
from reconciler.audit.log import Log
from reconciler.audit.store_directory import DirectoryStore
from reconciler.documents import load
from reconciler.errors import FleetwardError
from reconciler.model import Finding, Severity
from reconciler.pipeline.accepting import RefusedError, as_finding
from reconciler.pipeline.ports import WritePorts
from reconciler.pipeline.reconcile import Run, reconcile
from reconciler.pipeline.trusting import initialize_trust
from reconciler.repository import Repository
from reconciler.repository.signing import sign_statement
from reconciler.surfaces.settings import Settings
from reconciler.surfaces.signing import ORIGIN
from reconciler.surfaces.wiring import Wiring
from reconciler.trust.statements import Approval, HeartbeatStatement, write

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "trust"))  # for its forgeries

NAME, MAIN = "test-fleet", "refs/heads/main"
People = Mapping[str, Sequence[str]]  # name -> roles
PEOPLE: People = {
    "alice": ["security"],
    "bob": ["security"],
    "carol": ["sre"],
    "dave": [],
    "github": ["forge"],
}
RULES = [{"paths": ["policies/rbac/**"], "needs": [{"count": 2, "role": "security"}]}]
RBAC = "policies/rbac/viewer.yaml"


class Fleet:
    """A repository with ``PEOPLE`` whose first commit was trusted, and the reconciler's own folders.

    ``rules`` are spec.approvals, ``trust`` is spec.trust, ``files`` are more files of the first commit,
    ``before`` makes those of a commit before it, ``more`` more signers; ``spec`` replaces fields of
    federation.yaml.
    """

    def __init__(
        self,
        root: Path,
        *,
        rules: Sequence[object] = RULES,
        trust: Mapping[str, object] | None = None,
        files: Mapping[str, str] | None = None,
        name: str = "",
        before: Callable[[Fleet], Mapping[str, str]] | None = None,
        people: People = PEOPLE,
        more: Callable[[FleetRepo], Sequence[object]] = lambda _repo: (),
        **spec: object,
    ) -> None:
        self.repo = FleetRepo(root)
        self.name = name or NAME
        self.rules = rules
        self.trust = {"version": 1, **(trust or {})}
        self.spec = spec
        if before:
            self.repo.commit(before(self))
        made = {
            **fleet_files.fleet({}),
            "federation.yaml": self.federation(people, more=more(self.repo)),
            **(files or {}),
        }
        self.good = self.repo.commit(made)
        self.clock: Callable[[], datetime] = lambda: datetime.now(UTC)
        with self.wiring() as wiring:
            initialize_trust(wiring.checks(), wiring.log(wiring.new_key()), self.good, "tester@attack")

    # --- what people do -----------------------------------------------------------------------------------

    def federation(
        self, people: People = PEOPLE, version: int = 0, more: Sequence[object] = (), **spec: object
    ) -> str:
        """federation.yaml; ``more`` are more signers, ``version`` is the root's, ``spec`` replaces fields."""
        signers: list[object] = [
            {"name": name, "roles": list(roles), "keys": [self.repo.person(name).public_key]}
            for name, roles in people.items()
        ] + list(more)
        trust = {**self.trust, **({"version": version} if version else {})}
        whole = {"signers": signers, "approvals": self.rules, "trust": trust, **self.spec, **spec}
        return fleet_files.document("Federation", self.name, whole)

    def change(self, name: str = "extra", by: str = "dave", *, sign: bool = True, **data: str) -> str:
        """A ConfigMap, which no rule of ``RULES`` names; the commit."""
        text = fleet_files.config_map(name, **data)
        return self.repo.commit({f"policies/manifests/{name}.yaml": text}, by=by, sign=sign)

    def role(self, name: str = "reader", by: str = "alice") -> str:
        """A change below policies/rbac, which needs two of security; the commit."""
        text = fleet_files.role(name, verbs=["get"])
        return self.repo.commit({f"policies/rbac/{name}.yaml": text}, by=by)

    def approve(self, commit: str, by: str, base: str = "", at: str = "", **fields: str) -> str:
        """A signed approval of ``commit``, pinned to ``at`` (itself); its ref."""
        said = {"repository": self.name, "ref": MAIN, "commit": commit, "base": base or self.good, **fields}
        return self.state(by, write(Approval(**said)), commit, folder=f"approvals/{at or commit}")

    def beat(
        self,
        commit: str,
        by: str,
        life: timedelta = timedelta(minutes=30),
        name: str = "current",
        **said: str,
    ) -> str:
        """A signed heartbeat; its ref."""
        place = {"repository": self.name, "ref": MAIN, **said}
        expires = (self.clock() + life).replace(microsecond=0)
        text = write(HeartbeatStatement(**place, commit=commit, expires=expires))
        return self.state(by, text, commit, folder="heartbeat", name=name)

    def state(self, by: str, text: str, commit: str, *, folder: str, name: str = "") -> str:
        """A statement signed by a person; its ref."""
        person = self.repo.person(by)
        for key, value in {
            "gpg.format": "ssh",
            "user.signingKey": str(person.private_key),
            "user.name": by,
            "user.email": person.email,
        }.items():
            self.repo.git("config", key, value)
        return sign_statement(self.repo.path, text, commit, folder=folder, name=name)

    def branch(self, name: str, at: str = "") -> None:
        """Go to a new branch at ``at`` (the current commit)."""
        self.repo.git("checkout", "-q", "-b", name, at or "HEAD")

    def main(self) -> None:
        """Go back to main."""
        self.repo.git("checkout", "-q", "main")

    def half_merge(self, other: str, *options: str) -> None:
        """Begin a merge into the current branch; the next ``commit`` ends it, with whatever is added."""
        who = ("-c", "user.name=x", "-c", "user.email=x@x")
        self.repo.git(*who, "merge", "-q", "--no-ff", "--no-commit", *options, other)

    def move(self, commit: str) -> None:
        """Force main, and the work tree, to ``commit``."""
        self.repo.git("reset", "-q", "--hard", commit)

    def forge_commit(self, payload: bytes, signature: bytes = b"", header: bytes = b"gpgsig") -> str:
        """A raw commit with a signature in its header, main moved to it."""
        head, _, message = payload.partition(b"\n\n")
        lines = signature.rstrip(b"\n").replace(b"\n", b"\n ")
        signed = head + (b"\n" + header + b" " + lines if signature else b"") + b"\n\n" + message
        commit = self.repo.write_object("commit", signed)
        self.repo.git("update-ref", MAIN, commit)
        return commit

    def crafted(self, like: str, *parents: str, by: str, date: int = 1_700_000_500) -> str:
        """A well signed commit with the files of ``like``, any parents and any date; main moved to it."""
        who = f"{by} <{by}@example.com> {date} +0000"
        tree = self.repo.head(f"{like}^{{tree}}")
        above = "".join(f"parent {parent}\n" for parent in parents)
        payload = f"tree {tree}\n{above}author {who}\ncommitter {who}\n\ncrafted\n".encode()
        key = self.repo.person(by).private_key
        command = ["ssh-keygen", "-Y", "sign", "-q", "-n", "git", "-f", str(key)]
        return self.forge_commit(payload, self.repo._run(command, stdin=payload))

    def payload(self, *parents: str, name: str = "dave", files: Mapping[str, str] | None = None) -> bytes:
        """What is signed of a commit on ``parents`` (main) with one ConfigMap more."""
        extra = files or {"policies/manifests/forged.yaml": fleet_files.config_map("forged")}
        made = self.repo.commit(extra, sign=False)
        tree = self.repo.head(f"{made}^{{tree}}")
        self.repo.git("reset", "-q", "--soft", f"{made}~1")
        self.repo.git("reset", "-q", "--hard")
        who = f"{name} <{name}@example.com> 1700000500 +0000"
        above = "".join(f"parent {parent}\n" for parent in parents or (self.repo.head(),))
        return f"tree {tree}\n{above}author {who}\ncommitter {who}\n\nforged\n".encode()

    # --- what the reconciler does ---------------------------------------------------------------------------

    @property
    def folder(self) -> Path:
        return self.repo.root / "machine"

    def settings(self, location: str = "") -> Settings:
        at = self.folder
        where = location or str(self.repo.path)
        return Settings(where, at / "state", shared_cache(), at / "credentials", str(at / "log"))

    @contextmanager
    def wiring(self, location: str = "") -> Iterator[Wiring]:
        """The product's own wiring."""
        with ExitStack() as stack:
            yield Wiring(self.settings(location), lambda _line: None, stack)

    def reconcile(self, location: str = "") -> Run:
        """One run, at the time of ``clock``."""
        with self.wiring(location) as wiring:
            checks = replace(wiring.checks(), clock=self.clock)
            return asyncio.run(reconcile(checks, wiring.members(), self._writes(wiring)))

    def _writes(self, wiring: Wiring) -> WritePorts:
        """The product's, with a log whose clock is ours too: it says when a commit was first seen."""
        made, settings = wiring.writes(), self.settings()
        keys = (made.signer.public_key,)
        memory = settings.state / "log-state.json"
        store = DirectoryStore(Path(settings.log))
        log = Log.open(
            store, made.signer, origin=ORIGIN, clock=self.clock, public_keys=keys, state_cache=memory
        )
        return replace(made, log=log)

    def entries(self) -> list[Entry]:
        """The log, read anew."""
        with self.wiring() as wiring:
            return [entry for _, entry in wiring.log_view().entries()]

    def repository(self) -> Repository:
        return Repository.open(str(self.repo.path), cache_dir=shared_cache() / "repositories")

    def root_version(self, commit: str = "") -> int:
        """The version of the trust root at a commit (main's)."""
        fleet = load(self.repository().snapshot(commit or self.repo.head(MAIN))).fleet
        assert fleet is not None
        return fleet.federation.root.version

    # --- what a test asks -----------------------------------------------------------------------------------

    def accepted(self) -> str:
        """Main's head passes, and is accepted in the log; its id."""
        head = self.repo.head(MAIN)
        run = self.reconcile()
        assert run.commit == head
        last = [e for e in self.entries() if isinstance(e, CommitAccepted)][-1]
        assert last.commit == head
        return head

    def refused(self, *codes: str, commit: str = "", location: str = "") -> tuple[Finding, ...]:
        """Main's head (``commit``) is refused with exactly these codes; see the module. The findings."""
        before, contacts = self.entries(), self._contacts()
        head = commit or self.repo.head(MAIN)
        found = self._run_refused(location)
        assert sorted({finding.code for finding in found}) == sorted(codes), found
        after = self.entries()
        assert len(after) == len(before) + 1, "one entry for one refusal"
        last = after[-1]
        assert isinstance(last, CommitRefused)
        assert last.commit == head
        assert sorted({finding.code for finding in last.findings}) == sorted(codes)
        assert [finding.code for finding in self._run_refused(location)] == [f.code for f in found]
        assert self.entries() == after, "a schedule that meets the same commit again fills no log"
        assert not [e for e in after if isinstance(e, Intent)]
        assert self._contacts() == contacts, "no member was contacted"
        return found

    def _run_refused(self, location: str) -> tuple[Finding, ...]:
        try:
            run = self.reconcile(location)
        except RefusedError as error:
            return tuple(f for f in error.findings if f.severity is Severity.ERROR)
        except FleetwardError as error:
            return (as_finding(error, location),)
        raise AssertionError(f"accepted: {run}")

    def _contacts(self) -> bytes:
        file = self.settings().state / "contacts.json"
        return file.read_bytes() if file.exists() else b""


def subjects(findings: Sequence[Finding]) -> set[str]:
    """The commits that findings are about."""
    return {finding.subject.removeprefix("commit ") for finding in findings if finding.subject}
