"""Sealed credentials without a server: the format, the key's file, its rotation killed at every step."""

from __future__ import annotations

import base64
import os
import signal
import sys
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from reconciler.errors import FleetwardError
from reconciler.member import errors
from reconciler.member.credentials import TokenFile
from reconciler.member.resealing import rotate_seal_key
from reconciler.member.seal_keys import MAX_KEYS, KeyFile, parse_keys, text_of
from reconciler.member.sealed import HEADER, SealKey, is_sealed, seal, unseal
from reconciler.member.token_file import claimed, forget_token, keep_token, read_token, staged_of

KEY = SealKey(bytes(range(32)))
OTHER = SealKey(bytes(32))
LABEL = "joined/a.token"


@pytest.fixture
def keys(tmp_path: Path) -> KeyFile:
    """Ours, not made yet."""
    return KeyFile(tmp_path / "state" / "credentials.key", tmp_path / "state" / "credentials.lock")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A credentials folder."""
    path = tmp_path / "credentials"
    path.mkdir(mode=0o700)
    return path


@given(st.binary(max_size=300), st.text(min_size=1, max_size=80))
def test_what_is_sealed_opens_there_and_nowhere_else(secret: bytes, label: str) -> None:
    label = label.encode("utf-8", "replace").decode()
    sealed = seal(KEY, label, secret)
    assert is_sealed(sealed)
    assert unseal([OTHER, KEY], label, sealed) == secret
    assert len(secret) < 8 or secret not in base64.b64decode(sealed.split(b"\n")[1])
    assert seal(KEY, label, secret) != sealed  # another nonce
    with pytest.raises(errors.DamagedSealError):
        unseal([KEY], f"{label}x", sealed)
    with pytest.raises(errors.WrongSealKeyError):
        unseal([OTHER], label, sealed)


@given(st.data())
def test_one_altered_bit_is_seen(data: st.DataObject) -> None:
    whole = bytearray(base64.b64decode(seal(KEY, LABEL, b"token\n").split(b"\n")[1]))
    at = data.draw(st.integers(0, len(whole) * 8 - 1))
    whole[at // 8] ^= 1 << at % 8
    with pytest.raises((errors.DamagedSealError, errors.WrongSealKeyError)):
        unseal([KEY], LABEL, HEADER + b"\n" + base64.b64encode(whole) + b"\n")


PARTS = st.sampled_from([HEADER, b"fleetward-sealed-v2", b"\n", b"=", b"AAAA", b"\r\n", b"\xff", b" "])


@given(st.binary(max_size=400) | st.lists(PARTS | st.binary(max_size=40), max_size=12).map(b"".join))
@example(HEADER)
@example(HEADER + b"\n")
@example(HEADER + b"\n" + base64.b64encode(KEY.id + bytes(28)) + b"\n")
@example(HEADER + b"\n" + b"A" * (2 << 20))
def test_whatever_bytes_there_are_they_are_refused_with_a_code(data: bytes) -> None:
    with pytest.raises((errors.DamagedSealError, errors.WrongSealKeyError)) as found:
        unseal([KEY], LABEL, data)
    assert found.value.code in ("FW1792", "FW1795")


@given(st.binary(max_size=300) | st.lists(st.sampled_from([b"fleetward-credentials-key-v1", b" ", b"\n", b"#",
       base64.b64encode(bytes(32)), b"=", b"A"]), max_size=12).map(b"".join))  # fmt: skip
def test_a_key_file_is_keys_or_refused(data: bytes) -> None:
    try:
        found = parse_keys(data, "k")
    except errors.SealKeyError as error:
        assert error.code == "FW1791"
    else:
        assert parse_keys(text_of(found), "k") == found
        assert 0 < len(found) <= MAX_KEYS


async def test_a_file_of_ours_is_sealed_and_read(folder: Path, keys: KeyFile) -> None:
    keep_token(folder, LABEL, "secret-token", keys)
    path = folder / LABEL
    assert b"secret-token" not in path.read_bytes()
    assert path.stat().st_mode & 0o777 == 0o600
    assert keys.path.stat().st_mode & 0o777 == 0o600
    assert keys.path.parent.stat().st_mode & 0o777 == 0o700
    assert (await TokenFile(folder, LABEL, keys).load()).token == "secret-token"
    assert repr(keys.load()) == "(SealKey(),)"
    (folder / "link.token").symlink_to(path)  # another name of the same file
    assert read_token(folder, "link.token", keys) == b"secret-token\n"
    (folder / "joined" / "b.token").write_bytes(path.read_bytes())  # another file
    with pytest.raises(errors.DamagedSealError):
        read_token(folder, "joined/b.token", keys)


def test_no_key_another_key_and_a_key_that_others_can_read(folder: Path, keys: KeyFile) -> None:
    keep_token(folder, LABEL, "t", keys)
    text = keys.path.read_bytes()
    with pytest.raises(errors.SealKeyMissingError):
        read_token(folder, LABEL, None)
    keys.path.chmod(0o640)
    with pytest.raises(errors.SealKeyError) as found:
        read_token(folder, LABEL, keys)
    assert found.value.got == "mode 0640"
    elsewhere = KeyFile(keys.path, keys.lock, ours=False)  # systemd's mask shows so
    assert read_token(folder, LABEL, elsewhere) == b"t\n"
    keys.path.unlink()
    with pytest.raises(errors.SealKeyMissingError):
        read_token(folder, LABEL, keys)
    with pytest.raises(errors.SealKeyMissingError):
        keep_token(folder, LABEL, "t", elsewhere)  # is not made by us
    keys.path.mkdir()
    with pytest.raises(errors.SealKeyError):
        read_token(folder, LABEL, keys)
    keys.path.rmdir()
    keep_token(folder, "joined/b.token", "u", keys)
    with pytest.raises(errors.WrongSealKeyError) as wrong:
        read_token(folder, LABEL, keys)
    assert keys.load()[0].id.hex() == wrong.value.got
    keys.path.write_bytes(keys.path.read_bytes() + text)  # what the hint says
    assert read_token(folder, LABEL, keys) == b"t\n"


async def test_sealed_stays_sealed_and_plain_stays_plain(folder: Path, keys: KeyFile) -> None:
    keep_token(folder, LABEL, "old", keys)
    (folder / "plain").write_text("old")
    for name, sealed in ((LABEL, True), ("plain", False)):
        async with claimed(folder, name, "old", keys) as slot:
            assert slot
            await slot.stage("new")
            assert read_token(folder, name, keys).strip() == b"old"
            assert (b"new" in slot.staged.read_bytes()) is not sealed
            assert slot.staged.stat().st_mode & 0o777 == 0o600
            await slot.publish()
        assert read_token(folder, name, keys) == b"new\n"
        assert is_sealed((folder / name).read_bytes()) is sealed
        async with claimed(folder, name, "old", keys) as slot:
            assert slot is None


async def test_while_a_token_is_replaced_neither_key_nor_file_goes(folder: Path, keys: KeyFile) -> None:
    keep_token(folder, LABEL, "old", keys)
    async with claimed(folder, LABEL, "old", keys) as slot:
        assert slot
        with pytest.raises(errors.TokenFileError, match="just now"):
            forget_token(folder, LABEL, keys)
        await slot.stage("new")
        with pytest.raises(errors.SealKeyError, match="being sealed"):
            rotate_seal_key(keys, folder)
        await slot.publish()
    rotate_seal_key(keys, folder)
    with keys.rotating():
        for work in (lambda: forget_token(folder, LABEL, keys), lambda: keep_token(folder, LABEL, "t", keys)):
            with pytest.raises(errors.SealKeyError):
                work()
    assert read_token(folder, LABEL, keys) == b"new\n"


def test_forgotten_is_forgotten_and_may_be_repeated(folder: Path, keys: KeyFile) -> None:
    assert not forget_token(folder, LABEL, keys)
    keep_token(folder, LABEL, "t", keys)
    keep_token(folder, "joined/b.token", "t", keys)
    staged_of(folder / LABEL).write_text("left by a killed run")
    assert forget_token(folder, LABEL, keys)
    assert not forget_token(folder, LABEL, keys)
    assert [path.name for path in (folder / "joined").iterdir()] == ["b.token"]


def test_a_new_key_seals_everything_and_the_old_one_opens_nothing(folder: Path, keys: KeyFile) -> None:
    for name in ("a", "b"):
        keep_token(folder, f"joined/{name}.token", name, keys)
    (folder / "plain").write_text("plain")
    old = keys.load()
    foreign = folder / "foreign"
    foreign.write_bytes(seal(SealKey.new(), "foreign", b"x"))
    before = foreign.read_bytes()
    done = rotate_seal_key(keys, folder)
    assert (done.files, done.foreign) == (("joined/a.token", "joined/b.token"), ("foreign",))
    assert keys.load() != old
    assert len(keys.load()) == 1
    assert [read_token(folder, f"joined/{name}.token", keys) for name in "ab"] == [b"a\n", b"b\n"]
    with pytest.raises(errors.WrongSealKeyError):
        unseal(old, LABEL, (folder / LABEL).read_bytes())
    assert foreign.read_bytes() == before
    assert (folder / "plain").read_text() == "plain"


def test_while_one_file_does_not_open_the_old_key_is_kept(folder: Path, keys: KeyFile) -> None:
    keep_token(folder, LABEL, "t", keys)
    (folder / "copied").write_bytes((folder / LABEL).read_bytes())
    for _ in range(2):
        with pytest.raises(errors.DamagedSealError):
            rotate_seal_key(keys, folder)
        assert len(keys.load()) == 2
    (folder / "copied").unlink()
    rotate_seal_key(keys, folder)
    assert len(keys.load()) == 1
    assert read_token(folder, LABEL, keys) == b"t\n"


def test_a_key_from_elsewhere_is_not_written(folder: Path, keys: KeyFile) -> None:
    keep_token(folder, LABEL, "t", keys)
    given = KeyFile(keys.path, keys.lock, ours=False)
    keys.path.write_bytes(text_of([OTHER, *keys.load()]))
    written = keys.path.read_bytes()
    assert rotate_seal_key(given, folder).files == (LABEL,)
    assert keys.path.read_bytes() == written
    keys.path.write_bytes(text_of([OTHER]))
    assert read_token(folder, LABEL, given) == b"t\n"


def killed_at(step: int, keys: KeyFile, folder: Path) -> bool:
    """A rotation in a process that kills itself before its ``step``-th change of a folder; whether it did."""
    if child := os.fork():
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
    seen = 0

    def watch(event: str, _arguments: object) -> None:
        nonlocal seen
        if event in ("os.rename", "os.remove", "os.link", "tempfile.mkstemp"):
            seen += 1
            if seen == step:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(watch)
    try:
        rotate_seal_key(keys, folder)
    finally:
        os._exit(0)


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_killed_at_every_step_of_a_rotation_the_next_one_finishes(folder: Path, keys: KeyFile) -> None:
    names = [f"joined/{name}.token" for name in "abc"]
    for name in names:
        keep_token(folder, name, name, keys)
    kills = begun = 0
    for step in range(1, 40):
        killed = killed_at(step, keys, folder)
        assert [read_token(folder, name, keys).decode().strip() for name in names] == names, step
        if not killed:
            break
        kills += 1
        before = keys.load()
        rotate_seal_key(keys, folder)
        assert len(keys.load()) == 1
        assert len(before) == 1 or keys.load()[0] == before[0]  # what was begun was finished, not begun anew
        begun += len(before) == 2
        assert sorted(path.name for path in keys.path.parent.iterdir()) == [keys.path.name, keys.lock.name]
        assert [read_token(folder, name, keys).decode().strip() for name in names] == names, step
    assert kills >= 15  # the key twice and three files, with three steps each
    assert begun >= 10


def test_no_error_shows_a_secret(folder: Path, keys: KeyFile) -> None:
    keep_token(folder, LABEL, "secret-token", keys)
    (folder / LABEL).write_bytes((folder / LABEL).read_bytes()[:-9])
    for broken in (keys, KeyFile(folder / "none", keys.lock), None):
        with pytest.raises(FleetwardError) as found:
            read_token(folder, LABEL, broken)
        text = str(found.value) + repr(found.value)
        assert "secret-token" not in text
        assert base64.b64encode(keys.load()[0].secret).decode() not in text
