"""Keras' progress bar, for work that takes a while."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

import keras

Item = TypeVar("Item")

# Seconds of work on many folders or files before a bar appears.
PATIENCE = 3.0


def with_progress(
    items: Iterable[Item], total: int, unit: str, *, patience: float = 0.0
) -> Iterator[Item]:
    """Yields items one by one and shows a bar, unless Keras' interactive logging is off.

    Args:
        items: the items.
        total: the number of items.
        unit: the name of one item, such as "file".
        patience: the seconds before the bar appears.
    """
    is_shown = keras.config.is_interactive_logging_enabled()
    bar = keras.utils.Progbar(total, verbose=int(is_shown), unit_name=unit)
    start = time.monotonic()
    for number, item in enumerate(items, start=1):
        yield item
        if time.monotonic() - start >= patience:
            bar.update(number)
