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
    "FW1270": (
        "No change set explains an object on a member.",
        "Find who made it (`kubectl get -o yaml --show-managed-fields`, the member's audit log), then delete "
        "it or put it into the fleet's repository.",
    ),
    "FW1271": (
        "The member has no record.",
        "A member in mode observe, or one that was never reconciled, has none. Otherwise somebody deleted "
        "it; `fleetward reconcile` writes a new one.",
    ),
    "FW1272": (
        "The member's record is older than the change set that the log says was applied last.",
        "The member was restored from a backup, or somebody put an old record back: find out which, then "
        "`fleetward reconcile --deep`.",
    ),
    "FW1273": (
        "An object on a member is not what its change set says.",
        "The differences are named. Find who wrote them, then `fleetward reconcile --deep`; what was written "
        "beside the applied fields stays until its manager or an administrator takes it away.",
    ),
    "FW1274": (
        "The log has no intent of a change set that the member or a later change set names.",
        "The log was replaced or cut: restore its newest copy. Until then treat the change set as forged.",
    ),
    "FW1275": (
        "A change set says something else than the log's entry, or is for another member.",
        "Somebody could sign with the reconciler's key: rotate it as after a compromise.",
    ),
    "FW1276": (
        "A change set is of a commit that was not the one accepted last.",
        "Somebody could sign with the reconciler's key: rotate it as after a compromise.",
    ),
    "FW1277": (
        "What the log accepted does not hold when it is verified again: signatures, approvals or tree.",
        "`fleetward trust explain` says which commit and why. Revert what should not have been accepted.",
    ),
    "FW1278": (
        "A commit does not compile to what its change set says.",
        "Verify with the version of fleetward that applied it: annotation applyset.kubernetes.io/tooling of "
        "ConfigMap federation-system/fleetward. If that says the same, treat the change set as forged.",
    ),
    "FW1279": (
        "An object that the record names is not on the member.",
        "Somebody deleted it: `fleetward reconcile` makes it again.",
    ),
}
