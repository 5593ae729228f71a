"""Renewal of a token in a Secret and in a sealed file, against a real API server."""

# ruff: noqa: ASYNC220 - files of a few bytes, and a process that is to be killed
from __future__ import annotations

import asyncio
import base64
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from member_world import FAST, SIGNER, ControlPlane, World
from token_kit import aged, claims_of

from reconciler.documents import Credentials
from reconciler.errors import AuditError
from reconciler.member.bootstrap import STORE, primary_objects
from reconciler.member.client import Member
from reconciler.member.credentials import credential_source
from reconciler.member.login import CredentialSource, Host
from reconciler.member.renewal import Standing
from reconciler.member.seal_keys import KeyFile
from reconciler.member.secret_slot import ApiSecrets
from reconciler.member.slots import StoredSecret
from reconciler.member.token_file import keep_token, read_token
from reconciler.member.token_request import Issued
from reconciler.model import PRIMARY_NAMESPACE, RECONCILER_USER

pytestmark = pytest.mark.real
LIFE = timedelta(hours=2)
NAME = "member-m"


@dataclass
class Primary:
    """The same cluster as the place of Secrets, with the rights of the bootstrap and no others."""

    world: World
    answers: str = ""  # "lost": of every update, the answer does not arrive

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Any]:
        async with self.world.member() as member, member.secrets() as secrets:
            yield Lossy(secrets) if self.answers == "lost" else secrets

    def make(self, token: str, **more: Any) -> None:
        metadata = {"name": NAME, "namespace": PRIMARY_NAMESPACE, "labels": {"team": "x"}}
        data = {"token": base64.b64encode(token.encode()).decode(), "note": "aGVsbG8="}
        body = {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": data, **more}
        self.world.plane.kubectl("delete", "secret", "-n", PRIMARY_NAMESPACE, NAME)
        self.world.plane.must("create", "-f", "-", given=body)

    def body(self) -> dict[str, Any]:
        found: dict[str, Any] = self.world.plane.get("secret", "-n", PRIMARY_NAMESPACE, NAME)
        return found

    def data(self) -> dict[str, str]:
        return {key: base64.b64decode(value).decode() for key, value in self.body()["data"].items()}

    def source(self, folder: Path) -> CredentialSource:
        host = Host(folder, lambda: datetime.now(UTC), open_secrets=self.open)
        how = Credentials("secretRef", secret_namespace=PRIMARY_NAMESPACE, secret_name=NAME)
        return credential_source(how, host)


@dataclass
class Lossy:
    """Sends every update twice, as a transport does whose answer was lost."""

    inner: ApiSecrets

    async def read(self, namespace: str, name: str) -> StoredSecret:
        return await self.inner.read(namespace, name)

    async def write(self, secret: StoredSecret, data: Any) -> StoredSecret:
        await self.inner.write(secret, data)
        return await self.inner.write(secret, data)


@pytest.fixture(scope="module")
def _stores(control_plane: ControlPlane) -> ControlPlane:
    control_plane.must("apply", "-f", "-", given=primary_objects())
    return control_plane


@pytest.fixture
def primary(world: World, _stores: ControlPlane) -> Primary:
    """A Secret whose token should be renewed."""
    made = Primary(world)
    made.make(old_token(world))
    return made


def old_token(world: World) -> str:
    return aged(world.plane.server, world.plane.token, age=3000, left=600)


async def nothing(_new: Issued) -> None:
    """A log that takes everything."""


async def renewed(world: World, source: CredentialSource, announce: Any = nothing) -> Standing:
    async with Member(world.cluster, source, public_keys=[SIGNER.public_key], limits=FAST) as member:
        return await member.renew(LIFE, datetime.now(UTC), announce)


async def works(world: World, token: str) -> bool:
    async with world.member(token) as member:
        return (await member.identify()).username == RECONCILER_USER


async def test_a_token_in_a_secret_is_renewed_logged_and_put_in_place(
    world: World, primary: Primary, tmp_path: Path
) -> None:
    before, seen = primary.body(), []
    old = primary.data()["token"]

    async def announce(new: Issued) -> None:
        assert primary.data() == {"token": old, "token.new": new.token, "note": "hello"}  # durable before
        seen.append(new)

    standing = await renewed(world, primary.source(tmp_path), announce)
    (new,) = seen
    assert standing.renewed
    assert not standing.error
    assert primary.data() == {"token": new.token, "note": "hello"}
    after = primary.body()
    for field in ("name", "uid", "labels", "creationTimestamp"):
        assert after["metadata"][field] == before["metadata"][field]
    assert await works(world, new.token)
    assert claims_of(new.token)["exp"] - claims_of(new.token)["iat"] == LIFE.total_seconds()
    assert await renewed(world, primary.source(tmp_path)) == Standing(standing.expires)
    assert "token" not in repr(await read(primary))


async def read(primary: Primary) -> StoredSecret:
    async with primary.open() as secrets:
        found: StoredSecret = await secrets.read(PRIMARY_NAMESPACE, NAME)
        return found


async def test_an_update_whose_answer_is_lost_is_our_own(
    world: World, primary: Primary, tmp_path: Path
) -> None:
    primary.answers = "lost"
    standing = await renewed(world, primary.source(tmp_path))
    assert standing.renewed
    assert sorted(primary.data()) == ["note", "token"]
    assert claims_of(primary.data()["token"])["exp"] == int(
        (standing.expires or datetime.now(UTC)).timestamp()
    )


async def test_of_two_at_once_one_token_is_in_use_and_logged(
    world: World, primary: Primary, tmp_path: Path
) -> None:
    logged: list[Issued] = []

    async def announce(new: Issued) -> None:
        logged.append(new)

    found = await asyncio.gather(*(renewed(world, primary.source(tmp_path), announce) for _ in range(4)))
    assert [one.error for one in found] == [""] * 4
    assert sum(one.renewed for one in found) == 1
    assert primary.data()["token"] in {new.token for new in logged}
    assert sorted(primary.data()) == ["note", "token"]


async def test_a_run_that_was_overtaken_before_it_published_changes_nothing(
    world: World, primary: Primary, tmp_path: Path
) -> None:
    async def overtaken(_new: Issued) -> None:
        assert (await renewed(world, primary.source(tmp_path))).renewed

    standing = await renewed(world, primary.source(tmp_path), overtaken)
    assert (standing.renewed, standing.error) == (False, "")
    assert sorted(primary.data()) == ["note", "token"]
    assert await works(world, primary.data()["token"])


async def test_an_immutable_secret_is_said_and_not_fought(
    world: World, primary: Primary, tmp_path: Path
) -> None:
    primary.make(old_token(world), immutable=True)
    before = primary.body()
    standing = await renewed(world, primary.source(tmp_path), None)
    assert standing.error.startswith("FW1793: ")
    assert "immutable" in standing.error
    assert primary.body() == before


async def test_without_the_right_it_is_told_and_the_old_token_stays(
    world: World, primary: Primary, tmp_path: Path
) -> None:
    before = primary.data()
    role = next(item for item in primary_objects() if item["kind"] == "Role")
    reading = {**role, "rules": [{**role["rules"][0], "verbs": ["get"]}]}
    can = ["auth", "can-i", "update", "secrets", f"--as={RECONCILER_USER}", "-n", PRIMARY_NAMESPACE]
    world.plane.must("apply", "-f", "-", given=reading)
    try:
        for _ in range(200):  # the API server takes a moment to forget the right
            if world.plane.kubectl(*can).stdout.strip() == "no":
                break
        standing = await renewed(world, primary.source(tmp_path), None)
    finally:
        world.plane.must("apply", "-f", "-", given=role)
    assert standing.error.startswith("FW1793: ")
    assert "bootstrap/primary.yaml" in standing.error
    assert before["token"] not in standing.error
    assert primary.data() == before


async def test_a_log_that_fails_stops_it_and_nothing_is_left_over(
    world: World, primary: Primary, tmp_path: Path
) -> None:
    before = primary.data()

    async def announce(_new: Issued) -> None:
        raise AuditError("the disk is full")

    with pytest.raises(AuditError):
        await renewed(world, primary.source(tmp_path), announce)
    assert primary.data() == before


async def test_a_secret_that_is_deleted_meanwhile_does_not_come_back(
    world: World, primary: Primary, tmp_path: Path
) -> None:
    async def announce(_new: Issued) -> None:
        world.plane.must("delete", "secret", "-n", PRIMARY_NAMESPACE, NAME)

    standing = await renewed(world, primary.source(tmp_path), announce)
    assert standing.error.startswith("FW1793: ")
    assert world.plane.kubectl("get", "secret", "-n", PRIMARY_NAMESPACE, NAME).returncode != 0


async def test_the_rights_are_those_of_one_namespace(world: World, primary: Primary) -> None:
    for verb, namespace, answer in (
        ("get", PRIMARY_NAMESPACE, "yes"), ("create", PRIMARY_NAMESPACE, "yes"),
        ("update", PRIMARY_NAMESPACE, "yes"), ("delete", PRIMARY_NAMESPACE, "yes"),
        ("list", PRIMARY_NAMESPACE, "no"), ("get", "kube-system", "no"), ("get", "federation-system", "no"),
    ):  # fmt: skip
        can = ["auth", "can-i", verb, "secrets", f"--as={RECONCILER_USER}", "-n", namespace]
        assert world.plane.kubectl(*can).stdout.strip() == answer, (verb, namespace)
    assert world.plane.get("role", "-n", PRIMARY_NAMESPACE, STORE)["rules"][0]["resources"] == ["secrets"]


@pytest.fixture
def keys(tmp_path: Path) -> KeyFile:
    return KeyFile(tmp_path / "credentials.key", tmp_path / "credentials.lock")


def sealed_source(folder: Path, keys: KeyFile) -> CredentialSource:
    host = Host(folder, lambda: datetime.now(UTC), seal_keys=keys)
    return credential_source(Credentials("tokenFile", path="joined/m.token"), host)


async def test_a_sealed_token_is_renewed_and_stays_sealed(
    world: World, tmp_path: Path, keys: KeyFile
) -> None:
    keep_token(tmp_path, "joined/m.token", old_token(world), keys)
    standing = await renewed(world, sealed_source(tmp_path, keys))
    assert standing.renewed
    token = read_token(tmp_path, "joined/m.token", keys).decode().strip()
    assert await works(world, token)
    assert [path.name for path in (tmp_path / "joined").iterdir()] == ["m.token"]
    assert (tmp_path / "joined" / "m.token").read_bytes().startswith(b"fleetward-sealed-v1\n")
    keys.path.unlink()
    assert (await renewed(world, sealed_source(tmp_path, keys))).error.startswith("FW1790: ")


CHILD = """
import asyncio, sys
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from reconciler.documents import Cluster, Credentials
from reconciler.member.client import Member
from reconciler.member.credentials import TokenFile, credential_source
from reconciler.member.login import Host
from reconciler.member.seal_keys import KeyFile
from reconciler.model import ClusterName, SourceRef

url, ca, folder, how = sys.argv[1:]
folder = Path(folder)
cluster = Cluster(ClusterName("m"), {}, (url,), Path(ca).read_text(), "",
                  Credentials("tokenFile", path="m.token"), SourceRef("clusters/m.yaml"))

@asynccontextmanager
async def primary():
    async with Member(cluster, TokenFile(folder, "primary.token"), public_keys=[]) as member:
        async with member.secrets() as secrets:
            yield secrets

async def announce(new):
    pass

async def main():
    keys = KeyFile(folder / "credentials.key", folder / "credentials.lock")
    host = Host(folder, lambda: datetime.now(UTC), open_secrets=primary, seal_keys=keys)
    place = {"secret": Credentials("secretRef", secret_namespace="fleetward-system", secret_name="member-m"),
             "sealed": Credentials("tokenFile", path="joined/m.token")}[how]
    async with Member(cluster, credential_source(place, host), public_keys=[]) as member:
        print("begin", flush=True)
        await member.renew(timedelta(hours=2), datetime.now(UTC), announce)
        print("end", flush=True)

asyncio.run(main())
"""


@pytest.mark.parametrize("how", ["secret", "sealed"])
async def test_killed_at_any_moment_a_working_token_is_there(
    world: World, primary: Primary, tmp_path: Path, keys: KeyFile, how: str
) -> None:
    old = old_token(world)
    (tmp_path / "primary.token").write_text(world.plane.token)

    def put() -> None:
        primary.make(old) if how == "secret" else keep_token(tmp_path, "joined/m.token", old, keys)

    async def token() -> str:
        if how == "secret":
            return primary.data()["token"]
        return read_token(tmp_path, "joined/m.token", keys).decode().strip()

    if how == "sealed":
        primary.make("unused")
    put()
    server, ended = world.plane.server, 0
    command = [sys.executable, "-c", CHILD, server.url, str(server.ca_file), str(tmp_path), how]
    for step in range(5):  # from the first request to well after the last
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout
            assert process.stdout.readline() == "begin\n"
            try:
                process.wait(step * (0.06 if how == "secret" else 0.025))
            except subprocess.TimeoutExpired:
                os.kill(process.pid, signal.SIGKILL)
            ended += "end" in process.stdout.read()
        assert await works(world, await token())
        if await token() != old:
            put()
    assert ended < 5
    source = primary.source(tmp_path) if how == "secret" else sealed_source(tmp_path, keys)
    assert (await renewed(world, source)).renewed
    assert await works(world, await token())
    assert sorted(primary.data()) == ["note", "token"]
    assert [path.name for path in (tmp_path / "joined").glob("*") if how == "sealed"] in ([], ["m.token"])
