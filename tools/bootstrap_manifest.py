"""Writes template/bootstrap/member.yaml and primary.yaml from reconciler.member.bootstrap.

python -m tools.bootstrap_manifest            # write it
python -m tools.bootstrap_manifest --check    # exit 1 when it is out of date
"""

import sys

import yaml

from reconciler.member.bootstrap import bootstrap_objects, primary_objects
from tools.generated import main

MEMBER, PRIMARY = "template/bootstrap/member.yaml", "template/bootstrap/primary.yaml"
_HEADER = """\
# What a member needs before its first reconcile: kubectl apply -f member.yaml
# Rights for further kinds: a ClusterRole of your own with the label
# fleetward.io/aggregate-to-reconciler: "true" adds to federation-reconciler-extra, one with
# fleetward.io/aggregate-to-viewer: "true" to what federation-viewer may read.
# Made by tools/bootstrap_manifest.py; change reconciler/member/bootstrap.py instead.
"""
_PRIMARY_HEADER = """\
# For the primary alone, after member.yaml; `fleetward promote` makes the same. A namespace for what is kept
# there of members (credentials, with `store: secrets`), and the right to Secrets there and nowhere else.
# kubectl apply -f primary.yaml
# Made by tools/bootstrap_manifest.py; change reconciler/member/bootstrap.py instead.
"""


class Plain(yaml.SafeDumper):
    """Writes lists in full each time: anchors would puzzle the reader."""

    def ignore_aliases(self, _data: object) -> bool:
        return True


def manifest() -> str:
    """The member's contents."""
    return _HEADER + yaml.dump_all(bootstrap_objects(), Dumper=Plain, sort_keys=False, explicit_start=True)


def primary_manifest() -> str:
    """The primary's contents."""
    objects = primary_objects()
    return _PRIMARY_HEADER + yaml.dump_all(objects, Dumper=Plain, sort_keys=False, explicit_start=True)


if __name__ == "__main__":
    stale = [main(MEMBER, manifest, "make docs"), main(PRIMARY, primary_manifest, "make docs")]
    sys.exit(max(stale))
