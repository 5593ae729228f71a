"""Altered file: a bit is flipped, or a byte added, in any one file of the log.

Every kind of file, near the end of the log and far back. What a run reads stops it with FW1808, and nothing
is written into a log that is damaged. ``audit verify`` reads all of it and names the file.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from attack_members import files_of, forget, stopped
from audit_helpers import DAMAGES, damaged_copy, fill, open_log
from e2e_world import Fleet

from reconciler.errors import AuditError

pytestmark = pytest.mark.real
CODES = {"tile/entries": "FW1821", "tile/": "FW1820", "bodies/": "FW1824", "checkpoint": "FW1826"}
STOPS = {"FW1801", "FW1802", "FW1808"}


def test_what_a_run_reads_stops_it(applied: Fleet) -> None:
    forget(applied)
    whole = applied.machine / "whole"
    shutil.copytree(applied.log_folder, whole)
    size = len(applied.entries())
    for name in ("checkpoint", f"tile/0/000.p/{size}", f"tile/entries/000.p/{size}"):
        path = applied.log_folder / name
        data = path.read_bytes()
        path.write_bytes(data[:40] + bytes([data[40] ^ 4]) + data[41:])
        stopped(applied, "FW1801" if name == "checkpoint" else "FW1808")
        path.write_bytes(data)
    assert files_of(applied.log_folder) == files_of(whole)


@pytest.mark.parametrize("name", ["tile/0/001", "tile/1/000.p/3", "tile/entries/001", "body"])
def test_old_files_are_named_by_audit_verify(tmp_path: Path, name: str) -> None:
    fill(open_log(tmp_path / "whole"), 800)
    for number, damage in enumerate(DAMAGES):
        root = tmp_path / str(number)
        path = damaged_copy(tmp_path / "whole", root, name, damage)
        relative = str(path.relative_to(root))
        try:
            findings = open_log(root).verify().findings
        except AuditError as error:
            assert error.code in STOPS, damage
            continue
        found = {finding.code for finding in findings if finding.subject == relative}
        code = next(code for start, code in CODES.items() if relative.startswith(start))
        assert found - {"FW1822"} == {code}, damage  # an altered entry may not be an entry any more
