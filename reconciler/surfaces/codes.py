"""What the codes of the command line mean and what to do; docs/runbook.md is made from ``CODES``.

The classes stand beside the code that raises them (``errors``, ``template``, ``sandbox``). Codes of base
classes that no room's table names are here too, because this is where a person meets them.

>>> CODES["FW1003"][1]
'Name a new folder, or an empty clone.'
"""

# code -> (meaning, what to do)
CODES: dict[str, tuple[str, str]] = {
    "FW1000": (
        "A defect of fleetward: an error that it did not expect.",
        "Report it with the output of the same command under FLEETWARD_DEBUG=1. Nothing that was not durable "
        "before counts as done; running again is safe.",
    ),
    "FW1001": (
        "A flag, variable or setting cannot be used.",
        "Read what was expected; `fleetward COMMAND --help` lists flags and variables.",
    ),
    "FW1003": ("The folder for a new fleet is not empty.", "Name a new folder, or an empty clone."),
    "FW1004": (
        "There is no usable public key for the first signer.",
        "Make one with `ssh-keygen -t ed25519` and pass its .pub file with --key.",
    ),
    "FW1900": (
        "A local control plane or a program (OPA, API server, etcd) cannot be found, built or started.",
        "Read the message; `make components` builds all programs once, with progress.",
    ),
}
