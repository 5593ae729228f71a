"""``fleetward key``: the reconciler's own key, and that of sealed credentials."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from reconciler.surfaces.cli.options import fleet_options, output_option, print_json, reporter, settings_of

if TYPE_CHECKING:
    from reconciler.audit.entry import RotationReason
    from reconciler.audit.state import LogState
    from reconciler.model import Signer
    from reconciler.pipeline.rotating import Rotation
    from reconciler.surfaces.wiring import Wiring


@click.group("key")
def key_command() -> None:
    """The reconciler's own key: it signs change sets, members' records and the log.

    `key credentials` is about another one, which seals the credentials of members that joined.
    """


@key_command.command("show")
@fleet_options
@output_option("text", "json")
def show_command(output: str, **params: Any) -> int:
    """Show the public keys of the log, since when each is in force, and where the private one is.

    The public key is enough for this. Exit codes: 0 shown, 2 error.
    """
    from reconciler.surfaces import signing
    from reconciler.surfaces.wiring import wired

    settings = settings_of(params)
    with wired(settings, reporter()) as wiring:
        state = wiring.log_view().state()
        keys = _keys(state) or [{"key": signing.vkey(key), "since": None} for key in wiring.public_keys()]
    shown = {"private": signing.whereabouts(settings), "keys": keys}
    if output == "json":
        print_json(shown)
        return 0
    for key in keys:
        click.echo(f"{key['key']}  {_time_of(key)}")
        if "fingerprint" in key:
            click.echo(f"    {key['fingerprint']}")
    click.echo(f"private key: {shown['private'] or 'not on this machine'}")
    return 0


def _keys(state: LogState) -> list[dict[str, Any]]:
    from reconciler.audit.note import VerifierKey
    from reconciler.dsse import key_id

    return [
        {
            "key": key.vkey,
            "fingerprint": key_id(VerifierKey.parse(key.vkey).public_key),
            "since": key.since,
            "until": key.until,
            "believed": key.believed,
        }
        for key in state.keys
    ]


def _time_of(key: dict[str, Any]) -> str:
    if key["since"] is None:
        return "not in a log yet"
    if key["until"] is None:
        return f"in force since entry {key['since']}"
    doubt = "" if key["believed"] else ", compromised"
    return f"of entries {key['since']} to {key['until'] - 1}{doubt}"


@key_command.command("generate")
@fleet_options
@click.argument("uri", required=False, default="")
@output_option("text", "json")
def generate_command(uri: str, output: str, **params: Any) -> int:
    """Make a key: in the state folder, or on the token that a PKCS#11 URI names.

    `trust init` makes one in the state folder by itself. Exit codes: 0 made, 2 error.
    """
    from reconciler.surfaces import signing

    settings = settings_of(params)
    if uri:
        from reconciler.trust.keyuri import parse_uri
        from reconciler.trust.pkcs11 import generate_on_token, read_pin

        place = parse_uri(uri)
        key: Signer = generate_on_token(place, read_pin(place, settings.pin))
        where = str(place)
    else:
        key, where = signing.make_key(settings), str(settings.key_file)
    if output == "json":
        print_json({"key": signing.vkey(key.public_key), "private": where})
    else:
        click.echo(f"{signing.vkey(key.public_key)}\nprivate key: {where}")
    return 0


@key_command.command("rotate")
@fleet_options
@click.option("--new-key", default="", metavar="FILE|URI", help="The new private key; default: made now.")
@click.option("--compromised", is_flag=True, help="Others may have the old key: believe its records no more.")
@click.option("--lost", is_flag=True, help="Nobody has the old key any more.")
@output_option("text", "json")
def rotate_command(new_key: str, compromised: bool, lost: bool, output: str, **params: Any) -> int:
    """Replace the key in the log, and use the new one from then on. Run it again if it broke off.

    Exit codes: 0 done, 2 error.
    """
    from reconciler.audit.entry import RotationReason
    from reconciler.surfaces.wiring import wired

    if compromised and lost:
        raise click.UsageError(
            "--compromised and --lost exclude each other: without the old key, use --lost."
        )
    reason = RotationReason.COMPROMISE if compromised else RotationReason.ROTATION
    settings = settings_of(params)
    with wired(settings, reporter()) as wiring:
        done, old_file = _rotate(wiring, new_key, RotationReason.LOSS if lost else reason)
    facts = {"index": done.index, "old": done.old, "new": done.new, "oldFile": str(old_file or "")}
    if output == "json":
        print_json(facts)
        return 0
    click.echo(f"entry {done.index}: {done.old} is replaced by {done.new}")
    if old_file:
        click.echo(f"the old private key is in {old_file}: destroy it when you need no way back")
    if settings.signing_key:
        click.echo("FLEETWARD_SIGNING_KEY: name the new key there before the next run")
    elif not settings.key_file.exists():
        click.echo("set FLEETWARD_SIGNING_KEY to the new key's URI")
    if lost or compromised:
        click.echo("tell everybody who pinned the old key to take the new one; the runbook says how")
    return 0


def _rotate(wiring: Wiring, new_key: str, reason: RotationReason) -> tuple[Rotation, Any]:
    """The new key is durable first, then the log names it, then it is used: each step may be repeated."""
    from reconciler.audit.entry import RotationReason
    from reconciler.pipeline.rotating import require_replaceable, rotate_key, rotation_to
    from reconciler.surfaces import signing
    from reconciler.surfaces.wiring import actor

    lost, pinned = reason is RotationReason.LOSS, wiring.public_keys()
    old = None if lost else wiring.key()
    if old and not signing.next_file(wiring.settings).exists():
        require_replaceable(wiring.log(old, pinned).state())  # before a key is made for nothing
    if lost:
        _require_lost(wiring, pinned)
    new = signing.next_key(wiring.settings, new_key)
    log = wiring.log(new, pinned)
    done = rotation_to(log.state(), signing.vkey(new.public_key))
    if done is None:
        log = wiring.log(old, pinned) if old else log
        done = rotate_key(log, new, actor=actor(), reason=reason, old=old)
    return done, signing.take_over(wiring.settings, new)


def _require_lost(wiring: Wiring, pinned: tuple[bytes, ...]) -> None:
    """Raises RotationError when the key that is called lost is there."""
    from reconciler.errors import FleetwardError
    from reconciler.surfaces import signing
    from reconciler.trust.errors import RotationError

    try:
        key = wiring.key()
    except FleetwardError:
        return
    if key.public_key in pinned:
        raise RotationError(
            "the old key is not lost", where=signing.whereabouts(wiring.settings),
            hint="let it sign for its successor: leave out --lost, or give --compromised",
        )  # fmt: skip


@key_command.command("credentials")
@fleet_options
@click.option("--rotate", is_flag=True, help="Make a new key and seal everything with it.")
@output_option("text", "json")
def credentials_command(rotate: bool, output: str, **params: Any) -> int:
    """Show the key that seals credentials, or replace it. Run it again if it broke off.

    A key from elsewhere (systemd, FLEETWARD_CREDENTIALS_KEY) is not replaced: put the new one before the
    old one in its file, run this with --rotate, then take the old one away. Exit codes: 0 done, 2 error.
    """
    from reconciler.member.resealing import rotate_seal_key
    from reconciler.surfaces.formats.safe import safe

    settings = settings_of(params)
    keys = settings.seal_keys
    done = rotate_seal_key(keys, settings.credentials) if rotate else None
    ring = [key.id.hex() for key in keys.load()]
    if output == "json":
        changed = {"sealed": done.files, "foreign": done.foreign} if done else {}
        print_json({"file": str(keys.path), "keys": ring, **changed})
        return 0
    for name in done.files if done else ():
        click.echo(f"sealed anew: {safe(name)}")
    for name in done.foreign if done else ():
        click.echo(f"left alone, it is sealed with a key that is not here: {safe(name)}")
    for number, key in enumerate(ring):
        click.echo(f"{key}  {'only opens' if number else 'seals and opens'}")
    click.echo(f"in {keys.path}")
    return 0
