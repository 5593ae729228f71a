"""A fleet with people, roles and rules, in real Git; what is pushed there is judged without OPA."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

import fleet_files
from git_fixtures import FleetRepo

from reconciler.documents import load
from reconciler.pipeline.judging import Seen, judge_range
from reconciler.repository import Repository
from reconciler.repository.signing import sign_statement
from reconciler.trust import Judgement
from reconciler.trust.statements import Approval, write

NOW = datetime(2026, 6, 1, 12, 0, 0, tzinfo=UTC)
PEOPLE = {"alice": ["security"], "bob": ["security"], "carol": ["sre"], "dave": [], "github": ["forge"]}
RULES = [{"paths": ["policies/rbac/**"], "needs": [{"count": 2, "role": "security"}]}]


class Team:
    """A fleet repository at its first commit, whose federation.yaml lists ``PEOPLE``."""

    def __init__(self, root: Path, rules: Sequence[object] = RULES, **trust: object) -> None:
        self.repo = FleetRepo(root)
        self.rules = rules
        self.trust = {"version": 1, **trust}
        self.base = self.repo.commit({**fleet_files.fleet({}), "federation.yaml": self.federation()})

    def federation(self, people: Mapping[str, Sequence[str]] = PEOPLE, **spec: object) -> str:
        """federation.yaml; ``spec`` replaces fields."""
        signers = [
            {"name": name, "roles": list(roles), "keys": [self.repo.person(name).public_key]}
            for name, roles in people.items()
        ]
        whole = {"signers": signers, "approvals": self.rules, "trust": self.trust, **spec}
        return fleet_files.document("Federation", "test-fleet", whole)

    def change(self, name: str = "viewer", by: str = "alice") -> str:
        """A change below policies/rbac; its commit."""
        text = fleet_files.role(name, verbs=["get"])
        return self.repo.commit({f"policies/rbac/{name}.yaml": text}, by=by)

    def signing(self, by: str) -> None:
        """Git's own settings in the clone, as this person has them."""
        person = self.repo.person(by)
        for key, value in {
            "gpg.format": "ssh",
            "user.signingKey": str(person.private_key),
            "user.name": by,
            "user.email": person.email,
        }.items():
            self.repo.git("config", key, value)

    def approve(self, commit: str, by: str, base: str = "", **fields: str) -> str:
        """A signed approval; its ref."""
        self.signing(by)
        said = {"repository": "test-fleet", "ref": "refs/heads/main", "commit": commit, **fields}
        text = write(Approval(**said, base=base or self.base))
        return sign_statement(self.repo.path, text, commit, folder=f"approvals/{commit}")

    def judge(
        self, head: str = "", base: str = "", seen: Sequence[Seen] = (), at: datetime = NOW
    ) -> Judgement:
        """base..head, judged by what the base says."""
        repository = Repository.open(str(self.repo.path), cache_dir=self.repo.root / "cache")
        base = base or self.base
        fleet = load(repository.snapshot(base)).fleet
        assert fleet is not None
        return judge_range(repository, fleet.federation, base, head or self.repo.head(), at=at, seen=seen)

    def codes(self, head: str = "", **more: object) -> list[str]:
        """The codes of the errors, in the order of the commits."""
        judged = self.judge(head, **more)  # type: ignore[arg-type]
        return [f.code for verdict in judged.verdicts for f in verdict.findings]
