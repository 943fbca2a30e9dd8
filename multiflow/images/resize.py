"""Resizes images and masks as Pillow does, for any dtype and number of channels."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
from PIL import Image

from multiflow import _keras, extras
from multiflow.images.arrays import LazyArray

Size = tuple[int, int]  # height, width
Box = tuple[int, int, int, int]  # first row, first column, last row + 1, last column + 1


def resize(
    image: np.ndarray,
    size: tuple[int, int],
    interpolation: str,
    *,
    channels_first: bool,
    box: Box | None = None,
) -> np.ndarray:
    """One image or mask in a new size.

    Args:
        image: array of shape `(height, width)`, `(height, width, channels)` or, with
            `channels_first`, `(channels, height, width)`.
        size: the new (height, width).
        interpolation: `"nearest"`, which keeps dtype and values, or another of Keras' names, which
            resizes each channel in float32.
        channels_first: whether the first of three axes holds the channels.
        box: the part of the image to resize; by default all of it.
    """
    row_axis = 1 if image.ndim == 3 and channels_first else 0
    height, width = image.shape[row_axis : row_axis + 2]
    box = box or (0, 0, height, width)
    if interpolation == "nearest":
        rows = nearest_indices(height, size[0], box[0], box[2])
        columns = nearest_indices(width, size[1], box[1], box[3])
        kernels = extras.find("multiflow.images.kernels")
        if kernels and row_axis == 0 and image.dtype == np.uint8 and image.flags.c_contiguous:
            return _pick(kernels, image, rows, columns)
        return image.take(rows, row_axis).take(columns, row_axis + 1)
    planes = image.astype(np.float32)[np.newaxis] if image.ndim == 2 else image.astype(np.float32)
    channel_axis = 0 if image.ndim == 2 or channels_first else 2
    resized = [
        np.asarray(resize_picture(Image.fromarray(plane), size, interpolation, box))
        for plane in np.moveaxis(planes, channel_axis, 0)
    ]
    return resized[0] if image.ndim == 2 else np.stack(resized, channel_axis)


def resize_picture(
    picture: Image.Image, size: tuple[int, int], interpolation: str, box: Box | None
) -> Image.Image:
    """A Pillow image in a new size, (height, width)."""
    resample = _keras.PIL_INTERPOLATION_METHODS[interpolation]
    left_top_right_bottom = (box[1], box[0], box[3], box[2]) if box else None
    return picture.resize(size[::-1], resample, left_top_right_bottom)


def _pick(kernels: Any, image: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """`image.take(rows, 0).take(columns, 1)`, but faster."""
    picked = np.empty((len(rows), len(columns), *image.shape[2:]), np.uint8)
    channels = (0,) * image[0, 0].size
    kernels.pick(image.reshape(-1), image.shape[1], rows, columns, picked.reshape(-1), channels)
    return picked


@functools.lru_cache
def nearest_indices(length: int, new_length: int, start: int, stop: int) -> np.ndarray:
    """The indices, among `length` pixels, that Pillow takes to resize those from start to stop."""
    ramp = Image.fromarray(np.arange(length, dtype=np.int32)[np.newaxis])
    resized = ramp.resize((new_length, 1), Image.Resampling.NEAREST, (start, 0, stop, 1))
    return np.asarray(resized, np.intp)[0]


def centred_box(size: tuple[int, int], target_size: tuple[int, int]) -> Box:
    """The part that Keras' `load_img` keeps of an image with `keep_aspect_ratio=True`."""
    height, width = size
    target_height, target_width = target_size
    box_height = min(height, width * target_height // target_width)
    box_width = min(width, height * target_width // target_height)
    top, left = (height - box_height) // 2, (width - box_width) // 2
    return top, left, top + box_height, left + box_width


class Resized(LazyArray):
    """An array of images or masks that are resized when they are read.

    Args:
        source: the images or masks.
        size: the new (height, width).
        interpolation: as in `resize`.
        channels_first: whether the second of four axes holds the channels.
    """

    def __init__(
        self, source: LazyArray, size: Size, interpolation: str, *, channels_first: bool
    ) -> None:
        self._source = source
        self._size = (int(size[0]), int(size[1]))
        self._interpolation = interpolation
        self._channels_first = channels_first
        row_axis = 2 if len(source.shape) == 4 and channels_first else 1
        self.shape = (*source.shape[:row_axis], *self._size, *source.shape[row_axis + 2 :])
        self.dtype = source.dtype if interpolation == "nearest" else np.dtype(np.float32)
        self.reads_in_threads = source.reads_in_threads

    def __getitem__(self, index: int) -> np.ndarray:
        image = self._source[index]
        return resize(image, self._size, self._interpolation, channels_first=self._channels_first)

    def take(self, positions: np.ndarray) -> Resized:
        """The samples at some positions, in this order; nothing is read or copied."""
        source = self._source.take(positions)
        return Resized(source, self._size, self._interpolation, channels_first=self._channels_first)

    def where(self, index: int) -> str:
        """The name of a sample in errors and captions, as in the array that is resized."""
        return self._source.where(index)
