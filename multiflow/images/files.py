"""Files as lazy arrays: images as Keras reads them, masks with their stored values."""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from numbers import Integral
from typing import TYPE_CHECKING, Any

import numpy as np

from multiflow import _checks
from multiflow.images.arrays import LazyArray
from multiflow.images.decoding import NUM_CHANNELS, Picture
from multiflow.images.headers import Header, array_header, mask_header, read_mask
from multiflow.images.opening import is_numpy_file, open_array, open_picture, reason_of
from multiflow.images.resize import Size, centred_box, resize
from multiflow.index.paths import TakenPaths

if TYPE_CHECKING:
    from typing_extensions import Self


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


class Files(LazyArray):
    """Images or masks in files, each read, cropped and resized when it is asked for.

    Args:
        paths: the files.
        decoding: how they become arrays.
        num_channels: the number of channels of every file; None for no channel axis.
        dtype: the dtype of the result.
        headers: the header of each file when the flow was made, by its path, as far as known. A
            file that has another one when it is read is an error.
    """

    def __init__(
        self,
        paths: Sequence[str],
        decoding: Decoding,
        num_channels: int | None,
        dtype: np.dtype,
        headers: Mapping[str, Header] | None = None,
    ) -> None:
        self.paths = paths
        self.decoding = decoding
        self.dtype = dtype
        self.headers = headers or {}
        size = decoding.size
        # Pixels are read and cached with their channels last.
        self.pixel_shape = size if num_channels is None else (*size, num_channels)
        first = decoding.channels_first and num_channels is not None
        self.shape = (len(paths), *((num_channels, *size) if first else self.pixel_shape))

    @property
    def recipe(self) -> str:
        """All that decides how a file becomes an array, as a text for the key of a cache."""
        return f"{type(self).__name__} {self.decoding} {self.pixel_shape} {self.dtype}"

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
        """The pixels of a file, with any channels last; errors that it causes name it."""
        raise NotImplementedError

    @contextlib.contextmanager
    def _path_in_errors(self, path: str) -> Iterator[None]:
        try:
            yield
        except Exception as error:
            raise _with_path(error, path) from error

    def arrange(self, pixels: np.ndarray) -> np.ndarray:
        """Moves the channels of what `read_pixels` gave to where `decoding` wants them."""
        first = self.decoding.channels_first and pixels.ndim == 3
        return np.moveaxis(pixels, -1, 0) if first else pixels

    def _load_array(self, path: str) -> np.ndarray:
        """The array in an `.npy` file, with any channels last."""
        array = np.array(open_array(path))
        first = self.decoding.channels_first
        self._compare(path, **array_header(array, channels_first=first)._asdict())
        return np.moveaxis(array, 0, -1) if first and array.ndim == 3 else array

    def _compare(self, path: str, **received: Any) -> None:
        """Refuses a file if parts of its header are not what they were when the flow was made."""
        header = self.headers.get(path)
        if header is None:
            return
        for name, value in received.items():
            expected = getattr(header, name)
            if value != expected:
                change = name if name == "palette" else f"{name} was {expected} and is {value}"
                raise ValueError(
                    f"it has changed since the flow was made ({change}); make a new flow"
                )

    def _resize(self, image: np.ndarray) -> np.ndarray:
        size = self.decoding.size
        box = centred_box(image.shape[:2], size) if self.decoding.keep_aspect_ratio else None
        return resize(image, size, self.decoding.interpolation, channels_first=False, box=box)


def _with_path(error: Exception, path: str) -> Exception:
    """The same kind of error, with a text that names the file."""
    reason = reason_of(error)
    if path in reason:
        return error
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
        headers: as in `Files`.
    """

    def __init__(
        self,
        paths: Sequence[str],
        decoding: Decoding,
        num_channels: int | None = None,
        headers: Mapping[str, Header] | None = None,
    ) -> None:
        assert decoding.color_mode is not None
        self._color_mode = decoding.color_mode
        num_channels = num_channels or NUM_CHANNELS[self._color_mode]
        # The dtype of nearly all files; deep greys and `.npy` files have their own.
        super().__init__(paths, decoding, num_channels, np.dtype(np.uint8), headers)

    def read_pixels(self, index: int) -> np.ndarray:
        """The pixels of a file, with the channels last; errors that it causes name it."""
        size, interpolation = self.decoding.size, self.decoding.interpolation
        path = self.paths[index]
        with self._path_in_errors(path):
            picture = Picture(path, self._color_mode)
            self._compare(path, size=picture.size)
        picture.check_resizing(size, interpolation)
        with self._path_in_errors(path):
            picture.load()
        return picture.resized(
            size, interpolation, keep_aspect_ratio=self.decoding.keep_aspect_ratio
        )


class ImageAndArrayFiles(ImageFiles):
    """Images as in `ImageFiles`, or in `.npy` files, whose values are kept."""

    def arrange(self, pixels: np.ndarray) -> np.ndarray:
        """As in `Files`, in the memory layout of an array of images, as Keras' `flow` gets it."""
        return np.ascontiguousarray(super().arrange(pixels))

    def read_pixels(self, index: int) -> np.ndarray:
        """As in `ImageFiles`."""
        path = self.paths[index]
        if not is_numpy_file(path):
            return super().read_pixels(index)
        with self._path_in_errors(path):
            array = self._load_array(path)
        return self._resize(array if array.ndim == 3 else array[..., np.newaxis])


class MaskFiles(Files):
    """Masks with their stored values: palette indices stay indices, nothing is scaled.

    Args:
        paths: the files.
        decoding: how they become arrays, with `interpolation="nearest"`.
        num_channels: the number of channels of every mask; None for no channel axis.
        dtype: the dtype of the result.
        headers: as in `Files`.
        colors: None, or the class number of each (red, green, blue).
    """

    def __init__(
        self,
        paths: Sequence[str],
        decoding: Decoding,
        num_channels: int | None,
        dtype: np.dtype,
        headers: Mapping[str, Header] | None = None,
        colors: Mapping[tuple[int, int, int], int] | None = None,
    ) -> None:
        super().__init__(paths, decoding, num_channels, dtype, headers)
        self._colors = None if colors is None else dict(colors)  # users may change theirs
        if colors is not None:
            listed = sorted((_color_number(np.array(color)), n) for color, n in colors.items())
            self._color_numbers, self._color_classes = map(np.array, zip(*listed, strict=True))

    @property
    def recipe(self) -> str:
        """As in `Files`, with the colours of classes."""
        return f"{super().recipe} {self._colors}"

    def read_pixels(self, index: int) -> np.ndarray:
        """The values of a mask, with any channels last; errors that it causes name it."""
        path = self.paths[index]
        with self._path_in_errors(path):
            mask = self._load_array(path) if is_numpy_file(path) else self._load(path)
        return self._resize(mask.astype(self.dtype))

    def _load(self, path: str) -> np.ndarray:
        with open_picture(path) as image:
            has_colors = self._colors is not None
            self._compare(path, **mask_header(image, has_colors=has_colors)._asdict())
            if not has_colors:
                return read_mask(image)
            return self._classes_of_colors(np.asarray(image.convert("RGB")))

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
        and all(_checks.is_integer(n, -(2**63), 2**63 - 1) for n in mask_colors.values())
        and all(
            isinstance(color, Sequence)
            and len(color) == 3
            and all(_checks.is_integer(level, 0, 255) for level in color)
            for color in mask_colors
        )
    ):
        raise ValueError(
            "`mask_colors` must map colours, three integers from 0 to 255, to class numbers, "
            f"integers that int64 holds, as in {{(128, 0, 0): 1}}. Received: {mask_colors!r}"
        )
    numbers = sorted(mask_colors.values())
    if isinstance(num_classes, Integral) and not 0 <= numbers[0] <= numbers[-1] < int(num_classes):
        raise ValueError(
            f"`mask_colors` gives the class numbers {numbers}, but num_classes={num_classes} "
            f"allows 0 to {int(num_classes) - 1}. Change one of the two."
        )
