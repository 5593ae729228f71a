"""``Member``: what a cluster's administrator reaches it with, and the making of its credentials.

>>> member_of(Layout(Path("/s"), "member-a"), 20001).url
'https://127.0.0.1:20001'
"""

from dataclasses import dataclass
from pathlib import Path

from reconciler.sandbox import files, kubeconfig, pki
from reconciler.sandbox.components import AUDIT_POLICY, Layout
from reconciler.sandbox.readiness import Client


@dataclass(frozen=True, slots=True)
class Member:
    """A cluster of the sandbox; ``admin`` is in ``system:masters``."""

    name: str
    url: str
    kubeconfig: Path
    ca_file: Path
    admin_cert: Path
    admin_key: Path
    audit_log: Path


def member_of(layout: Layout, port: int) -> Member:
    """The member whose files ``layout`` names."""
    ca, cert, key = (layout.pki / file for file in ("ca.crt", "admin.crt", "admin.key"))
    url = f"https://127.0.0.1:{port}"
    return Member(layout.name, url, layout.kubeconfig, ca, cert, key, layout.audit_log)


def client_of(layout: Layout, port: int) -> Client:
    """The sandbox's own client, with the administrator's certificate."""
    member = member_of(layout, port)
    return Client.load(port, member.ca_file, member.admin_cert, member.admin_key)


def make_credentials(layout: Layout, port: int) -> None:
    """A new authority with what server, administrator and controllers need, kubeconfigs, an audit policy."""
    member = member_of(layout, port)
    authority = pki.create(layout.pki, layout.name)
    authority.issue("server", common_name=layout.host, sans=layout.sans)
    admin = authority.issue("admin", common_name="admin", organizations=["system:masters"])
    controllers = authority.issue("controllers", common_name="system:kube-controller-manager")
    files.write(layout.audit_policy, AUDIT_POLICY.encode())
    pki.key_pair(layout.pki / "tokens.key", layout.pki / "tokens.pub")
    for path, user in ((layout.kubeconfig, admin), (layout.pki / "controllers.kubeconfig", controllers)):
        kubeconfig.write(path, layout.name, member.url, member.ca_file, user.cert, user.key)
