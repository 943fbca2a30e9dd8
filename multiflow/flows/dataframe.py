"""The flow of the image files that a dataframe names, which `flow_from_dataframe` makes."""

from __future__ import annotations

from multiflow import _keras
from multiflow.flows.columns import Column
from multiflow.flows.files import FileFlow
from multiflow.index.splitting import Split, choose_subset, warn_of_missing_classes


class DataFrameIterator(FileFlow, _keras.DataFrameIterator):
    """Batches of the image files that a dataframe names; `flow_from_dataframe` makes it."""

    _has_keras_indices = True
    # As Keras has found them in the dataframe; which there are depends on `class_mode`.
    filenames = Column()
    _filepaths = Column()
    classes = Column()
    _targets = Column()
    _sample_weight = Column()

    def take_subset(self, subset: str) -> None:
        """Keeps only the images of a subset of a shuffled or grouped split.

        Raises:
            ValueError: if `subset` is unknown.
        """
        split = Split.of(self.image_data_generator)
        positions = choose_subset(
            split, subset, self.samples, names=lambda: self.filenames, paths=self.filepaths
        )
        if hasattr(self, "classes"):
            warn_of_missing_classes(split, self.classes, list(self.class_indices), positions)
        self._take(positions)
        _keras.print_msg(f"Using {self.samples} image filenames for {subset}.")
