"""The cluster that this process runs in, as the service account of its pod: where every client looks.

Rules: the API server is KUBERNETES_SERVICE_HOST and _PORT, the CA and the token are files that the kubelet
mounts (https://kubernetes.io/docs/tasks/run-application/access-api-from-pod/). Both or nothing: a connection
without that CA is not made. Whoever calls still has to pass ``require_own_identity``.

>>> url("10.0.0.1", "443"), url("fd00::1", "443")
('https://10.0.0.1:443', 'https://[fd00::1]:443')
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import orjson

from reconciler.documents.formats import is_certificates, is_https_url
from reconciler.member.administrator import Administrator, read_file
from reconciler.member.login import Host, refused, token_of
from reconciler.member.transport import utc_now

FOLDER = Path("/var/run/secrets/kubernetes.io/serviceaccount")
HOST, PORT = "KUBERNETES_SERVICE_HOST", "KUBERNETES_SERVICE_PORT"
_LABEL = "the pod's service account"


def in_cluster(environment: Mapping[str, str], folder: Path = FOLDER) -> Administrator:
    """The service account of the pod. Raises CredentialError where this is no pod, or one without it."""
    server = url(environment.get(HOST, ""), environment.get(PORT, ""))
    if not is_https_url(server):
        raise refused(_LABEL, f"{HOST} and {PORT}, as in a pod", "none that can be used")
    ca = read_file(folder / "ca.crt").decode("ascii", "replace")
    if not is_certificates(ca):
        raise refused(str(folder / "ca.crt"), "certificates in PEM", "something else")
    token = token_of(read_file(folder / "token"), _LABEL)
    config = {
        "current-context": "pod",
        "contexts": [{"name": "pod", "context": {"cluster": "pod", "user": "pod"}}],
        "clusters": [{"name": "pod", "cluster": {"server": server}}],
        "users": [{"name": "pod", "user": {"token": token}}],
    }
    return Administrator(server, ca, "", orjson.dumps(config), "pod", Host(folder, utc_now))


def url(host: str, port: str) -> str:
    """The API server's URL; an IPv6 address in brackets."""
    return f"https://[{host}]:{port}" if ":" in host else f"https://{host}:{port}"
