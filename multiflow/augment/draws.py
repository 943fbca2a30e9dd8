"""Random numbers: the parameters of transforms, drawn as Keras draws them or for each sample."""

from __future__ import annotations

import contextlib
import itertools
import os
import random
import threading
from collections.abc import Callable, Container, Iterator
from contextlib import AbstractContextManager
from numbers import Integral, Real
from typing import Any, NamedTuple

import numpy as np

from multiflow import _keras
from multiflow.picks import Picks

Parameters = dict[str, Any]

# The parameters in Keras' order, with the values of those that are not drawn.
_CONSTANTS: Parameters = {
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
_PLACES = {name: place for place, name in enumerate(_CONSTANTS)}
# What the numbers of a Philox generator are for, as a part of its counter.
_FOR_ORDER, _FOR_TRANSFORM = 0, 1


class Stream(threading.local):
    """The random numbers of the sample that a thread draws for, by `rng="per_sample"`.

    A generator owns one. They come to its `get_random_transform` by this way because a user's
    override of it need not pass on anything.
    """

    _give: Callable[[], np.ndarray] | None = None

    @contextlib.contextmanager
    def of(self, give: Callable[[], np.ndarray]) -> Iterator[None]:
        """While it lasts, the numbers of this thread are those that `give` returns."""
        before, self._give = self._give, give
        try:
            yield
        finally:
            self._give = before

    def in_turn(self, seed: int) -> AbstractContextManager[None]:
        """While it lasts, draws are for the samples 0, 1, 2 and so on."""
        samples = itertools.count()
        return self.of(lambda: _sample_numbers(seed, 0, next(samples)))

    def draw(self, generator: Any, shape: tuple[int, ...], seed: int | None) -> Parameters:
        """The parameters of the sample, without NumPy's global generator.

        Args:
            generator: the generator with the ranges.
            shape: the shape of the image.
            seed: None, or what the numbers depend on alone.
        """
        if seed is not None:
            numbers = _sample_numbers(seed, 0, 0)
        elif self._give is not None:
            numbers = self._give()
        else:
            numbers = np.random.default_rng().random(len(_CONSTANTS))
        return _transforms_of(generator, shape, numbers[np.newaxis])[0]

    def __reduce__(self) -> tuple[type[Stream], tuple[()]]:
        return Stream, ()  # a copy is in the middle of nothing


class GlobalDraws(NamedTuple):
    """Draws in Keras' way: all from NumPy's global generator, in turn."""

    def draw(self, generator: Any, shape: tuple[int, ...], picks: Picks) -> list[Parameters]:
        """The parameters of all picks, by Keras' own method."""
        return draw_transforms(generator, shape, len(picks))

    def draw_one(
        self, generator: Any, shape: tuple[int, ...], picks: Picks, number: int
    ) -> Parameters:
        """The parameters of one pick, by the generator's method, which may be overridden."""
        return generator.get_random_transform(shape)


class SampleDraws(NamedTuple):
    """Draws that depend on a seed, the epoch and the sample, and on nothing else.

    Attributes:
        seed: the seed of the flow.
        stream: that of the generator, for a `get_random_transform` that is overridden.
        keys: None, or an int array with the number that stands for each sample of the flow in the
            counter; their positions by default.
    """

    seed: int
    stream: Stream
    keys: np.ndarray | None = None

    def draw(self, generator: Any, shape: tuple[int, ...], picks: Picks) -> list[Parameters]:
        """The parameters of all picks, by Keras' own method."""
        numbers = np.empty((len(picks), len(_CONSTANTS)))
        for number, row in enumerate(numbers):
            row[:] = self._numbers(picks, number)
        return _transforms_of(generator, shape, numbers)

    def draw_one(
        self, generator: Any, shape: tuple[int, ...], picks: Picks, number: int
    ) -> Parameters:
        """The parameters of one pick, by the generator's method, which may be overridden."""
        with self.stream.of(lambda: self._numbers(picks, number)):
            return generator.get_random_transform(shape)

    def _numbers(self, picks: Picks, number: int) -> np.ndarray:
        position = picks.positions[number]
        key = position if self.keys is None else self.keys[position]
        return _sample_numbers(self.seed, picks.epoch, key, picks.repeats[number])


class NoDraws(NamedTuple):
    """For samples that are not transformed: None in the place of parameters, and nothing drawn."""

    def draw(self, generator: Any, shape: tuple[int, ...], picks: Picks) -> list[None]:
        """None for each pick."""
        return [None] * len(picks)

    def draw_one(self, generator: Any, shape: tuple[int, ...], picks: Picks, number: int) -> None:
        """None."""


Draws = GlobalDraws | SampleDraws | NoDraws


def draw_transforms(
    generator: _keras.ImageDataGenerator, shape: tuple[int, ...], count: int
) -> list[Parameters]:
    """What `count` calls of `get_random_transform(shape)` give, with the same random state after.

    Args:
        generator: a generator whose `get_random_transform` is Keras' own. It is called image by
            image if it draws anything but numbers from intervals.
        shape: the shape of the images.
        count: the number of images.
    """
    choices = _choices(generator)
    ranges = _ranges(generator, choices)
    lows, highs = zip(*ranges.values(), strict=True)
    if choices or not all(isinstance(bound, Real) for bound in (*lows, *highs)):
        return [generator.get_random_transform(shape) for _ in range(count)]
    # NumPy fills the rows one by one, with the arithmetic of a call for each number.
    drawn = np.random.uniform(lows, highs, (count, len(ranges)))
    return _finish(generator, shape, dict(zip(ranges, drawn.T.tolist(), strict=True)))


@contextlib.contextmanager
def random_state_kept() -> Iterator[None]:
    """Afterwards, NumPy's and Python's global generators are where they were before."""
    of_numpy, of_python = np.random.get_state(legacy=False), random.getstate()
    try:
        yield
    finally:
        np.random.set_state(of_numpy)
        random.setstate(of_python)


def order_of_epoch(seed: int, epoch: int, count: int) -> np.ndarray:
    """A permutation of `count` samples that depends on the seed and the epoch alone."""
    return np.argsort(_philox((seed, 0), epoch, 0, _FOR_ORDER).random_raw(count), kind="stable")


def _sample_numbers(seed: int, epoch: int, sample: int, repeat: int = 0) -> np.ndarray:
    """A number from [0, 1) for each parameter, whether or not it is drawn."""
    bits = _philox((seed, repeat), epoch, sample, _FOR_TRANSFORM).random_raw(len(_CONSTANTS))
    return (bits >> np.uint64(11)) * 2.0**-53


def _philox(key: tuple[int, int], epoch: int, sample: int, purpose: int) -> np.random.Philox:
    # The bits of a bit generator are the same in all versions of NumPy.
    counter = np.array([0, sample, epoch, purpose], np.uint64)
    return np.random.Philox(key=np.array(key, np.uint64), counter=counter)


def _transforms_of(generator: Any, shape: tuple[int, ...], numbers: np.ndarray) -> list[Parameters]:
    """The parameters that numbers from [0, 1), one per sample and parameter, stand for."""
    choices = _choices(generator)
    drawn = {
        name: (low + (high - low) * numbers[:, _PLACES[name]]).tolist()
        for name, (low, high) in _ranges(generator, choices).items()
    }
    for name, values in choices.items():
        either_way = np.concatenate([np.negative(values), values])
        places = (numbers[:, _PLACES[name]] * len(either_way)).astype(int)
        drawn[name] = either_way[places].tolist()
    return _finish(generator, shape, drawn)


def _finish(
    generator: Any, shape: tuple[int, ...], drawn: dict[str, list[Any]]
) -> list[Parameters]:
    """Parameters as `get_random_transform` returns them, one dict per sample."""
    count = len(drawn["flip_vertical"])
    columns: dict[str, list[Any]] = {name: [value] * count for name, value in _CONSTANTS.items()}
    columns.update(drawn)
    for name, (shift_range, axis) in _shifts(generator).items():
        if name not in drawn:
            continue
        largest = shift_range if isinstance(shift_range, float) else np.max(shift_range)
        if largest < 1:
            columns[name] = [fraction * shape[axis - 1] for fraction in columns[name]]
    for name, wanted in (
        ("flip_horizontal", generator.horizontal_flip),
        ("flip_vertical", generator.vertical_flip),
    ):
        columns[name] = [(number < 0.5) * wanted for number in columns[name]]
    return [dict(zip(columns, values)) for values in zip(*columns.values())]  # noqa: B905


def _shifts(generator: Any) -> dict[str, tuple[Any, int]]:
    """The range of each shift, and the axis of whose length a fraction is meant."""
    return {
        "tx": (generator.height_shift_range, generator.row_axis),
        "ty": (generator.width_shift_range, generator.col_axis),
    }


def _choices(generator: Any) -> dict[str, np.ndarray]:
    """The values between which Keras chooses shifts; an integer `n` stands for `range(n)`."""
    return {
        name: np.arange(int(shift_range))
        if isinstance(shift_range, Integral)
        else np.asarray(shift_range)
        for name, (shift_range, _) in _shifts(generator).items()
        if shift_range and not isinstance(shift_range, (float, np.floating))
    }


def _ranges(generator: Any, choices: Container[str]) -> dict[str, tuple[Any, Any]]:
    """The interval of each number drawn for an image, in Keras' order, but for choices."""
    zoom = generator.zoom_range
    symmetric = {
        "theta": generator.rotation_range,
        "tx": generator.height_shift_range,
        "ty": generator.width_shift_range,
        "shear": generator.shear_range,
    }
    ranges: dict[str, tuple[Any, Any]] = {
        name: (-bound, bound) for name, bound in symmetric.items() if name not in choices and bound
    }
    if not zoom[0] == zoom[1] == 1:
        ranges["zx"] = ranges["zy"] = (zoom[0], zoom[1])
    ranges["flip_horizontal"] = ranges["flip_vertical"] = (0.0, 1.0)
    if generator.channel_shift_range != 0:
        ranges["channel_shift_intensity"] = (
            -generator.channel_shift_range,
            generator.channel_shift_range,
        )
    if generator.brightness_range is not None:
        ranges["brightness"] = tuple(generator.brightness_range)
    return ranges


def check_rng(rng: Any) -> None:
    """Refuses an unknown `rng`."""
    if rng not in ("keras", "per_sample"):
        raise ValueError(f'`rng` must be "keras" or "per_sample". Received: {rng!r}')


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
