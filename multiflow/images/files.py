"""Files as lazy arrays: images as Keras reads them, masks with their stored values."""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from numbers import Integral
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from multiflow.images.arrays import LazyArray
from multiflow.images.decoding import NUM_CHANNELS, load_image
from multiflow.images.resize import Size, centred_box, resize
from multiflow.index.paths import TakenPaths
from multiflow.parallel import Lock, run_all

if TYPE_CHECKING:
    from typing_extensions import Self

# Modes that Keras keeps for `color_mode="grayscale"` though they have more than 8 bits.
DEEP_GREYS = ("I", "I;16")

_reading_header = Lock()


@dataclass(frozen=True)
class Decoding:
    """How files become arrays.

    Attributes:
        size: (height, width) of the result.
        color_mode: how images are converted; None for masks, which are not.
        interpolation: how images or masks are resized.
        keep_aspect_ratio: whether they are first cropped to the ratio of `size`.
        channels_first: whether the channels come before the rows.
    """

    size: Size
    color_mode: str | None
    interpolation: str
    keep_aspect_ratio: bool
    channels_first: bool


def is_numpy_file(path: str) -> bool:
    """True if NumPy reads the file, not Pillow."""
    return path.lower().endswith(".npy")


def open_array(path: str) -> np.ndarray:
    """The array in an `.npy` file, memory-mapped."""
    # NumPy reads the header with `ast`, which fails in threads in some versions of Python.
    with _reading_header:
        return np.load(path, mmap_mode="r", allow_pickle=False)


class Files(LazyArray):
    """Images or masks in files, each read, cropped and resized when it is asked for.

    Args:
        paths: the files.
        decoding: how they become arrays.
        num_channels: the number of channels of every file; None for no channel axis.
        dtype: the dtype of the result.
    """

    def __init__(
        self, paths: Sequence[str], decoding: Decoding, num_channels: int | None, dtype: np.dtype
    ) -> None:
        self.paths = paths
        self.decoding = decoding
        self.dtype = dtype
        size = decoding.size
        # Pixels are read and cached with their channels last.
        self.pixel_shape = size if num_channels is None else (*size, num_channels)
        first = decoding.channels_first and num_channels is not None
        self.shape = (len(paths), *((num_channels, *size) if first else self.pixel_shape))

    @property
    def recipe(self) -> str:
        """All that decides how a file becomes an array, as a text for the key of a cache."""
        return f"{type(self).__name__} {self.decoding} {self.pixel_shape} {self.dtype}"

    def find_dtype(self, threads: int | None) -> np.dtype:
        """A dtype that can hold the values of all files."""
        return self.dtype

    def __getitem__(self, index: int) -> np.ndarray:
        return self.arrange(self.read_pixels(index))

    def take(self, positions: np.ndarray) -> Self:
        """The files at some positions, in this order."""
        taken = copy.copy(self)
        taken.paths = TakenPaths(self.paths, positions)
        taken.shape = (len(taken.paths), *self.shape[1:])
        return taken

    def where(self, index: int) -> str:
        """The name of a sample in errors and captions: the path of its file."""
        return repr(self.paths[index])

    def read_pixels(self, index: int) -> np.ndarray:
        """The pixels of a file, with any channels last; errors name the file."""
        with self._path_in_errors(index) as path:
            return self._read(path)

    @contextlib.contextmanager
    def _path_in_errors(self, index: int) -> Iterator[str]:
        path = self.paths[index]
        try:
            yield path
        except Exception as error:
            raise _with_path(error, path) from error

    def arrange(self, pixels: np.ndarray) -> np.ndarray:
        """Moves the channels of what `read_pixels` gave to where `decoding` wants them."""
        first = self.decoding.channels_first and pixels.ndim == 3
        return np.moveaxis(pixels, -1, 0) if first else pixels

    def _read(self, path: str) -> np.ndarray:
        raise NotImplementedError

    def _load_array(self, path: str) -> np.ndarray:
        array = np.array(open_array(path))
        first = self.decoding.channels_first and array.ndim == 3
        return np.moveaxis(array, 0, -1) if first else array

    def _resize(self, image: np.ndarray) -> np.ndarray:
        size = self.decoding.size
        box = centred_box(image.shape[:2], size) if self.decoding.keep_aspect_ratio else None
        return resize(image, size, self.decoding.interpolation, channels_first=False, box=box)


def _with_path(error: Exception, path: str) -> Exception:
    """The same kind of error, with a text that names the file."""
    if path in str(error):
        return error
    reason = str(error).split(" <_io.BytesIO")[0]  # the source of Pillow's bytes tells nothing
    message = f"{path!r} cannot be read: {reason}"
    try:
        return type(error)(message)
    except TypeError:  # its constructor takes more than a text
        return OSError(message)


class ImageFiles(Files):
    """Images as Keras' `load_img` gives them.

    Args:
        paths: the files.
        decoding: how they become arrays, with a `color_mode`.
        num_channels: the number of channels; None for that of the `color_mode`.
    """

    def __init__(
        self, paths: Sequence[str], decoding: Decoding, num_channels: int | None = None
    ) -> None:
        assert decoding.color_mode is not None
        self._color_mode = decoding.color_mode
        # The dtype of nearly all files; deep greys and `.npy` files have their own.
        super().__init__(
            paths, decoding, num_channels or NUM_CHANNELS[self._color_mode], np.dtype(np.uint8)
        )

    def find_dtype(self, threads: int | None) -> np.dtype:
        """A dtype that can hold the values of all files, by their headers."""
        dtypes = run_all(self._read_dtype, range(len(self)), threads)
        return np.result_type(self.dtype, *set(dtypes))

    def _read_dtype(self, index: int) -> np.dtype:
        if self._color_mode != "grayscale":
            return self.dtype
        with self._path_in_errors(index) as path, Image.open(path) as image:
            return np.dtype(np.int32 if image.mode in DEEP_GREYS else np.uint8)

    def _read(self, path: str) -> np.ndarray:
        decoding = self.decoding
        return load_image(
            path,
            self._color_mode,
            decoding.size,
            decoding.interpolation,
            decoding.keep_aspect_ratio,
        )


class ImageAndArrayFiles(ImageFiles):
    """Images as in `ImageFiles`, or in `.npy` files, whose values are kept."""

    def arrange(self, pixels: np.ndarray) -> np.ndarray:
        """As in `Files`, in the memory layout of an array of images, as Keras' `flow` gets it."""
        return np.ascontiguousarray(super().arrange(pixels))

    def _read_dtype(self, index: int) -> np.dtype:
        if not is_numpy_file(self.paths[index]):
            return super()._read_dtype(index)
        if self.decoding.interpolation != "nearest":
            return np.dtype(np.float32)  # to which `resize` converts
        with self._path_in_errors(index) as path:
            return open_array(path).dtype

    def _read(self, path: str) -> np.ndarray:
        if not is_numpy_file(path):
            return super()._read(path)
        array = self._load_array(path)
        return self._resize(array if array.ndim == 3 else array[..., np.newaxis])


class MaskFiles(Files):
    """Masks with their stored values: palette indices stay indices, nothing is scaled.

    Args:
        paths: the files.
        decoding: how they become arrays, with `interpolation="nearest"`.
        num_channels: the number of channels of every mask; None for no channel axis.
        dtype: the dtype of the result.
        colors: None, or the class number of each (red, green, blue).
    """

    def __init__(
        self,
        paths: Sequence[str],
        decoding: Decoding,
        num_channels: int | None,
        dtype: np.dtype,
        colors: Mapping[tuple[int, int, int], int] | None,
    ) -> None:
        super().__init__(paths, decoding, num_channels, dtype)
        self._colors = colors
        if colors is not None:
            listed = sorted((_color_number(np.array(color)), n) for color, n in colors.items())
            self._color_numbers, self._color_classes = map(np.array, zip(*listed, strict=True))

    @property
    def recipe(self) -> str:
        """As in `Files`, with the colours of classes."""
        return f"{super().recipe} {self._colors}"

    def _read(self, path: str) -> np.ndarray:
        if is_numpy_file(path):
            return self._resize(self._load_array(path).astype(self.dtype))
        with Image.open(path) as image:
            if self._colors is not None:
                mask = self._classes_of_colors(np.asarray(image.convert("RGB")))
            else:
                mask = np.asarray(image)
        return self._resize(mask.astype(self.dtype))

    def _classes_of_colors(self, pixels: np.ndarray) -> np.ndarray:
        assert self._colors is not None
        numbers = self._color_numbers
        found = _color_number(pixels.astype(np.int64))
        places = np.searchsorted(numbers, found).clip(max=len(numbers) - 1)
        unlisted = pixels[numbers[places] != found]
        if len(unlisted):
            color = tuple(int(value) for value in unlisted[0])
            raise ValueError(
                f"it holds the colour {color}, which `mask_colors` does not list. "
                f"It lists {list(self._colors)}. Add the colour, or correct the mask."
            )
        return self._color_classes[places]


def _color_number(color: np.ndarray) -> Any:
    return (color[..., 0] * 256 + color[..., 1]) * 256 + color[..., 2]


def check_mask_colors(mask_colors: Any, num_classes: Any) -> None:
    """Refuses anything but None or a mapping from (red, green, blue) to class numbers."""
    if mask_colors is None:
        return
    if not (
        isinstance(mask_colors, Mapping)
        and mask_colors
        and all(isinstance(number, Integral) for number in mask_colors.values())
        and all(
            isinstance(color, Sequence)
            and len(color) == 3
            and all(isinstance(level, Integral) and 0 <= int(level) < 256 for level in color)
            for color in mask_colors
        )
    ):
        raise ValueError(
            "`mask_colors` must map colours, three integers from 0 to 255, to class numbers, as in "
            f"{{(128, 0, 0): 1}}. Received: {mask_colors!r}"
        )
    numbers = sorted(mask_colors.values())
    if isinstance(num_classes, Integral) and not 0 <= numbers[0] <= numbers[-1] < int(num_classes):
        raise ValueError(
            f"`mask_colors` gives the class numbers {numbers}, but num_classes={num_classes} "
            f"allows 0 to {int(num_classes) - 1}. Change one of the two."
        )
