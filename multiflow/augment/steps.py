"""The steps of a transform, in Keras' order: for one image, or straight into its row of a batch."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

from multiflow import _keras
from multiflow.augment.brightness import (
    Range,
    change_brightness,
    change_brightness_in_place,
    has_unit_range,
    value_range,
)
from multiflow.augment.draws import Parameters
from multiflow.augment.move import Move
from multiflow.augment.warp import FLOATS, Warp, flipped, warp_image


def apply(generator: Any, image: np.ndarray, parameters: Parameters, move: Move) -> np.ndarray:
    """Transforms an image as Keras' `apply_transform` does; returns a new one.

    Args:
        generator: the generator, with the options of the transform.
        image: array of shape `(height, width, channels)`, or channels first.
        parameters: the drawn parameters, as `with_value_range` returns them.
        move: the geometry that the parameters describe.
    """
    channel_axis = generator.channel_axis - 1
    if move.matrix is not None:
        image = np.asarray(image, image.dtype.newbyteorder("="))
        # One plane per channel, as in Keras: the memory layout decides how means round.
        planes = np.empty((image.shape[channel_axis], *move.size), image.dtype)
        warp = Warp(move.matrix, generator.interpolation_order, generator.fill_mode, generator.cval)
        warp_image(np.moveaxis(image, channel_axis, 2), np.moveaxis(planes, 0, 2), warp)
        image = np.moveaxis(planes, 0, channel_axis)
    if parameters.get("channel_shift_intensity") is not None:
        intensity = parameters["channel_shift_intensity"]
        image = _keras.apply_channel_shift(image, intensity, channel_axis)
    for axis, flips in zip((generator.row_axis, generator.col_axis), move.flips, strict=True):
        if flips:
            image = np.flip(image, axis - 1)
    if parameters.get("brightness") is not None:
        span = parameters.get("value_range")
        image = change_brightness(image, parameters["brightness"], channel_axis, span)
    return image


def transform_into(
    row: np.ndarray,
    image: np.ndarray,
    generator: Any,
    parameters: Parameters,
    move: Move,
    working_dtype: Any,
) -> None:
    """Writes an image, transformed and standardised as in Keras, into its row of a batch.

    Args:
        row: the row of the batch, an array of the image's shape.
        image: the image, of any dtype.
        generator: a generator that is not customised.
        parameters: the drawn parameters, as `with_value_range` returns them.
        move: the geometry that the parameters describe.
        working_dtype: the dtype in which Keras transforms.
    """
    if not _works_in_place(generator, row.dtype, working_dtype):
        image = apply(generator, image.astype(working_dtype), parameters, move)
        row[...] = generator.standardize(image)
        return
    if image.dtype != np.uint8:
        image = image.astype(row.dtype, copy=False)
    intensity = parameters.get("channel_shift_intensity")
    brightness = parameters.get("brightness")
    # NumPy rounds a Python int or float to the dtype of the image; other types it may not.
    only_rescales = (
        intensity is None
        and brightness is None
        and not generator.featurewise_center
        and not generator.featurewise_std_normalization
        and type(generator.rescale) in (type(None), int, float)
    )
    scale = (generator.rescale or None) if only_rescales else None
    _warp_and_flip(row, image, generator, move, scale)
    if intensity is not None:
        lowest, highest = row.min(), row.max()
        row += intensity
        np.clip(row, lowest, highest, out=row)
    if brightness is not None:
        channel_axis = generator.channel_axis - 1
        change_brightness_in_place(row, brightness, channel_axis, parameters.get("value_range"))
    if not only_rescales:
        generator.standardize(row)


def _works_in_place(generator: Any, dtype: np.dtype, working_dtype: Any) -> bool:
    """True if all steps, done within the batch, give the same bits as in Keras' separate arrays.

    The rounding of means and whitening depends on the memory layout; brightness changes the dtype
    to Keras' `floatx`.
    """
    return (
        dtype == working_dtype
        and dtype in FLOATS
        and not generator.samplewise_center
        and not generator.samplewise_std_normalization
        and not generator.zca_whitening
        and (generator.brightness_range is None or dtype == keras.config.floatx())
    )


def _warp_and_flip(
    row: np.ndarray, image: np.ndarray, generator: Any, move: Move, scale: float | None
) -> None:
    if generator.channel_axis == 1:
        image, row = image.transpose(1, 2, 0), row.transpose(1, 2, 0)
    if move.matrix is None:
        factor = row.dtype.type(scale or 1)
        np.multiply(image, factor, out=flipped(row, move.flips), dtype=row.dtype)
        return
    if image.base is not None:
        # Of what was not just made, a copy reads in order, into the processor's cache; a warp
        # reads here and there.
        image = image.copy("K")
    order, fill_mode, cval = generator.interpolation_order, generator.fill_mode, generator.cval
    warp_image(image, row, Warp(move.matrix, order, fill_mode, cval, move.flips, scale))


def with_value_range(
    generator: Any, parameters: Parameters, image: np.ndarray, span: Range | None = None
) -> Parameters:
    """The parameters, with the `value_range` of the image if its brightness changes within it.

    Args:
        generator: the generator, with the options of the transform.
        parameters: the drawn parameters.
        image: the image before its transform, which may change its range.
        span: the range, if it is known.
    """
    if not generator.corrected or parameters.get("brightness") is None:
        return parameters
    return {"value_range": span or value_range(image), **parameters}


def warn_of_geometry(generator: Any, parameters: Parameters, move: Move) -> None:
    """Warns, once, of what Keras does wrong to images that are not square.

    Args:
        generator: the generator, whose ranges count with those parameters that move this image.
        parameters: the drawn parameters.
        move: the geometry that they describe.
    """
    height, width = move.size
    if move.matrix is None or height == width or generator.corrected:
        return
    if not generator._one_time_warnings.is_due("geometry"):
        return
    zooms = [*generator.zoom_range, parameters.get("zx", 1), parameters.get("zy", 1)]
    amounts = {
        "rotated": [generator.rotation_range, parameters.get("theta")],
        "sheared": [generator.shear_range, parameters.get("shear")],
        "zoomed": [zoom - 1 for zoom in zooms],
    }
    turns = [name for name, of_name in amounts.items() if any(map(np.any, of_name))]
    wrong = []
    if turns:
        listed = " and ".join(", ".join(turns).rsplit(", ", 1))
        wrong.append(f"{listed} about a point off their centre")
    shifts = [generator.height_shift_range, generator.width_shift_range]
    if any(map(np.any, [*shifts, parameters.get("tx"), parameters.get("ty")])):
        wrong.append(
            "shifted along the other axis than `height_shift_range` and `width_shift_range` say"
        )
    generator._one_time_warnings.warn(
        "geometry",
        f"Images of {height} × {width} pixels are not square: as in Keras, they are "
        f"{', and '.join(wrong)}. Set corrected=True in the generator to correct this, or filter "
        "this warning.",
    )


def needs_brightness_warning(generator: Any, image: np.ndarray, parameters: Parameters) -> bool:
    """True if Keras turns an image black, and no warning of it was given yet."""
    return (
        parameters.get("brightness") is not None
        and not generator.corrected
        and generator._one_time_warnings.is_due("brightness")
        and has_unit_range(image)
    )


def warn_of_brightness(generator: Any) -> None:
    """Warns, once, that Keras turns images in [0, 1] black."""
    generator._one_time_warnings.warn(
        "brightness",
        "`brightness_range` meets an image with values from 0 to 1 and makes it black: as in "
        "Keras, it takes them for values from 0 to 255. Set corrected=True in the generator, "
        "or pass values from 0 to 255 and `rescale`.",
    )
