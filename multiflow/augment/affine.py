"""Keras' matrix of an affine transform, and the fill modes for pixels from outside the image."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

# The fill modes that Keras documents. SciPy has more, which are allowed for images only.
FILL_MODES = ("nearest", "constant", "reflect", "wrap")
# Stands for the position of a pixel that a constant fills.
OUTSIDE = -1


def affine_matrix(
    parameters: Mapping[str, Any], height: int, width: int, *, corrected: bool = False
) -> np.ndarray | None:
    """The matrix from coordinates of the transformed image to those of the original, as in Keras.

    Args:
        parameters: what `get_random_transform` drew.
        height: the height of the image, in pixels.
        width: the width of the image, in pixels.
        corrected: whether to rotate, shear and zoom about the true centre of an image that is not
            square, and to let `"tx"` shift rows and `"ty"` columns. Keras swaps the axes of both.

    Returns:
        Array of shape `(2, 3)`, by which (row, column, 1) is multiplied, or None if the parameters
        do not move pixels.

    Source: `apply_affine_transform` of Keras. Its products and their order are kept, since they
    decide the last bit of each coordinate.
    """
    theta, shear = parameters.get("theta", 0), parameters.get("shear", 0)
    tx, ty = parameters.get("tx", 0), parameters.get("ty", 0)
    zx, zy = parameters.get("zx", 1), parameters.get("zy", 1)
    factors = []
    if theta != 0:
        theta = np.deg2rad(theta)
        sine, cosine = np.sin(theta), np.cos(theta)
        factors.append([[cosine, -sine, 0], [sine, cosine, 0], [0, 0, 1]])
    if tx != 0 or ty != 0:
        dx, dy = (ty, tx) if corrected else (tx, ty)
        factors.append([[1, 0, dx], [0, 1, dy], [0, 0, 1]])
    if shear != 0:
        shear = np.deg2rad(shear)
        factors.append([[1, -np.sin(shear), 0], [0, np.cos(shear), 0], [0, 0, 1]])
    if zx != 1 or zy != 1:
        factors.append([[zx, 0, 0], [0, zy, 0], [0, 0, 1]])
    if not factors:
        return None
    matrix = np.array(factors[0])
    for factor in factors[1:]:
        matrix = np.dot(matrix, np.array(factor))
    # Keras centres x on the height, and y on the width, ...
    size_x, size_y = (width, height) if corrected else (height, width)
    x, y = float(size_x) / 2 - 0.5, float(size_y) / 2 - 0.5
    to_centre = np.array([[1, 0, x], [0, 1, y], [0, 0, 1]])
    from_centre = np.array([[1, 0, -x], [0, 1, -y], [0, 0, 1]])
    matrix = np.dot(np.dot(to_centre, matrix), from_centre)
    # ... and then takes x for the column.
    return matrix[1::-1, [1, 0, 2]]
