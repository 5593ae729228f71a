"""A gate that cannot give its verdict refuses: with real OPA, each way to fail."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
from gate_kit import NOW, Memory, content, document, gate_of, module, source

from reconciler.errors import GateError
from reconciler.gate import (
    Gate,
    GateAnswerError,
    GateCompileError,
    GateDiedError,
    GateEmptyError,
    GateTestError,
    GateTimeoutError,
    Module,
    evaluate_all,
    product_source,
)

pytestmark = pytest.mark.real
RULE = 'deny contains "no" if input.documents[_].kind == "Bad"'
SLOW = "some a in numbers.range(1, 1000000); some b in numbers.range(1, 1000000); a + b < 0"
BAD, GOOD = content(document("Bad", "x")), content(document("Good", "x"))


def refusal(opa: str, *modules: Module, timeout: float = 10.0) -> GateError:
    with gate_of(opa, *modules, timeout=timeout) as gate, pytest.raises(GateError) as caught:
        gate.evaluate(GOOD, now=NOW)
    assert str(caught.value).startswith(caught.value.code)
    return caught.value


@pytest.mark.parametrize(
    "text",
    ["deny contains", "deny contains x if y", f"import data.unused\n\n{RULE}", "f(x) := 1", 'a := "\x00'],
)  # fmt: skip
def test_rego_that_does_not_compile(opa: str, text: str) -> None:
    error = refusal(opa, module("own", text))
    assert isinstance(error, GateCompileError)
    assert error.where.startswith("policies/gate/own.rego:")
    assert "fwgate-" not in str(error)


def test_every_compile_error_is_told(opa: str) -> None:
    error = refusal(opa, module("own", "a := b\n\nc := d"))
    assert "own.rego:3" in error.message
    assert "own.rego:5" in error.message


def test_failing_test_is_named(opa: str) -> None:
    tests = module("own_test", "test_good if true\n\ntest_bad if false")
    error = refusal(opa, module("own", RULE), tests)
    assert isinstance(error, GateTestError)
    assert error.got == "policies/gate/own_test.rego:5 data.fleetward.gate.own_test.test_bad"


def test_test_that_never_ends(opa: str) -> None:
    endless = f"test_endless if {{ {SLOW} }}"
    assert isinstance(refusal(opa, module("own", RULE), module("own_test", endless)), GateTestError)


@pytest.mark.parametrize(
    "modules",
    [(), (module("own", "x := 1"),), (Module("policies/gate/a.rego", "package other\n\nx := 1\n"),)],
)  # fmt: skip
def test_zero_rules(opa: str, modules: tuple[Module, ...]) -> None:
    assert isinstance(refusal(opa, *modules), GateEmptyError)


def test_product_that_only_warns_is_empty(opa: str) -> None:
    warns = source(module("own", 'warn contains "x" if false'), name="product")
    with Gate(warns, opa=Path(opa)) as gate, pytest.raises(GateEmptyError):
        gate.test()


@pytest.mark.parametrize(
    "call",
    ['http.send({"method": "GET", "url": "http://127.0.0.1:1"})', "opa.runtime()",
     'net.lookup_ip_addr("localhost")',
     "time.now_ns()", 'rand.intn("a", 9)', 'uuid.rfc4122("a")'],
)  # fmt: skip
def test_rule_that_reaches_out(opa: str, call: str) -> None:
    error = refusal(opa, module("own", f'deny contains "x" if {call}'))
    assert isinstance(error, GateCompileError)
    assert "undefined function" in error.message
    assert "input.now" in error.hint


def test_schema_that_reaches_out(opa: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}/x"
        fetch = f'# METADATA\n# schemas:\n#   - input: {{"$ref": "{url}"}}\n{RULE}'
        assert isinstance(refusal(opa, module("own", fetch)), GateCompileError)
        server.setblocking(False)
        with pytest.raises(BlockingIOError):  # nobody called
            server.accept()


class Silent:
    """The evaluator port: an OPA that has lost its modules."""

    def query(self, _: object) -> object:
        return {"result": {}}

    def close(self) -> None:
        pass


def test_opa_that_lost_its_rules(opa: str) -> None:
    with gate_of(opa, module("own", RULE), evaluator=Silent()) as gate, pytest.raises(GateEmptyError):
        gate.evaluate(GOOD, now=NOW)


@pytest.mark.parametrize("deny", ["deny := true", "deny contains 1", 'deny contains {"msg": "x"}'])
def test_answer_of_another_shape(opa: str, deny: str) -> None:
    rule = f'{deny} if input.documents[_].kind == "Good"'
    assert isinstance(refusal(opa, module("own", RULE), module("odd", rule)), GateAnswerError)


def test_builtin_error_is_no_pass(opa: str) -> None:
    error = refusal(opa, module("own", 'deny contains "x" if to_number(input.documents[0].kind) > 1'))
    assert isinstance(error, GateAnswerError)
    assert error.got.startswith("policies/gate/own.rego:3: to_number")


def test_conflicting_rules_are_no_pass(opa: str) -> None:
    text = 'deny := {"a"} if input.documents[_].kind == "Good"\n\ndeny := set()'
    assert isinstance(refusal(opa, module("own", text)), GateAnswerError)


@pytest.mark.parametrize(
    "text",
    [SLOW, "count(numbers.range(1, 1000000000)) < 0"],
)  # fmt: skip
def test_query_over_its_limit(opa: str, text: str) -> None:
    error = refusal(
        opa, module("own", f'deny contains "x" if {{ input.documents[0].kind; {text} }}'), timeout=0.5
    )
    assert isinstance(error, GateTimeoutError)
    assert error.expected == "a verdict within 0.5 s"


def test_rule_that_eats_memory(opa: str) -> None:
    text = """deny contains "x" if {
        input.documents[0].kind
        kilo := replace("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "a", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa")
        mega := replace(kilo, "a", kilo)
        count(replace(mega, "a", concat("", [kilo, kilo, kilo, kilo]))) < 0
    }"""
    error = refusal(opa, module("own", text), timeout=60.0)
    assert isinstance(error, GateDiedError)
    assert "memory" in error.got


def test_missing_binary(tmp_path: Path) -> None:
    assert isinstance(refusal(str(tmp_path / "opa"), module("own", RULE)), GateDiedError)


def test_binary_that_is_not_opa(tmp_path: Path) -> None:
    fake = tmp_path / "opa"
    fake.write_text("#!/bin/sh\necho hello; exit 3\n")
    fake.chmod(0o755)
    assert isinstance(refusal(str(fake), module("own", RULE)), GateDiedError)


def test_fleet_adds_and_never_loosens(opa: str) -> None:
    loosened = [
        Module(
            m.path,
            f"package fleetward.gate.{m.path.rpartition('/')[2].removesuffix('.rego')}\n\ndeny := set()\n",
        )
        for m in product_source().rules
        if not m.is_library
    ]
    fleet = source(*loosened, module("own", RULE))
    masters = {"roleRef": {"name": "x"}, "subjects": [{"kind": "Group", "name": "system:masters"}]}
    given = content(document("FederatedRoleBinding", "b", spec=masters), document("Bad", "x"))
    verdict = evaluate_all((product_source(), fleet), given, opa=Path(opa), now=NOW)
    assert {finding.rule for finding in verdict.findings} == {"rbac.subject", "own"}
    assert not verdict.allowed
    assert verdict.gate_digest not in (product_source().digest, fleet.digest)


def test_fleets_rule_sees_all_documents_at_once(opa: str) -> None:
    many = [document("X", str(n), path=f"{n}.yaml") for n in range(1200)]
    with gate_of(opa, module("own", 'deny contains "many" if count(input.documents) == 1200')) as gate:
        assert not gate.evaluate(content(*many), now=NOW).allowed


def test_what_was_proven_and_judged_is_kept(opa: str) -> None:
    cache = Memory()
    with gate_of(opa, module("own", RULE), cache=cache) as gate:
        first = gate.evaluate(BAD, now=NOW)
    kept = dict(cache)
    with gate_of(opa, module("own", RULE), cache=cache) as gate:
        assert gate.evaluate(BAD, now=NOW) == first
        assert gate._evaluator._process is None  # type: ignore[attr-defined] # OPA was not even started
        assert gate.evaluate(GOOD, now=NOW).allowed
    assert cache.items() > kept.items()


def test_refusals_are_not_kept(opa: str) -> None:
    cache = Memory()
    for _ in range(2):
        with (
            gate_of(opa, module("own", "deny contains"), cache=cache) as gate,
            pytest.raises(GateCompileError),
        ):
            gate.evaluate(GOOD, now=NOW)
    assert cache == {}


def test_chunks_give_one_verdict(opa: str) -> None:
    rule = {"apiGroups": [""], "resources": ["pods"], "verbs": ["*"]}
    many = [document("FederatedRole", f"r{n}", path=f"{n}.yaml", spec={"rules": [rule]}) for n in range(1500)]
    with Gate(product_source(), opa=Path(opa)) as gate:
        verdict = gate.evaluate(content(*many), now=NOW)
    assert {finding.subject for finding in verdict.findings} == {f"FederatedRole/r{n}" for n in range(1500)}
