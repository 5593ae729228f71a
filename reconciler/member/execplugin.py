"""Exec credential plugins (client.authentication.k8s.io/v1), for the commands that the Federation allows.

- The argv must equal an allowed one, word for word: a path or an argument more is another command.
- 60 seconds, 1 MiB of output; standard error is not repeated anywhere, since plugins print secrets there.
- The answer is kept until a minute before its ``expirationTimestamp``; without one until a 401.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson

from reconciler.member import errors
from reconciler.member.login import MAX_FILE, Host, Login, refused, token_of

API_VERSION = "client.authentication.k8s.io/v1"
_SECONDS = 60
_SECONDS_TO_END = 5
_SKEW = timedelta(minutes=1)


class ExecPlugin:
    """One allowed command. Raises ExecRefusedError when made for another one."""

    def __init__(self, host: Host, argv: tuple[str, ...], env: tuple[tuple[str, str], ...]) -> None:
        if argv not in {tuple(allowed) for allowed in host.allowed_exec}:
            raise errors.ExecRefusedError("exec command is not allowed", got=" ".join(argv)[:200])
        self._argv = argv
        self._label = f"exec {argv[0]}"
        self._clock = host.clock
        self._env = {**host.environment, **dict(env), "KUBERNETES_EXEC_INFO": _INFO}
        self._login: Login | None = None
        self._until: datetime | None = None

    async def load(self, *, fresh: bool = False) -> Login:
        """The command's login, kept while it is valid. Raises CredentialError."""
        expired = self._until is not None and self._clock() >= self._until - _SKEW
        if self._login is None or fresh or expired:
            self._login, self._until = self._parse(await self._run())
        return self._login

    async def _run(self) -> bytes:
        pipe, null = asyncio.subprocess.PIPE, asyncio.subprocess.DEVNULL
        try:
            process = await asyncio.create_subprocess_exec(
                *self._argv, stdin=null, stdout=pipe, stderr=null, env=self._env, start_new_session=True
            )
        except (OSError, ValueError) as error:  # ValueError: a NUL, or a variable's name with "="
            reason = getattr(error, "strerror", "") or "an error"
            raise refused(self._label, "a command that runs", reason) from error
        try:
            async with asyncio.timeout(_SECONDS):
                output = await _bounded(process, self._label)
                status = await process.wait()
        except TimeoutError as error:
            raise refused(self._label, f"an answer in {_SECONDS} s", "none") from error
        finally:
            if process.returncode is None:
                await _end(process)
        if status != 0:
            raise refused(self._label, "exit status 0", str(status))
        return output

    def _parse(self, output: bytes) -> tuple[Login, datetime | None]:
        try:
            answer = orjson.loads(output)
        except orjson.JSONDecodeError as error:
            raise refused(self._label, "an ExecCredential", "not JSON") from error
        status = answer.get("status") if isinstance(answer, dict) else None
        if not isinstance(status, dict) or answer.get("apiVersion") != API_VERSION:
            raise refused(self._label, f"an ExecCredential of {API_VERSION} with a status", "something else")
        return self._login_of(status), self._expiry(status)

    def _login_of(self, status: Mapping[str, Any]) -> Login:
        token = str(status.get("token") or "").encode()
        certificate = str(status.get("clientCertificateData") or "").encode()
        key = str(status.get("clientKeyData") or "").encode()
        if bool(certificate) != bool(key) or not (token or certificate):
            raise refused(self._label, "a token, or a certificate with its key", "neither")
        return Login(token_of(token, self._label) if token else "", certificate, key)

    def _expiry(self, status: Mapping[str, Any]) -> datetime | None:
        text = status.get("expirationTimestamp")
        if not text:
            return None
        try:
            moment = datetime.fromisoformat(str(text))
        except ValueError as error:
            raise refused(self._label, "an RFC 3339 expirationTimestamp", "something else") from error
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


async def _bounded(process: asyncio.subprocess.Process, label: str) -> bytes:
    assert process.stdout is not None  # noqa: S101 - it was asked for
    output = bytearray()
    while part := await process.stdout.read(1 << 16):
        output += part
        if len(output) > MAX_FILE:
            raise refused(label, f"at most {MAX_FILE} bytes of output", "more")
    return bytes(output)


async def _end(process: asyncio.subprocess.Process) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)  # its children too: they hold the pipe
    # Reaping waits for the end of the pipe, so what is left in it has to be read.
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_SECONDS_TO_END):
            await process.communicate()


_INFO = orjson.dumps(
    {"apiVersion": API_VERSION, "kind": "ExecCredential", "spec": {"interactive": False}}
).decode()
