"""Several gates as one: the product's and, where a fleet has rules of its own, the fleet's.

Rules kept here
- Every gate must give its verdict, and all their findings count: a second gate can only add to the first.
- Only the product's gate is ever asked elsewhere than in a child process (``central``).

>>> with open_gates(gate_sources(snapshot), opa=Path("opa")) as gates:  # doctest: +SKIP
...     gates.evaluate(given, now=now).allowed
True
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Self

from reconciler.gate.inputs import GateInput, Places
from reconciler.gate.judge import Cache, Evaluator, Gate, sorted_findings
from reconciler.gate.source import PRODUCT, GateSource, combined_digest
from reconciler.model import Verdict


class Gates:
    """Several gates as one: every one must give its verdict, and all their findings count."""

    def __init__(self, gates: Iterable[Gate]) -> None:
        self._gates = tuple(gates)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Stop all of them, even if one cannot be stopped."""
        with ExitStack() as stack:
            for gate in self._gates:
                stack.callback(gate.close)

    @property
    def digest(self) -> str:
        """Names all modules that judge."""
        return combined_digest(gate.source for gate in self._gates)

    def test(self) -> None:
        """Prove every gate; raises what the first failing one raises."""
        for gate in self._gates:
            gate.test()

    def evaluate(self, given: GateInput, *, now: datetime, places: Places | None = None) -> Verdict:
        """The joint verdict: rules are added up, a finding of any gate counts."""
        verdicts = [gate.evaluate(given, now=now, places=places) for gate in self._gates]
        found = [finding for verdict in verdicts for finding in verdict.findings]
        return Verdict(self.digest, sum(verdict.rules for verdict in verdicts), sorted_findings(found))


def open_gates(
    sources: Sequence[GateSource],
    *,
    opa: Path,
    cache: Cache | None = None,
    timeout: float = 10.0,
    central: Callable[[GateSource], Evaluator] | None = None,
) -> Gates:
    """A gate for each source; ``central`` makes the product's evaluator when there is a central OPA."""
    return Gates(
        Gate(
            source,
            opa=opa,
            cache=cache,
            timeout=timeout,
            evaluator=central(source) if central and source.name == PRODUCT else None,
        )
        for source in sources
    )


def evaluate_all(
    sources: Sequence[GateSource],
    given: GateInput,
    *,
    opa: Path,
    now: datetime,
    places: Places | None = None,
    cache: Cache | None = None,
    timeout: float = 10.0,
) -> Verdict:
    """One verdict by child processes that live only as long as this call."""
    with open_gates(sources, opa=opa, cache=cache, timeout=timeout) as gates:
        return gates.evaluate(given, now=now, places=places)
