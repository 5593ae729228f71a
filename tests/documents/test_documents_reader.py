"""The strict reader: what it takes, what it refuses and where, and that no bytes get past it."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from reconciler.documents.codes import CODES
from reconciler.documents.limits import MAX_FILE_BYTES, MAX_FINDINGS, MAX_NODES
from reconciler.documents.place import locate
from reconciler.documents.reader import read

BOMB = b"a: &a [x,x,x,x,x,x,x,x,x]\n" + b"".join(
    b"%c: &%c [%s]\n" % (c, c, b",".join([b"*%c" % (c - 1)] * 9)) for c in range(ord("b"), ord("n"))
)
BAD = [
    ("repeated key", b"a: 1\nb:\n  c: 1\n  c: 2\n", "FW1307", 4),
    ("repeated quoted key", b"a: 1\n'a': 2\n", "FW1307", 2),
    ("bomb", BOMB, "FW1309", 1),
    ("cycle", b"&a [*a, *a]", "FW1308", 1),
    ("too large", b"a" * (MAX_FILE_BYTES + 1), "FW1301", 0),
    ("deep flow", b"[" * 100_000, "FW1308", 1),
    ("deep block", b"- " * 100_000, "FW1308", 1),
    ("deep mapping", b"".join(b" " * i + b"a:\n" for i in range(100)), "FW1308", 65),
    ("tab", b"a:\n\tb: 1\n", "FW1306", 2),
    ("tab in list", b"a:\n- b\n\t- c: 1\n", "FW1306", 3),
    ("number as key", b"80: a\n", "FW1311", 1),
    ("null as key", b"a: 1\n~: a\n", "FW1311", 2),
    ("list as key", b"? [a]\n: b\n", "FW1311", 1),
    ("on as key", b"name: x\non: push\n", "FW1312", 2),
    ("yes as key", b"yes: 1\n", "FW1312", 1),
    ("merge key", b"a: &x {b: 1}\nc:\n  <<: *x\n", "FW1316", 3),
    ("latin-1", b"a: 1\nb: \xe9\n", "FW1303", 2),
    ("utf-16", "a: b\n".encode("utf-16"), "FW1303", 1),
    ("surrogate", b"a: \xed\xa0\x80\n", "FW1303", 1),
    ("nul", b"a: 1\nb: x\0y\n", "FW1304", 2),
    ("escape code", b"a: \x1b[31m\n", "FW1304", 1),
    ("escaped escape code", b'a: "\\e[31m"\n', "FW1304", 1),
    ("BOM inside", "a: 1\nb: \ufeffc\n".encode(), "FW1304", 2),
    ("direction mark", "a: x\u202ey\n".encode(), "FW1304", 1),
    ("python tag", b"a: 1\nb: !!python/object/apply:os.system [ls]\n", "FW1310", 2),
    ("custom tag", b"a: !vault secret\n", "FW1310", 1),
    ("binary tag", b"a: !!binary aGk=\n", "FW1310", 1),
    ("tag that does not fit", b"a: !!int x\n", "FW1310", 1),
    ("tag directive", b"%TAG ! tag:example.com:\n---\na: 1\n", "FW1310", 1),
    ("nan", b"a: .nan\n", "FW1313", 1),
    ("infinite", b"a: -.Inf\n", "FW1313", 1),
    ("overflow", b"a: 1e999\n", "FW1313", 1),
    ("65 bits", b"a: 1\nb: 9223372036854775808\n", "FW1314", 2),
    ("hexadecimal, long", b"a: 0x" + b"f" * 5000, "FW1314", 1),
    ("leading zero", b"a: 08\n", "FW1315", 1),
    ("syntax", b"a: [1, 2\n", "FW1305", 2),
    ("unknown alias", b"a: *b\n", "FW1305", 1),
]


@pytest.mark.parametrize(("data", "code", "line"), [case[1:] for case in BAD], ids=[case[0] for case in BAD])
def test_bad_bytes_give_a_code_and_a_line(data: bytes, code: str, line: int) -> None:
    problem = read(data).problems[0]
    assert (problem.code, problem.line) == (code, line)
    assert problem.at("a.yaml").hint


def test_all_problems_of_a_file_are_found() -> None:
    data = b"a: 1\na: 2\non: 3\n80: 4\nb: .nan\n---\nc: !x y\n---\nd: [\n"
    assert [p.code for p in read(data).problems] == [
        "FW1307",
        "FW1312",
        "FW1311",
        "FW1313",
        "FW1310",
        "FW1305",
    ]


def test_a_value_of_another_document_survives_a_broken_one() -> None:
    assert [d.value for d in read(b"a: 1\n---\nb: [\n").documents] == [{"a": 1}]


@pytest.mark.parametrize(
    "data", [b"a: 1\r\nb:\r\n- x\r\n", b"\xef\xbb\xbfa: 1\nb: [x]\n", b'{"a": 1,\t"b": ["x"]}']
)
def test_crlf_a_leading_bom_and_json_are_fine(data: bytes) -> None:
    result = read(data)
    assert (result.problems, result.documents[0].value) == ((), {"a": 1, "b": ["x"]})


def test_several_documents_empty_ones_and_lists() -> None:
    data = b"---\n---\na: 1\n---\n# nothing\n---\n"
    data += b"apiVersion: v1\nkind: List\nitems:\n- b: 2\n-\n  c: 3\n---\n~\n"
    assert [(d.line, d.value) for d in read(data).documents] == [
        (3, {"a": 1}),
        (10, {"b": 2}),
        (12, {"c": 3}),
    ]


# What go-yaml v2, and so kubectl, makes of a plain scalar.
SCALARS = {
    "yes": True,
    "No": False,
    "on": True,
    "y": True,
    "N": False,
    "true": True,
    "~": None,
    "": None,
    "null": None,
    "1": 1,
    "-12": -12,
    "0644": 420,
    "0o17": 15,
    "0x1F": 31,
    "0b101": 5,
    "1_000": 1000,
    "1.5": 1.5,
    "1e3": 1000,
    "2.0": 2,
    ".5": 0.5,
    "+3": 3,
    "12:30:45": "12:30:45",
    "2026-01-01": "2026-01-01",
    "1.2.3": "1.2.3",
    "v1": "v1",
    "0x": "0x",
    "1Gi": "1Gi",
    "10%": "10%",
    "nO": "nO",
    "=": "=",
    "9223372036854775807": 2**63 - 1,
    "-9223372036854775808": -(2**63),
    "1.e": "1.e",
    "+": "+",
    ".": ".",
}


@pytest.mark.parametrize("text", SCALARS)
def test_plain_scalars(text: str) -> None:
    value = read(f"a: {text}\n".encode()).documents[0].value["a"]
    assert (value, type(value)) == (SCALARS[text], type(SCALARS[text]))


@pytest.mark.parametrize("text", ["'yes'", '"yes"', "!!str yes"])
def test_what_is_quoted_or_tagged_as_text_is_text(text: str) -> None:
    assert read(f"a: {text}\n".encode()).documents[0].value == {"a": "yes"}


def test_an_alias_is_a_copy() -> None:
    value = read(b"a: &x [1]\nb: *x\n").documents[0].value
    assert value == {"a": [1], "b": [1]}
    assert value["a"] is not value["b"]


def test_findings_of_one_file_are_bounded() -> None:
    problems = read(b"".join(b"%d: x\n" % i for i in range(5000))).problems
    assert len(problems) == MAX_FINDINGS + 1
    assert problems[-1].code == "FW1318"


HOSTILE = {
    "values": b"- a\n" * (MAX_FILE_BYTES // 4),
    "flow": b"[" + b"a," * (MAX_FILE_BYTES // 2 - 1) + b"]",
    "flow mappings": b"[" + b"{a: 1}," * (MAX_FILE_BYTES // 7 - 1) + b"]",
    "directives": b"".join(b"%%TAG !a%d! tag:x\n" % i for i in range(50_000)),
    "documents": b"---\na\n" * (MAX_FILE_BYTES // 6),
    "digits": b"a: " + b"9" * (MAX_FILE_BYTES - 4),
    "complex keys": b"? a\n" * (MAX_FILE_BYTES // 4),
    "aliases": b"- &a [1,2,3]\n" + b"- *a\n" * (MAX_FILE_BYTES // 5 - 3),
    "bomb": BOMB,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_files_of_any_shape_end_soon(name: str) -> None:
    start = time.process_time()
    result = read(HOSTILE[name])
    assert time.process_time() - start < 10
    assert sum(1 for _ in result.documents) <= MAX_NODES


@given(st.binary(max_size=400))
def test_any_bytes_end_in_values_and_findings(data: bytes) -> None:
    result = read(data)
    assert all(problem.code in CODES for problem in result.problems)
    assert locate(data, 0, ["a", 0]) >= 1


@given(
    st.text(alphabet=st.sampled_from("ab:-[]{}?&*!|>'\"#%\n\t ,0189.~<=yn\ufeff\x85\u2028\\x"), max_size=80)
)
def test_any_yaml_like_text_ends_in_values_and_findings(text: str) -> None:
    result = read(text.encode())
    assert all(problem.code in CODES for problem in result.problems)
    json.dumps([document.value for document in result.documents], allow_nan=False)


PRINTABLE = st.text(st.characters(codec="ascii", categories=["L", "N", "P", "S", "Zs"]))
PLAIN_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | PRINTABLE,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text("abc-yn0~ ", max_size=4), inner, max_size=4)
    ),
    max_leaves=20,
)


@given(PLAIN_JSON)
def test_json_is_read_as_json(value: object) -> None:
    result = read(json.dumps({"value": value}).encode())
    assert (result.problems, result.documents[0].value) == ((), {"value": value})


@given(PLAIN_JSON)
@example("08")
@example(["009", {"a": "1"}])
def test_what_other_tools_write_is_read_as_they_meant_it(value: object) -> None:
    result = read(yaml.safe_dump({"value": value}).encode())
    codes = {problem.code for problem in result.problems} - {"FW1311", "FW1312"}
    # PyYAML leaves a text such as 08 without quotes, since it is no octal number: another tool reads eight.
    assert codes == ({"FW1315"} if any(map(LEADING_ZERO.fullmatch, texts_in(value))) else set())


LEADING_ZERO = re.compile("[-+]?0[0-7_]*[89][0-9_]*")


def texts_in(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from texts_in(inner)
