"""The arguments of flows that say how files are read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from multiflow import _checks
from multiflow._keras import PIL_INTERPOLATION_METHODS
from multiflow.images.decoding import NUM_CHANNELS

# Places in images are 32-bit integers, in Pillow and in compiled loops.
MAX_PIXELS = 2**31 - 1


@dataclass(frozen=True)
class Reading:
    """The arguments of a flow that say how files are read, as they were passed.

    Attributes:
        target_size: (height, width) of the result; None for that of the files.
        color_mode: `"rgb"`, `"rgba"` or `"grayscale"`.
        interpolation: how images are resized.
        keep_aspect_ratio: whether images are first cropped to the ratio of `target_size`.
        cache: None, `"auto"`, `"memory"` or a folder.
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
        check_color_mode(self.color_mode)
        _checks.check_flag("keep_aspect_ratio", self.keep_aspect_ratio)


def check_target_size(target_size: Any) -> None:
    """Refuses anything but two positive integers, or more pixels than an image can have."""
    sizes = np.asarray(target_size, object)
    if not (
        sizes.shape == (2,)
        and all(_checks.is_integer(size, 1) for size in sizes)
        and sizes.prod() <= MAX_PIXELS
    ):
        raise ValueError(
            "`target_size` must be two positive integers, (height, width), of at most "
            f"{MAX_PIXELS} pixels. Received: {target_size!r}"
        )


def check_interpolation(interpolation: Any) -> None:
    """Refuses an unknown way to resize."""
    if not _checks.is_one_of(interpolation, PIL_INTERPOLATION_METHODS):
        raise ValueError(
            f"`interpolation` must be one of {sorted(PIL_INTERPOLATION_METHODS)}. "
            f"Received: {interpolation!r}"
        )


def check_color_mode(color_mode: Any) -> None:
    """Refuses an unknown `color_mode`."""
    if not _checks.is_one_of(color_mode, NUM_CHANNELS):
        raise ValueError(
            f"`color_mode` must be one of {list(NUM_CHANNELS)}. Received: {color_mode!r}"
        )
