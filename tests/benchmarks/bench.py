"""Measures multiflow beside Keras' own class in one process, after asserting equal results.

    python tests/benchmarks/bench.py [--files N] [--repetitions N]

Indexing: two roots of N small files each, in 100 class folders. Times are medians; the two sides
take turns, so that a noisy machine disturbs both alike.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import itertools
import pathlib
import statistics
import tempfile
import time
import tracemalloc
from collections.abc import Callable
from typing import Any

import numpy as np

from multiflow import MultiDirImageDataGenerator
from multiflow._keras import ImageDataGenerator

NUM_CLASSES = 100


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
        iterator.classes, np.concatenate([it.classes for it in keras_iterators])
    )


def median_seconds(
    functions: list[Callable[[list[str]], Any]], roots: list[str], repetitions: int
) -> list[float]:
    seconds: list[list[float]] = [[] for _ in functions]
    for _ in range(repetitions):
        for function, times in zip(functions, seconds, strict=True):
            start = time.perf_counter()
            function(roots)
            times.append(time.perf_counter() - start)
    return [statistics.median(times) for times in seconds]


def kept_bytes(function: Callable[[list[str]], Any], roots: list[str]) -> int:
    tracemalloc.start()
    kept = function(roots)
    size, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    del kept
    return size


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--files", type=int, default=100_000, help="files in each root")
    parser.add_argument("--repetitions", type=int, default=5)
    arguments = parser.parse_args()
    sides = [index_with_keras, index_with_multiflow]
    with tempfile.TemporaryDirectory() as folder:
        roots = write_roots(pathlib.Path(folder), arguments.files)
        with contextlib.redirect_stdout(io.StringIO()):
            assert_equal_indices(roots)
            keras_time, own_time = median_seconds(sides, roots, arguments.repetitions)
            keras_bytes, own_bytes = (kept_bytes(side, roots) for side in sides)
    num_files = 2 * arguments.files
    print(f"indexing {num_files} files          Keras  multiflow  ratio")
    print(f"  seconds          {keras_time:17.3f} {own_time:10.3f} {keras_time / own_time:6.1f}")
    print(
        f"  bytes per file   {keras_bytes / num_files:17.1f} {own_bytes / num_files:10.1f} "
        f"{keras_bytes / own_bytes:6.1f}"
    )


if __name__ == "__main__":
    main()
