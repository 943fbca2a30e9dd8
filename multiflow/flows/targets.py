"""The parts of a batch beside the images: labels, sample weights, further inputs of the model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from multiflow.augment.move import Move
from multiflow.images.arrays import LazyArray


class Target:
    """A source of one part of each batch beside the images, such as labels. It never changes.

    The part is made in two steps: `move` reads samples and moves them as their images were moved;
    then, after images and masks were saved, `stack` makes the part from what `move` returned.
    Targets without pixels do nothing in the first step, and pass on the positions of the samples.
    """

    def take(self, positions: np.ndarray) -> Target:
        """The target for the samples at some positions, in this order."""
        raise NotImplementedError

    def move(self, positions: np.ndarray, moves: Sequence[Move], threads: int | None) -> Any:
        """Reads the samples at some positions, and moves them as their images were moved.

        Args:
            positions: int array, the positions of the samples.
            moves: the move of each sample.
            threads: how many threads share the work; None for one on each core that the process may
                use.
        """
        return positions

    def save(self, moved: Any, stems: Sequence[str]) -> None:
        """Saves what `move` returned; `stems` are the paths of the images without extension."""

    def stack(self, moved: Any, images: np.ndarray) -> Any:
        """Makes the part of the batch from what `move` returned and the images of the batch."""
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

    def stack(self, moved: Any, images: np.ndarray) -> Any:
        """The rows at the positions."""
        return self.array[moved if self.positions is None else self.positions[moved]]


@dataclass(frozen=True)
class Items(Target):
    """A lazy array, whose samples are read one by one."""

    array: LazyArray

    def take(self, positions: np.ndarray) -> Items:
        """The target for the samples at some positions, in this order."""
        return Items(self.array.take(positions))

    def stack(self, moved: Any, images: np.ndarray) -> Any:
        """The samples at the positions, as one array."""
        return np.stack(self.array.read(moved, threads=1))


@dataclass(frozen=True)
class Outputs(Target):
    """Several targets as a list, for a model with several outputs."""

    outputs: Sequence[Target]

    def take(self, positions: np.ndarray) -> Outputs:
        """The target for the samples at some positions, in this order."""
        return Outputs([output.take(positions) for output in self.outputs])

    def stack(self, moved: Any, images: np.ndarray) -> Any:
        """A list with the part of each output."""
        return [output.stack(moved, images) for output in self.outputs]


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

    def stack(self, moved: Any, images: np.ndarray) -> Any:
        """The labels of the samples at the positions."""
        shape = (len(moved),) if self.num_classes is None else (len(moved), self.num_classes)
        labels = np.zeros(shape, self.dtype)
        for row, position in enumerate(moved):
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

    def stack(self, moved: Any, images: np.ndarray) -> Any:
        """A copy of the images."""
        return images.copy()
