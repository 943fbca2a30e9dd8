"""SciPy's affine warp at orders 0 and 1 as compiled loops; needs numba, from the extra `fast`.

The arithmetic is that of `scipy.ndimage.affine_transform`, operation for operation, so that results
are equal bit for bit; `multiflow.augment.warp` checks this on each machine.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from multiflow.augment.affine import FILL_MODES, OUTSIDE
from multiflow.compiling import compiled

NEAREST, CONSTANT, REFLECT, WRAP = range(len(FILL_MODES))


class Pixels(NamedTuple):
    """An image as a flat array, with the distances in it between pixels and between channels."""

    values: np.ndarray
    pixel_stride: int
    channel_stride: int


class Geometry(NamedTuple):
    """The warp of an image, and the flips after it.

    A row of `matrix` is `(per_row, per_column, offset, late_offset)`, and one of the two offsets is
    0. Before the flips, pixel `(i, j)` comes from `offset + i * per_row + j * per_column +
    late_offset`, added in this order.
    """

    height: int
    width: int
    matrix: np.ndarray
    flip_rows: bool
    flip_columns: bool
    fill_mode: int


@compiled
def coordinate(geometry: Geometry, row: int, column: int) -> tuple[float, float]:
    """The coordinate that a pixel comes from, rounded as in SciPy: after each operation."""
    matrix = geometry.matrix
    i = geometry.height - 1 - row if geometry.flip_rows else row
    j = geometry.width - 1 - column if geometry.flip_columns else column
    return (
        ((matrix[0, 2] + i * matrix[0, 0]) + j * matrix[0, 1]) + matrix[0, 3],
        ((matrix[1, 2] + i * matrix[1, 0]) + j * matrix[1, 1]) + matrix[1, 3],
    )


@compiled
def fold(x: float, length: int, fill_mode: int) -> float:
    """Maps a coordinate outside the image to one inside; to `OUTSIDE` for a constant."""
    last = length - 1
    if fill_mode == NEAREST or 0.0 <= x <= last:
        return x
    if fill_mode == CONSTANT:
        return float(OUTSIDE)
    if length == 1:
        return 0.0
    if fill_mode == WRAP:
        if x < 0.0:
            return x + last * (int(-x / last) + 1)
        return x - last * int(x / last)
    period = 2 * length
    if x < 0.0:
        if x < -period:
            x += period * int(-x / period)
        if x < -length:
            return x + period
        return (1e-15 if x > -1e-15 else -x) - 1.0
    x -= period * int(x / period)
    return period - x - 1.0 if x >= length else x


@compiled
def range_inside(geometry: Geometry, i: int, with_neighbours: bool) -> tuple[int, int]:
    """The first pixel of row `i` that comes from inside the image, and the one after the last.

    Coordinates are monotonic along a row, so that all pixels between the two come from inside. With
    `with_neighbours`, the pixels that are blended must be inside, too.
    """
    last_row, last_column = geometry.height - 1, geometry.width - 1
    begin, end = geometry.width, 0
    for from_end in range(2):
        for distance in range(geometry.width):
            j = last_column - distance if from_end else distance
            row, column = coordinate(geometry, i, j)
            if (0.0 <= row < last_row and 0.0 <= column < last_column) or (
                not with_neighbours and 0.0 <= row <= last_row and 0.0 <= column <= last_column
            ):
                if from_end:
                    end = j + 1
                else:
                    begin = j
                break
    return begin, max(begin, end)


@compiled
def tap(index: float, length: int, mirrored: bool) -> np.int32:
    """The index of a pixel, for an index that may be just outside: clipped, or mirrored."""
    last = np.int32(length - 1)
    inside = np.int32(min(max(index, -1.0), float(length)))
    if mirrored and length > 1:
        return last - abs(last - abs(inside))
    return min(max(inside, np.int32(0)), last)


@compiled
def set_taps(
    taps: np.ndarray,
    weights: np.ndarray,
    target: int,
    row: float,
    column: float,
    geometry: Geometry,
    pixel_stride: int,
    mirrored: bool,
) -> None:
    """Stores which four pixels are blended at a coordinate, and the weights of the first."""
    top, left = math.floor(row), math.floor(column)
    stride = np.int32(pixel_stride)
    row_stride = np.int32(geometry.width) * stride
    row_0 = tap(top, geometry.height, mirrored) * row_stride
    row_1 = tap(top + 1.0, geometry.height, mirrored) * row_stride
    column_0 = tap(left, geometry.width, mirrored) * stride
    column_1 = tap(left + 1.0, geometry.width, mirrored) * stride
    taps[0, target] = np.uint32(row_0 + column_0)
    taps[1, target] = np.uint32(row_0 + column_1)
    taps[2, target] = np.uint32(row_1 + column_0)
    taps[3, target] = np.uint32(row_1 + column_1)
    weights[0, target] = 1.0 - (row - top)
    weights[1, target] = 1.0 - (column - left)


@compiled
def read(values: np.ndarray, place: int, levels: np.ndarray | None) -> float:
    """A value of the image, looked up in the table `levels` if there is one."""
    return values[place] if levels is None else levels[values[place]]


@compiled
def warp_linear(
    source: Pixels,
    target: Pixels,
    geometry: Geometry,
    cval: float,
    scale: float,
    channels: tuple[int, ...],
    levels: np.ndarray | None,
) -> None:
    """Warps and flips an image at order 1.

    Each row takes two passes: the first finds which pixels to blend, and their weights, without a
    branch, so that the processor handles several pixels at once; the second blends. Indices are
    unsigned, since checks for negative ones would take a third of the time.

    Args:
        source: the image, of uint8 or of the dtype of the target.
        target: what to write to, of float32 or float64.
        geometry: the warp.
        cval: the value of pixels outside the image, if the fill mode is `CONSTANT`.
        scale: a factor for the result, of its dtype.
        channels: a tuple with an entry for each channel, so that their number is known when the
            loop over them is compiled.
        levels: for an image of uint8 the values 0 to 255 in float64: to look them up is faster
            than to convert. None for others.
    """
    height, width, fill_mode = geometry.height, geometry.width, geometry.fill_mode
    taps = np.empty((4, width), np.uint32)
    weights = np.empty((2, width), np.float64)
    values, out = source.values, target.values
    source_channel = np.uint32(source.channel_stride)
    target_channel = np.uint64(target.channel_stride)
    pixel_stride = np.uint64(target.pixel_stride)
    for i in range(height):
        first, stop = range_inside(geometry, i, False) if fill_mode == CONSTANT else (0, width)
        for j in range(width):
            row, column = coordinate(geometry, i, j)
            set_taps(taps, weights, j, row, column, geometry, source.pixel_stride, False)
        if fill_mode != NEAREST:
            begin, end = range_inside(geometry, i, True)
            for j in range(first, stop):
                if begin <= j < end:
                    continue
                row, column = coordinate(geometry, i, j)
                row, column = fold(row, height, fill_mode), fold(column, width, fill_mode)
                mirrored = fill_mode != REFLECT
                set_taps(taps, weights, j, row, column, geometry, source.pixel_stride, mirrored)
        row_place = np.uint64(i * width * target.pixel_stride)
        for j in range(np.uint64(first), np.uint64(stop)):
            tap_0, tap_1, tap_2, tap_3 = taps[0, j], taps[1, j], taps[2, j], taps[3, j]
            row_0, column_0 = weights[0, j], weights[1, j]
            row_1, column_1 = 1.0 - row_0, 1.0 - column_0
            place = row_place + j * pixel_stride
            for _ in range(len(channels)):
                total = 0.0 + (read(values, tap_0, levels) * row_0) * column_0
                total += (read(values, tap_1, levels) * row_0) * column_1
                total += (read(values, tap_2, levels) * row_1) * column_0
                total += (read(values, tap_3, levels) * row_1) * column_1
                out[place] = total
                out[place] *= scale
                tap_0 += source_channel
                tap_1 += source_channel
                tap_2 += source_channel
                tap_3 += source_channel
                place += target_channel
        for j in range(width):
            if first <= j < stop:
                continue
            place = np.uint64((i * width + j) * target.pixel_stride)
            for _ in range(len(channels)):
                out[place] = cval
                out[place] *= scale
                place += target_channel


@compiled
def nearest(row: float, column: float, geometry: Geometry, mirrored: bool) -> np.int32:
    """The position in the flattened image of the pixel nearest to a coordinate."""
    row_0 = tap(math.floor(row + 0.5), geometry.height, mirrored)
    column_0 = tap(math.floor(column + 0.5), geometry.width, mirrored)
    return row_0 * np.int32(geometry.width) + column_0


@compiled
def find_positions(geometry: Geometry, positions: np.ndarray) -> None:
    """Finds, at order 0, the pixel that each pixel of a warped and flipped image comes from.

    Args:
        geometry: the warp.
        positions: int32 array of shape `(height, width)`, to be filled with positions in the
            flattened image, and with `OUTSIDE` where `CONSTANT` fills.
    """
    height, width, fill_mode = geometry.height, geometry.width, geometry.fill_mode
    for i in range(height):
        for j in range(width):
            row, column = coordinate(geometry, i, j)
            positions[i, j] = nearest(row, column, geometry, False)
        if fill_mode != NEAREST:
            begin, end = range_inside(geometry, i, True)
            for j in range(width):
                if begin <= j < end:
                    continue
                row, column = coordinate(geometry, i, j)
                row, column = fold(row, height, fill_mode), fold(column, width, fill_mode)
                if row == OUTSIDE or column == OUTSIDE:
                    positions[i, j] = OUTSIDE
                    continue
                positions[i, j] = nearest(row, column, geometry, fill_mode != REFLECT)


@compiled
def take(
    source: Pixels,
    target: Pixels,
    positions: np.ndarray,
    cval: float,
    scale: float,
    channels: tuple[int, ...],
) -> None:
    """Writes the pixels of an image that `find_positions` found, times a factor.

    Args:
        source: the image, of uint8 or of the dtype of the target.
        target: what to write to, of float32 or float64.
        positions: flat int32 array, for each pixel of the target its position in the image.
        cval: the value of pixels that are `OUTSIDE`.
        scale: a factor for the result, of its dtype.
        channels: a tuple with an entry for each channel.
    """
    values, out = source.values, target.values
    for pixel in range(len(positions)):
        position = positions[pixel]
        place = np.uint64(pixel * target.pixel_stride)
        origin = np.uint32(max(position, 0) * source.pixel_stride)
        for _ in range(len(channels)):
            out[place] = cval if position == OUTSIDE else 0.0 + values[origin]
            out[place] *= scale
            origin += np.uint32(source.channel_stride)
            place += np.uint64(target.channel_stride)
