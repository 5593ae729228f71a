"""A gate proves itself before it judges: it compiles, keeps to safe built-ins, passes its tests, has rules.

Rules kept here
- ``opa check --strict`` and ``opa test`` both run with the capabilities of this OPA minus every built-in that
  OPA itself calls nondeterministic (``http.send``, ``net.lookup_ip_addr``, ``opa.runtime``, ``time.now_ns``,
  ``rand.intn``, ...), and with no host allowed: a rule sees its input and nothing else.
- ``opa run`` knows no capabilities, so nothing is ever loaded into it that has not passed here.
- A fleet without tests of its own passes; a gate without rules does not.

>>> restricted({"builtins": [{"name": "count"}, {"name": "http.send", "nondeterministic": True}]})
{'builtins': [{'name': 'count'}], 'allow_net': []}
"""

from __future__ import annotations

from pathlib import Path

import orjson

from reconciler.gate.answers import RuleSet, rule_sets, shown
from reconciler.gate.errors import (
    GateAnswerError,
    GateCompileError,
    GateDiedError,
    GateEmptyError,
    GateTestError,
)
from reconciler.gate.process import Workspace, run
from reconciler.gate.source import PRODUCT, GateSource
from reconciler.model import Json, Severity

TIMEOUT = 60.0  # seconds for one tool
TEST_TIMEOUT = "5s"  # one test
MAX_NAMED = 10  # errors and tests that a message names
_EMPTY = b'{"stage":"content","now":"1970-01-01T00:00:00Z","documents":[],"clusters":[],"exceptions":[]}'
_NO_NETWORK = "rules may use no network, clock, environment or chance: read input.now and the documents"


def prove(opa: Path, source: GateSource) -> int:
    """The number of rule sets of a gate that holds. Raises a GateError that says why it does not."""
    with Workspace.create(source) as workspace:
        _allow(opa, workspace)
        _check(opa, workspace)
        _test(opa, workspace, source)
        return len(_probe(opa, workspace, source))


def restricted(capabilities: Json) -> Json:
    """Capabilities without what reaches out of an evaluation."""
    safe = [builtin for builtin in capabilities["builtins"] if not builtin.get("nondeterministic")]
    return {**capabilities, "builtins": safe, "allow_net": []}


def demand_rules(source: GateSource, sets: list[RuleSet]) -> None:
    """Raises GateEmptyError when nothing was evaluated, or the product's gate denies nothing at all."""
    denies = any(rules.severity is Severity.ERROR for rules in sets)
    if not sets or (source.name == PRODUCT and not denies):
        raise GateEmptyError(
            f"the {source.name}'s gate has no {'deny ' if sets else ''}rules",
            expected="at least one rule",
            got="0",
            hint="define `deny contains v if {...}` in a package below fleetward.gate",
        )


def _allow(opa: Path, workspace: Workspace) -> None:
    code, out, err = run(workspace, [str(opa), "capabilities", "--current"], TIMEOUT)
    try:
        allowed = restricted(orjson.loads(out))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise GateDiedError("OPA cannot be run", got=shown(err.strip() or f"exit {code}")) from error
    (workspace.root / "capabilities.json").write_bytes(orjson.dumps(allowed))


def _check(opa: Path, workspace: Workspace) -> None:
    command = [str(opa), "check", "--strict", "--format=json", "--capabilities=capabilities.json"]
    code, out, err = run(workspace, [*command, "rules", "tests"], TIMEOUT)
    if code == 0:
        return
    errors = _errors(out) or _errors(err)
    if not errors:
        raise GateCompileError("`opa check` failed", got=shown(err.strip() or out.strip()))
    lines = [f"{_place(error)}: {error.get('message', '')}" for error in errors[:MAX_NAMED]]
    unsafe = any("undefined function" in line or "unallowed host" in line for line in lines)
    raise GateCompileError(
        "; ".join(lines),
        where=_place(errors[0]),
        hint=_NO_NETWORK if unsafe else "mend the Rego; try `opa check --strict policies/gate`",
    )


def _test(opa: Path, workspace: Workspace, source: GateSource) -> None:
    if len(source.rules) == len(source.modules):
        return
    command = [str(opa), "test", "--format=json", "--capabilities=capabilities.json"]
    code, out, err = run(workspace, [*command, f"--timeout={TEST_TIMEOUT}", "rules", "tests"], TIMEOUT)
    if code == 0:
        return
    try:
        failed = [test for test in orjson.loads(out) if test.get("fail") or test.get("error")]
        names = [f"{_place(test)} {test['package']}.{test['name']}" for test in failed[:MAX_NAMED]]
    except (ValueError, KeyError, TypeError, AttributeError):
        names = []
    raise GateTestError(
        "the gate's tests fail",
        expected="all tests to pass",
        where=_place(failed[0]) if names else "",
        got=", ".join(names) or shown(err.strip() or out.strip()),
        hint="mend the rule or the test; try `opa test -v policies/gate`",
    )


def _probe(opa: Path, workspace: Workspace, source: GateSource) -> list[RuleSet]:
    (workspace.root / "input.json").write_bytes(_EMPTY)
    command = [
        str(opa),
        "eval",
        "--format=json",
        "--strict-builtin-errors",
        "--capabilities=capabilities.json",
    ]
    command += ["--data=rules", "--input=input.json", "data.fleetward.gate"]
    _, out, err = run(workspace, command, TIMEOUT)
    try:
        answer = orjson.loads(out)
        result = answer["result"][0]["expressions"][0]["value"] if answer else {}
    except (ValueError, KeyError, IndexError, TypeError) as error:
        if out.strip() == "{}":
            raise GateEmptyError("no module is in a package below fleetward.gate") from error
        raise GateAnswerError("the gate fails on an empty input", got=shown((err + out).strip())) from error
    sets = rule_sets({"result": result})
    demand_rules(source, sets)
    return sets


def _errors(text: str) -> list[Json]:
    try:
        errors = orjson.loads(text)["errors"]
    except (ValueError, KeyError, TypeError):
        return []
    return [error for error in errors if isinstance(error, dict)] if isinstance(errors, list) else []


def _place(error: Json) -> str:
    location = error.get("location") or {}
    return f"{location.get('file', '')}:{location.get('row', 0)}"
