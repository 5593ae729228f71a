"""A join token altered: any part of it, by bytes of every class, by another algorithm, for somebody else.

FW1740 for what was not signed so, FW1741 out of its time, FW1742 for another primary's, FW1745 for another
name, and FW1756 for what is no token at all. None of them uses it up: the token itself is good afterwards.
The one thing that no signature covers is how its last character is written (RFC 7515 has no canonical form):
such a token has the same id, and is used with it.
"""

from __future__ import annotations

import hmac
import json

import pytest
from attack_joins import nothing_joined, sources
from attack_members import Plane
from cryptography.hazmat.primitives import serialization
from join_asking import encoded, forged, post, prepared, unsigned
from join_world import World, claims_of

from reconciler.surfaces.membership import token_key
from reconciler.surfaces.wiring import clock
from reconciler.trust.jointoken import TokenKey

pytestmark = pytest.mark.real
CLASSES = "AzZ09-_.=+/ \t\n\r\0\x7f\"'%é\u202e"


def altered(token: str) -> list[str]:
    """Every part, at its begin, middle and end, by a byte of every class; cut, doubled, exchanged."""
    parts, found = token.split("."), []
    start = 0
    for part in parts:
        for place in (start, start + len(part) // 2, start + len(part) - 2):
            found += [token[:place] + c + token[place + 1 :] for c in CLASSES]
            found += [token[:place] + token[place + 1 :]]
        start += len(part) + 1
    head, payload, signature = parts
    found += [f"{payload}.{head}.{signature}", f"{head}.{payload}", f"{head}.{payload}.", token * 2]
    found += [f"{head}.{payload}.{signature}.{signature}", token[:-1], f"{token}=", token.lower()]
    said = claims_of(token) | {"cluster": "member-b", "exp": 1 << 37}
    found.append(f"{head}.{encoded(json.dumps(said).encode())}.{signature}")
    found.append(f"{head}.{payload}.{encoded(bytes(64))}")  # r = s = 0 (CVE-2022-21449)
    return [one for one in found if one != token]


def other_algorithms(world: World, token: str) -> list[str]:
    """``none``, and HMAC with the public key as the secret in each form that it is known in."""
    key, payload = token_key(world.fleet.settings), token.split(".")[1]
    public = serialization.load_der_public_key(key.public)
    info, point = (
        serialization.PublicFormat.SubjectPublicKeyInfo,
        serialization.PublicFormat.UncompressedPoint,
    )
    known = [
        public.public_bytes(serialization.Encoding.PEM, info), key.public, key.id.encode(), b"",
        public.public_bytes(serialization.Encoding.X962, point),
    ]  # fmt: skip
    found = [unsigned(token)]
    for name in ("none", "None", "NONE", "ES384", "RS256", "EdDSA", ""):
        head = encoded(json.dumps({"alg": name, "kid": key.id}).encode())
        found += [f"{head}.{payload}.{token.split('.')[2]}", f"{head}.{payload}.AA"]
    for secret in known:
        for name, digest in (("HS256", "sha256"), ("HS512", "sha512")):
            signed = f"{encoded(json.dumps({'alg': name, 'typ': 'JWT', 'kid': key.id}).encode())}.{payload}"
            found.append(f"{signed}.{encoded(hmac.digest(secret, signed.encode(), digest))}")
    for more in ({"jwk": {"kty": "EC"}}, {"jku": "https://127.0.0.1/"}, {"x5u": "https://127.0.0.1/"}):
        head = encoded(json.dumps({"alg": "ES256", "kid": key.id, **more}).encode())
        found.append(f"{head}.{payload}.{token.split('.')[2]}")
    return found


def test_every_alteration_is_refused_and_the_token_stays_good(world: World, b: Plane) -> None:
    prepared(b)
    token = world.token("--cluster", "member-b")
    past = int(clock().timestamp()) - 10
    cases = {
        "FW1740": [*altered(token), *other_algorithms(world, token)],
        "FW1741": [
            forged(world, token, issued=past - 60, expires=past),
            forged(world, token, issued=past + 999),
        ],
        "FW1742": [forged(world, token, TokenKey.new()), forged(world, token, issuer="another")],
    }
    good = world.body(b, token, "member-b")
    address = sources()
    with world.serving() as endpoint:
        for code, tokens in cases.items():
            for one in tokens:
                status, said = post(world, {**good, "token": one}, source=next(address))
                allowed = {code, "FW1742", "FW1756"} if code == "FW1740" else {code}
                assert said in allowed, (said, one)
                assert status in (400, 401)
        assert post(world, {**good, "name": "member-c"}, source=next(address)) == (403, "FW1745")
        nothing_joined(world)
        assert post(world, good, source=next(address)) == (200, "")
        last = token[:-1] + ("B" if token[-1] == "A" else chr(ord(token[-1]) + 1))
        assert post(world, {**good, "token": last, "claim": "e" * 64})[1] in ("FW1743", "FW1740")
        assert endpoint.process.poll() is None
    assert world.kinds("token-used", "member-joined") == ["token-used", "member-joined"]
