"""Run as a program: append to a log for ever and say what was appended; made to be killed.

``audit_writer.py PLACE NAME``: each line of stdout is ``<index> <objects[0]>``, written after ``append``
returned. Entries are told apart by NAME and a number.
"""

import random
import sys
from dataclasses import replace

from audit_helpers import drift
from audit_places import open_place

from reconciler.audit.entry import digest_of, outcomes_body
from reconciler.model import ObjectOutcome, ObjectRef, ObjectResult


def main(place: str, name: str) -> None:
    log = open_place(place)
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
    main(sys.argv[1], sys.argv[2])
