"""``fleetward trust add-signer|rotate|revoke|import``: write the change, for review; nothing is pushed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from reconciler.errors import SettingsError
from reconciler.files import replace

if TYPE_CHECKING:
    from reconciler.trust.allowed_signers import AllowedSigner

REPO = click.option(
    "--repo", "-r", metavar="PATH", default=".", envvar="FLEETWARD_REPO", type=click.Path(path_type=Path),
    help="Work tree of the fleet.  [env: FLEETWARD_REPO; default: .]",
)  # fmt: skip
KEYS = click.option(
    "--key", "keys", multiple=True, metavar="FILE|LINE", help="SSH public key: a .pub file, or its line."
)


@click.command("add-signer")
@REPO
@click.argument("name")
@KEYS
@click.option("--openpgp", multiple=True, metavar="FILE", help="OpenPGP certificate: `gpg --armor --export`.")
@click.option("--principal", "principals", multiple=True, help="A name in certificates of the authorities.")
@click.option(
    "--authority", default="", metavar="NAME", help="Whose certificates give the --principal names."
)
@click.option("--role", "roles", multiple=True, help="A group that approvals ask for.")
@click.option("--valid-after", metavar="TIME", help="From when the keys count, e.g. 2027-01-31T00:00:00Z.")
@click.option("--valid-before", metavar="TIME", help="Until when the keys count.")
def add_signer_command(
    repo: Path,
    name: str,
    keys: tuple[str, ...],
    openpgp: tuple[str, ...],
    principals: tuple[str, ...],
    authority: str,
    roles: tuple[str, ...],
    valid_after: str | None,
    valid_before: str | None,
) -> int:
    """Write a new signer into federation.yaml, or new keys, principals and roles of one that is there.

    The change is written to the work tree for you to sign and have reviewed.
    """
    from reconciler.surfaces import root_edit

    if not (keys or openpgp or principals or roles):
        raise SettingsError("nothing to add", hint="give --key, --openpgp, --principal or --role")
    window = [_time(valid_after), _time(valid_before)]
    lines, blocks = [_ssh(key) for key in keys], [_read(Path(path)) for path in openpgp]
    return _write(
        repo,
        lambda spec: root_edit.add_signer(
            spec,
            name,
            keys=lines,
            openpgp=blocks,
            principals=[{"name": one, "authority": authority} for one in principals]
            if authority
            else principals,
            roles=roles,
            valid_after=window[0],
            valid_before=window[1],
        ),
    )


@click.command("rotate")
@REPO
@click.argument("name")
@click.option("--key", required=True, metavar="FILE|LINE", help="The new SSH public key.")
@click.option("--overlap", default="168h", show_default=True, help="How long the old keys still count.")
def rotate_command(repo: Path, name: str, key: str, overlap: str) -> int:
    """Write a signer's new SSH key into federation.yaml, and when the old ones end.

    A commit is judged by when it was first seen, so what the old keys signed in time stays good.
    """
    from reconciler.documents.durations import parse_duration
    from reconciler.surfaces import root_edit

    try:
        life = parse_duration(overlap)
    except ValueError as error:
        raise SettingsError("not a duration", expected="e.g. 168h", got=overlap) from error
    until = (datetime.now(UTC) + life).replace(microsecond=0)
    line = _ssh(key)
    return _write(repo, lambda spec: root_edit.rotate(spec, name, line, until))


@click.command("revoke")
@REPO
@click.argument("name")
@KEYS
def revoke_command(repo: Path, name: str, keys: tuple[str, ...]) -> int:
    """Take a signer, or with --key single SSH keys of one, out of federation.yaml.

    It holds from the next accepted commit on; what was accepted before stays accepted.
    """
    from reconciler.surfaces import root_edit

    lines = [_ssh(key) for key in keys]
    return _write(repo, lambda spec: root_edit.revoke(spec, name, lines))


@click.command("import")
@REPO
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--role", "roles", multiple=True, help="A role that all of them get.")
def import_command(repo: Path, file: Path, roles: tuple[str, ...]) -> int:
    """Write the signers of an allowed_signers file (ssh-keygen(1)) into federation.yaml."""
    from reconciler.surfaces.formats.findings import text
    from reconciler.trust.allowed_signers import parse_allowed_signers

    found = parse_allowed_signers(_read(file, "utf-8"), str(file))
    click.echo(text((*found.problems, *found.skipped)), nl=False, err=True)
    if found.problems:
        raise SettingsError("the file has lines that cannot be taken", where=str(file), hint="mend them")
    if not found.signers:
        raise SettingsError("the file has no signers", where=str(file), expected="lines of allowed_signers")

    def edit(spec: dict[str, Any]) -> None:
        for one in found.signers:
            (_import_authority if one.is_authority else _import_key)(spec, one, roles)

    return _write(repo, edit)


def _import_key(spec: dict[str, Any], one: AllowedSigner, roles: Sequence[str]) -> None:
    """A key belongs to one person, whose other names are said and left out."""
    from reconciler.surfaces import root_edit

    name, *others = one.principals
    if others:
        click.echo(f"line {one.line}: the key is {name}'s; left out: {', '.join(others)}", err=True)
    root_edit.add_signer(
        spec, name, keys=[one.key_text], roles=roles, valid_after=one.valid_after,
        valid_before=one.valid_before,
    )  # fmt: skip


def _import_authority(spec: dict[str, Any], one: AllowedSigner, roles: Sequence[str]) -> None:
    """The CA and whom it certifies, each apart; a root gives an end to people and keys, and to no CA.

    Without a KRL: the check of the work tree asks for one, or for saying that there is none.
    """
    from reconciler.surfaces import root_edit

    if one.valid_after or one.valid_before:
        raise SettingsError(
            "an authority has no window of time in federation.yaml", where=f"line {one.line}",
            hint="leave valid-after and valid-before out, and give them to the signers afterwards",
        )  # fmt: skip
    known = spec.setdefault("authorities", [])
    authority = next((each["name"] for each in known if each.get("ssh") == one.key_text), "")
    if not authority:
        authority = f"allowed-signers-{one.line}"
        known.append({"name": authority, "ssh": one.key_text})
    for name in one.principals:
        principal = {"name": name, "authority": authority}
        root_edit.add_signer(spec, name, principals=[principal], roles=roles)


def _write(repo: Path, edit: Callable[[dict[str, Any]], None]) -> int:
    """Edit the file in place, and say what comes next."""
    from reconciler.surfaces.root_edit import edited

    path = repo / "federation.yaml"
    try:
        text = edited(path.read_text("utf-8"), edit)
        _require_fit(text)
        replace(path, text.encode())
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(
            "federation.yaml cannot be changed",
            where=str(path),
            got=str(error),
            hint="name its work tree with --repo",
        ) from error
    click.echo(f"wrote {path}, with the next version of the trust root")
    click.echo("Next: fleetward check --worktree; then sign, push and have it reviewed:")
    click.echo('    git commit -S -m "Change who may sign" federation.yaml')
    return 0


def _require_fit(text: str) -> None:
    """What was given fits the schema; what else a root lacks is for `fleetward check` to say."""
    from reconciler.documents.alone import misfits
    from reconciler.documents.reader import read
    from reconciler.documents.schema import own_schemas

    data, kind = text.encode(), "Federation"
    body = read(data).documents[0].value
    for found in misfits(own_schemas()[kind], kind, body, "federation.yaml", data):
        raise SettingsError(
            found.message, where=str(found.source or ""), expected=found.expected, got=found.got,
            hint="nothing was written; give a value that fits",
        )  # fmt: skip


def _ssh(key: str) -> str:
    """ "TYPE BASE64" of a line, or of the one line of a file. Raises SettingsError, KeyTypeError."""
    from reconciler.trust.sshkeys import parse_key_text

    text = key if " " in key.strip() else _only_line(Path(key))
    line = " ".join(text.split()[:2])
    parse_key_text(line)
    return line


def _only_line(path: Path) -> str:
    lines: Sequence[str] = _read(path).strip().splitlines()
    if len(lines) != 1:
        raise SettingsError("not a public key file", where=str(path), expected="one line, as in a .pub file")
    return lines[0]


def _read(path: Path, encoding: str = "ascii") -> str:
    try:
        return path.read_text(encoding)
    except OSError as error:
        raise SettingsError("the file cannot be read", where=str(path), got=error.strerror or "") from error
    except UnicodeDecodeError as error:
        expected = "armoured or plain text" if encoding == "ascii" else "text in UTF-8"
        raise SettingsError(
            "the file is no text",
            where=str(path),
            expected=expected,
            got=f"byte {error.object[error.start]:#04x}",
        ) from error


def _time(text: str | None) -> datetime | None:
    from reconciler.documents.formats import parse_time

    try:
        return parse_time(text) if text else None
    except ValueError as error:
        raise SettingsError(
            "not a time", expected="RFC 3339 in UTC, 2027-01-31T00:00:00Z", got=text or ""
        ) from error
