"""Batch → colours: images from black to white, masks as areas or on a colour scale."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from matplotlib import color_sequences
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize

from multiflow import _checks
from multiflow.augment.brightness import RANGES
from multiflow.augment.transformer import Transformer

# Larger images are shown with fewer rows and columns, since a cell has no more pixels.
MAX_SIDE = 512
# Unnamed masks with more values than this are shown on a scale, not as classes.
MAX_CLASSES = 40
PALETTE = [colour for name in ("tab10", "tab20b", "tab20c") for colour in color_sequences[name]]


class Area(NamedTuple):
    """The pixels of one class: its name, its colour, and bools of shape `(n, height, width)`."""

    name: str
    colour: Any
    pixels: np.ndarray


class Layer(NamedTuple):
    """One mask per image, to lay over the images: areas, or values on a colour scale.

    Attributes:
        name: the name of the masks, if there are several for each image.
        areas: the areas of classes.
        values: for masks without classes, array of shape `(n, height, width)`.
        scale: how `values` map to colours.
    """

    name: str
    areas: Sequence[Area] = ()
    values: np.ndarray | None = None
    scale: ScalarMappable | None = None


def _thin(images: np.ndarray) -> np.ndarray:
    """Images or masks of shape `(n, height, width, …)`, at most `MAX_SIDE` pixels high and wide."""
    step = -(-max(images.shape[1:3]) // MAX_SIDE)
    return images[:, ::step, ::step]


def make_visible(images: np.ndarray, generator: Transformer) -> np.ndarray:
    """Turns images of a batch into colours from 0 to 1.

    Featurewise normalisation is undone. Then one of the ranges 0 to 1, 0 to 255 and 0 to 65535 is
    shown from black to white: the one that holds all values, with a margin of 1%, and of which they
    reach at least an eighth. If there is none, the values between the percentiles 1 and 99 are.

    Args:
        images: array of shape `(num_samples, height, width, channels)`, or channels second if the
            generator's are. Three channels are red, green and blue; of more, the first three are
            shown; of two, the first.
        generator: the generator that standardised the images.

    Returns:
        Float array of shape `(num_samples, height, width, 3)`; large images are thinned out.
    """
    pixels = _thin(np.moveaxis(images, generator.channel_axis, -1)).astype(np.float64)
    if not generator.zca_whitening:
        channel_axis = generator.channel_axis - 1
        if generator.featurewise_std_normalization and generator.std is not None:
            pixels *= np.moveaxis(generator.std, channel_axis, -1) + 1e-6  # what Keras divides by
        if generator.featurewise_center and generator.mean is not None:
            pixels += np.moveaxis(generator.mean, channel_axis, -1)
    pixels = pixels[..., :3] if pixels.shape[-1] >= 3 else np.repeat(pixels[..., :1], 3, axis=-1)
    black, white = _span(pixels[np.isfinite(pixels)])
    return np.nan_to_num((pixels - black) / ((white - black) or 1)).clip(0, 1)


def _span(values: np.ndarray) -> tuple[float, float]:
    """The values that are shown as black and as white."""
    if not values.size:
        return RANGES[0]
    lowest, highest = values.min(), values.max()
    for black, white in RANGES:
        if lowest >= -0.01 * white and 0.125 * white <= highest <= 1.01 * white:
            return black, white
    low, high = np.percentile(values, (1, 99))
    return (low, high) if low < high else (lowest, highest)


def colour_masks(
    name: str,
    masks: np.ndarray,
    *,
    channels_first: bool,
    mask_names: Mapping[Any, str] | None,
) -> Layer:
    """Turns masks of a batch into areas: one for each value but an unnamed 0, or for each channel.

    Channels that are one-hot in most pixels, and 0 in the others, are taken for classes. More than
    `MAX_CLASSES` values without names are shown on a colour scale.

    Args:
        name: the name of the masks.
        masks: array of shape `(num_samples, height, width)`, or with channels.
        channels_first: whether channels come before the rows.
        mask_names: None, or names of values or channels, for the legend.

    Raises:
        ValueError: if the masks have no rows and columns, after `mask_preprocessing_function`.
    """
    if masks.ndim not in (3, 4):
        raise ValueError(
            "Only masks of shape (height, width), or with channels, can be shown. The masks of "
            f"this batch have the shape {masks.shape[1:]}."
        )
    if masks.ndim == 4 and channels_first:
        masks = np.moveaxis(masks, 1, -1)
    masks = _thin(masks)
    if masks.ndim == 4 and masks.shape[-1] > 1 and not _is_one_hot(masks):
        found = {channel: masks[..., channel] != 0 for channel in range(masks.shape[-1])}
    else:
        classes = _as_classes(masks)
        values = np.unique(classes)
        if 0 not in (mask_names or {}):
            values = values[values != 0]
        if len(values) > MAX_CLASSES and not mask_names:
            finite = classes[np.isfinite(classes)]
            scale = ScalarMappable(Normalize(finite.min(), finite.max()), "viridis")
            return Layer(name, values=classes.astype(np.float64), scale=scale)
        found = {value: classes == value for value in values}
    names = (str((mask_names or {}).get(value, _as_text(value))) for value in found)
    areas = zip(names, _palette(list(found)), found.values(), strict=True)
    return Layer(name, [Area(*area) for area in areas])


def can_have_name(masks: np.ndarray, key: Any, *, channels_first: bool) -> bool:
    """True if masks of this shape and dtype can hold a value, or have a channel, of this name."""
    num_channels = masks.shape[1 if channels_first else -1] if masks.ndim == 4 else 1
    if num_channels > 1:
        return key in range(num_channels)
    return _checks.can_hold(masks.dtype, key)


def _is_one_hot(masks: np.ndarray) -> bool:
    counts = masks.sum(axis=-1)
    return bool(np.isin(masks, (0, 1)).all() and counts.max() <= 1 and counts.mean() > 0.5)


def _as_classes(masks: np.ndarray) -> np.ndarray:
    if masks.ndim == 4:
        masks = masks.argmax(axis=-1) if masks.shape[-1] > 1 else masks[..., 0]
    return masks.astype(np.uint8) if masks.dtype == bool else masks


def _as_text(value: Any) -> str:
    return str(int(value)) if float(value).is_integer() else str(value)


def _palette(values: Sequence[Any]) -> list[Any]:
    """A colour for each value; for integers the same one in every batch, unless colours repeat."""
    are_whole = all(float(value).is_integer() for value in values)
    places = [(int(value) - 1) % len(PALETTE) for value in values] if are_whole else []
    if len(set(places)) < len(values):
        places = [number % len(PALETTE) for number in range(len(values))]
    return [PALETTE[place] for place in places]
