"""A bucket with versions and locked objects (compliance mode), as an audit log is best kept in."""

from __future__ import annotations

import base64
import hashlib
import hmac
import http.client
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from audit_helpers import drift, fill
from audit_s3 import KEY, SECRET, S3Server, open_s3

from reconciler.audit.codes import LogConflictError

pytestmark = [pytest.mark.real, pytest.mark.xdist_group("s3"), pytest.mark.timeout(900)]
RETENTION = b"""<ObjectLockConfiguration><ObjectLockEnabled>Enabled</ObjectLockEnabled>
<Rule><DefaultRetention><Mode>COMPLIANCE</Mode><Days>1</Days></DefaultRetention></Rule></ObjectLockConfiguration>"""


class VersioningServer(S3Server):
    """Keeps each version of each object."""

    def _metadata(self) -> list[str]:
        (self.root / "versions").mkdir(exist_ok=True)
        return ["--versioning-dir", str(self.root / "versions"), *super()._metadata()]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[VersioningServer]:
    server = VersioningServer(tmp_path / "server")
    server.start()
    yield server
    server.kill()


def ask(
    server: S3Server, method: str, path: str, query: str = "", body: bytes = b"", **more: str
) -> tuple[int, str]:
    """One request signed with AWS Signature Version 4: what an administrator's tools send."""
    stamp, digest = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ"), hashlib.sha256(body).hexdigest()
    scope, host = f"{stamp[:8]}/us-east-1/s3/aws4_request", f"127.0.0.1:{server.port}"
    md5 = base64.b64encode(hashlib.md5(body, usedforsecurity=False).digest()).decode()
    headers = {"content-md5": md5, "host": host, "x-amz-content-sha256": digest, "x-amz-date": stamp, **more}
    names = ";".join(sorted(headers))
    parts = "&".join(sorted(part if "=" in part else f"{part}=" for part in query.split("&") if part))
    lines = (method, path, parts, *(f"{name}:{headers[name]}" for name in sorted(headers)), "", names, digest)
    hashed = hashlib.sha256("\n".join(lines).encode()).hexdigest()
    key = f"AWS4{SECRET}".encode()
    for part in (*scope.split("/"), f"AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{hashed}"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    signature = f"Credential={KEY}/{scope}, SignedHeaders={names}, Signature={key.hex()}"
    connection = http.client.HTTPConnection(host, timeout=30)
    connection.request(
        method, f"{path}?{query}", body, headers | {"Authorization": f"AWS4-HMAC-SHA256 {signature}"}
    )
    response = connection.getresponse()
    return response.status, response.read().decode()


def test_a_log_whose_objects_nobody_can_delete(server: VersioningServer):
    assert ask(server, "PUT", "/locked", **{"x-amz-bucket-object-lock-enabled": "true"})[0] == 200
    assert ask(server, "PUT", "/locked", "object-lock", RETENTION)[0] == 200
    log = open_s3("s3://locked/fleet", server.url)
    fill(log, 300, batch=60)
    late = open_s3("s3://locked/fleet", server.url)
    log.append([drift()])
    with pytest.raises(LogConflictError):
        late.append([drift()])
    assert (open_s3("s3://locked/fleet", server.url).verify().ok, log.size) == (True, 301)

    for name in ("head", "checkpoint", "tile/0/000"):
        _, listed = ask(server, "GET", "/locked", f"prefix=fleet%2F{name.replace('/', '%2F')}&versions")
        versions = re.findall("<VersionId>(.+?)</VersionId>", listed)
        assert versions
        status, said = ask(server, "DELETE", f"/locked/fleet/{name}", f"versionId={versions[0]}")
        assert (status, "object lock" in said) == (403, True)
    # A deletion without a version only hides the newest one; the published checkpoint has the same head.
    assert ask(server, "DELETE", "/locked/fleet/head")[0] == 204
    assert open_s3("s3://locked/fleet", server.url).size == 301
    _, listed = ask(server, "GET", "/locked", "prefix=fleet%2Fhead&versions")
    marker = re.findall("<DeleteMarker>.*?<VersionId>(.+?)</VersionId>", listed)[0]
    assert ask(server, "DELETE", "/locked/fleet/head", f"versionId={marker}")[0] == 204
    again = open_s3("s3://locked/fleet", server.url)
    assert again.append([drift()]) == range(301, 302)
    assert open_s3("s3://locked/fleet", server.url).verify().ok
