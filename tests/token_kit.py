"""Service account tokens of any age: signed with the sandbox's own key, so that its API server takes them."""

from __future__ import annotations

import base64
import json
import time
from typing import Any

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from reconciler.sandbox.members import Member


def claims_of(token: str) -> dict[str, Any]:
    """What a token says."""
    return json.loads(base64.urlsafe_b64decode(token.split(".")[1] + "=="))


def aged(member: Member, like: str, *, age: float, left: float, **changes: Any) -> str:
    """A token like a real one that was made ``age`` seconds ago and ends in ``left`` seconds."""
    now = int(time.time())
    header = json.loads(base64.urlsafe_b64decode(like.split(".")[0] + "=="))
    claims = {
        **claims_of(like),
        "iat": now - int(age),
        "nbf": now - int(age),
        "exp": now + int(left),
        **changes,
    }
    signed = f"{_part(json.dumps(header).encode())}.{_part(json.dumps(claims).encode())}"
    return f"{signed}.{_part(_sign(member, signed.encode()))}"


def _part(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _sign(member: Member, data: bytes) -> bytes:
    key = serialization.load_pem_private_key((member.ca_file.parent / "tokens.key").read_bytes(), None)
    if isinstance(key, rsa.RSAPrivateKey):
        return key.sign(data, padding.PKCS1v15(), hashes.SHA256())
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    r, s = decode_dss_signature(key.sign(data, ec.ECDSA(hashes.SHA256())))
    return r.to_bytes(32, "big") + s.to_bytes(32, "big")
