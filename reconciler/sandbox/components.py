"""The command lines of etcd, kube-apiserver and kube-controller-manager, and where their files are.

All listen on loopback only. Members share one etcd, told apart by a prefix; each has its own authority,
token issuer and port. What a real cluster does, these do: RBAC, all default admission plugins, one identity
per controller. There is no kubelet: pods are admitted and never run.

>>> Layout(Path("/s"), "member-a").kubeconfig
PosixPath('/s/clusters/member-a/kubeconfig')
"""

import random
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from reconciler.errors import SandboxError

CONTROLLERS = (
    "certificatesigningrequest-approving-controller", "certificatesigningrequest-signing-controller",
    "clusterrole-aggregation-controller", "garbage-collector-controller", "namespace-controller",
    "root-ca-certificate-publisher-controller", "serviceaccount-controller",
    "validatingadmissionpolicy-status-controller",
)  # fmt: skip
# Below 32768, where Linux begins to take the ports of outgoing connections: a member that was stopped
# must find its port free when it comes back, and no connection may have been given it meanwhile.
_PORTS = range(20000, 30000)


@dataclass(frozen=True, slots=True)
class Layout:
    """The files of one member."""

    root: Path
    name: str

    @property
    def pki(self) -> Path:
        return self.root / "clusters" / self.name / "pki"

    @property
    def kubeconfig(self) -> Path:
        return self.root / "clusters" / self.name / "kubeconfig"

    @property
    def audit_policy(self) -> Path:
        return self.root / "clusters" / self.name / "audit-policy.yaml"

    @property
    def audit_log(self) -> Path:
        """Its own audit log: audit.k8s.io/v1 events as JSON lines, writes only."""
        return self.root / "logs" / f"{self.name}.audit.jsonl"

    @property
    def host(self) -> str:
        return f"{self.name}.sandbox.fleetward.test"

    @property
    def sans(self) -> list[str]:
        """The names that the API server answers to; the last is its address inside the cluster."""
        service = ["kubernetes", "kubernetes.default", "kubernetes.default.svc"]
        return ["127.0.0.1", "localhost", self.host, *service, "10.0.0.1"]

    def log(self, component: str) -> Path:
        return self.root / "logs" / f"{self.name}.{component}.log"


# As a production cluster keeps one: who wrote what, without contents. Blocking is the server's default mode,
# so an event is in the file before its answer is sent.
AUDIT_POLICY = """\
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
  - level: Metadata
    verbs: [create, update, patch, delete, deletecollection]
  - level: None
"""


def etcd(binary: Path, root: Path, port: int) -> list[str]:
    """One etcd for all members. Unsynced writes are fine: nobody restores a sandbox after a power cut."""
    url = f"http://127.0.0.1:{port}"
    return [
        str(binary), f"--data-dir={root / 'etcd'}", "--unsafe-no-fsync", "--log-level=warn",
        f"--listen-client-urls={url}", f"--advertise-client-urls={url}",
        "--listen-peer-urls=http://127.0.0.1:0", "--quota-backend-bytes=4294967296",
    ]  # fmt: skip


def api_server(
    binary: Path, layout: Layout, port: int, etcd_port: int, *, controllers: bool, extra: Sequence[str] = ()
) -> list[str]:
    """One member's API server; ``extra`` comes last and so wins."""
    pki = layout.pki
    # Nobody makes default service accounts without controllers, and then no pod would be admitted.
    without = [] if controllers else ["--disable-admission-plugins=ServiceAccount"]
    return [
        str(binary), f"--etcd-servers=http://127.0.0.1:{etcd_port}", f"--etcd-prefix=/{layout.name}",
        "--bind-address=127.0.0.1", f"--secure-port={port}", "--endpoint-reconciler-type=none",
        f"--tls-cert-file={pki / 'server.crt'}", f"--tls-private-key-file={pki / 'server.key'}",
        f"--client-ca-file={pki / 'ca.crt'}", "--authorization-mode=RBAC", "--allow-privileged=true",
        "--service-cluster-ip-range=10.0.0.0/16", f"--service-account-issuer=https://{layout.host}",
        f"--service-account-key-file={pki / 'tokens.pub'}",
        f"--service-account-signing-key-file={pki / 'tokens.key'}",
        f"--audit-policy-file={layout.audit_policy}", f"--audit-log-path={layout.audit_log}",
        *without, *extra,
    ]  # fmt: skip


def controller_manager(binary: Path, layout: Layout) -> list[str]:
    """The controllers whose work a reconciler sees."""
    pki = layout.pki
    return [
        str(binary), f"--kubeconfig={pki / 'controllers.kubeconfig'}",
        f"--controllers={','.join(CONTROLLERS)}",
        # Own identities, as on real clusters: admission policies see who asks.
        "--use-service-account-credentials=true", f"--service-account-private-key-file={pki / 'tokens.key'}",
        f"--root-ca-file={pki / 'ca.crt'}", f"--cluster-signing-cert-file={pki / 'ca.crt'}",
        f"--cluster-signing-key-file={pki / 'ca.key'}", "--leader-elect=false", "--secure-port=0",
        "--kube-api-qps=200", "--kube-api-burst=400",
    ]  # fmt: skip


def free_port(taken: Sequence[int] = ()) -> int:
    """A port nobody listens on, not among ``taken``."""
    for port in random.sample(_PORTS, 200):
        if port not in taken and _bindable(port):
            return port
    raise SandboxError("no free port", expected=f"one in {_PORTS.start}-{_PORTS.stop - 1}", got="200 in use")


def _bindable(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
