"""Measures multiflow beside Keras' own class in one run, after asserting equal results.

    python tests/benchmarks/bench.py [--quick] [--peers] [--without-extra] [--threads N]

It draws its own pictures, like photographs, and prints a table for Markdown: images per second
where nothing else is said, and how many times better multiflow is. Each figure is a median; the two
sides take turns, so that a noisy machine disturbs both alike.

With `--peers`, which needs the extra `bench`, it also runs what others would use for the classic
augmentation. Their images are similar, not equal.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import pathlib
import platform
import tempfile
from collections.abc import Iterator
from functools import partial
from typing import Any

import keras
import numpy as np
import scipy
from data import write_photographs
from scale import measure_indexing, measure_memory
from timing import Row, median_seconds

from multiflow import MultiDirImageDataGenerator, extras
from multiflow._keras import ImageDataGenerator, apply_affine_transform
from multiflow.augment.affine import affine_matrices
from multiflow.augment.draws import draw_transforms
from multiflow.augment.warp import Warp, warp_image

CLASSIC = {
    "rotation_range": 20,
    "width_shift_range": 0.1,
    "height_shift_range": 0.1,
    "shear_range": 0.2,
    "zoom_range": 0.2,
    "horizontal_flip": True,
}
PHOTOMETRIC = {"brightness_range": (0.7, 1.3), "channel_shift_range": 20.0}
RESCALE = {"rescale": 1 / 255}
NUM_IMAGES, BATCH_SIZE = 128, 32
TARGET_SIZE = (224, 224)
WARPED_SIZE = (256, 256, 3)


def build_flow(cls: type, folder: str, settings: dict[str, Any], **options: Any) -> Any:
    with contextlib.redirect_stdout(io.StringIO()):
        return cls(**settings).flow_from_directory(
            folder, TARGET_SIZE, batch_size=BATCH_SIZE, seed=1, **options
        )


def run_epoch(iterator: Any) -> None:
    for _ in range(len(iterator)):
        next(iterator)


def assert_equal_epochs(theirs: Any, ours: Any) -> None:
    for _ in range(len(theirs)):
        for expected, received in zip(next(theirs), next(ours), strict=True):
            assert expected.tobytes() == received.tobytes()


def compare_flows(work: str, theirs: Any, ours: Any, repetitions: int) -> Row:
    assert_equal_epochs(theirs, ours)
    seconds = median_seconds([partial(run_epoch, theirs), partial(run_epoch, ours)], repetitions)
    return Row.of_images(work, seconds, NUM_IMAGES)


def measure_files(folder: pathlib.Path, threads: int | None, repetitions: int) -> Iterator[Row]:
    jpeg, png = (write_photographs(folder, NUM_IMAGES, ending) for ending in ("jpg", "png"))
    own = {"threads": threads}
    cached = [{"cache": "memory"}] if extras.find("numba") else []
    for work, pictures, settings, options in (
        ("JPEG, rescale only", jpeg, RESCALE, {}),
        ("JPEG, classic augmentation", jpeg, RESCALE | CLASSIC, {}),
        ("JPEG, classic, brightness, channel shift", jpeg, RESCALE | CLASSIC | PHOTOMETRIC, {}),
        ("PNG, classic augmentation", png, RESCALE | CLASSIC, {}),
        *(
            ('JPEG, classic, `cache="memory"`', jpeg, RESCALE | CLASSIC, options)
            for options in cached
        ),
    ):
        theirs = build_flow(ImageDataGenerator, pictures, settings)
        ours = build_flow(MultiDirImageDataGenerator, pictures, settings | own, **options)
        yield compare_flows(work, theirs, ours, repetitions)


def zip_recipe(images: np.ndarray, masks: np.ndarray) -> Iterator[Any]:
    """What users do for masks, at the order that leaves masks whole, which is also the faster."""
    options = {"batch_size": BATCH_SIZE, "seed": 1}
    return zip(
        ImageDataGenerator(**CLASSIC).flow(images, **options),
        ImageDataGenerator(**CLASSIC, interpolation_order=0).flow(masks, **options),
        strict=True,
    )


def measure_pairs(threads: int | None, repetitions: int) -> Iterator[Row]:
    images = np.random.default_rng(0).integers(0, 256, (NUM_IMAGES, *WARPED_SIZE), dtype=np.uint8)
    masks = images[..., :1] // 64
    theirs = zip_recipe(images, masks)
    generator = MultiDirImageDataGenerator(**CLASSIC, threads=threads)
    ours = generator.flow_segmentation(images, masks, batch_size=BATCH_SIZE, seed=1)
    for _ in range(len(ours)):
        expected, received = next(theirs), next(ours)
        assert expected[0].tobytes() == received[0].tobytes()
        np.testing.assert_array_equal(expected[1], received[1])
    num_batches = len(ours)

    def their_epoch() -> None:
        for _ in range(num_batches):
            next(theirs)

    seconds = median_seconds([their_epoch, partial(run_epoch, ours)], repetitions)
    yield Row.of_images("arrays of images and masks, classic", seconds, NUM_IMAGES)


def measure_warp(repetitions: int) -> Iterator[Row]:
    image = np.random.default_rng(0).integers(0, 256, WARPED_SIZE, dtype=np.uint8)
    as_float = image.astype(np.float32)
    names = ("theta", "tx", "ty", "shear", "zx", "zy")
    draws = draw_transforms(ImageDataGenerator(**CLASSIC), WARPED_SIZE, 16)
    draws = [{name: draw[name] for name in names} for draw in draws]
    ours = np.empty((len(draws), *WARPED_SIZE), np.float32)
    theirs = np.empty_like(ours)

    def warp_theirs(order: int) -> None:
        axes = {"row_axis": 0, "col_axis": 1, "channel_axis": 2}
        for target, draw in zip(theirs, draws, strict=True):
            target[:] = apply_affine_transform(as_float, **draw, **axes, order=order)

    def warp_ours(order: int) -> None:
        for target, draw in zip(ours, draws, strict=True):
            (matrix,) = affine_matrices([draw], *WARPED_SIZE[:2])
            assert matrix is not None
            warp_image(image, target, Warp(matrix, order, "nearest", 0.0))

    for order in (1, 0):
        sides = [partial(warp_theirs, order), partial(warp_ours, order)]
        for side in sides:
            side()
        assert theirs.tobytes() == ours.tobytes()
        seconds = median_seconds(sides, repetitions)
        yield Row.of_images(f"the warp alone, one thread, order {order}", seconds, len(draws))


def measure_drawing(repetitions: int) -> Iterator[Row]:
    generator = ImageDataGenerator(**CLASSIC)

    def draw_theirs() -> list[dict[str, Any]]:
        return [generator.get_random_transform(WARPED_SIZE) for _ in range(BATCH_SIZE)]

    def draw_ours() -> list[dict[str, Any]]:
        return draw_transforms(generator, WARPED_SIZE, BATCH_SIZE)

    results = []
    for side in (draw_theirs, draw_ours):
        np.random.seed(0)
        results.append((side(), np.random.random()))
    assert results[0] == results[1]
    seconds = median_seconds([draw_theirs, draw_ours], 20 * repetitions)
    yield Row.of_images("drawing the parameters of a batch", seconds, BATCH_SIZE)


def measure_peers(folder: pathlib.Path, threads: int | None, repetitions: int) -> Iterator[Row]:
    from peers import albumentations_epochs, keras_layers_epochs

    pictures = write_photographs(folder, NUM_IMAGES, "jpg")
    num_threads = threads or len(os.sched_getaffinity(0))
    settings = RESCALE | CLASSIC | {"threads": num_threads}
    ours = build_flow(MultiDirImageDataGenerator, pictures, settings)
    for name, epochs in (
        ("albumentations and OpenCV", albumentations_epochs),
        ("`image_dataset_from_directory`, layers", keras_layers_epochs),
    ):
        epoch = epochs(pictures, TARGET_SIZE, BATCH_SIZE, num_threads)
        epoch()
        seconds = median_seconds([epoch, partial(run_epoch, ours)], repetitions)
        yield Row.of_images(f"classic, against {name}", seconds, NUM_IMAGES)


def print_rows(rows: Iterator[Row]) -> None:
    for row in rows:
        figures = (f"{figure:,.{0 if figure >= 100 else 2}f}" for figure in row[1:])
        print(f"| {row.work} | {' | '.join(figures)} | {row.ratio:.1f} |", flush=True)


def print_machine() -> None:
    versions = ", ".join(f"{module.__name__} {module.__version__}" for module in (keras, np, scipy))
    extra = "with" if extras.find("numba") and extras.find("simplejpeg") else "without"
    print(
        f"{len(os.sched_getaffinity(0))} cores, {platform.machine()}, {platform.system()}, Python "
        f"{platform.python_version()}, {versions}, {extra} the extra `fast`\n"
    )
    print("| | Keras | multiflow | ratio |\n|---|---|---|---|")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer repetitions and files")
    parser.add_argument("--peers", action="store_true", help="also other libraries")
    parser.add_argument(
        "--without-extra", action="store_true", help="as if the extra `fast` were missing"
    )
    parser.add_argument("--threads", type=int, help="of multiflow; by default one per core")
    parser.add_argument("--files", type=int, help="files in each of the two roots to list")
    parser.add_argument("--repetitions", type=int)
    arguments = parser.parse_args()
    if arguments.without_extra:
        extras.find = lambda name: None
    repetitions = arguments.repetitions or (3 if arguments.quick else 9)
    num_files = arguments.files or (20_000 if arguments.quick else 100_000)
    print_machine()
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        print_rows(measure_files(folder, arguments.threads, repetitions))
        print_rows(measure_pairs(arguments.threads, repetitions))
        print_rows(measure_warp(repetitions))
        print_rows(measure_drawing(repetitions))
        print_rows(measure_indexing(folder, num_files, repetitions))
        print_rows(measure_memory(folder))
        if arguments.peers:
            print_rows(measure_peers(folder, arguments.threads, repetitions))


if __name__ == "__main__":
    main()
