"""Arrays whose samples are read one by one, and the checks of a user's arrays."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import numpy as np

from multiflow.parallel import run_all


class LazyArray(ABC):
    """An array whose samples are read when they are asked for. It never changes.

    Attributes:
        shape: the shape of all samples together, the number of samples first.
        dtype: the dtype of the samples.
        reads_in_threads: whether several samples can be read at once.
        in_memory: the array in memory that holds these samples, and maybe more; None if they are
            not in memory.
    """

    shape: tuple[int, ...]
    dtype: np.dtype
    reads_in_threads: bool = True
    in_memory: np.ndarray | None = None

    def __len__(self) -> int:
        return self.shape[0]

    @abstractmethod
    def __getitem__(self, index: int) -> np.ndarray:
        """One sample."""

    @abstractmethod
    def take(self, positions: np.ndarray) -> LazyArray:
        """The samples at some positions, in this order; nothing is read or copied."""

    def where(self, index: int) -> str:
        """The name of a sample in errors and captions: its number, or the path of its file."""
        return f"sample {index}"

    @property
    def kept_bytes(self) -> int:
        """The number of bytes of pixels that are in memory since they were read."""
        return 0

    def read(self, positions: np.ndarray, threads: int | None) -> list[np.ndarray]:
        """The samples at some positions, read in threads where that is safe and useful."""
        in_threads = self.reads_in_threads and self.in_memory is None
        indices = np.asarray(positions).tolist()
        return run_all(self.__getitem__, indices, threads if in_threads else 1)


class WrappedArray(LazyArray):
    """A user's array, or some of its samples.

    Args:
        array: anything with `shape`, `dtype`, a length and item access.
        positions: None for all samples, or the positions of some.
    """

    def __init__(self, array: Any, positions: np.ndarray | None = None) -> None:
        self.array = array
        self._positions = positions
        num_samples = len(array) if positions is None else len(positions)
        self.shape = (num_samples, *array.shape[1:])
        self.dtype = getattr(array, "dtype", np.dtype(object))  # of further inputs, not needed
        # Other libraries do not say whether their arrays are safe in threads.
        self.reads_in_threads = isinstance(array, np.ndarray)
        if isinstance(array, np.ndarray) and not isinstance(array, np.memmap):
            self.in_memory = array

    def __getitem__(self, index: int) -> np.ndarray:
        sample = self.array[self._original(index)]
        if isinstance(sample, np.ma.MaskedArray):
            check_unmasked(self.where(index), sample)
        return np.asarray(sample)

    def take(self, positions: np.ndarray) -> WrappedArray:
        """The samples at some positions, in this order; nothing is read or copied."""
        taken = positions if self._positions is None else self._positions[positions]
        return WrappedArray(self.array, taken)

    def where(self, index: int) -> str:
        """The name of a sample in errors and captions: its position in the user's array."""
        return f"sample {self._original(index)}"

    def _original(self, index: int) -> int:
        return index if self._positions is None else int(self._positions[index])


def as_lazy(array: Any) -> LazyArray:
    """The array itself if it is lazy; else a user's array, wrapped."""
    return array if isinstance(array, LazyArray) else WrappedArray(array)


def check_array(name: str, array: Any, ranks: dict[int, str]) -> None:
    """Refuses anything but an array of real numbers with one of the allowed ranks.

    Args:
        name: the name of the array in errors.
        array: what was received.
        ranks: the allowed ranks, each with its shape in words.
    """
    expected = f"`{name}` must be an array of shape {' or '.join(ranks.values())}"
    if not all(hasattr(array, part) for part in ("shape", "dtype", "__len__", "__getitem__")):
        raise TypeError(
            f"{expected}: anything with `shape`, `dtype`, a length and item access. Received "
            f"{type(array).__name__}. Convert it with np.asarray."
        )
    try:
        kind = np.dtype(array.dtype).kind
    except TypeError:
        raise TypeError(
            f"{expected} with a NumPy dtype. Received {type(array).__name__} of {array.dtype}. "
            "Convert it with np.asarray."
        ) from None
    if kind not in "biuf":
        raise TypeError(
            f"{expected} of integers, booleans or real numbers. Received dtype {array.dtype}, "
            f"shape {tuple(array.shape)}. Images of different sizes make an array of objects; "
            "resize them first."
        )
    check_unmasked(f"`{name}`", array)
    if len(array.shape) not in ranks:
        raise ValueError(f"{expected}. Received shape {tuple(array.shape)}.")
    if 0 in tuple(array.shape):
        raise ValueError(f"`{name}` holds nothing. Received shape {tuple(array.shape)}.")


def check_unmasked(name: str, array: Any) -> None:
    """Refuses a masked array that hides values, since batches would hold them."""
    if isinstance(array, np.ma.MaskedArray) and np.ma.is_masked(array):
        raise ValueError(
            f"{name} is a masked array, and batches would hold the values that it hides. Replace "
            "them, for example with `filled(0)`. To leave pixels of masks out of the loss, pass a "
            "`sample_weight` that is 0 there."
        )


def check_length(name: str, array: Any, num_samples: int) -> None:
    """Refuses an array that does not hold one item for each image."""
    if len(array) != num_samples:
        raise ValueError(
            f"`{name}` must hold one item for each of the {num_samples} images. "
            f"Received {len(array)}."
        )


def check_size(name: str, array: Any, images: Any, *, channels_first: bool) -> None:
    """Refuses masks or weights whose height or width differs from the images'."""
    expected = image_size(images.shape, channels_first=channels_first)
    received = image_size(array.shape, channels_first=channels_first)
    if received != expected:
        raise ValueError(
            f"`{name}` must have the (height, width) of the images, {expected}. "
            f"Received {received}, in the shape {tuple(array.shape)}."
        )


def image_size(shape: tuple[int, ...], *, channels_first: bool) -> tuple[int, int]:
    """Takes (height, width) from the shape of an array of images or masks."""
    first = 2 if channels_first and len(shape) == 4 else 1
    return int(shape[first]), int(shape[first + 1])
