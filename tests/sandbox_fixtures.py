"""The shared control planes: ``pytest_plugins = ["sandbox_fixtures"]`` in ``conftest.py`` brings them.

- Tests that need them carry ``@pytest.mark.real``. Each worker of pytest-xdist has clusters of its own, so no
  lock has to be shared.
- The clusters start when the first test asks and end with the session, whatever ends it.
- A test leaves the members running; its objects go into names of its own.
"""

import sys
from collections.abc import Iterator

import pytest

from reconciler.sandbox import binaries
from reconciler.sandbox.local import Sandbox

MEMBERS = ("primary", "member-a", "member-b")


def _report(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


@pytest.fixture(scope="session")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """A primary and two members, running."""
    with Sandbox(tmp_path_factory.mktemp("sandbox"), report=_report) as running:
        running.up(MEMBERS)
        yield running


@pytest.fixture(scope="session")
def opa() -> str:
    """The path of a real OPA."""
    return str(binaries.ensure(["opa"], _report)["opa"])
