"""Another entry's proof: somebody is handed a good proof with an entry that it is not of.

A proof is checked offline, by whoever was handed it, with the log's public key alone: FW1812, and no log to
write an entry into. The log that it was made from is untouched.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from audit_helpers import ORIGIN, SIGNER, KeySigner, fill, open_log

from reconciler.audit.codes import LogSignatureError, ProofError
from reconciler.audit.evidence import check, gather
from reconciler.audit.log import Log
from reconciler.audit.note import VerifierKey
from reconciler.audit.proof import format_proof, parse_proof

KEYS = [VerifierKey(ORIGIN, SIGNER.public_key)]
SIZE = 300


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Log:
    log = open_log(tmp_path_factory.mktemp("proofs"))
    fill(log, SIZE)
    return log


def test_with_the_bytes_of_another_entry(log: Log) -> None:
    good = gather(log, 7)
    assert check(good.proof, good.entry, KEYS).index == 7
    edited = {**json.loads(good.entry), "actor": "mallory"}
    for entry in (log.raw(8), log.raw(299), good.entry + b" ", b"", json.dumps(edited).encode()):
        with pytest.raises(ProofError) as caught:
            check(good.proof, entry, KEYS)
        assert caught.value.code == "FW1812"


def test_at_another_place(log: Log) -> None:
    proof = parse_proof(log.proof(7))
    for index in (6, 8, 255, SIZE, 2**62):
        moved = format_proof(type(proof)(index, proof.path, proof.checkpoint))
        with pytest.raises(ProofError):
            check(moved, log.raw(7), KEYS)
    for path in (proof.path[:-1], (*proof.path, bytes(32)), proof.path[::-1], ()):
        with pytest.raises(ProofError):
            check(format_proof(type(proof)(7, path, proof.checkpoint)), log.raw(7), KEYS)


def test_of_another_tree(log: Log, tmp_path: Path) -> None:
    """The path of this log under the checkpoint of a longer one, and of another key's."""
    longer = open_log(tmp_path)
    fill(longer, SIZE + 20)
    proof = parse_proof(log.proof(7))
    other = format_proof(type(proof)(7, proof.path, longer.checkpoint))
    with pytest.raises(ProofError):
        check(other, log.raw(7), KEYS)
    with pytest.raises(LogSignatureError) as caught:
        check(log.proof(7), log.raw(7), [VerifierKey(ORIGIN, KeySigner(b"t" * 32).public_key)])
    assert caught.value.code == "FW1801"
