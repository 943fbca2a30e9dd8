"""Attributes of a flow with an entry for each sample, which follow when some samples are taken."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np


class Column:
    """An attribute that holds an entry for each sample: a list, an array, or a part with `take`.

    It is read and set as any attribute, and may be missing. The values of all columns of a flow
    stand in a dict, its attribute `_columns`, of which `take_columns` gives that of some samples.

    Args:
        make: None; or makes the value from the flow when it is first asked for.
    """

    def __init__(self, make: Callable[[Any], Any] | None = None) -> None:
        self._make = make

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, flow: Any, owner: type) -> Any:
        if flow is None:
            return self
        if self._name not in flow._columns:
            if self._make is None:
                raise AttributeError(
                    f"{type(flow).__name__!r} object has no attribute {self._name!r}"
                )
            flow._columns[self._name] = self._make(flow)
        return flow._columns[self._name]

    def __set__(self, flow: Any, value: Any) -> None:
        flow._columns[self._name] = value


def take_columns(columns: dict[str, Any], positions: np.ndarray) -> dict[str, Any]:
    """The entries of the samples at some positions, in this order, of each column."""
    return {name: _take(column, positions) for name, column in columns.items()}


def _take(column: Any, positions: np.ndarray) -> Any:
    if column is None:
        return None
    if isinstance(column, np.ndarray):
        return column[positions]
    if hasattr(column, "take"):
        return column.take(positions)
    if column and all(isinstance(part, np.ndarray) for part in column):  # one for each output
        return [part[positions] for part in column]
    return [column[position] for position in positions]
