"""TLS towards one member: whom to believe, who we are, and what went wrong.

- The registration's caBundle is the only trust, unless it is empty: then, and only then, the system's.
- TLS 1.2 at least; the name is always checked (``tlsServerName``, else the URL's host). No way to skip it.
- The client key touches the disk for as long as OpenSSL needs to read it, in a private folder.
"""

from __future__ import annotations

import ssl
import tempfile
from pathlib import Path

import aiohttp

from reconciler.member import errors
from reconciler.member.login import Login

_EXPIRED = (9, 10)  # X509_V_ERR_CERT_NOT_YET_VALID, X509_V_ERR_CERT_HAS_EXPIRED
_OTHER_NAME = (62, 64)  # X509_V_ERR_HOSTNAME_MISMATCH, X509_V_ERR_IP_ADDRESS_MISMATCH


def tls_context(ca_bundle: str, login: Login) -> ssl.SSLContext:
    """The context for all connections of one login.

    Raises CredentialError when caBundle or the client certificate cannot be used.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        if ca_bundle.strip():
            context.load_verify_locations(cadata=ca_bundle)
        else:
            context.load_default_certs()
    except (ssl.SSLError, ValueError) as error:
        raise errors.CredentialError(
            "caBundle cannot be used",
            expected="PEM certificates",
            hint="copy the API server's CA into caBundle",
        ) from error
    if login.certificate:
        _load_client_certificate(context, login)
    return context


def _load_client_certificate(context: ssl.SSLContext, login: Login) -> None:
    with tempfile.TemporaryDirectory(prefix="fleetward-") as folder:  # mode 0700
        path = Path(folder) / "client.pem"
        path.touch(mode=0o600)
        path.write_bytes(login.certificate + b"\n" + login.key)
        try:
            # An encrypted key must not make OpenSSL ask on the terminal.
            context.load_cert_chain(path, password=lambda: b"")
        except (ssl.SSLError, OSError) as error:
            raise errors.CredentialError(
                "the client certificate and key cannot be used",
                expected="a PEM certificate and its unencrypted key",
                hint="renew both files together",
            ) from error


def translate(error: Exception, server: str) -> errors.ReplyError:
    """A connection's failure as an error with a code, a place and a hint."""
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return _certificate_error(error.certificate_error, server)
    if isinstance(error, (aiohttp.ServerTimeoutError, TimeoutError)):
        return errors.SlowError("no answer in time", where=server)
    if isinstance(error, (aiohttp.ClientConnectorSSLError, ssl.SSLError)):
        return errors.TlsError("TLS failed", got=_reason(error), where=server)
    if isinstance(error, aiohttp.ClientConnectorError):
        return errors.UnreachableError(
            "no connection", got=error.os_error.strerror or str(error.os_error), where=server,
        )  # fmt: skip
    return errors.CutError("the connection broke", got=type(error).__name__, where=server)


def _certificate_error(error: Exception, server: str) -> errors.ReplyError:
    number = getattr(error, "verify_code", 0)
    kind: type[errors.ReplyError] = errors.UnknownAuthorityError
    if number in _EXPIRED:
        kind = errors.ExpiredCertificateError
    elif number in _OTHER_NAME or (isinstance(error, ssl.CertificateError) and not number):
        kind = errors.WrongNameError
    reason = getattr(error, "verify_message", "") or str(error)
    return kind("the API server's certificate is refused", got=reason, where=server)


def _reason(error: Exception) -> str:
    inner = getattr(error, "os_error", error)
    return getattr(inner, "reason", "") or type(error).__name__
