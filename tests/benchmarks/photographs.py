"""Rows of photographs, with nothing set: first epochs, of new flows, and those that follow."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

from sides import (
    CLASSIC,
    REFLECT,
    RESCALE,
    Setup,
    assert_equal_epochs,
    forget_flows,
    run_epoch,
)
from timing import Row, median_seconds


def measure_photographs(setup: Setup) -> Iterator[Row]:
    yield compare_first_epochs(setup, "photographs, classic, first epoch", CLASSIC)
    yield compare_first_epochs(setup, 'photographs, "reflect", first epoch', REFLECT)
    yield compare_later_epochs(setup, "photographs, rescale only, second epoch on", RESCALE)
    yield compare_later_epochs(setup, "photographs, classic, second epoch on", CLASSIC)


def compare_first_epochs(setup: Setup, work: str, settings: dict[str, Any]) -> Row:
    num_images = assert_equal_flows(setup, settings, 1)
    sides = [
        lambda: run_epoch(setup.their_flow(setup.photographs, settings)),
        lambda: run_epoch(setup.our_flow(setup.photographs, settings)),
    ]
    seconds = median_seconds(sides, setup.repetitions, prepare=forget_flows)
    return Row.of_images(work, seconds, num_images)


def assert_equal_flows(setup: Setup, settings: dict[str, Any], num_epochs: int) -> int:
    """Compares epochs of two flows, which end here, and returns the number of images."""
    flows = setup.flows(setup.photographs, settings)
    for _ in range(num_epochs):
        assert_equal_epochs(*flows)
    return flows[0].samples


def compare_later_epochs(setup: Setup, work: str, settings: dict[str, Any]) -> Row:
    flows = setup.flows(setup.photographs, settings)
    for _ in range(2):
        assert_equal_epochs(*flows)
    seconds = median_seconds([partial(run_epoch, flow) for flow in flows], setup.repetitions)
    return Row.of_images(work, seconds, flows[0].samples)
