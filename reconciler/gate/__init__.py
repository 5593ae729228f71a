"""The OPA gate: Rego policies that judge a commit's documents and a plan's changes.

Rules kept here
- OPA is spoken only in this room. No verdict is a refusal: every failure is a GateError, never a pass.
- Content is judged without a cluster, changes with one member's plan, by the same modules.

>>> sources = gate_sources(snapshot)  # doctest: +SKIP
>>> with open_gates(sources, opa=binaries.find("opa"), cache=cache) as gates:  # doctest: +SKIP
...     verdict = gates.evaluate(ContentInput(...), now=clock(), places=Places(sources, locate))
"""

from reconciler.gate.central import RemoteOpa
from reconciler.gate.child import ChildOpa
from reconciler.gate.errors import (
    CODES,
    GateAnswerError,
    GateCentralError,
    GateCompileError,
    GateDiedError,
    GateEmptyError,
    GateSourceError,
    GateTestError,
    GateTimeoutError,
)
from reconciler.gate.gates import Gates, evaluate_all, open_gates
from reconciler.gate.inputs import ChangesInput, ContentInput, GateDocument, GateInput, Places
from reconciler.gate.judge import Cache, Evaluator, Gate
from reconciler.gate.source import GateSource, Module, combined_digest, gate_sources, product_source

__all__ = [
    "CODES",
    "Cache",
    "ChangesInput",
    "ChildOpa",
    "ContentInput",
    "Evaluator",
    "Gate",
    "GateAnswerError",
    "GateCentralError",
    "GateCompileError",
    "GateDiedError",
    "GateDocument",
    "GateEmptyError",
    "GateInput",
    "GateSource",
    "GateSourceError",
    "GateTestError",
    "GateTimeoutError",
    "Gates",
    "Module",
    "Places",
    "RemoteOpa",
    "combined_digest",
    "evaluate_all",
    "gate_sources",
    "open_gates",
    "product_source",
]
