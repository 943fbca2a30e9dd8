"""The parts of a batch beside the images: labels, sample weights, further inputs of the model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from multiflow.images.arrays import LazyArray

# From a fill mode to the positions that the pixels of a sample come from, as of `Move.sources`.
Sources: TypeAlias = Callable[[str], np.ndarray]


class Target:
    """One part of each batch. It never changes.

    The part is made in three steps: `read` reads samples that have pixels, and `move` moves each as
    its image was moved; then images are saved, if they are to be; then `stack` makes the part. A
    target without pixels only stacks.
    """

    def take(self, positions: np.ndarray) -> Target:
        """The target for the samples at some positions, in this order."""
        raise NotImplementedError

    @property
    def kept_bytes(self) -> int:
        """As in `LazyArray`; 0 for a target without pixels."""
        return 0

    def read(self, positions: np.ndarray, threads: int | None) -> list[Any] | None:
        """The samples to be moved; None for a target without pixels.

        Args:
            positions: int array, the positions of the samples.
            threads: how many threads share the work; None for one on each core.
        """
        return None

    def move(self, sample: Any, sources: Sources) -> Any:
        """Moves one of the samples that `read` returned.

        Args:
            sample: the sample.
            sources: returns, for a fill mode, the positions that its pixels come from.
        """
        raise NotImplementedError

    def save(self, moved: Any, stems: Sequence[str]) -> None:
        """Saves the moved samples beside their images, at the paths `stems` without extension."""

    def stack(self, positions: np.ndarray, moved: Any, images: np.ndarray) -> Any:
        """Makes the part of the batch.

        Args:
            positions: int array, the positions of the samples.
            moved: list of the samples that `move` returned; None for a target without pixels.
            images: the images as they are in the batch.
        """
        raise NotImplementedError

    def masks_in(self, stacked: Any) -> list[tuple[str, np.ndarray]]:
        """A pair of name and array for each array of masks in what `stack` returned."""
        return []


@dataclass(frozen=True)
class Rows(Target):
    """An array that is indexed with an array of positions, as in NumPy, or some of its rows.

    Attributes:
        array: the array.
        positions: None for all rows, or which ones.
    """

    array: Any
    positions: np.ndarray | None = None

    def take(self, positions: np.ndarray) -> Rows:
        """The target for the samples at some positions, in this order; nothing is copied."""
        return Rows(self.array, positions if self.positions is None else self.positions[positions])

    def stack(self, positions: np.ndarray, moved: Any, images: np.ndarray) -> Any:
        """The rows at the positions."""
        return self.array[positions if self.positions is None else self.positions[positions]]


@dataclass(frozen=True)
class Items(Target):
    """A lazy array, whose samples are read one by one."""

    array: LazyArray

    def take(self, positions: np.ndarray) -> Items:
        """The target for the samples at some positions, in this order."""
        return Items(self.array.take(positions))

    def stack(self, positions: np.ndarray, moved: Any, images: np.ndarray) -> Any:
        """The samples at the positions, as one array."""
        return np.stack(self.array.read(positions, threads=1))


@dataclass(frozen=True)
class Outputs(Target):
    """Several targets as a list, for a model with several outputs."""

    outputs: Sequence[Target]

    def take(self, positions: np.ndarray) -> Outputs:
        """The target for the samples at some positions, in this order."""
        return Outputs([output.take(positions) for output in self.outputs])

    def stack(self, positions: np.ndarray, moved: Any, images: np.ndarray) -> Any:
        """A list with the part of each output."""
        return [output.stack(positions, moved, images) for output in self.outputs]


@dataclass(frozen=True)
class Labels(Target):
    """Class numbers, as numbers or one-hot.

    Attributes:
        classes: the class number of each sample, or a list of several.
        num_classes: the length of one-hot labels; None for numbers.
        dtype: the dtype of the labels.
    """

    classes: Any
    num_classes: int | None
    dtype: Any

    def take(self, positions: np.ndarray) -> Labels:
        """The target for the samples at some positions, in this order."""
        taken = [self.classes[position] for position in positions]
        return Labels(taken, self.num_classes, self.dtype)

    def stack(self, positions: np.ndarray, moved: Any, images: np.ndarray) -> Any:
        """The labels of the samples at the positions."""
        one_hot = () if self.num_classes is None else (self.num_classes,)
        labels = np.zeros((len(positions), *one_hot), self.dtype)
        for row, position in enumerate(positions):
            if self.num_classes is None:
                labels[row] = self.classes[position]
            else:
                labels[row, self.classes[position]] = 1.0
        return labels


@dataclass(frozen=True)
class ImagesAgain(Target):
    """The images of the batch as their own targets, for autoencoders."""

    def take(self, positions: np.ndarray) -> ImagesAgain:
        """The target itself, since it holds no samples."""
        return self

    def stack(self, positions: np.ndarray, moved: Any, images: np.ndarray) -> Any:
        """A copy of the images."""
        return images.copy()
