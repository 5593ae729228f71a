"""The gate's codes: why no verdict could be given, which always counts as a refusal.

Rules kept here
- Whatever keeps a verdict from being complete is an error with a code of its own; none of them ever passes.
- Findings of rules have two codes: ``DENY`` stops the commit, ``WARN`` is shown.

>>> str(GateEmptyError("no rule was evaluated"))
'FW1503: no rule was evaluated'
"""

from __future__ import annotations

from reconciler.errors import GateError

DENY = "FW1510"
WARN = "FW1511"

CODES: dict[str, tuple[str, str]] = {
    "FW1500": ("The gate gave no verdict.", "Read the message; nothing was applied."),
    "FW1501": ("A gate module does not compile.", "Mend the Rego at the file and line named."),
    "FW1502": ("A test of the gate fails.", "Mend the rule or the test; run `opa test policies/gate`."),
    "FW1503": ("The gate has no rules.", "Add modules that define deny in package fleetward.gate.<topic>."),
    "FW1504": ("OPA did not answer in time.", "Simplify the rule, or raise spec.gate.timeout."),
    "FW1505": ("OPA could not be started, or died.", "Read OPA's last words; look at memory and disk."),
    "FW1506": ("OPA's answer is no verdict.", "Make deny and warn sets of strings or of finding objects."),
    "FW1507": ("A gate module or the input cannot be read.", "Keep modules UTF-8, below 1 MiB, at most 500."),
    "FW1508": ("The central OPA cannot be used.", "Check spec.gate.url and the policies loaded there."),
    DENY: ("A gate rule denies a document or a change.", "Follow the finding's hint."),
    WARN: ("A gate rule warns about a document or a change.", "Follow the finding's hint, or accept it."),
}


class GateCompileError(GateError):
    """Rego that does not parse, compile or keep to the allowed built-ins; ``where`` is path:line."""

    code = "FW1501"


class GateTestError(GateError):
    """``opa test`` failed; the message names the tests."""

    code = "FW1502"


class GateEmptyError(GateError):
    """Zero rules: an empty gate would let everything pass."""

    code = "FW1503"


class GateTimeoutError(GateError):
    """A query or a tool run over its time limit."""

    code = "FW1504"


class GateDiedError(GateError):
    """OPA could not be started, or went away in the middle."""

    code = "FW1505"


class GateAnswerError(GateError):
    """An answer that is undefined, an HTTP error, too large, or not of the contract's shape."""

    code = "FW1506"


class GateSourceError(GateError):
    """A module that cannot be read or has an unusable path, or an input that JSON cannot say."""

    code = "FW1507"


class GateCentralError(GateError):
    """A central OPA that is not safe to use, not reachable, or has other policies than ours."""

    code = "FW1508"
