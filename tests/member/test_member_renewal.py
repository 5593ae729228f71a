"""Renewal of a token file against a real API server, with the rights of the bootstrap and no others."""

# ruff: noqa: ASYNC240 - files of a few bytes
from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from member_world import FAST, SIGNER, ControlPlane, Token, World
from token_kit import aged, claims_of

from reconciler.errors import AuditError
from reconciler.member.bootstrap import ACCOUNT, bootstrap_objects
from reconciler.member.client import Member
from reconciler.member.credentials import TokenFile
from reconciler.member.login import CredentialSource
from reconciler.member.renewal import Standing
from reconciler.member.token_request import Issued
from reconciler.model import MEMBER_NAMESPACE, RECONCILER_USER

pytestmark = pytest.mark.real
LIFE = timedelta(hours=2)


def old_token(plane: ControlPlane, **changes: Any) -> str:
    """A token of the reconciler with a sixth of its life left."""
    return aged(plane.server, plane.token, age=3000, left=600, **changes)


@pytest.fixture
def file(control_plane: ControlPlane, tmp_path: Path) -> Path:
    """A token file in which the token should be renewed."""
    path = tmp_path / "m.token"
    path.write_text(old_token(control_plane))
    path.chmod(0o644)
    return path


async def nothing(_new: Issued) -> None:
    """A log that takes everything."""


async def renewed(
    world: World, source: CredentialSource, announce: Any = nothing, **options: Any
) -> Standing:
    options = {"life": LIFE, "now": datetime.now(UTC)} | options
    async with Member(world.cluster, source, public_keys=[SIGNER.public_key], limits=FAST) as member:
        return await member.renew(announce=announce, **options)


async def works(world: World, token: str) -> bool:
    async with Member(world.cluster, Token(token), public_keys=[SIGNER.public_key], limits=FAST) as member:
        return (await member.identify()).username == RECONCILER_USER


async def test_a_token_is_renewed_logged_and_put_in_place(world: World, file: Path) -> None:
    old, seen = file.read_text(), []

    async def announce(new: Issued) -> None:
        assert file.read_text() == old  # logged before it is used
        assert new.token not in repr(new)
        seen.append(new)

    standing = await renewed(world, TokenFile(file.parent, file.name), announce)
    (new,) = seen
    assert file.read_text() == f"{new.token}\n" != old
    assert file.stat().st_mode & 0o777 == 0o600
    claims = claims_of(new.token)
    assert standing == Standing(datetime.fromtimestamp(claims["exp"], UTC), renewed=True)
    assert claims["exp"] - claims["iat"] == LIFE.total_seconds()
    assert claims["aud"] == claims_of(old)["aud"]
    assert claims["sub"] == RECONCILER_USER
    assert await works(world, new.token)
    assert await works(world, old)
    assert [path.name for path in file.parent.iterdir()] == [file.name]
    assert new.audit_id in world.plane.server.audit_log.read_text()
    again = await renewed(world, TokenFile(file.parent, file.name))
    assert again == Standing(standing.expires)
    assert file.read_text() == f"{new.token}\n"


async def test_a_fresh_token_is_left_alone_and_costs_no_request(world: World, file: Path) -> None:
    file.write_text(world.plane.token)
    source = TokenFile(file.parent, file.name)
    async with Member(world.cluster, source, public_keys=[SIGNER.public_key]) as member:
        standing = await member.renew(LIFE, datetime.now(UTC), nothing)
        assert member.requests == 0
    assert standing.expires
    assert not standing.error
    assert file.read_text() == world.plane.token


async def test_the_audience_stays(world: World, file: Path) -> None:
    audiences = ["https://kubernetes.default.svc", *claims_of(world.plane.token)["aud"]]
    file.write_text(old_token(world.plane, aud=audiences))
    standing = await renewed(world, TokenFile(file.parent, file.name))
    assert standing.renewed
    assert claims_of(file.read_text())["aud"] == audiences


async def test_the_account_may_make_its_own_tokens_and_no_others(world: World) -> None:
    can = ["auth", "can-i", "create", "--subresource=token", f"--as={RECONCILER_USER}"]
    assert world.plane.must(*can, f"serviceaccounts/{ACCOUNT}", "-n", MEMBER_NAMESPACE).strip() == "yes"
    for name, namespace in (("default", MEMBER_NAMESPACE), (ACCOUNT, "default"), ("default", "kube-system")):
        assert world.plane.kubectl(*can, f"serviceaccounts/{name}", "-n", namespace).stdout.strip() == "no"


@pytest.fixture
def without_right(world: World) -> Iterator[None]:
    """The account without the right to its own tokens."""
    role = next(item for item in bootstrap_objects() if item["kind"] == "Role")
    world.plane.must("apply", "-f", "-", given={**role, "rules": role["rules"][:1]})
    yield
    world.plane.must("apply", "-f", "-", given=role)


async def test_a_refused_renewal_is_told_and_the_old_token_stays(
    world: World, file: Path, without_right: None
) -> None:
    old = file.read_text()
    deadline = time.monotonic() + 30
    while True:  # the API server takes a moment to forget the right
        standing = await renewed(world, TokenFile(file.parent, file.name))
        if not standing.renewed:
            break
        assert time.monotonic() < deadline
        file.write_text(old)
    assert standing.error.startswith("FW1760: the member did not give a new token: FW1711")
    assert "bootstrap/member.yaml" in standing.error
    assert standing.expires == datetime.fromtimestamp(claims_of(old)["exp"], UTC)
    assert old not in standing.error
    assert file.read_text() == old
    assert list(file.parent.iterdir()) == [file]


async def test_a_folder_that_cannot_be_written(world: World, file: Path) -> None:
    folder = file.parent / f".{file.name}.new"  # what stands in the way even of root
    folder.mkdir()
    (folder / "x").touch()
    standing = await renewed(world, TokenFile(file.parent, file.name), None)
    assert standing.error.startswith("FW1762: ")
    assert claims_of(file.read_text())["exp"] == int((standing.expires or datetime.now(UTC)).timestamp())


async def test_who_else_renews_it_is_named(world: World, file: Path) -> None:
    claim = {**claims_of(world.plane.token)["kubernetes.io"], "pod": {"name": "p", "uid": "u"}}
    file.write_text(
        aged(world.plane.server, world.plane.token, age=3000, left=600, **{"kubernetes.io": claim})
    )
    for source in (TokenFile(file.parent, file.name), Token(old_token(world.plane))):
        standing = await renewed(world, source, None)
        assert standing.error.startswith("FW1763: ")
    certificate = Certificate(world.plane.server.admin_cert.read_bytes())
    soon = datetime.now(UTC) + timedelta(days=360)
    assert (await renewed(world, certificate, None)).error == ""
    standing = await renewed(world, certificate, None, now=soon)
    assert standing.error.startswith("FW1763: ")
    assert standing.expires


class Certificate:
    """A login by certificate alone."""

    def __init__(self, certificate: bytes) -> None:
        self.certificate = certificate

    async def load(self, *, fresh: bool = False) -> Any:  # noqa: ARG002
        from reconciler.member.login import Login

        return Login(certificate=self.certificate)


async def test_a_log_that_fails_stops_it_before_the_new_token_is_used(world: World, file: Path) -> None:
    old = file.read_text()

    async def announce(_new: Issued) -> None:
        raise AuditError("the disk is full")

    with pytest.raises(AuditError):
        await renewed(world, TokenFile(file.parent, file.name), announce)
    assert file.read_text() == old
    assert list(file.parent.iterdir()) == [file]


async def test_two_at_once_make_one_token(world: World, file: Path) -> None:
    logged: list[Issued] = []

    async def announce(new: Issued) -> None:
        logged.append(new)

    source = TokenFile(file.parent, file.name)
    found = await asyncio.gather(*(renewed(world, source, announce) for _ in range(6)))
    assert [one.error for one in found] == [""] * 6
    assert sum(one.renewed for one in found) == len(logged) == 1
    assert file.read_text().strip() == logged[0].token


async def test_a_new_token_that_does_not_work_is_not_taken(world: World, file: Path) -> None:
    from reconciler.member.renewal import Renewal, renew

    async with world.transport() as good:
        stranger = world.cluster
        work = Renewal(
            good, TokenFile(file.parent, file.name), lambda _source: _dead(stranger.ca_bundle),
            datetime.now(UTC), LIFE, timedelta(seconds=20), nothing,
        )  # fmt: skip
        old = file.read_text()
        standing = await renew(work)
    assert standing.error.startswith("FW1761: ")
    assert file.read_text() == old


def _dead(ca_bundle: str) -> Any:
    """Another API server, which does not answer."""
    from reconciler.member.transport import Transport

    return Transport(("https://127.0.0.1:9",), ca_bundle, "", Token("x"), FAST)


CHILD = """
import asyncio, os, sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from reconciler.documents import Cluster, Credentials
from reconciler.member.client import Member
from reconciler.member.credentials import TokenFile
from reconciler.model import ClusterName, SourceRef

url, ca, file, how = sys.argv[1:]
cluster = Cluster(ClusterName("m"), {}, (url,), Path(ca).read_text(), "",
                  Credentials("tokenFile", path="m.token"), SourceRef("clusters/m.yaml"))

async def announce(new):
    if how == "exit":
        os._exit(9)

async def main():
    source = TokenFile(Path(file).parent, Path(file).name)
    async with Member(cluster, source, public_keys=[]) as member:
        print("begin", flush=True)
        await member.renew(timedelta(hours=2), datetime.now(UTC), announce)
        print("end", flush=True)

asyncio.run(main())
"""


def spawn(world: World, file: Path, how: str) -> subprocess.Popen[str]:
    server = world.plane.server
    command = [sys.executable, "-c", CHILD, server.url, str(server.ca_file), str(file), how]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


async def test_killed_before_it_is_published(world: World, file: Path) -> None:
    old = file.read_text()
    with spawn(world, file, "exit") as process:
        assert process.wait(60) == 9
    assert file.read_text() == old
    staged = file.with_name(f".{file.name}.new")
    assert staged.stat().st_mode & 0o777 == 0o600
    standing = await renewed(world, TokenFile(file.parent, file.name))
    assert standing.renewed
    assert list(file.parent.iterdir()) == [file]


async def test_killed_at_any_moment_a_working_token_is_in_the_file(world: World, file: Path) -> None:
    old = file.read_text()
    ended = 0
    for step in range(12):  # from the first request to well after the last
        with spawn(world, file, "on") as process:
            assert process.stdout
            assert process.stdout.readline() == "begin\n"
            try:
                process.wait(step * 0.012)
            except subprocess.TimeoutExpired:
                os.kill(process.pid, signal.SIGKILL)
            ended += "end" in process.stdout.read()
        token = file.read_text().strip()
        assert await works(world, token)
        if token != old:
            file.write_text(old)
    assert ended < 12
    assert (await renewed(world, TokenFile(file.parent, file.name))).renewed
    assert list(file.parent.iterdir()) == [file]
