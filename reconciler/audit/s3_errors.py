"""What an object store's client says went wrong, in few words and without what must not be shown.

Rules: a server repeats the request in its answers (key id, signature, token), and obstore passes that on;
so only the S3 error code, the HTTP status and the kind of a broken connection are taken out of it.

>>> reason_of(ValueError("status code: 403 Forbidden: <Code>AccessDenied</Code><X>secret</X>")).shown(60)
'AccessDenied'
>>> reason_of(ValueError("kind: Timeout")).shown(60)
'no answer within 60 s'
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from reconciler.audit.codes import LogStorageError, LogStoreUnfitError

_MAX_TEXT = 100_000
_CODE = re.compile(r"<Code>([A-Za-z0-9.]{1,64})</Code>")
_STATUS = re.compile(r"status(?: code)?: (\d{3})\b")
_KIND = re.compile(r"kind: (Timeout|Connect|Interrupted)\b")
_CERTIFICATE = re.compile(r"InvalidCertificate\(\s*([A-Za-z]{1,40})")
_METADATA = re.compile(r"/latest/(?:api/token|meta-data)")

_KEYS = "check AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN, or the role of this host"
_ADVICE = {
    "NoSuchBucket": "create the bucket, or correct --log or FLEETWARD_LOG",
    "AccessDenied": "allow s3:GetObject, s3:PutObject and s3:ListBucket for this log's prefix",
    "InvalidAccessKeyId": _KEYS,
    "XAdminUserNotFound": _KEYS,
    "SignatureDoesNotMatch": _KEYS,
    "ExpiredToken": _KEYS,
    "InvalidToken": _KEYS,
    "NoCredentials": "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or run where a role gives credentials",
    "RequestTimeTooSkewed": "set this machine's clock",
    "InvalidObjectState": "the object was archived: restore it, and exempt the log from such transitions",
    "PermanentRedirect": "set AWS_REGION to the bucket's region",
    "AuthorizationHeaderMalformed": "set AWS_REGION to the server's region",
    "NotImplemented": "use a server with conditional writes, or a directory or a Git ref for the log",
}
_UNDECIDED = (408, 409, 429)  # too slow, too much at once: no verdict about the write
_OTHERWISE = "check AWS_ENDPOINT_URL, the server and the connection to it"
_CA = "name the server's authority in AWS_CA_BUNDLE"


@dataclass(frozen=True, slots=True)
class Reason:
    """``code`` is S3's own or "", ``status`` HTTP's or 0, ``kind`` that of a broken connection or ""."""

    code: str = ""
    status: int = 0
    kind: str = ""

    @property
    def is_refusal(self) -> bool:
        """The server, or this machine before it asked one, said no: nothing was written."""
        known = self.code in ("NoCredentials", "NotImplemented")
        return known or (400 <= self.status < 500 and self.status not in _UNDECIDED)

    @property
    def hint(self) -> str:
        """What to do."""
        return _CA if self.kind.startswith("its certificate") else _ADVICE.get(self.code, _OTHERWISE)

    def shown(self, timeout: float) -> str:
        """For a message."""
        if self.code or self.status:
            return self.code or f"HTTP status {self.status}"
        words = {"Timeout": f"no answer within {timeout:g} s", "Connect": "no connection"}
        return words.get(self.kind, self.kind) or "the connection broke"


def reason_of(error: Exception) -> Reason:
    """Read from the text: obstore's exceptions carry nothing else."""
    text = str(error)[:_MAX_TEXT]
    code, status, kind = (pattern.search(text) for pattern in (_CODE, _STATUS, _KIND))
    if _METADATA.search(text):
        return Reason("NoCredentials")
    if isinstance(error, NotImplementedError):
        return Reason("NotImplemented")
    if found := _CERTIFICATE.search(text):
        return Reason(kind=f"its certificate is not trusted ({found[1]})")
    return Reason(code[1] if code else "", int(status[1]) if status else 0, kind[1] if kind else "")


def storage_error(what: str, where: str, error: Exception, timeout: float) -> LogStorageError:
    """The error to raise for one of obstore's, which must not be shown itself."""
    reason = reason_of(error)
    kind = LogStoreUnfitError if reason.code == "NotImplemented" else LogStorageError
    return kind(f"{what} the bucket: {reason.shown(timeout)}", where=where, hint=reason.hint)
