"""The user of a kubeconfig file, and nothing else of it.

``kubernetes.aio.config`` reads the same fields, but leaves client keys in temporary files until the process
ends, swallows the errors of exec plugins, follows any path in the file and refreshes OIDC tokens over the
system's trust. Hence these lines; a test compares the results of both.

- The context is the one named, else ``current-context``.
- Order as in client-go: exec, then token, then tokenFile; a client certificate goes with any of them.
- Paths in the file are relative to it and stay inside the credentials directory.
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from reconciler.documents.codes import CODES
from reconciler.documents.reader import read as read_yaml
from reconciler.member.execplugin import ExecPlugin
from reconciler.member.login import Host, Login, read, refused, token_of

_REFUSED = ("username", "password", "auth-provider", "as", "as-uid", "as-groups", "as-user-extra")


@dataclass(frozen=True, slots=True)
class Kubeconfig:
    """A kubeconfig file in the credentials directory."""

    host: Host
    path: str
    context: str

    async def load(self, *, fresh: bool = False) -> Login:
        """The user's login. Raises CredentialError, ExecRefusedError."""
        text = await read(self.host.directory, self.path)
        base = PurePosixPath(self.path).parent
        return await login_of(text, self.context, self.host, base, self.path, fresh=fresh)


async def login_of(
    text: bytes, context: str, host: Host, base: PurePosixPath | None, label: str, *, fresh: bool
) -> Login:
    """The login in a kubeconfig's text; ``base`` None: it may not name files."""
    user = user_of(text, context, label)
    if "exec" in user:
        return await _exec(user["exec"], host, label).load(fresh=fresh)
    token = b""
    if user.get("token"):
        token = str(user["token"]).encode()
    elif user.get("tokenFile"):
        token = await _file(user["tokenFile"], host.directory, base, label)
    certificate = await _data_or_file(user, "client-certificate", host.directory, base, label)
    key = await _data_or_file(user, "client-key", host.directory, base, label)
    if bool(certificate) != bool(key) or not (certificate or token):
        raise refused(label, "a token, or a client certificate with its key", "neither")
    return Login(token=token_of(token, label) if token else "", certificate=certificate, key=key)


def config_of(text: bytes, label: str) -> dict[str, Any]:
    """The kubeconfig as JSON values, read as strictly as the fleet's files. Raises CredentialError."""
    found = read_yaml(text)
    if found.problems:
        problem = found.problems[0]  # its own words may quote the file
        raise refused(label, "a kubeconfig", f"line {problem.line}: {CODES[problem.code][0]}")
    if len(found.documents) != 1 or not isinstance(config := found.documents[0].value, dict):
        raise refused(label, "a kubeconfig", "another document")
    return config


def user_of(text: bytes, context: str, label: str) -> dict[str, Any]:
    """The ``user`` mapping that the context names, checked for what is refused."""
    config = config_of(text, label)
    chosen = context or str(config.get("current-context") or "")
    bound = named(config, "contexts", "context", chosen, label)
    cluster = named(config, "clusters", "cluster", str(bound.get("cluster")), label)
    if cluster.get("insecure-skip-tls-verify"):
        raise refused(label, "a verified connection", "insecure-skip-tls-verify")
    user = named(config, "users", "user", str(bound.get("user")), label)
    for name in _REFUSED:
        if name in user:
            raise refused(label, "token, client certificate or exec", name)
    return user


def named(config: dict[str, Any], section: str, inner: str, name: str, label: str) -> dict[str, Any]:
    """The ``inner`` mapping of the item ``name`` in a section. Raises CredentialError."""
    items = config.get(section)
    for item in items if isinstance(items, list) else ():
        if isinstance(item, dict) and item.get("name") == name and isinstance(item.get(inner), dict):
            found: dict[str, Any] = item[inner]
            return found
    raise refused(label, f"{inner} {name!r} in {section}", "none")


async def _data_or_file(
    user: dict[str, Any], name: str, directory: Path, base: PurePosixPath | None, label: str
) -> bytes:
    if data := user.get(f"{name}-data"):
        try:
            return base64.b64decode(str(data), validate=True)
        except (binascii.Error, ValueError) as error:
            raise refused(label, f"base64 in {name}-data", "something else") from error
    if path := user.get(name):
        return await _file(path, directory, base, label)
    return b""


async def _file(path: Any, directory: Path, base: PurePosixPath | None, label: str) -> bytes:
    if base is None:
        raise refused(label, "data inside the kubeconfig", "the name of a file")
    return await read(directory, str(base / str(path)))


def _exec(spec: Any, host: Host, label: str) -> ExecPlugin:
    if not isinstance(spec, dict) or not spec.get("command"):
        raise refused(label, "an exec command", "none")
    env = tuple(
        (str(p["name"]), str(p["value"]))
        for p in _listed(spec, "env")
        if isinstance(p, dict) and {"name", "value"} <= p.keys()
    )
    return ExecPlugin(host, argv_of(spec), env)


def argv_of(spec: dict[str, Any]) -> tuple[str, ...]:
    """The command line of an ``exec`` mapping."""
    return str(spec.get("command", "")), *map(str, _listed(spec, "args"))


def _listed(spec: dict[str, Any], name: str) -> list[Any]:
    found = spec.get(name)
    return found if isinstance(found, list) else []
