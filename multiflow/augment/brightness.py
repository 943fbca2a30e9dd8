"""Brightness of an image: as Keras changes it, by way of 8 bits, or within the data's own range."""

from __future__ import annotations

import keras
import numpy as np
from PIL import Image, ImageEnhance

from multiflow import _keras

Range = tuple[float, float]  # what counts as black and as white

EIGHT_BITS = (0, 255)
# The ranges that values may be of, from the narrowest to the widest.
RANGES = ((0, 1), EIGHT_BITS, (0, 2**16 - 1))


def value_range(image: np.ndarray) -> Range:
    """What counts as black and as white in an image, or in several.

    All that its dtype can hold, for 8 bits; else the narrowest of 0 to 1, 0 to 255 and 0 to 65535
    that holds all values; else what the values themselves span.
    """
    if image.dtype == np.uint8:
        return EIGHT_BITS
    lowest, highest = float(image.min()), float(image.max())
    fitting = (span for span in RANGES if span[0] <= lowest and highest <= span[1])
    return next(fitting, (lowest, highest))


def change_brightness(
    image: np.ndarray, factor: float, channel_axis: int, span: Range | None
) -> np.ndarray:
    """An image with its brightness multiplied, in Keras' `floatx`.

    Args:
        image: array of rank 3.
        factor: what to multiply with.
        channel_axis: the axis of the channels, 0 or 2.
        span: None, to do it as Keras does. Or the range of the values: from 0 to 255 they become
            what Keras makes of them, but with any number of channels, before or after the rows; in
            other ranges they are multiplied, from black. All are clipped to the range. Of four
            channels the last is alpha, as in Keras, and stays.
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
    # Where values lie in memory decides how means round; in Keras they come from a picture.
    return np.ascontiguousarray(changed, keras.config.floatx())


def change_brightness_in_place(
    image: np.ndarray, factor: float, channel_axis: int, span: Range | None
) -> None:
    """Writes what `change_brightness` gives into the image itself, which is of Keras' `floatx`."""
    if image.shape[channel_axis] in (1, 3) and _counts_as_8_bits(image, channel_axis, span):
        levels = _levels(factor).astype(image.dtype)
        np.take(levels, image.clip(*EIGHT_BITS).astype(np.uint8), out=image, mode="clip")
    else:
        image[...] = change_brightness(image, factor, channel_axis, span)


def _counts_as_8_bits(image: np.ndarray, channel_axis: int, span: Range | None) -> bool:
    if span is not None:
        return span == EIGHT_BITS
    in_format_of_keras = channel_axis == 2 and keras.config.image_data_format() == "channels_last"
    return in_format_of_keras and bool(image.min() >= 0 and image.max() <= 255)


def is_blackened(image: np.ndarray) -> bool:
    """Whether Keras takes an image that is in [0, 1], and not black, for one of 8 bits."""
    return bool(image.min() >= 0 and 0 < image.max() <= 1)


def _levels(factor: float) -> np.ndarray:
    """What Pillow, by which Keras changes brightness, makes of each of the 256 levels."""
    levels = Image.fromarray(np.arange(256, dtype=np.uint8)[np.newaxis])
    return np.asarray(ImageEnhance.Brightness(levels).enhance(factor))[0]
