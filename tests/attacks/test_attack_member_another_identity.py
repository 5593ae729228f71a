"""Another identity: the credentials for a member are exchanged for those of somebody else, valid there.

A token of more rights would work; the member is asked whose it is before anything else. A user other than the
registered one is refused (FW1719), the log says so, and the others go on. A dead token is no identity at all
(FW1710): that is a matter of operation, and the log of decisions does not have it.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import yaml
from attack_members import asked_again, refused_member
from e2e_world import Fleet, Plane, result

from reconciler.audit.entry import MemberRefused

pytestmark = pytest.mark.real
ACCOUNTS = "/api/v1/namespaces/kube-system/serviceaccounts"
BINDINGS = "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings"


def token(plane: Plane) -> str:
    """Of an account that may do everything."""
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "mallory"}}
    plane.apply(f"{ACCOUNTS}/mallory", account)
    binding = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": "mallory"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"},
        "subjects": [{"kind": "ServiceAccount", "namespace": "kube-system", "name": "mallory"}],
    }
    plane.apply(f"{BINDINGS}/mallory", binding)
    return plane.token("mallory", "kube-system")


def test_a_token_of_more_rights(synced: Fleet, a: Plane) -> None:
    folder: Path = synced.shared / "credentials"
    good = (folder / "member-a.kubeconfig").read_text()
    file = folder / "exchanged.kubeconfig"
    body = yaml.safe_load(good)
    try:
        for text, code in ((token(a), "FW1719"), ("dead", "FW1710")):
            body["users"][0]["user"]["token"] = text
            file.write_text(yaml.safe_dump(body))
            credentials = {"kubeconfig": {"path": file.name}}
            synced.commit(synced.registration("member-a", credentials=credentials))
            asked_again(synced)
            if code == "FW1719":
                refused_member(synced, code)
            size = len(synced.entries())
            part = result(synced.reconcile("member-a"), "member-a")
            assert part.error.startswith(code)
            assert text not in part.error
            assert not [e for e in synced.entries()[size:] if isinstance(e, MemberRefused)]
        shutil.copy(folder / "member-a.kubeconfig", file)
        asked_again(synced)
        assert synced.reconcile().converged
    finally:
        for path in (f"{BINDINGS}/mallory", f"{ACCOUNTS}/mallory"):
            a.send("DELETE", path)
        file.unlink()
    synced.assert_log_whole()
