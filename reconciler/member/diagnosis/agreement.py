"""What the API servers of one member say together: one cluster, one version, the registered one. Pure.

>>> one, other = Server("https://a", version="v1.36.3"), Server("https://b", version="v1.34.1")
>>> [(result.check.value, result.grade.value) for result in agreement([one, other], "1.36")]
[('api.cluster', 'skipped'), ('version.registered', 'failed'), ('version.servers', 'failed')]
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from reconciler.member import errors
from reconciler.member.diagnosis.results import MemberCheck, Result, failed, ok, skipped, warning
from reconciler.member.diagnosis.servers import Server
from reconciler.member.versions import minor


def agreement(servers: Sequence[Server], registered: str) -> list[Result]:
    """What the servers say together: one cluster, one version, the registered one."""
    uids = {server.identity.uid for server in servers if server.identity}
    expected = "every URL leads to the same cluster"
    if len(uids) > 1:
        text = ", ".join(f"{s.url} {s.identity.uid}" for s in servers if s.identity)
        hint = "take the URLs of other clusters out of spec.apiServers"
        same = failed(MemberCheck.SAME_CLUSTER, expected, text, hint, code="FW1721")
    elif uids:
        same = ok(MemberCheck.SAME_CLUSTER, expected, f"uid {uids.pop()}")
    else:
        same = skipped(MemberCheck.SAME_CLUSTER, "no API server lets us in")
    versions = {s.url: s.version for s in servers if minor(s.version)}
    if not versions:
        reason = "no API server says its version"
        return [same, *(skipped(check, reason) for check in (MemberCheck.VERSION, MemberCheck.VERSIONS))]
    return [same, registered_result(lowest(servers), registered), _spread(versions)]


def lowest(servers: Sequence[Server]) -> str:
    """The oldest version that a server says, "" when none does."""
    return min((s.version for s in servers if minor(s.version)), key=minor, default="")


def registered_result(version: str, registered: str) -> Result:
    """Older than what the objects are checked against is a failure: it may refuse or drop fields."""
    check, expected = MemberCheck.VERSION, f"spec.kubernetesVersion {registered}"
    hint = errors.CODES["FW1731"][1]
    if minor(version) == minor(registered):
        return ok(check, expected, version)
    grade = failed if minor(version) < minor(registered) else warning
    return grade(check, expected, version, hint, code="FW1731")


def _spread(versions: Mapping[str, str]) -> Result:
    """Kubernetes supports one minor version of difference between the API servers of a cluster."""
    check, expected = MemberCheck.VERSIONS, "one version at every URL"
    if len(set(versions.values())) == 1:
        return ok(check, expected, next(iter(versions.values())))
    found = ", ".join(f"{url} {version}" for url, version in versions.items())
    numbers = [minor(version) for version in versions.values()]
    near = max(numbers)[0] == min(numbers)[0] and max(numbers)[1] - min(numbers)[1] <= 1
    grade = warning if near else failed
    return grade(check, expected, found, "finish the upgrade of the control plane")
