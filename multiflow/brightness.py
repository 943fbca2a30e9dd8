"""Brightness of an image: as Keras changes it, by way of 8 bits, or within the data's own range."""

from __future__ import annotations

import keras
import numpy as np
from PIL import Image, ImageEnhance

from multiflow import _keras

# The white of images with integers of 16 bits.
WHITE_OF_16_BITS = 2**16 - 1


def change_brightness(
    image: np.ndarray, factor: float, channel_axis: int, *, corrected: bool
) -> np.ndarray:
    """An image with its brightness multiplied, in Keras' `floatx`.

    As Keras does it, or corrected: values from 0 to 255 become what Keras makes of them, but with
    any number of channels, before or after the rows; values from 0 to 1, or to 65535, are
    multiplied and clipped at 1 or 65535; others as well, but from the image's own smallest value,
    and clipped at its largest. Of four channels the last is alpha, as in Keras, and stays.

    Args:
        image: array of rank 3.
        factor: what to multiply with.
        channel_axis: the axis of the channels, 0 or 2.
        corrected: which of the two.
    """
    if not corrected:
        return _keras.apply_brightness_shift(image, factor, False)
    lowest, highest = image.min(), image.max()
    if _counts_as_8_bits(lowest, highest, corrected):
        image = image.astype(np.uint8)
        changed = _levels(factor)[image]
    elif lowest >= 0 and highest <= WHITE_OF_16_BITS:
        changed = np.clip(image * factor, 0, 1 if highest <= 1 else WHITE_OF_16_BITS)
    else:
        changed = np.clip((image - lowest) * factor + lowest, lowest, highest)
    if image.shape[channel_axis] == 4:
        np.moveaxis(changed, channel_axis, 0)[3] = np.moveaxis(image, channel_axis, 0)[3]
    # Where values lie in memory decides how means round; in Keras they come from a picture.
    return np.ascontiguousarray(changed, keras.config.floatx())


def change_brightness_in_place(
    image: np.ndarray, factor: float, channel_axis: int, *, corrected: bool
) -> None:
    """Writes what `change_brightness` gives into the image itself."""
    in_format_of_keras = channel_axis == 2 and keras.config.image_data_format() == "channels_last"
    if (
        image.shape[channel_axis] in (1, 3)
        and (corrected or in_format_of_keras)
        and _counts_as_8_bits(image.min(), image.max(), corrected)
    ):
        levels = _levels(factor).astype(image.dtype)
        np.take(levels, image.astype(np.uint8), out=image, mode="clip")
    else:
        image[...] = change_brightness(image, factor, channel_axis, corrected=corrected)


def is_blackened(image: np.ndarray) -> bool:
    """Whether Keras takes an image that is in [0, 1], and not black, for one of 8 bits."""
    return bool(image.min() >= 0 and 0 < image.max() <= 1)


def _counts_as_8_bits(lowest: float, highest: float, corrected: bool) -> bool:
    return bool(lowest >= 0 and highest <= 255 and not (corrected and highest <= 1))


def _levels(factor: float) -> np.ndarray:
    """What Pillow, by which Keras changes brightness, makes of each of the 256 levels."""
    levels = Image.fromarray(np.arange(256, dtype=np.uint8)[np.newaxis])
    return np.asarray(ImageEnhance.Brightness(levels).enhance(factor))[0]
