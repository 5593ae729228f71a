"""Run as a program: append one entry after another while others do the same, and repeat what was refused.

``audit_racer.py PLACE NAME COUNT``: each line of stdout is ``<index> <NAME>-<number>``.
"""

from __future__ import annotations

import sys
from dataclasses import replace

from audit_helpers import drift
from audit_places import open_place

from reconciler.audit.codes import LogConflictError, LogUncertainError


def main(place: str, name: str, wanted: int) -> None:
    number = 0
    while number < wanted:
        log = open_place(place)
        try:
            [index] = log.append([replace(drift(), objects=(f"{name}-{number}",))])
        except LogUncertainError:
            raise  # nothing breaks here
        except LogConflictError:
            continue
        print(index, f"{name}-{number}", flush=True)
        number += 1


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
