"""A batch of parameters drawn at once, against Keras' own draws one by one."""

from __future__ import annotations

import os
import signal
import threading
from typing import Any

import numpy as np
import pytest

from multiflow import MultiDirImageDataGenerator
from multiflow.augment.draws import draw_transforms

AT_ONCE: list[dict[str, Any]] = [
    {},
    {"rotation_range": 20, "horizontal_flip": True},
    {"width_shift_range": 0.1, "height_shift_range": 3.5, "vertical_flip": True},
    {"shear_range": np.float32(0.2), "zoom_range": (0.5, 1.5), "brightness_range": [0.2, 2]},
    {"width_shift_range": 1.0, "height_shift_range": np.float64(0.99)},
    {"channel_shift_range": 30, "zoom_range": 0.2, "rotation_range": True},
]
ONE_BY_ONE: list[dict[str, Any]] = [
    {"width_shift_range": 3},
    {"height_shift_range": [1, -4, 2], "rotation_range": 20},
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


def test_the_same_error_for_no_number() -> None:
    generator = MultiDirImageDataGenerator(rotation_range="wide")
    with pytest.raises(TypeError):
        draw_transforms(generator, (40, 50, 3), 1)


def test_settings_may_change() -> None:
    generator = MultiDirImageDataGenerator()
    generator.brightness_range = np.array([0.5, 1.0])
    assert 0.5 <= draw_transforms(generator, (4, 5, 3), 1)[0]["brightness"] <= 1


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the system has no fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")
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
            child = os.fork()
            if child == 0:
                signal.alarm(20)
                np.random.seed(1)
                os._exit(7)
            assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
    finally:
        is_over.set()
        thread.join()
