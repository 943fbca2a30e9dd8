"""The flow of arrays, which `flow` makes."""

from __future__ import annotations

from typing import Any

import numpy as np

from multiflow import _keras
from multiflow.flows.batch import Contents
from multiflow.flows.flow import Flow
from multiflow.flows.targets import Rows
from multiflow.images.arrays import WrappedArray, check_length
from multiflow.index.splitting import Split, choose_subset, warn_of_missing_classes
from multiflow.structures import leaves, rebuild


class ArrayIterator(Flow, _keras.NumpyArrayIterator):
    """Batches of arrays; `flow` makes it."""

    _has_keras_indices = True

    @property
    def _contents(self) -> Contents:
        targets = [] if self.y is None else [self.y, self.sample_weight]
        return Contents(
            WrappedArray(self.x, self._rows),
            [Rows(array, self._rows) for array in targets if array is not None],
            [Rows(extra, self._rows) for extra in self.x_misc],
        )

    def caption(self, index: int) -> str:
        """The label of the sample at a position, if it is a single value or one-hot."""
        row = index if self._rows is None else self._rows[index]
        label = np.asarray(None if self.y is None else self.y[row])
        if label.ndim == 1 and label.size > 1 and sorted(label) == [0] * (len(label) - 1) + [1]:
            return str(label.argmax())
        return super().caption(index) if self.y is None or label.size != 1 else str(label.flat[0])


def take_subset(
    x: Any,
    y: Any,
    sample_weight: Any,
    split: Split,
    subset: str,
    *,
    ignore_class_split: bool,
) -> tuple[Any, Any, Any]:
    """Takes a subset of a shuffled or grouped split from the arguments of `flow`.

    Raises:
        TypeError, ValueError: if lengths differ, or as in `choose_subset`.
    """
    named = [*leaves(x, "x"), ("y", y), ("sample_weight", sample_weight)]
    num_samples = len(named[0][1])
    for name, array in named:
        if array is not None:
            check_length(name, array, num_samples)
    positions = choose_subset(split, subset, num_samples)
    if y is not None and not ignore_class_split:
        warn_of_missing_classes(split, *_classes_in(np.asarray(y)), positions)
    taken = (array if array is None else np.asarray(array)[positions] for _, array in named)
    return rebuild(x, taken), next(taken), next(taken)


def _classes_in(y: np.ndarray) -> tuple[list[Any], list[Any]]:
    """The classes in `y`.

    Returns:
        For each sample its class number, or a list of several, and the list of classes; two empty
        lists if `y` does not hold classes.
    """
    if y.ndim == 2 and y.shape[1] == 1:
        y = y[:, 0]
    if y.ndim == 2 and y.dtype.kind in "biuf" and np.isin(y, (0, 1)).all():  # one-hot
        return [np.flatnonzero(row).tolist() for row in y], list(range(y.shape[1]))
    if y.ndim != 1 or (y.dtype.kind == "f" and (y % 1 != 0).any()):
        return [], []
    try:
        numbers = {name: number for number, name in enumerate(dict.fromkeys(y.tolist()))}
    except TypeError:  # unhashable values are no classes
        return [], []
    if len(numbers) > len(y) / 2:  # nor are values that hardly repeat
        return [], []
    return [numbers[name] for name in y.tolist()], list(numbers)
