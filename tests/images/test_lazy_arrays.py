"""Lazy arrays of every kind: what they say of themselves, and what is left when some are taken."""

from __future__ import annotations

import pathlib
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from PIL import Image

from multiflow.images.arrays import LazyArray, WrappedArray, as_lazy
from multiflow.images.cache import cache_files
from multiflow.images.files import Decoding, ImageAndArrayFiles, ImageFiles, MaskFiles
from multiflow.images.resize import Resized

PIXELS = np.random.default_rng(0).integers(0, 256, (6, 5, 4, 3), np.uint8)
KINDS = [
    "array",
    "memmap",
    "resized",
    "images",
    "images and arrays",
    "masks",
    "auto",
    "memory",
    "folder",
]


class Foreign:
    """An array of another library."""

    def __init__(self, array: np.ndarray) -> None:
        self._array = array
        self.shape, self.dtype = array.shape, array.dtype

    def __len__(self) -> int:
        return len(self._array)

    def __getitem__(self, index: int) -> np.ndarray:
        return self._array[index]


@pytest.fixture
def make(tmp_path: pathlib.Path) -> Callable[[str], LazyArray]:
    """A function that makes a lazy array of a kind, all of the same six samples."""
    paths = []
    for number, pixels in enumerate(PIXELS):
        paths.append(str(tmp_path / f"{number}.png"))
        Image.fromarray(pixels).save(paths[-1])
    decoding = Decoding((5, 4), "rgb", "nearest", False, False)

    def make_array(kind: str) -> LazyArray:
        if kind == "array":
            return WrappedArray(PIXELS)
        if kind == "memmap":
            stored = np.memmap(tmp_path / "stored", np.uint8, "w+", shape=PIXELS.shape)
            stored[:] = PIXELS
            return WrappedArray(stored)
        if kind == "resized":
            twice = WrappedArray(PIXELS.repeat(2, axis=1))
            return Resized(twice, (5, 4), "nearest", channels_first=False)
        if kind == "masks":
            return MaskFiles(paths, decoding, 3, np.dtype(np.uint8), None)
        if kind == "images and arrays":
            return ImageAndArrayFiles(paths, decoding)
        files = ImageFiles(paths, decoding)
        cache = {"auto": "auto", "memory": "memory", "folder": tmp_path / "cache"}.get(kind)
        return cache_files(files, cache, threads=1)

    return make_array


@pytest.mark.parametrize("kind", KINDS)
class TestTake:
    def test_gives_samples_in_the_order_asked_for(self, make: Any, kind: str) -> None:
        array = make(kind)
        for positions in ([4, 1, 5], [0], [], [2, 2, 0]):
            taken = array.take(np.array(positions, int))
            assert taken.shape == (len(positions), 5, 4, 3)
            assert len(taken) == len(positions)
            assert taken.dtype == np.uint8
            for number, position in enumerate(positions):
                np.testing.assert_array_equal(taken[number], PIXELS[position])
                assert taken.where(number) == array.where(position)

    def test_takes_of_what_was_taken(self, make: Any, kind: str) -> None:
        array = make(kind)
        taken = array.take(np.array([5, 3, 1, 0])).take(np.array([2, 0]))
        np.testing.assert_array_equal(np.stack([taken[0], taken[1]]), PIXELS[[1, 5]])
        assert [taken.where(0), taken.where(1)] == [array.where(1), array.where(5)]

    def test_leaves_the_array_as_it_was(self, make: Any, kind: str) -> None:
        array = make(kind)
        array.take(np.array([3]))
        assert array.shape == (6, 5, 4, 3)
        np.testing.assert_array_equal(np.stack(array.read(np.arange(6), 2)), PIXELS)


def test_samples_are_called_by_their_position_or_path(make: Any) -> None:
    assert make("array").where(3) == "sample 3"
    assert make("resized").where(3) == "sample 3"
    for kind in ("images", "masks", "memory"):
        assert make(kind).where(3).endswith("3.png'")


def test_arrays_of_other_libraries_are_read_one_by_one(tmp_path: pathlib.Path) -> None:
    assert as_lazy(PIXELS).reads_in_threads
    assert as_lazy(np.memmap(tmp_path / "a", np.uint8, "w+", shape=3)).reads_in_threads
    assert not as_lazy(Foreign(PIXELS)).reads_in_threads
    resized = Resized(as_lazy(Foreign(PIXELS)), (3, 3), "nearest", channels_first=False)
    assert not resized.reads_in_threads


def test_only_arrays_in_memory_are_had_whole(tmp_path: pathlib.Path) -> None:
    assert as_lazy(PIXELS).take(np.array([1])).in_memory is PIXELS
    assert as_lazy(np.memmap(tmp_path / "a", np.uint8, "w+", shape=3)).in_memory is None
    assert as_lazy(Foreign(PIXELS)).in_memory is None


def test_what_is_lazy_stays_as_it_is(make: Any) -> None:
    array = make("images")
    assert as_lazy(array) is array
