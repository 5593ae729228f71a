"""Writes template/bootstrap/member.yaml from reconciler.member.bootstrap.

python -m tools.bootstrap_manifest            # write it
python -m tools.bootstrap_manifest --check    # exit 1 when it is out of date
"""

import sys

import yaml

from reconciler.member.bootstrap import bootstrap_objects
from tools.generated import main

TARGET = "template/bootstrap/member.yaml"
_HEADER = """\
# What a member needs before its first reconcile: kubectl apply -f member.yaml
# Rights for further kinds: a ClusterRole of your own with the label
# fleetward.io/aggregate-to-reconciler: "true" adds to federation-reconciler-extra, one with
# fleetward.io/aggregate-to-viewer: "true" to what federation-viewer may read.
# Made by tools/bootstrap_manifest.py; change reconciler/member/bootstrap.py instead.
"""


class Plain(yaml.SafeDumper):
    """Writes lists in full each time: anchors would puzzle the reader."""

    def ignore_aliases(self, _data: object) -> bool:
        return True


def manifest() -> str:
    """The file's contents."""
    return _HEADER + yaml.dump_all(bootstrap_objects(), Dumper=Plain, sort_keys=False, explicit_start=True)


if __name__ == "__main__":
    sys.exit(main(TARGET, manifest, "make docs"))
