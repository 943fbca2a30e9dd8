"""A move is found once, and does to masks and weights what the warp does to images."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from multiflow import MultiDirImageDataGenerator, _keras
from multiflow.augment import move as moves
from multiflow.augment import steps
from multiflow.augment.affine import FILL_MODES
from multiflow.augment.move import Move, OverriddenMove, take_pixels

SIZE = (6, 9)
PARAMETERS: list[dict[str, Any]] = [
    {},
    {"flip_horizontal": True},
    {"flip_horizontal": True, "flip_vertical": True},
    {"theta": 30, "tx": 1.5, "zx": 0.8, "zy": 1.2, "flip_vertical": True},
    {"tx": 2, "ty": -1},
]
AUGMENT: dict[str, Any] = {"rotation_range": 40, "zoom_range": 0.3, "horizontal_flip": True}
IMAGES = np.random.default_rng(0).integers(0, 256, (4, 12, 12, 3), np.uint8)


@pytest.mark.parametrize("parameters", PARAMETERS)
@pytest.mark.parametrize("fill_mode", FILL_MODES)
@pytest.mark.parametrize("channels", [(), (2,)])
def test_masks_move_as_by_keras(
    parameters: dict[str, Any], fill_mode: str, channels: tuple[int, ...]
) -> None:
    mask = np.random.default_rng(0).integers(0, 99, (*SIZE, *channels))
    generator = _keras.ImageDataGenerator(fill_mode=fill_mode, cval=7, interpolation_order=0)
    expected = generator.apply_transform(mask.reshape(*SIZE, -1), parameters).reshape(mask.shape)
    move = Move.of(parameters, SIZE, corrected=False)
    taken = take_pixels(mask, move.sources(fill_mode), 7)
    np.testing.assert_array_equal(taken, expected)
    assert taken.dtype == mask.dtype
    overridden = OverriddenMove(SIZE, MultiDirImageDataGenerator(), parameters)
    np.testing.assert_array_equal(overridden.sources(fill_mode), move.sources(fill_mode))


def test_no_parameters_leave_samples_where_they_are() -> None:
    move = Move.of({}, SIZE, corrected=False)
    assert move.matrix is None
    assert move.sources("nearest").ravel().tolist() == list(range(54))


@pytest.mark.parametrize("arguments", [{}, {"preprocessing_function": np.copy}])
@pytest.mark.parametrize("masks", [False, True])
def test_the_matrices_of_a_batch_are_computed_at_once(
    monkeypatch: pytest.MonkeyPatch, arguments: dict[str, Any], masks: bool
) -> None:
    calls = []
    compute = moves.affine_matrices

    def count_and_compute(parameters: Any, *arguments: Any, **options: Any) -> Any:
        calls.append(len(parameters))
        return compute(parameters, *arguments, **options)

    monkeypatch.setattr(moves, "affine_matrices", count_and_compute)
    assert not hasattr(steps, "affine_matrices")
    generator = MultiDirImageDataGenerator(**AUGMENT, **arguments)
    if masks:
        weights = np.ones((4, 12, 12))
        flow = generator.flow_segmentation(IMAGES, IMAGES[..., 0], sample_weight=weights)
    else:
        flow = generator.flow(IMAGES)
    next(flow)
    # A user's function may draw random numbers in between.
    assert calls == [1] * 4 if arguments else [4]
