"""The log's formats in others' hands: tessera and golang.org/x/mod/sumdb/tlog, through ``tools/logcheck``."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from reconciler.product import product_root
from reconciler.sandbox.golang import Recipe, build
from tools.bench.measure import Process, process

_RECIPE = Recipe("logcheck", "for the bench", "logcheck", ".", "10 s")
LIMIT_SECONDS = 3600


@dataclass(frozen=True, slots=True)
class Others:
    """The built ``logcheck``."""

    program: Path

    @classmethod
    def build(cls, folder: Path) -> Others:
        """Build it in ``folder``. Raises SandboxError."""
        program = folder / "logcheck"
        folder.mkdir(parents=True, exist_ok=True)
        build(_RECIPE, product_root() / "tools/logcheck", program, print)
        return cls(program)

    def append(self, log: Path, skey: str, entries: Path, batch: int) -> float:
        """Seconds for tessera's POSIX driver to take ``entries`` (a bundle's layout) into a new log."""
        return self._bench("append", str(log), skey, str(entries), str(batch))["append"]

    def prove(self, log: Path, vkey: str, count: int) -> tuple[float, float]:
        """Seconds to make ``count`` tlog-proofs, and to check them, with sumdb/tlog."""
        seconds = self._bench("prove", str(log), vkey, str(count))
        return seconds["prove"], seconds["check"]

    def fsck(self, log: Path, vkey: str) -> Process:
        """Tessera's check of a whole log, as a process. Raises RuntimeError if it finds anything."""
        done = process(self.fsck_command(log, vkey), {}, log)
        if done.code != 0:
            raise RuntimeError(done.output)
        return done

    def fsck_command(self, log: Path, vkey: str) -> Sequence[str]:
        """The same, to be run."""
        return (str(self.program), "-samples", "0", str(log), vkey)

    def _bench(self, *arguments: str) -> dict[str, float]:
        command: Sequence[str] = [str(self.program), "bench", *arguments]
        done = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT_SECONDS)
        if done.returncode != 0:
            raise RuntimeError(done.stderr)
        seconds: dict[str, float] = json.loads(done.stdout)
        return seconds
