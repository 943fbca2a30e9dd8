"""Keras' generator with faster methods for single images; users may override them."""

from __future__ import annotations

from typing import Any

import numpy as np

from multiflow import _checks, _keras
from multiflow.augment.draws import Stream, check_ranges
from multiflow.augment.move import Move
from multiflow.augment.steps import (
    apply,
    needs_brightness_warning,
    warn_of_brightness,
    warn_of_geometry,
    with_value_range,
)


class Transformer(_keras.ImageDataGenerator):
    """The methods that flows call for each image, with the options of `MultiDirImageDataGenerator`.

    Args:
        arguments: the arguments of Keras' class, in its order.
    """

    # One for all generators, since an override may hand a draw over to another generator.
    _stream = Stream()

    def __init__(self, *arguments: Any) -> None:
        self._one_time_warnings = _checks.OneTimeWarnings()
        super().__init__(*arguments)
        if self.rng == "per_sample":
            check_ranges(self)

    def get_random_transform(self, img_shape: Any, seed: int | None = None) -> dict[str, Any]:
        """Random parameters for an image, as Keras draws them, or for a sample of a flow.

        Args:
            img_shape: tuple, the shape of the image.
            seed: None, or an int that the parameters depend on: with `rng="keras"` by seeding
                NumPy's global generator, with `rng="per_sample"` without touching it.

        Returns:
            Dict of the parameters that `apply_transform` takes. With `rng="per_sample"` and without
            a `seed`, they are those of the sample that a flow is transforming; outside of a flow,
            new ones with each call.

        Example:
        >>> from multiflow import MultiDirImageDataGenerator
        >>> generator = MultiDirImageDataGenerator(rotation_range=30)
        >>> parameters = generator.get_random_transform((32, 32, 3), seed=1)
        >>> round(parameters["theta"], 2), parameters["zx"]
        (-4.98, 1)
        """
        if self.rng == "keras":
            return super().get_random_transform(img_shape, seed)
        return self._stream.draw(self, img_shape, seed)

    def apply_transform(self, x: Any, transform_parameters: dict[str, Any]) -> Any:
        """Transforms an image by given parameters, as Keras does; returns a new one.

        Args:
            x: array of shape `(height, width, channels)`, or channels first with
                `data_format="channels_first"`.
            transform_parameters: dict with any of `"theta"` and `"shear"` in degrees, `"tx"` and
                `"ty"` in pixels, the factors `"zx"` and `"zy"`, the bools `"flip_horizontal"` and
                `"flip_vertical"`, and the numbers `"channel_shift_intensity"` and `"brightness"`;
                with `corrected=True` also `"value_range"`, the values that count as black and as
                white, by default found in the image.

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
        size = (x.shape[self.row_axis - 1], x.shape[self.col_axis - 1])
        move = Move.of(transform_parameters, size, corrected=self.corrected)
        warn_of_geometry(self, transform_parameters, move)
        if needs_brightness_warning(self, x, transform_parameters):
            warn_of_brightness(self)
        return apply(self, x, with_value_range(self, transform_parameters, x), move)


def check_fill_value(generator: Transformer) -> None:
    """Refuses a `cval` that images of the generator's dtype cannot hold; Keras would change it."""
    dtype = np.dtype(generator.dtype)
    if (
        generator.fill_mode == "constant"
        and dtype.kind in "biu"
        and not _checks.can_hold(dtype, generator.cval)
    ):
        raise ValueError(
            f'`cval`, with which fill_mode="constant" fills images, must be a value that the '
            f"generator's dtype, {dtype}, can hold. Received: {generator.cval!r}"
        )


_HOOKS = {
    "get_random_transform": Transformer.get_random_transform,
    "apply_transform": Transformer.apply_transform,
    "standardize": _keras.ImageDataGenerator.standardize,
}


def is_overridden(generator: Transformer, name: str) -> bool:
    """True if a user has replaced this method of Keras' by another."""
    return getattr(getattr(generator, name), "__func__", None) is not _HOOKS[name]


def is_customised(generator: Transformer) -> bool:
    """True if the transform calls a user's function or method."""
    return bool(generator.preprocessing_function) or any(
        is_overridden(generator, name) for name in _HOOKS
    )
