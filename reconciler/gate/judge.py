"""The gate: modules in, verdict out, through one function for documents and for changes.

Rules kept here
- No verdict without proof: before its first question a gate has compiled strictly, passed its tests and shown
  that it has rules (``proof``). The outcome is kept by gate digest and OPA binary.
- All or nothing: a chunk that gives no answer makes the whole evaluation an error.
- What OPA said about a chunk is kept by (gate, OPA, context with its day, chunk), before findings are placed;
  so a kept answer still gets today's lines.
- The product's gate may be asked in chunks, as its rules look at one document at a time. A fleet's own rules
  always see all documents at once.

>>> with Gate(product_source(), opa=Path("opa")) as gate:  # doctest: +SKIP
...     gate.evaluate(ContentInput({}, [], [], documents), now=now).allowed
True
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

import orjson

from reconciler.gate.answers import RuleSet, findings, rule_sets
from reconciler.gate.child import ChildOpa
from reconciler.gate.inputs import GateInput, Places, Query, queries
from reconciler.gate.process import fingerprint
from reconciler.gate.proof import demand_rules, prove
from reconciler.gate.source import PRODUCT, GateSource
from reconciler.model import Finding, Json, Severity, Verdict

CHUNK = 500  # documents
THREADS = 2


class Cache(Protocol):
    """Port to a store of derived values; losing it costs time only."""

    def get(self, key: str) -> bytes | None: ...

    def put(self, key: str, value: bytes) -> None: ...


class Evaluator(Protocol):
    """Port to an OPA that has the modules of one GateSource loaded."""

    def query(self, given: Json) -> Json: ...

    def close(self) -> None: ...


class Gate:
    """Judges by one GateSource. ``evaluator`` is a RemoteOpa, or None for a child process."""

    def __init__(
        self,
        source: GateSource,
        *,
        opa: Path,
        cache: Cache | None = None,
        timeout: float = 10.0,
        evaluator: Evaluator | None = None,
    ) -> None:
        self.source = source
        self._opa = opa
        self._cache = cache
        self._evaluator = evaluator or ChildOpa(opa, source, timeout=timeout)
        self._threads = THREADS if evaluator is None else 1
        self._proven = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Stop OPA."""
        self._evaluator.close()

    def test(self) -> None:
        """Compile strictly, run the gate's own tests, and see that there are rules.

        Raises GateCompileError, GateTestError, GateEmptyError, or another GateError when OPA fails.
        """
        key = self._key("proof")
        if not self._proven and self._get(key) is None:
            self._put(key, b"%d" % prove(self._opa, self.source))
        self._proven = True

    def evaluate(self, given: GateInput, *, now: datetime, places: Places | None = None) -> Verdict:
        """The verdict on documents or changes. Raises a GateError whenever one cannot be given in full."""
        self.test()
        asked = queries(given, now, CHUNK if self.source.name == PRODUCT else None)
        answers = self._answers(asked)
        found: list[Finding] = []
        for query, sets in zip(asked, answers, strict=True):
            demand_rules(self.source, sets)
            found += findings(sets, query.items, places or Places())
        return Verdict(self.source.digest, len(answers[0]), sorted_findings(found))

    def _answers(self, asked: Sequence[Query]) -> list[list[RuleSet]]:
        kept = [self._kept(query) for query in asked]
        missing = [query for query, answer in zip(asked, kept, strict=True) if answer is None]
        if len(missing) < 2 or self._threads < 2:
            fresh = iter([self._ask(query) for query in missing])
        else:
            with ThreadPoolExecutor(self._threads) as pool:
                fresh = iter(list(pool.map(self._ask, missing)))
        return [next(fresh) if answer is None else answer for answer in kept]

    def _ask(self, query: Query) -> list[RuleSet]:
        answer = self._evaluator.query(query.input())
        sets = rule_sets(answer)
        if query.name:
            value = [(rules.name, rules.severity.value, rules.values) for rules in sets]
            self._put(self._key(query.name), orjson.dumps(value))
        return sets

    def _kept(self, query: Query) -> list[RuleSet] | None:
        value = self._get(self._key(query.name)) if query.name else None
        if value is None:
            return None
        return [RuleSet(name, Severity(severity), values) for name, severity, values in orjson.loads(value)]

    def _get(self, key: str) -> bytes | None:
        return None if self._cache is None else self._cache.get(key)

    def _put(self, key: str, value: bytes) -> None:
        if self._cache is not None:
            self._cache.put(key, value)

    def _key(self, name: str) -> str:
        parts = f"{self.source.name} {self.source.digest} {fingerprint(self._opa)} {name}"
        return f"gate:{hashlib.sha256(parts.encode()).hexdigest()}"


def sorted_findings(found: Iterable[Finding]) -> tuple[Finding, ...]:
    """Errors first, then by place; what two gates say alike is said once."""
    order = sorted(found, key=lambda f: (f.severity is not Severity.ERROR, _place(f), f.rule, f.message))
    return tuple(dict.fromkeys(order))


def _place(finding: Finding) -> tuple[str, int]:
    return (finding.source.path, finding.source.line) if finding.source else ("", 0)
