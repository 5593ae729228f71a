"""Running the command line: whatever happens becomes an exit code and a message, never a traceback."""

from __future__ import annotations

import gc
import os
import sys

import click

from reconciler.surfaces.formats.safe import safe

ERROR = 2
INTERRUPTED = 130  # 128 + SIGINT, as shells report it


def collect_rarely() -> None:
    """A fleet is a great many small values that live until the end, and few cycles.

    Looking for cycles among them as often as Python does by default costs a third of a large check.
    """
    gc.set_threshold(100_000, 50, 100)


def run(command: click.Command) -> int:
    """Run with the process's arguments; returns the exit code."""
    collect_rarely()
    try:
        code = command.main(standalone_mode=False)
    except click.exceptions.Abort:
        click.echo("interrupted", err=True)
        return INTERRUPTED
    except click.ClickException as error:
        error.show()
        return ERROR
    except BrokenPipeError:
        # The reader (head, less) has gone: nothing to say, and nothing more to flush.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return INTERRUPTED
    except KeyboardInterrupt:
        click.echo("interrupted", err=True)
        return INTERRUPTED
    except Exception as error:
        if os.environ.get("FLEETWARD_DEBUG"):
            raise
        name = f"{type(error).__module__}.{type(error).__name__}"
        click.echo(f"error FW1000: this is a defect of fleetward: {name}: {safe(str(error))}", err=True)
        click.echo("    fix: report it with the output of the same command under FLEETWARD_DEBUG=1", err=True)
        return ERROR
    return code if isinstance(code, int) else 0
