"""SciPy's affine warp at orders 0 and 1 as compiled loops; needs numba, from the extra `fast`.

The arithmetic is that of `scipy.ndimage.affine_transform`, operation for operation, so that results
are equal bit for bit; `multiflow.augment.warp` checks this on each machine.

Images are flat arrays, with the distances in them between pixels and between channels: one loop
serves all layouts. Other arguments are numbers and plain tuples, which numba takes fastest.
"""

from __future__ import annotations

import math

import numpy as np

from multiflow.augment.affine import FILL_MODES, OUTSIDE
from multiflow.compiling import compiled, helper

NEAREST, CONSTANT, REFLECT, WRAP = range(len(FILL_MODES))

# `(per_row, per_column, offset, late_offset)`: before the flips, pixel `(i, j)` comes from the
# coordinate `offset + i * per_row + j * per_column + late_offset`, added in this order. One of the
# offsets is 0.
Terms = tuple[float, float, float, float]


@helper
def range_inside(coordinates: np.ndarray, length: int) -> tuple[int, int]:
    """The first of a row's coordinates inside the image, and the one after the last.

    They are monotonic, so that all between the two are inside, and counts tell where these are.
    """
    below = above = 0
    for j in range(len(coordinates)):
        below += coordinates[j] < 0.0
        above += coordinates[j] > length - 1.0
    if coordinates[0] > coordinates[-1]:
        below, above = above, below
    return below, len(coordinates) - above


@helper
def fold(x: float, length: int, fill_mode: int) -> float:
    """Maps a coordinate outside the image to one inside, for `REFLECT` and `WRAP`."""
    last = length - 1
    if length == 1:
        return 0.0
    if fill_mode == WRAP:
        if x < 0.0:
            return x + last * (math.floor(-x / last) + 1)
        return x - last * math.floor(x / last)
    period = 2 * length
    if x < 0.0:
        if x < -period:
            x += period * math.floor(-x / period)
        if x < -length:
            return x + period
        return (1e-15 if x > -1e-15 else -x) - 1.0
    x -= period * math.floor(x / period)
    return period - x - 1.0 if x >= length else x


@helper
def set_folded(
    coordinates: np.ndarray, terms: Terms, i: int, flip_columns: bool, length: int, fill_mode: int
) -> tuple[int, int]:
    """Stores the coordinates of row `i`, rounded as in SciPy, and folded into the image.

    Returns:
        The first pixel that no constant fills, and the one after the last.
    """
    width = len(coordinates)
    per_row, per_column, offset, late_offset = terms
    of_row = offset + i * per_row
    column, step = (width - 1, -1) if flip_columns else (0, 1)
    for j in range(width):
        coordinates[j] = (of_row + (column + step * j) * per_column) + late_offset
    if fill_mode == NEAREST:
        return 0, width
    first, stop = range_inside(coordinates, length)
    if fill_mode == CONSTANT:
        return first, stop
    for begin, end in ((0, first), (stop, width)):
        for j in range(begin, end):
            coordinates[j] = fold(coordinates[j], length, fill_mode)
    return 0, width


@helper
def set_row(
    rows: np.ndarray,
    columns: np.ndarray,
    geometry: tuple[Terms, Terms],
    i: int,
    height: int,
    flips: tuple[bool, bool],
    fill_mode: int,
) -> tuple[int, int]:
    """Stores which rows and columns the pixels of row `i` come from; returns as `set_folded`."""
    i = height - 1 - i if flips[0] else i
    first, stop = set_folded(rows, geometry[0], i, flips[1], height, fill_mode)
    begin, end = set_folded(columns, geometry[1], i, flips[1], len(columns), fill_mode)
    first = max(first, begin)
    return first, max(first, min(stop, end))


@helper
def clipped(index: float, length: int) -> np.int32:
    """The nearest index of a pixel."""
    return np.int32(min(max(index, 0.0), length - 1.0))


@helper
def next_after(index: float, length: int, fill_mode: int) -> np.int32:
    """The index of the pixel after another; where there is none, SciPy gives one the weight 0."""
    if index < length - 1.0:
        return clipped(index + 1.0, length)
    is_clipped = fill_mode in (NEAREST, REFLECT) or length == 1
    return np.int32(length - 1 if is_clipped else length - 2)


@helper
def read(values: np.ndarray, place: int, levels: np.ndarray | None) -> float:
    """A value of the image, looked up in the table `levels` if there is one."""
    return values[place] if levels is None else levels[values[place]]


@helper
def write(out: np.ndarray, place: int, value: float, scale: float | None) -> None:
    """Stores a value times a factor or, without one, rounded to uint8 as in SciPy."""
    if scale is None:
        out[place] = np.uint8(min(value + 0.5, 255.0)) if value > 0.0 else np.uint8(0)
    else:
        out[place] = value
        out[place] *= scale


@helper
def fill(
    out: np.ndarray,
    row_place: int,
    strides: tuple[int, int],
    ends: tuple[tuple[int, int], tuple[int, int]],
    cval: float,
    scale: float | None,
    channels: tuple[int, ...],
) -> None:
    """Stores the value of pixels outside the image at both ends of a row."""
    for begin, end in ends:
        for j in range(begin, end):
            for channel in range(len(channels)):
                place = np.uint64(row_place + j * strides[0] + channel * strides[1])
                write(out, place, cval, scale)


@compiled
def warp_linear(
    values: np.ndarray,
    out: np.ndarray,
    size: tuple[int, int],
    strides: tuple[int, int],
    out_strides: tuple[int, int],
    geometry: tuple[Terms, Terms],
    flips: tuple[bool, bool],
    fill_mode: int,
    cval: float,
    scale: float | None,
    channels: tuple[int, ...],
    levels: np.ndarray | None,
) -> None:
    """Warps and flips an image at order 1.

    In each row, loops without a branch first find which pixels to blend, and their weights, so that
    the processor handles several pixels at once; it can with floats and 32-bit integers, hence
    `np.floor`. The last loop blends. Its indices are unsigned, since checks for negative ones would
    take a third of the time.

    Args:
        values: the image, of uint8 or of the dtype of `out`.
        out: what to write to, of float32, float64 or uint8.
        size: (height, width) of both.
        strides: the distances in `values` between pixels and between channels.
        out_strides: those in `out`.
        geometry: the terms of the rows, and those of the columns, that pixels come from.
        flips: whether the rows and the columns of the result are flipped.
        fill_mode: one of the constants of this module.
        cval: the value of pixels outside the image, if the fill mode is `CONSTANT`.
        scale: a factor for the result, of its dtype; None for uint8.
        channels: a tuple with an entry for each channel, so that their number is known when the
            loop over them is compiled.
        levels: for an image of uint8 the values 0 to 255 in float64: to look them up is faster
            than to convert. None for others.
    """
    height, width = size
    rows, columns = np.empty(width), np.empty(width)
    taps = np.empty((4, width), np.uint32)
    pixel_stride, channel_stride = np.int32(strides[0]), np.uint64(strides[1])
    out_pixel, out_channel = np.uint64(out_strides[0]), np.uint64(out_strides[1])
    for i in range(height):
        first, stop = set_row(rows, columns, geometry, i, height, flips, fill_mode)
        for j in range(width):
            top, left = np.floor(rows[j]), np.floor(columns[j])
            row_0 = clipped(top, height) * np.int32(width)
            row_1 = next_after(top, height, fill_mode) * np.int32(width)
            column_0, column_1 = clipped(left, width), next_after(left, width, fill_mode)
            taps[0, j] = (row_0 + column_0) * pixel_stride
            taps[1, j] = (row_0 + column_1) * pixel_stride
            taps[2, j] = (row_1 + column_0) * pixel_stride
            taps[3, j] = (row_1 + column_1) * pixel_stride
            # From here on, the weights of the first row and column.
            rows[j] = 1.0 - (rows[j] - top)
            columns[j] = 1.0 - (columns[j] - left)
        row_place = i * width * out_strides[0]
        for j in range(np.uint64(first), np.uint64(stop)):
            tap_0, tap_1 = np.uint64(taps[0, j]), np.uint64(taps[1, j])
            tap_2, tap_3 = np.uint64(taps[2, j]), np.uint64(taps[3, j])
            weight_0, weight_1 = rows[j], columns[j]
            rest_0, rest_1 = 1.0 - weight_0, 1.0 - weight_1
            place = np.uint64(row_place) + j * out_pixel
            for _ in range(len(channels)):
                total = 0.0 + (read(values, tap_0, levels) * weight_0) * weight_1
                total += (read(values, tap_1, levels) * weight_0) * rest_1
                total += (read(values, tap_2, levels) * rest_0) * weight_1
                total += (read(values, tap_3, levels) * rest_0) * rest_1
                write(out, place, total, scale)
                tap_0 += channel_stride
                tap_1 += channel_stride
                tap_2 += channel_stride
                tap_3 += channel_stride
                place += out_channel
        fill(out, row_place, out_strides, ((0, first), (stop, width)), cval, scale, channels)


@helper
def set_positions(
    positions: np.ndarray, rows: np.ndarray, columns: np.ndarray, height: int
) -> None:
    """Stores the positions in the flattened image of the pixels nearest to a row's coordinates."""
    width = len(columns)
    for j in range(width):
        row, column = np.floor(rows[j] + 0.5), np.floor(columns[j] + 0.5)
        positions[j] = clipped(row, height) * np.int32(width) + clipped(column, width)


@compiled
def warp_nearest(
    values: np.ndarray,
    out: np.ndarray,
    size: tuple[int, int],
    strides: tuple[int, int],
    out_strides: tuple[int, int],
    geometry: tuple[Terms, Terms],
    flips: tuple[bool, bool],
    fill_mode: int,
    cval: float,
    scale: float | None,
    channels: tuple[int, ...],
) -> None:
    """Warps and flips an image at order 0; the arguments are those of `warp_linear`."""
    height, width = size
    rows, columns, positions = np.empty(width), np.empty(width), np.empty(width, np.int32)
    pixel_stride, channel_stride = np.uint32(strides[0]), np.uint32(strides[1])
    out_pixel, out_channel = np.uint64(out_strides[0]), np.uint64(out_strides[1])
    for i in range(height):
        first, stop = set_row(rows, columns, geometry, i, height, flips, fill_mode)
        set_positions(positions, rows, columns, height)
        row_place = i * width * out_strides[0]
        for j in range(np.uint64(first), np.uint64(stop)):
            origin = np.uint32(positions[j]) * pixel_stride
            place = np.uint64(row_place) + j * out_pixel
            for _ in range(len(channels)):
                if scale is None:
                    out[place] = values[origin]
                else:
                    write(out, place, 0.0 + values[origin], scale)
                origin += channel_stride
                place += out_channel
        fill(out, row_place, out_strides, ((0, first), (stop, width)), cval, scale, channels)


@compiled
def find_positions(
    positions: np.ndarray,
    geometry: tuple[Terms, Terms],
    flips: tuple[bool, bool],
    fill_mode: int,
) -> None:
    """Finds, at order 0, the pixel that each pixel of a warped and flipped image comes from.

    Args:
        positions: int32 array of shape `(height, width)`, to be filled with positions in the
            flattened image, and with `OUTSIDE` where `CONSTANT` fills.
        geometry: as for `warp_linear`, like the other arguments.
        flips: whether the rows and the columns of the result are flipped.
        fill_mode: one of the constants of this module.
    """
    height, width = positions.shape
    rows, columns = np.empty(width), np.empty(width)
    for i in range(height):
        first, stop = set_row(rows, columns, geometry, i, height, flips, fill_mode)
        set_positions(positions[i], rows, columns, height)
        positions[i, :first] = OUTSIDE
        positions[i, stop:] = OUTSIDE
