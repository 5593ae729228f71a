"""The main job on three real control planes, step by step; ends with exit 0 only if every step held.

Everything it makes is in one temporary folder. With ``--keep`` the control planes and the folder stay, and
the last lines say how to use and end them.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from reconciler.member.bootstrap import LABEL_AGGREGATE_VIEW
from reconciler.sandbox.components import free_port
from reconciler.sandbox.local import Sandbox
from reconciler.sandbox.members import Member
from reconciler.surfaces.provision import EVERY_KIND, READ, collected

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent
NAMES = ("primary", "member-a", "member-b")
RULE = "policies/rules/demo.yaml"
LABELS = {
    "primary": "owner=platform-team,environment=production,tier=management",
    "member-a": "owner=shop-team,environment=production,tier=workload,region=eu-west",
    "member-b": "owner=shop-team,environment=staging,tier=workload,region=eu-north",
}
NAMED = "policies/rules/monitoring-scrape.yaml"  # names the clusters that it is for
NAMESPACES = "policies/manifests/namespaces"


NAMESPACE = """apiVersion: v1
kind: Namespace
metadata:
  name: billing
  labels:
    owner: team-billing
"""


class DemoError(Exception):
    """A step did not show what it should."""


@dataclass(slots=True)
class Shell:
    """Runs commands as a person would, prints them with what they say, and holds them to their promise."""

    folder: Path
    fleet: Path
    environment: dict[str, str] = field(default_factory=dict)

    def run(
        self, *command: str, exits: int = 0, shows: str = "", hides: str = "", quiet: bool = False,
        stdin: str = "",
    ) -> str:  # fmt: skip
        """Run in the fleet's folder. Raises DemoError when exit code or output are not as said."""
        if not quiet:
            print(f"$ {' '.join(command)}", flush=True)
        done = subprocess.run(
            command,
            cwd=self.fleet,
            env=self.environment,
            input=stdin,
            stdout=subprocess.PIPE,
            # What a person sees comes in the order in which it was said; a program reads stdout alone.
            stderr=subprocess.PIPE if quiet else subprocess.STDOUT,
            text=True,
            timeout=300,
            check=False,
        )
        said = done.stdout + (done.stderr or "")
        if not quiet:
            print("".join(f"  {line}\n" for line in said.splitlines()), end="", flush=True)
        if done.returncode != exits or shows not in said or (hides and hides in said):
            promise = f"expected exit {exits} and {shows!r}"
            raise DemoError(f"{' '.join(command)}: {promise}, got exit {done.returncode}:\n{said}")
        return done.stdout

    def commit(self, message: str, by: str, *, sign: bool = True) -> str:
        """Commit everything, signed by one of the fleet's people; returns the commit id."""
        self.run("git", "add", "-A", quiet=True)
        person = ("-c", f"user.name={by}", "-c", f"user.email={by}@fleet.example")
        signing = (
            "-c",
            f"user.signingkey={self.folder / by}.pub",
            "-c",
            f"commit.gpgsign={str(sign).lower()}",
        )
        print(f"$ git commit -m '{message}'  # {by}{'' if sign else ', not signed'}", flush=True)
        self.run("git", *person, *signing, "commit", "-q", "-m", message, quiet=True)
        return self.run("git", "rev-parse", "HEAD", quiet=True).strip()

    def write(self, path: str, text: str) -> None:
        """Write one file of the fleet."""
        target = self.fleet / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")


def step(title: str) -> None:
    """A heading between steps."""
    print(f"\n== {title}", flush=True)


def main() -> int:
    """Run the demo; 0 when every step held."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--keep", action="store_true", help="leave everything running and say how to use it")
    keep = parser.parse_args().keep
    folder = Path(tempfile.mkdtemp(prefix="fleetward-demo-"))
    sandbox = Sandbox(folder / "sandbox", keep=keep, report=lambda line: print(f"  {line}", flush=True))
    finished = False
    try:
        last_line = show(sandbox, folder)
        finished = True
    except DemoError as error:
        print(f"\ndemo failed: {error}", file=sys.stderr)
        return 1
    finally:
        if not (keep and finished):
            sandbox.down()
            shutil.rmtree(folder, ignore_errors=True)
    if keep:
        explain(folder)
    print(last_line)
    return 0


def show(sandbox: Sandbox, folder: Path) -> str:
    """All steps, in order; returns the closing line."""
    step("Three real control planes: a primary and two members")
    members = sandbox.up(NAMES)
    shell = new_fleet(folder)
    first_commit(shell)
    joined(shell, members)
    first_reconcile(shell)
    pull_request(shell)
    two_people(shell)
    forbidden_change(shell)
    unsigned_change(shell)
    drift(shell, members["member-a"])
    absence(shell, sandbox)
    explained(shell)
    return verified(shell)


def new_fleet(folder: Path) -> Shell:
    """A fleet repository from this repository's own policies; it has no clusters yet."""
    step("A fleet repository, with two people who may sign")
    fleet = folder / "fleet"
    fleet.mkdir()
    environment = {
        key: value for key, value in os.environ.items() if not key.startswith(("FLEETWARD_", "GIT_", "KUBE"))
    }
    environment |= {
        "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}",
        "HOME": str(folder),
        "FLEETWARD_STATE": str(folder / "state"),
        "FLEETWARD_CREDENTIALS": str(folder / "credentials"),
        "FLEETWARD_CACHE": os.environ.get("FLEETWARD_CACHE") or str(default_cache()),
        "NO_COLOR": "1",
    }
    shell = Shell(folder, fleet, environment)
    shutil.copytree(ROOT / "policies", fleet / "policies")
    for person in ("alice", "bob"):
        shell.run(
            "ssh-keygen",
            "-q",
            "-t",
            "ed25519",
            "-N",
            "",
            "-C",
            person,
            "-f",
            str(folder / person),
            quiet=True,
        )
    (fleet / NAMED).unlink()
    name_people(shell)
    shell.run("git", "init", "-q", "-b", "main", quiet=True)
    shell.run("git", "config", "gpg.format", "ssh", quiet=True)
    shell.commit("The fleet: roles and network rules, no clusters yet", "alice")
    return shell


def default_cache() -> Path:
    """Where the components were built; the demo has another HOME."""
    from platformdirs import user_cache_path

    return user_cache_path("fleetward")


def name_people(shell: Shell) -> None:
    """Put the people's keys into federation.yaml."""
    federation = yaml.safe_load((ROOT / "federation.yaml").read_text(encoding="utf-8"))
    federation["spec"].pop("repository", None)
    federation["spec"]["signers"] = [
        {"name": person, "keys": [public_key(shell.folder / f"{person}.pub")]} for person in ("alice", "bob")
    ]
    federation["spec"]["approvals"] = [{"paths": [f"{NAMESPACES}/**"], "needs": [{"count": 2}]}]
    shell.write("federation.yaml", yaml.safe_dump(federation, sort_keys=False))


def public_key(path: Path) -> str:
    """Type and key, without the comment."""
    return " ".join(path.read_text(encoding="utf-8").split()[:2])


def first_commit(shell: Shell) -> None:
    """Check and trust."""
    step("Check: signatures, schemas, compile, gate; no cluster needed")
    shell.run("fleetward", "check", shows="clean")
    step("Trust: a person names the first commit")
    head = shell.run("git", "rev-parse", "HEAD", quiet=True).strip()
    shell.run("fleetward", "trust", "init", "--commit", head, shows="trusted commit")


def joined(shell: Shell, members: dict[str, Member]) -> None:
    """Clusters that nobody prepared join by token; alice reviews and merges their registrations."""
    step("Three clusters join by token: one use, pinned TLS, proposals that alice merges")
    promote = ("fleetward", "promote", "--address", "127.0.0.1", "--port", str(free_port()))
    shell.run(*promote, "--kubeconfig", str(members["primary"].kubeconfig), shows="is the primary")
    with serving(shell):
        for name, member in members.items():
            join(shell, name, member)
    for name in members:
        shell.run("git", "restore", f"--source=join/{name}", f"clusters/{name}.yaml")
    shell.write(NAMED, (ROOT / NAMED).read_text(encoding="utf-8"))
    shell.commit("Register three clusters", "alice")
    shell.run("fleetward", "cluster", "list", shows="member-b")


def join(shell: Shell, name: str, member: Member) -> None:
    """One token, one join; the last token is tried twice."""
    made = ("fleetward", "token", "create", "--quiet", "--cluster", name, "--labels", LABELS[name])
    print(f"$ {' '.join(made)} > token", flush=True)
    token = shell.run(*made, quiet=True)
    command = ("fleetward", "join", "--stdin", "--quiet", "--kubeconfig", str(member.kubeconfig))
    shell.run(*command, stdin=token, shows=f"on refs/heads/join/{name}", hides=token.strip())
    if name == NAMES[-1]:
        shell.run(*command, stdin=token, exits=2, shows="FW1743", hides=token.strip())
    # Its owner lets fleetward govern more than the least: here every kind. What reads never has Secrets, so
    # its right to a custom kind is given by name.
    windows = collected("windows-view", LABEL_AGGREGATE_VIEW, (["platform.fleet.example"], ["*"], READ))
    kinds = shell.folder / "every-kind.yaml"
    kinds.write_text(yaml.safe_dump_all([*EVERY_KIND, windows]), encoding="utf-8")
    shell.run("kubectl", "--kubeconfig", str(member.kubeconfig), "apply", "-f", str(kinds))


@contextmanager
def serving(shell: Shell) -> Iterator[None]:
    """``fleetward serve`` in the background, answering."""
    print("$ fleetward serve &", flush=True)
    command, pipe = ("fleetward", "serve", "--quiet"), subprocess.PIPE
    with subprocess.Popen(
        command, cwd=shell.fleet, env=shell.environment, stdout=pipe, text=True
    ) as process:  # fmt: skip
        try:
            if not process.stdout or "serving" not in process.stdout.readline():
                raise DemoError("fleetward serve did not start")
            yield
        finally:
            process.terminate()


def first_reconcile(shell: Shell) -> None:
    """Plan, reconcile, and see that a second run has nothing to do."""
    step("Plan against the live members, and reconcile")
    shell.run("fleetward", "plan", "--cluster", "member-b", exits=1, shows="to create")
    shell.run("fleetward", "reconcile", "--once", "--yes", shows="applied")
    shell.run("fleetward", "reconcile", "--once", "--yes", shows="synced", hides="applied")
    shell.run("fleetward", "status")


def pull_request(shell: Shell) -> None:
    """A change on a branch: its plan as the comment, then the merge and what it does."""
    step("A change by pull request: bob proposes, alice merges")
    shell.run("git", "switch", "-q", "-c", "allow-metrics")
    shell.write(RULE, demo_rule(9090))
    shell.commit("Let monitoring scrape the shop", "bob")
    shell.run("fleetward", "check", "--against", "main", shows="clean")
    shell.run(
        "fleetward", "plan", "--against", "main", "--output", "markdown", exits=1, shows="| member-a | 1 |"
    )
    shell.run("git", "switch", "-q", "main")
    shell.run(
        "git", "-c", "user.name=alice", "-c", "user.email=alice@fleet.example",
        "-c", f"user.signingkey={shell.folder / 'alice'}.pub", "merge", "-q", "--no-ff", "-S",
        "-m", "Merge pull request #1", "allow-metrics", quiet=True,
    )  # fmt: skip
    print("$ git merge --no-ff -S allow-metrics  # alice", flush=True)
    shell.run("fleetward", "reconcile", "--once", "--yes", shows="1 to create")


def demo_rule(port: int) -> str:
    """A rule for the clusters that have the shop."""
    return f"""apiVersion: fleetward.io/v1alpha1
kind: FederatedNetworkRule
metadata:
  name: allow-metrics
spec:
  placement:
    clusterSelector: {{matchLabels: {{tier: workload}}}}
  namespaces: [shop]
  allow:
    - direction: ingress
      peers:
        - namespaceSelector: {{matchLabels: {{kubernetes.io/metadata.name: monitoring}}}}
      ports:
        - port: {port}
"""


def two_people(shell: Shell) -> None:
    """A path that needs two people: refused with one, accepted once the other has approved."""
    step("A rule asks for two people: bob alone is refused, alice approves")
    shell.write(f"{NAMESPACES}/billing.yaml", NAMESPACE)
    shell.commit("A namespace for billing", "bob")
    shell.run("fleetward", "reconcile", "--once", "--yes", exits=2, shows="lacks 1 of the signers")
    for name, value in (
        ("user.name", "alice"),
        ("user.email", "alice@fleet.example"),
        ("user.signingkey", f"{shell.folder / 'alice'}.pub"),
    ):
        shell.run("git", "config", name, value, quiet=True)
    shell.run("fleetward", "approve", "HEAD", "--against", "HEAD~1", shows="signed refs/fleetward")
    shell.run("fleetward", "trust", "explain", "HEAD", shows="approved by alice")
    shell.run("fleetward", "reconcile", "--once", "--yes", shows="accepted")


def forbidden_change(shell: Shell) -> None:
    """A wildcard role: found in the pull request, and refused even when it is pushed anyway."""
    step("A forbidden change: the gate refuses it, even on main")
    shell.write(
        "policies/rbac/everything.yaml",
        "apiVersion: fleetward.io/v1alpha1\nkind: FederatedRole\nmetadata:\n  name: everything\n"
        "spec:\n  rules:\n    - {apiGroups: ['*'], resources: ['*'], verbs: ['*']}\n",
    )
    shell.commit("Just let me in", "bob")
    shell.run("fleetward", "check", "--against", "HEAD~1", exits=1, shows="rbac.wildcard")
    shell.run("fleetward", "reconcile", "--once", "--yes", exits=2, shows="nothing was applied anywhere")
    shell.run("git", "rm", "-q", "policies/rbac/everything.yaml", quiet=True)
    shell.commit("Take that back", "bob")
    shell.run("fleetward", "reconcile", "--once", "--yes", shows="accepted")


def unsigned_change(shell: Shell) -> None:
    """A commit without a signature stops the run."""
    step("An unsigned commit: nothing that is not signed reaches a member")
    good = shell.run("git", "rev-parse", "HEAD", quiet=True).strip()
    shell.write(RULE, demo_rule(9091))
    shell.commit("Who am I?", "bob", sign=False)
    shell.run("fleetward", "reconcile", "--once", "--yes", exits=2, shows="commit is not signed")
    shell.run("git", "reset", "-q", "--hard", good)


def drift(shell: Shell, member: Member) -> None:
    """The guard refuses changes by hand; when it is taken away, drift is found and repaired."""
    kubectl = ("kubectl", "--kubeconfig", str(member.kubeconfig))
    step("Changes by hand: the guard refuses them, even from the cluster's administrator")
    policy = json.dumps({"spec": {"podSelector": {"matchLabels": {"by": "hand"}}}})
    patch = (*kubectl, "-n", "shop", "patch", "networkpolicy", "allow-metrics", "--type=merge", "-p", policy)
    shell.run(*patch, exits=1, shows="ValidatingAdmissionPolicy")
    step("Drift: the guard is taken away and a network policy changed; one run repairs it all")
    shell.run(
        *kubectl, "delete", "validatingadmissionpolicybinding", "-l", "app.kubernetes.io/managed-by=fleetward"
    )
    # Admission caches its policies; the next write may still meet the guard for a moment.
    wait_until(shell, *patch)
    shell.run("fleetward", "status", exits=1, shows="out-of-sync")
    shell.run("fleetward", "reconcile", "--once", "--yes", shows="drifted")
    shell.run("fleetward", "status", hides="out-of-sync")


def wait_until(shell: Shell, *command: str, tries: int = 100) -> None:
    """Try until the command succeeds, for the few moments that a cluster takes."""
    for attempt in range(tries):
        try:
            shell.run(*command, quiet=True)
        except DemoError:
            if attempt == tries - 1:
                raise
        else:
            print(f"$ {' '.join(command)}", flush=True)
            return


def absence(shell: Shell, sandbox: Sandbox) -> None:
    """A member goes away and comes back; the others do not notice."""
    step("A member goes away: the others go on, its status says so; it comes back")
    sandbox.stop("member-b")
    shell.write(RULE, demo_rule(9092))
    shell.commit("Another port", "alice")
    shell.run("fleetward", "reconcile", "--once", "--yes", exits=1, shows="member-b: unreachable")
    shell.run("fleetward", "status", exits=1, shows="stale")
    sandbox.start("member-b")
    shell.run("fleetward", "reconcile", "--once", "--yes", hides="unreachable")
    shell.run("fleetward", "status")


def explained(shell: Shell) -> None:
    """From an object on a member back to the signatures, with what is public alone."""
    step("From an object on a member back to the signatures")
    wanted = "NetworkPolicy.networking.k8s.io/shop/allow-metrics"
    shell.run("fleetward", "verify", "--cluster", "member-a", "--object", wanted)


def verified(shell: Shell) -> str:
    """The log, from its first entry; and the count of everything."""
    step("The log: every step above, tamper-evident")
    shell.run("fleetward", "audit", "log")
    shell.run("fleetward", "audit", "verify", shows="verified")
    log = json.loads(shell.run("fleetward", "audit", "verify", "--output", "json", quiet=True))
    members = json.loads(shell.run("fleetward", "status", "--output", "json", quiet=True))
    objects = sum(member["objects"] for member in members)
    return f"demo: {len(members)} clusters, {objects} objects, {log['size']} log entries verified"


def explain(folder: Path) -> None:
    """How to go on with what was kept."""
    print("\nEverything is still running. To go on:")
    print(f"  cd {folder / 'fleet'}")
    for name in ("STATE", "CREDENTIALS"):
        print(f"  export FLEETWARD_{name}={folder / name.lower()}")
    print(f"  {BIN / 'fleetward'} status")
    print(f"To end it:  {BIN / 'fleetward'} sandbox down --directory {folder / 'sandbox'}; rm -rf {folder}")


if __name__ == "__main__":
    sys.exit(main())
