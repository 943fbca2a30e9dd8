"""Keras' progress bar, for work that takes a while."""

from __future__ import annotations

from typing import Any

import keras


def progress_bar(total: int, unit: str) -> Any:
    """A `keras.utils.Progbar`, silent where Keras' interactive logging is off.

    Args:
        total: how many steps there are.
        unit: what a step is called.
    """
    verbose = int(keras.config.is_interactive_logging_enabled())
    return keras.utils.Progbar(total, verbose=verbose, unit_name=unit)
