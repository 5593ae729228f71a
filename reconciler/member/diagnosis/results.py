"""One examination's result, and the names of everything that is examined on the way to a member.

- A check's id is stable: people silence, count and alert on it. docs/doctor.md has a row for each.
- ``failed`` is what keeps a member from being governed, now; ``warning`` is what will, or what is more than
  it should be; ``skipped`` says why nothing was looked at. Nothing is ``ok`` unseen.
- ``found`` may hold what others wrote: whoever prints it escapes it. It never holds a secret.

>>> result = failed(MemberCheck.SAN, "the name 192.0.2.1", "example.org", "mend the URL", code="FW1705")
>>> str(result.check), result.grade.value, result.code
('tls.san', 'failed', 'FW1705')
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from reconciler.errors import FleetwardError


class Grade(StrEnum):
    """How a check came out."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"
    SKIPPED = "skipped"


class MemberCheck(StrEnum):
    """What is examined of a member, in this order; those down to ``IDENTITY`` once an API server URL."""

    NAMES = "names.dns"
    PORT = "port.open"
    HANDSHAKE = "tls.handshake"
    CHAIN = "tls.chain"
    SAN = "tls.san"
    EXPIRY = "tls.expiry"
    ANSWER = "api.answer"
    CLOCK = "clock.skew"
    IDENTITY = "credentials.identity"
    CA = "tls.ca"
    USABLE = "credentials.usable"
    CREDENTIAL_EXPIRY = "credentials.expiry"
    SAME_CLUSTER = "api.cluster"
    VERSION = "version.registered"
    VERSIONS = "version.servers"
    RIGHTS = "rights.missing"
    EXCESS = "rights.excess"
    RECORD = "inventory.record"
    SIZE = "inventory.size"
    VIEWER = "viewer.login"
    VIEWER_EXPIRY = "viewer.expiry"
    VIEWER_RIGHTS = "viewer.missing"
    VIEWER_EXCESS = "viewer.excess"
    GUARD = "guard.policy"
    MANAGERS = "fields.managers"
    EXAMINED = "member.examined"


@dataclass(frozen=True, slots=True)
class Result:
    """One check of one thing (``where``: a URL, a file; "" for the member as a whole)."""

    check: str
    grade: Grade
    expected: str
    found: str
    hint: str = ""
    code: str = ""
    where: str = ""


@dataclass(frozen=True, slots=True)
class Bounds:
    """What is still good, and how long looking may take.

    What expires is worth a warning when less than ``expiring`` and less than a fifth of its life is left, so
    that what lives for an hour is not always about to end.
    """

    timeout: timedelta = timedelta(seconds=30)  # one member, everything
    clock_skew: timedelta = timedelta(seconds=30)
    expiring: timedelta = timedelta(days=30)

    @property
    def request(self) -> timedelta:
        """One step on the network: a few of them have to fit, one after the other."""
        return min(timedelta(seconds=10), self.timeout / 4)


def ok(check: str, expected: str, found: str, where: str = "") -> Result:
    """As it should be."""
    return Result(check, Grade.OK, expected, found, where=where)


def warning(check: str, expected: str, found: str, hint: str, *, code: str = "", where: str = "") -> Result:
    """Good for now."""
    return Result(check, Grade.WARNING, expected, found, hint, code, where)


def failed(check: str, expected: str, found: str, hint: str, *, code: str = "", where: str = "") -> Result:
    """Not as it has to be."""
    return Result(check, Grade.FAILED, expected, found, hint, code, where)


def failed_by(check: str, error: FleetwardError, expected: str, where: str = "") -> Result:
    """Failed, in the error's own words."""
    found = f"{error.message}: {error.got}" if error.got else error.message
    return Result(check, Grade.FAILED, error.expected or expected, found, error.hint, error.code, where)


def skipped(check: str, reason: str, where: str = "") -> Result:
    """Not looked at, because of ``reason``."""
    return Result(check, Grade.SKIPPED, "", reason, where=where)
