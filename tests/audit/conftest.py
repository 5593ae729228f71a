"""The S3 server that tests of the log share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from audit_s3 import S3Server, running_server


@pytest.fixture(scope="session")
def s3_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    """A real server; each test takes a bucket of its own."""
    with running_server(tmp_path_factory.mktemp("s3") / "server") as server:
        yield server
