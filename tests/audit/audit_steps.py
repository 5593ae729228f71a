"""Run as a program: append two batches, and die by SIGKILL in the middle of the second.

``audit_steps.py PLACE NAME FIRST SECOND``: entries are ``NAME-<number>``. After the first batch it says
``armed`` and reads a number N from stdin: the system calls through Python (open, rename, mkdir, a new
process) of the second batch are counted, and before the Nth of them the process kills itself; 0 never does.
Each line of stdout but that is ``<index> <name>``, written after ``append`` returned.
"""

from __future__ import annotations

import os
import signal
import sys
from dataclasses import replace
from itertools import count
from typing import Any

from audit_helpers import drift
from audit_places import open_place

from reconciler.audit.entry import digest_of, outcomes_body
from reconciler.audit.log import Log
from reconciler.model import ObjectOutcome, ObjectRef, ObjectResult

STEPS = {
    "open",
    "os.rename",
    "os.mkdir",
    "os.rmdir",
    "os.remove",
    "shutil.rmtree",
    "fcntl.flock",
    "subprocess.Popen",
}


def append(log: Log, name: str, numbers: range) -> None:
    body = outcomes_body([ObjectOutcome(ObjectRef("", "X", "", name), ObjectResult.CREATED)])
    batch = [replace(drift(), objects=(f"{name}-{number}",)) for number in numbers]
    indices = log.append(batch, {digest_of(body): body})
    for index, entry in zip(indices, batch, strict=True):
        print(index, entry.objects[0])
    sys.stdout.flush()


def die_at(step: int) -> None:
    steps = count(1)

    def hook(event: str, _: Any) -> None:
        if event in STEPS and next(steps) == step:
            os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(hook)


def main(place: str, name: str, first: int, second: int) -> None:
    log = open_place(place)
    append(log, name, range(first))
    print("armed", flush=True)
    step = int(sys.stdin.readline())
    if step:
        die_at(step)
    append(log, name, range(first, first + second))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
