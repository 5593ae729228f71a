"""clusters/<name>.yaml of a work tree: found, judged as it would be after a change, and written.

Rules kept here
- Only a work tree is changed, for review: nothing is added to the index, committed or pushed.
- A name is a name before it is part of a path.
- What the change would make wrong is known before anything is written: findings of the file itself, and those
  that the rest of the fleet would have and does not have now. With one that is an error nothing is written.
- A file that was changed by somebody else in between is left alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from reconciler.documents import Cache, load
from reconciler.documents.codes import did_you_mean
from reconciler.documents.formats import is_subdomain
from reconciler.documents.kinds import CLUSTERS
from reconciler.errors import SettingsError
from reconciler.files import replace as replace_file
from reconciler.model import Blobs, Finding, Severity, Snapshot, SourceRef
from reconciler.repository.objects import git_id
from reconciler.surfaces import yaml_edit

if TYPE_CHECKING:
    from reconciler.surfaces.wiring import Wiring


@dataclass(frozen=True, slots=True)
class Proposed:
    """A change of one registration; ``new`` is None for its removal."""

    name: str
    path: str  # in the repository
    file: Path
    old: bytes
    new: bytes | None
    findings: tuple[Finding, ...]  # errors that it would bring
    fresh: bool = False  # there is no such file yet

    @property
    def changes(self) -> bool:
        """Whether anything would be written."""
        return self.old != self.new

    def write(self) -> None:
        """Make, replace or delete the file. Raises SettingsError."""
        try:
            if self.fresh:
                self.file.parent.mkdir(exist_ok=True)
                with self.file.open("xb") as file:
                    file.write(self.new or b"")
                return
            if self.file.read_bytes() != self.old:
                raise SettingsError("the file has just been changed", where=self.path, hint="run again")
            if self.new is None:
                self.file.unlink()
            else:
                replace_file(self.file, self.new)
        except OSError as error:
            raise SettingsError(
                "the file cannot be changed", where=str(self.file), got=error.strerror or ""
            ) from error


def propose(wiring: Wiring, name: str, edit: Callable[[yaml_edit.Document], None] | None) -> Proposed:
    """What ``edit`` would make of a registration in the work tree; None removes it.

    Raises SettingsError for a name that is none or is not registered, RepositoryError without a work tree.
    """
    top = work_tree(wiring.settings.repo)
    checks = wiring.checks()
    snapshot = checks.repository.worktree()
    path = registration(snapshot.files, name)
    old = snapshot.read(path)
    new = None if edit is None else _edited(old, edit, path)
    findings = () if new == old else _brought(snapshot, path, new, checks.cache)
    return Proposed(name, path, top / path, old, new, findings)


def propose_new(wiring: Wiring, name: str, text: bytes) -> Proposed:
    """The registration of a cluster that has none yet. Raises as ``propose``, also where there is one."""
    top = work_tree(wiring.settings.repo)
    checks = wiring.checks()
    snapshot = checks.repository.worktree()
    path = _path(name)
    if path in snapshot.files or (top / path).exists():
        hint = f"`fleetward cluster show {name} --worktree` shows it"
        raise SettingsError("a cluster of this name is registered already", where=path, hint=hint)
    findings = _brought(snapshot, path, text, checks.cache)
    return Proposed(name, path, top / path, b"", text, findings, fresh=True)


def _path(name: str) -> str:
    """Raises SettingsError for what is no name."""
    if not is_subdomain(name):
        expected = "a DNS-1123 subdomain such as member-a"
        raise SettingsError("not the name of a cluster", expected=expected, got=name[:253])
    return f"{CLUSTERS}/{name}.yaml"


def work_tree(repo: str) -> Path:
    """The top of the work tree that ``repo`` is or lies in. Raises SettingsError."""
    here = Path(repo)
    for folder in (here, *here.parents) if here.is_dir() else ():
        if (folder / ".git").exists():
            return folder
    hint = "name a clone of the fleet's repository with --repo"
    raise SettingsError("changes are written to a work tree, and here is none", where=repo, hint=hint)


def registration(paths: Mapping[str, str], name: str) -> str:
    """The path of a cluster's file. Raises SettingsError."""
    path = _path(name)
    if path not in paths:
        folder, end = f"{CLUSTERS}/", ".yaml"
        known = [p[len(folder) : -len(end)] for p in paths if p.startswith(folder) and p.endswith(end)]
        listed = f"registered are {', '.join(sorted(known)[:10]) or 'none'}"
        raise SettingsError("no such cluster", got=name, hint=did_you_mean(name, known, listed))
    return path


def _edited(old: bytes, edit: Callable[[yaml_edit.Document], None], path: str) -> bytes:
    try:
        text = old.decode()
    except UnicodeDecodeError as error:
        raise SettingsError("the file is not UTF-8", where=path) from error
    return yaml_edit.edited(text, edit, name=path).encode()


def _brought(snapshot: Snapshot, path: str, new: bytes | None, cache: Cache) -> tuple[Finding, ...]:
    """Errors of the file as it would be, and those of other files that are not there yet."""
    before = set(load(snapshot, cache=cache).findings)
    after = [
        f for f in load(_with(snapshot, path, new), cache=cache).findings if f.severity is Severity.ERROR
    ]
    return tuple(
        # Without its line: that is one of a text which is not going to be written.
        replace(found, source=SourceRef(path)) if found.source and found.source.path == path else found
        for found in after
        if (found.source and found.source.path == path) or found not in before
    )


def _with(snapshot: Snapshot, path: str, new: bytes | None) -> Snapshot:
    """The snapshot after the change. The blob's id is the true one: what was read is cached under it."""
    if new is None:
        return replace(snapshot, files={p: blob for p, blob in snapshot.files.items() if p != path})
    blob = git_id("blob", new)
    overlay = _Overlay(snapshot.blobs, blob, new)
    return replace(snapshot, files={**snapshot.files, path: blob}, blobs=overlay)


@dataclass(frozen=True, slots=True)
class _Overlay:
    """The blobs of a snapshot, and one more."""

    blobs: Blobs
    blob: str
    content: bytes

    def read(self, blob: str) -> bytes:
        """Raises RepositoryError."""
        return self.content if blob == self.blob else self.blobs.read(blob)
