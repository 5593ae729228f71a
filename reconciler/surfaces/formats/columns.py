"""Rows of a table as kubectl shows them: columns as wide as their widest cell, three blanks between them.

>>> [row_text(cells) for cells in padded([("NAME", "AGE"), ("member-a", "3m")])]
['NAME       AGE', 'member-a   3m']
"""

from __future__ import annotations

from collections.abc import Sequence


def padded(rows: Sequence[Sequence[str]]) -> list[list[str]]:
    """The cells with their blanks, so that colours may be added without a change of widths."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [[cell.ljust(width) for cell, width in zip(row, widths, strict=True)] for row in rows]


def row_text(cells: Sequence[str]) -> str:
    """One row."""
    return "   ".join(cells).rstrip()
