"""A batch of parameters drawn at once, against Keras' own draws one by one."""

from __future__ import annotations

import itertools
import threading
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from conftest import FORKS, status_of_fork

from multiflow import MultiDirImageDataGenerator
from multiflow.augment.draws import draw_transforms

AT_ONCE: list[dict[str, Any]] = [
    {},
    {"rotation_range": 20, "horizontal_flip": True},
    {"width_shift_range": 0.1, "height_shift_range": 3.5, "vertical_flip": True},
    {"shear_range": np.float32(0.2), "zoom_range": (0.5, 1.5), "brightness_range": [0.2, 2]},
    {"width_shift_range": 1.0, "height_shift_range": np.float64(0.99)},
    {"channel_shift_range": 30, "zoom_range": 0.2, "rotation_range": True},
    {"width_shift_range": Fraction(1, 3), "height_shift_range": Fraction(7, 2)},
]
ONE_BY_ONE: list[dict[str, Any]] = [
    {"width_shift_range": 3},
    {"height_shift_range": [1, -4, 2], "rotation_range": 20},
    {"height_shift_range": 10**9, "width_shift_range": 2**40},
    {"height_shift_range": 2**70, "width_shift_range": -3},
]


@pytest.mark.parametrize("arguments", AT_ONCE + ONE_BY_ONE)
@pytest.mark.parametrize("count", [0, 1, 33])
def test_equals_keras(arguments: dict[str, Any], count: int) -> None:
    generator = MultiDirImageDataGenerator(**arguments)
    np.random.seed(8)
    expected = [generator.get_random_transform((40, 50, 3)) for _ in range(count)]
    expected_state = np.random.get_state()
    np.random.seed(8)
    received = draw_transforms(generator, (40, 50, 3), count)
    assert received == expected
    assert [list(parameters) for parameters in received] == [list(each) for each in expected]
    assert repr(np.random.get_state()) == repr(expected_state)


@pytest.mark.parametrize("arguments", AT_ONCE)
def test_intervals_are_drawn_at_once(
    monkeypatch: pytest.MonkeyPatch, arguments: dict[str, Any]
) -> None:
    generator = MultiDirImageDataGenerator(**arguments)
    monkeypatch.setattr(generator, "get_random_transform", None)
    assert len(draw_transforms(generator, (40, 50, 3), 4)) == 4


@pytest.mark.parametrize("number", [3, 10**9, 2**40, 2**52])
def test_integers_stand_for_a_range_of_any_length(number: int) -> None:
    generator = MultiDirImageDataGenerator(width_shift_range=number, rng="per_sample")
    shifts = [generator.get_random_transform((40, 50, 3), seed)["ty"] for seed in range(500)]
    assert all(isinstance(shift, int) and -number < shift < number for shift in shifts)
    assert min(shifts) < -0.6 * number < 0.6 * number < max(shifts)


NAN, INF = float("nan"), float("inf")
SHIFTS = ["width_shift_range", "height_shift_range"]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *itertools.product(
            ["rotation_range", "shear_range", "channel_shift_range", *SHIFTS],
            [NAN, INF, -INF, 1e308, 10**400, "wide", None, 1j, {}, np.array([1, 2])],
        ),
        *itertools.product(SHIFTS, [-1, 2**60, [1, NAN], [[1, 2]], (3, None), b"12"]),
        *itertools.product(["rotation_range", "shear_range", "channel_shift_range"], [[], [1]]),
        *itertools.product(["zoom_range"], [NAN, INF, -INF, (NAN, 1), [1, INF], 1e300]),
        *itertools.product(["brightness_range"], [(NAN, 1), (1, INF), ["0", 1], (None, None)]),
    ],
)
def test_ranges_of_samples_are_checked(name: str, value: Any) -> None:
    with pytest.raises(ValueError, match=rf"`{name}`.*Received: "):
        MultiDirImageDataGenerator(**{name: value}, rng="per_sample")


@pytest.mark.parametrize("seed", [-1, 2**32, 1.5, "one"])
def test_seeds_of_single_draws_are_checked(seed: Any) -> None:
    generator = MultiDirImageDataGenerator(rng="per_sample")
    with pytest.raises(ValueError, match="`seed` must be None or an integer from 0"):
        generator.get_random_transform((4, 5, 3), seed)
    with pytest.raises(ValueError, match="`seed` must be None or an integer from 0"):
        generator.fit(np.zeros((2, 4, 5, 3)), augment=True, seed=seed)


def test_the_same_error_for_no_number() -> None:
    generator = MultiDirImageDataGenerator(rotation_range="wide")
    with pytest.raises(TypeError):
        draw_transforms(generator, (40, 50, 3), 1)


def test_settings_may_change() -> None:
    generator = MultiDirImageDataGenerator()
    generator.brightness_range = np.array([0.5, 1.0])
    assert 0.5 <= draw_transforms(generator, (4, 5, 3), 1)[0]["brightness"] <= 1


@FORKS
def test_a_fork_in_the_middle_of_a_draw() -> None:
    generator = MultiDirImageDataGenerator(rotation_range=20, zoom_range=0.2)
    is_over = threading.Event()

    def draw() -> None:
        while not is_over.is_set():
            draw_transforms(generator, (4, 5, 3), 20_000)

    thread = threading.Thread(target=draw)
    thread.start()
    try:
        for _ in range(10):
            assert status_of_fork(lambda: np.random.seed(1)) == 7
    finally:
        is_over.set()
        thread.join()
