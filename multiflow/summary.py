"""The class × source table: how many images of each class each source holds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, repr=False, eq=False)
class Summary:
    """Counts of images by class and source; prints as a table.

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

    def __repr__(self) -> str:
        with_totals = np.vstack([self.counts, self.counts.sum(axis=0)])
        with_totals = np.column_stack([with_totals, with_totals.sum(axis=1)])
        rows = [["class", *self.source_names, "total"]]
        for name, numbers in zip([*self.class_names, "total"], with_totals, strict=True):
            rows.append([name, *map(str, numbers)])
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        return "\n".join(
            "  ".join(
                [row[0].ljust(widths[0])]
                + [cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)]
            )
            for row in rows
        )
