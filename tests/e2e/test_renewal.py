"""Renewal in whole runs: logged, shown when it goes wrong, and explained in the member's own audit log."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from e2e_proxy import Proxy
from e2e_world import Fleet, Plane, manifest
from token_kit import aged, claims_of

from reconciler.audit.entry import CommitRefused, CredentialRenewed, CredentialRole
from reconciler.member.bootstrap import ACCOUNT, VIEWER
from reconciler.pipeline.joining import join
from reconciler.pipeline.run import MemberState

pytestmark = pytest.mark.real


def old(plane: Plane) -> str:
    """A token with a sixth of its life left."""
    return aged(plane.member, plane.token(ACCOUNT), age=3000, left=600)


@pytest.fixture
def file(fleet: Fleet, a: Plane) -> Path:
    """A fleet whose member-a is logged in to by a token file, which is due."""
    path = fleet.settings.credentials / "member-a.token"
    path.write_text(old(a))
    fleet.start(fleet.registration("member-a", credentials={"tokenFile": path.name}))
    return path


def read(fleet: Fleet) -> dict[str, Any]:
    """member-a as ``fleetward status`` has it."""
    answer = json.loads(fleet.run("status", "-o", "json", "-q").stdout)
    return {one["cluster"]: one for one in answer}["member-a"]


def secrets_in(folder: Path, *secrets: str) -> list[Path]:
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert files
    return [path for path in files if any(secret.encode() in path.read_bytes() for secret in secrets)]


def test_a_run_renews_logs_and_shows(fleet: Fleet, a: Plane, file: Path) -> None:
    before = file.read_text()
    done = fleet.run("reconcile", "--once", "-y", "-o", "json", "-q")
    assert done.returncode == 0, done.stderr
    token = file.read_text().strip()
    ends = datetime.fromtimestamp(claims_of(token)["exp"], UTC)
    member = {one["cluster"]: one for one in json.loads(done.stdout)["members"]}["member-a"]
    assert member["credential"] == {"expires": ends.isoformat(), "renewed": True, "error": ""}
    assert ends.timestamp() - claims_of(token)["iat"] == 24 * 3600
    (entry,) = [entry for entry in fleet.entries() if isinstance(entry, CredentialRenewed)]
    assert (entry.cluster, entry.role, entry.expires) == ("member-a", CredentialRole.ADMIN, ends)
    assert entry.cluster_uid == a.get("/api/v1/namespaces/kube-system")["metadata"]["uid"]
    assert read(fleet)["credential_expires"] == ends.isoformat()
    (fleet.settings.state / "contacts.json").unlink()  # the log knows it too
    assert read(fleet)["credential_expires"] == ends.isoformat()
    line = next(x for x in fleet.run("audit", "log").stdout.splitlines() if "credential-renewed" in x)
    assert f"member-a: admin, until {ends:%Y-%m-%dT%H:%M:%SZ}" in line
    with fleet.wiring() as wiring:
        joined = join(wiring.log_view(), [a.member.audit_log], cluster="member-a")
    assert joined.tokens >= 1
    # Others' tests write to the same member; this request of ours has to be explained.
    assert entry.audit_id not in {f.event.audit_id for f in joined.findings if f.event}
    assert secrets_in(fleet.machine, token, before) == []
    assert token not in done.stdout + done.stderr
    assert fleet.reconcile().converged
    assert file.read_text().strip() == token
    assert len([e for e in fleet.entries() if isinstance(e, CredentialRenewed)]) == 1
    fleet.assert_log_whole()


def test_the_wanted_life_is_the_federations(fleet: Fleet, file: Path) -> None:
    fleet.commit({"federation.yaml": fleet.federation(credentials={"tokenLifetime": "90m"})})
    fleet.reconcile()  # the limits of the commit before still hold
    file.write_text(aged(fleet.planes["member-a"].member, file.read_text().strip(), age=3000, left=600))
    assert fleet.reconcile().converged
    claims = claims_of(file.read_text())
    assert claims["exp"] - claims["iat"] == 90 * 60


def test_what_cannot_be_renewed_is_shown_long_before_it_ends(fleet: Fleet, a: Plane, tmp_path: Path) -> None:
    """A kubeconfig with a token: another one made it, another one has to renew it."""
    name = "aged.kubeconfig"
    kubeconfig = (fleet.settings.credentials / "member-a.kubeconfig").read_text()
    start, _, rest = kubeconfig.partition("token: ")
    token = aged(a.member, a.token(ACCOUNT), age=80_000, left=30_000)
    (fleet.settings.credentials / name).write_text(f"{start}token: {token}\n{rest.partition(chr(10))[2]}")
    fleet.start(fleet.registration("member-a", credentials={"kubeconfig": {"path": name}}))
    done = fleet.run("reconcile", "--once", "-y", "-q")
    assert done.returncode == 0, done.stdout + done.stderr  # the credential is still good
    warning = "warning: the credential expires in 8h: FW1763: "
    assert warning in done.stdout
    shown = fleet.run("status", "-q")
    assert shown.returncode == 0, shown.stdout
    assert f"member-a: {warning}" in shown.stdout
    answer = read(fleet)
    assert answer["credential_error"].startswith("FW1763: ")
    assert datetime.fromisoformat(answer["credential_expires"]) > datetime.now(UTC)
    assert token not in shown.stdout + done.stdout + done.stderr


def test_a_log_that_cannot_be_written_leaves_the_old_token(fleet: Fleet, file: Path) -> None:
    before = file.read_text()
    log = fleet.log_folder / "checkpoint"
    body = log.read_bytes()
    log.unlink()
    log.mkdir()
    done = fleet.run("reconcile", "--once", "-y", "-q")
    assert done.returncode == 2
    assert file.read_text() == before
    log.rmdir()
    log.write_bytes(body)
    assert {one.state for one in fleet.reconcile().members} == {MemberState.APPLIED}
    assert file.read_text() != before


def renewals(fleet: Fleet) -> list[tuple[str, CredentialRole]]:
    return [(one.cluster, one.role) for one in fleet.entries() if isinstance(one, CredentialRenewed)]


def test_a_suspended_members_credentials_are_renewed_and_nothing_else_is_done(
    fleet: Fleet, a: Plane, proxy: Callable[[str], Proxy]
) -> None:
    front = proxy("member-a")
    own, viewer = (fleet.settings.credentials / f"member-a.{name}" for name in ("token", "viewer"))
    own.write_text(old(a))
    viewer.write_text(aged(a.member, a.token(VIEWER), age=3000, left=600))
    before = own.read_text(), viewer.read_text()
    spec = {"credentials": {"tokenFile": own.name}, "viewerCredentials": {"tokenFile": viewer.name}}
    fleet.start(fleet.registration("member-a", front.url, suspend=True, **spec))
    done = fleet.run("reconcile", "--once", "-y", "-o", "json", "-q")
    assert done.returncode == 0, done.stderr
    member = {one["cluster"]: one for one in json.loads(done.stdout)["members"]}["member-a"]
    assert (member["state"], member["counts"], a.versions()) == ("suspended", None, {})
    assert member["credential"]["renewed"] and member["viewerCredential"]["renewed"]
    assert own.read_text() != before[0] and viewer.read_text() != before[1]
    assert renewals(fleet) == [("member-a", CredentialRole.ADMIN), ("member-a", CredentialRole.VIEWER)]
    assert read(fleet)["credential_expires"] == member["credential"]["expires"]
    front.forget()
    assert fleet.run("reconcile", "--once", "-y", "-q").returncode == 0
    assert front.seen == [], "nothing was due, so nobody was asked"
    fleet.assert_log_whole()


def test_another_cluster_at_a_suspended_members_address_gets_no_new_credential(
    fleet: Fleet, a: Plane, file: Path
) -> None:
    """What a good look refuses is refused here too: this one knows us by another name."""
    before = file.read_text()
    spec = {"credentials": {"tokenFile": file.name}, "username": "system:serviceaccount:other:reconciler"}
    fleet.commit(fleet.registration("member-a", suspend=True, **spec))
    done = fleet.run("reconcile", "--once", "-y", "-q")
    assert (done.returncode, file.read_text(), renewals(fleet)) == (0, before, []), done.stderr
    assert "warning: the credential expires in 9m: FW1719: " in done.stdout
    assert read(fleet)["credential_error"].startswith("FW1719: ")


def test_a_refused_head_lets_no_credential_end(fleet: Fleet, a: Plane, file: Path) -> None:
    before = file.read_text()
    bad = fleet.repo.commit(manifest("settings", colour="red"), by="mallory")
    done = fleet.run("reconcile", "--once", "-y", "-q")
    assert (done.returncode, "FW1252" in done.stderr) == (2, True), done.stderr
    assert file.read_text() != before
    assert renewals(fleet) == [("member-a", CredentialRole.ADMIN)]
    assert [one.commit for one in fleet.entries() if isinstance(one, CommitRefused)] == [bad]
    assert a.versions() == {}
    assert read(fleet)["credential_expires"]
    again = fleet.run("reconcile", "--once", "-y", "-q")
    assert (again.returncode, again.stderr) == (2, done.stderr)
    assert len(renewals(fleet)) == 1


def test_a_forge_that_is_away_lets_no_credential_end(
    fleet: Fleet, a: Plane, file: Path, tmp_path: Path
) -> None:
    remote = tmp_path / "remote.git"
    fleet.repo.git("clone", "--bare", "-q", str(fleet.repo.path), str(remote))
    fleet = replace(fleet, location=f"file://{remote}", machine=tmp_path / "other")
    fleet.trust(fleet.repo.head())
    remote.rename(tmp_path / "away.git")
    before = file.read_text()
    done = fleet.run("reconcile", "--once", "-y", "-q")
    assert (done.returncode, "FW1108" in done.stderr) == (2, True), done.stderr
    assert file.read_text() != before
    assert renewals(fleet) == [("member-a", CredentialRole.ADMIN)]
    assert a.versions() == {}
