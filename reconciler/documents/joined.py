"""Where the credential of a cluster that joined by token may be, as its registration says it. Pure.

One place for each store, and each names the cluster: a registration that an enroller commits, or that waits
for its cluster, can never name the credential of another one.

>>> is_own({"tokenFile": "joined/a.token"}, "a"), is_own({"tokenFile": "joined/b.token"}, "a")
(True, False)
>>> is_joined(Credentials("tokenFile", path="joined/a.token"), "a")
True
"""

from __future__ import annotations

from reconciler.documents.build import build_credentials
from reconciler.documents.fleet import Credentials
from reconciler.model import PRIMARY_NAMESPACE, Json


def file_of(name: str) -> str:
    """The file, below the credentials folder of the host."""
    return f"joined/{name}.token"


def secret_of(name: str) -> str:
    """The Secret, in ``PRIMARY_NAMESPACE`` of the primary."""
    return f"member-{name}"


def in_file(name: str) -> dict[str, Json]:
    """``spec.credentials`` of the store ``files``."""
    return {"tokenFile": file_of(name)}


def in_secret(name: str) -> dict[str, Json]:
    """``spec.credentials`` of the store ``secrets``."""
    return {"secretRef": {"namespace": PRIMARY_NAMESPACE, "name": secret_of(name)}}


def is_own(credentials: Json, name: str) -> bool:
    """Whether these, as a document has them, are of that cluster's own join."""
    return credentials in (in_file(name), in_secret(name))


def is_joined(credentials: Credentials | None, name: str) -> bool:
    """Whether these are of that cluster's own join."""
    return credentials in (build_credentials(in_file(name)), build_credentials(in_secret(name)))
