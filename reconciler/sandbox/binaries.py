"""Finds the real programs: kube-apiserver, kube-controller-manager, etcd and opa.

Order, as users of envtest expect: the folder ``KUBEBUILDER_ASSETS``, then ``PATH``, then the cache, then
(``ensure`` only) a build. What does not exist or is not executable does not count.

The cache is ``$FLEETWARD_CACHE`` or the user's cache folder. A program lies in ``bin/<digest>/`` with the
digest of all that decides its bytes (``go.mod``, ``go.sum``, link flags, machine), so an upgrade in
``tools/`` never finds the old program, and OPA's upgrade does not build Kubernetes again.

>>> try: find("etdc")
... except SandboxError as error: print(error.expected)
etcd, kube-apiserver, kube-controller-manager, opa
"""

import functools
import hashlib
import os
import platform
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

from reconciler.errors import SandboxError
from reconciler.product import product_root
from reconciler.sandbox import files, golang
from reconciler.sandbox.golang import Recipe

KUBERNETES = "v1.36.3"
_VERSION_PACKAGES = ("k8s.io/component-base/version", "k8s.io/client-go/pkg/version")
_VERSION_FACTS = (f"gitVersion={KUBERNETES}", "gitMajor=1", "gitMinor=36", "gitTreeState=clean")
# A plain `go build` would answer /version with v0.0.0-master, and clients choose schemas by it.
_STAMPS = tuple(f"{package}.{fact}" for package in _VERSION_PACKAGES for fact in _VERSION_FACTS)

RECIPES: Mapping[str, Recipe] = {
    recipe.name: recipe
    for recipe in (
        Recipe("etcd", "v3.6.8", "kube", "go.etcd.io/etcd/server/v3", "30 s"),
        Recipe(
            "kube-apiserver", KUBERNETES, "kube",
            "k8s.io/kubernetes/cmd/kube-apiserver", "3 min", _STAMPS,
        ),
        Recipe(
            "kube-controller-manager", KUBERNETES, "kube",
            "k8s.io/kubernetes/cmd/kube-controller-manager", "1 min", _STAMPS,
        ),
        Recipe("opa", "v1.22.0", "opa", "github.com/open-policy-agent/opa", "1 min"),
    )
}  # fmt: skip


def find(name: str, env: Mapping[str, str] = os.environ) -> Path:
    """Where ``name`` is on this machine; builds nothing."""
    found = _look(_recipe(name), env)
    if found is None:
        raise SandboxError(
            f"{name} is not on this machine", expected="in KUBEBUILDER_ASSETS, on PATH or in the cache",
            got="none of them",
            hint=f"put {name} on PATH, or run `fleetward sandbox up`, which builds it once",
        )  # fmt: skip
    return found


def ensure(
    names: Iterable[str], report: Callable[[str], None], env: Mapping[str, str] = os.environ
) -> dict[str, Path]:
    """Where each of ``names`` is, built first where it is missing; ``report`` gets a line a step."""
    return {name: ensure_recipe(_recipe(name), report, env) for name in names}


def ensure_recipe(recipe: Recipe, report: Callable[[str], None], env: Mapping[str, str] = os.environ) -> Path:
    """Where a program is that is none of ``RECIPES``, such as a server that only tests start."""
    return _look(recipe, env) or _make(recipe, report, env)


def _recipe(name: str) -> Recipe:
    try:
        return RECIPES[name]
    except KeyError:
        raise SandboxError("no such program", expected=", ".join(sorted(RECIPES)), got=name) from None


def _look(recipe: Recipe, env: Mapping[str, str]) -> Path | None:
    return next((path for path in _places(recipe, env) if path.is_file() and os.access(path, os.X_OK)), None)


def _places(recipe: Recipe, env: Mapping[str, str]) -> Iterator[Path]:
    if assets := env.get("KUBEBUILDER_ASSETS"):
        yield Path(assets).absolute() / recipe.name
    if on_path := shutil.which(recipe.name, path=env.get("PATH", "")):
        yield Path(on_path).absolute()
    yield _cached(recipe, env)


def _make(recipe: Recipe, report: Callable[[str], None], env: Mapping[str, str]) -> Path:
    target = _cached(recipe, env)
    lock = target.with_name(f".{target.parent.name}.lock")
    with files.locked(lock, lambda: report(f"waiting for {recipe.name}: another process is building")):
        if not target.is_file():  # the other process may have built it while this one waited
            golang.build(recipe, _module(recipe), target, report)
    return target


def _cached(recipe: Recipe, env: Mapping[str, str]) -> Path:
    return cache_directory(env) / "bin" / _digest(recipe) / recipe.name


def cache_directory(env: Mapping[str, str] = os.environ) -> Path:
    """Where everything that can be made again is kept."""
    if chosen := env.get("FLEETWARD_CACHE"):
        return Path(chosen).absolute()
    import platformdirs  # late: the common cases never need it

    return Path(platformdirs.user_cache_dir("fleetward", appauthor=False))


def folder_lock(directory: Path) -> Path:
    """The lock file of a sandbox's folder; not in it, because a folder that is refused stays untouched."""
    digest = hashlib.sha256(os.fsencode(directory)).hexdigest()[:16]
    return cache_directory() / "locks" / digest


def _module(recipe: Recipe) -> Path:
    return product_root() / "tools" / recipe.module


@functools.cache
def _digest(recipe: Recipe) -> str:
    digest = hashlib.sha256()
    try:
        parts = [(_module(recipe) / name).read_bytes() for name in ("go.mod", "go.sum")]
    except OSError as error:
        raise SandboxError(
            "the product's tools are missing", expected=f"go.mod and go.sum in {_module(recipe)}",
            got=error.strerror or str(error), hint="install fleetward again",
        ) from error  # fmt: skip
    for part in (*parts, recipe.link_flags.encode(), _machine()):
        digest.update(len(part).to_bytes(8, "big") + part)
    return digest.hexdigest()[:16]


def _machine() -> bytes:
    # Homes are shared between machines; their processors need not be the same.
    return f"{platform.system()}/{platform.machine()}".encode()
