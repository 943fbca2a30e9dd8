"""Files → arrays: images as Keras reads them, masks with the values that are stored."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import keras
import numpy as np
from PIL import Image

from multiflow.resize import centred_box, resize

Size = tuple[int, int]  # height, width

# The dtype and the number of channels of Pillow's modes for masks; None stands for no channel axis.
MODES: dict[str, tuple[str, int | None]] = {
    "1": ("bool", None),
    "L": ("uint8", None),
    "P": ("uint8", None),
    "I;16": ("uint16", None),
    "I": ("int32", None),
    "F": ("float32", None),
    "LA": ("uint8", 2),
    "RGB": ("uint8", 3),
    "RGBA": ("uint8", 4),
}
# Depths of PNG that Pillow scales or cuts to 8 bits, which would change the values of masks.
ALTERED_DEPTHS = {"L;2", "L;4", "LA;16B", "RGB;16B", "RGBA;16B"}
COLOUR_MODES = {"1", "L", "P", "LA", "RGB", "RGBA"}
UNREADABLE = (OSError, ValueError, EOFError, Image.DecompressionBombError)
NUM_CHANNELS = {"grayscale": 1, "rgb": 3, "rgba": 4}  # of Keras' color modes


class Header(NamedTuple):
    """What a file says of its array before it is read; `num_channels` None is no channel axis.

    Pictures that are no masks have a size only: Keras converts them as `color_mode` says.
    """

    size: Size
    num_channels: int | None = None
    dtype: np.dtype = np.dtype(np.uint8)
    mode: str = "npy"


def is_numpy_file(path: str) -> bool:
    """Whether NumPy reads a file, rather than Pillow."""
    return path.lower().endswith(".npy")


def read_header(path: str, *, channels_first: bool, is_mask: bool) -> Header:
    """The size, and of masks and `.npy` files the channels and dtype, of a file.

    Raises:
        OSError: if the file cannot be read.
        ValueError: if it holds no image of numbers.
    """
    if is_numpy_file(path):
        array = np.load(path, mmap_mode="r", allow_pickle=False)
        if array.ndim not in (2, 3) or array.dtype.kind not in "biuf":
            raise ValueError(f"it holds an array of shape {array.shape} and dtype {array.dtype}")
        shape = list(array.shape)
        num_channels = shape.pop(0 if channels_first else 2) if array.ndim == 3 else None
        return Header((shape[0], shape[1]), num_channels, array.dtype)
    with Image.open(path) as image:
        size = (image.height, image.width)
        if not is_mask:
            return Header(size, mode=image.mode)
        if image.mode not in MODES:
            raise ValueError(f"its mode {image.mode!r} is none of {', '.join(MODES)}")
        depth = image.tile[0][3] if image.tile else None
        if isinstance(depth, str) and depth in ALTERED_DEPTHS:
            raise ValueError(
                f"its pixels are stored as {depth}, which Pillow scales to 8 bits; save it with 8 "
                "bits per channel, or with 16 bits and one channel"
            )
        dtype, num_channels = MODES[image.mode]
        return Header(size, num_channels, np.dtype(dtype), image.mode)


class _Files:
    """Arrays in files: each is read when it is asked for, cropped, resized, or the path told."""

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
        channels = () if num_channels is None else (num_channels,)
        self.shape = (
            (len(paths), *channels, *size) if channels_first else (len(paths), *size, *channels)
        )

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> np.ndarray:
        path = self.paths[index]
        try:
            return self._read(path)
        except UNREADABLE as error:
            raise ValueError(f"{path!r} cannot be read: {error}") from error

    def _read(self, path: str) -> np.ndarray:
        raise NotImplementedError

    def _resize(self, image: np.ndarray) -> np.ndarray:
        row_axis = 1 if image.ndim == 3 and self.channels_first else 0
        size = image.shape[row_axis : row_axis + 2]
        box = centred_box(size, self.size) if self.keep_aspect_ratio else None
        return resize(
            image, self.size, self.interpolation, channels_first=self.channels_first, box=box
        )


class ImageFiles(_Files):
    """Images as Keras' `load_img` gives them; `.npy` files are taken as they are.

    Args:
        paths: the files.
        size: (height, width) of the result.
        num_channels: the number of channels of every image.
        color_mode: as in Keras; it does not apply to `.npy` files.
        options: the other arguments of `_Files`.
    """

    dtype = np.dtype(np.float32)

    def __init__(
        self,
        paths: Sequence[str],
        size: Size,
        num_channels: int,
        *,
        color_mode: str,
        **options: Any,
    ) -> None:
        super().__init__(paths, size, num_channels, **options)
        self.color_mode = color_mode

    def _read(self, path: str) -> np.ndarray:
        if is_numpy_file(path):
            array = np.load(path, allow_pickle=False)
            if array.ndim == 2:
                array = np.expand_dims(array, 0 if self.channels_first else 2)
            return self._resize(array)
        image = keras.utils.load_img(
            path, self.color_mode, self.size, self.interpolation, self.keep_aspect_ratio
        )
        data_format = "channels_first" if self.channels_first else "channels_last"
        return keras.utils.img_to_array(image, data_format)


class MaskFiles(_Files):
    """Masks with the values of the files: palette indices stay indices, nothing is scaled.

    Args:
        paths: the files.
        size: (height, width) of the result.
        num_channels: the number of channels of every mask; None for no channel axis.
        dtype: the dtype of the result.
        colors: None, or the class number of each (red, green, blue).
        options: the other arguments of `_Files`.
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
            return self._resize(np.load(path, allow_pickle=False).astype(self.dtype))
        with Image.open(path) as image:
            if self.colors is not None:
                mask = self._classes_of_colors(np.asarray(image.convert("RGB")))
            else:
                mask = np.asarray(image)
        if mask.ndim == 3 and self.channels_first:
            mask = np.moveaxis(mask, -1, 0)
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
