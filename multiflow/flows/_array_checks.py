"""Checks of images, masks and weights that look at shapes and dtypes, and read no data."""

from __future__ import annotations

import math
from numbers import Real
from typing import Any

import keras
import numpy as np

from multiflow import _keras
from multiflow.augment.affine import FILL_MODES
from multiflow.structures import leaves


def check_array(name: str, array: Any, ranks: dict[int, str]) -> None:
    """Refuses what is no array of real numbers of one of the ranks.

    Args:
        name: what errors call the array.
        array: what was received.
        ranks: the form that each allowed rank stands for.
    """
    expected = f"`{name}` must be an array of shape {' or '.join(ranks.values())}"
    if not all(hasattr(array, part) for part in ("shape", "dtype", "__len__", "__getitem__")):
        raise TypeError(
            f"{expected}: anything with `shape`, `dtype`, a length and item access. Received "
            f"{type(array).__name__}. Convert it with np.asarray."
        )
    try:
        kind = np.dtype(array.dtype).kind
    except TypeError:
        raise TypeError(
            f"{expected} with a dtype of NumPy. Received {type(array).__name__} of {array.dtype}. "
            "Convert it with np.asarray."
        ) from None
    if kind not in "biuf":
        raise TypeError(
            f"{expected} of integers, booleans or real numbers. Received dtype {array.dtype}, "
            f"shape {tuple(array.shape)}. Arrays of objects come of images of unequal size; "
            "resize them first."
        )
    if len(array.shape) not in ranks:
        raise ValueError(f"{expected}. Received shape {tuple(array.shape)}.")
    if 0 in tuple(array.shape):
        raise ValueError(f"`{name}` holds nothing: its shape is {tuple(array.shape)}.")


def check_length(name: str, array: Any, num_samples: int) -> None:
    """Refuses an array that does not hold one item for each image."""
    if len(array) != num_samples:
        raise ValueError(
            f"`{name}` must hold one item for each of the {num_samples} images. "
            f"Received {len(array)}."
        )


def image_size(shape: tuple[int, ...], channels_first: bool) -> tuple[int, int]:
    """The (height, width) in the shape of an array of images or masks."""
    first = 2 if channels_first and len(shape) == 4 else 1
    return int(shape[first]), int(shape[first + 1])


def check_images(images: Any, generator: _keras.ImageDataGenerator, save_to_dir: Any) -> None:
    """Refuses images that the generator cannot transform, or that cannot be saved if they must."""
    channels_first = generator.data_format == "channels_first"
    form = "channels, height, width" if channels_first else "height, width, channels"
    check_array("x", images, {4: f"(num_samples, {form})"})
    num_channels = images.shape[generator.channel_axis]
    if save_to_dir and num_channels not in (1, 3, 4):
        raise ValueError(
            "`save_to_dir` saves images of 1, 3 or 4 channels, which fit into a picture. "
            f"Received {num_channels} channels. Leave `save_to_dir` out."
        )
    brightens_as_keras = generator.brightness_range is not None and not generator.corrected
    if brightens_as_keras and (
        num_channels not in (1, 3, 4) or generator.data_format != keras.config.image_data_format()
    ):
        raise ValueError(
            "`brightness_range` needs images of 1, 3 or 4 channels in Keras' own data format, "
            f"{keras.config.image_data_format()!r}. Received {num_channels} channels in "
            f"{generator.data_format!r}. Set corrected=True in the generator."
        )


def check_masks(name: str, masks: Any, images: Any, *, channels_first: bool) -> None:
    """Refuses masks that do not fit the images."""
    form = "channels, height, width" if channels_first else "height, width, channels"
    check_array(name, masks, {3: "(num_samples, height, width)", 4: f"(num_samples, {form})"})
    check_length(name, masks, len(images))
    check_size(name, masks, images, channels_first)


def check_fill_value(name: str, masks: Any, cval: Any) -> None:
    """Refuses a `mask_cval` that the masks cannot hold."""
    fits = isinstance(cval, (Real, np.bool_)) and math.isfinite(cval)
    if fits and np.dtype(masks.dtype).kind != "f":
        fits = np.asarray(cval).astype(masks.dtype) == cval
    if not fits:
        raise ValueError(
            f"`mask_cval` must be a value that masks of dtype {masks.dtype}, as `{name}`, can "
            f"hold. Received: {cval!r}"
        )


def check_fill_class(cval: Any, num_classes: int) -> None:
    """Refuses a `mask_cval` that is none of the classes."""
    if not 0 <= cval < num_classes:
        raise ValueError(
            f"`mask_cval` must be one of the num_classes={num_classes} classes, 0 to "
            f"{num_classes - 1}. Received: {cval!r}"
        )


def check_distinct(suffixes: list[str]) -> None:
    """Refuses to save several masks under one name."""
    if len(set(suffixes)) < len(suffixes):
        raise ValueError(
            "`save_to_dir` names masks after the keys of `y`, of which some become equal in file "
            f"names: {suffixes}. Rename the keys, or leave `save_to_dir` out."
        )


def check_function(function: Any) -> None:
    """Refuses what cannot be called."""
    if not (function is None or callable(function)):
        raise TypeError(
            f"`mask_preprocessing_function` must be None or a function. Received: {function!r}"
        )


def check_size(name: str, array: Any, images: Any, channels_first: bool) -> None:
    """Refuses masks or weights of another height and width than the images."""
    expected = image_size(images.shape, channels_first)
    received = image_size(array.shape, channels_first)
    if received != expected:
        raise ValueError(
            f"`{name}` must have the (height, width) of the images, {expected}. "
            f"Received {received}, in the shape {tuple(array.shape)}."
        )


def check_weights(name: str, weights: Any, images: Any, *, channels_first: bool) -> None:
    """Refuses weights that are neither one per sample nor one per pixel."""
    check_array(name, weights, {1: "(num_samples,)", 3: "(num_samples, height, width)"})
    check_length(name, weights, len(images))
    if len(weights.shape) == 3:
        check_size(name, weights, images, channels_first)


def check_fill_mode(mask_fill_mode: Any) -> None:
    """Refuses an unknown `mask_fill_mode`."""
    if mask_fill_mode not in FILL_MODES:
        raise ValueError(
            f"`mask_fill_mode` must be None or one of {FILL_MODES}. Received: {mask_fill_mode!r}"
        )


def split_inputs(x: Any) -> tuple[Any, list[Any]]:
    """The images and the further inputs in `x`, which may be an array, a list or a tuple."""
    if not isinstance(x, (list, tuple)):
        return x, []
    if not x or len(getattr(x[0], "shape", ())) != 4:
        raise ValueError(
            "A list in `x` must be the images, an array of rank 4, followed by further inputs. "
            f"Received a list of {len(x)} items. Stack a list of images with np.stack."
        )
    extras = [(f"x[{n}]", part) for n, part in enumerate(x) if n]
    extras = [leaf for name, part in extras for leaf in leaves(part, name)]
    for name, extra in extras:
        if not all(hasattr(extra, part) for part in ("shape", "__len__", "__getitem__")):
            raise TypeError(
                "The further inputs in `x` must be arrays with one item per image. Received "
                f"{type(extra).__name__} as `{name}`."
            )
        check_length(name, extra, len(x[0]))
    return x[0], [extra for _, extra in extras]
