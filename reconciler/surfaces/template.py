"""A new fleet repository from the product's template.

The template's placeholders are replaced as plain text. The schemas are copied to ``.fleetward/schemas`` for
editors only: what counts are those that the product ships. Nothing that exists is ever overwritten.
"""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from reconciler import __version__
from reconciler.errors import FleetwardError, SettingsError
from reconciler.product import product_root

_KEY_TYPES = ("ssh-", "ecdsa-sha2-", "sk-ssh-", "sk-ecdsa-")


class NotEmptyError(FleetwardError):
    """The folder has contents that init would mix with."""

    code = "FW1003"


class SignerKeyError(FleetwardError):
    """No public key for the first signer."""

    code = "FW1004"


@dataclass(frozen=True, slots=True)
class NewFleet:
    """What a person chose for a new fleet."""

    name: str
    signer: str
    key: str  # "ssh-ed25519 AAAA..."


def write_template(directory: Path, fleet: NewFleet) -> list[Path]:
    """Write the template below ``directory``; returns the files. Raises NotEmptyError."""
    if directory.exists() and any(entry.name != ".git" for entry in directory.iterdir()):
        raise NotEmptyError(
            "the folder is not empty", where=str(directory), hint="name a new folder, or an empty clone"
        )
    root = product_root()
    written = [_write(source, directory, root / "template", fleet) for source in _files(root / "template")]
    schemas = directory / ".fleetward" / "schemas"
    shutil.copytree(root / "schemas" / "v1alpha1", schemas / "v1alpha1")
    return written


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def _write(source: Path, directory: Path, template: Path, fleet: NewFleet) -> Path:
    target = directory / source.relative_to(template)
    target.parent.mkdir(parents=True, exist_ok=True)
    text = source.read_text(encoding="utf-8")
    for mark, value in (
        ("@FLEET_NAME@", fleet.name),
        ("@SIGNER_NAME@", fleet.signer),
        ("@SIGNER_KEY@", fleet.key),
        ("@PRODUCT_VERSION@", __version__),
    ):
        text = text.replace(mark, value)
    target.write_text(text, encoding="utf-8")
    return target


def read_public_key(path: Path | None) -> str:
    """Type and key of an SSH public key file; None looks where git and ssh would."""
    candidates = [path] if path else [*_git_signing_key(), Path("~/.ssh/id_ed25519.pub").expanduser()]
    for candidate in candidates:
        if candidate.is_file():
            return _parse_public_key(candidate)
    raise SignerKeyError(
        "no public key for the first signer",
        got=", ".join(str(candidate) for candidate in candidates),
        hint="make one with `ssh-keygen -t ed25519` and pass its .pub file with --key",
    )


def _parse_public_key(path: Path) -> str:
    fields = path.read_text(encoding="utf-8", errors="replace").split()
    if len(fields) < 2 or not fields[0].startswith(_KEY_TYPES):
        raise SignerKeyError(
            "not an SSH public key", where=str(path), expected="ssh-ed25519 AAAA...", hint="pass a .pub file"
        )
    return f"{fields[0]} {fields[1]}"


def _git_signing_key() -> list[Path]:
    value = git_config("user.signingkey")
    if not value or value.startswith("key::"):
        return []
    path = Path(value).expanduser()
    return [path if path.suffix == ".pub" else path.with_name(path.name + ".pub")]


def git_config(name: str) -> str:
    """A value of the user's Git configuration, "" where there is none."""
    try:
        done = subprocess.run(["git", "config", "--get", name], capture_output=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise SettingsError("git cannot be run", got=str(error), hint="install git") from error
    return done.stdout.decode("utf-8", "replace").strip()
