"""Times of two sides that take turns, so that a noisy machine disturbs both alike."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
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


def median_seconds(sides: Sequence[Callable[[], Any]], repetitions: int) -> list[float]:
    """The median time of each side."""
    seconds: list[list[float]] = [[] for _ in sides]
    for _ in range(repetitions):
        for side, times in zip(sides, seconds, strict=True):
            start = time.perf_counter()
            side()
            times.append(time.perf_counter() - start)
    return [statistics.median(times) for times in seconds]
