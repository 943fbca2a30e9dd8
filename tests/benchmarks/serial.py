"""Rows of what threads cannot share: the time for which a flow holds the interpreter lock.

The serial time is the CPU time of one thread with images so small that loops cost nothing, and with
arrays in the place of files that are read and decoded. What a Python thread loses is how long one
that only counts waits for the interpreter lock beside a flow of photographs.
"""

from __future__ import annotations

import pathlib
import threading
import time
from collections.abc import Iterator
from functools import partial
from typing import Any, ClassVar
from unittest import mock

import numpy as np
from data import write_tiny_images
from keras.src.utils import image_utils
from sides import BATCH_SIZE, CLASSIC, Setup, assert_equal_epochs, build_flow, run_epoch
from timing import Row, median_seconds, medians

from multiflow import MultiDirImageDataGenerator
from multiflow._keras import ImageDataGenerator
from multiflow.images import files

TINY_SIZE = (8, 8)


class ReadyPicture:
    """In the place of multiflow's `Picture`: pixels that need not be read, decoded or resized."""

    size = TINY_SIZE
    pixels: ClassVar[dict[str, np.ndarray]] = {}

    def __init__(self, path: str, color_mode: str) -> None:
        self._pixels = self.pixels[path]

    def check_resizing(self, *_: Any) -> None:
        pass

    def load(self) -> None:
        pass

    def resized(self, *_: Any, **__: Any) -> np.ndarray:
        return self._pixels.copy()


def measure_serial(setup: Setup) -> Iterator[Row]:
    folder, ready = write_tiny_images(setup.folder / "tiny", setup.num_images, TINY_SIZE)

    def load_img(path: str, **_: Any) -> np.ndarray:
        return ready[path]

    with (
        mock.patch.object(image_utils, "load_img", load_img),
        mock.patch.object(files, "Picture", ReadyPicture),
        mock.patch.object(ReadyPicture, "pixels", ready),
    ):
        for work, options in (("first epoch", {"cache": None}), ("second epoch on", {})):
            theirs = build_flow(ImageDataGenerator(**CLASSIC), folder, TINY_SIZE)
            ours = build_flow(one_thread(), folder, TINY_SIZE, **options)
            work = f"serial time per image, files, {work}, µs"
            yield compare_serial_times(setup, work, theirs, ours)
    images = np.stack(list(ready.values()))
    theirs, ours = (
        generator.flow(images, batch_size=BATCH_SIZE, seed=1)
        for generator in (ImageDataGenerator(**CLASSIC), one_thread())
    )
    yield compare_serial_times(setup, "serial time per image, arrays, µs", theirs, ours)
    yield measure_loss(setup)


def one_thread() -> MultiDirImageDataGenerator:
    return MultiDirImageDataGenerator(**CLASSIC, threads=1)


def compare_serial_times(setup: Setup, work: str, theirs: Any, ours: Any) -> Row:
    for _ in range(2):
        assert_equal_epochs(theirs, ours)
    sides = [partial(run_epoch, flow) for flow in (theirs, ours)]
    seconds = median_seconds(sides, 5 * setup.repetitions, time.process_time)
    return Row(work, *(1e6 * side / setup.num_images for side in seconds))


def measure_loss(setup: Setup) -> Row:
    flows = (
        build_flow(ImageDataGenerator(**CLASSIC), setup.photographs),
        build_flow(one_thread(), setup.photographs, cache=None),
    )
    num_images = min(BATCH_SIZE, flows[0].samples)
    for expected, received in zip(*map(next, flows), strict=True):
        assert expected.tobytes() == received.tobytes()
    measures = [partial(seconds_lost, flow) for flow in flows]
    seconds = medians(measures, setup.repetitions)
    work = "lost by a Python thread beside it, per photograph, µs"
    return Row(work, *(1e6 * side / num_images for side in seconds))


def seconds_lost(flow: Any) -> float:
    """How long a thread that only counts waits for the lock while a flow makes a full batch."""
    if flow.batch_index * flow.batch_size + flow.batch_size > flow.samples:
        flow.reset()
    finished = threading.Event()
    lost = []

    def count() -> None:
        start, busy = time.perf_counter(), seconds_on_cores()
        number = 0
        while not finished.is_set():
            number += 1
        lost.append(time.perf_counter() - start - (seconds_on_cores() - busy))

    counter = threading.Thread(target=count)
    counter.start()
    next(flow)
    finished.set()
    counter.join()
    return lost[0]


def seconds_on_cores() -> float:
    """How long this thread has run, or waited for a core that others used (Linux).

    The rest of the time, a thread that never sleeps waits for the interpreter lock.
    """
    running, waiting, _ = pathlib.Path("/proc/thread-self/schedstat").read_text().split()
    return (int(running) + int(waiting)) / 1e9
