"""Keyrings are kept by the root that they were made of, and never handed out for another one."""

from __future__ import annotations

import base64

from reconciler.documents import TrustedKey, TrustedSigner, TrustRoot
from reconciler.trust.keyring import MAX_ROOTS, keyring_of


def root_of(number: int) -> TrustRoot:
    head = b"\0\0\0\x0bssh-ed25519\0\0\0\x20"
    key = TrustedKey(f"ssh-ed25519 {base64.b64encode(head + number.to_bytes(32, 'big')).decode()}")
    return TrustRoot((TrustedSigner(f"signer-{number}", (key,)),))


def test_a_root_that_was_forgotten_does_not_speak_for_the_next_one_in_its_place():
    for number in range(1, 4 * MAX_ROOTS):
        for one in (0, number):  # the same root anew each time, then another where it was
            (held,) = keyring_of(root_of(one)).ssh.values()
            assert held.signer.name == f"signer-{one}"


def test_a_root_is_parsed_once():
    root = root_of(1)
    assert keyring_of(root) is keyring_of(root) is keyring_of(root_of(1))
