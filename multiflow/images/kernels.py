"""Nearest-neighbour resizing as a compiled loop; needs numba, from the extra `fast`."""

from __future__ import annotations

import numpy as np

from multiflow.compiling import compiled


@compiled
def pick(
    image: np.ndarray,
    width: int,
    rows: np.ndarray,
    columns: np.ndarray,
    out: np.ndarray,
    channels: tuple[int, ...],
) -> None:
    """Writes the pixels of an image at all pairs of some rows and columns.

    Args:
        image: flat array of an image with its channels last.
        width: the width of the image.
        rows: the rows to take.
        columns: the columns to take.
        out: flat array for the result.
        channels: a tuple with an entry for each channel, so that their number is known when the
            loop over them is compiled.
    """
    place = np.uint64(0)
    for row in rows:
        row_place = np.uint64(row * width * len(channels))
        for column in columns:
            origin = row_place + np.uint64(column * len(channels))
            for _ in range(len(channels)):
                out[place] = image[origin]
                origin += np.uint64(1)
                place += np.uint64(1)
