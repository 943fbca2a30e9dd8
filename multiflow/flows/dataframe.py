"""The flow of the image files that a dataframe names, which `flow_from_dataframe` makes."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

import numpy as np

from multiflow import _keras
from multiflow.flows.columns import Column
from multiflow.flows.files import FileFlow
from multiflow.index.paths import TakenPaths
from multiflow.index.splitting import (
    Split,
    choose_subset,
    warn_of_left_out_classes,
    warn_of_missing_classes,
)


class DataFrameIterator(FileFlow, _keras.DataFrameIterator):
    """Batches of the image files that a dataframe names; `flow_from_dataframe` makes it."""

    _has_keras_indices = True
    # As Keras has found them in the dataframe; which there are depends on `class_mode`.
    filenames = Column()
    _filepaths = Column()
    classes = Column()
    _targets = Column()
    _sample_weight = Column()

    def take_subset(self, subset: str, labels: Any) -> None:
        """Keeps only the images of a subset of a shuffled or grouped split.

        Args:
            subset: `"training"` or `"validation"`.
            labels: the labels of all rows, if there were `classes` that may leave out some.

        Raises:
            ValueError: if `subset` is unknown.
        """
        split = Split.of(self.image_data_generator)
        rows = np.arange(self.samples)
        if split.seed is not None:  # without a seed, the first rows are for validation, as in Keras
            rows = np.array(sorted(rows, key=lambda row: str(self.filenames[row])), int)
        names, paths = TakenPaths(self.filenames, rows), TakenPaths(self.filepaths, rows)
        chosen = choose_subset(split, subset, self.samples, names=lambda: names, paths=paths)
        positions = np.sort(rows[chosen])
        if hasattr(self, "classes"):
            warn_of_missing_classes(split, self.classes, list(self.class_indices), positions)
            if split.fraction:
                warn_of_left_out_classes(_left_out(labels, self.class_indices))
        self._take(positions)
        _keras.print_msg(f"Using {self.samples} image filenames for {subset}.")


def _left_out(labels: Iterable[Any], class_names: Collection[Any]) -> list[Any]:
    """The labels of the rows that have none of the classes."""
    of_rows = (label if isinstance(label, (list, tuple)) else [label] for label in labels)
    lost = (names for names in of_rows if not any(name in class_names for name in names))
    return sorted({name for names in lost for name in names}, key=str)
