"""What the codes of the use cases mean and what to do; docs/runbook.md is made from ``CODES``.

The classes stand beside the use cases that raise them (``reconcile``, ``trusting``, ``check``). They share
the numbers of the trust room, because each is about which commit may be believed.

>>> CODES["FW1250"][0]
'No commit has been trusted yet.'
"""

# code -> (meaning, what to do)
CODES: dict[str, tuple[str, str]] = {
    "FW1250": (
        "No commit has been trusted yet.",
        "Review a commit and name it: `fleetward trust init --commit SHA`. If there was a log before, it was "
        "lost: restore it instead.",
    ),
    "FW1251": (
        "The log belongs to another repository.",
        "Give the location that the trust was initialized with, or another --state and --log.",
    ),
    "FW1252": (
        "The commit was refused; nothing was applied anywhere.",
        "Findings about content: push a commit on top that mends them. Findings about signatures: rewrite "
        "the branch from the last accepted commit on, so that every commit is signed.",
    ),
    "FW1253": (
        "The log already trusts a commit.",
        "Run `fleetward reconcile`: it accepts later commits. Another fleet needs another --state.",
    ),
    "FW1254": (
        "The commit named to `trust init` does not pass its own rules.",
        "See all findings with `fleetward check --rev SHA`; one of its own signers has to have signed it.",
    ),
    "FW1255": (
        "The base of the check has no usable federation.yaml, so nobody is trusted.",
        "Name a base that has one (--against), or mend federation.yaml there first.",
    ),
}
