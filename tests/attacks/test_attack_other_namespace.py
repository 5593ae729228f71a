"""Other namespace: a signature that was made for something else is put into a commit.

``ssh-keygen -Y sign`` signs files, mails, logins; a person, or a service that signs what it is given, may be
brought to sign any bytes for such a purpose. The namespace is part of what is signed.
"""

from __future__ import annotations

import pytest
import ssh_forge as forge
from attack_kit import MAIN, Fleet
from cert_forge import signed

pytestmark = pytest.mark.real


@pytest.mark.parametrize("namespace", ["file", "email", "Git", "git ", "git\n"])
def test_a_signature_of_a_file(fleet: Fleet, namespace: str) -> None:
    payload = fleet.payload()
    fleet.forge_commit(payload, signed(fleet.repo.person("dave").private_key, payload, namespace))
    fleet.refused("FW1204")


def test_a_namespace_that_was_rewritten(fleet: Fleet) -> None:
    """The name in the signature is changed to git; what was signed says file."""
    payload = fleet.payload()
    blob = forge.dearmour(signed(fleet.repo.person("dave").private_key, payload, "gif"))
    fleet.forge_commit(payload, forge.armour(blob.replace(forge.s(b"gif"), forge.s(b"git"))))
    fleet.refused("FW1207")


def test_the_signature_of_another_commit(fleet: Fleet) -> None:
    other = fleet.change("other")
    raw = fleet.repo.git("cat-file", "commit", other)
    lines = raw.partition("gpgsig ")[2].partition("-----END SSH SIGNATURE-----")
    armour = (lines[0] + lines[1]).replace("\n ", "\n").encode()
    fleet.move(fleet.good)
    fleet.forge_commit(fleet.payload(), armour)
    fleet.refused("FW1207")


def test_the_signature_of_an_approval(fleet: Fleet) -> None:
    """Same key, same namespace: but a tag is no commit, byte for byte."""
    fleet.change("agreed")
    raw = fleet.repo.git("cat-file", "tag", fleet.approve(fleet.repo.head(MAIN), "dave"))
    fleet.move(fleet.good)
    armour = "-----BEGIN" + raw.partition("-----BEGIN")[2]
    fleet.forge_commit(fleet.payload(), armour.encode())
    fleet.refused("FW1207")
