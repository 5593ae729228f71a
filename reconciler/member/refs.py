"""One ``ObjectRef`` for each desired object, shared by desired, record and list.

Making a ref and comparing it with an equal one costs more than finding the one that is there by (namespace,
name); the very same ref needs no comparison at all.

>>> ref = ObjectRef("", "ConfigMap", "shop", "a")
>>> Refs([ref]).of("", "ConfigMap")["shop", "a"] is ref
True
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from reconciler.model import ObjectRef

Names = Mapping[tuple[str, str], ObjectRef]  # (namespace, name) -> ref
_NONE: Names = {}


class Refs:
    """Refs by kind and name; made when they are first asked for, while the API server works on a list."""

    def __init__(self, refs: Iterable[ObjectRef] = ()) -> None:
        self._refs = refs
        self._by_kind: dict[tuple[str, str], dict[tuple[str, str], ObjectRef]] | None = None

    def of(self, group: str, kind: str) -> Names:
        """The known refs of one kind."""
        if self._by_kind is None:
            self._by_kind = {}
            for ref in self._refs:
                self._by_kind.setdefault((ref.group, ref.kind), {})[ref.namespace, ref.name] = ref
        return self._by_kind.get((group, kind), _NONE)
