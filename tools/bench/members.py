"""What happens on members: first apply, unchanged, one change; beside the limits and beside kubectl."""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from reconciler.model import APPLYSET_ID, LABEL_PART_OF, ClusterName, Desired, DesiredObject
from reconciler.pipeline.check import Checked, check
from reconciler.pipeline.deploy import deploy
from reconciler.pipeline.guarding import guarded
from reconciler.pipeline.journal import Journal
from reconciler.pipeline.looking import Looks
from reconciler.pipeline.run import Deployment, MemberState
from reconciler.plan import NOTHING_ALLOWED, build_plan
from reconciler.sandbox.local import Sandbox
from reconciler.sandbox.members import Member
from reconciler.surfaces.cli.run import collect_rarely
from reconciler.surfaces.formats.manifests import yaml_stream
from reconciler.surfaces.provision import provision
from reconciler.surfaces.settings import Settings
from reconciler.surfaces.wiring import Wiring
from tools.bench.fleets import NAMESPACE, BenchFleet, make, policies, policy
from tools.bench.measure import Figure, alternate, process, timed
from tools.bench.raw_apply import Server, raw_apply, raw_list

BIN = Path(sys.executable).parent
FIRST_RUNS = 5
CHECK_RUNS = 9
SIZES: Sequence[tuple[int, Sequence[str]]] = ((1000, ("small",)), (10_000, ("a", "b", "c")))


@dataclass(slots=True)
class Bench:
    """One fleet on running members, with what both sides of a comparison need."""

    fleet: BenchFleet
    members: dict[str, Member]
    wiring: Wiring
    checked: Checked

    def desired(self, name: str) -> Sequence[DesiredObject]:
        """The fleet's own objects of a member."""
        return self.checked.compiled[ClusterName(name)].desired.objects

    def server(self, name: str) -> Server:
        """The member as the raw client reaches it, with the reconciler's token."""
        kubeconfig = self.fleet.folder / "credentials" / f"{name}.kubeconfig"
        token = kubeconfig.read_text().partition("token: ")[2].split()[0]
        return Server(self.members[name].url, self.members[name].ca_file, token)

    def kubectl(self, name: str, *arguments: str) -> str:
        """As the administrator."""
        command = [str(BIN / "kubectl"), "--kubeconfig", str(self.members[name].kubeconfig), *arguments]
        return subprocess.run(command, capture_output=True, check=True, text=True).stdout

    def empty(self, name: str) -> None:
        """The member as before its first reconcile, but for the namespace."""
        guard = "validatingadmissionpolicybindings.admissionregistration.k8s.io"
        self.kubectl(name, "delete", guard, "--all", "--wait=false")
        self.kubectl(name, "delete", "validatingadmissionpolicies", "--all", "--wait=false")
        drop = ("delete", "-A", "-l", f"{LABEL_PART_OF}={APPLYSET_ID}", "--wait=false")
        for _ in range(50):  # admission forgets a policy a moment after it is gone
            try:
                self.kubectl(name, *drop, "networkpolicies")
                self.kubectl(name, "-n", "federation-system", "delete", "configmap", "--all", "--wait=false")
            except subprocess.CalledProcessError:
                continue
            break
        shutil.rmtree(self.wiring.settings.log, ignore_errors=True)
        shutil.rmtree(self.wiring.settings.state / "log-state.json", ignore_errors=True)
        (self.wiring.settings.state / "log-state.json").unlink(missing_ok=True)
        self.trust()

    def trust(self) -> None:
        """A new log."""
        from reconciler.pipeline.trusting import initialize_trust

        initialize_trust(self.wiring.checks(), self.wiring.log(self.wiring.new_key()), "HEAD", "bench")

    async def deploy(self, name: str) -> None:
        """One member's part of a run, gate, change set, log and record included."""
        writes = self.wiring.writes()
        run = Deployment(
            self.checked, self.wiring.members(), writes, Journal(writes.log), writes.log.state(),
            Looks([name], _nothing), deep=False, allow=NOTHING_ALLOWED,
        )  # fmt: skip
        (cluster,) = self.checked.select([name])
        result = await deploy(run, cluster)
        assert result.state is MemberState.APPLIED, result

    async def look(self, name: str, desired: Desired) -> int:
        """The drift check of an unchanged member: connect, observe, plan; the number of requests."""
        (cluster,) = self.checked.select([name])
        async with self.wiring.members().connect(cluster, self.checked.read_fleet) as member:
            plan = build_plan(desired, await member.observe(desired))
            assert not plan.changes, plan.counts
            return member.requests


async def _nothing() -> None:
    """The commit is accepted already."""


def start(stack: ExitStack, folder: Path, sandbox: Sandbox, count: int) -> Bench:
    """A fleet of ``count`` policies for every running member, checked."""
    specs = {
        name: {
            "apiServers": [member.url],
            "caBundle": member.ca_file.read_text(),
            "credentials": {"kubeconfig": {"path": f"{name}.kubeconfig"}},
        }
        for name, member in sandbox.members.items()
    }
    fleet = make(folder, BIN, specs)
    for member in sandbox.members.values():
        provision(member, folder / "credentials")
    policies(fleet, [f"policy-{number:05}" for number in range(count)])
    fleet.commit("all")
    fleet.git("gc", "-q")
    settings = Settings(
        str(fleet.repo), folder / "state", folder / "cache", folder / "credentials", str(folder / "state/log")
    )
    wiring = Wiring(settings, lambda _line: None, stack)
    checked = check(wiring.checks(), rev="HEAD")
    assert checked.ok, checked.errors
    bench = Bench(fleet, sandbox.members, wiring, checked)
    bench.trust()
    return bench


def first_apply(bench: Bench, name: str) -> list[Figure]:
    """1000 NetworkPolicies: ours, the raw limit, kubectl; in turn, each from an empty member."""
    objects = [item for item in bench.desired(name) if item.ref.kind == "NetworkPolicy"]
    work = [(_path(item), item.body) for item in objects]
    stream = bench.fleet.folder / "all.yaml"
    stream.write_text(yaml_stream(objects))
    bench.kubectl(name, "create", "namespace", NAMESPACE)

    def raw() -> float:
        bench.empty(name)
        return asyncio.run(raw_apply(bench.server(name), work))

    def ours() -> float:
        bench.empty(name)
        return timed(lambda: asyncio.run(bench.deploy(name)))

    def kubectl() -> float:
        bench.empty(name)
        command = ("apply", "--server-side", "--field-manager=fleetward", "-f", str(stream))
        return timed(lambda: bench.kubectl(name, *command))

    limit, own, other = alternate(FIRST_RUNS, raw, ours, kubectl)
    count = len(objects)
    return [
        Figure(f"first apply of {count} NetworkPolicies", own, ratio=own / limit,
               against="raw server-side apply, 32 connections", goal="1.2x"),
        Figure(f"first apply of {count} NetworkPolicies", own, ratio=own / other,
               against="kubectl apply --server-side", goal="below 1x"),
    ]  # fmt: skip


def unchanged(bench: Bench, name: str) -> list[Figure]:
    """A member as it was left: our check beside one raw metadata list."""
    bench.empty(name)
    asyncio.run(bench.deploy(name))
    selector = f"labelSelector={LABEL_PART_OF.replace('/', '%2F')}%3D{APPLYSET_ID}"
    path = f"/apis/networking.k8s.io/v1/networkpolicies?{selector}"
    (cluster,) = bench.checked.select([name])
    desired = guarded(bench.checked.compiled[cluster.name].desired, cluster)
    requests = asyncio.run(bench.look(name, desired))
    limit, own = alternate(
        CHECK_RUNS,
        lambda: asyncio.run(raw_list(bench.server(name), path))[0],
        lambda: timed(lambda: asyncio.run(bench.look(name, desired))),
    )
    count = len(bench.desired(name))
    return [
        Figure(f"unchanged member, {count} objects", own, ratio=own / limit,
               against="one raw metadata list", goal="3x", note=f"{requests} requests"),
    ]  # fmt: skip


def one_change(bench: Bench) -> list[Figure]:
    """The whole ``fleetward reconcile`` as a process: first, nothing to do, one changed document."""
    for name in bench.members:
        bench.empty(name)
    environment = bench.fleet.environment
    command = ("fleetward", "reconcile", "--once", "--yes", "--quiet", "--output", "json")

    def run() -> tuple[float, float, int]:
        done = process(command, environment, bench.fleet.repo)
        assert done.code == 0, done.output[-2000:]
        members = json.loads(done.output)["members"]
        return done.seconds, done.peak, sum(member["requests"] for member in members)

    first, peak, sent = run()
    idle, _, idle_sent = run()
    bench.fleet.write("policies/manifests/00/policy-00000.yaml", policy("policy-00000", 8081))
    bench.fleet.commit("one")
    changed, _, changed_sent = run()
    count, clusters = len(bench.desired(next(iter(bench.members)))), len(bench.members)
    title = f"`reconcile`, {count} objects a member, {clusters} members"
    return [
        Figure(f"{title}, first", first, note=f"{sent} requests"),
        Figure(f"{title}, first: peak memory", peak, unit="MiB"),
        Figure(f"{title}, nothing changed", idle, ratio=idle / first, against="first",
               note=f"{idle_sent} requests"),
        Figure(f"{title}, one document changed", changed, ratio=changed / idle, against="nothing changed",
               note=f"{changed_sent} requests"),
    ]  # fmt: skip


def _path(item: DesiredObject) -> str:
    ref = item.ref
    return f"/apis/{ref.group}/{item.version}/namespaces/{ref.namespace}/networkpolicies/{ref.name}"


def member_figures(folder: Path, sizes: Sequence[tuple[int, Sequence[str]]] = SIZES) -> list[Figure]:
    """Everything that needs control planes; each size has members of its own."""
    collect_rarely()  # as the command line does
    figures: list[Figure] = []
    for count, names in sizes:
        started = time.perf_counter()
        with (
            ExitStack() as stack,
            Sandbox(folder / f"sandbox-{count}", controllers=False) as sandbox,
        ):
            sandbox.up(names)
            bench = start(stack, folder / f"fleet-{count}", sandbox, count)
            if count == 1000:
                figures += first_apply(bench, names[0])
                figures += unchanged(bench, names[0])
            else:
                figures += one_change(bench)
                bench.checked = check(bench.wiring.checks(), rev="HEAD")
                figures += unchanged(bench, names[0])
        print(f"{count} objects: {time.perf_counter() - started:.0f} s", file=sys.stderr)
    return figures
