"""Rows of images with masks, against the recipe that zips two generators with one seed."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np
from data import write_pairs
from sides import BATCH_SIZE, CLASSIC, Setup, build_flow, forget_flows, run_epoch
from timing import Row, median_seconds

from multiflow._keras import ImageDataGenerator
from multiflow.augment.affine import FILL_MODES

GEOMETRY = {name: value for name, value in CLASSIC.items() if name != "rescale"}
ARRAY_SIZE = (256, 256, 3)
FILE_SIZE, READ_SIZE = (512, 512), (256, 256)


def measure_arrays(setup: Setup) -> Iterator[Row]:
    work = "arrays of images and masks, classic"
    yield compare_arrays(setup, work, GEOMETRY, setup.num_images, BATCH_SIZE)
    for fill_mode in FILL_MODES:
        work = f'arrays of images and masks, "{fill_mode}", batches of 16'
        settings = GEOMETRY | {"fill_mode": fill_mode}
        yield compare_arrays(setup, work, settings, setup.num_images // 2, 16)


def compare_arrays(
    setup: Setup, work: str, settings: dict[str, Any], num_images: int, batch_size: int
) -> Row:
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (num_images, *ARRAY_SIZE), dtype=np.uint8)
    masks = images[..., :1] // 64
    options = {"batch_size": batch_size, "seed": 1}
    theirs = [
        generator.flow(array, **options)
        for generator, array in zip(recipe(settings), (images, masks), strict=True)
    ]
    ours = setup.generator(settings).flow_segmentation(images, masks, **options)
    assert_equal_pairs(theirs, ours)
    sides = [partial(run_zipped, theirs), partial(run_epoch, ours)]
    return Row.of_images(work, median_seconds(sides, setup.repetitions), num_images)


def measure_files(setup: Setup) -> Iterator[Row]:
    folders = write_pairs(setup.folder / "pairs", setup.num_pairs, FILE_SIZE)
    sides = [
        lambda: run_zipped(their_flows(folders)),
        lambda: run_epoch(our_flow(setup, folders)),
    ]
    assert_equal_pairs(their_flows(folders), our_flow(setup, folders))
    work = "PNG pairs of 512² to 256², batches of 2"
    seconds = median_seconds(sides, setup.repetitions, prepare=forget_flows)
    yield Row.of_images(f"{work}, first epoch", seconds, setup.num_pairs)

    theirs, ours = their_flows(folders), our_flow(setup, folders)
    for _ in range(2):
        assert_equal_pairs(theirs, ours)
    sides = [partial(run_zipped, theirs), partial(run_epoch, ours)]
    seconds = median_seconds(sides, setup.repetitions)
    yield Row.of_images(f"{work}, second epoch on", seconds, setup.num_pairs)


def their_flows(folders: tuple[str, str]) -> list[Any]:
    options = {"class_mode": None, "batch_size": 2}
    return [
        build_flow(generator, folder, READ_SIZE, color_mode=color_mode, **options)
        for generator, folder, color_mode in zip(
            recipe(GEOMETRY), folders, ("rgb", "grayscale"), strict=True
        )
    ]


def our_flow(setup: Setup, folders: tuple[str, str]) -> Any:
    images, masks = folders
    with contextlib.redirect_stdout(io.StringIO()):
        return setup.generator(GEOMETRY).flow_segmentation_from_directories(
            [images], [masks], READ_SIZE, batch_size=2, seed=1
        )


def recipe(settings: dict[str, Any]) -> list[Any]:
    """What users do for masks, at the order that leaves masks whole, which is also the faster."""
    return [
        ImageDataGenerator(**settings),
        ImageDataGenerator(**settings, interpolation_order=0),
    ]


def run_zipped(flows: list[Any]) -> None:
    for _ in range(len(flows[0])):
        for flow in flows:
            next(flow)


def assert_equal_pairs(theirs: list[Any], ours: Any) -> None:
    for _ in range(len(ours)):
        expected, received = [next(flow) for flow in theirs], next(ours)
        assert expected[0].tobytes() == received[0].tobytes()
        np.testing.assert_array_equal(expected[1], received[1].reshape(expected[1].shape))
