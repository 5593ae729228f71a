"""What needs no cluster: ``check`` of large fleets, and how fast the command line answers at all."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import yaml

from tools.bench.fleets import BenchFleet, make, policies, policy
from tools.bench.measure import Figure, alternate, process, timed

PLACEHOLDER = {
    "apiServers": ["https://127.0.0.1:1"],
    "credentials": {"kubeconfig": {"path": "none.kubeconfig"}},
}
BIN = Path(sys.executable).parent


def help_figures(folder: Path) -> list[Figure]:
    """``fleetward --help`` beside an interpreter that does nothing."""
    fleet = make(folder, BIN, {})

    def run(*command: str) -> float:
        return process(command, fleet.environment, fleet.repo).seconds

    ours, python = alternate(9, lambda: run("fleetward", "--help"), lambda: run(sys.executable, "-c", "pass"))
    return [Figure("`fleetward --help`", ours, ratio=ours / python, against="python -c pass", goal="0.15 s")]


def check_figures(folder: Path, count: int) -> list[Figure]:
    """``check`` cold, again, and after one file changed."""
    fleet = make(folder, BIN, {"member-a": PLACEHOLDER, "member-b": PLACEHOLDER, "member-c": PLACEHOLDER})
    names = [f"policy-{number:05}" for number in range(count)]
    policies(fleet, names)
    base = fleet.commit("all")
    fleet.git("gc", "-q")  # as every clone has it
    run(fleet, base)  # finds the components, proves the gate
    parse = timed(lambda: parse_all(fleet))
    shutil.rmtree(folder / "cache" / "cache.sqlite", ignore_errors=True)
    for path in (folder / "cache").glob("cache.sqlite*"):
        path.unlink()
    cold = run(fleet, base)
    warm = run(fleet, base)
    fleet.write(f"policies/manifests/{names[0][-2:]}/{names[0]}.yaml", policy(names[0], 8081))
    head = fleet.commit("one")
    one = run(fleet, head, base)
    return [
        Figure(f"`check`, {count} documents, 3 clusters, cold", cold, ratio=cold / parse,
               against="PyYAML's C loader alone on the same files"),
        Figure(f"`check`, {count} documents, again", warm, ratio=warm / cold, against="cold"),
        Figure(f"`check`, {count} documents, one file changed", one, ratio=one / cold, against="cold"),
    ]  # fmt: skip


def run(fleet: BenchFleet, rev: str, base: str = "") -> float:
    """Seconds of one ``check`` as a process. Raises RuntimeError when it is not clean."""
    against = ("--against", base) if base else ()
    done = process(("fleetward", "check", "--rev", rev, *against), fleet.environment, fleet.repo)
    if done.code != 0:
        raise RuntimeError(done.output)
    return done.seconds


def parse_all(fleet: BenchFleet) -> None:
    """What any tool has to do at the least: read and parse every file."""
    for path in (fleet.repo / "policies").rglob("*.yaml"):
        yaml.load(path.read_bytes(), Loader=yaml.CSafeLoader)
