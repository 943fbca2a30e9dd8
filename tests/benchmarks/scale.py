"""How fast many files are listed, and how much memory names and arrays take.

Indexing: two roots of N small files each, in 100 class folders.

Memory of segmentation: an iterator over memory-mapped images and masks is built and gives ten
batches. What counts is the growth of the process's own memory, without the pages of the files; each
side has a process of its own.
"""

from __future__ import annotations

import contextlib
import io
import itertools
import multiprocessing
import pathlib
import tracemalloc
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
from sides import Setup
from timing import Row, median_seconds

from multiflow import MultiDirImageDataGenerator
from multiflow._keras import ImageDataGenerator

NUM_CLASSES = 100
NUM_IMAGES, IMAGE_SIZE = 2000, (256, 256)
AUGMENTATION = {"rotation_range": 20, "zoom_range": 0.2, "horizontal_flip": True}


def write_roots(folder: pathlib.Path, num_files: int) -> list[str]:
    roots = [folder / "site_a", folder / "site_b"]
    for root, label in itertools.product(roots, range(NUM_CLASSES)):
        class_folder = root / f"class_{label:03d}"
        class_folder.mkdir(parents=True)
        for number in range(num_files // NUM_CLASSES):
            (class_folder / f"image_{number:06d}.jpg").touch()
    return [str(root) for root in roots]


def index_with_keras(roots: list[str]) -> Any:
    return [ImageDataGenerator().flow_from_directory(root) for root in roots]


def index_with_multiflow(roots: list[str]) -> Any:
    return MultiDirImageDataGenerator().flow_from_directories(roots)


def assert_equal_indices(roots: list[str]) -> None:
    keras_iterators, iterator = index_with_keras(roots), index_with_multiflow(roots)
    assert iterator.filepaths == [path for it in keras_iterators for path in it.filepaths]
    np.testing.assert_array_equal(
        iterator.classes,
        np.concatenate([it.classes for it in keras_iterators]),
    )


def kept_bytes(function: Callable[[], Any]) -> int:
    tracemalloc.start()
    kept = function()
    size, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    del kept
    return size


def measure_indexing(setup: Setup) -> Iterator[Row]:
    num_files = setup.num_files
    roots = write_roots(setup.folder, num_files)
    sides = [partial(side, roots) for side in (index_with_keras, index_with_multiflow)]
    with contextlib.redirect_stdout(io.StringIO()):
        assert_equal_indices(roots)
        seconds = median_seconds(sides, setup.repetitions)
        num_bytes = [kept_bytes(side) / (2 * num_files) for side in sides]
    yield Row(f"indexing {2 * num_files:,} files, s", *seconds)
    yield Row("bytes kept per file name", *num_bytes)


def write_images(folder: pathlib.Path) -> None:
    rng = np.random.default_rng(0)
    for name, shape in [("images", (*IMAGE_SIZE, 3)), ("masks", IMAGE_SIZE)]:
        file = np.lib.format.open_memmap(
            folder / f"{name}.npy", "w+", np.uint8, (NUM_IMAGES, *shape)
        )
        for sample in file:
            sample[:] = rng.integers(0, 256, shape, dtype=np.uint8)


def flow_with_keras(images: Any, masks: Any) -> Any:
    return ImageDataGenerator(**AUGMENTATION).flow(images, seed=1)


def flow_with_multiflow(images: Any, masks: Any) -> Any:
    return MultiDirImageDataGenerator(**AUGMENTATION).flow_segmentation(images, masks, seed=1)


def own_memory() -> int:
    """The resident memory of this process that no file backs, in bytes (Linux)."""
    status = pathlib.Path("/proc/self/status").read_text()
    return 1024 * int(status.split("RssAnon:")[1].split()[0])


def memory_of_flow(build: Callable[[Any, Any], Any], folder: pathlib.Path) -> tuple[int, bytes]:
    """How much the memory grows by ten batches, and the bytes of the last images."""
    images, masks = (np.load(folder / f"{name}.npy", mmap_mode="r") for name in ("images", "masks"))
    before = own_memory()
    iterator = build(images, masks)
    for _ in range(10):
        batch = next(iterator)
    last_images = batch[0] if isinstance(batch, tuple) else batch
    return own_memory() - before, last_images.tobytes()


def measure_memory(setup: Setup) -> Iterator[Row]:
    write_images(setup.folder)
    results = []
    for build in (flow_with_keras, flow_with_multiflow):
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            results.append(pool.apply(memory_of_flow, (build, setup.folder)))
    assert results[0][1] == results[1][1]
    yield Row(
        f"own memory, {NUM_IMAGES:,} images on disk, MB", *(size / 1e6 for size, _ in results)
    )
