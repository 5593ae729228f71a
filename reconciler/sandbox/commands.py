"""What ``fleetward sandbox up`` and ``down`` do: control planes that outlive the command.

members = up(folder, ["primary", "member-a"], report=print)
members["member-a"].kubeconfig       # for kubectl and for cluster registrations
down(folder)                         # from any process, at any later time
"""

from collections.abc import Callable, Sequence
from pathlib import Path

from reconciler.sandbox.local import Sandbox, quiet
from reconciler.sandbox.members import Member


def up(
    directory: Path, names: Sequence[str], *, controllers: bool = True, report: Callable[[str], None] = quiet
) -> dict[str, Member]:
    """Start clusters that run until ``down``; raises and leaves nothing running if one does not start."""
    return Sandbox(directory, controllers=controllers, keep=True, report=report).up(names)


def down(directory: Path, report: Callable[[str], None] = quiet) -> None:
    """End exactly the processes that ``sandbox.json`` names, if they are still the same ones."""
    Sandbox.attach(directory, report).down()
    report(f"the sandbox in {directory} is down; its logs are in {directory / 'logs'}")
