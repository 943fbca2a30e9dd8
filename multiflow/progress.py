"""Keras' progress bar, for work that takes a while."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

import keras

Item = TypeVar("Item")

# How many seconds work on many folders or files may take before it needs a bar.
PATIENCE = 3.0


def with_progress(
    items: Iterable[Item], total: int, unit: str, *, patience: float = 0.0
) -> Iterator[Item]:
    """Items that are worked on one by one, with a bar; none if Keras' interactive logging is off.

    Args:
        items: the items.
        total: how many there are.
        unit: what one is called.
        patience: after how many seconds the bar appears.
    """
    is_shown = keras.config.is_interactive_logging_enabled()
    bar = keras.utils.Progbar(total, verbose=int(is_shown), unit_name=unit)
    start = time.monotonic()
    for number, item in enumerate(items, start=1):
        yield item
        if time.monotonic() - start >= patience:
            bar.update(number)
