"""Caches change no batch, are found again, and are safe from what happens while they are built."""

from __future__ import annotations

import contextlib
import copy
import functools
import multiprocessing
import os
import pathlib
import pickle
import re
import shutil
import signal
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from comparison import fingerprint
from PIL import Image

from multiflow import MultiDirImageDataGenerator
from multiflow.images import cache
from multiflow.images.files import Decoding, ImageAndArrayFiles, ImageFiles, MaskFiles
from multiflow.samples import write_segmentation_samples

SIZE = {"target_size": (9, 7)}


def directory_flow(root: Any, generator: dict[str, Any] | None = None, **flow: Any) -> Any:
    generator = generator or {"rotation_range": 30, "rescale": 1 / 255}
    return MultiDirImageDataGenerator(**generator).flow_from_directory(
        root, **{**SIZE, "seed": 2, "batch_size": 5, "cache": None, **flow}
    )


def batches(iterator: Any) -> list[Any]:
    return [fingerprint(next(iterator)) for _ in range(2 * len(iterator))]


@pytest.fixture(params=["memory", "folder"])
def place(request: pytest.FixtureRequest, tmp_path: pathlib.Path) -> Any:
    return "memory" if request.param == "memory" else tmp_path / "cache"


@pytest.mark.parametrize(
    "generator",
    [
        {"rotation_range": 30, "rescale": 1 / 255},
        {"samplewise_center": True, "data_format": "channels_first"},
        {"preprocessing_function": lambda image: image[::-1] * 2},
    ],
)
@pytest.mark.parametrize(
    "flow",
    [
        {},
        {"color_mode": "grayscale", "interpolation": "bilinear"},
        {"color_mode": "rgba", "keep_aspect_ratio": True, "class_mode": "input"},
    ],
)
def test_changes_no_batch(three_classes: Any, place: Any, generator: Any, flow: Any) -> None:
    expected = batches(directory_flow(three_classes, generator, **flow))
    assert batches(directory_flow(three_classes, generator, **flow, cache=place)) == expected
    assert batches(directory_flow(three_classes, generator, **flow, cache=place)) == expected


def test_all_flows_have_it(three_classes: pathlib.Path, place: Any, tmp_path: Any) -> None:
    generator = MultiDirImageDataGenerator(rotation_range=30, rescale=1 / 255)
    frame = pd.DataFrame({"filename": sorted(map(str, three_classes.rglob("*.*")))})
    images, masks = write_segmentation_samples(tmp_path)
    flows: list[Any] = [
        lambda **options: generator.flow_from_directories([three_classes], **SIZE, **options),
        lambda **options: generator.flow_from_dataframe(frame, class_mode=None, **SIZE, **options),
        lambda **options: generator.flow_segmentation_from_directories(
            images, masks, **SIZE, **options
        ),
    ]
    for flow in flows:
        expected = batches(flow(seed=1, cache=None))
        cached = flow(seed=1, cache=place)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("multiflow.images.files.Picture", None)
            patch.setattr(Image, "open", None)
            assert batches(cached) == expected


def test_deep_greys_keep_their_bits(tmp_path: pathlib.Path, place: Any) -> None:
    (tmp_path / "root" / "class").mkdir(parents=True)
    deep = np.random.default_rng(0).integers(0, 2**16, (12, 11), dtype=np.uint16)
    Image.fromarray(deep).save(tmp_path / "root/class/deep.png")
    Image.fromarray(deep.astype(np.uint8)).save(tmp_path / "root/class/flat.png")
    flow = {"color_mode": "grayscale"}
    expected = batches(directory_flow(tmp_path / "root", **flow))
    assert batches(directory_flow(tmp_path / "root", **flow, cache=place)) == expected


def test_arrays_and_deep_masks(tmp_path: pathlib.Path, place: Any) -> None:
    rng = np.random.default_rng(0)
    for folder in ("images", "masks"):
        (tmp_path / folder).mkdir()
    for number in range(3):
        np.save(tmp_path / f"images/{number}.npy", rng.normal(size=(2, 14, 12)))
        np.save(tmp_path / f"masks/{number}.npy", rng.integers(-(2**60), 2**60, (14, 12)))
    generator = MultiDirImageDataGenerator(
        rotation_range=30, samplewise_center=True, data_format="channels_first"
    )
    arguments = ([tmp_path / "images"], [tmp_path / "masks"], (7, 9))
    make = functools.partial(generator.flow_segmentation_from_directories, *arguments, seed=1)
    expected = batches(make(cache=None))
    assert batches(make(cache=place)) == expected


class TestEachFile:
    """A cache gives the array that the file gives: its values, its dtype and its memory layout."""

    @pytest.fixture
    def paths(self, tmp_path: pathlib.Path) -> list[str]:
        """Grey images of all depths, and arrays of all kinds of dtypes."""
        rng = np.random.default_rng(0)
        deep = rng.integers(0, 2**16, (11, 12), np.uint16)
        pictures = [deep, deep.astype(np.uint8), (deep % 2).astype(np.uint8), deep > 2**15]
        for number, pixels in enumerate(pictures):
            Image.fromarray(pixels).save(tmp_path / f"{number}.png")
        Image.fromarray(deep.astype(np.int32)).save(tmp_path / "deep.tif")
        dtypes = ["?", "u1", "i1", "<u2", ">u2", "<i8", ">f4", "<f2", ">f2", "<f8", "<g", ">g"]
        for number, dtype in enumerate(dtypes):
            order = "CF"[number % 2]
            pixels = rng.integers(-2, 2, (11, 12, 1)).astype(dtype, order=order)  # type: ignore[call-overload]
            np.save(tmp_path / f"{number}.npy", pixels)
        return sorted(map(str, tmp_path.iterdir()))

    @pytest.mark.parametrize("interpolation", ["nearest", "bilinear"])
    @pytest.mark.parametrize("size", [(11, 12), (7, 9)])
    def test_images(self, paths: list[str], place: Any, interpolation: str, size: Any) -> None:
        decoding = Decoding(size, "grayscale", interpolation, False, False)
        files = ImageAndArrayFiles(paths, decoding)
        cached = cache.cache_files(files, place, threads=2)
        shipped = pickle.loads(pickle.dumps(cached))
        for index in range(len(paths)):
            assert_same_array(cached[index], files[index])
            # NumPy unpickles arrays of the other byte order in that of the machine.
            np.testing.assert_array_equal(shipped[index], files[index])
            assert shipped[index].dtype.newbyteorder("=") == files[index].dtype.newbyteorder("=")
        assert cached.dtype == files.dtype

    def test_masks(self, paths: list[str], place: Any) -> None:
        decoding = Decoding((7, 9), None, "nearest", False, False)
        images, arrays = ([path for path in paths if path.endswith(end)] for end in ("g", "y"))
        for dtype, some, num_channels in (
            ("?", images, None),
            ("<f8", arrays, 1),
            (">i4", arrays, 1),
        ):
            files = MaskFiles(some, decoding, num_channels, np.dtype(dtype), None)
            cached = cache.cache_files(files, place, threads=2)
            for index in range(len(some)):
                assert_same_array(cached[index], files[index])

    @pytest.mark.parametrize("kind", ["flow", "pairs"])
    def test_brightness_keeps_the_range_of_each(
        self, tmp_path: pathlib.Path, place: Any, kind: str
    ) -> None:
        for folder in ("root/class", "masks/class"):
            (tmp_path / folder).mkdir(parents=True)
            Image.fromarray(np.eye(9, dtype=np.uint8)).save(tmp_path / folder / "flat.png")
        generator = MultiDirImageDataGenerator(corrected=True, brightness_range=(0.5, 0.5))
        options: dict[str, Any] = {**SIZE, "color_mode": "grayscale", "shuffle": False, "seed": 1}
        if kind == "flow":
            deep = np.full((9, 9), 1000, np.uint16)
            Image.fromarray(deep).save(tmp_path / "root/class/deep.png")
            plain, cached = (
                generator.flow_from_directories([tmp_path / "root"], cache=each, **options)
                for each in (None, place)
            )
        else:
            np.save(tmp_path / "root/class/real.npy", np.eye(9, dtype=np.float32))
            np.save(tmp_path / "masks/class/real.npy", np.eye(9, dtype=np.uint8))
            roots = [tmp_path / "root"], [tmp_path / "masks"]
            plain, cached = (
                generator.flow_segmentation_from_directories(*roots, cache=each, **options)
                for each in (None, place)
            )
        assert batches(cached) == batches(plain)

    def test_paths_that_users_change_are_read(self, three_classes: Any, place: Any) -> None:
        frame = pd.DataFrame({"filename": sorted(map(str, three_classes.rglob("*.*")))})
        generator = MultiDirImageDataGenerator()
        makers: list[Any] = [
            functools.partial(generator.flow_from_directory, three_classes),
            functools.partial(generator.flow_from_dataframe, frame, class_mode=None),
        ]
        for make in makers:
            plain, cached = (make(shuffle=False, cache=each, **SIZE) for each in (None, place))
            assert batches(cached) == batches(plain)
            for flow in (plain, cached):
                flow.filepaths[1], flow.filepaths[5] = flow.filepaths[5], flow.filepaths[7]
            assert batches(cached) == batches(plain)
            assert batches(cached)[0] != batches(make(shuffle=False, **SIZE))[0]


def assert_same_array(received: np.ndarray, expected: np.ndarray) -> None:
    assert received.dtype == expected.dtype
    assert received.shape == expected.shape
    steps = [(received.strides[axis], expected.strides[axis]) for axis in range(expected.ndim)]
    # The step along an axis of length 1 means nothing.
    steps = [steps[axis] for axis, length in enumerate(expected.shape) if length > 1]
    assert all(one == other for one, other in steps)
    assert received.flags.aligned
    assert received.tobytes() == expected.tobytes()


class TestFolder:
    """A folder is reused as long as files and arguments stay, and by many at once."""

    @pytest.fixture
    def builds(self, monkeypatch: pytest.MonkeyPatch) -> list[str]:
        """The files that caches were built in."""
        paths: list[str] = []
        write = cache._write
        monkeypatch.setattr(
            cache, "_write", lambda *arguments: (paths.append(arguments[1]), write(*arguments))
        )
        return paths

    def test_is_reused(self, three_classes: Any, tmp_path: Any, builds: list[str]) -> None:
        for _ in range(3):
            directory_flow(three_classes, cache=tmp_path / "cache", batch_size=3, shuffle=False)
        assert len(builds) == 1
        directory_flow(three_classes, {"dtype": "float64"}, cache=str(tmp_path / "cache"))
        assert len(builds) == 1

    def test_other_arguments_are_other_caches(
        self, three_classes: Any, tmp_path: Any, builds: list[str]
    ) -> None:
        for number, change in enumerate(
            [
                {},
                {"target_size": (7, 9)},
                {"color_mode": "grayscale"},
                {"interpolation": "box"},
                {"keep_aspect_ratio": True},
                {"classes": ["ants", "bees"]},
            ],
            1,
        ):
            directory_flow(three_classes, cache=tmp_path / "cache", **change)
            assert len(set(builds)) == number

    def test_changed_files_are_read_again(
        self, three_classes: pathlib.Path, tmp_path: Any, builds: list[str]
    ) -> None:
        before = batches(directory_flow(three_classes, cache=tmp_path / "cache"))
        path = three_classes / "ants/0.png"
        status = path.stat()
        Image.fromarray(255 - np.asarray(Image.open(path))).save(path)
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns + 1))
        after = batches(directory_flow(three_classes, cache=tmp_path / "cache"))
        assert after == batches(directory_flow(three_classes))
        assert after != before
        assert len(builds) == 2

    @pytest.mark.parametrize("is_replaced", [False, True])
    def test_files_changed_with_equal_size_and_time_are_read_again(
        self, tmp_path: pathlib.Path, is_replaced: bool
    ) -> None:
        path = tmp_path / "root/class/0.bmp"
        path.parent.mkdir(parents=True)
        Image.fromarray(np.zeros((9, 9, 3), np.uint8)).save(path)
        directory_flow(tmp_path / "root", cache=tmp_path / "cache")
        before = path.stat()
        data = path.read_bytes()[:-81] + bytes(range(81))
        if is_replaced:
            path.unlink()
        path.write_bytes(data)
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
        after = path.stat()
        assert (after.st_size, after.st_mtime_ns) == (before.st_size, before.st_mtime_ns)
        cached = directory_flow(tmp_path / "root", cache=tmp_path / "cache")
        assert batches(cached) == batches(directory_flow(tmp_path / "root"))

    def test_a_killed_build_leaves_nothing_behind(
        self, three_classes: pathlib.Path, tmp_path: pathlib.Path, monkeypatch: Any
    ) -> None:
        context = multiprocessing.get_context("fork")
        partial = tmp_path / "cache"
        process = context.Process(target=build_and_read, args=(three_classes, partial))
        with monkeypatch.context() as patch:
            patch.setattr(cache, "CHUNK", 1)
            read_slowly(patch, 0.5)
            process.start()
        while not list(partial.glob("*.partial")) and process.is_alive():
            time.sleep(0.01)
        assert process.pid
        os.kill(process.pid, signal.SIGKILL)
        process.join()
        assert list(partial.glob("*.partial"))
        expected = batches(directory_flow(three_classes))
        assert batches(directory_flow(three_classes, cache=partial)) == expected
        assert not list(partial.glob("*.partial"))

    def test_a_failed_build_leaves_nothing_behind(
        self, three_classes: pathlib.Path, place: Any
    ) -> None:
        damaged = three_classes / "bees/3.jpg"
        damaged.write_bytes(b"no picture")
        with pytest.raises(OSError, match=re.escape(f"{str(damaged)!r} cannot be read")):
            directory_flow(three_classes, cache=place)
        if place != "memory":
            assert not [*place.glob("*.cache"), *place.glob("*.partial")]

    def test_two_processes_build_one(
        self, three_classes: pathlib.Path, tmp_path: pathlib.Path, monkeypatch: Any
    ) -> None:
        expected = batches(directory_flow(three_classes))
        read_slowly(monkeypatch, 0.02)  # the one still builds when the other begins
        with ProcessPoolExecutor(2, multiprocessing.get_context("fork")) as processes:
            folders = [tmp_path / "cache"] * 2
            received = processes.map(build_and_read, [three_classes] * 2, folders)
            assert list(received) == [expected] * 2
        assert len(list((tmp_path / "cache").glob("*.cache"))) == 1

    def test_a_damaged_cache_is_built_again(
        self, three_classes: pathlib.Path, tmp_path: pathlib.Path, builds: list[str]
    ) -> None:
        expected = batches(directory_flow(three_classes, cache=tmp_path / "cache"))
        for size in (1000, 0):
            os.truncate(builds[0], size)
            assert batches(directory_flow(three_classes, cache=tmp_path / "cache")) == expected
        assert len(builds) == 3

    def test_a_complete_cache_needs_no_writing(
        self, three_classes: pathlib.Path, tmp_path: pathlib.Path, monkeypatch: Any
    ) -> None:
        expected = batches(directory_flow(three_classes, cache=tmp_path / "cache"))
        monkeypatch.setitem(sys.modules, "filelock", None)
        monkeypatch.setattr(Image, "open", None)
        flow = {"color_mode": "rgb", "cache": tmp_path / "cache"}
        assert batches(directory_flow(three_classes, **flow)) == expected

    def test_is_for_all_who_may_read_the_folder(
        self, three_classes: pathlib.Path, tmp_path: pathlib.Path
    ) -> None:
        directory_flow(three_classes, cache=tmp_path / "cache")
        (tmp_path / "file").touch()
        modes = {path.stat().st_mode for path in (tmp_path / "file", *find_caches(tmp_path))}
        assert len(modes) == 1

    def test_files_that_change_in_the_meantime(
        self, three_classes: pathlib.Path, tmp_path: pathlib.Path, monkeypatch: Any
    ) -> None:
        read_pixels = ImageFiles.read_pixels

        def touch_and_read(files: Any, index: int) -> Any:
            os.utime(files.paths[0], ns=(0, time.time_ns()))
            return read_pixels(files, index)

        monkeypatch.setattr(ImageFiles, "read_pixels", touch_and_read)
        with pytest.raises(ValueError, match="changed while `cache` was built"):
            directory_flow(three_classes, cache=tmp_path / "cache")
        assert not [*(tmp_path / "cache").glob("*.cache"), *(tmp_path / "cache").glob("*.partial")]


def find_caches(tmp_path: pathlib.Path) -> list[pathlib.Path]:
    return sorted((tmp_path / "cache").glob("*.cache"))


def read_slowly(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    read = ImageFiles.read_pixels
    monkeypatch.setattr(
        ImageFiles, "read_pixels", lambda *arguments: (time.sleep(seconds), read(*arguments))[1]
    )


def build_and_read(root: Any, folder: Any) -> Any:
    return batches(directory_flow(root, cache=folder))


def test_copies_share_it(three_classes: Any, place: Any) -> None:
    original = directory_flow(three_classes, cache=place)
    expected = batches(directory_flow(three_classes))
    assert copy.deepcopy(original)._cache is original._cache
    shipped = pickle.dumps(original)
    assert batches(pickle.loads(shipped)) == expected
    if place != "memory":
        assert len(shipped) < 5000


def test_holds_the_images_that_it_was_built_for(three_classes: Any, place: Any) -> None:
    iterator = directory_flow(three_classes, cache=place)
    iterator.interpolation = "bilinear"
    plain = directory_flow(three_classes, interpolation="bilinear")
    assert batches(iterator) == batches(plain)


def test_what_is_written_to_an_image_stays_out_of_the_cache(three_classes: Any, place: Any) -> None:
    cached = directory_flow(three_classes, cache=place)._cache
    expected = cached[0].copy()
    with contextlib.suppress(ValueError):  # read-only
        cached[0][:] = 0
    np.testing.assert_array_equal(cached[0], expected)
    assert expected.any()


def test_without_images(tmp_path: pathlib.Path, place: Any) -> None:
    (tmp_path / "root/empty").mkdir(parents=True)
    assert len(directory_flow(tmp_path / "root", cache=place)) == 0


class TestProgress:
    """Building shows Keras' progress bar, unless its logging is off."""

    def test_is_shown(self, three_classes: Any, place: Any, capsys: Any) -> None:
        directory_flow(three_classes, cache=place)
        assert "12/12" in capsys.readouterr().out

    def test_is_silent_when_keras_is(
        self, three_classes: Any, place: Any, silent_keras: None, capsys: Any
    ) -> None:
        directory_flow(three_classes, cache=place)
        assert capsys.readouterr().out == ""


class TestErrors:
    """Errors come before anything is read."""

    def test_too_little_memory(self, three_classes: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(cache, "available", lambda: 2000)
        monkeypatch.setattr(ImageFiles, "read_pixels", None)
        message = r"2\.3 kB for 12 arrays of shape \(9, 7, 3\), but there are only 2\.0 kB"
        with pytest.raises(ValueError, match=message):
            directory_flow(three_classes, cache="memory")

    def test_too_little_disk(
        self, three_classes: Any, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=2000))
        monkeypatch.setattr(ImageFiles, "read_pixels", None)
        with pytest.raises(ValueError, match=r"2\.3 kB .* only 2\.0 kB"):
            directory_flow(three_classes, cache=tmp_path / "cache")

    def test_missing_library(
        self, three_classes: Any, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setitem(sys.modules, "filelock", None)
        with pytest.raises(ImportError, match=r"extra `fast`, .* pip install filelock"):
            directory_flow(three_classes, cache=tmp_path / "cache")

    def test_places(self, three_classes: pathlib.Path, tmp_path: pathlib.Path) -> None:
        file = tmp_path / "file"
        file.touch()
        generator = MultiDirImageDataGenerator()
        for place, error in [
            (3, TypeError),
            ("", TypeError),
            (file, NotADirectoryError),
            (tmp_path / "no" / "such", FileNotFoundError),
            (three_classes / "cache", ValueError),
            (three_classes, ValueError),
        ]:
            with pytest.raises(error, match="cache"):
                generator.flow_from_directories([three_classes], cache=place)
            assert not (three_classes / "cache").exists()
