"""Where secrets are meant to be, and everything else that a test left in a folder.

Credential places are learned and not searched: files that only their owner may read (no bit of 077) and that
have a known name, or lie in a folder of a known name. A key that is readable by others, or that lies
somewhere else, is no credential place, and what is secret in it is found there.

Everything else is searched: files whole, Git repositories object by object (loose and packed, reachable or
not), gzip files unpacked. Symbolic links are not followed: what they lead to is searched where it is.

Not searched, and counted in ``Walk.skipped``: files above ``MAX_FILE``; objects and unpacked gzip above
``MAX_OBJECT``; what is beyond ``MAX_TOTAL`` bytes of one folder. Nor is the data of etcd, which is where a
cluster keeps its Secrets, nor that of a software HSM.
"""

from __future__ import annotations

import os
import re
import stat
import zlib
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import pygit2

MAX_FILE, MAX_OBJECT, MAX_TOTAL = 64 << 20, 16 << 20, 512 << 20  # bytes
_NAMES = re.compile(
    r".+\.token(\.\w+)?|.+\.key(\.(old|new)[\w-]*)?|.+\.kubeconfig|kubeconfig.*|[\w-]+-(viewer|admin)|config"
    r"|ca\.pem|tokens\.csv|pin|id_\w+"
    r"|\.[\w.-]+\.\w+"  # a credential on its way to its place (a mkstemp beside it)
)
_FOLDERS = re.compile(r"joined|kubeconfigs|keys|private-keys-v1\.d|openpgp-revocs\.d|credentials|pki")
_STORES = ("etcd", "tokens")  # of etcd; of SoftHSM
_KINDS = {1: "commit", 2: "tree", 3: "blob", 4: "tag"}  # of libgit2


@dataclass
class Walk:
    """What is in a folder: ``places`` to learn from, ``files`` and ``repositories`` to search."""

    places: list[Path] = field(default_factory=list)
    files: list[Path] = field(default_factory=list)
    repositories: list[Path] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)


def walk(root: Path) -> Walk:
    """Everything below ``root``; what vanishes meanwhile was not left there."""
    found = Walk()
    _walk(str(root), found)
    return found


def _walk(folder: str, found: Walk) -> None:
    try:
        entries = list(os.scandir(folder))
    except OSError:
        return
    names = {entry.name for entry in entries}
    if {"HEAD", "objects", "refs"} <= names:
        found.repositories.append(Path(folder))
        entries = [entry for entry in entries if entry.name != "objects"]
    for entry in entries:
        if entry.is_dir(follow_symlinks=False):
            if not _is_store(folder, entry.name):
                _walk(entry.path, found)
        elif entry.is_file(follow_symlinks=False):
            _sort(entry, Path(folder).name, found)


def _is_store(folder: str, name: str) -> bool:
    return name in _STORES and (name != "tokens" or Path(folder, "softhsm2.conf").exists())


def _sort(entry: os.DirEntry[str], folder: str, found: Walk) -> None:
    try:
        facts = entry.stat(follow_symlinks=False)
    except OSError:
        return
    private = not stat.S_IMODE(facts.st_mode) & 0o077
    if private and (_NAMES.fullmatch(entry.name) or _FOLDERS.fullmatch(folder)):
        found.places.append(Path(entry.path))
    elif facts.st_size:
        found.files.append(Path(entry.path))


def contents(found: Walk) -> Iterator[tuple[str, bytes]]:
    """Where and what, of all that is to be searched; adds to ``found.skipped``."""
    left = MAX_TOTAL
    for where, data in _pieces(found):
        left -= len(data)
        if left < 0:
            found.skipped.append(f"{where} and more: above {MAX_TOTAL} bytes in one folder")
            return
        yield where, data


def _pieces(found: Walk) -> Iterator[tuple[str, bytes]]:
    for path in found.files:
        try:
            if path.stat().st_size > MAX_FILE:
                found.skipped.append(f"{path}: larger than {MAX_FILE} bytes")
                continue
            data = path.read_bytes()
        except OSError:
            continue
        yield str(path), data
        if data[:2] == b"\x1f\x8b":
            yield f"{path} (unpacked)", _unpacked(data)
    for path in found.repositories:
        yield from _objects(path, found)


def _unpacked(data: bytes) -> bytes:
    """As far as it can be: some are cut or damaged on purpose."""
    unpack, found, size = zlib.decompressobj(31), b"", 1 << 12
    with suppress(zlib.error):
        for at in range(0, len(data), size):
            if len(found) >= MAX_OBJECT:
                break
            found += unpack.decompress(data[at : at + size], MAX_OBJECT)
    return found


def _objects(path: Path, found: Walk) -> Iterator[tuple[str, bytes]]:
    """Every object of a repository, whether anything refers to it or not."""
    try:
        store = pygit2.Odb(str(path / "objects"))
        ids = list(store)
    except (pygit2.GitError, OSError, ValueError):
        found.skipped.append(f"{path}: not a repository that can be read")
        return
    for one in ids:
        try:
            if store.read_header(one)[1] > MAX_OBJECT:
                found.skipped.append(f"{path}: object {one} is larger than {MAX_OBJECT} bytes")
                continue
            kind, data = store.read(one)[:2]
        except (pygit2.GitError, KeyError, ValueError):
            continue  # broken on purpose
        yield f"{path}: {_KINDS.get(kind, 'object')} {one}", data
