"""How to log in to a member: by reference, read when needed, never kept on disk or shown.

- Paths are relative to the host's credentials directory and cannot leave it, symlinks included.
- A kubeconfig gives the user only; URLs and CA are the registration's. Passwords, auth-provider plugins
  and ``insecure-skip-tls-verify`` are refused.
- An exec command runs only if its very argv is allowed, with a time and a size limit.
- Files are read again for every operation and after a 401, so a rotated token is simply used.

>>> Login(token="secret")
Login()
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from reconciler import documents
from reconciler.member import errors
from reconciler.model import Clock

MAX_FILE = 1 << 20  # bytes
SecretReader = Callable[[str, str], Awaitable[Mapping[str, bytes]]]  # (namespace, name) -> data, decoded


@dataclass(frozen=True, slots=True)
class Login:
    """What to present: a bearer token, a client certificate (PEM) with its key, or both."""

    token: str = field(default="", repr=False)
    certificate: bytes = field(default=b"", repr=False)
    key: bytes = field(default=b"", repr=False)


class CredentialSource(Protocol):
    """Port to where a login comes from."""

    async def load(self, *, fresh: bool = False) -> Login:
        """The login now; ``fresh`` after the API server refused the last one. Raises CredentialError."""
        ...


@dataclass(frozen=True, slots=True)
class Host:
    """What the reconciler's own host offers to credentials."""

    directory: Path
    clock: Clock
    allowed_exec: Sequence[tuple[str, ...]] = ()
    environment: Mapping[str, str] = field(default_factory=dict)  # for exec commands
    read_secret: SecretReader | None = None


def credential_source(credentials: documents.Credentials, host: Host) -> CredentialSource:
    """The source that a registration names. Raises ExecRefusedError for a command that is not allowed."""
    if credentials.method == "tokenFile":
        return TokenFile(host.directory, credentials.path)
    if credentials.method == "clientCertificate":
        return CertificateFiles(host.directory, credentials.cert_file, credentials.key_file)
    if credentials.method == "secretRef":
        return SecretReference(host, credentials.secret_namespace, credentials.secret_name)
    # Imported late: only these two need YAML and processes.
    if credentials.method == "kubeconfig":
        from reconciler.member.kubeconfig import Kubeconfig

        return Kubeconfig(host, credentials.path, credentials.context)
    from reconciler.member.execplugin import ExecPlugin

    return ExecPlugin(host, credentials.argv, credentials.env)


@dataclass(frozen=True, slots=True)
class TokenFile:
    """A bearer token in a file, as a projected service account token is."""

    directory: Path
    path: str

    async def load(self, *, fresh: bool = False) -> Login:  # noqa: ARG002 - always read again
        return Login(token=token_of(await read(self.directory, self.path), self.path))


@dataclass(frozen=True, slots=True)
class CertificateFiles:
    """A client certificate and its key in two PEM files."""

    directory: Path
    cert_file: str
    key_file: str

    async def load(self, *, fresh: bool = False) -> Login:  # noqa: ARG002 - always read again
        certificate = await read(self.directory, self.cert_file)
        return Login(certificate=certificate, key=await read(self.directory, self.key_file))


@dataclass(frozen=True, slots=True)
class SecretReference:
    """A Secret on the primary: ``token``, or ``tls.crt`` with ``tls.key``, or ``kubeconfig`` (``value``)."""

    host: Host
    namespace: str
    name: str

    async def load(self, *, fresh: bool = False) -> Login:
        if self.host.read_secret is None:
            raise refused(f"Secret {self.namespace}/{self.name}", "a primary to read it from", "none")
        data = await self.host.read_secret(self.namespace, self.name)
        if "token" in data:
            return Login(token=token_of(data["token"], self._label("token")))
        if "tls.crt" in data and "tls.key" in data:
            return Login(certificate=data["tls.crt"], key=data["tls.key"])
        text = data.get("kubeconfig") or data.get("value")
        if text is None:
            raise refused(
                self._label(""), "token, tls.crt with tls.key, or kubeconfig", ", ".join(sorted(data))
            )
        from reconciler.member.kubeconfig import login_of

        return await login_of(text, "", self.host, None, self._label("kubeconfig"), fresh=fresh)

    def _label(self, key: str) -> str:
        return f"Secret {self.namespace}/{self.name} {key}".rstrip()


async def read(directory: Path, relative: str) -> bytes:
    """The bytes of a file below ``directory``, at most 1 MiB. Raises CredentialError."""
    return await asyncio.to_thread(_read, directory, relative)


def _read(directory: Path, relative: str) -> bytes:
    path = Path(relative)
    if not relative or "\0" in relative or path.is_absolute() or ".." in path.parts:
        raise refused(relative, "a relative path without '..'", "another one")
    root = directory.resolve()
    try:
        real = (root / path).resolve(strict=True)
        if not real.is_relative_to(root) or not real.is_file():
            raise refused(relative, "a file inside the credentials directory", "something else")
        with real.open("rb") as file:
            data = file.read(MAX_FILE + 1)
    except (OSError, RuntimeError) as error:  # RuntimeError: a symlink loop
        reason = error.strerror if isinstance(error, OSError) and error.strerror else "unreadable"
        raise refused(relative, "a readable file", reason) from error
    if len(data) > MAX_FILE:
        raise refused(relative, f"at most {MAX_FILE} bytes", "more")
    return data


def token_of(data: bytes, label: str) -> str:
    """A bearer token (RFC 6750: visible ASCII) without the white space around it."""
    try:
        token = data.decode("ascii").strip()
    except UnicodeDecodeError:
        token = ""
    if not token or not token.isprintable() or " " in token:
        raise refused(label, "one bearer token", "something else")
    return token


def refused(label: str, expected: str, got: str) -> errors.CredentialError:
    """The error for credentials that cannot be used; never contains their contents."""
    hint = errors.CODES["FW1717"][1]
    return errors.CredentialError(f"credentials {label!r}", expected=expected, got=got, hint=hint)
