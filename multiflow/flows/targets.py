"""What goes with the images: labels, weights of samples, further inputs of the model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from multiflow.augment.move import Move
from multiflow.images.arrays import LazyArray


class Target:
    """One part of each batch. It never changes.

    A batch is made in two steps: `move` reads samples and moves them as their images were; then
    images are saved, if they are to be; and `stack` makes the part, of what `move` gave. What has
    no pixels does not move: it is made in the second step, of the positions of the samples.
    """

    def take(self, positions: np.ndarray) -> Target:
        """The same for the samples at some positions, in this order."""
        raise NotImplementedError

    def move(self, positions: np.ndarray, moves: Sequence[Move], threads: int | None) -> Any:
        """The samples at some positions, moved as their images were.

        Args:
            positions: int array, which samples.
            moves: the move of each.
            threads: how many threads share the work; None for as many as there are cores to use.
        """
        return positions

    def save(self, moved: Any, stems: Sequence[str]) -> None:
        """Saves what `move` gave beside the images, whose paths without extension are `stems`."""

    def stack(self, moved: Any, images: np.ndarray) -> Any:
        """The part of the batch, of what `move` gave and the images as they are in the batch."""
        raise NotImplementedError

    def masks_in(self, stacked: Any) -> list[tuple[str, np.ndarray]]:
        """The arrays of masks in what `stack` gave, with what figures call each."""
        return []


@dataclass(frozen=True)
class Rows(Target):
    """An array that NumPy's rules of indexing apply to, or some of its rows.

    Attributes:
        array: the array.
        positions: None for all rows, or which ones.
    """

    array: Any
    positions: np.ndarray | None = None

    def take(self, positions: np.ndarray) -> Rows:
        """The same for the samples at some positions, in this order; nothing is copied."""
        return Rows(self.array, positions if self.positions is None else self.positions[positions])

    def stack(self, moved: Any, images: np.ndarray) -> Any:
        """The rows at the positions."""
        return self.array[moved if self.positions is None else self.positions[moved]]


@dataclass(frozen=True)
class Items(Target):
    """A lazy array, of which samples are read one by one."""

    array: LazyArray

    def take(self, positions: np.ndarray) -> Items:
        """The same for the samples at some positions, in this order."""
        return Items(self.array.take(positions))

    def stack(self, moved: Any, images: np.ndarray) -> Any:
        """The samples at the positions, as one array."""
        return np.stack(self.array.read(moved, threads=1))


@dataclass(frozen=True)
class Outputs(Target):
    """Several targets as a list, for a model with several outputs."""

    outputs: Sequence[Target]

    def take(self, positions: np.ndarray) -> Outputs:
        """The same for the samples at some positions, in this order."""
        return Outputs([output.take(positions) for output in self.outputs])

    def stack(self, moved: Any, images: np.ndarray) -> Any:
        """A list with the part of each."""
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
        """The same for the samples at some positions, in this order."""
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
        """The same; it holds nothing."""
        return self

    def stack(self, moved: Any, images: np.ndarray) -> Any:
        """A copy of the images."""
        return images.copy()
