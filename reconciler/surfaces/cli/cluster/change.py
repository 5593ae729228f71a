"""``fleetward cluster set``: write a change of a registration into the work tree."""

from __future__ import annotations

from pathlib import Path

import click

from reconciler.errors import SettingsError
from reconciler.surfaces.cli.cluster.common import edit_options, finish, name_argument, proposed

MAX_CA = 262_144  # bytes, as the schema has it


@click.command("set")
@edit_options
@name_argument
@click.option("--label", "labels", multiple=True, metavar="KEY=VALUE|KEY-", help="Set or remove a label.")
@click.option("--mode", type=click.Choice(["enforce", "observe"]), help="Write to the member, or only plan.")
@click.option(
    "--api-server", "api_servers", multiple=True, metavar="URL", help="All its API servers, in this order."
)
@click.option("--ca-file", metavar="FILE", type=click.Path(path_type=Path), help="PEM: the new caBundle.")
@click.option("--credentials", metavar="KIND:...", help="How to log in; see below.")
@click.option("--interval", metavar="DURATION", help="Between two runs, e.g. 10m.")
@click.option("--kubernetes-version", metavar="1.MINOR", help="Whose schemas its objects have to pass.")
@click.option("--tls-server-name", metavar="NAME", help="Name expected in the API server's certificate.")
def set_command(
    repo: str | None,
    name: str,
    labels: tuple[str, ...],
    mode: str | None,
    api_servers: tuple[str, ...],
    ca_file: Path | None,
    credentials: str | None,
    interval: str | None,
    kubernetes_version: str | None,
    tls_server_name: str | None,
    output: str,
) -> int:
    """Write a change of the registration NAME into the work tree, for you to sign and have reviewed.

    An empty interval, version or TLS name ('') takes the field out. What has findings is not written.

    \b
    --credentials kubeconfig:PATH            keeps the context
    --credentials tokenFile:PATH
    --credentials clientCertificate:CERT,KEY
    --credentials secretRef:[NAMESPACE/]NAME
    --credentials 'exec:COMMAND ARGS...'     keeps the environment

    Paths are relative to the credentials folder of the host. Exit codes: 0 written or nothing to change,
    1 findings, 2 error.
    """
    from reconciler.surfaces.cluster_edit import Change, parse_credentials, parse_labels

    change = Change(
        labels=parse_labels(labels),
        api_servers=api_servers,
        ca_bundle=_certificates(ca_file) if ca_file else None,
        credentials=parse_credentials(credentials) if credentials is not None else None,
        mode=mode,
        interval=interval,
        kubernetes_version=kubernetes_version,
        tls_server_name=tls_server_name,
    )
    if change == Change():
        raise SettingsError("nothing to set", hint="`fleetward cluster set --help` lists what can be set")
    return finish(proposed(repo, name, change.apply), output, "Change the registration of")


def _certificates(path: Path) -> str:
    """The file's text. Whether it holds certificates, and nothing secret, is for the schema to say."""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_CA + 1)
        if len(data) > MAX_CA:
            raise SettingsError("the CA file is too large", where=str(path), expected=f"{MAX_CA} bytes")
        return data.decode("ascii").replace("\r\n", "\n")
    except (OSError, UnicodeDecodeError) as error:
        hint = "name a PEM file"
        raise SettingsError(
            "the CA file cannot be read", where=str(path), got=_why(error), hint=hint
        ) from error


def _why(error: OSError | UnicodeDecodeError) -> str:
    return (error.strerror or "") if isinstance(error, OSError) else "bytes that are not ASCII"
