"""What rules see, and how a large fleet is cut into chunks that can be judged apart.

Rules kept here
- A document's content is named by its digest: equal digests mean equal bodies, so a verdict can be kept by
  digests alone and an unchanged chunk is not even serialised.
- Chunks depend on paths only: a changed file changes one chunk, and a few more files move none.
- On the content stage ``now`` is the start of the (UTC) day: a verdict kept for that day is the same verdict.
  On the changes stage it is the time itself, so that a fleet's rules can know an hour.

>>> documents = tuple(GateDocument(f"a/{n}.yaml#0", {"kind": "X"}, str(n)) for n in range(3000))
>>> [len(chunk) for chunk in chunks(documents, 1000)]
[761, 737, 733, 769]
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import orjson

from reconciler.gate.errors import GateSourceError
from reconciler.model import Json, SourceRef

Locate = Callable[[str, tuple[str | int, ...]], SourceRef]


@dataclass(frozen=True, slots=True)
class GateDocument:
    """A document as rules see it: ``body`` with ``key`` and, if it was compiled, ``origin`` added.

    ``key`` is "path#index" and may repeat: what was compiled from a document has the key of that document
    and names it in ``origin`` ("FederatedRole/viewer"), so that exceptions and allow-lists are found.
    """

    key: str
    body: Mapping[str, Json] = field(hash=False)
    digest: str
    origin: str = ""

    def view(self) -> dict[str, Json]:
        """The JSON object in ``input.documents``. ``key`` and ``origin`` of the body itself never count."""
        view = {name: value for name, value in self.body.items() if name not in ("key", "origin")}
        view["key"] = self.key
        if self.origin:
            kind, _, name = self.origin.partition("/")
            view["origin"] = {"kind": kind, "name": name}
        return view


@dataclass(frozen=True, slots=True)
class Places:
    """Where findings point: document keys to the repository, and a JSON path inside a document to a line."""

    sources: Mapping[str, SourceRef] = field(default_factory=dict)
    locate: Locate | None = None


@dataclass(frozen=True, slots=True)
class ContentInput:
    """Stage "content". All values are JSON; ``clusters`` are {name, labels, mode}."""

    federation: Mapping[str, Json]  # the Federation's spec
    clusters: Sequence[Json]
    exceptions: Sequence[Json]  # specs of the PolicyExceptions
    documents: tuple[GateDocument, ...]


@dataclass(frozen=True, slots=True)
class ChangesInput:
    """Stage "changes": one member's plan.

    ``changes`` are {key, action, object: {group, kind, namespace, name}, source}; ``counts`` has create,
    update, delete and keep; ``limits`` is the Federation's spec.limits.
    """

    cluster: Mapping[str, Json]
    changes: Sequence[Mapping[str, Json]]
    counts: Mapping[str, int]
    limits: Mapping[str, Json]
    federation: Mapping[str, Json]
    exceptions: Sequence[Json] = ()


GateInput = ContentInput | ChangesInput


@dataclass(frozen=True, slots=True)
class Query:
    """One question to OPA. ``name`` is a digest of everything in ``input``, "" when not worth keeping."""

    name: str
    items: tuple[Any, ...]  # GateDocument or change, in the order that rules see
    context: Mapping[str, Json]

    def input(self) -> dict[str, Json]:
        """The value of ``input``; built only when OPA is really asked."""
        if self.context["stage"] == "content":
            return {**self.context, "documents": [document.view() for document in self.items]}
        return {**self.context, "changes": list(self.items)}


def queries(given: GateInput, now: datetime, chunk: int | None) -> list[Query]:
    """The questions that judge ``given``; ``chunk`` is the number of documents to aim at, None for all."""
    moment = now.astimezone(UTC)
    if isinstance(given, ChangesInput):
        return [Query("", tuple(given.changes), _changes_context(given, moment))]
    context = _content_context(given, moment)
    digest = hashlib.sha256(encoded(context)).hexdigest()
    parts = chunks(given.documents, chunk) if chunk else [_sorted(given.documents)]
    return [Query(_name(digest, part), part, context) for part in parts]


def encoded(value: Json) -> bytes:
    """Canonical JSON. Raises GateSourceError for what JSON cannot say (a date, a lone surrogate, 2**64)."""
    try:
        return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    except TypeError as error:
        raise GateSourceError("the input cannot be written as JSON", got=str(error)) from error


def chunks(documents: Sequence[GateDocument], size: int) -> list[tuple[GateDocument, ...]]:
    """Cut by a hash of the path into a power of two of chunks of about ``size`` at most; one at least."""
    count = 1 << max(0, -(-len(documents) // size) - 1).bit_length()
    cut: list[list[GateDocument]] = [[] for _ in range(count)]
    buckets: dict[str, int] = {}
    for document in documents:
        path = document.key.rpartition("#")[0]
        if path not in buckets:
            buckets[path] = int.from_bytes(hashlib.sha256(path.encode()).digest()[:4], "big") % count
        cut[buckets[path]].append(document)
    return [_sorted(part) for part in cut if part] or [()]


def _sorted(documents: Sequence[GateDocument]) -> tuple[GateDocument, ...]:
    return tuple(sorted(documents, key=lambda d: (d.key, d.origin, d.digest)))


def _name(context: str, documents: tuple[GateDocument, ...]) -> str:
    lines = "\n".join(f"{d.key}\t{d.digest}\t{d.origin}" for d in documents)
    return hashlib.sha256(f"{context}\n{lines}".encode()).hexdigest()


def _content_context(given: ContentInput, moment: datetime) -> dict[str, Json]:
    return {
        "stage": "content",
        "now": moment.strftime("%Y-%m-%dT00:00:00Z"),
        "federation": given.federation,
        "clusters": list(given.clusters),
        "exceptions": list(given.exceptions),
    }


def _changes_context(given: ChangesInput, moment: datetime) -> dict[str, Json]:
    return {
        "stage": "changes",
        "now": moment.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "federation": given.federation,
        "exceptions": list(given.exceptions),
        "cluster": given.cluster,
        "counts": dict(given.counts),
        "limits": given.limits,
    }
