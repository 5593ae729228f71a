"""The command line. Commands parse and print; the use cases in ``pipeline`` decide.

Every command is a module of this package, loaded when it is called, so that ``fleetward --help`` stays
fast. Exit codes: 0 good, 1 the answer is no (findings, changes, not converged), 2 an error.
"""

from __future__ import annotations

import sys

from reconciler.surfaces.cli.root import cli

__all__ = ["cli", "main"]


def main() -> None:
    """Entry point of ``fleetward``: runs a command, turns our errors into a message and exit code 2."""
    from reconciler.surfaces.cli.run import run

    sys.exit(run(cli))
