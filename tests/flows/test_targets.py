"""Targets of each kind: what they put into a batch, also when some samples were taken."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from multiflow.flows.targets import ImagesAgain, Items, Labels, Outputs, Rows, Target
from multiflow.images.arrays import WrappedArray

TABLE = np.arange(12.0).reshape(6, 2)
IMAGES = np.ones((3, 2, 2, 1))
POSITIONS = np.array([4, 0, 2])
NUMBERS = [0, 1, 2, 0, 1, 2]
SEVERAL = [[0], [1], [0, 2], [1], [1, 2], [2]]

TARGETS: dict[str, tuple[Target, Any]] = {
    "rows": (Rows(TABLE), TABLE[POSITIONS]),
    "items": (Items(WrappedArray(TABLE)), TABLE[POSITIONS]),
    "numbers": (Labels(NUMBERS, None, "float32"), np.float32([1, 0, 2])),
    "one-hot": (Labels(NUMBERS, 3, "float32"), np.eye(3, dtype="float32")[[1, 0, 2]]),
    "several": (Labels(SEVERAL, 3, "int8"), np.int8([[0, 1, 1], [1, 0, 0], [1, 0, 1]])),
    "images": (ImagesAgain(), IMAGES),
}


@pytest.mark.parametrize("name", TARGETS)
def test_stack(name: str) -> None:
    target, expected = TARGETS[name]
    assert target.read(POSITIONS, threads=1) is None
    stacked = target.stack(POSITIONS, None, IMAGES)
    np.testing.assert_array_equal(stacked, expected, strict=True)
    assert stacked is not IMAGES
    assert target.masks_in(stacked) == []


@pytest.mark.parametrize("name", TARGETS)
def test_take(name: str) -> None:
    target, expected = TARGETS[name]
    taken = target.take(np.array([2, 4, 0, 1])).take(np.array([1, 2, 0]))
    np.testing.assert_array_equal(taken.stack(np.arange(3), None, IMAGES), expected, strict=True)


def test_rows_are_not_copied() -> None:
    assert Rows(TABLE).take(POSITIONS).array is TABLE


def test_outputs_are_a_list() -> None:
    outputs = Outputs([Rows(TABLE), Rows(TABLE[:, 0])])
    for target, positions in [(outputs, POSITIONS), (outputs.take(POSITIONS), np.arange(3))]:
        stacked = target.stack(positions, None, IMAGES)
        assert type(stacked) is list
        np.testing.assert_array_equal(stacked[0], TABLE[POSITIONS])
        np.testing.assert_array_equal(stacked[1], TABLE[POSITIONS, 0])
