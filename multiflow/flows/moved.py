"""Targets that move with their images, as masks do; their arrays are checked when they are read."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from multiflow.flows.targets import Sources, Target
from multiflow.images.arrays import LazyArray

if TYPE_CHECKING:
    from typing_extensions import Self


class CheckedArray(LazyArray):
    """An array of masks or weights that are checked when they are read.

    Args:
        name: the name of the array in errors, such as `y` or `y['cell']`.
        array: the masks or weights.
    """

    def __init__(self, name: str, array: LazyArray) -> None:
        self.name = name
        self._read_from(array)

    def _read_from(self, array: LazyArray) -> None:
        self._array = array
        self.shape, self.dtype = array.shape, array.dtype
        self.reads_in_threads, self.in_memory = array.reads_in_threads, array.in_memory

    def __getitem__(self, index: int) -> np.ndarray:
        """The mask or the weights of one sample; errors name the sample."""
        sample = self._array[index]
        self._check(sample, index)
        return sample

    def take(self, positions: np.ndarray) -> Self:
        """The samples at some positions, in this order; nothing is read or copied."""
        taken = copy.copy(self)
        taken._read_from(self._array.take(positions))
        return taken

    def where(self, index: int) -> str:
        """The name of a sample in errors and captions, as in the array that is checked."""
        return self._array.where(index)

    @property
    def kept_bytes(self) -> int:
        """As in `LazyArray`."""
        return self._array.kept_bytes

    def check_all(self) -> None:
        """Reads all samples to find errors, if they are in memory, where this is fast."""
        if self.in_memory is not None and self._can_be_wrong():
            for index in range(len(self)):
                self[index]

    def _can_be_wrong(self) -> bool:
        """True if samples can have errors that shape and dtype do not show."""
        return self.dtype.kind == "f"

    def _check(self, sample: np.ndarray, index: int) -> None:
        raise NotImplementedError

    def move(self, sample: np.ndarray, sources: Sources, fill_mode: str) -> np.ndarray:
        """Moves a sample as its image was moved."""
        raise NotImplementedError


class MovedTarget(Target):
    """Arrays whose samples move with their images, in a structure.

    Args:
        structure: an array, or a list, tuple or dict of arrays.
        arrays: the arrays in the structure, one after the other.
        fill_mode: how samples are filled where the warp leaves them empty.
    """

    def __init__(self, structure: Any, arrays: Sequence[Any], fill_mode: str) -> None:
        self._structure = structure
        self.arrays = arrays
        self.fill_mode = fill_mode

    def with_fill_mode(self, fill_mode: str) -> Self:
        """The same arrays, filled in another way."""
        return type(self)(self._structure, self.arrays, fill_mode)

    def take(self, positions: np.ndarray) -> Self:
        """The target for the samples at some positions, in this order."""
        taken = [array.take(positions) for array in self.arrays]
        return type(self)(self._structure, taken, self.fill_mode)

    @property
    def kept_bytes(self) -> int:
        """As in `LazyArray`."""
        return sum(array.kept_bytes for array in self.arrays)

    def read(self, positions: np.ndarray, threads: int | None) -> list[Any]:
        """The samples at some positions, each with its part of each array."""
        return list(zip(*(array.read(positions, threads) for array in self.arrays), strict=True))

    def move(self, sample: Any, sources: Sources) -> list[np.ndarray]:
        """Moves the parts of a sample."""
        parts = zip(self.arrays, sample, strict=True)
        return [array.move(part, sources, self.fill_mode) for array, part in parts]
