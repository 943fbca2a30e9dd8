"""Rows of single operations, in one thread: the warp, `apply_transform`, the draws."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
from sides import BATCH_SIZE, CLASSIC, Setup
from timing import Row, median_seconds

from multiflow import MultiDirImageDataGenerator
from multiflow._keras import ImageDataGenerator, apply_affine_transform
from multiflow.augment.affine import FILL_MODES, affine_matrices
from multiflow.augment.draws import draw_transforms
from multiflow.augment.warp import Warp, warp_image


def measure_operations(setup: Setup) -> Iterator[Row]:
    image = np.random.default_rng(0).integers(0, 256, (256, 256, 3), dtype=np.uint8)
    for order in (1, 0):
        work = f"the warp alone, one thread, order {order}"
        yield compare_warps(setup, work, image, order, "nearest")
    image = image[:224, :224].copy()
    for fill_mode in FILL_MODES:
        work = f'the warp alone, 224², float32, order 1, "{fill_mode}"'
        yield compare_warps(setup, work, image.astype(np.float32), 1, fill_mode)
    for order in (1, 0):
        work = f"`apply_transform` of a uint8 image, order {order}"
        yield compare_transforms(setup, work, image, order)
    yield measure_drawing(setup)


def compare_warps(setup: Setup, work: str, image: np.ndarray, order: int, fill_mode: str) -> Row:
    as_float = image.astype(np.float32)
    names = ("theta", "tx", "ty", "shear", "zx", "zy")
    draws = draw_transforms(ImageDataGenerator(**CLASSIC), image.shape, setup.num_draws)
    draws = [{name: draw[name] for name in names} for draw in draws]
    theirs, ours = (np.empty((setup.num_draws, *image.shape), np.float32) for _ in range(2))

    def warp_theirs() -> None:
        options = {"row_axis": 0, "col_axis": 1, "channel_axis": 2}
        options |= {"order": order, "fill_mode": fill_mode}
        for target, draw in zip(theirs, draws, strict=True):
            target[:] = apply_affine_transform(as_float, **draw, **options)

    def warp_ours() -> None:
        for target, matrix in zip(ours, affine_matrices(draws, *image.shape[:2]), strict=True):
            assert matrix is not None
            warp_image(image, target, Warp(matrix, order, fill_mode, 0.0))

    sides = [warp_theirs, warp_ours]
    for side in sides:
        side()
    assert theirs.tobytes() == ours.tobytes()
    return Row.of_images(work, median_seconds(sides, setup.repetitions), setup.num_draws)


def compare_transforms(setup: Setup, work: str, image: np.ndarray, order: int) -> Row:
    settings = CLASSIC | {"interpolation_order": order}
    generators = ImageDataGenerator(**settings), MultiDirImageDataGenerator(**settings)
    draws = draw_transforms(generators[0], image.shape, setup.num_draws)

    def transform_with(generator: Any) -> list[np.ndarray]:
        return [generator.apply_transform(image, draw) for draw in draws]

    for expected, received in zip(*map(transform_with, generators), strict=True):
        assert expected.dtype == received.dtype
        assert expected.tobytes() == received.tobytes()
    sides = [partial(transform_with, generator) for generator in generators]
    return Row.of_images(work, median_seconds(sides, setup.repetitions), setup.num_draws)


def measure_drawing(setup: Setup) -> Row:
    generator, shape = ImageDataGenerator(**CLASSIC), (256, 256, 3)

    def draw_theirs() -> list[dict[str, Any]]:
        return [generator.get_random_transform(shape) for _ in range(BATCH_SIZE)]

    def draw_ours() -> list[dict[str, Any]]:
        return draw_transforms(generator, shape, BATCH_SIZE)

    def repeatedly(draw: Callable[[], Any]) -> Callable[[], None]:
        return lambda: [draw() for _ in range(20)]

    results = []
    for side in (draw_theirs, draw_ours):
        np.random.seed(0)
        results.append((side(), np.random.random()))
    assert results[0] == results[1]
    sides = [repeatedly(draw_theirs), repeatedly(draw_ours)]
    seconds = median_seconds(sides, setup.repetitions)
    return Row.of_images("drawing the parameters of a batch", seconds, 20 * BATCH_SIZE)
