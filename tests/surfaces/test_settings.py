"""Settings: flags before variables before defaults; the caches that never fail a run."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from reconciler.model import ClusterName
from reconciler.pipeline.contact import Contact
from reconciler.surfaces.cache import FileCache
from reconciler.surfaces.contacts import FileContacts
from reconciler.surfaces.settings import fleet_id, resolve

FLAGS = dict.fromkeys(("repo", "state", "cache", "credentials", "log"))


def test_flags_come_before_the_environment() -> None:
    environment = {"FLEETWARD_REPO": "/env", "FLEETWARD_STATE": "/state", "FLEETWARD_LOG": "git"}
    settings = resolve({**FLAGS, "repo": "/flag"}, environment)
    assert (settings.repo, settings.state, settings.log) == ("/flag", Path("/state"), "git")
    assert settings.credentials == Path("/state/credentials")


def test_each_fleet_has_a_state_of_its_own() -> None:
    one, other = (resolve({**FLAGS, "repo": repo}, {}).state for repo in ("/a/fleet", "/b/fleet"))
    assert one != other
    assert one.name.startswith("fleet-")
    assert fleet_id("git@host.example:team/fleet.git").startswith("fleet-")


def test_the_key_never_shows() -> None:
    assert "SECRET" not in repr(resolve(FLAGS, {"FLEETWARD_SIGNING_KEY": "SECRET"}))


def test_the_cache_keeps_and_survives_its_own_ruin(tmp_path: Path) -> None:
    many = {f"k{n}": str(n).encode() for n in range(25_000)}
    with FileCache(tmp_path) as cache:
        cache.put_many(many)
    with FileCache(tmp_path) as cache:
        assert cache.get_many([*many, "absent"]) == many
    (tmp_path / "cache.sqlite").write_bytes(b"not a database" * 100)
    for path in tmp_path.glob("cache.sqlite-*"):
        path.unlink()
    with FileCache(tmp_path) as cache:
        assert cache.get("k1") is None
    with FileCache(tmp_path) as cache:
        cache.put("k1", b"again")
    with FileCache(tmp_path) as cache:
        assert cache.get("k1") == b"again"


def test_contacts_survive_a_restart_and_nonsense(tmp_path: Path) -> None:
    path = tmp_path / "state" / "contacts.json"
    contact = Contact(seen=datetime(2026, 1, 2, tzinfo=UTC), error="no route", failures=2, objects=9)
    FileContacts(path).put(ClusterName("a"), contact)
    assert FileContacts(path).get(ClusterName("a")) == contact
    assert FileContacts(path).get(ClusterName("b")) == Contact()
    for nonsense in (b"", b"[]", b"{'", b'{"a": 3}', b'{"a": {"what": 1}}', b"\xff"):
        path.write_bytes(nonsense)
        assert FileContacts(path).get(ClusterName("a")) == Contact()
