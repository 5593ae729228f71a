"""Writes template/bootstrap/cluster-profiles.yaml from reconciler.member.promoted.

python -m tools.profiles_manifest            # write it
python -m tools.profiles_manifest --check    # exit 1 when it is out of date
"""

import sys

import yaml

from reconciler.member.promoted import profile_objects
from tools.bootstrap_manifest import Plain
from tools.generated import main

TARGET = "template/bootstrap/cluster-profiles.yaml"
_HEADER = """\
# What the primary needs for ClusterProfiles (spec.clusterProfiles of federation.yaml), beside the namespace
# that they are in. `fleetward promote` does the same, and leaves a definition alone that is there already:
# do the same here, and apply only the roles then.
#   kubectl apply --server-side -f cluster-profiles.yaml
# Made by tools/profiles_manifest.py; change reconciler/member/promoted.py instead.
"""


def manifest() -> str:
    """The file's contents."""
    return _HEADER + yaml.dump_all(profile_objects(), Dumper=Plain, sort_keys=False, explicit_start=True)


if __name__ == "__main__":
    sys.exit(main(TARGET, manifest, "make docs"))
