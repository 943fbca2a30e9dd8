"""Sample → transform: parameters, drawn once for a sample, are applied to image and masks alike."""

from __future__ import annotations

import copy
from typing import Any

import keras
import numpy as np

from multiflow import _checks, _keras
from multiflow.augment.affine import OUTSIDE, affine_matrix
from multiflow.augment.brightness import (
    Range,
    change_brightness,
    change_brightness_in_place,
    is_blackened,
    value_range,
)
from multiflow.augment.draws import Parameters, draw_transform
from multiflow.augment.warp import FLOATS, Warp, flipped, warp_image, warp_positions


class Transformer(_keras.ImageDataGenerator):
    """Keras' generator with a faster warp, and options of its own, which the class describes."""

    augment_validation: bool = True
    split_seed: int | None = None
    split_groups: Any = None
    rng: str = "keras"
    corrected: bool = False
    threads: int | None = None

    def get_random_transform(self, img_shape: Any, seed: int | None = None) -> dict[str, Any]:
        """Random parameters for an image, as Keras draws them, or for a sample of a flow.

        Args:
            img_shape: tuple, the shape of the image.
            seed: None, or an int that the parameters depend on: with `rng="keras"` by seeding
                NumPy's global generator, with `rng="per_sample"` without touching it.

        Returns:
            Dict of what `apply_transform` takes. With `rng="per_sample"` and without a seed, it is
            that of the sample, while a flow transforms one, and new with every call elsewhere.

        Example:
        >>> from multiflow import MultiDirImageDataGenerator
        >>> generator = MultiDirImageDataGenerator(rotation_range=30)
        >>> parameters = generator.get_random_transform((32, 32, 3), seed=1)
        >>> round(parameters["theta"], 2), parameters["zx"]
        (-4.98, 1)
        """
        if self.rng == "keras":
            return super().get_random_transform(img_shape, seed)
        return draw_transform(self, img_shape, seed)

    def apply_transform(self, x: Any, transform_parameters: dict[str, Any]) -> Any:
        """An image, transformed by given parameters, as Keras does it.

        Args:
            x: array of shape `(height, width, channels)`, or channels first if the generator's
                `data_format` says so.
            transform_parameters: dict with any of `"theta"` and `"shear"` in degrees, `"tx"` and
                `"ty"` in pixels, the factors `"zx"` and `"zy"`, the bools `"flip_horizontal"` and
                `"flip_vertical"`, and the numbers `"channel_shift_intensity"` and `"brightness"`;
                with `corrected=True` also `"value_range"`, what counts as black and as white, which
                is found in the image if it is not given.

        Returns:
            Array of the same shape.

        Example:
        >>> import numpy as np
        >>> from multiflow import MultiDirImageDataGenerator
        >>> image = np.arange(6.0).reshape(2, 3, 1)
        >>> turned = MultiDirImageDataGenerator().apply_transform(image, {"flip_horizontal": True})
        >>> turned[..., 0]
        array([[2., 1., 0.],
               [5., 4., 3.]])
        """
        if np.ndim(x) != 3:
            return super().apply_transform(x, transform_parameters)
        channel_axis = self.channel_axis - 1
        size = (x.shape[self.row_axis - 1], x.shape[self.col_axis - 1])
        warn_of_geometry(self, size, transform_parameters)
        if blackens(self, x, transform_parameters):
            warn_of_brightness(self)
        transform_parameters = complete(self, transform_parameters, x)
        matrix = affine_matrix(transform_parameters, *size, corrected=self.corrected)
        if matrix is not None:
            # One plane per channel, as Keras builds it: where values lie decides how means round.
            planes = np.empty((x.shape[channel_axis], *size), x.dtype.newbyteorder("="))
            warp = Warp(matrix, self.interpolation_order, self.fill_mode, self.cval)
            warp_image(np.moveaxis(x, channel_axis, 2), np.moveaxis(planes, 0, 2), warp)
            x = np.moveaxis(planes, 0, channel_axis)
        if transform_parameters.get("channel_shift_intensity") is not None:
            intensity = transform_parameters["channel_shift_intensity"]
            x = _keras.apply_channel_shift(x, intensity, channel_axis)
        for axis, flips in zip(
            (self.row_axis, self.col_axis), _flips(transform_parameters), strict=True
        ):
            if flips:
                x = np.flip(x, axis - 1)
        if transform_parameters.get("brightness") is not None:
            span = transform_parameters.get("value_range")
            x = change_brightness(x, transform_parameters["brightness"], channel_axis, span)
        return x


def complete(
    generator: Transformer, parameters: Parameters, image: np.ndarray, span: Range | None = None
) -> Parameters:
    """The parameters, with what counts as black and white if that matters.

    Args:
        generator: what transforms the image.
        parameters: what was drawn for the image.
        image: the image, before any transform, which may leave its range.
        span: its range, if that is known.
    """
    if not generator.corrected or parameters.get("brightness") is None:
        return parameters
    return {"value_range": span or value_range(image), **parameters}


def warn_of_geometry(generator: Transformer, size: tuple[int, int], parameters: Parameters) -> None:
    """Warns, once, that Keras warps images that are not square about a wrong centre."""
    if (
        size[0] != size[1]
        and _may_warn_of(generator, "geometry")
        and affine_matrix(parameters, *size) is not None
    ):
        _warn_once(
            generator,
            "geometry",
            f"Images of {size[0]} × {size[1]} pixels are not square: as in Keras, they are "
            "turned, sheared and zoomed about a point beside their centre. And all images are "
            "shifted along the other axis than `height_shift_range` and `width_shift_range` "
            "say. Set corrected=True in the generator to mend both, or filter this warning.",
        )


def blackens(generator: Transformer, image: np.ndarray, parameters: Parameters) -> bool:
    """Whether Keras turns an image black, of which no warning was given yet."""
    return (
        parameters.get("brightness") is not None
        and _may_warn_of(generator, "brightness")
        and is_blackened(image)
    )


def warn_of_brightness(generator: Transformer) -> None:
    """Warns, once, that Keras turns images in [0, 1] black."""
    _warn_once(
        generator,
        "brightness",
        "`brightness_range` meets an image with values from 0 to 1 and makes it black: as in "
        "Keras, it takes them for values from 0 to 255. Set corrected=True in the generator, "
        "or pass values from 0 to 255 and `rescale`.",
    )


def _may_warn_of(generator: Transformer, what: str) -> bool:
    return not generator.corrected and what not in generator.__dict__.setdefault("_warned", {})


def _warn_once(generator: Transformer, what: str, message: str) -> None:
    # Of several threads that come here, one finds its own mark.
    mark = object()
    if generator.__dict__["_warned"].setdefault(what, mark) is mark:
        _checks.warn(message)


_HOOKS = {
    "get_random_transform": Transformer.get_random_transform,
    "apply_transform": Transformer.apply_transform,
    "standardize": _keras.ImageDataGenerator.standardize,
}


def is_overridden(generator: Transformer, name: str) -> bool:
    """Whether a user has put an own method in the place of one of Keras'."""
    return getattr(getattr(generator, name), "__func__", None) is not _HOOKS[name]


def is_customised(generator: Transformer) -> bool:
    """Whether a user's own code takes part in the transform."""
    return bool(generator.preprocessing_function) or any(
        is_overridden(generator, name) for name in _HOOKS
    )


def transform_into(
    row: np.ndarray,
    image: np.ndarray,
    generator: Transformer,
    parameters: Parameters,
    working_dtype: Any,
) -> None:
    """Writes an image, transformed and standardised as Keras does it, into its row of a batch.

    Args:
        row: the place of the image in the batch.
        image: the image, of any dtype.
        generator: a generator that is not customised.
        parameters: what was drawn for the image, complete.
        working_dtype: the dtype in which Keras transforms.
    """
    if not _works_in_place(generator, row.dtype, working_dtype):
        image = generator.apply_transform(image.astype(working_dtype), parameters)
        row[...] = generator.standardize(image)
        return
    if image.dtype != np.uint8:
        image = image.astype(row.dtype, copy=False)
    intensity = parameters.get("channel_shift_intensity")
    brightness = parameters.get("brightness")
    # NumPy rounds a factor of Python's own type to the dtype of the image, others it may not.
    only_rescales = (
        intensity is None
        and brightness is None
        and not generator.featurewise_center
        and not generator.featurewise_std_normalization
        and type(generator.rescale) in (type(None), int, float)
    )
    scale = (generator.rescale or None) if only_rescales else None
    _warp_and_flip(row, image, generator, parameters, scale)
    if intensity is not None:
        lowest, highest = row.min(), row.max()
        row += intensity
        np.clip(row, lowest, highest, out=row)
    if brightness is not None:
        channel_axis = generator.channel_axis - 1
        change_brightness_in_place(row, brightness, channel_axis, parameters.get("value_range"))
    if not only_rescales:
        generator.standardize(row)


def _works_in_place(generator: Transformer, dtype: np.dtype, working_dtype: Any) -> bool:
    """Whether all steps give in the batch the bits that they give in Keras' separate arrays.

    Means and whitening round by how an image lies in memory; brightness changes the dtype to
    Keras' `floatx`.
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
    row: np.ndarray,
    image: np.ndarray,
    generator: Transformer,
    parameters: Parameters,
    scale: float | None,
) -> None:
    if generator.channel_axis == 1:
        image, target = image.transpose(1, 2, 0), row.transpose(1, 2, 0)
    else:
        target = row
    flips = _flips(parameters)
    matrix = affine_matrix(parameters, *image.shape[:2], corrected=generator.corrected)
    if matrix is None:
        factor = row.dtype.type(scale or 1)
        np.multiply(image, factor, out=flipped(target, flips), dtype=row.dtype)
        return
    if image.base is not None:
        # Read in one go into the processor's cache, for a warp reads here and there.
        image = image.copy("K")
    order, fill_mode, cval = generator.interpolation_order, generator.fill_mode, generator.cval
    warp_image(image, target, Warp(matrix, order, fill_mode, cval, flips, scale))


def _flips(parameters: dict[str, Any]) -> tuple[bool, bool]:
    return bool(parameters.get("flip_vertical")), bool(parameters.get("flip_horizontal"))


def source_positions(
    generator: Transformer,
    size: tuple[int, int],
    parameters: Parameters | None,
    fill_mode: str,
) -> np.ndarray:
    """Where each pixel of a warped image comes from, without interpolation.

    What is found is exact for masks of any dtype, and serves any number of channels and masks. An
    overridden `apply_transform` is applied, at order 0, to an image of pixel numbers.

    Args:
        generator: the generator whose `apply_transform` warps the images.
        size: (height, width) of the image.
        parameters: what `get_random_transform` drew, of which the photometric ones are left out;
            None for an image that is not transformed.
        fill_mode: how to fill what the warp leaves empty.

    Returns:
        Integer array of shape `size`: positions in the flattened image, or `OUTSIDE` where
        `fill_mode="constant"` fills.

    Raises:
        ValueError: if an overridden `apply_transform` gives anything but pixels of the image.
    """
    if parameters is None:
        return np.arange(size[0] * size[1]).reshape(size)
    if not is_overridden(generator, "apply_transform"):
        matrix = affine_matrix(parameters, *size, corrected=generator.corrected)
        flips = _flips(parameters)
        if matrix is None:
            return flipped(np.arange(size[0] * size[1]).reshape(size), flips)
        return warp_positions(size, Warp(matrix, 0, fill_mode, OUTSIDE, flips))
    return _positions_of_override(generator, size, parameters, fill_mode)


def _positions_of_override(
    generator: Transformer, size: tuple[int, int], parameters: Parameters, fill_mode: str
) -> np.ndarray:
    mover = copy.copy(generator)
    mover.interpolation_order, mover.fill_mode, mover.cval = 0, fill_mode, OUTSIDE
    numbers = np.arange(size[0] * size[1], dtype=np.int64).reshape(size)
    geometric = {**parameters, "channel_shift_intensity": None, "brightness": None}
    channel_axis = generator.channel_axis - 1
    image = np.expand_dims(numbers, channel_axis)
    warped = mover.apply_transform(image, geometric)
    name = f"{type(generator).__name__}.apply_transform"
    if not np.array_equal(warped, mover.apply_transform(image, geometric)):
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
    taken = array.reshape(-1, *array.shape[2:]).take(positions, 0, mode="clip")
    if positions.min() == OUTSIDE:
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
