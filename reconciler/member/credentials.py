"""How to log in to a member: by reference, read when needed, never kept on disk or shown.

- A kubeconfig gives the user only; URLs and CA are the registration's. Passwords, auth-provider plugins
  and ``insecure-skip-tls-verify`` are refused.
- An exec command runs only if its very argv is allowed, with a time and a size limit.
- Files are read again for every operation and after a 401, so a rotated token is simply used.
- A token in a file or a Secret can be replaced (``slots``); what the others renew, others renew.
"""

from __future__ import annotations

import asyncio
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path

from reconciler import documents
from reconciler.member.login import CredentialSource, Host, Login, read, refused, token_of
from reconciler.member.seal_keys import KeyFile
from reconciler.member.secret_slot import SecretSlot, claimed_secret
from reconciler.member.slots import OpenSecrets
from reconciler.member.token_file import FileSlot, claimed, read_token


def credential_source(credentials: documents.Credentials, host: Host) -> CredentialSource:
    """The source that a registration names. Raises ExecRefusedError for a command that is not allowed."""
    if credentials.method == "tokenFile":
        return TokenFile(host.directory, credentials.path, host.seal_keys)
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
    """A bearer token in a file, as a projected service account token is; plain or sealed."""

    directory: Path
    path: str
    keys: KeyFile | None = None  # of a sealed one

    async def load(self, *, fresh: bool = False) -> Login:  # noqa: ARG002 - always read again
        data = await asyncio.to_thread(read_token, self.directory, self.path, self.keys)
        return Login(token=token_of(data, self.path))

    def claim(self, token: str) -> AbstractAsyncContextManager[FileSlot | None]:
        """See ``slots.Replaceable``."""
        return claimed(self.directory, self.path, token, self.keys)


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
        async with self._open()() as secrets:
            data = (await secrets.read(self.namespace, self.name)).data
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

    def claim(self, token: str) -> AbstractAsyncContextManager[SecretSlot | None]:
        """See ``slots.Replaceable``. Only the key ``token`` is ever replaced."""
        return claimed_secret(self._open(), self.namespace, self.name, token)

    def _open(self) -> OpenSecrets:
        if self.host.open_secrets is None:
            raise refused(f"Secret {self.namespace}/{self.name}", "a primary to read it from", "none")
        return self.host.open_secrets

    def _label(self, key: str) -> str:
        return f"Secret {self.namespace}/{self.name} {key}".rstrip()
