"""Certificate for another: a good certificate is used as somebody whom it does not name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cert_forge
import pytest
import ssh_forge as forge
from attack_certificates import LONG, Certified
from attack_kit import Fleet
from cert_forge import text

pytestmark = pytest.mark.real


@pytest.fixture
def world(tmp_path: Path, make: Callable[..., Fleet]) -> Certified:
    return Certified(tmp_path / "shop", make)


def test_a_principal_of_nobody(world: Certified) -> None:
    world.commit(world.certificate(principals="mallory"))
    world.fleet.refused("FW1214")


def test_the_principals_of_two(world: Certified) -> None:
    """Whoever may choose between two people could approve the own change."""
    world.commit(world.certificate(principals="erin,root"))
    world.fleet.refused("FW1214")


def test_no_principal_which_ssh_takes_for_any(world: Certified) -> None:
    world.commit(world.certificate(principals=""))
    world.fleet.refused("FW1208")


def test_a_signers_name_that_is_no_principal(world: Certified) -> None:
    """alice is a signer by key; no authority speaks for her."""
    world.commit(world.certificate(principals="alice"))
    world.fleet.refused("FW1214")


def test_an_authority_that_is_not_listed(world: Certified) -> None:
    world.commit(world.certificate(ca=world.other))
    world.fleet.refused("FW1213")


def test_an_authority_that_speaks_for_the_people_of_another(world: Certified) -> None:
    good = world.two()
    world.commit(world.certificate(ca=world.other, principals="erin"))
    (finding,) = world.fleet.refused("FW1214")
    assert "erin by authority contractors" in finding.got
    world.fleet.move(good)
    world.commit(world.certificate(principals="temp"))
    world.fleet.refused("FW1214")
    world.fleet.move(good)
    world.commit(world.certificate(ca=world.other, principals="temp"))
    world.fleet.accepted()
    world.commit(world.certificate())
    world.fleet.accepted()


def test_a_second_authority_that_nobody_was_told_apart_from(world: Certified) -> None:
    """Names without an authority beside two of them: either could speak for everybody."""
    contractors = {"name": "contractors", "ssh": text(world.other), "revocation": "none"}
    root = world.fleet.federation(more=world.more, version=2, authorities=[world.authority(), contractors])
    world.fleet.repo.commit({"federation.yaml": root})
    world.fleet.refused("FW1325")


def test_a_signer_who_plays_authority(world: Certified) -> None:
    """A listed key certifies nobody, not even a listed person's."""
    world.commit(world.certificate(ca=world.fleet.repo.person("alice").private_key))
    world.fleet.refused("FW1213")


def test_the_key_without_its_certificate(world: Certified) -> None:
    world.commit(world.key)
    world.fleet.refused("FW1206")


def test_a_certificate_for_hosts(world: Certified) -> None:
    world.commit(world.certificate("-h", *LONG))
    assert world.fleet.refused("FW1208")


def test_a_certificate_that_expired(world: Certified) -> None:
    """Under a date of its time; what counts is when the commit was first seen."""
    world.commit(world.certificate("-V", "20230101000000:20240101000000"))
    world.fleet.refused("FW1211")


def test_a_certificate_that_is_not_valid_yet(world: Certified) -> None:
    world.commit(world.certificate("-V", "20990101000000:21000101000000"))
    world.fleet.refused("FW1211")


def test_a_certificate_with_a_forged_signature(world: Certified) -> None:
    """Its authority is named, by somebody else's key."""
    mine, theirs = cert_forge.authority(1), forge.Forged("ssh-ed25519", cert_forge.wire(world.ca), bytes)
    made = cert_forge.certificate(forge.ed25519(), mine, principals=(b"erin",), ca_blob=theirs.blob)
    payload = world.fleet.payload(name="erin")
    world.fleet.forge_commit(payload, cert_forge.signature(made, payload))
    world.fleet.refused("FW1213")
