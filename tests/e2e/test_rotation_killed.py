"""The primary is killed at every step of a renewal: plain file, sealed file, Secret.

The killed process is a whole run by the product's own wiring, whose credential kills it (SIGKILL) at one
step. Afterwards the member is reachable, the same command finishes, the log verifies, and the token in use is
one that the log knows.
"""

from __future__ import annotations

import base64
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from e2e_world import Fleet, Plane
from test_renewal import old
from token_kit import claims_of

from reconciler.audit.entry import CredentialRenewed
from reconciler.member.bootstrap import primary_objects
from reconciler.member.token_file import keep_token, read_token
from reconciler.model import PRIMARY_NAMESPACE

pytestmark = pytest.mark.real
STEPS = ["claimed", "staging", "staged", "logged", "published", "released"]
SECRETS = f"/api/v1/namespaces/{PRIMARY_NAMESPACE}/secrets"
PLACES: dict[str, dict[str, Any]] = {
    "plain": {"tokenFile": "member-a.token"},
    "sealed": {"tokenFile": "joined/member-a.token"},
    "secret": {"secretRef": {"namespace": PRIMARY_NAMESPACE, "name": "member-member-a"}},
}

CHILD = """
import asyncio, os, signal, sys
from contextlib import ExitStack, asynccontextmanager
from dataclasses import replace
from functools import partial
from reconciler.member.client import Member
from reconciler.member.credentials import credential_source
from reconciler.member.login import Host
from reconciler.pipeline.reconcile import reconcile
from reconciler.surfaces.settings import resolve
from reconciler.surfaces.wiring import Wiring, clock

DIES = sys.argv[1]

def at(step):
    if step == DIES:
        os.kill(os.getpid(), signal.SIGKILL)

class Slot:
    def __init__(self, inner):
        self.inner = inner

    async def stage(self, token):
        at("staging")
        await self.inner.stage(token)
        at("staged")

    async def publish(self):
        at("logged")
        await self.inner.publish()
        at("published")

class Source:
    def __init__(self, inner):
        self.inner = inner

    async def load(self, *, fresh=False):
        return await self.inner.load(fresh=fresh)

    @asynccontextmanager
    async def claim(self, token):
        async with self.inner.claim(token) as slot:
            at("claimed")
            yield Slot(slot) if slot else None
        at("released")

with ExitStack() as stack:
    settings = resolve({})
    wiring = Wiring(settings, lambda line: None, stack)
    members = wiring.members()

    def connect(cluster, fleet):
        opener = partial(wiring.open_secrets, fleet)
        host = Host(settings.credentials, clock, open_secrets=opener, seal_keys=settings.seal_keys)
        source = Source(credential_source(cluster.credentials, host))
        return Member(cluster, source, public_keys=wiring.believed_keys(), signer=wiring.key())

    ports = wiring.checks(), replace(members, connect=connect), wiring.writes()
    asyncio.run(reconcile(*ports, clusters=("member-a",)))
"""


def credential(fleet: Fleet, primary: Plane, place: str) -> str:
    """The token in use."""
    if place == "secret":
        data = primary.must("GET", f"{SECRETS}/member-member-a")["data"]
        return base64.b64decode(data["token"]).decode()
    settings = fleet.settings
    path = PLACES[place]["tokenFile"]
    return read_token(settings.credentials, path, settings.seal_keys).decode().strip()


@pytest.fixture
def put(fleet: Fleet, a: Plane, b: Plane) -> Iterator[Callable[[str], str]]:
    """Makes a fleet whose member-a has a token that is due; member-b is the primary."""
    for item in primary_objects():
        kind = {"Namespace": "namespaces"}.get(item["kind"])
        path = "/api/v1/namespaces"
        if kind is None:
            group = f"/apis/{item['apiVersion']}/namespaces/{PRIMARY_NAMESPACE}"
            path = f"{group}/{item['kind'].lower()}s"
        assert b.send("POST", path, item) in (201, 409)

    def make(place: str) -> str:
        settings, token = fleet.settings, old(a)
        if place == "plain":
            (settings.credentials / "member-a.token").write_text(token)
        elif place == "sealed":
            keep_token(settings.credentials, "joined/member-a.token", token, settings.seal_keys)
        else:
            b.send("DELETE", f"{SECRETS}/member-member-a")
            body = {"metadata": {"name": "member-member-a"}, "stringData": {"token": token}}
            b.must("POST", SECRETS, body)
        federation = {"federation.yaml": fleet.federation(primary="member-b")}
        fleet.start(federation, fleet.registration("member-a", credentials=PLACES[place]))
        return token

    yield make
    b.send("DELETE", f"{SECRETS}/member-member-a")
    for place in ("plain", "sealed"):  # the folder is shared, the key is this fleet's
        (fleet.settings.credentials / PLACES[place]["tokenFile"]).unlink(missing_ok=True)


@pytest.mark.parametrize("place", PLACES)
def test_killed_at_every_step_the_same_command_finishes(
    fleet: Fleet, a: Plane, b: Plane, put: Callable[[str], str], place: str
) -> None:
    first = put(place)
    for step in STEPS:
        before = credential(fleet, b, place)
        child = subprocess.run(
            [sys.executable, "-c", CHILD, step], env=fleet.environment, timeout=120, capture_output=True
        )
        assert child.returncode == -9, (step, child.stderr)
        used = credential(fleet, b, place)
        assert (used != before) is (step in ("published", "released")), step
        done = fleet.run("reconcile", "--once", "-y", "-q", "--cluster", "member-a")
        assert done.returncode == 0, (step, done.stdout, done.stderr)
        used = credential(fleet, b, place)
        assert used != before, step
        logged = {entry.expires for entry in fleet.entries() if isinstance(entry, CredentialRenewed)}
        assert datetime.fromtimestamp(claims_of(used)["exp"], UTC) in logged
        fleet.assert_log_whole()
        for secret in (first, before, used):
            assert secret not in done.stdout + done.stderr
        age(fleet, a, b, place)
    assert left_over(fleet, b, place) == []


def age(fleet: Fleet, a: Plane, b: Plane, place: str) -> None:
    """The credential is due again, in the place that it has by now."""
    settings, token = fleet.settings, old(a)
    if place == "secret":
        path = f"{SECRETS}/member-member-a"
        b.must("PATCH", path, {"stringData": {"token": token}}, "application/merge-patch+json")
    elif place == "sealed":
        keep_token(settings.credentials, "joined/member-a.token", token, settings.seal_keys)
    else:
        (settings.credentials / "member-a.token").write_text(token)


def left_over(fleet: Fleet, primary: Plane, place: str) -> list[str]:
    """What should not be there any more of killed runs."""
    if place == "secret":
        return [k for k in primary.must("GET", f"{SECRETS}/member-member-a")["data"] if k != "token"]
    folder: Path = (fleet.settings.credentials / PLACES[place]["tokenFile"]).parent
    return [path.name for path in folder.glob(".member-a.token*")]
