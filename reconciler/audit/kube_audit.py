"""A member's own Kubernetes audit log: audit.k8s.io/v1 Events, one JSON object a line, plain or gzip.

Rules: streaming; a line and the whole are bounded. A line that is no event is a ``BadLine`` with its number,
and so is the place where a gzip file was cut; only a file that cannot be opened, or is too long, is a
``KubeAuditError``. Gzip is known by its content, since rotated files have any name.

>>> import tempfile
>>> path = Path(tempfile.mkdtemp()) / "audit.log"
>>> _ = path.write_bytes(gzip.compress(b"\\n[]\\n"))
>>> [(bad.place.line, bad.reason) for bad in read_events(path)]
[(2, 'not a JSON object')]
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, cast

from reconciler.audit.codes import KubeAuditError
from reconciler.audit.kube_event import BadLine, KubeEvent, Place, parse_line

MAX_LINE = 16 << 20  # bytes; an object of 1.5 MiB, asked and answered, is below 4
MAX_FILE = 64 << 30  # bytes, unpacked
_GZIP = b"\x1f\x8b"
_CHUNK = 1 << 20


def read_events(path: Path, *, limit: int = MAX_FILE) -> Iterator[KubeEvent | BadLine]:
    """All lines of a file, in order; empty ones count and say nothing.

    Raises KubeAuditError for a file that cannot be read, or is longer than ``limit`` bytes, unpacked.
    """
    number = 0
    try:
        with _opened(path) as file:
            for number, line in enumerate(_lines(file, path, limit), 1):
                place = Place(str(path), number)
                if line is None:
                    yield BadLine(place, f"longer than {MAX_LINE} bytes")
                elif line and not line.isspace():
                    yield parse_line(line, place)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        # What came before is as good as it was; what is lost has to be seen.
        yield BadLine(Place(str(path), number + 1), f"the gzip file is cut or altered here: {error}")
    except OSError as error:
        raise KubeAuditError(
            "the audit log cannot be read", where=str(path), got=error.strerror or type(error).__name__,
            hint="name a file that this user may read",
        ) from error  # fmt: skip


@contextmanager
def _opened(path: Path) -> Iterator[IO[bytes]]:
    with path.open("rb") as file:
        if file.peek(2)[:2] == _GZIP:
            with gzip.GzipFile(fileobj=file, mode="rb") as unpacked:
                yield cast("IO[bytes]", unpacked)
        else:
            yield file


def _lines(file: IO[bytes], path: Path, limit: int) -> Iterator[bytes | None]:
    """Each line without its end; None for one that is too long, which is skipped and not kept."""
    total = 0
    while line := file.readline(MAX_LINE + 1):
        total += len(line)
        too_long = len(line.rstrip(b"\n")) > MAX_LINE
        while not line.endswith(b"\n") and too_long and (line := file.readline(_CHUNK)):
            total += len(line)
            _within(total, path, limit)
        _within(total, path, limit)
        yield None if too_long else line.rstrip(b"\r\n")


def _within(total: int, path: Path, limit: int) -> None:
    if total > limit:
        raise KubeAuditError(
            "the audit log is too long", where=str(path), expected=f"at most {limit} bytes, unpacked",
            hint="split it by time and join the parts",
        )  # fmt: skip
