"""Random parameters for all images of a batch at once, from the numbers that Keras would draw."""

from __future__ import annotations

import os
from numbers import Real
from typing import Any

import numpy as np

from multiflow import _keras


def draw_transforms(
    generator: _keras.ImageDataGenerator, shape: tuple[int, ...], count: int
) -> list[dict[str, Any]]:
    """What `count` calls of `get_random_transform(shape)` give, with the same random state after.

    Args:
        generator: a generator whose `get_random_transform` is Keras' own. It is called image by
            image if it draws anything but numbers from intervals.
        shape: the shape of the images.
        count: the number of images.
    """
    ranges = _uniform_ranges(generator)
    if ranges is None:
        return [generator.get_random_transform(shape) for _ in range(count)]
    lows, highs = zip(*ranges.values(), strict=True)
    # NumPy fills the rows one by one, with the arithmetic of a call for each number.
    drawn = np.random.uniform(lows, highs, (count, len(ranges)))
    columns = {name: [constant] * count for name, constant in _CONSTANTS.items()}
    columns.update(zip(ranges, drawn.T.tolist(), strict=True))
    for name, shift_range, axis in (
        ("tx", generator.height_shift_range, generator.row_axis),
        ("ty", generator.width_shift_range, generator.col_axis),
    ):
        if name in ranges and shift_range < 1:
            columns[name] = [fraction * shape[axis - 1] for fraction in columns[name]]
    for name, wanted in (
        ("flip_horizontal", generator.horizontal_flip),
        ("flip_vertical", generator.vertical_flip),
    ):
        columns[name] = [(number < 0.5) * wanted for number in columns[name]]
    return [dict(zip(columns, values)) for values in zip(*columns.values())]  # noqa: B905


# The parameters in Keras' order, with the values of those that are not drawn.
_CONSTANTS: dict[str, Any] = {
    "theta": 0,
    "tx": 0,
    "ty": 0,
    "shear": 0,
    "zx": 1,
    "zy": 1,
    "flip_horizontal": 0,
    "flip_vertical": 0,
    "channel_shift_intensity": None,
    "brightness": None,
}


def _uniform_ranges(
    generator: _keras.ImageDataGenerator,
) -> dict[str, tuple[float, float]] | None:
    """The range of each number drawn for an image, in Keras' order; None if one is no interval.

    Shifts by a list or by an integer are no intervals: Keras chooses among their values.
    """
    symmetric = {
        "theta": generator.rotation_range,
        "tx": generator.height_shift_range,
        "ty": generator.width_shift_range,
        "shear": generator.shear_range,
    }
    shifts = (generator.height_shift_range, generator.width_shift_range)
    zoom, brightness = generator.zoom_range, generator.brightness_range
    bounds = [
        *symmetric.values(),
        *zoom,
        generator.channel_shift_range,
        *(() if brightness is None else brightness),
    ]
    if not all(isinstance(bound, Real) for bound in bounds) or any(
        shift and not isinstance(shift, (float, np.floating)) for shift in shifts
    ):
        return None
    ranges = {name: (-bound, bound) for name, bound in symmetric.items() if bound}
    if not zoom[0] == zoom[1] == 1:
        ranges["zx"] = ranges["zy"] = (zoom[0], zoom[1])
    ranges["flip_horizontal"] = ranges["flip_vertical"] = (0.0, 1.0)
    if generator.channel_shift_range != 0:
        ranges["channel_shift_intensity"] = (
            -generator.channel_shift_range,
            generator.channel_shift_range,
        )
    if brightness is not None:
        ranges["brightness"] = (brightness[0], brightness[1])
    return ranges


class _ForkGuard:
    """Keeps NumPy's global generator from being locked for ever in a forked process.

    NumPy draws arrays without the interpreter lock, so that a fork by another thread can fall into
    the middle of a draw.
    """

    def acquire(self) -> None:
        self._lock = np.random.mtrand.get_bit_generator().lock
        self._lock.acquire()

    def release(self) -> None:
        self._lock.release()


if hasattr(os, "register_at_fork"):
    _guard = _ForkGuard()
    os.register_at_fork(
        before=_guard.acquire, after_in_parent=_guard.release, after_in_child=_guard.release
    )
