"""Run as a program: append to a log for ever and say what was appended; made to be killed.

``audit_writer.py DIR NAME``: each line of stdout is ``<index> <objects[0]>``, written after ``append``
returned. Entries are told apart by NAME and a number.
"""

import random
import sys
from dataclasses import replace
from pathlib import Path

from audit_helpers import drift, open_log

from reconciler.audit.entry import digest_of, outcomes_body
from reconciler.model import ObjectOutcome, ObjectRef, ObjectResult


def main(directory: Path, name: str) -> None:
    log = open_log(directory)
    number = 0
    while True:
        batch = []
        for _ in range(random.choice((1, 1, 2, 3, 40))):  # noqa: S311
            number += 1
            batch.append(replace(drift(), objects=(f"{name}-{number}",)))
        body = outcomes_body([ObjectOutcome(ObjectRef("", "X", "", str(number)), ObjectResult.CREATED)])
        indices = log.append(batch, {digest_of(body): body})
        said = "".join(f"{i} {entry.objects[0]}\n" for i, entry in zip(indices, batch, strict=True))
        sys.stdout.write(said)
        sys.stdout.flush()


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
