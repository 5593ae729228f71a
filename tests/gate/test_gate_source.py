"""Which modules judge."""

from __future__ import annotations

import pytest
from gate_kit import module, snapshot, source

from reconciler.gate import GateSourceError, Module, combined_digest, gate_sources, product_source


def copies() -> dict[str, bytes]:
    return {m.path: m.text.encode() for m in product_source().modules}


def test_product_gate_is_always_there() -> None:
    assert gate_sources(snapshot({})) == (product_source(),)
    assert {m.path for m in product_source().modules} >= {
        "policies/gate/lib.rego",
        "policies/gate/deletions.rego",
    }


def test_copy_of_the_product_is_not_evaluated_twice() -> None:
    assert gate_sources(snapshot(copies())) == (product_source(),)


def test_copy_elsewhere_is_not_evaluated_twice() -> None:
    moved = {path.replace("policies/gate/", "policies/gate/old/"): text for path, text in copies().items()}
    assert gate_sources(snapshot(moved)) == (product_source(),)


def test_own_rules_are_a_second_source_with_the_helpers_lent() -> None:
    own = "package fleetward.gate.own\n\ndeny contains v if false"
    product, fleet = gate_sources(snapshot(copies() | {"policies/gate/own.rego": own.encode()}))
    assert product == product_source()
    assert [m.path for m in fleet.modules] == ["policies/gate/lib.rego", "policies/gate/own.rego"]


def test_test_of_a_copy_goes_with_the_copy() -> None:
    files = copies() | {
        "policies/gate/own.rego": b"package fleetward.gate.own\n\ndeny contains v if false",
        "policies/gate/clusters_test.rego": b"package fleetward.gate.clusters_test\n\ntest_x if true",
        "policies/gate/own_test.rego": b"package fleetward.gate.own_test\n\ntest_x if true",
    }
    _, fleet = gate_sources(snapshot(files))
    names = [m.path.rpartition("/")[2] for m in fleet.modules]
    assert names == ["lib.rego", "own.rego", "own_test.rego"]


def test_emptied_copy_takes_nothing_from_the_product() -> None:
    files = copies() | {"policies/gate/rbac_wildcard.rego": b"package fleetward.gate.rbac_wildcard\n"}
    product, fleet = gate_sources(snapshot(files))
    assert product == product_source()
    assert "policies/gate/rbac_wildcard.rego" in {m.path for m in fleet.modules}


def test_own_helpers_come_before_the_lent_ones() -> None:
    files = {
        "policies/gate/lib.rego": b"package fleetward.lib\n\nmine := 1\n",
        "policies/gate/own.rego": b"package fleetward.gate.own\n\nwarn contains v if false\n",
    }
    _, fleet = gate_sources(snapshot(files))
    assert [m.text for m in fleet.modules if m.is_library] == ["package fleetward.lib\n\nmine := 1\n"]


def test_only_rego_below_the_gate_counts() -> None:
    files = {
        "policies/gate/readme.md": b"\xff",
        "other/gate/a.rego": b"package a",
        "policies/gate.rego": b"x",
    }
    assert gate_sources(snapshot(files)) == (product_source(),)


@pytest.mark.parametrize(
    ("path", "data", "said"),
    [
        ("policies/gate/a.rego", b"\xff\xfe", "not UTF-8"),
        ("policies/gate/a.rego", b"#" * (1 << 20) + b"#", "too large"),
        ("policies/gate/../../a.rego", b"package a", "unusable path"),
        ("policies/gate/a\nb.rego", b"package a", "unusable path"),
        ("policies/gate/-rf.rego", b"package a", "unusable path"),
    ],
)
def test_unreadable_module_is_refused(path: str, data: bytes, said: str) -> None:
    with pytest.raises(GateSourceError, match=said) as caught:
        gate_sources(snapshot({path: data}))
    assert "\n" not in str(caught.value)


def test_too_many_modules_are_refused() -> None:
    with pytest.raises(GateSourceError, match="too many"):
        gate_sources(snapshot({f"policies/gate/m{n}.rego": b"package a" for n in range(501)}))


def test_digest_names_paths_texts_and_tests() -> None:
    one = source(module("a", "deny := set()"))
    assert one.digest == source(module("a", "deny := set()"), name="product").digest
    others = [
        source(module("a", "deny := set( )")),
        source(module("a", "deny := set()", "policies/gate/b.rego")),
        source(*one.modules, module("b", "", "policies/gate/b_test.rego")),
        source(Module("ab", "c")), source(Module("a", "bc")),
    ]  # fmt: skip
    assert len({one.digest, *(other.digest for other in others)}) == 6


def test_digest_does_not_depend_on_order_and_combines() -> None:
    a, b = module("a", ""), module("b", "")
    assert source(a, b).digest == source(b, a).digest
    assert combined_digest([source(a)]) == source(a).digest
    assert combined_digest([source(a), source(b)]) not in (source(a).digest, source(b).digest)
