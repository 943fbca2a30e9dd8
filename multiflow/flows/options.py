"""The arguments that all flows share, as small objects that check themselves."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import keras
import numpy as np
from keras.utils import PyDataset
from PIL import Image

from multiflow import _checks
from multiflow.picks import Picks


@dataclass(frozen=True)
class Batching:
    """How samples become batches.

    Attributes:
        batch_size: the most samples in a batch.
        shuffle: whether to shuffle the samples in each epoch.
        seed: None, or the seed of all draws.
    """

    batch_size: Any
    shuffle: Any
    seed: Any

    def check(self) -> None:
        """Refuses values that Keras would notice only when the first batch is read, or never."""
        _checks.check_positive("batch_size", self.batch_size)
        _checks.check_flag("shuffle", self.shuffle)
        _checks.check_seed(self.seed)


@dataclass(frozen=True)
class Workers:
    """How `fit` fetches batches, in the arguments of PyDataset.

    Attributes:
        workers: the number of threads or processes that fetch batches.
        use_multiprocessing: whether they are processes.
        max_queue_size: the number of batches that are kept ready.
    """

    workers: int = 1
    use_multiprocessing: bool = False
    max_queue_size: int = 10

    def __post_init__(self) -> None:
        """Refuses values that Keras would notice only in `fit`, or never."""
        if not _checks.is_integer(self.workers, 0):
            raise ValueError(
                "`workers` must be 0 or 1, to fetch batches one by one, or a larger integer. "
                f"Received: {self.workers!r}"
            )
        _checks.check_flag("use_multiprocessing", self.use_multiprocessing)
        _checks.check_positive("max_queue_size", self.max_queue_size)

    def hand_to(self, dataset: PyDataset) -> None:
        """Calls PyDataset's constructor, which Keras' own iterators do not, up to Keras 3.11."""
        PyDataset.__init__(dataset, **asdict(self))


@dataclass(frozen=True)
class Saving:
    """Where the images of batches are written, for users to look at.

    Attributes:
        save_to_dir: an existing folder; None or "" to save nothing.
        save_prefix: the beginning of the names of files.
        save_format: the format of the image files.
    """

    save_to_dir: Any
    save_prefix: str
    save_format: str

    def check(self) -> None:
        """Refuses values that Keras would notice only when the first batch is saved."""
        for name in ("save_prefix", "save_format"):
            if not isinstance(getattr(self, name), str):
                raise TypeError(f"`{name}` must be a str. Received: {getattr(self, name)!r}")
        if not (self.save_to_dir is None or isinstance(self.save_to_dir, (str, os.PathLike))):
            raise TypeError(
                f"`save_to_dir` must be None or an existing folder. Received: {self.save_to_dir!r}"
            )
        if self.save_to_dir and not os.path.isdir(self.save_to_dir):
            raise FileNotFoundError(
                "`save_to_dir` must be an existing folder. Received: "
                f"{str(self.save_to_dir)!r}. Create it first, for example with os.makedirs."
            )
        if self.save_to_dir and f".{self.save_format}".lower() not in Image.registered_extensions():
            raise ValueError(
                "`save_format` must be the extension of a format that Pillow can write, such as "
                f'"png" or "jpg". Received: {self.save_format!r}'
            )

    def save_images(
        self,
        images: np.ndarray,
        picks: Picks,
        data_format: str,
        draw_number: Callable[[], int],
    ) -> list[str]:
        """Saves the images of a batch as Keras does.

        Args:
            images: the images of the batch.
            picks: the samples of the batch.
            data_format: as in Keras.
            draw_number: function that returns the number at the end of each name.

        Returns:
            The paths, without their extensions.
        """
        stems = []
        for image, position in zip(images, picks.positions, strict=True):
            name = f"{self.save_prefix}_{position}_{draw_number()}"
            stems.append(os.path.join(self.save_to_dir, name))
            picture = keras.utils.array_to_img(image, data_format, scale=True)
            picture.save(f"{stems[-1]}.{self.save_format}")
        return stems
