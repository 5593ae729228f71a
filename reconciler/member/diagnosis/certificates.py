"""The certificate of one API server URL: chain, names and time, each judged by itself.

One TLS handshake says only the first thing that is wrong. So there are three, all without a login and
without a byte of HTTP, and OpenSSL stays the judge of each:

1. believing nobody: what certificate is shown at all
2. believing caBundle, times and names left aside: the chain
3. believing that very certificate, chain and times left aside: its names

Its dates are read from it. That all of them together hold is shown by the API request that follows.
"""

from __future__ import annotations

import asyncio
import ssl
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from cryptography import x509
from cryptography.x509.oid import ExtensionOID

from reconciler.member import errors, tls
from reconciler.member.diagnosis.network import Endpoint
from reconciler.member.diagnosis.results import (
    Bounds,
    Grade,
    MemberCheck,
    Result,
    failed,
    failed_by,
    ok,
    skipped,
)
from reconciler.member.diagnosis.validity import Validity, validity_result
from reconciler.member.login import Login

_NO_CHECK_TIME: Final = 0x200000  # X509_V_FLAG_NO_CHECK_TIME (openssl/x509_vfy.h); ssl has no name for it
_OTHER_NAME: Final = (62, 64)  # X509_V_ERR_HOSTNAME_MISMATCH, X509_V_ERR_IP_ADDRESS_MISMATCH
_MOST_NAMES = 20
_MOST_CA = 100


@dataclass(frozen=True, slots=True)
class Shown:
    """What one handshake showed: the server's certificate (DER) and the protocol ("TLSv1.3")."""

    der: bytes
    protocol: str


async def certificate_results(
    endpoint: Endpoint, address: str, name: str, ca_bundle: str, now: datetime, bounds: Bounds
) -> list[Result]:
    """handshake, chain, san, expiry of the server at ``address``, which has to be called ``name``."""
    url, expected = endpoint.url, "TLS 1.2 or newer"
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE  # only to look at what is shown
    seconds = bounds.request.total_seconds()
    try:
        shown = await _handshake(address, endpoint.port, name, context, seconds)
        certificate = x509.load_der_x509_certificate(shown.der)
    except (OSError, TimeoutError) as error:
        found = failed_by(MemberCheck.HANDSHAKE, tls.translate(error, url), expected, url)
        return [found, *without_certificate(url, "the TLS handshake failed")]
    except ValueError:
        hint = errors.CODES["FW1726"][1]
        found = failed(
            MemberCheck.HANDSHAKE, "an X.509 certificate", "another", hint, code="FW1726", where=url
        )
        return [found, *without_certificate(url, "the certificate cannot be read")]
    chain = await _chain(endpoint, address, name, ca_bundle, certificate, seconds)
    return [
        ok(MemberCheck.HANDSHAKE, expected, shown.protocol, url),
        chain,
        await _names(endpoint, address, name, shown, certificate, seconds),
        _dates(url, certificate, now, bounds),
    ]


def without_certificate(url: str, reason: str) -> list[Result]:
    """The results where no certificate was seen."""
    return [skipped(check, reason, url) for check in (MemberCheck.CHAIN, MemberCheck.SAN, MemberCheck.EXPIRY)]


async def _handshake(address: str, port: int, name: str, context: ssl.SSLContext, seconds: float) -> Shown:
    """Raises OSError (ssl.SSLError is one), TimeoutError."""
    async with asyncio.timeout(seconds):
        _, writer = await asyncio.open_connection(address, port, ssl=context, server_hostname=name)
    try:
        tls_object = writer.get_extra_info("ssl_object")
        return Shown(tls_object.getpeercert(binary_form=True) or b"", tls_object.version() or "")
    finally:
        writer.transport.abort()


async def _chain(
    endpoint: Endpoint, address: str, name: str, ca_bundle: str, certificate: x509.Certificate, seconds: float
) -> Result:
    expected = "a chain to caBundle" if ca_bundle.strip() else "a chain to the system's trust store"
    try:
        context = tls.tls_context(ca_bundle, Login())
        context.check_hostname = False
        context.verify_flags |= _NO_CHECK_TIME
        await _handshake(address, endpoint.port, name, context, seconds)
    except errors.CredentialError as error:
        return failed_by(MemberCheck.CHAIN, error, expected, endpoint.url)
    except ssl.SSLCertVerificationError as error:
        issuer = certificate.issuer.rfc4514_string()[:200]
        found = f"{error.verify_message}; it says that its issuer is {issuer or 'nobody'}"
        hint = errors.CODES["FW1703"][1]
        return failed(MemberCheck.CHAIN, expected, found, hint, code="FW1703", where=endpoint.url)
    except (OSError, TimeoutError) as error:
        return failed_by(MemberCheck.CHAIN, tls.translate(error, endpoint.url), expected, endpoint.url)
    return ok(MemberCheck.CHAIN, expected, "it holds", endpoint.url)


async def _names(
    endpoint: Endpoint, address: str, name: str, shown: Shown, certificate: x509.Certificate, seconds: float
) -> Result:
    expected, found = f"the name {name}", _alternatives(certificate) or "no names (SANs)"
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.verify_flags |= _NO_CHECK_TIME | ssl.VerifyFlags.VERIFY_X509_PARTIAL_CHAIN
    context.load_verify_locations(cadata=shown.der)
    try:
        await _handshake(address, endpoint.port, name, context, seconds)
    except ssl.SSLCertVerificationError as error:
        if error.verify_code not in _OTHER_NAME:  # not even by itself: what the chain says too
            return skipped(MemberCheck.SAN, f"{found}; not judged: {error.verify_message}", endpoint.url)
        hint = errors.CODES["FW1705"][1]
        return failed(MemberCheck.SAN, expected, found, hint, code="FW1705", where=endpoint.url)
    except (OSError, TimeoutError) as error:
        return failed_by(MemberCheck.SAN, tls.translate(error, endpoint.url), expected, endpoint.url)
    return ok(MemberCheck.SAN, expected, found, endpoint.url)


def _alternatives(certificate: x509.Certificate) -> str:
    try:
        found = certificate.extensions.get_extension_for_oid(ExtensionOID.SUBJECT_ALTERNATIVE_NAME).value
    except (x509.ExtensionNotFound, ValueError):
        return ""
    assert isinstance(found, x509.SubjectAlternativeName)  # noqa: S101  its type by its OID
    names = [*found.get_values_for_type(x509.DNSName), *map(str, found.get_values_for_type(x509.IPAddress))]
    more = f" and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else ""
    return ", ".join(names[:_MOST_NAMES]) + more


def _dates(url: str, certificate: x509.Certificate, now: datetime, bounds: Bounds) -> Result:
    hint = "renew the API server's certificate, and check both clocks"
    return validity_result(
        MemberCheck.EXPIRY, "the certificate is valid", valid(certificate), now, bounds.expiring,
        code="FW1704", hint=hint, where=url,
    )  # fmt: skip


def valid(certificate: x509.Certificate) -> Validity:
    """From when until when."""
    return Validity(certificate.not_valid_before_utc, certificate.not_valid_after_utc)


def authority_result(ca_bundle: str, now: datetime, bounds: Bounds) -> Result:
    """caBundle's own certificates: the one that ends first, of those that are of any use."""
    if not ca_bundle.strip():
        return skipped(MemberCheck.CA, "the system's trust store is used")
    try:
        found = x509.load_pem_x509_certificates(ca_bundle.encode())[:_MOST_CA]
    except ValueError:
        hint = "copy the API server's CA into caBundle"
        return failed(MemberCheck.CA, "PEM certificates in caBundle", "another text", hint, code="FW1717")
    living = [one for one in found if valid(one).grade(now, bounds.expiring) is not Grade.FAILED] or found
    first = min(living, key=lambda one: one.not_valid_after_utc)
    what = f"{len(found)} in caBundle, {first.subject.rfc4514_string()[:100]}"
    return validity_result(
        MemberCheck.CA, what, valid(first), now, bounds.expiring,
        code="FW1704", hint="put the cluster's new CA beside the old one into caBundle, by a commit",
    )  # fmt: skip
