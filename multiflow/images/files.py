"""Files → arrays: images as Keras reads them, masks with the values that are stored."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from PIL import Image

from multiflow.images.decoding import NUM_CHANNELS, load_image
from multiflow.images.resize import centred_box, resize
from multiflow.parallel import run_all

Size = tuple[int, int]  # height, width
# Modes that Keras keeps for `color_mode="grayscale"` though they have more than 8 bits.
DEEP_GREYS = ("I", "I;16")

_reading_header = threading.Lock()


def is_numpy_file(path: str) -> bool:
    """Whether NumPy reads a file, rather than Pillow."""
    return path.lower().endswith(".npy")


class Files:
    """Arrays in files: each is read when it is asked for, cropped, resized, or the path told.

    Args:
        paths: the files.
        size: (height, width) of the result.
        num_channels: the number of channels of every file; None for no channel axis.
        interpolation: how they are resized.
        keep_aspect_ratio: whether they are cropped to the ratio of `size` before.
        channels_first: whether the channels come before the rows.
    """

    reads_in_threads = True
    dtype: np.dtype

    def __init__(
        self,
        paths: Sequence[str],
        size: Size,
        num_channels: int | None,
        *,
        interpolation: str,
        keep_aspect_ratio: bool,
        channels_first: bool,
    ) -> None:
        self.paths = paths
        self.size = size
        self.interpolation = interpolation
        self.keep_aspect_ratio = keep_aspect_ratio
        self.channels_first = channels_first
        # Pixels are read and cached with their channels last.
        self.pixel_shape = size if num_channels is None else (*size, num_channels)
        first = channels_first and num_channels is not None
        self.shape = (len(paths), *((num_channels, *size) if first else self.pixel_shape))

    @property
    def decoding(self) -> str:
        """All that decides what is made of a file."""
        options = {
            name: value
            for name, value in vars(self).items()
            if name not in ("paths", "shape") and not name.startswith("_")
        }
        return f"{type(self).__name__} {options}"

    def find_dtype(self, threads: int | None) -> np.dtype:
        """A dtype that holds what all files hold."""
        return self.dtype

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> np.ndarray:
        return self.arrange(self.read_pixels(index))

    def read_pixels(self, index: int) -> np.ndarray:
        """The contents of a file, with any channels last; errors name the file."""
        with self._naming(index) as path:
            return self._read(path)

    @contextlib.contextmanager
    def _naming(self, index: int) -> Iterator[str]:
        path = self.paths[index]
        try:
            yield path
        except Exception as error:
            raise _with_path(error, path) from error

    def arrange(self, pixels: np.ndarray) -> np.ndarray:
        """What `read_pixels` gave, with the channels where they are wanted."""
        return np.moveaxis(pixels, -1, 0) if self.channels_first and pixels.ndim == 3 else pixels

    def _read(self, path: str) -> np.ndarray:
        raise NotImplementedError

    def _load_array(self, path: str) -> np.ndarray:
        array = np.array(open_array(path))
        return np.moveaxis(array, 0, -1) if self.channels_first and array.ndim == 3 else array

    def _resize(self, image: np.ndarray) -> np.ndarray:
        box = centred_box(image.shape[:2], self.size) if self.keep_aspect_ratio else None
        return resize(image, self.size, self.interpolation, channels_first=False, box=box)


def open_array(path: str) -> np.ndarray:
    """The array in an `.npy` file, memory-mapped."""
    # NumPy reads the header with `ast`, which fails in threads in some versions of Python.
    with _reading_header:
        return np.load(path, mmap_mode="r", allow_pickle=False)


def _with_path(error: Exception, path: str) -> Exception:
    """The same kind of error, whose text says which file it is about."""
    if path in str(error):
        return error
    reason = str(error).split(" <_io.BytesIO")[0]  # where Pillow got the bytes tells nothing
    message = f"{path!r} cannot be read: {reason}"
    try:
        return type(error)(message)
    except TypeError:  # it takes more than a text
        return OSError(message)


class ImageFiles(Files):
    """Images as Keras' `load_img` gives them.

    Args:
        paths: the files.
        size: (height, width) of the result.
        color_mode: as in Keras.
        options: the other arguments of `Files`.
    """

    dtype = np.dtype(np.uint8)  # of nearly all; deep greys and `.npy` files have their own

    def __init__(
        self, paths: Sequence[str], size: Size, *, color_mode: str, **options: Any
    ) -> None:
        super().__init__(
            paths, size, options.pop("num_channels", NUM_CHANNELS[color_mode]), **options
        )
        self.color_mode = color_mode

    def find_dtype(self, threads: int | None) -> np.dtype:
        """A dtype that holds what all files hold; their headers tell."""
        dtypes = run_all(self._read_dtype, range(len(self)), threads)
        return np.result_type(self.dtype, *set(dtypes))

    def _read_dtype(self, index: int) -> np.dtype:
        if self.color_mode != "grayscale":
            return self.dtype
        with self._naming(index) as path, Image.open(path) as image:
            return np.dtype(np.int32 if image.mode in DEEP_GREYS else np.uint8)

    def _read(self, path: str) -> np.ndarray:
        return load_image(
            path, self.color_mode, self.size, self.interpolation, self.keep_aspect_ratio
        )


class ImageAndArrayFiles(ImageFiles):
    """Images as `ImageFiles`, among which may be `.npy` files, which are taken as they are."""

    def arrange(self, pixels: np.ndarray) -> np.ndarray:
        """The pixels as they would lie in an array of images, as Keras' `flow` has them."""
        return np.ascontiguousarray(super().arrange(pixels))

    def _read_dtype(self, index: int) -> np.dtype:
        if not is_numpy_file(self.paths[index]):
            return super()._read_dtype(index)
        if self.interpolation != "nearest":
            return np.dtype(np.float32)  # to which `resize` converts
        with self._naming(index) as path:
            return open_array(path).dtype

    def _read(self, path: str) -> np.ndarray:
        if not is_numpy_file(path):
            return super()._read(path)
        array = self._load_array(path)
        return self._resize(array if array.ndim == 3 else array[..., np.newaxis])


class MaskFiles(Files):
    """Masks with the values of the files: palette indices stay indices, nothing is scaled.

    Args:
        paths: the files.
        size: (height, width) of the result.
        num_channels: the number of channels of every mask; None for no channel axis.
        dtype: the dtype of the result.
        colors: None, or the class number of each (red, green, blue).
        options: the other arguments of `Files`.
    """

    def __init__(
        self,
        paths: Sequence[str],
        size: Size,
        num_channels: int | None,
        dtype: np.dtype,
        *,
        colors: Mapping[tuple[int, int, int], int] | None,
        **options: Any,
    ) -> None:
        super().__init__(paths, size, num_channels, interpolation="nearest", **options)
        self.dtype = dtype
        self.colors = colors
        if colors is not None:
            listed = sorted((_color_number(np.array(color)), n) for color, n in colors.items())
            self._color_numbers, self._color_classes = map(np.array, zip(*listed, strict=True))

    def _read(self, path: str) -> np.ndarray:
        if is_numpy_file(path):
            return self._resize(self._load_array(path).astype(self.dtype))
        with Image.open(path) as image:
            if self.colors is not None:
                mask = self._classes_of_colors(np.asarray(image.convert("RGB")))
            else:
                mask = np.asarray(image)
        return self._resize(mask.astype(self.dtype))

    def _classes_of_colors(self, pixels: np.ndarray) -> np.ndarray:
        assert self.colors is not None
        numbers = self._color_numbers
        found = _color_number(pixels.astype(np.int64))
        places = np.searchsorted(numbers, found).clip(max=len(numbers) - 1)
        unlisted = pixels[numbers[places] != found]
        if len(unlisted):
            color = tuple(int(value) for value in unlisted[0])
            raise ValueError(
                f"it holds the colour {color}, which `mask_colors` does not list. "
                f"Listed are {list(self.colors)}"
            )
        return self._color_classes[places]


def _color_number(color: np.ndarray) -> Any:
    return (color[..., 0] * 256 + color[..., 1]) * 256 + color[..., 2]
