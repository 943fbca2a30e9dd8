"""Affine warps of images, equal to SciPy's bit for bit: by compiled loops if possible, or SciPy.

Images are arrays of shape `(height, width, channels)`, even if channels come first in memory.
"""

from __future__ import annotations

import functools
import math
import warnings
from numbers import Integral, Real
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np
from scipy import ndimage

from multiflow import extras
from multiflow.augment.affine import FILL_MODES, OUTSIDE

FLOATS = (np.float32, np.float64)
NUM_CHECKS = 300
# Positions in compiled loops are 32-bit integers.
MAX_VALUES = 2**31 - 1
# Coordinates farther outside of an image are rounded in ways that the loops do not know. From 2**63
# on, SciPy's integers overflow: with "wrap", or above order 1, it then may read foreign memory.
MAX_COORDINATE = 2.0**31

_IDENTITY = np.eye(2)
_LEVELS = np.arange(256.0)
_exact_kinds: dict[Any, bool] = {}


class Warp(NamedTuple):
    """The options of a warp: an image is warped, then flipped, then multiplied by a factor.

    Attributes:
        matrix: array of shape `(2, 3)`, from (row, column, 1) of the warped image to the image.
        order: the order of the spline, from 0 to 5.
        fill_mode: how pixels from outside the image are filled, by SciPy's names.
        cval: the value of these pixels with `"constant"`.
        flips: whether the rows and the columns are flipped.
        scale: None, or a factor for the result.
    """

    matrix: np.ndarray
    order: int
    fill_mode: str
    cval: float
    flips: tuple[bool, bool] = (False, False)
    scale: float | None = None


def warp_image(image: np.ndarray, target: np.ndarray, warp: Warp) -> None:
    """Warps an image.

    Args:
        image: the image, of the dtype of `target` or uint8.
        target: array of the image's shape to write to, C-contiguous with its channels last or
            first.
        warp: the options of the warp.
    """
    is_known = _is_known(image.shape, warp)
    if is_known and _is_copy(image, target, warp):
        _copy(image, target, warp)
    elif is_known and (kernels := _kernels_for(image.dtype, target.dtype, image.shape[2])):
        _warp_compiled(kernels, image, target, warp)
    else:
        _warp_with_scipy(image, target, warp)


def warp_positions(size: tuple[int, int], warp: Warp) -> np.ndarray:
    """The pixel that each pixel of the warped image comes from, at order 0.

    Args:
        size: (height, width) of the image.
        warp: the warp, of order 0; `OUTSIDE` is its `cval`.

    Returns:
        Integer array of shape `size`: positions in the flattened image, or `OUTSIDE` where
        `"constant"` fills.
    """
    if _is_known(size, warp) and (kernels := _kernels_for(np.uint8, np.float32, 1)):
        return _positions_compiled(kernels, size, warp)
    numbers = np.arange(size[0] * size[1]).reshape(*size, 1)
    positions = np.empty_like(numbers)
    _warp_with_scipy(numbers, positions, warp)
    return positions[..., 0]


def flipped(array: np.ndarray, flips: tuple[bool, bool]) -> np.ndarray:
    """A view of an array with its first two axes reversed as `flips` says."""
    return array[:: -1 if flips[0] else 1, :: -1 if flips[1] else 1]


def _warp_with_scipy(image: np.ndarray, target: np.ndarray, warp: Warp) -> None:
    target = flipped(target, warp.flips)
    for channel in range(image.shape[2]):
        ndimage.affine_transform(
            np.asarray(image[..., channel], target.dtype),
            warp.matrix[:, :2],
            warp.matrix[:, 2],
            output=target[..., channel],
            order=warp.order,
            mode=warp.fill_mode,
            cval=warp.cval,
        )
    _rescale(target, warp)


def _rescale(target: np.ndarray, warp: Warp) -> None:
    if warp.scale is not None:
        target *= target.dtype.type(warp.scale)


def _is_copy(image: np.ndarray, target: np.ndarray, warp: Warp) -> bool:
    """True if the warp only copies pixels: it shifts by whole pixels, and all values are finite.

    The interpolation also adds neighbours with the weight 0, which must give 0.
    """
    matrix = warp.matrix
    return (
        matrix[0, 0] == 1
        and target.dtype in FLOATS
        and bool((matrix[:, :2] == _IDENTITY).all())
        and not (matrix[:, 2] % 1).any()
        and (image.dtype not in FLOATS or bool(np.isfinite(image).all()))
    )


def _copy(image: np.ndarray, target: np.ndarray, warp: Warp) -> None:
    rows, columns = (
        ndimage.affine_transform(
            np.arange(length), [[1.0]], distance, order=0, mode=warp.fill_mode, cval=OUTSIDE
        )
        for length, distance in zip(image.shape[:2], warp.matrix[:, 2], strict=True)
    )
    target = flipped(target, warp.flips)
    # A sum that begins at 0, as SciPy's does, has no negative zeros.
    np.add(image.take(rows, 0).take(columns, 1), 0, out=target, casting="unsafe")
    if warp.fill_mode == "constant":
        target[rows == OUTSIDE] = warp.cval
        target[:, columns == OUTSIDE] = warp.cval
    _rescale(target, warp)


def _is_known(shape: tuple[int, ...], warp: Warp) -> bool:
    """True if this module can do the warp of an image itself, and need not leave it to SciPy.

    It knows some orders and fill modes, no coordinates far outside the image, and no `cval` that
    SciPy refuses.
    """
    is_low = isinstance(warp.order, Integral) and 0 <= int(warp.order) <= 1
    return (
        is_low
        and warp.fill_mode in FILL_MODES
        and isinstance(warp.cval, Real)
        and math.prod(shape) <= MAX_VALUES
        and bool((np.abs(warp.matrix) @ (*shape[:2], 1)).max() < MAX_COORDINATE)
    )


def _warp_compiled(kernels: Any, image: np.ndarray, target: np.ndarray, warp: Warp) -> None:
    size, channels = image.shape[:2], (0,) * image.shape[2]
    source, destination = _pixels(kernels, image), _pixels(kernels, target)
    cval, scale = float(warp.cval), target.dtype.type(1 if warp.scale is None else warp.scale)
    if warp.order == 0:
        positions = _positions_compiled(kernels, size, warp)
        kernels.take(source, destination, positions.reshape(-1), cval, scale, channels)
    else:
        levels = _LEVELS if image.dtype == np.uint8 else None
        geometry = _geometry(kernels, size, warp)
        kernels.warp_linear(source, destination, geometry, cval, scale, channels, levels)


def _positions_compiled(kernels: Any, size: tuple[int, ...], warp: Warp) -> np.ndarray:
    positions = np.empty(size, np.int32)
    kernels.find_positions(_geometry(kernels, size, warp), positions)
    return positions


def _geometry(kernels: Any, size: tuple[int, ...], warp: Warp) -> Any:
    matrix = np.zeros((2, 4))
    matrix[:, :2] = warp.matrix[:, :2]
    matrix[:, _offset_column()] = warp.matrix[:, 2]
    return kernels.Geometry(*size, matrix, *warp.flips, FILL_MODES.index(warp.fill_mode))


@functools.cache
def _offset_column() -> int | None:
    """The column of the offset in `Geometry`: 2 if SciPy adds it first, 3 if last (up to 1.15).

    None if this SciPy does neither. float32 rarely shows a difference, so float64 is compared.
    """
    rng = np.random.default_rng(0)
    ramp, i = np.arange(100.0), np.arange(90.0)
    is_first = is_last = True
    for _ in range(20):
        per_row, per_column, offset = rng.uniform([0.1, 0, 1], [1, 0.1, 9])
        matrix, plane = [[per_row, per_column], [0, 1]], np.repeat(ramp[:, np.newaxis], 2, 1)
        found = ndimage.affine_transform(plane, matrix, [offset, 0], order=1, mode="nearest")
        found = found[: len(i), 1]
        is_first &= np.array_equal(found, _read_ramp((offset + i * per_row) + per_column))
        is_last &= np.array_equal(found, _read_ramp((i * per_row + per_column) + offset))
    return 2 if is_first else 3 if is_last else None


def _read_ramp(row: np.ndarray) -> np.ndarray:
    """The values of a ramp of step 1 at coordinates between its pixels, by SciPy's arithmetic."""
    floor = np.floor(row)
    weight = 1.0 - (row - floor)
    return floor.clip(0, 99) * weight + (floor + 1).clip(0, 99) * (1.0 - weight)


def _pixels(kernels: Any, image: np.ndarray) -> Any:
    """The image as a flat array, without a copy if it is contiguous, channels last or first."""
    height, width, num_channels = image.shape
    planes = image.transpose(2, 0, 1)
    if planes.flags.c_contiguous:
        return kernels.Pixels(planes.reshape(-1), 1, height * width)
    return kernels.Pixels(np.ascontiguousarray(image).reshape(-1), num_channels, 1)


def _kernels_for(image_dtype: Any, target_dtype: Any, num_channels: int) -> ModuleType | None:
    """The compiled loops, if installed, made for such arrays, and equal to SciPy; else None."""
    image_dtype, target_dtype = np.dtype(image_dtype), np.dtype(target_dtype)
    if target_dtype not in FLOATS or image_dtype not in (np.uint8, target_dtype):
        return None
    kernels = extras.find("multiflow.augment.kernels")
    kind = (image_dtype, target_dtype, num_channels)
    if kernels and kind not in _exact_kinds:
        with extras.first_use:
            if kind not in _exact_kinds:
                _exact_kinds[kind] = _equals_scipy(kernels, *kind)
                if not _exact_kinds[kind]:
                    _warn_of_difference()
    return kernels if _exact_kinds.get(kind) else None


@functools.cache
def _warn_of_difference() -> None:
    warnings.warn(
        "The compiled warp differs from SciPy's on this machine. SciPy's is used, which is several "
        "times slower. Please report the versions of SciPy and numba.",
        stacklevel=2,
    )


def _equals_scipy(
    kernels: Any, image_dtype: np.dtype, target_dtype: np.dtype, num_channels: int
) -> bool:
    """True if the compiled loops equal SciPy bit for bit, for random images and matrices."""
    if _offset_column() is None:
        return False
    rng = np.random.default_rng(0)
    for number in range(NUM_CHECKS):
        shape = (*rng.integers(1, 12, 2), num_channels)
        image = rng.uniform(0, 255, shape).astype(image_dtype)
        received = np.empty(shape, target_dtype)
        if number % 2:  # with the channels first in memory
            image, received = (
                np.moveaxis(np.moveaxis(array, 2, 0).copy(), 0, 2) for array in (image, received)
            )
        matrix = np.eye(2, 3)
        matrix[:, :2] += rng.normal(0, rng.choice([0, 0.3, 2]), (2, 2))
        matrix[:, 2] = rng.normal(0, rng.choice([1, 30]), 2)
        if rng.random() < 0.2:
            matrix[:, 2] = np.round(2 * matrix[:, 2]) / 2
        flips = (bool(rng.integers(2)), bool(rng.integers(2)))
        scale = [None, 1 / 255][rng.integers(2)]
        order, fill_mode = int(rng.integers(2)), str(rng.choice(FILL_MODES))
        warp = Warp(matrix, order, fill_mode, rng.normal(), flips, scale)
        expected = np.empty(shape, target_dtype)
        _warp_with_scipy(image, expected, warp)
        _warp_compiled(kernels, image, received, warp)
        if expected.tobytes() != received.tobytes():
            return False
    return True
