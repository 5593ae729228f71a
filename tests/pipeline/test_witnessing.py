"""What a run logs is cosigned by the witnesses of the root, and one that is away stops nothing."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path

import fleet_files
import pytest
from git_fixtures import FleetRepo
from pipeline_ports import wiring
from witness_server import TestWitness, serve

from reconciler.audit.codes import WitnessError, WitnessForkError
from reconciler.audit.note import VerifierKey
from reconciler.audit.witness_policy import WitnessPolicy
from reconciler.audit.witnessed import require_witnessed
from reconciler.pipeline.check import check
from reconciler.pipeline.reconcile import Run, reconcile
from reconciler.pipeline.trusting import initialize_trust
from reconciler.surfaces.signing import ORIGIN

pytestmark = pytest.mark.real


@pytest.fixture
def witness() -> TestWitness:
    return TestWitness(origin=ORIGIN, log_keys=[], port=1)


def start(root: Path, *witnesses: TestWitness, quorum: int = 1) -> FleetRepo:
    """A trusted fleet whose root names these witnesses; its member is at an address where nobody listens."""
    repo = FleetRepo(root)
    log = {"witnesses": [{"key": w.vkey, "url": w.url} for w in witnesses], "quorum": quorum}
    alice = {"alice": repo.person("alice").public_key}
    repo.commit({**fleet_files.fleet(alice), "federation.yaml": fleet_files.federation(alice, log=log)})
    with wiring(repo, root) as made:
        opened = made.log(made.new_key())
        initialize_trust(made.checks(), opened, repo.head(), "tester")
        for one in witnesses:
            one.log_keys.append(VerifierKey(ORIGIN, made.key().public_key))
    return repo


def run(repo: FleetRepo) -> Run:
    with wiring(repo, repo.root) as made:
        return asyncio.run(reconcile(made.checks(), made.members(), made.writes()))


def test_every_run_is_cosigned_and_a_reader_can_demand_it(tmp_path: Path, witness: TestWitness) -> None:
    with serve(witness):
        repo = start(tmp_path, witness)
        first = run(repo).witnesses
        repo.commit({"policies/manifests/x.yaml": fleet_files.config_map("x")})
        second = run(repo).witnesses
    assert first is not None and second is not None
    assert first.satisfied and second.satisfied
    assert second.size > first.size
    with wiring(repo, tmp_path) as made:
        policy = WitnessPolicy.of([(witness.vkey, "")], 1)
        assert require_witnessed(made.log_view(), policy, datetime.now(UTC)).size == second.size


def test_a_witness_that_is_away_is_shown_and_stops_nothing(tmp_path: Path, witness: TestWitness) -> None:
    repo = start(tmp_path, witness)  # nobody serves it
    done = run(repo)
    assert done.witnesses is not None
    assert not done.witnesses.satisfied
    (row,) = done.witnesses.missing
    assert isinstance(row.error, WitnessError)


def test_a_log_that_was_forked_is_an_alarm(tmp_path: Path, witness: TestWitness) -> None:
    with serve(witness):
        repo = start(tmp_path, witness)
        run(repo)
        witness.head = (witness.head[0], b"\1" * 32)  # it saw another tree of this size
        with pytest.raises(WitnessForkError, match="FW1835"):
            run(repo)


def test_a_key_that_is_no_witness_is_found_before_it_is_in_force(tmp_path: Path) -> None:
    repo = start(tmp_path, quorum=0)
    base = repo.head()
    alice = {"alice": repo.person("alice").public_key}
    bad = str(VerifierKey("witness.example/w1", b"\1" * 32))  # a log's key, not a cosigner's
    log = {"witnesses": [{"key": bad, "url": "http://127.0.0.1:1"}], "quorum": 1}
    repo.commit({"federation.yaml": fleet_files.federation(alice, log=log, trust={"version": 2})})
    with wiring(repo, tmp_path) as made:
        checked = check(made.checks(), rev="HEAD", base=base)
    assert [finding.code for finding in checked.errors] == ["FW1837"]
