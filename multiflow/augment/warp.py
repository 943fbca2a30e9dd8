"""Affine warps of images, equal to SciPy's bit for bit: by compiled loops if possible, or SciPy.

Images are arrays of shape `(height, width, channels)`, even if channels come first in memory.
"""

from __future__ import annotations

import functools
import itertools
import math
import warnings
from collections.abc import Callable, Hashable, Iterator
from numbers import Integral, Real
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np
from scipy import ndimage

from multiflow import extras
from multiflow.augment.affine import FILL_MODES, OUTSIDE

FLOATS = (np.float32, np.float64)
# Compiled loops are compared with SciPy on images below this length, with matrices that deviate as
# follows from one that moves nothing: in factors, in offsets, and rounded to so many decimals. With
# tenths, coordinates miss pixels, and the middle between two, by rounding errors alone, which show.
MAX_CHECKED_LENGTH = 16
CHECKED_MOVES = ((0, 3, 1), (0.3, 3, 1), (0.3, 10, 16), (2, 30, 16))
# Positions in compiled loops are 32-bit integers.
MAX_VALUES = 2**31 - 1
# Coordinates farther outside of an image are rounded in ways that the loops do not know. From 2**63
# on, SciPy's integers overflow: with "wrap", or above order 1, it then may read foreign memory.
MAX_COORDINATE = 2.0**31

_LEVELS = np.arange(256.0)
_exact_kinds: dict[Hashable, bool] = {}


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
    elif is_known and (kernels := _kernels_for_image(image, target, warp)):
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
    if _is_known(size, warp) and (kernels := _kernels_for_positions()):
        return _positions_compiled(kernels, size, warp)
    return _positions_with_scipy(size, warp)


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


def _positions_with_scipy(size: tuple[int, int], warp: Warp) -> np.ndarray:
    numbers = np.arange(size[0] * size[1]).reshape(*size, 1)
    positions = np.empty_like(numbers)
    _warp_with_scipy(numbers, positions, warp)
    return positions[..., 0]


def _rescale(target: np.ndarray, warp: Warp) -> None:
    if warp.scale is not None:
        target *= target.dtype.type(warp.scale)


def _is_copy(image: np.ndarray, target: np.ndarray, warp: Warp) -> bool:
    """True if the warp only copies pixels: it shifts by whole pixels, and all values are finite.

    The interpolation also adds neighbours with the weight 0, which must give 0.
    """
    (a, b, row), (c, d, column) = warp.matrix.tolist()
    return (
        (a, b, c, d) == (1, 0, 0, 1)
        and row % 1 == 0 == column % 1
        and target.dtype in FLOATS
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

    It knows some orders and fill modes, no empty images, no coordinates far outside of one, and no
    `cval` that SciPy refuses.
    """
    height, width, *_ = shape
    (a, b, row), (c, d, column) = warp.matrix.tolist()
    return (
        isinstance(warp.order, Integral)
        and 0 <= int(warp.order) <= 1
        and warp.fill_mode in FILL_MODES
        and isinstance(warp.cval, Real)
        and 0 < math.prod(shape) <= MAX_VALUES
        and abs(a) * height + abs(b) * width + abs(row) < MAX_COORDINATE
        and abs(c) * height + abs(d) * width + abs(column) < MAX_COORDINATE
    )


def _warp_compiled(kernels: Any, image: np.ndarray, target: np.ndarray, warp: Warp) -> None:
    # For arrays that cannot be written to, numba would compile the loops again.
    values, strides = _flattened(image if image.flags.writeable else image.copy("K"))
    out, out_strides = _flattened(target)
    scale = None
    if target.dtype in FLOATS:
        scale = target.dtype.type(1 if warp.scale is None else warp.scale)
    cval, channels = float(warp.cval), (0,) * image.shape[2]
    arguments = values, out, image.shape[:2], strides, out_strides, *_geometry(warp), cval, scale
    if warp.order == 0:
        kernels.warp_nearest(*arguments, channels)
    else:
        levels = _LEVELS if image.dtype == np.uint8 else None
        kernels.warp_linear(*arguments, channels, levels)


def _positions_compiled(kernels: Any, size: tuple[int, ...], warp: Warp) -> np.ndarray:
    positions = np.empty(size, np.int32)
    kernels.find_positions(positions, *_geometry(warp))
    return positions


def _geometry(warp: Warp) -> tuple[Any, tuple[bool, bool], int]:
    """The arguments `geometry`, `flips` and `fill_mode` of the loops."""
    (a, b, row), (c, d, column) = warp.matrix.tolist()
    if _offset_place() == 2:
        terms = (a, b, row, 0.0), (c, d, column, 0.0)
    else:
        terms = (a, b, 0.0, row), (c, d, 0.0, column)
    return terms, warp.flips, FILL_MODES.index(warp.fill_mode)


@functools.cache
def _offset_place() -> int | None:
    """The place of an offset in the loops' terms: 2 if SciPy adds it first, 3 if last (up to 1.15).

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


def _flattened(image: np.ndarray) -> tuple[np.ndarray, tuple[int, int]]:
    """An image as a flat array, and the distances in it between pixels and between channels.

    There is no copy if the image is contiguous, with its channels last or first.
    """
    height, width, num_channels = image.shape
    planes = image.transpose(2, 0, 1)
    if planes.flags.c_contiguous:
        return planes.reshape(-1), (1, height * width)
    return image.reshape(-1), (num_channels, 1)


def _kernels_for_image(image: np.ndarray, target: np.ndarray, warp: Warp) -> ModuleType | None:
    """The compiled loops, if installed, made for such arrays, and equal to SciPy; else None."""
    if target.dtype in FLOATS:
        is_made_for = image.dtype in (np.uint8, target.dtype)
    else:
        is_made_for = image.dtype == target.dtype == np.uint8 and warp.scale is None
    kind = (int(warp.order), image.dtype, target.dtype, image.shape[2])
    return _kernels_if(kind, _warps_as_scipy) if is_made_for else None


def _kernels_for_positions() -> ModuleType | None:
    """The compiled loops, if installed and equal to SciPy where they find positions; else None."""
    return _kernels_if((), _finds_as_scipy)


def _kernels_if(kind: tuple[Any, ...], equals_scipy: Callable[..., bool]) -> ModuleType | None:
    """The compiled loops if they pass a check, which is made once for each kind of arrays."""
    kernels = extras.find("multiflow.augment.kernels")
    if kernels and kind not in _exact_kinds:
        with extras.first_use():
            if kind not in _exact_kinds:
                is_known = _offset_place() is not None
                _exact_kinds[kind] = is_known and equals_scipy(kernels, *kind)
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


def _random_warps(order: int) -> Iterator[tuple[tuple[int, int], Warp]]:
    """Sizes of images, and random warps of them, for each fill mode and pair of flips."""
    rng = np.random.default_rng(0)
    for (turn, shift, decimals), fill_mode, *flips in itertools.product(
        CHECKED_MOVES, FILL_MODES, (False, True), (False, True)
    ):
        height, width = rng.integers(1, MAX_CHECKED_LENGTH, 2).tolist()
        matrix = np.eye(2, 3) + rng.normal(0, (turn, turn, shift), (2, 3))
        matrix, cval = np.round(matrix, decimals), rng.normal(128, 200)
        yield (height, width), Warp(matrix, order, fill_mode, cval, (flips[0], flips[1]))


def _warps_as_scipy(
    kernels: Any, order: int, image_dtype: np.dtype, target_dtype: np.dtype, num_channels: int
) -> bool:
    """True if the compiled loops equal SciPy bit for bit, for random images and warps."""
    rng = np.random.default_rng(0)
    for size, warp in _random_warps(order):
        is_scaled, has_planes = rng.random(2) < 0.5
        if is_scaled and target_dtype in FLOATS:
            warp = warp._replace(scale=1 / 255)
        image = 50 * rng.integers(-5, 6, (*size, num_channels))
        image = (np.abs(image) if image_dtype == np.uint8 else image).astype(image_dtype)
        received, expected = np.empty((2, *image.shape), target_dtype)
        if has_planes:
            image, received = (
                np.ascontiguousarray(array.transpose(2, 0, 1)).transpose(1, 2, 0)
                for array in (image, received)
            )
        _warp_with_scipy(image, expected, warp)
        _warp_compiled(kernels, image, received, warp)
        if expected.tobytes() != received.tobytes():
            return False
    return True


def _finds_as_scipy(kernels: Any) -> bool:
    """True if the compiled loops find the positions that SciPy finds, for random warps."""
    for size, warp in _random_warps(0):
        warp = warp._replace(cval=OUTSIDE)
        expected = _positions_with_scipy(size, warp)
        if not np.array_equal(_positions_compiled(kernels, size, warp), expected):
            return False
    return True
