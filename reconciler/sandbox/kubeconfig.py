"""Kubeconfigs that stand alone: the CA, the certificate and the key are inside.

>>> import tempfile; folder = Path(tempfile.mkdtemp())
>>> for name in ("ca", "crt", "key"): _ = (folder / name).write_text(name)
>>> write(folder / "kubeconfig", "a", "https://127.0.0.1:1", folder / "ca", folder / "crt", folder / "key")
>>> yaml.safe_load((folder / "kubeconfig").read_text())["current-context"]
'a'
"""

import base64
from pathlib import Path

import yaml

from reconciler.sandbox import files


def write(path: Path, name: str, url: str, ca: Path, cert: Path, key: Path) -> None:
    """One cluster, one user, one context, all called ``name``; readable by the owner only."""
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": name,
        "clusters": [{"name": name, "cluster": {"server": url, "certificate-authority-data": _data(ca)}}],
        "users": [
            {"name": name, "user": {"client-certificate-data": _data(cert), "client-key-data": _data(key)}}
        ],
        "contexts": [{"name": name, "context": {"cluster": name, "user": name}}],
    }
    files.write(path, yaml.safe_dump(document, sort_keys=False).encode(), mode=0o600)


def _data(path: Path) -> str:
    return base64.b64encode(path.read_bytes()).decode()
