"""Where a bucket is and how it is reached, from a location and the standard AWS variables.

Rules: https, and plain http only to a loopback address; the endpoint is always named, never left to chance.
What obstore would take from the environment by itself (its constructor reads it) is set here, so that no
variable can turn off certificates, signatures or conditional writes. Credentials are in no ``repr``.

| variable | is |
|---|---|
| AWS_ENDPOINT_URL_S3, AWS_ENDPOINT_URL | the server; default: Amazon's of the region |
| AWS_REGION, AWS_DEFAULT_REGION | default us-east-1 |
| AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN | a key; without one: |
| AWS_WEB_IDENTITY_TOKEN_FILE, AWS_ROLE_ARN, AWS_ROLE_SESSION_NAME, AWS_ENDPOINT_URL_STS | a token |
| AWS_CONTAINER_CREDENTIALS_RELATIVE_URI, ..._FULL_URI, AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE | ECS, EKS |
| AWS_EC2_METADATA_SERVICE_ENDPOINT | where the instance profile is asked for |
| AWS_CA_BUNDLE | PEM file of authorities that are trusted besides the system's |
| AWS_SERVER_SIDE_ENCRYPTION, AWS_SSE_KMS_KEY_ID | for buckets that demand it with each write |

>>> access = S3Access.of("s3://audit-log/fleet-1", {"AWS_REGION": "eu-central-1"})
>>> access.bucket, access.prefix, access.endpoint
('audit-log', 'fleet-1', 'https://s3.eu-central-1.amazonaws.com')
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from reconciler.audit.codes import LogStorageError

SCHEME = "s3://"
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_SEGMENT = re.compile(r"(?!\.{1,2}$)[A-Za-z0-9!_.'()=@+-]{1,255}")  # what needs no escaping in a key
_REGION = re.compile(r"[a-z0-9-]{1,40}")
_MAX_PREFIX = 512
_MAX_CA_BUNDLE = 4 << 20  # bytes
_PASSED = {
    "AWS_ACCESS_KEY_ID": "access_key_id",
    "AWS_SECRET_ACCESS_KEY": "secret_access_key",
    "AWS_SESSION_TOKEN": "session_token",
    "AWS_WEB_IDENTITY_TOKEN_FILE": "web_identity_token_file",
    "AWS_ROLE_ARN": "role_arn",
    "AWS_ROLE_SESSION_NAME": "role_session_name",
    "AWS_ENDPOINT_URL_STS": "endpoint_url_sts",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI": "container_credentials_relative_uri",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI": "container_credentials_full_uri",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": "container_authorization_token_file",
    "AWS_EC2_METADATA_SERVICE_ENDPOINT": "metadata_endpoint",
    "AWS_SERVER_SIDE_ENCRYPTION": "server_side_encryption",
    "AWS_SSE_KMS_KEY_ID": "sse_kms_key_id",
}
_FIXED = {
    "conditional_put": "etag",
    "skip_signature": "false",
    "unsigned_payload": "false",
    "virtual_hosted_style_request": "false",
    "imdsv1_fallback": "false",
    "s3_express": "false",
    "request_payer": "false",
    "checksum_algorithm": "SHA256",  # S3 demands a checksum where objects are locked by default
}


@dataclass(frozen=True, slots=True)
class S3Access:
    """``prefix`` is "" or has no slash at its ends; ``options`` are obstore's, with the credentials."""

    bucket: str
    prefix: str
    endpoint: str
    options: Mapping[str, str] = field(repr=False)
    authorities: bytes = field(default=b"", repr=False)  # PEM

    def __str__(self) -> str:
        return f"{SCHEME}{self.bucket}/{self.prefix}".rstrip("/")

    @classmethod
    def of(cls, location: str, variables: Mapping[str, str]) -> S3Access:
        """From ``s3://bucket/prefix`` and the environment's AWS variables. Raises LogStorageError."""
        bucket, prefix = _location(location)
        region = variables.get("AWS_REGION") or variables.get("AWS_DEFAULT_REGION") or "us-east-1"
        if not _REGION.fullmatch(region):
            raise LogStorageError("not an AWS region", expected="such as eu-central-1", hint="set AWS_REGION")
        given = variables.get("AWS_ENDPOINT_URL_S3") or variables.get("AWS_ENDPOINT_URL")
        endpoint = _endpoint(given or f"https://s3.{region}.amazonaws.com")
        passed = {key: variables[name] for name, key in _PASSED.items() if variables.get(name)}
        # obstore prefers the environment's AWS_ENDPOINT_URL_S3 to an endpoint, unless that is given as well.
        places = {"region": region, "endpoint": endpoint, "aws_endpoint_url_s3": endpoint}
        authorities = _authorities(variables.get("AWS_CA_BUNDLE", ""))
        return cls(bucket, prefix, endpoint, {**passed, **places, **_FIXED}, authorities)

    @property
    def is_plain(self) -> bool:
        """Without TLS, which only a loopback address may be."""
        return self.endpoint.startswith("http://")


def _location(location: str) -> tuple[str, str]:
    bucket, _, prefix = location.removeprefix(SCHEME).partition("/")
    prefix = prefix.removesuffix("/")
    segments = prefix.split("/") if prefix else []
    good = location.startswith(SCHEME) and _BUCKET.fullmatch(bucket) and len(prefix) <= _MAX_PREFIX
    if not good or not all(_SEGMENT.fullmatch(segment) for segment in segments):
        # Not shown: people write keys into such URLs.
        raise LogStorageError(
            "not a location of a log in a bucket", expected="s3://bucket or s3://bucket/prefix",
            hint="keys belong in AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, the server in AWS_ENDPOINT_URL",
        )  # fmt: skip
    return bucket, prefix


def _endpoint(url: str) -> str:
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        parts, host = urlsplit(""), ""
    plain = parts.scheme == "http" and _is_loopback(host)
    rest = parts.path.strip("/") or parts.query or parts.fragment or "@" in parts.netloc
    if not host or rest or not url.isprintable() or not (parts.scheme == "https" or plain):
        raise LogStorageError(
            "AWS_ENDPOINT_URL is no server that the log may be kept at",
            expected="https://host or https://host:port; http only for a loopback address",
        )
    return f"{parts.scheme}://{parts.netloc}"


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _authorities(path: str) -> bytes:
    if not path:
        return b""
    try:
        with Path(path).open("rb") as file:
            data = file.read(_MAX_CA_BUNDLE + 1)
    except OSError as error:
        raise LogStorageError(
            f"the file of AWS_CA_BUNDLE cannot be read: {error.strerror}", where=path
        ) from error
    if len(data) > _MAX_CA_BUNDLE or b"-----BEGIN CERTIFICATE-----" not in data:
        raise LogStorageError("AWS_CA_BUNDLE is no file of certificates", where=path, expected="PEM")
    return data
