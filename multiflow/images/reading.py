"""The arguments of flows that say how files are read."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from numbers import Integral
from typing import Any

from multiflow._keras import PIL_INTERPOLATION_METHODS
from multiflow.images.decoding import NUM_CHANNELS


@dataclass(frozen=True)
class Reading:
    """The arguments of a flow that say how files are read, as they were passed.

    Attributes:
        target_size: (height, width) of the result; None for that of the files.
        color_mode: `"rgb"`, `"rgba"` or `"grayscale"`.
        interpolation: how images are resized.
        keep_aspect_ratio: whether images are first cropped to the ratio of `target_size`.
        cache: None, `"memory"` or a folder.
    """

    target_size: Any
    color_mode: Any
    interpolation: Any
    keep_aspect_ratio: bool
    cache: Any

    def check(self, *, needs_size: bool = True) -> None:
        """Refuses values that Keras would notice only when the first batch is read, or never."""
        if needs_size or self.target_size is not None:
            check_target_size(self.target_size)
        check_interpolation(self.interpolation)


def check_target_size(target_size: Any) -> None:
    """Refuses anything but two positive integers."""
    if not (
        isinstance(target_size, Collection)
        and len(target_size) == 2
        and all(isinstance(size, Integral) and int(size) > 0 for size in target_size)
    ):
        raise ValueError(
            "`target_size` must be two positive integers, (height, width). "
            f"Received: {target_size!r}"
        )


def check_interpolation(interpolation: Any) -> None:
    """Refuses an unknown way to resize."""
    if interpolation not in PIL_INTERPOLATION_METHODS:
        raise ValueError(
            f"`interpolation` must be one of {sorted(PIL_INTERPOLATION_METHODS)}. "
            f"Received: {interpolation!r}"
        )


def check_color_mode(color_mode: Any) -> None:
    """Refuses an unknown `color_mode`; in flows that extend Keras' own, Keras does it."""
    if color_mode not in NUM_CHANNELS:
        raise ValueError(
            f"`color_mode` must be one of {list(NUM_CHANNELS)}. Received: {color_mode!r}"
        )
