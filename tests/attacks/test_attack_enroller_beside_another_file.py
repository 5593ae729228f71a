"""Enroller beside another file: a new cluster, and in the same commit something that nobody reviewed."""

from __future__ import annotations

from collections.abc import Callable

import fleet_files
import pytest
from attack_kit import Fleet, subjects
from enroller_kit import ENROLLER, allowing, path, registration

pytestmark = pytest.mark.real
NEW = {path("member-x"): registration("member-x")}


@pytest.fixture
def victim(make: Callable[..., Fleet]) -> Fleet:
    return allowing(make)


@pytest.mark.parametrize(
    "more",
    [
        {"policies/rbac/reader.yaml": fleet_files.role("reader", verbs=["get"])},
        {"policies/manifests/extra.yaml": fleet_files.config_map("extra")},
        {"README.md": "x"},
        {"clusters/member-a.yaml": None},
        {path("member-y"): registration("member-y")},
    ],
)
def test_another_file_beside_it(victim: Fleet, more: dict[str, str | None]) -> None:
    commit = victim.repo.commit({**NEW, **more}, by=ENROLLER)
    assert subjects(victim.refused("FW1267")) == {commit}


@pytest.mark.parametrize(
    "place",
    [
        "policies/manifests/member-x.yaml",
        "clusters/deep/member-x.yaml",
        "clusters/member-x.yml",
        "clusters/README.md",
        "member-x.yaml",
    ],
)
def test_another_place(victim: Fleet, place: str) -> None:
    victim.repo.commit({place: registration("member-x")}, by=ENROLLER)
    assert "FW1267" in {finding.code for finding in victim._run_refused("")}


@pytest.mark.parametrize(
    "text",
    [
        registration("member-x") + "---\n" + registration("member-y"),
        registration("member-x") + "---\n" + fleet_files.config_map("extra"),
        registration("member-y"),
        fleet_files.config_map("member-x"),
        registration("member-x").replace("Cluster", "FederatedRole"),
        "",
        "[",
        "- a",
    ],
)
def test_another_document_in_it(victim: Fleet, text: str) -> None:
    victim.repo.commit({path("member-x"): text}, by=ENROLLER)
    assert "FW1267" in {finding.code for finding in victim._run_refused("")}
