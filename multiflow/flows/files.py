"""The common part of the flows over image files."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from multiflow.flows.batch import Contents
from multiflow.flows.columns import Column
from multiflow.flows.flow import Flow
from multiflow.flows.targets import ImagesAgain, Labels, Outputs, Rows, Target
from multiflow.images.arrays import LazyArray
from multiflow.images.cache import check_cache, make_cache
from multiflow.images.files import Decoding, ImageFiles


class FileFlow(Flow):
    """A flow over image files, with the labels that `class_mode` names."""

    _file_number_limit = 10_000_000
    _cache = Column()

    @property
    def samples(self) -> int:
        """The number of images."""
        return self.n

    @samples.setter
    def samples(self, number: int) -> None:
        self.n = number

    def fill_cache(self, cache: Any, roots: Sequence[Any] = ()) -> None:
        """Makes the cache of the images.

        Args:
            cache: None, `"auto"`, `"memory"`, or a folder.
            roots: the folders that are searched for images.
        """
        check_cache(cache, roots)
        self._cache = make_cache(self._files(), cache, self.image_data_generator.threads)

    @property
    def _contents(self) -> Contents:
        if self.class_mode is None:
            return Contents(self._images())
        weights = [] if self.sample_weight is None else [Rows(self.sample_weight)]
        return Contents(self._images(), [self._label_target(), *weights])

    @property
    def _working_dtype(self) -> Any:
        return keras.config.floatx()

    def _images(self) -> LazyArray:
        files = self._files()
        # `target_size`, `filepaths` or the like may have been changed.
        return files if self._cache is None else self._cache.of(files)

    def _files(self) -> ImageFiles:
        decoding = Decoding(
            tuple(self.target_size),
            self.color_mode,
            self.interpolation,
            self.keep_aspect_ratio,
            self.data_format == "channels_first",
        )
        return ImageFiles(self._paths_to_read(), decoding)

    def _paths_to_read(self) -> Sequence[str]:
        return self.filepaths

    def _label_target(self) -> Target:
        if self.class_mode == "input":
            return ImagesAgain()
        if self.class_mode == "raw":
            return Rows(self.labels)
        if self.class_mode == "multi_output":
            return Outputs([Rows(output) for output in self.labels])
        num_classes = len(self.class_indices) if self.class_mode == "categorical" else None
        return Labels(self.classes, num_classes, self.dtype)

    def _described(self) -> list[str]:
        has_classes = hasattr(self, "class_indices")
        classes = [f"{len(self.class_indices)} classes"] if has_classes else []
        return super()._described() + classes

    def caption(self, index: int) -> str:
        """The class or classes of the sample at a position; without classes, its file name."""
        if not hasattr(self, "class_indices"):
            return os.path.basename(self._paths_to_read()[index])
        class_names = list(self.class_indices)
        labels = self.classes[index]  # in dataframes, there may be several
        return ", ".join(class_names[label] for label in np.atleast_1d(labels))
