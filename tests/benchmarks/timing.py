"""Times of two sides that take turns, so that a noisy machine disturbs both alike."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple


class Row(NamedTuple):
    """A line of the table: what was done, and the costs of both sides."""

    work: str
    theirs: float
    ours: float

    @classmethod
    def of_images(cls, work: str, seconds: Sequence[float], num_images: int) -> RateRow:
        return RateRow(work, num_images / seconds[0], num_images / seconds[1])

    @property
    def ratio(self) -> float:
        return self.theirs / self.ours


class RateRow(Row):
    """A line about images per second."""

    @property
    def ratio(self) -> float:
        return self.ours / self.theirs


def median_seconds(
    sides: Sequence[Callable[[], Any]],
    repetitions: int,
    clock: Callable[[], float] = time.perf_counter,
    prepare: Callable[[], Any] = lambda: None,
) -> list[float]:
    """The median time of each side, each time after a preparation that does not count."""

    def seconds_of(side: Callable[[], Any]) -> float:
        prepare()
        start = clock()
        side()
        return clock() - start

    return medians([partial(seconds_of, side) for side in sides], repetitions)


def medians(measures: Sequence[Callable[[], float]], repetitions: int) -> list[float]:
    """The median of what each function measures; they take turns."""
    figures: list[list[float]] = [[] for _ in measures]
    for _ in range(repetitions):
        for measure, own_figures in zip(measures, figures, strict=True):
            own_figures.append(measure())
    return [statistics.median(own_figures) for own_figures in figures]
