"""Masks: their checks, and the steps from a user's array to a batch."""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

from multiflow import _checks
from multiflow.augment.affine import FILL_MODES
from multiflow.augment.move import take_pixels
from multiflow.flows.moved import CheckedArray, MovedTarget
from multiflow.flows.targets import Sources
from multiflow.images.arrays import (
    LazyArray,
    as_lazy,
    check_array,
    check_length,
    check_size,
    image_size,
)
from multiflow.structures import leaves, rebuild, spread

# The most values of a one-hot mask.
MAX_VALUES = 2**31 - 1


@dataclass(frozen=True)
class MaskOptions:
    """Arguments of a flow that say how masks are transformed.

    Attributes:
        fill_mode: how masks are filled where the warp leaves them empty.
        cval: the value that `fill_mode="constant"` fills with.
        num_classes: None, or the number of classes for one-hot masks, or a structure of these.
        function: `mask_preprocessing_function`: None, or a function of each warped mask.
    """

    fill_mode: Any
    cval: Any
    num_classes: Any
    function: Callable[[np.ndarray], np.ndarray] | None

    def check(self) -> None:
        """Refuses an unknown fill mode, and a `function` that cannot be called."""
        if not _checks.is_one_of(self.fill_mode, FILL_MODES):
            raise ValueError(
                f"`mask_fill_mode` must be None or one of {FILL_MODES}. "
                f"Received: {self.fill_mode!r}"
            )
        if not (self.function is None or callable(self.function)):
            raise TypeError(
                "`mask_preprocessing_function` must be None or a function. "
                f"Received: {self.function!r}"
            )


class MaskArray(CheckedArray):
    """One array of masks, from the user's array to the batch.

    Args:
        name: the name of the array in errors.
        array: masks of shape `(num_samples, height, width)`, or with a channel axis.
        options: how the masks are transformed.
        num_classes: None, or the number of classes for one-hot masks.
        channels_first: whether a channel axis comes before the rows.
        one_hot_dtype: the dtype of one-hot masks.
    """

    def __init__(
        self,
        name: str,
        array: LazyArray,
        *,
        options: MaskOptions,
        num_classes: int | None,
        channels_first: bool,
        one_hot_dtype: Any,
    ) -> None:
        super().__init__(name, array)
        self.suffix = re.sub(r"\W+", "_", name.removeprefix("y")).rstrip("_")
        self._options = options
        self._num_classes = num_classes
        self._channels_first = channels_first
        self._one_hot_dtype = one_hot_dtype

    def _can_be_wrong(self) -> bool:
        # What a function makes of the mask is checked in its place.
        return not self._options.function and (super()._can_be_wrong() or bool(self._num_classes))

    def _check(self, sample: np.ndarray, index: int) -> None:
        if self._can_be_wrong():
            self._check_values(sample, index)

    def move(self, sample: np.ndarray, sources: Sources, fill_mode: str) -> np.ndarray:
        """Moves a mask as its image was moved."""
        return take_pixels(
            sample,
            sources(fill_mode),
            self._options.cval,
            channels_first=self._channels_first,
        )

    def finish(self, mask: np.ndarray, index: int) -> np.ndarray:
        """Turns a moved mask into the one that the model gets."""
        if self._options.function:
            mask = np.asarray(self._options.function(mask))
            if mask.dtype.kind not in "biuf":
                raise TypeError(
                    "`mask_preprocessing_function` must return an array of numbers. It returned "
                    f"dtype {mask.dtype}; does it end with `return`?"
                )
            self._check_values(mask, index)
        if self._num_classes is None:
            return mask
        return one_hot(
            mask.astype(np.intp),
            self._num_classes,
            self._one_hot_dtype,
            channels_first=self._channels_first,
        )

    def save(self, mask: np.ndarray, path: str) -> None:
        """Writes a moved mask without loss: as PNG if that holds its values, else as `.npy`.

        Args:
            mask: the mask.
            path: the file to write, without its extension.
        """
        channel_axis = 0 if self._channels_first else 2
        is_plane = mask.ndim == 2 or mask.shape[channel_axis] == 1
        if is_plane and mask.dtype.kind in "biu" and 0 <= mask.min() <= mask.max() < 2**16:
            plane = mask.squeeze(channel_axis) if mask.ndim == 3 else mask
            if mask.dtype.kind != "b":
                plane = plane.astype(np.uint8 if mask.max() < 2**8 else np.uint16)
            Image.fromarray(plane).save(f"{path}.png")
        else:
            np.save(f"{path}.npy", mask)

    def _check_values(self, mask: np.ndarray, index: int) -> None:
        """Refuses values that the model cannot learn from."""
        if mask.dtype.kind == "f" and not np.isfinite(mask).all():
            wrong = mask[~np.isfinite(mask)].flat[0]
            found = "NaN" if np.isnan(wrong) else wrong
            after = " after `mask_preprocessing_function`" if self._options.function else ""
            raise ValueError(
                f"`{self.name}` holds {found} in {self.where(index)}{after}. Masks must be finite "
                "numbers. Replace it; to leave such pixels out of the loss, pass a `sample_weight` "
                "that is 0 there."
            )
        if self._num_classes is None:
            return
        if mask.ndim == 3 and mask.shape[0 if self._channels_first else 2] != 1:
            raise ValueError(
                "`num_classes` turns each class into a channel and needs masks without channels. "
                f"A mask of `{self.name}` has, as the model would get it, the shape {mask.shape}. "
                "Leave `num_classes` out if the channels are classes already."
            )
        wrong = mask[(mask < 0) | (mask >= self._num_classes) | (mask % 1 != 0)]
        if wrong.size:
            raise ValueError(
                f"`{self.name}` holds the value {wrong.flat[0]} in {self.where(index)}, but "
                f"num_classes={self._num_classes} allows the integers 0 to "
                f"{self._num_classes - 1}. Map the values, for example with "
                "`mask_preprocessing_function`."
            )


class Masks(MovedTarget):
    """The masks of a flow."""

    arrays: Sequence[MaskArray]

    def save(self, moved: Any, stems: Sequence[str]) -> None:
        """Saves the moved masks under the names of their images."""
        for array, masks in zip(self.arrays, zip(*moved, strict=True), strict=True):
            for mask, stem in zip(masks, stems, strict=True):
                array.save(mask, f"{stem}_mask{array.suffix}")

    def stack(self, positions: np.ndarray, moved: Any, images: np.ndarray) -> Any:
        """The masks as the model gets them, in the structure of `y`."""
        by_array = zip(self.arrays, zip(*moved, strict=True), strict=True)
        return rebuild(
            self._structure,
            (np.stack(list(map(array.finish, masks, positions))) for array, masks in by_array),
        )

    def masks_in(self, stacked: Any) -> list[tuple[str, np.ndarray]]:
        """A pair of name and array for each array of masks in what `stack` returned."""
        names = (array.suffix.strip("_") for array in self.arrays)
        arrays = (array for _, array in leaves(stacked, "y"))
        return list(zip(names, arrays, strict=True))


def masks_of(
    y: Any,
    images: Any,
    resize: Callable[[LazyArray], LazyArray],
    options: MaskOptions,
    *,
    channels_first: bool,
    one_hot_dtype: Any,
) -> Masks:
    """The masks in `y`, checked against the images.

    Args:
        y: an array of masks, or a list, tuple or dict of them.
        images: the array of images.
        resize: function that returns an array in the target size.
        options: how the masks are transformed.
        channels_first: whether a channel axis comes before the rows.
        one_hot_dtype: the dtype of one-hot masks.
    """
    arrays = []
    named = leaves(y, "y")
    if not named:
        raise ValueError(f"`y` must hold masks. Received: {y!r}")
    all_num_classes = spread(options.num_classes, y, "num_classes")
    for (name, masks), num_classes in zip(named, all_num_classes, strict=True):
        _check_masks(name, masks, images, channels_first=channels_first)
        _check_fill_value(name, masks, options.cval)
        if num_classes is not None:
            _checks.check_positive("num_classes", num_classes)
            if not options.function:
                _check_fill_class(options.cval, num_classes)
        make_array = functools.partial(
            MaskArray,
            name,
            options=options,
            num_classes=num_classes,
            channels_first=channels_first,
            one_hot_dtype=one_hot_dtype,
        )
        lazy = as_lazy(masks)
        resized = resize(lazy)
        if num_classes is not None:
            _check_num_values(num_classes, image_size(resized.shape, channels_first=channels_first))
        make_array(lazy).check_all()
        arrays.append(make_array(resized))
    return Masks(y, arrays, options.fill_mode)


def check_distinct(masks: Masks) -> None:
    """Refuses names that would save several masks to one file."""
    suffixes = [array.suffix for array in masks.arrays]
    if len(set(suffixes)) < len(suffixes):
        raise ValueError(
            "`save_to_dir` names masks after the keys of `y`, and some of these give equal file "
            f"names: {suffixes}. Rename the keys, or leave `save_to_dir` out."
        )


def one_hot(
    mask: np.ndarray, num_classes: int, dtype: Any, *, channels_first: bool = False
) -> np.ndarray:
    """Turns an integer mask into one channel per class.

    Args:
        mask: integer array of shape `(height, width)`, or with a channel axis of length 1; its
            values are from 0 to `num_classes - 1`.
        num_classes: the number of classes.
        dtype: the dtype of the result.
        channels_first: whether the first of three axes holds the channels.

    Returns:
        Array of shape `(height, width, num_classes)`, or `(num_classes, height, width)`.
    """
    axis = 0 if channels_first else -1
    flat = mask.squeeze(axis) if mask.ndim == 3 else mask
    hot = np.zeros((*flat.shape, num_classes), dtype)
    np.put_along_axis(hot, flat[..., np.newaxis], 1, -1)
    return np.moveaxis(hot, -1, axis)


def _check_masks(name: str, masks: Any, images: Any, *, channels_first: bool) -> None:
    """Refuses masks that do not fit the images."""
    form = "channels, height, width" if channels_first else "height, width, channels"
    check_array(name, masks, {3: "(num_samples, height, width)", 4: f"(num_samples, {form})"})
    check_length(name, masks, len(images))
    check_size(name, masks, images, channels_first=channels_first)


def _check_fill_value(name: str, masks: Any, cval: Any) -> None:
    """Refuses a `mask_cval` that the masks cannot hold."""
    if not _checks.can_hold(masks.dtype, cval):
        raise ValueError(
            f"`mask_cval` must be a value that `{name}`, masks of dtype {masks.dtype}, can hold. "
            f"Received: {cval!r}"
        )


def _check_num_values(num_classes: int, size: tuple[int, int]) -> None:
    """Refuses so many classes that a one-hot mask could not be held."""
    num_values = math.prod(size) * int(num_classes)
    if num_values > MAX_VALUES:
        raise ValueError(
            f"`num_classes` makes one-hot masks of {size[0]} × {size[1]} × {num_classes} values, "
            f"and more than {MAX_VALUES} are too many. Is it the number of classes? Leave it out "
            "for masks of integers, which sparse losses take."
        )


def _check_fill_class(cval: Any, num_classes: int) -> None:
    """Refuses a `mask_cval` that is no class."""
    if not 0 <= cval < num_classes:
        raise ValueError(
            f"`mask_cval` must be one of the num_classes={num_classes} classes, 0 to "
            f"{num_classes - 1}. Received: {cval!r}"
        )
