"""Weights of samples or of pixels, for flows with masks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from multiflow.augment.move import take_pixels
from multiflow.flows.moved import CheckedArray, MovedTarget
from multiflow.flows.targets import Sources
from multiflow.images.arrays import LazyArray, as_lazy, check_array, check_length, check_size
from multiflow.structures import leaves, rebuild, spread


class WeightArray(CheckedArray):
    """One array of weights: a number per sample, or a map per sample that is moved like a mask.

    Args:
        name: the name of the array in errors.
        array: weights of shape `(num_samples,)` or `(num_samples, height, width)`.
    """

    def _can_be_wrong(self) -> bool:
        return self.dtype.kind in "fi"

    def _check(self, sample: np.ndarray, index: int) -> None:
        if self._can_be_wrong() and not 0 <= sample.min() <= sample.max() < np.inf:
            wrong = sample[~(np.isfinite(sample) & (sample >= 0))].flat[0]
            found = "NaN" if np.isnan(wrong) else wrong
            raise ValueError(
                f"`{self.name}` holds {found} in {self.where(index)}. Weights must be finite "
                "numbers from 0; those of 0 leave samples or pixels out of the loss."
            )

    def move(self, sample: np.ndarray, sources: Sources, fill_mode: str) -> np.ndarray:
        """Moves a map as its image was moved; gives a number, which stays, the shape `(1, 1)`."""
        if len(self.shape) == 3:
            return take_pixels(sample, sources(fill_mode), 0)
        # Keras multiplies weights with losses of shape (batch, height, width).
        return sample.reshape(1, 1)


class Weights(MovedTarget):
    """The weights of a flow with masks."""

    def stack(self, positions: np.ndarray, moved: Any, images: np.ndarray) -> Any:
        """The weights, in the structure of `sample_weight`."""
        return rebuild(self._structure, map(np.stack, zip(*moved, strict=True)))


def weights_of(
    sample_weight: Any,
    y: Any,
    images: Any,
    resize: Callable[[LazyArray], LazyArray],
    fill_mode: str,
    *,
    channels_first: bool,
) -> Weights:
    """The weights in `sample_weight`, checked against the images and the structure of `y`.

    The other arguments are those of `masks_of`.
    """
    spread(sample_weight, y, "sample_weight")
    arrays = []
    for name, weights in leaves(sample_weight, "sample_weight"):
        _check_weights(name, weights, images, channels_first=channels_first)
        lazy = as_lazy(weights)
        WeightArray(name, lazy).check_all()
        arrays.append(WeightArray(name, resize(lazy) if len(lazy.shape) == 3 else lazy))
    return Weights(sample_weight, arrays, fill_mode)


def _check_weights(name: str, weights: Any, images: Any, *, channels_first: bool) -> None:
    """Refuses weights that are neither one per sample nor one per pixel."""
    check_array(name, weights, {1: "(num_samples,)", 3: "(num_samples, height, width)"})
    check_length(name, weights, len(images))
    if len(weights.shape) == 3:
        check_size(name, weights, images, channels_first=channels_first)
