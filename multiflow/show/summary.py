"""The table of classes and sources: the number of images of each class in each source."""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, repr=False, eq=False)
class Summary:
    """Counts of images by class and source; a table in terminals and in notebooks.

    Attributes:
        class_names: the classes, in the order of their labels.
        source_names: the sources, in the order of the roots.
        counts: integer array of shape `(num_classes, num_sources)`.

    Example:
    >>> Summary(["cats", "dogs"], ["home", "web"], np.array([[2, 10], [3, 0]]))
    class  home  web  total
    cats      2   10     12
    dogs      3    0      3
    total     5   10     15
    """

    class_names: Sequence[str]
    source_names: Sequence[str]
    counts: np.ndarray

    def _rows(self) -> list[list[str]]:
        """The rows of the table, with a header and totals."""
        with_totals = np.vstack([self.counts, self.counts.sum(axis=0)])
        with_totals = np.column_stack([with_totals, with_totals.sum(axis=1)])
        rows = [["class", *self.source_names, "total"]]
        for name, numbers in zip([*self.class_names, "total"], with_totals, strict=True):
            rows.append([name, *map(str, numbers)])
        return rows

    def _repr_html_(self) -> str:
        """The table as notebooks show it."""
        lines = []
        for number, row in enumerate(self._rows()):
            tags = ["th" if number == 0 or not column else "td" for column in range(len(row))]
            cells = zip(tags, map(html.escape, row), strict=True)
            lines.append("".join(f"<{tag}>{cell}</{tag}>" for tag, cell in cells))
        return f"<table><tr>{'</tr><tr>'.join(lines)}</tr></table>"

    def __repr__(self) -> str:
        rows = self._rows()
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        return "\n".join(
            "  ".join(
                [row[0].ljust(widths[0])]
                + [cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)]
            )
            for row in rows
        )
