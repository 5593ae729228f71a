"""One tree of exceptions. Each has a stable code, says what was expected and got, and what to do.

Codes are grouped by room and never reused: FW10xx settings and use, FW11xx repository, FW12xx trust,
FW13xx documents, FW14xx compile, FW15xx gate, FW16xx plan, FW17xx member, FW18xx audit, FW19xx sandbox.
A *finding* (``model.Finding``) is a fact about a document and is collected; an *error* stops the run.

>>> str(RepositoryError("no such revision", got="mian", hint="check the name with `git branch -a`"))
'FW1100: no such revision: got mian. To fix: check the name with `git branch -a`'
"""

from typing import ClassVar


class FleetwardError(Exception):
    """Base of everything the product raises on purpose; ``code`` is stable across releases.

    ``where`` is ``path:line`` or ``cluster/object``; ``hint`` says what the reader can do, and is ``advice``
    unless the one who raises knows better.
    """

    code: ClassVar[str] = "FW1000"
    advice: ClassVar[str] = ""

    def __init__(
        self, message: str, *, expected: str = "", got: str = "", hint: str = "", where: str = ""
    ) -> None:
        super().__init__(message)
        self.message = message
        self.expected = expected
        self.got = got
        self.hint = hint or self.advice
        self.where = where

    def __str__(self) -> str:
        place = f" {self.where}:" if self.where else ""
        facts = [f"expected {self.expected}"] if self.expected else []
        facts += [f"got {self.got}"] if self.got else []
        detail = f": {', '.join(facts)}" if facts else ""
        hint = f". To fix: {self.hint}" if self.hint else ""
        return f"{self.code}:{place} {self.message}{detail}{hint}"


class SettingsError(FleetwardError):
    """A flag, variable or setting that cannot be used."""

    code = "FW1001"


class RepositoryError(FleetwardError):
    """Git said no: a missing revision, a broken object, an unreadable repository."""

    code = "FW1100"


class TrustError(FleetwardError):
    """A commit, signature, key or envelope that must not be trusted."""

    code = "FW1200"


class CompileError(FleetwardError):
    """The fleet cannot be compiled; single problems are findings."""

    code = "FW1400"


class GateError(FleetwardError):
    """The gate could not give a verdict, which counts as a refusal."""

    code = "FW1500"


class PlanError(FleetwardError):
    """A plan that a guard refuses."""

    code = "FW1600"


class MemberError(FleetwardError):
    """A member that cannot be reached, believed or written."""

    code = "FW1700"


class AuditError(FleetwardError):
    """The log cannot be read, believed or written."""

    code = "FW1800"


class SandboxError(FleetwardError):
    """A local control plane that cannot be built or started."""

    code = "FW1900"
