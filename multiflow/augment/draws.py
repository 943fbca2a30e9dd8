"""Draws the random parameters of transforms, in Keras' way or for each sample by itself."""

from __future__ import annotations

import contextlib
import itertools
import random
import threading
from collections.abc import Callable, Container, Iterator, Sequence
from contextlib import AbstractContextManager
from numbers import Integral, Real
from typing import Any, NamedTuple

import numpy as np

from multiflow import _checks, _keras
from multiflow.parallel import hold_over_forks
from multiflow.picks import Picks

Parameters = dict[str, Any]

# The parameters in Keras' order, with their values if they are not drawn.
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
# The largest number in a range: up to it, numbers from [0, 1) reach every integer and each sign.
LARGEST = 2.0**52
# The purpose of random numbers, a part of the counter of their Philox generator.
_FOR_ORDER, _FOR_TRANSFORM = 0, 1


class Stream(threading.local):
    """The random numbers of the sample that a thread draws for, with `rng="per_sample"`.

    All generators share one. `get_random_transform` takes its numbers from here and not from an
    argument, which a user's override of it might not pass on.
    """

    _next_numbers: Callable[[], np.ndarray] | None = None

    @contextlib.contextmanager
    def numbers_from(self, next_numbers: Callable[[], np.ndarray]) -> Iterator[None]:
        """In this context, the thread's draws use the numbers that `next_numbers` returns."""
        before, self._next_numbers = self._next_numbers, next_numbers
        try:
            yield
        finally:
            self._next_numbers = before

    def samples_in_turn(self, seed: int) -> AbstractContextManager[None]:
        """In this context, the thread's draws are for the samples 0, 1, 2 and so on."""
        _checks.check_seed(seed)
        samples = itertools.count()
        return self.numbers_from(lambda: _sample_numbers(seed, 0, [next(samples)])[0])

    def draw(self, generator: Any, shape: tuple[int, ...], seed: int | None) -> Parameters:
        """The parameters of the sample, without NumPy's global generator.

        Args:
            generator: the generator with the ranges.
            shape: the shape of the image.
            seed: None, or a seed, on which alone the parameters then depend.
        """
        _checks.check_seed(seed)
        if seed is not None:
            numbers = _sample_numbers(seed, 0, [0])[0]
        elif self._next_numbers is not None:
            numbers = self._next_numbers()
        else:
            numbers = np.random.default_rng().random(len(_CONSTANTS))
        return _parameters_of(generator, shape, numbers[np.newaxis])[0]


class GlobalDraws(NamedTuple):
    """Draws in Keras' way: one after the other from NumPy's global generator."""

    def draw(self, generator: Any, shape: tuple[int, ...], picks: Picks) -> list[Parameters]:
        """The parameters of all picks, as Keras' own method draws them."""
        return draw_transforms(generator, shape, len(picks))

    def draw_one(
        self, generator: Any, shape: tuple[int, ...], picks: Picks, number: int
    ) -> Parameters:
        """The parameters of pick `number`, by the generator's method, which may be overridden."""
        return generator.get_random_transform(shape)


class SampleDraws(NamedTuple):
    """Draws that depend on a seed, the epoch and the sample, and on nothing else.

    Attributes:
        seed: the seed of the flow.
        stream: the stream of all generators, for an overridden `get_random_transform`.
        keys: int array, the number of each sample in the counter of its random numbers; None for
            the positions of the samples in the flow.
    """

    seed: int
    stream: Stream
    keys: np.ndarray | None = None

    def draw(self, generator: Any, shape: tuple[int, ...], picks: Picks) -> list[Parameters]:
        """The parameters of all picks, with Keras' distributions."""
        return _parameters_of(generator, shape, self._numbers(picks))

    def draw_one(
        self, generator: Any, shape: tuple[int, ...], picks: Picks, number: int
    ) -> Parameters:
        """The parameters of pick `number`, by the generator's method, which may be overridden."""
        with self.stream.numbers_from(lambda: self._numbers(picks[number : number + 1])[0]):
            return generator.get_random_transform(shape)

    def _numbers(self, picks: Picks) -> np.ndarray:
        keys = picks.positions if self.keys is None else self.keys[picks.positions]
        return _sample_numbers(self.seed, picks.epoch, keys, picks.repeats)


class NoDraws(NamedTuple):
    """Draws nothing, for samples that are not transformed."""

    def draw(self, generator: Any, shape: tuple[int, ...], picks: Picks) -> list[Parameters]:
        """No parameters for each pick."""
        return [{}] * len(picks)

    def draw_one(self, generator: Any, shape: tuple[int, ...], picks: Picks, number: int) -> None:
        """None for pick `number`, which is not even handed to the generator's methods."""


Draws = GlobalDraws | SampleDraws | NoDraws


def draw_transforms(
    generator: _keras.ImageDataGenerator, shape: tuple[int, ...], count: int
) -> list[Parameters]:
    """The results of `count` calls of `get_random_transform(shape)`; leaves the same random state.

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
    # NumPy fills row after row, and computes each number as a call for it alone does.
    drawn = np.random.uniform(lows, highs, (count, len(ranges)))
    return _finish(generator, shape, dict(zip(ranges, drawn.T.tolist(), strict=True)))


@contextlib.contextmanager
def random_state_kept() -> Iterator[None]:
    """Restores NumPy's and Python's global random states at the end of the context."""
    of_numpy, of_python = np.random.get_state(legacy=False), random.getstate()
    try:
        yield
    finally:
        np.random.set_state(of_numpy)
        random.setstate(of_python)


def order_of_epoch(seed: int, epoch: int, count: int) -> np.ndarray:
    """A permutation of `count` samples that depends on the seed and the epoch alone."""
    return np.argsort(_philox(seed, epoch, _FOR_ORDER).random_raw(count), kind="stable")


def _sample_numbers(seed: int, epoch: int, samples: Any, repeats: Any = None) -> np.ndarray:
    """A number from [0, 1) for each parameter of each sample, even for those that are not drawn.

    Args:
        seed: the seed.
        epoch: the number of the epoch.
        samples: the number of each sample.
        repeats: how many times each came earlier in the epoch; None for 0.
    """
    philox = _philox(seed, epoch, _FOR_TRANSFORM)
    # To set its state is faster than to make another one for each sample.
    state: Any = philox.state
    key, counter = state["state"]["key"], state["state"]["counter"]
    bits = np.empty((len(samples), len(_CONSTANTS)), np.uint64)
    for place, of_sample in enumerate(bits):
        counter[1], key[1] = samples[place], 0 if repeats is None else repeats[place]
        philox.state = state
        of_sample[:] = philox.random_raw(len(_CONSTANTS))
    return (bits >> np.uint64(11)) * 2.0**-53


def _philox(seed: int, epoch: int, purpose: int) -> np.random.Philox:
    """The generator of sample 0, the first time that it comes."""
    # NumPy guarantees that the bits of a bit generator stay the same in all versions.
    counter = np.array([0, 0, epoch, purpose], np.uint64)
    return np.random.Philox(key=np.array([seed, 0], np.uint64), counter=counter)


def _parameters_of(generator: Any, shape: tuple[int, ...], numbers: np.ndarray) -> list[Parameters]:
    """Turns numbers from [0, 1), one per sample and parameter, into parameters."""
    choices = _choices(generator)
    drawn = {
        name: (low + (high - low) * numbers[:, _PLACES[name]]).tolist()
        for name, (low, high) in _ranges(generator, choices).items()
    }
    for name, values in choices.items():
        count = len(values)
        places = (numbers[:, _PLACES[name]] * (2 * count)).astype(int).tolist()
        drawn[name] = [values[n - count] if n >= count else -values[n] for n in places]
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
    """The range of each shift, and the axis whose length a fraction refers to."""
    return {
        "tx": (generator.height_shift_range, generator.row_axis),
        "ty": (generator.width_shift_range, generator.col_axis),
    }


def _choices(generator: Any) -> dict[str, Sequence[Any]]:
    """The values from which Keras chooses each shift; an integer `n` stands for `range(n)`."""
    return {
        name: range(int(shift_range))
        if isinstance(shift_range, Integral)
        else np.asarray(shift_range).tolist()
        for name, (shift_range, _) in _shifts(generator).items()
        if shift_range and (isinstance(shift_range, Integral) or not isinstance(shift_range, Real))
    }


def _ranges(generator: Any, choices: Container[str]) -> dict[str, tuple[Any, Any]]:
    """The interval of each number drawn for an image, without `choices`, in Keras' order."""
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
    if not _checks.is_one_of(rng, ("keras", "per_sample")):
        raise ValueError(f'`rng` must be "keras" or "per_sample". Received: {rng!r}')


def check_ranges(generator: Any) -> None:
    """Refuses ranges from which `rng="per_sample"` cannot draw; Keras finds out when it draws."""
    named = {
        name: [getattr(generator, name)]
        for name in ("rotation_range", "shear_range", "channel_shift_range")
    }
    named["zoom_range"] = generator.zoom_range
    named["brightness_range"] = generator.brightness_range or []
    for name in ("width_shift_range", "height_shift_range"):
        shift = getattr(generator, name)
        is_list = isinstance(shift, Sequence) and not isinstance(shift, (str, bytes))
        named[name] = shift if is_list else [shift]
        if isinstance(shift, Integral) and int(shift) < 0:
            raise ValueError(
                f"`{name}`, an integer n, stands for the pixels range(n) with a random sign, so "
                f"that it must not be negative. Received: {shift!r}"
            )
    for name, numbers in named.items():
        if not all(map(_is_drawable, numbers)):
            raise ValueError(
                f'With rng="per_sample", `{name}` must hold finite numbers, and none beyond 2**52. '
                f"Received: {getattr(generator, name)!r}"
            )


def _is_drawable(number: Any) -> bool:
    try:
        return isinstance(number, Real) and abs(float(number)) <= LARGEST
    except OverflowError:
        return False


class _ForkGuard:
    """Keeps NumPy's global generator from staying locked in a forked process.

    NumPy draws arrays without the interpreter lock, so that another thread can fork the process in
    the middle of a draw.
    """

    def acquire(self) -> None:
        self._lock = np.random.mtrand.get_bit_generator().lock
        self._lock.acquire()

    def release(self) -> None:
        self._lock.release()


hold_over_forks(_ForkGuard())
