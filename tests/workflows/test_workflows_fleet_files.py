"""This repository's own fleet and the template: every document loads, compiles, and does what it says."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pygit2
import pytest
import yaml
from workflow_fleet import ROOT, make_fleet

from reconciler.compile import compile_fleet
from reconciler.documents import load
from reconciler.repository.worktree import worktree_snapshot
from reconciler.surfaces.template import NewFleet, write_template

KEY = re.findall(r"ssh-ed25519 \S+", (ROOT / "federation.yaml").read_text())[0]


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, dict[str, Any]]]:
    """Cluster -> object -> body, for our own fleet."""
    fleet = make_fleet(tmp_path_factory.mktemp("fleet") / "made")
    return compile_folder(fleet.folder)


def compile_folder(folder: Path) -> dict[str, dict[str, dict[str, Any]]]:
    loaded = load(worktree_snapshot(pygit2.Repository(str(folder))))
    assert loaded.findings == ()
    assert loaded.fleet is not None
    results = compile_fleet(loaded.fleet)
    assert [finding for result in results.values() for finding in result.findings] == []
    return {
        str(name): {str(item.ref): json.loads(item.body) for item in result.desired.objects}
        for name, result in results.items()
    }


def test_every_member_gets_what_its_labels_say(compiled: dict[str, dict[str, dict[str, Any]]]) -> None:
    assert set(compiled) == {"primary", "member-a", "member-b"}
    storefront = "Deployment.apps shop/storefront"
    assert compiled["member-a"][storefront]["spec"]["replicas"] == 3
    assert compiled["member-b"][storefront]["spec"]["replicas"] == 1
    assert storefront not in compiled["primary"]
    responder = "ClusterRole.rbac.authorization.k8s.io incident-responder"
    assert responder in compiled["primary"]
    assert responder not in compiled["member-b"]


def test_a_json_patch_adds_a_port_on_staging(compiled: dict[str, dict[str, dict[str, Any]]]) -> None:
    policy = "NetworkPolicy.networking.k8s.io shop/ingress-from-gateway"
    ports = {
        name: [port["port"] for rule in compiled[name][policy]["spec"]["ingress"] for port in rule["ports"]]
        for name in ("member-a", "member-b")
    }
    assert ports == {"member-a": [8080], "member-b": [8080, 9229]}


def test_the_metadata_service_is_taken_out_of_the_internet(
    compiled: dict[str, dict[str, dict[str, Any]]],
) -> None:
    policy = compiled["member-a"]["NetworkPolicy.networking.k8s.io payments/deny-metadata-service"]
    blocks = [peer["ipBlock"] for rule in policy["spec"]["egress"] for peer in rule["to"]]
    assert all("169.254.169.254/32" in block["except"] for block in blocks if block["cidr"] == "0.0.0.0/0")
    assert blocks


def test_instructions_to_us_never_reach_a_member(compiled: dict[str, dict[str, dict[str, Any]]]) -> None:
    ours = {
        name
        for objects in compiled.values()
        for body in objects.values()
        for name in body["metadata"].get("annotations", {})
        if name.startswith("fleetward.io/")
    }
    assert ours <= {"fleetward.io/source", "fleetward.io/digest"}


# The template.


@pytest.fixture
def new_fleet(tmp_path: Path) -> Path:
    folder = tmp_path / "new"
    write_template(folder, NewFleet(name="acme", signer="alice", key=KEY))
    pygit2.init_repository(str(folder), initial_head="main")
    return folder


def test_a_new_fleet_loads_and_has_no_mark_left(new_fleet: Path) -> None:
    assert compile_folder(new_fleet) == {}
    for file in files(new_fleet):
        assert not re.search(r"@[A-Z]+_[A-Z_]+@", file.read_text()), file


def test_a_new_fleet_compiles_for_its_first_cluster(new_fleet: Path) -> None:
    example = (new_fleet / "clusters/example.yaml.txt").read_text()
    bundle = ca_bundle((ROOT / "clusters/primary.yaml").read_text())
    (new_fleet / "clusters/staging-1.yaml").write_text(example.replace(ca_bundle(example), bundle))
    [objects] = compile_folder(new_fleet).values()
    assert "NetworkPolicy.networking.k8s.io team-a/default-deny" in objects
    assert "Namespace team-a" in objects


def ca_bundle(text: str) -> str:
    return text.partition("caBundle: |\n")[2].partition("  credentials")[0]


@pytest.mark.real
def test_a_new_fleet_passes_its_own_check(new_fleet: Path) -> None:
    done = subprocess.run(
        [str(Path(sys.executable).parent / "fleetward"), "check", "--worktree", "--repo", str(new_fleet)],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


def test_editor_hints_point_at_schemas_that_exist(new_fleet: Path) -> None:
    ours = [ROOT / "federation.yaml", *files(ROOT / "clusters"), *files(ROOT / "policies")]
    hinted = [hint for file in [*ours, *files(new_fleet)] for hint in hints(file)]
    assert len(hinted) > 20
    for file, schema, kind in hinted:
        assert (file.parent / schema).resolve().is_file(), f"{file}: {schema}"
        assert Path(schema).stem == kind, f"{file}: {schema} above a {kind}"


def hints(file: Path) -> Iterator[tuple[Path, str, str]]:
    if file.suffix == ".yaml":
        for text in re.split(r"^---$", file.read_text(), flags=re.M):
            found = re.match(r"\s*# yaml-language-server: \$schema=(\S+)\n", text)
            document = yaml.safe_load(text) or {}
            if found:
                yield file, found[1], document["kind"]
            else:
                api_version = str(document.get("apiVersion", "")) if isinstance(document, dict) else ""
                assert not api_version.startswith("fleetward.io/"), f"{file}: a document without its hint"


def test_every_file_of_our_fleet_teaches(new_fleet: Path) -> None:
    for file in [*files(ROOT / "clusters"), *files(ROOT / "policies"), *files(new_fleet / "policies")]:
        if file.suffix == ".yaml":
            assert re.search(r"^# (?!yaml-language-server)\w.{20}", file.read_text(), re.M), file


def test_secrets_are_kept_out_of_a_new_fleet(new_fleet: Path) -> None:
    git = shutil.which("git")
    assert git
    names = ["member-a.kubeconfig", "reconciler.key", "credentials/token"]
    done = subprocess.run(
        [git, "check-ignore", *names], cwd=new_fleet, capture_output=True, text=True, timeout=30, check=False
    )
    assert done.stdout.split() == names


def files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file() and ".git" not in path.parts)
