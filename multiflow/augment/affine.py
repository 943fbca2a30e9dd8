"""Keras' matrix of an affine transform, and the fill modes for pixels from outside the image."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

# The fill modes that Keras documents. SciPy has more, which are allowed for images only.
FILL_MODES = ("nearest", "constant", "reflect", "wrap")
# Stands for the position of a pixel that a constant fills.
OUTSIDE = -1


# What moves pixels, with the values by which it does not.
_NEUTRAL = {"theta": 0, "tx": 0, "ty": 0, "shear": 0, "zx": 1, "zy": 1}


def affine_matrices(
    parameters: Sequence[Mapping[str, Any]], height: int, width: int, *, corrected: bool = False
) -> list[np.ndarray | None]:
    """The matrices from coordinates of transformed images to those of the originals, as in Keras.

    Args:
        parameters: what `get_random_transform` drew, for each image, with values of equal types.
        height: the height of the images, in pixels.
        width: the width of the images, in pixels.
        corrected: whether to rotate, shear and zoom about the true centre of an image that is not
            square, and to let `"tx"` shift rows and `"ty"` columns. Keras swaps the axes of both.

    Returns:
        For each image a float64 array of shape `(2, 3)`, by which (row, column, 1) is multiplied,
        or None if its parameters do not move pixels.

    Raises:
        ValueError: if a parameter is an array, a list or a text.

    Source: `apply_affine_transform` of Keras. Its products and their order are kept, since they
    decide the last bit of each coordinate; those of several images are found at once.
    """
    theta, tx, ty, shear, zx, zy = (
        _column(name, [of_image.get(name, neutral) for of_image in parameters])
        for name, neutral in _NEUTRAL.items()
    )
    dx, dy = (ty, tx) if corrected else (tx, ty)
    # Keras leaves out what moves no pixel, rather than to multiply by it.
    uses = (theta != 0, (tx != 0) | (ty != 0), shear != 0, (zx != 1) | (zy != 1))
    places_by_uses: dict[tuple[bool, ...], list[int]] = {}
    for place, used in enumerate(zip(*(of_all.tolist() for of_all in uses), strict=True)):
        places_by_uses.setdefault(used, []).append(place)
    makers = (
        lambda at: _rotations(theta[at]),
        lambda at: _stack({(0, 2): dx[at], (1, 2): dy[at]}),
        lambda at: _shears(shear[at]),
        lambda at: _stack({(0, 0): zx[at], (1, 1): zy[at]}),
    )
    matrices: list[np.ndarray | None] = [None] * len(parameters)
    for used, places in places_by_uses.items():
        factors = [make(places) for make in itertools.compress(makers, used)]
        if factors:
            product = functools.reduce(np.matmul, factors)
            centred = _centred(product, height, width, corrected)
            for place, matrix in zip(places, centred, strict=True):
                matrices[place] = matrix
    return matrices


def _column(name: str, values: Sequence[Any]) -> np.ndarray:
    column = np.array(values)
    if column.ndim != 1 or column.dtype.kind not in "biufcO":
        raise ValueError(f"`{name}` must be a number for each image. Received: {values[0]!r}")
    return column


def _rotations(theta: np.ndarray) -> np.ndarray:
    theta = np.deg2rad(theta)
    sine, cosine = np.sin(theta), np.cos(theta)
    return _stack({(0, 0): cosine, (0, 1): -sine, (1, 0): sine, (1, 1): cosine})


def _shears(shear: np.ndarray) -> np.ndarray:
    shear = np.deg2rad(shear)
    return _stack({(0, 1): -np.sin(shear), (1, 1): np.cos(shear)})


def _stack(entries: Mapping[tuple[int, int], np.ndarray]) -> np.ndarray:
    """A unit matrix for each image, with some entries replaced."""
    columns = entries.values()
    dtype = np.result_type(np.float64, *columns)
    matrices = np.zeros((len(next(iter(columns))), 3, 3), dtype)
    matrices[:] = np.eye(3)
    for (row, column), values in entries.items():
        matrices[:, row, column] = values
    return matrices


def _centred(matrices: np.ndarray, height: int, width: int, corrected: bool) -> np.ndarray:
    """Lets matrices act about the centre of the image."""
    # Keras centres x on the height, and y on the width, ...
    size_x, size_y = (width, height) if corrected else (height, width)
    x, y = float(size_x) / 2 - 0.5, float(size_y) / 2 - 0.5
    to_centre = np.array([[1, 0, x], [0, 1, y], [0, 0, 1]])
    from_centre = np.array([[1, 0, -x], [0, 1, -y], [0, 0, 1]])
    # ... and then takes x for the column.
    centred = np.matmul(np.matmul(to_centre, matrices), from_centre)[:, 1::-1][:, :, [1, 0, 2]]
    return centred.astype(np.float64, copy=False)  # as SciPy does
