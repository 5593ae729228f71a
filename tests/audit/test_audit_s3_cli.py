"""``fleetward audit`` on a log in a bucket, as people call it; and a server with TLS."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from audit_helpers import drift, fill, trust
from audit_s3 import SECRET, S3Server, open_s3, running_server, variables

from reconciler.audit.codes import LogStorageError
from reconciler.audit.log import Log
from reconciler.audit.store_s3 import S3Store
from reconciler.sandbox import pki
from reconciler.surfaces.signing import ORIGIN
from reconciler.trust import generate

pytestmark = [pytest.mark.real, pytest.mark.xdist_group("s3"), pytest.mark.timeout(900)]


def fleetward(state: Path, environment: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [str(Path(sys.executable).with_name("fleetward")), *arguments, "--state", str(state)]
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "FLEETWARD_"))}
    return subprocess.run(command, capture_output=True, text=True, timeout=120, env=kept | environment)


def test_verify_and_log_read_a_bucket(s3_server: S3Server, tmp_path: Path):
    (tmp_path / "state").mkdir()
    key = generate(tmp_path / "state/reconciler.key")
    bucket = s3_server.new_bucket()
    location, environment = f"s3://{bucket}/fleet", variables(s3_server.url)
    log = Log.open(S3Store(location, environment), key, origin=ORIGIN, clock=lambda: datetime.now(UTC))
    log.append([trust(), *(drift(n) for n in range(300))])

    done = fleetward(tmp_path / "state", environment, "audit", "verify", "--log", location, "-o", "json")
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout) == json.loads(done.stdout) | {
        "ok": True,
        "size": 301,
        "root": log.root.hex(),
    }

    done = fleetward(tmp_path / "state", environment | {"FLEETWARD_LOG": location}, "audit", "log", "-n", "1")
    assert (done.returncode, len(done.stdout.splitlines())) == (0, 1)

    bundle = s3_server.root / "data" / bucket / "fleet/tile/entries/000"
    bundle.write_bytes(bundle.read_bytes()[:-1] + b"!")
    done = fleetward(tmp_path / "state", environment, "audit", "verify", "--log", location)
    assert (done.returncode, "FW1821" in done.stdout) == (1, True)

    wrong = environment | {"AWS_SECRET_ACCESS_KEY": "wrong"}
    done = fleetward(tmp_path / "state", wrong, "audit", "verify", "--log", location)
    assert (done.returncode, "FW1806" in done.stderr, "Traceback" in done.stderr) == (2, True, False)
    assert SECRET not in done.stdout + done.stderr


def test_a_server_with_tls_has_to_be_of_a_known_authority(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    authority = pki.create(tmp_path / "pki", "storage")
    certificate = authority.issue("server", common_name="s3", sans=["127.0.0.1"])
    # What would turn checking off, if obstore's own reading of the environment had its way.
    monkeypatch.setenv("AWS_ALLOW_INVALID_CERTIFICATES", "true")
    with running_server(tmp_path / "server", certificate) as server:
        location = f"s3://{server.new_bucket()}/log"
        with pytest.raises(LogStorageError, match=r"certificate is not trusted.*AWS_CA_BUNDLE"):
            open_s3(location, server.url, timeout=2.0)
        log = open_s3(location, server.url, AWS_CA_BUNDLE=str(tmp_path / "pki/ca.crt"))
        fill(log, 3)
        assert (log.verify().ok, log.size) == (True, 3)
