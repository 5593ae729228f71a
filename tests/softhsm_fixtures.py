"""A real PKCS#11 token in software: SoftHSM2, found on this machine or unpacked from Debian's packages.

Order: ``SOFTHSM2_MODULE``, the usual places, the cache; then ``apt-get download`` and ``dpkg-deb -x`` into
the cache, which need no root. Where none of that works the tests that need it are skipped, and say why.
"""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from platformdirs import user_cache_path

USUAL = (
    "/usr/lib/softhsm/libsofthsm2.so",
    "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so",
    "/usr/lib/aarch64-linux-gnu/softhsm/libsofthsm2.so",
    "/usr/lib64/pkcs11/libsofthsm2.so",
    "/usr/lib64/softhsm/libsofthsm2.so",
    "/usr/local/lib/softhsm/libsofthsm2.so",
    "/opt/homebrew/lib/softhsm/libsofthsm2.so",
)
PACKAGES = ("libsofthsm2", "softhsm2")
TOKENS = ("one", "two")
PIN = "29184756"  # looked for in everything that is printed


@dataclass(frozen=True)
class SoftHsm:
    """``module`` and its configuration; it has the tokens ``TOKENS``, all with the same PIN."""

    module: Path
    config: Path
    pin_file: Path

    def uri(self, token: str = TOKENS[0], key: str = "log", *, pin: bool = True) -> str:
        """The URI of a key on a token; ``pin`` names the PIN's file."""
        source = f"&pin-source=file:{self.pin_file}" if pin else ""
        return f"pkcs11:token={token};object={key}?module-path={self.module}{source}"


@pytest.fixture(scope="session")
def softhsm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SoftHsm]:
    """Tokens of this test session, initialized and empty."""
    module, util = _find()
    folder = tmp_path_factory.mktemp("softhsm")
    config, pin_file = folder / "softhsm2.conf", folder / "pin"
    (folder / "tokens").mkdir()
    config.write_text(
        f"directories.tokendir = {folder}/tokens\nobjectstore.backend = file\nlog.level = ERROR\n"
    )
    pin_file.touch(0o600)
    pin_file.write_text(f"{PIN}\n")
    before = os.environ.get("SOFTHSM2_CONF")
    os.environ["SOFTHSM2_CONF"] = str(config)  # the module reads it itself, once a process
    for token in TOKENS:
        made = [str(util), "--module", str(module), "--init-token", "--free", "--label", token]
        subprocess.run([*made, "--pin", PIN, "--so-pin", "12345678"], check=True, capture_output=True)
    yield SoftHsm(module, config, pin_file)
    os.environ.pop("SOFTHSM2_CONF")
    if before is not None:
        os.environ["SOFTHSM2_CONF"] = before


def _find() -> tuple[Path, Path]:
    named = os.environ.get("SOFTHSM2_MODULE", "")
    util = shutil.which("softhsm2-util")
    for place in filter(None, (named, *USUAL)):
        if Path(place).exists() and util:
            return Path(place), Path(util)
    cache = Path(os.environ.get("FLEETWARD_CACHE") or user_cache_path("fleetward")) / "softhsm2"
    return _unpacked(cache) or _unpacked(_unpack(cache)) or pytest.skip("SoftHSM2 is not complete")


def _unpacked(folder: Path) -> tuple[Path, Path] | None:
    modules, util = list(folder.glob("usr/lib/*/softhsm/libsofthsm2.so")), folder / "usr/bin/softhsm2-util"
    return (modules[0], util) if modules and util.exists() else None


def _unpack(cache: Path) -> Path:
    if not (shutil.which("apt-get") and shutil.which("dpkg-deb")):
        pytest.skip(
            "SoftHSM2 is not installed (set SOFTHSM2_MODULE), and there is no apt-get to fetch it with"
        )
    cache.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache.parent) as folder:
        got = subprocess.run(
            ["apt-get", "download", "--quiet", *PACKAGES],
            cwd=folder,
            capture_output=True,
            timeout=120,
            check=False,
        )
        if got.returncode:
            pytest.skip(f"SoftHSM2 is not installed and cannot be fetched: {got.stderr.decode()[-200:]}")
        for package in Path(folder).glob("*.deb"):
            subprocess.run(["dpkg-deb", "-x", str(package), f"{folder}/root"], check=True)
        if not _unpacked(cache):  # another worker may have been faster
            shutil.rmtree(cache, ignore_errors=True)
            shutil.copytree(Path(folder, "root"), cache, dirs_exist_ok=True)
    return cache
