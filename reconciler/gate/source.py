"""Where rules come from: the product's modules, and the fleet's own beside them.

Rules kept here
- The product's rules are always evaluated, from the product's own files. The fleet's are a second source with
  an OPA of its own: a finding of either counts, so a fleet can add rules and never remove or loosen one.
- Modules of the fleet that are the product's byte for byte (a copy of the template) are not evaluated twice;
  a test goes with the module that it tests.
- The product's helpers (package ``fleetward.lib``) are lent to the fleet's modules.

>>> source = GateSource("fleet", (Module("policies/gate/a.rego", "package fleetward.gate.a"),))
>>> source.digest[:20]
'sha256:648d6436d5e16'
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path, PurePosixPath

from reconciler.errors import FleetwardError
from reconciler.gate.errors import GateSourceError
from reconciler.model import Snapshot
from reconciler.product import product_root

FOLDER = "policies/gate"
PRODUCT = "product"
FLEET = "fleet"
MAX_MODULE = 1 << 20  # bytes
MAX_MODULES = 500
_LIBRARY = re.compile(r"^package fleetward\.lib\b", re.MULTILINE)
_SAFE_PATH = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*(/[A-Za-z0-9][A-Za-z0-9._-]*)*\.rego")


@dataclass(frozen=True, slots=True)
class Module:
    """One ``.rego`` file; ``path`` is relative, with "/"."""

    path: str
    text: str

    @property
    def is_test(self) -> bool:
        """Whether the file is for ``opa test`` only."""
        return self.path.endswith("_test.rego")

    @property
    def is_library(self) -> bool:
        """Whether it helps rules and has none of its own."""
        return _LIBRARY.search(self.text) is not None


@dataclass(frozen=True)
class GateSource:
    """Modules that are evaluated together. Not slotted: the digest is kept once computed."""

    name: str  # PRODUCT or FLEET
    modules: tuple[Module, ...]

    @cached_property
    def digest(self) -> str:
        """ "sha256:<hex>" over paths and texts, the tests included."""
        total = hashlib.sha256()
        for module in sorted(self.modules, key=lambda m: m.path):
            for part in (module.path.encode(), module.text.encode()):
                total.update(len(part).to_bytes(8, "big") + part)
        return f"sha256:{total.hexdigest()}"

    @property
    def rules(self) -> tuple[Module, ...]:
        """The modules that are loaded for evaluation."""
        return tuple(module for module in self.modules if not module.is_test)


@cache
def product_source() -> GateSource:
    """The default gate. Raises GateSourceError when the product was installed without it."""
    root = product_root()
    paths = sorted((root / FOLDER).glob("*.rego"))
    if not paths:
        raise GateSourceError("the default gate is missing", where=FOLDER, hint="install fleetward again")
    return GateSource(PRODUCT, tuple(_product_module(root, path) for path in paths))


def _product_module(root: Path, path: Path) -> Module:
    return _module(path.relative_to(root).as_posix(), path.read_bytes())


def gate_sources(snapshot: Snapshot) -> tuple[GateSource, ...]:
    """The product's gate, and the fleet's if the commit has rules of its own.

    Raises GateSourceError for a module that cannot be read.
    """
    product = product_source()
    paths = [path for path in snapshot.files if _is_gate_path(path)]
    if len(paths) > MAX_MODULES:
        raise GateSourceError("too many gate modules", expected=f"at most {MAX_MODULES}", got=str(len(paths)))
    own = _own(product, [_module(path, _read(snapshot, path)) for path in paths])
    if all(module.is_test or module.is_library for module in own):
        return (product,)
    taken = {module.path for module in own}
    lent = [m for m in product.rules if m.is_library and m.path not in taken]
    return product, GateSource(FLEET, tuple(sorted([*own, *lent], key=lambda m: m.path)))


def combined_digest(sources: Iterable[GateSource]) -> str:
    """One digest for all sources together; that of a single source is its own."""
    digests = [source.digest for source in sources]
    if len(digests) == 1:
        return digests[0]
    return f"sha256:{hashlib.sha256(' '.join(digests).encode()).hexdigest()}"


def _is_gate_path(path: str) -> bool:
    return path.startswith(f"{FOLDER}/") and path.endswith(".rego")


def _own(product: GateSource, modules: list[Module]) -> list[Module]:
    texts = {module.text for module in product.modules}
    copies = {module.path for module in modules if module.text in texts}
    return [m for m in modules if m.path not in copies and _subject(m) not in copies]


def _subject(module: Module) -> str:
    return module.path.removesuffix("_test.rego") + ".rego" if module.is_test else module.path


def _read(snapshot: Snapshot, path: str) -> bytes:
    try:
        return snapshot.read(path)
    except FleetwardError as error:
        raise GateSourceError("a gate module cannot be read", where=path, got=str(error)) from error


def _module(path: str, data: bytes) -> Module:
    if not _SAFE_PATH.fullmatch(path) or ".." in PurePosixPath(path).parts:
        raise GateSourceError(
            "a gate module has an unusable path",
            got=ascii(path),
            hint="use letters, digits, '.', '_' and '-'",
        )
    if len(data) > MAX_MODULE:
        raise GateSourceError(
            "a gate module is too large",
            where=path,
            expected=f"at most {MAX_MODULE} bytes",
            got=f"{len(data)} bytes",
            hint="split the module",
        )
    try:
        return Module(path, data.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise GateSourceError("a gate module is not UTF-8", where=path, hint="save it as UTF-8") from error
