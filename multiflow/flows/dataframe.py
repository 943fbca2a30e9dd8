"""The flow of the image files that a dataframe names, which `flow_from_dataframe` makes."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from multiflow import _keras
from multiflow.flows.files import FileFlow
from multiflow.index.splitting import Split, choose_subset, warn_of_missing_classes


@dataclass(frozen=True)
class Entries:
    """The columns of a dataframe, in the forms to which Keras brings them.

    Attributes:
        filenames: the names of the files.
        classes: the class number of each file, or a list of several; None without classes.
        targets: one array, or a list of arrays, of other labels; None without.
        sample_weight: array of weights; None without.
    """

    filenames: Sequence[str]
    classes: Sequence[Any] | None
    targets: Any
    sample_weight: np.ndarray | None

    def take(self, positions: np.ndarray) -> Entries:
        """The entries at some positions, in this order."""
        targets, weights = self.targets, self.sample_weight
        if isinstance(targets, list):
            targets = [output[positions] for output in targets]
        elif targets is not None:
            targets = targets[positions]
        return Entries(
            [self.filenames[position] for position in positions],
            self.classes and [self.classes[position] for position in positions],
            targets,
            weights if weights is None else weights[positions],
        )


class DataFrameIterator(FileFlow, _keras.DataFrameIterator):
    """Batches of the image files that a dataframe names; `flow_from_dataframe` makes it."""

    def take_subset(self, subset: str) -> None:
        """Keeps only the images of a subset of a shuffled or grouped split.

        Raises:
            ValueError: if `subset` is unknown.
        """
        split = Split.of(self.image_data_generator)
        entries = self._entries
        positions = choose_subset(
            split, subset, self.samples, names=lambda: entries.filenames, paths=self.filepaths
        )
        if entries.classes is not None:
            warn_of_missing_classes(split, entries.classes, list(self.class_indices), positions)
        self._use(entries.take(positions))
        _keras.print_msg(f"Using {self.samples} image filenames for {subset}.")

    @property
    def _entries(self) -> Entries:
        return Entries(
            self.filenames,
            getattr(self, "classes", None),
            getattr(self, "_targets", None),
            self._sample_weight,
        )

    def _use(self, entries: Entries) -> None:
        """Sets Keras' attributes from entries."""
        self.filenames = entries.filenames
        self._filepaths = [os.path.join(self.directory, name) for name in entries.filenames]
        self.samples = self.n = len(entries.filenames)
        self._sample_weight = entries.sample_weight
        if entries.classes is not None:
            self.classes = entries.classes
        if entries.targets is not None:
            self._targets = entries.targets
