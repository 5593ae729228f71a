"""Which registrations were kicked, and which stored credentials are a member's own."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from reconciler.audit.membership import Joined, Kicked, Membership
from reconciler.audit.state import ClusterState, IntentState, LogState
from reconciler.documents.fleet import Credentials
from reconciler.pipeline.membership.refused import ClusterKnownError
from reconciler.pipeline.membership.registration import Standing, require_unknown
from reconciler.pipeline.membership.request import JoinRequest
from reconciler.pipeline.membership.standing import paths_of, registration_digest, stored_credentials
from reconciler.surfaces.forgetting import forget_files
from reconciler.surfaces.settings import Settings

NOW = datetime(2026, 1, 1, tzinfo=UTC)
DIGEST = registration_digest(b"x")


class NoBranches:
    """A repository with these branches."""

    def __init__(self, *names: str) -> None:
        self.names = names

    def branch(self, ref: str) -> str | None:
        return "0" * 40 if ref in self.names else None


def request(uid: str = "uid-1", name: str = "new") -> JoinRequest:
    return JoinRequest("", "", name, uid, ("https://new.example",), "", "", "")


def kicked(index: int, left: int | None) -> Kicked:
    return Kicked(index, "uid-1", DIGEST, "", False, True, "ann", NOW, left)


def state(*, intent: int = 1, joined: int | None = None, kick: Kicked | None = None) -> LogState:
    made = IntentState(intent, "uid-1", "0" * 40, DIGEST, 1, NOW)
    joins = {"old": Joined(joined, "uid-1", "0" * 40, "refs/heads/join/old", "", NOW)} if joined else {}
    membership = Membership(joined=joins, kicked={"old": kick} if kick else {})
    return LogState(clusters={"old": ClusterState(intent=made)}, membership=membership)


@pytest.mark.parametrize(
    ("log", "free"),
    [
        (state(), False),
        (state(kick=kicked(2, None)), False),
        (state(intent=3, kick=kicked(2, None)), False),
        (state(intent=3, kick=kicked(2, 4)), True),
        (state(intent=3, joined=1, kick=kicked(2, 4)), True),
        (state(intent=5, kick=kicked(2, 4)), False),
        (state(intent=1, joined=2), False),
    ],
)
def test_a_cluster_that_was_kicked_may_come_back(log: LogState, free: bool) -> None:
    standing = Standing("0" * 40, {"old": frozenset()}, None)
    branches = NoBranches("refs/heads/join/old")
    if free:
        require_unknown(request(), log, standing, branches)  # type: ignore[arg-type]
        return
    with pytest.raises(ClusterKnownError):
        require_unknown(request(), log, standing, branches)  # type: ignore[arg-type]


def test_a_name_that_another_cluster_took_stands_for_that_one_alone() -> None:
    joins = {"old": Joined(7, "uid-2", "0" * 40, "refs/heads/join/old", "", NOW)}
    earlier = ClusterState(intent=IntentState(3, "uid-1", "0" * 40, DIGEST, 1, NOW))
    log = LogState(clusters={"old": earlier}, membership=Membership(joined=joins))
    standing = Standing("0" * 40, {"old": frozenset()}, None)
    require_unknown(request("uid-1"), log, standing, NoBranches())  # type: ignore[arg-type]
    with pytest.raises(ClusterKnownError):
        require_unknown(request("uid-2"), log, standing, NoBranches())  # type: ignore[arg-type]


def test_which_credentials_are_a_members_own() -> None:
    assert stored_credentials("a", None, []) == (["joined/a.token"], [])
    assert stored_credentials("a", None, [b"tokenFile: joined/a.token"]) == ([], ["joined/a.token"])
    assert stored_credentials("a", None, [b"tokenFile: joined/a.tokens"]) == (["joined/a.token"], [])
    pair = Credentials("clientCertificate", cert_file="a.crt", key_file="a.key")
    assert paths_of(pair) == {"a.crt", "a.key"}
    assert paths_of(Credentials("secretRef", secret_name="x")) == set()


def test_only_files_inside_the_folder_are_removed(tmp_path: Path) -> None:
    folder = tmp_path / "credentials"
    (folder / "joined").mkdir(parents=True)
    outside = tmp_path / "outside.token"
    for path in (outside, folder / "joined" / "a.token", folder / "joined" / ".a.token.new"):
        path.write_text("secret")
    (folder / "link.token").symlink_to(outside)
    (folder / "away").symlink_to(tmp_path)
    settings = Settings("", tmp_path, tmp_path, folder, "", "")
    wanted = [
        "joined/a.token",
        "link.token",
        "away/outside.token",
        "../outside.token",
        "joined",
        "none.token",
    ]
    removed, left = forget_files(settings, wanted)
    assert removed == ("joined/a.token",)
    assert [line.split()[2] for line in left] == ["link.token", "away/outside.token", "../outside.token"]
    assert outside.read_text() == "secret"
    assert list((folder / "joined").iterdir()) == []
