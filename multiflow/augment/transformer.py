"""Keras' generator with its methods for single images made fast; users may override them."""

from __future__ import annotations

from typing import Any

import numpy as np

from multiflow import _checks, _keras
from multiflow.augment.draws import Stream
from multiflow.augment.move import Move
from multiflow.augment.steps import (
    apply,
    blackens,
    complete,
    warn_of_brightness,
    warn_of_geometry,
)


class Transformer(_keras.ImageDataGenerator):
    """The methods that flows call for each image, with the options of `MultiDirImageDataGenerator`.

    Args:
        arguments: those of Keras' class, in its order.
    """

    def __init__(self, *arguments: Any) -> None:
        self._stream = Stream()
        self._once = _checks.OneTimeWarnings()
        super().__init__(*arguments)

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
        return self._stream.draw(self, img_shape, seed)

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
        size = (x.shape[self.row_axis - 1], x.shape[self.col_axis - 1])
        move = Move.of(transform_parameters, size, corrected=self.corrected)
        warn_of_geometry(self, move)
        if blackens(self, x, transform_parameters):
            warn_of_brightness(self)
        return apply(self, x, complete(self, transform_parameters, x), move)


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
