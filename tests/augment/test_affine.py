"""The matrices of several images are those that Keras computes one after the other."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import scipy.ndimage

from multiflow import MultiDirImageDataGenerator, _keras
from multiflow.augment.affine import affine_matrices

NEUTRAL = {"theta": 0, "tx": 0, "ty": 0, "shear": 0, "zx": 1, "zy": 1}


@pytest.fixture
def matrix_of_keras(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A function that returns the matrix with which Keras calls SciPy; None if it does not."""
    found: list[np.ndarray] = []

    def record(channel: np.ndarray, matrix: np.ndarray, offset: np.ndarray, **_: Any) -> np.ndarray:
        found.append(np.column_stack([matrix, offset]))
        return channel

    monkeypatch.setattr(scipy.ndimage.interpolation, "affine_transform", record)

    def find(parameters: dict[str, Any], height: int, width: int) -> np.ndarray | None:
        found.clear()
        axes = {"row_axis": 0, "col_axis": 1, "channel_axis": 2}
        _keras.apply_affine_transform(np.zeros((height, width, 1)), **parameters, **axes)
        return found[0] if found else None

    return find


def random_parameters(rng: np.random.Generator, count: int) -> list[dict[str, Any]]:
    """Parameters of some types, of which some are missing, or move nothing, or are very large."""
    names = [name for name in NEUTRAL if rng.random() < 0.8]
    types = rng.choice([float, float, int, np.float32, np.longdouble], len(names))
    parameters = []
    for _ in range(count):
        sizes = rng.choice([1, 30, 1e-300, 1e200], len(names), p=[0.4, 0.5, 0.05, 0.05])
        values = np.where([of is int for of in types], 3, sizes) * rng.normal(size=len(names))
        drawn = {name: of(value) for name, of, value in zip(names, types, values, strict=True)}
        for name in names:
            if rng.random() < 0.1:
                drawn[name] = type(drawn[name])(NEUTRAL[name])
        parameters.append(drawn)
    return parameters


def assert_equal(received: np.ndarray | None, expected: np.ndarray | None) -> None:
    assert (received is None) == (expected is None)
    if received is not None and expected is not None:
        assert received.shape == (2, 3)
        assert received.dtype == np.float64
        assert received.tobytes() == np.asarray(expected, np.float64).tobytes()  # as in SciPy


@pytest.mark.filterwarnings("ignore:overflow|invalid value:RuntimeWarning")
@pytest.mark.parametrize("seed", range(40))
def test_equal_those_of_keras(matrix_of_keras: Any, seed: int) -> None:
    rng = np.random.default_rng(seed)
    height, width = map(int, rng.integers(1, 300, 2))
    parameters = random_parameters(rng, int(rng.integers(1, 100)))
    matrices = affine_matrices(parameters, height, width)
    for drawn, received in zip(parameters, matrices, strict=True):
        assert_equal(received, matrix_of_keras(drawn, height, width))


def test_equal_those_of_keras_for_ordinary_batches(matrix_of_keras: Any) -> None:
    rng = np.random.default_rng(0)
    columns = rng.uniform([-20, -22, -22, -0.2, 0.8, 0.8], [20, 22, 22, 0.2, 1.2, 1.2], (500, 6))
    parameters = [dict(zip(NEUTRAL, row, strict=True)) for row in columns.tolist()]
    for drawn, received in zip(parameters, affine_matrices(parameters, 224, 224), strict=True):
        assert_equal(received, matrix_of_keras(drawn, 224, 224))


def test_of_no_image() -> None:
    assert affine_matrices([], 5, 7) == []


@pytest.mark.parametrize("name", NEUTRAL)
@pytest.mark.parametrize("value", [None, "3", [3.0], np.array([3.0]), np.ones((2, 2))])
def test_refuse_what_is_no_number(matrix_of_keras: Any, name: str, value: Any) -> None:
    for compute in (matrix_of_keras, lambda drawn, *size: affine_matrices([drawn], *size)):
        with pytest.raises((TypeError, ValueError)):
            compute({"theta": 5.0, "tx": 2.0, "shear": 2.0, "zx": 2.0, name: value}, 5, 7)


def test_name_what_is_an_array() -> None:
    with pytest.raises(
        ValueError, match=r"`tx` must be a number .* Received: array\(\[1\., 1\.\]\)"
    ):
        affine_matrices([{"theta": 5.0, "tx": np.ones(2)}], 5, 7)


@pytest.mark.parametrize("order", [0, 1])
@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_numbers_of_any_type(order: int, dtype: type) -> None:
    image = np.random.default_rng(0).integers(0, 256, (9, 7, 3)).astype(dtype)
    for drawn in (
        {"theta": np.longdouble(30), "zx": np.longdouble(1.5)},
        {"theta": 30, "tx": Fraction(1, 2)},
        {"theta": np.array(30.0)},
    ):
        expected, received = (
            each(interpolation_order=order).apply_transform(image, drawn)
            for each in (_keras.ImageDataGenerator, MultiDirImageDataGenerator)
        )
        assert np.array_equal(received, expected)
