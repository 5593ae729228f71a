"""``fleetward serve``: the primary's join endpoint."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from reconciler.surfaces.cli.options import fleet_options, reporter, settings_of

if TYPE_CHECKING:
    from reconciler.surfaces.join_server import JoinServer


@click.command("serve")
@fleet_options
@click.option(
    "--listen", metavar="IP", help="Listen here only.  [default: all; loopback for a loopback primary]"
)
@click.option("--port", type=click.IntRange(0, 65_535), help="TCP port.  [default: as promoted]")
@click.option("--allow-loopback", is_flag=True, help="Members may be on this very machine.")
def serve_command(listen: str | None, port: int | None, allow_loopback: bool, **params: Any) -> int:
    """Answer clusters that join, until interrupted.

    Needs the state folder that `fleetward promote` ran with. Exit codes: 0 ended, 2 error.
    """
    from cryptography.hazmat.primitives.serialization import Encoding

    from reconciler.pipeline.membership.door import Door
    from reconciler.surfaces.join_server import JoinServer
    from reconciler.surfaces.membership import door_ports, is_loopback, require_keys
    from reconciler.surfaces.wiring import wired
    from reconciler.trust.pinned import issue_leaf

    settings, report = settings_of(params), reporter()
    with wired(settings, report) as wiring:
        primary, key, authority = require_keys(settings, wiring.log(wiring.key()).state())
        here = is_loopback(primary.address)
        issue = partial(issue_leaf, authority, (primary.address,))
        door = Door(door_ports(wiring, key, loopback=allow_loopback or here))
        ca_pem = authority.certificate.public_bytes(Encoding.PEM)
        server = JoinServer(door, ca_pem, issue, report)
        host = listen or ("127.0.0.1" if here else None)
        return asyncio.run(_serve(server, host, primary.port if port is None else port))


async def _serve(server: JoinServer, host: str | None, port: int) -> int:
    from reconciler.errors import SettingsError

    task = asyncio.ensure_future(server.serve(host, port, lambda at: click.echo(f"serving on port {at}")))
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    try:
        with contextlib.suppress(asyncio.CancelledError):
            await task
    except OSError as error:
        raise SettingsError(
            "cannot listen there", got=error.strerror or str(error), where=f"{host}:{port}"
        ) from error
    return 0
