"""Writes template/bootstrap/member.yaml from reconciler.member.bootstrap.

python tools/bootstrap_manifest.py            # write it
python tools/bootstrap_manifest.py --check    # exit 1 when it is out of date
"""

import argparse
import sys
from pathlib import Path

import yaml

from reconciler.member.bootstrap import bootstrap_objects
from reconciler.product import product_root

TARGET = Path("template/bootstrap/member.yaml")
_HEADER = """\
# What a member needs before its first reconcile: kubectl apply -f member.yaml
# Rights for further kinds: a ClusterRole of your own with the label
# fleetward.io/aggregate-to-reconciler: "true" adds to federation-reconciler-extra.
# Made by tools/bootstrap_manifest.py; change reconciler/member/bootstrap.py instead.
"""


class _Plain(yaml.SafeDumper):
    """Writes lists in full each time: anchors would puzzle the reader."""

    def ignore_aliases(self, _data: object) -> bool:
        return True


def manifest() -> str:
    """The file's contents."""
    return _HEADER + yaml.dump_all(bootstrap_objects(), Dumper=_Plain, sort_keys=False, explicit_start=True)


def main() -> int:
    """The command; 0 when the file is (now) right."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--check", action="store_true", help="only compare")
    path = product_root() / TARGET
    if not parser.parse_args().check:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(manifest(), encoding="utf-8")
        return 0
    if path.is_file() and path.read_text(encoding="utf-8") == manifest():
        return 0
    print(f"{TARGET} is out of date. To fix: python tools/bootstrap_manifest.py", file=sys.stderr)
    return 1


if __name__ == "__main__":
    raise SystemExit(main())
