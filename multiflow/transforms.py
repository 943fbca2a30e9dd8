"""Sample → transform: parameters, drawn once for a sample, are applied to image and masks alike."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np

from multiflow import _keras

OUTSIDE = -1


def transform_image(
    generator: _keras.ImageDataGenerator, image: np.ndarray, parameters: dict[str, Any]
) -> np.ndarray:
    """The image, transformed by `parameters` and standardised, as Keras does it."""
    image = generator.apply_transform(image.astype(generator.dtype), parameters)
    return generator.standardize(image)


def source_positions(
    generator: _keras.ImageDataGenerator,
    size: tuple[int, int],
    parameters: dict[str, Any],
    fill_mode: str,
) -> np.ndarray:
    """Where each pixel of a warped image comes from, without interpolation.

    The generator's own warp, at order 0, is applied to an image of pixel numbers. What it gives is
    exact for masks of any dtype, and for any number of channels and masks at once.

    Args:
        generator: the generator whose `apply_transform` warps the images.
        size: (height, width) of the image.
        parameters: what `get_random_transform` drew; the photometric ones are left out.
        fill_mode: how to fill what the warp leaves empty.

    Returns:
        int64 array of shape `size`: positions in the flattened image, or `OUTSIDE` where
        `fill_mode="constant"` fills.

    Raises:
        ValueError: if an overridden `apply_transform` gives anything but pixels of the image.
    """
    warp = copy.copy(generator)
    warp.interpolation_order, warp.fill_mode, warp.cval = 0, fill_mode, OUTSIDE
    numbers = np.arange(size[0] * size[1], dtype=np.int64).reshape(size)
    geometric = {**parameters, "channel_shift_intensity": None, "brightness": None}
    channel_axis = generator.channel_axis - 1
    image = np.expand_dims(numbers, channel_axis)
    warped = warp.apply_transform(image, geometric)
    name = f"{type(generator).__name__}.apply_transform"
    overridden = type(generator).apply_transform is not _keras.ImageDataGenerator.apply_transform
    if overridden and not np.array_equal(warped, warp.apply_transform(image, geometric)):
        raise ValueError(
            f"{name} gives different results for the same parameters, so that masks would not "
            "follow their images. Draw random numbers in `get_random_transform`, and hand them "
            "over in its dict."
        )
    positions = warped.squeeze(channel_axis) if warped.ndim == 3 else warped
    if (
        positions.shape != numbers.shape
        or positions.dtype != numbers.dtype
        or not OUTSIDE <= positions.min() <= positions.max() < numbers.size
    ):
        raise ValueError(
            f"{name} changed pixel values or the size of the image, which must not happen to "
            "masks. In the override, move pixels only; change the values of images in "
            "`preprocessing_function` or `standardize`."
        )
    return positions


def take_pixels(
    array: np.ndarray, positions: np.ndarray, outside: Any, *, channels_first: bool = False
) -> np.ndarray:
    """The pixels of a mask at the positions that `source_positions` gives.

    Args:
        array: mask of shape `(height, width)`, `(height, width, channels)` or, with
            `channels_first`, `(channels, height, width)`.
        positions: int array of shape `(new_height, new_width)`.
        outside: the value for `OUTSIDE`.
        channels_first: whether the first of three axes holds the channels.

    Returns:
        A new array of the same dtype and rank.
    """
    if array.ndim == 3 and channels_first:
        array = np.moveaxis(array, 0, -1)
        return np.moveaxis(take_pixels(array, positions, outside), -1, 0)
    flat = array.reshape(-1, *array.shape[2:])
    taken = flat[positions]
    taken[positions == OUTSIDE] = outside
    return taken


def one_hot(
    mask: np.ndarray, num_classes: int, dtype: Any, *, channels_first: bool = False
) -> np.ndarray:
    """An integer mask as one channel per class.

    Args:
        mask: integer array of shape `(height, width)`, or with a channel axis of length 1.
        num_classes: the number of classes; all values are below it.
        dtype: the dtype of the result.
        channels_first: whether the first of three axes holds the channels.

    Returns:
        Array of shape `(height, width, num_classes)`, or `(num_classes, height, width)`.
    """
    axis = 0 if channels_first else -1
    flat = mask.squeeze(axis) if mask.ndim == 3 else mask
    return np.moveaxis(np.eye(num_classes, dtype=dtype)[flat], -1, axis)
