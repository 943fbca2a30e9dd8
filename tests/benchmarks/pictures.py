"""Rows of small pictures whose files are decoded in each epoch, or cached before the first."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

from data import write_pictures
from sides import CLASSIC, RESCALE, Setup, assert_equal_epochs, run_epoch
from timing import Row, median_seconds

from multiflow import extras

PHOTOMETRIC = {"brightness_range": (0.7, 1.3), "channel_shift_range": 20.0}


def measure_pictures(setup: Setup) -> Iterator[Row]:
    jpeg, png = (
        write_pictures(setup.folder, setup.num_images, ending) for ending in ("jpg", "png")
    )
    yield compare_epochs(setup, "JPEG, rescale only", jpeg, RESCALE)
    yield compare_epochs(setup, "JPEG, classic augmentation", jpeg, CLASSIC)
    work = "JPEG, classic, brightness, channel shift"
    yield compare_epochs(setup, work, jpeg, CLASSIC | PHOTOMETRIC)
    yield compare_epochs(setup, "PNG, classic augmentation", png, CLASSIC)
    if extras.find("numba"):
        work = 'JPEG, classic, `cache="memory"`'
        yield compare_epochs(setup, work, jpeg, CLASSIC, cache="memory")


def compare_epochs(
    setup: Setup, work: str, folder: str, settings: dict[str, Any], cache: Any = None
) -> Row:
    flows = setup.flows(folder, settings, cache=cache)
    assert_equal_epochs(*flows)
    seconds = median_seconds([partial(run_epoch, flow) for flow in flows], setup.repetitions)
    return Row.of_images(work, seconds, flows[0].samples)
