"""Brightness of an image: changed as in Keras, in 8 bits, or within the data's own range."""

from __future__ import annotations

import keras
import numpy as np
from PIL import Image, ImageEnhance

from multiflow import _keras

Range = tuple[float, float]  # the values that count as black and as white

EIGHT_BITS = (0, 255)
# The ranges that values may be of, from the narrowest to the widest.
RANGES = ((0, 1), EIGHT_BITS, (0, 2**16 - 1))


def value_range(image: np.ndarray) -> Range:
    """The values that count as black and as white in an image, or in several.

    For 8 bits, 0 and 255; else the narrowest of 0 to 1, 0 to 255 and 0 to 65535 that holds all
    values; else the minimum and the maximum of the values.
    """
    if image.dtype == np.uint8:
        return EIGHT_BITS
    lowest, highest = float(image.min()), float(image.max())
    fitting = (span for span in RANGES if span[0] <= lowest and highest <= span[1])
    return next(fitting, (lowest, highest))


def change_brightness(
    image: np.ndarray, factor: float, channel_axis: int, span: Range | None
) -> np.ndarray:
    """Multiplies the brightness of an image; returns a new one, in Keras' `floatx`.

    Args:
        image: array of rank 3.
        factor: the factor.
        channel_axis: the axis of the channels, 0 or 2.
        span: None to do it as Keras does, or the range of the values. In 0 to 255, values change as
            in Keras, but for any number of channels, before or after the rows; in other ranges,
            their distance from black is multiplied. Results are clipped to the range. Of four
            channels the last is alpha, and stays, as in Keras.
    """
    if span is None:
        return _keras.apply_brightness_shift(image, factor, False)
    black, white = span
    image = image.astype(np.result_type(image, keras.config.floatx())).clip(black, white)
    if span == EIGHT_BITS:
        image = image.astype(keras.config.floatx()).astype(np.uint8)  # as Keras does
        changed = _levels(factor)[image]
    else:
        changed = np.clip((image - black) * factor + black, black, white)
    if image.shape[channel_axis] == 4:
        np.moveaxis(changed, channel_axis, 0)[3] = np.moveaxis(image, channel_axis, 0)[3]
    # The memory layout decides how means round; it is the one of Pillow's images, as in Keras.
    return np.ascontiguousarray(changed, keras.config.floatx())


def change_brightness_in_place(
    image: np.ndarray, factor: float, channel_axis: int, span: Range | None
) -> None:
    """As `change_brightness`, but writes into the image itself, which has Keras' `floatx`."""
    if image.shape[channel_axis] in (1, 3) and _counts_as_8_bits(image, channel_axis, span):
        levels = _levels(factor).astype(image.dtype)
        np.take(levels, image.clip(*EIGHT_BITS).astype(np.uint8), out=image, mode="clip")
    else:
        image[...] = change_brightness(image, factor, channel_axis, span)


def _counts_as_8_bits(image: np.ndarray, channel_axis: int, span: Range | None) -> bool:
    if span is not None:
        return span == EIGHT_BITS
    is_channels_last = channel_axis == 2 and keras.config.image_data_format() == "channels_last"
    return is_channels_last and bool(image.min() >= 0 and image.max() <= 255)


def has_unit_range(image: np.ndarray) -> bool:
    """True if an image is in [0, 1] and not black; Keras takes it for 8 bits and blackens it."""
    return bool(image.min() >= 0 and 0 < image.max() <= 1)


def _levels(factor: float) -> np.ndarray:
    """The new values of the levels 0 to 255, by Pillow, which Keras uses."""
    levels = Image.fromarray(np.arange(256, dtype=np.uint8)[np.newaxis])
    return np.asarray(ImageEnhance.Brightness(levels).enhance(factor))[0]
