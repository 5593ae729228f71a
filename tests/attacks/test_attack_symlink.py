"""Symlinks and submodules: a path of the fleet that leads to something that nobody signed.

A symlink reads a file of the reconciler's host, a submodule another repository. The commit is well signed;
what it names is not in it.
"""

from __future__ import annotations

import pytest
from attack_kit import Fleet

pytestmark = pytest.mark.real


@pytest.mark.parametrize("target", ["/etc/passwd", "../../README.md", "settings.yaml"])
def test_a_symlink_in_a_folder_of_the_fleet(fleet: Fleet, target: str) -> None:
    (fleet.repo.path / "policies/manifests/link.yaml").symlink_to(target)
    fleet.repo.commit({}, by="dave")
    (finding,) = fleet.refused("FW1120")
    assert target in finding.got


def test_a_folder_that_is_a_symlink(fleet: Fleet) -> None:
    (fleet.repo.path / "schemas").symlink_to("/")
    fleet.repo.commit({}, by="dave")
    fleet.refused("FW1120")


def test_the_trust_root_as_a_symlink(fleet: Fleet) -> None:
    """Git stores the target; what reads files would follow it."""
    (fleet.repo.path / "federation.yaml").rename(fleet.repo.path / "root.yaml")
    (fleet.repo.path / "federation.yaml").symlink_to("root.yaml")
    fleet.repo.commit({}, by="alice")
    fleet.refused("FW1120")


def test_a_submodule(fleet: Fleet) -> None:
    fleet.repo.git("update-index", "--add", "--cacheinfo", f"160000,{fleet.good},policies/manifests/sub")
    key = fleet.repo.person("dave").private_key
    signing = ("-c", "gpg.format=ssh", "-c", f"user.signingKey={key}", "-c", "commit.gpgSign=true")
    fleet.repo.git(*signing, "-c", "user.name=d", "-c", "user.email=d@x", "commit", "-qm", "x")
    fleet.refused("FW1121")


@pytest.mark.parametrize(("name", "code"), [("Settings.yaml", "FW1123"), ("a\u202eb.yaml", "FW1122")])
def test_a_name_that_deceives(fleet: Fleet, name: str, code: str) -> None:
    """Two files that are one on some machines; a name that a screen shows backwards."""
    fleet.repo.commit({f"policies/manifests/{name}": "x"}, by="dave")
    (finding,) = fleet.refused(code)
    assert finding.message.isprintable()


def test_a_folder_of_the_fleet_in_another_case(fleet: Fleet) -> None:
    fleet.repo.commit({"Policies/manifests/x.yaml": "x"}, by="dave")
    fleet.refused("FW1123")
