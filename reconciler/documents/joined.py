"""Where the credentials of a cluster that joined by token may be, as its registration says it. Pure.

One place for each store and account, and each names the cluster: a registration that an enroller commits, or
that waits for its cluster, can never name the credential of another one.

>>> is_own({"tokenFile": "joined/a.token"}, "a"), is_own({"tokenFile": "joined/b.token"}, "a")
(True, False)
>>> in_file("a", viewer=True)
{'tokenFile': 'joined/a.viewer.token'}
>>> is_joined(Credentials("tokenFile", path="joined/a.token"), "a")
True
"""

from __future__ import annotations

from reconciler.documents.build import build_credentials
from reconciler.documents.fleet import Credentials
from reconciler.model import PRIMARY_NAMESPACE, Json

FOLDER = "joined"  # below the credentials folder of the host


def file_of(name: str, *, viewer: bool = False) -> str:
    """The file, below the credentials folder of the host; ``viewer``: of the account that only reads."""
    return f"{FOLDER}/{name}{'.viewer' * viewer}.token"


def secret_of(name: str, *, viewer: bool = False) -> str:
    """The Secret, in ``PRIMARY_NAMESPACE`` of the primary."""
    return f"{'viewer' if viewer else 'member'}-{name}"


def in_file(name: str, *, viewer: bool = False) -> dict[str, Json]:
    """``spec.credentials``, or ``spec.viewerCredentials``, of the store ``files``."""
    return {"tokenFile": file_of(name, viewer=viewer)}


def in_secret(name: str, *, viewer: bool = False) -> dict[str, Json]:
    """``spec.credentials``, or ``spec.viewerCredentials``, of the store ``secrets``."""
    return {"secretRef": {"namespace": PRIMARY_NAMESPACE, "name": secret_of(name, viewer=viewer)}}


def is_own(credentials: Json, name: str, *, viewer: bool = False) -> bool:
    """Whether these, as a document has them, are of that cluster's own join."""
    return credentials in (in_file(name, viewer=viewer), in_secret(name, viewer=viewer))


def is_joined(credentials: Credentials, name: str) -> bool:
    """Whether these are of that cluster's own join, of either account."""
    own = (place(name, viewer=reads) for place in (in_file, in_secret) for reads in (False, True))
    return credentials in [build_credentials(one) for one in own]
