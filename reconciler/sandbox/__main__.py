"""``python -m reconciler.sandbox``: find or build the real components, with progress."""

import sys

from reconciler.errors import FleetwardError
from reconciler.sandbox import binaries

if __name__ == "__main__":
    try:
        binaries.ensure(binaries.RECIPES, lambda line: print(line, file=sys.stderr))  # noqa: T201
    except FleetwardError as error:
        sys.exit(str(error))
