"""A cluster as its administrator's kubeconfig reaches it, and whether the cluster itself knows them.

Rules:
- The kubeconfig is the administrator's own, on their own machine: the files and the exec command that it
  names are used, as kubectl would. TLS verification cannot be skipped here either.
- Who promotes or joins has to be authenticated by the cluster itself: by a client certificate or as a service
  account. An identity that an external provider vouches for is refused, whatever its groups:
  ``system:masters`` too can come from a provider's claim. Who runs the provider could else add clusters.
- What the API server says of the login decides (SelfSubjectReview): a service account's name together with
  the groups that the API server gives that account (a provider without prefixes could claim a name), or the
  ``credential-id`` of a certificate; API servers that say no credential-id (before 1.32) are believed about a
  login that has a certificate and no token.

>>> groups = ("system:serviceaccounts", "system:serviceaccounts:ops", "system:authenticated")
>>> own_identity(Caller("system:serviceaccount:ops:installer", groups, {}), certificate_only=False)
True
>>> own_identity(Caller("ann", ("system:masters",), {}), certificate_only=False)
False
"""

from __future__ import annotations

import base64
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from reconciler.documents.formats import is_dns_label, is_https_url, is_subdomain
from reconciler.errors import MemberError
from reconciler.member import kubeconfig
from reconciler.member.limits import Limits
from reconciler.member.login import Host, Login, refused
from reconciler.member.transport import Request, Transport, expecting, utc_now

MAX_FILE = 1 << 20  # bytes
_NAME_ONE = "name the kubeconfig of an administrator: --kubeconfig, or the variable KUBECONFIG"
_MEND = "mend the field server of the cluster in that file"
CREDENTIAL_ID = "authentication.kubernetes.io/credential-id"
_REVIEW = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
_FILES = {
    "clusters": ("cluster", ("certificate-authority",)),
    "users": ("user", ("client-certificate", "client-key", "tokenFile")),
}


class ExternalCallerError(MemberError):
    """The administrator is not authenticated by the cluster itself."""

    code = "FW1754"


@dataclass(frozen=True, slots=True)
class Caller:
    """``userInfo`` of a SelfSubjectReview."""

    username: str
    groups: tuple[str, ...]
    extra: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Administrator:
    """What the kubeconfig says; a ``CredentialSource``."""

    server: str
    ca_bundle: str
    server_name: str
    text: bytes = field(repr=False)
    context: str
    host: Host = field(repr=False)

    async def load(self, *, fresh: bool = False) -> Login:
        """The login. Raises CredentialError, ExecRefusedError."""
        return await kubeconfig.login_of(self.text, self.context, self.host, None, "kubeconfig", fresh=fresh)

    def transport(self, limits: Limits | None = None) -> Transport:
        """A connection as this administrator."""
        return Transport((self.server,), self.ca_bundle, self.server_name, self, limits or Limits())


def administrator(path: Path, context: str, environment: Mapping[str, str]) -> Administrator:
    """The administrator of a kubeconfig file. Raises CredentialError."""
    config = _embedded(path)
    text = orjson.dumps(config)
    user = kubeconfig.user_of(text, context, str(path))
    chosen = context or str(config.get("current-context") or "")
    bound = kubeconfig.named(config, "contexts", "context", chosen, str(path))
    cluster = kubeconfig.named(config, "clusters", "cluster", str(bound.get("cluster")), str(path))
    try:
        ca = base64.b64decode(str(cluster.get("certificate-authority-data") or "")).decode()
    except ValueError as error:
        raise refused(str(path), "PEM in certificate-authority-data", "something else") from error
    command = user["exec"] if isinstance(user.get("exec"), dict) else {}
    allowed = (kubeconfig.argv_of(command),)
    host = Host(path.parent, utc_now, allowed_exec=allowed, environment=environment)
    name = str(cluster.get("tls-server-name") or "")
    server = str(cluster.get("server") or "")
    if not is_https_url(server):
        raise refused(str(path), "https://host:port as the server of its cluster", "something else", _MEND)
    return Administrator(server, ca, name, text, chosen, host)


async def require_own_identity(transport: Transport, login: Login) -> Caller:
    """Who calls, as the API server says it. Raises ExternalCallerError, MemberError."""
    body = orjson.dumps({"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"})
    answer = (await transport.send(Request("POST", _REVIEW, body))).json()
    with expecting("a SelfSubjectReview"):
        info = answer["status"]["userInfo"]
        extra = {str(key): tuple(map(str, values)) for key, values in (info.get("extra") or {}).items()}
        caller = Caller(str(info["username"]), tuple(map(str, info.get("groups") or ())), extra)
    if own_identity(caller, certificate_only=bool(login.certificate) and not login.token):
        return caller
    raise ExternalCallerError(
        f"the cluster knows you as {caller.username[:200]}, but did not authenticate you itself",
        expected="a client certificate, or a service account of this cluster",
        got="an identity that another provider vouches for, or a bearer token of unknown origin",
        hint="use the cluster's own administrator kubeconfig; otherwise whoever runs that provider could add"
        " clusters to the fleet",
    )


def own_identity(caller: Caller, *, certificate_only: bool) -> bool:
    """Whether the cluster itself authenticated the caller."""
    ids = caller.extra.get(CREDENTIAL_ID, ())
    if _is_service_account(caller):
        return True
    if ids:
        return all(one.startswith("X509SHA256=") for one in ids)
    return certificate_only and "system:authenticated" in caller.groups


def _is_service_account(caller: Caller) -> bool:
    prefix, _, account = caller.username.partition("system:serviceaccount:")
    namespace, _, name = account.partition(":")
    given = {"system:serviceaccounts", f"system:serviceaccounts:{namespace}"}
    return not prefix and is_dns_label(namespace) and is_subdomain(name) and given <= set(caller.groups)


def _embedded(path: Path) -> dict[str, Any]:
    """The kubeconfig with the contents of the files that it names in place of their names."""
    config = kubeconfig.config_of(read_file(path, _NAME_ONE), str(path))
    for section, (inner, names) in _FILES.items():
        items = config.get(section)
        for item in items if isinstance(items, list) else ():
            part = item.get(inner) if isinstance(item, dict) else None
            if isinstance(part, dict):
                for name in names:
                    _embed(part, name, path.parent)
    return config


def _embed(part: dict[str, Any], name: str, folder: Path) -> None:
    target = part.pop(name, None)
    key = "token" if name == "tokenFile" else f"{name}-data"
    if not target or part.get(key):
        return
    content = read_file(folder / str(target))
    part[key] = (
        content.decode("ascii", "replace").strip()
        if name == "tokenFile"
        else base64.b64encode(content).decode()
    )


def read_file(path: Path, hint: str = "") -> bytes:
    """A file of bounded size; a pipe hangs nobody. Raises CredentialError."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(handle, "rb") as file:
            data = file.read(MAX_FILE + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", "") or "unreadable"
        raise refused(str(path), "a readable file", reason, hint) from error
    if len(data) > MAX_FILE:
        raise refused(str(path), f"at most {MAX_FILE} bytes", "more")
    return data
