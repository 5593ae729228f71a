"""The kubeconfig that fleetward keeps: what it writes it reads, and whatever it finds instead is an error."""

from __future__ import annotations

import tempfile
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from odd_values import TEXTS, altered

from reconciler.member.errors import KubeconfigFileError
from reconciler.surfaces.kubeconfigs import add, empty, ends, read, text_of, write


def two() -> dict[str, object]:
    document = empty()
    for name in ("member-a", "member-b"):
        add(document, name, "viewer", "https://203.0.113.10:6443", "CA", "api.example", "t0ken")
    return document


def test_what_is_written_is_read(tmp_path: Path) -> None:
    path = tmp_path / "kube" / "config"
    write(path, two())
    assert read(path) == two()
    assert path.stat().st_mode & 0o777 == 0o600
    assert read(tmp_path / "none") == empty()


@pytest.mark.parametrize("text", TEXTS)
def test_another_file_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "config"
    path.write_text(text)
    with pytest.raises(KubeconfigFileError, match="FW17"):
        read(path)


@given(altered(two()))
def test_any_value_in_it_is_used_or_refused(data: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "config"
        path.write_bytes(data)
        with suppress(KubeconfigFileError):
            document = read(path)
            ends(document)
            add(document, "member-a", "admin", "https://203.0.113.10:6443", "", "", "t0ken")
            assert text_of(document)
