"""What an enroller may sign: one new cluster's registration, while the root allows it. Pure.

An enroller is the reconciler's own key (role ``enroller``): it lets a cluster join without waiting for
people. Whoever steals that key must not gain more than that, so its commit counts only if

1. the root that judges it (the one before it) says ``joining.autoApprove: true``;
2. it has one parent, and all it does is add one plain file, ``clusters/NAME.yaml``;
3. that file is one Cluster of that name with the fields of ``FIELDS`` alone, and its credential is that of
   its own join: never another member's, which would be sent to a server of the thief's choice.

A path rule asks it for no approvals. It counts for nobody elsewhere: not for a rule, a threshold or a
heartbeat.

>>> registered(b"kind: Cluster", "a")
'not one Cluster with its own name and credential, and nothing but where and how it is reached'
"""

import re

from reconciler.documents import TrustRoot
from reconciler.documents.formats import is_dns_label
from reconciler.documents.joined import is_own
from reconciler.documents.reader import read
from reconciler.errors import TrustError
from reconciler.model import API_VERSION, Json
from reconciler.trust.commits import VerifiedSigner
from reconciler.trust.errors import EnrollerError, EnrollerForbiddenError
from reconciler.trust.verdicts import Candidate

FIELDS = frozenset(
    ("apiServers", "caBundle", "tlsServerName", "credentials", "viewerCredentials", "kubernetesVersion")
)  # of spec: what a join writes
_PATH = re.compile(r"clusters/([^/]+)\.yaml")
_HINT = "take the commit off the branch; if nobody here made it, somebody else has the reconciler's key"


def may_enroll(path: str) -> str:
    """The name of the cluster whose registration has this path, "" for another path."""
    found = _PATH.fullmatch(path)
    return found[1] if found and is_dns_label(found[1]) else ""


def objections(commit: Candidate, signer: VerifiedSigner, root: TrustRoot) -> list[TrustError]:
    """Why the commit of an enroller does not count; empty for an enrolment."""
    if wrong := _wrong(commit):
        return [
            EnrollerError(
                "an enroller's key signed something else than one new cluster",
                expected="one parent, and one new file clusters/NAME.yaml as a join writes it",
                got=f"{wrong}, by {signer.name}",
                hint=_HINT,
            )
        ]
    if not root.auto_approve:
        return [
            EnrollerForbiddenError(
                "an enroller added a cluster, and the trust root does not let it",
                expected="joining.autoApprove: true in the commit before it",
                got=f"{commit.paths[0]} by {signer.name}, trust root version {root.version}",
                hint="have the registration signed by a person, or allow it in federation.yaml first",
            )
        ]
    return []


def _wrong(commit: Candidate) -> str:
    if len(commit.parents) != 1:
        return f"{len(commit.parents)} parents"
    if len(commit.paths) != 1:
        return f"{len(commit.paths)} changed paths"
    (path,) = commit.paths
    name = may_enroll(path)
    if not name:
        return f"a change of {path[:200]}"
    if commit.addition is None:
        return f"{path[:200]}, which is no new plain file"
    return registered(commit.addition, name)


def registered(content: bytes, name: str) -> str:
    """What is wrong with a registration that an enroller adds, "" for nothing."""
    found = read(content)
    body = found.documents[0].value if len(found.documents) == 1 and not found.problems else None
    if _is_join(body, name):
        return ""
    return "not one Cluster with its own name and credential, and nothing but where and how it is reached"


def _is_join(body: Json, name: str) -> bool:
    if not isinstance(body, dict) or body.keys() != {"apiVersion", "kind", "metadata", "spec"}:
        return False
    metadata, spec = body["metadata"], body["spec"]
    if not isinstance(metadata, dict) or not isinstance(spec, dict):
        return False
    said = (body["apiVersion"], body["kind"], metadata.get("name"))
    known = said == (API_VERSION, "Cluster", name) and is_own(spec.get("credentials"), name)
    reads = "viewerCredentials" not in spec or is_own(spec["viewerCredentials"], name, viewer=True)
    return known and reads and metadata.keys() <= {"name", "labels"} and spec.keys() <= FIELDS
