"""``fleetward init``: a new fleet repository."""

from __future__ import annotations

import re
from pathlib import Path

import click

from reconciler.surfaces.cli.options import output_option, print_json


@click.command("init")
@click.argument("directory", type=click.Path(path_type=Path))
@click.option("--name", help="The fleet's name.  [default: the folder's name]")
@click.option("--signer", help="Name of the first signer.  [default: git's user.name]")
@click.option(
    "--key",
    type=click.Path(path_type=Path, dir_okay=False),
    help="The signer's SSH public key file.  [default: git's user.signingkey, then ~/.ssh/id_ed25519.pub]",
)
@output_option("text", "json")
def init_command(
    directory: Path, name: str | None, signer: str | None, key: Path | None, output: str
) -> None:
    """Make a new fleet repository in DIRECTORY from the template, ready to sign and push."""
    from reconciler.surfaces.template import NewFleet, git_config, read_public_key, write_template

    public_key = read_public_key(key)
    fleet = NewFleet(
        _name(name or directory.resolve().name),
        _name(signer or git_config("user.name") or "admin"),
        public_key,
    )
    files = [str(path) for path in write_template(directory, fleet)]
    if output == "json":
        print_json({"directory": str(directory), "fleet": fleet.name, "signer": fleet.signer, "files": files})
        return
    click.echo(f"{len(files)} files in {directory}; {fleet.signer} signs with the key {public_key[:40]}...")
    click.echo("Next:")
    for step in (
        f"cd {directory} && git init -b main",
        "git config gpg.format ssh && git config commit.gpgsign true && git config user.signingkey KEY.pub",
        "git add -A && git commit -m 'A new fleet'",
        "fleetward check",
        "fleetward trust init --commit $(git rev-parse HEAD)",
    ):
        click.echo(f"  {step}")


def _name(text: str) -> str:
    return re.sub(r"[^a-z0-9-]+", "-", text.lower()).strip("-") or "fleet"
