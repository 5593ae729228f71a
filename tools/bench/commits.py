"""A range of signed commits: judged by ``fleetward``, verified by git; SSH keys, one file changed in each."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from tools.bench.fleets import BenchFleet, make, policies, policy
from tools.bench.measure import Figure, alternate, process
from tools.bench.offline import BIN

FILES = 100
RUNS = 3


def commit_figures(folder: Path, count: int) -> list[Figure]:
    """``trust explain`` of ``count`` commits beside git's ways to verify the same ones."""
    fleet = make(folder, BIN, {})
    base, commits = history(fleet, count)
    allow(fleet)
    actions = {
        "": lambda: explained(fleet, base, count),
        "`git verify-commit`, a process for each": lambda: sum(verified(fleet, [one]) for one in commits),
        "`git verify-commit`, one process for all": lambda: verified(fleet, commits),
        "`git log --show-signature`": lambda: logged(fleet, base, count),
    }
    own, *others = alternate(RUNS, *actions.values())
    title = f"`trust explain`, {count} signed commits"
    return [
        Figure(title, own, ratio=own / other, against=against)
        for against, other in zip(list(actions)[1:], others, strict=True)
    ]


def history(fleet: BenchFleet, count: int) -> tuple[str, list[str]]:
    """A first commit, and ``count`` signed ones after it, each of which changes one file."""
    names = [f"policy-{number:05}" for number in range(FILES)]
    policies(fleet, names)
    base = fleet.commit("all")
    for number in range(count):
        name = names[number % FILES]
        path = f"policies/manifests/{name[-2:]}/{name}.yaml"
        fleet.write(path, policy(name, 1024 + number))
        fleet.git("commit", "-q", "-m", f"Change {name}", path)
    fleet.git("gc", "-q")  # as every clone has it
    return base, fleet.git("rev-list", "--reverse", f"{base}..HEAD").split()


def allow(fleet: BenchFleet) -> None:
    """Let git believe the signer of the fleet."""
    public = (fleet.folder / "signer.pub").read_text().split()[:2]
    signers = fleet.folder / "allowed_signers"
    signers.write_text(f'bench@fleet.example namespaces="git" {" ".join(public)}\n')
    fleet.git("config", "gpg.ssh.allowedSignersFile", str(signers))


def explained(fleet: BenchFleet, base: str, count: int) -> float:
    """Seconds of ``trust explain``: signatures, paths, rules, root versions. Raises RuntimeError."""
    command = ("fleetward", "trust", "explain", "HEAD", "--against", base, "--output", "json")
    done = process(command, fleet.environment, fleet.repo)
    if done.code != 0 or len(json.loads(done.output)["commits"]) != count:
        raise RuntimeError(done.output[-2000:])
    return done.seconds


def verified(fleet: BenchFleet, commits: Sequence[str]) -> float:
    """Seconds of one ``git verify-commit``. Raises RuntimeError."""
    done = process(("git", "verify-commit", *commits), fleet.environment, fleet.repo)
    if done.code != 0:
        raise RuntimeError(done.output[-2000:])
    return done.seconds


def logged(fleet: BenchFleet, base: str, count: int) -> float:
    """Seconds of ``git log --show-signature``. Raises RuntimeError unless all signatures are good."""
    command = ("git", "log", "--show-signature", "--format=%H", f"{base}..HEAD")
    done = process(command, fleet.environment, fleet.repo)
    if done.code != 0 or done.output.count('Good "git" signature') != count:
        raise RuntimeError(done.output[-2000:])
    return done.seconds
