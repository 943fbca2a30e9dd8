"""Images in another size as a compiled loop; needs numba, from the extra `fast`."""

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
    """Writes the pixels where some rows and columns of an image cross.

    Args:
        image: flat array of an image with its channels last.
        width: of the image.
        rows: which rows.
        columns: which columns.
        out: flat array for the result.
        channels: a tuple with an entry for each channel.
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
