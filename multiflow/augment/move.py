"""The geometry of one sample: found once, and applied to its image, its masks and its weights."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from multiflow.augment.affine import OUTSIDE, affine_matrices
from multiflow.augment.warp import Warp, flipped, warp_positions


class Move:
    """The geometry of a transformed sample: a warp, and then flips.

    Args:
        size: (height, width) of the sample.
        matrix: array of shape `(2, 3)`, as of `affine_matrices`; None for no warp.
        flips: whether the rows and the columns are flipped.
    """

    runs_in_threads = True

    def __init__(
        self,
        size: tuple[int, int],
        matrix: np.ndarray | None = None,
        flips: tuple[bool, bool] = (False, False),
    ) -> None:
        self.size = size
        self.matrix = matrix
        self.flips = flips

    @classmethod
    def of(cls, parameters: Mapping[str, Any], size: tuple[int, int], *, corrected: bool) -> Move:
        """The move that drawn parameters describe."""
        return cls.of_each([parameters], size, corrected=corrected)[0]

    @classmethod
    def of_each(
        cls, parameters: Sequence[Mapping[str, Any]], size: tuple[int, int], *, corrected: bool
    ) -> list[Move]:
        """The moves of several samples of a size, sooner than one by one."""
        matrices = affine_matrices(parameters, *size, corrected=corrected)
        return [
            cls(
                size, matrix, (bool(drawn.get("flip_vertical")), bool(drawn.get("flip_horizontal")))
            )
            for drawn, matrix in zip(parameters, matrices, strict=True)
        ]

    def sources(self, fill_mode: str) -> np.ndarray:
        """The position that each pixel comes from, without interpolation.

        They serve masks and maps of any dtype and number of channels; see `take_pixels`.

        Args:
            fill_mode: how to fill what the warp leaves empty.

        Returns:
            Integer array of shape `size`: positions in the flattened image, or `OUTSIDE` where
            `fill_mode="constant"` fills.
        """
        if self.matrix is not None:
            return warp_positions(self.size, Warp(self.matrix, 0, fill_mode, OUTSIDE, self.flips))
        return flipped(np.arange(self.size[0] * self.size[1]).reshape(self.size), self.flips)


class OverriddenMove(Move):
    """The geometry of a user's `apply_transform`, found from an image of pixel numbers, at order 0.

    Args:
        size: (height, width) of the sample.
        generator: the generator with the method.
        parameters: what `get_random_transform` drew; brightness and channel shift are not applied.
    """

    runs_in_threads = False

    def __init__(self, size: tuple[int, int], generator: Any, parameters: Any) -> None:
        super().__init__(size)
        self._generator = generator
        self._parameters = parameters

    def sources(self, fill_mode: str) -> np.ndarray:
        """Finds the positions by the user's method.

        Raises:
            ValueError: if the method changes pixel values or the size, or is random itself.
        """
        mover = copy.copy(self._generator)
        mover.interpolation_order, mover.fill_mode, mover.cval = 0, fill_mode, OUTSIDE
        numbers = np.arange(self.size[0] * self.size[1], dtype=np.int64).reshape(self.size)
        channel_axis = mover.channel_axis - 1
        image = np.expand_dims(numbers, channel_axis)
        warped = mover.apply_transform(image, self._geometric())
        name = f"{type(self._generator).__name__}.apply_transform"
        if not np.array_equal(warped, mover.apply_transform(image, self._geometric())):
            raise ValueError(
                f"{name} gives different results for the same parameters, so that masks would not "
                "follow their images. Draw random numbers in `get_random_transform`, and return "
                "them in its dict."
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

    def _geometric(self) -> dict[str, Any]:
        """A new dict of the parameters, which the user's method may change."""
        return {**self._parameters, "channel_shift_intensity": None, "brightness": None}


def take_pixels(
    array: np.ndarray, positions: np.ndarray, outside: Any, *, channels_first: bool = False
) -> np.ndarray:
    """Moves a mask or a map of weights as its image was moved, without mixing pixels.

    Args:
        array: of shape `(height, width)`, `(height, width, channels)` or, with `channels_first`,
            `(channels, height, width)`.
        positions: int array that `Move.sources` returned.
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
