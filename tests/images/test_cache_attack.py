"""What lies in a cache folder is not trusted: damage, planted files, kills, and want of rights."""

from __future__ import annotations

import contextlib
import json
import multiprocessing
import os
import pathlib
import pickle
import re
import resource
import signal
import threading
import time
import warnings
import zlib
from collections.abc import Callable, Iterator
from typing import Any

import filelock
import numpy as np
import pytest
from PIL import Image, features

from multiflow.images import cache, cachefile
from multiflow.images.cache import CachedFiles, cache_files
from multiflow.images.files import Decoding, ImageAndArrayFiles

COUNT = 7


@pytest.fixture
def files(tmp_path: pathlib.Path) -> ImageAndArrayFiles:
    """Grey images of three dtypes."""
    rng = np.random.default_rng(0)
    paths = []
    for number in range(COUNT):
        pixels = rng.integers(0, 256, (5, 4, 1))
        paths.append(str(tmp_path / f"{number}.{'npy' if number % 3 == 0 else 'png'}"))
        if number % 3 == 0:
            np.save(paths[-1], pixels.astype(np.float32))
        else:
            Image.fromarray(pixels[..., 0].astype([np.uint8, np.uint16][number % 2])).save(
                paths[-1]
            )
    return ImageAndArrayFiles(paths, Decoding((5, 4), "grayscale", "nearest", False, False))


@pytest.fixture
def folder(tmp_path: pathlib.Path) -> pathlib.Path:
    return tmp_path / "cache"


@pytest.fixture
def path(files: Any, folder: pathlib.Path) -> pathlib.Path:
    """The file of a complete cache."""
    cache_files(files, folder, 1)
    [path] = folder.glob("*.cache")
    return path


def assert_equal(cached: Any, files: Any) -> None:
    for index in range(len(files)):
        received, expected = cached[index], files[index]
        assert received.dtype == expected.dtype
        np.testing.assert_array_equal(received, expected)


def test_the_version_of_zlib_makes_no_cache_stale(monkeypatch: pytest.MonkeyPatch) -> None:
    """There may be several in a process; Pillow tells that of the library imported first."""
    version, software = features.version, cachefile.software.__wrapped__
    expected = software()
    for name, is_equal in (("zlib", True), ("libtiff", False)):
        monkeypatch.setattr(features, "version", lambda n, o=name: "0" if n == o else version(n))
        assert (software() == expected) is is_equal


@contextlib.contextmanager
def warnings_of(path: pathlib.Path) -> Iterator[list[Any]]:
    """The warnings that were given; all say that a cache is damaged, which, and what to do."""
    with warnings.catch_warnings(record=True) as given:
        warnings.simplefilter("always")
        yield given
    for warning in given:
        assert re.search(
            rf"{re.escape(str(path))}.* cannot be used: .* Delete it", str(warning.message)
        )


class TestDamage:
    """Whatever becomes of the file, images are those of their files."""

    @pytest.mark.parametrize("seed", range(8))
    @pytest.mark.parametrize("is_open", [False, True])
    def test_at_random(self, files: Any, folder: Any, path: Any, seed: int, is_open: bool) -> None:
        rng = np.random.default_rng(seed)
        whole = path.read_bytes()
        for _ in range(40):
            cached = cache_files(files, folder, 1)
            path.write_bytes(damaged(whole, rng))
            with warnings_of(path) as given:
                assert_equal(cached if is_open else cache_files(files, folder, 1), files)
            assert len(given) <= 1
            path.write_bytes(whole)

    def test_each_bit_of_the_manifest(self, files: Any, folder: Any, path: Any) -> None:
        whole = path.read_bytes()
        start = cachefile.HEADER.unpack_from(whole)[2]
        for position in [*range(cachefile.HEADER.size), *range(start, len(whole), 3)]:
            changed = bytearray(whole)
            changed[position] ^= 1 << position % 8
            path.write_bytes(changed)
            assert not cache.FolderImages(str(path), (COUNT, 5, 4, 1)).are_there()
        assert_equal(cache_files(files, folder, 1), files)

    @pytest.mark.parametrize(
        "change",
        [
            {"dtypes": ["<f4", ">u2", "|u1"]},
            {"dtypes": ["|O", "|u1", "<u2"]},
            {"dtypes": []},
            {"dtypes": 3},
            {"shape": [COUNT, 4, 5, 1]},
            {"shape": [COUNT, -5, -4, 1]},
            {"shape": [COUNT, 2**40, 2**40]},
            {"shape": [0]},
            {"shape": []},
            {"shape": [1e400, 1]},
            {"shape": None},
            {"key": "0" * 32},
            {"key": None},
            [],
            None,
        ],
    )
    def test_a_manifest_edited_with_its_checksum(
        self, files: Any, folder: Any, path: Any, change: Any
    ) -> None:
        whole = path.read_bytes()
        _, version, start, _, _ = cachefile.HEADER.unpack_from(whole)
        line, _, tables = whole[start:].partition(b"\n")
        head = {**json.loads(line), **change} if isinstance(change, dict) else change
        manifest = json.dumps(head).encode() + b"\n" + tables
        header = (cachefile.MAGIC, version, start, len(manifest), zlib.crc32(manifest))
        path.write_bytes(
            cachefile.HEADER.pack(*header) + whole[cachefile.HEADER.size : start] + manifest
        )
        with warnings_of(path):
            assert_equal(cache_files(files, folder, 1), files)

    def test_one_image(self, files: Any, folder: Any, path: Any, monkeypatch: Any) -> None:
        flip(path, cachefile.HEADER.size + 3)
        cached = cache_files(files, folder, 1)
        read = []
        read_pixels = type(files).read_pixels
        monkeypatch.setattr(
            type(files),
            "read_pixels",
            lambda self, index: (read.append(index), read_pixels(self, index))[1],
        )
        with warnings_of(path) as given:
            for _ in range(3):
                for index in range(COUNT):
                    cached[index]
        assert set(read) == {0}
        assert len(given) == 1

    def test_is_compared_once_in_a_run(
        self, files: Any, folder: Any, path: Any, monkeypatch: Any
    ) -> None:
        cached = cache_files(files, folder, 1)
        compared = []
        checksum_of = cachefile.checksum_of
        monkeypatch.setattr(
            cachefile, "checksum_of", lambda image: (compared.append(1), checksum_of(image))[1]
        )
        for _ in range(3):
            assert_equal(cached, files)
        assert len(compared) == COUNT

    @pytest.mark.parametrize("what", ["gone", "truncated", "another"])
    def test_while_it_is_open(self, files: Any, path: Any, folder: Any, what: str) -> None:
        cached = cache_files(files, folder, 1)
        if what == "truncated":
            os.truncate(path, 100)
        else:
            path.unlink()
        if what == "another":
            np.save(path, np.zeros((COUNT, 5, 4, 1)))
        with warnings_of(path) as given:
            assert_equal(cached, files)
            assert_equal(pickle_of(cached), files)
        assert given


def damaged(whole: bytes, rng: np.random.Generator) -> bytes:
    data = bytearray(whole)
    for position in rng.integers(0, len(data), rng.integers(1, 5)):
        data[position] = rng.integers(256)
    kind = rng.integers(6)
    if kind == 0:
        del data[rng.integers(len(data)) :]
    if kind == 1:
        data += rng.bytes(rng.integers(1, 100))
    if kind == 2:
        start, stop = sorted(rng.integers(0, len(data), 2))
        del data[start:stop]
    if kind == 3:
        start, stop = sorted(rng.integers(0, len(data), 2))
        data[start:stop] = rng.bytes(stop - start)
    return bytes(data)


def flip(path: pathlib.Path, position: int) -> None:
    data = bytearray(path.read_bytes())
    data[position] ^= 1
    path.write_bytes(data)


def pickle_of(cached: Any) -> Any:
    return pickle.loads(pickle.dumps(cached))


Plant = Callable[[pathlib.Path, pathlib.Path], None]


def plant_link(path: pathlib.Path, target: pathlib.Path) -> None:
    path.symlink_to(target)


def plant_dangling_link(path: pathlib.Path, target: pathlib.Path) -> None:
    path.symlink_to(target.with_name("missing"))


def plant_pipe(path: pathlib.Path, target: pathlib.Path) -> None:
    os.mkfifo(path)


def plant_folder(path: pathlib.Path, target: pathlib.Path) -> None:
    path.mkdir()


def plant_device(path: pathlib.Path, target: pathlib.Path) -> None:
    path.symlink_to("/dev/zero")


def plant_archive(path: pathlib.Path, target: pathlib.Path) -> None:
    with open(path, "wb") as file:
        np.savez(file, np.zeros(3))


@pytest.mark.parametrize(
    "plant",
    [plant_link, plant_dangling_link, plant_pipe, plant_folder, plant_device, plant_archive],
)
@pytest.mark.parametrize("ending", ["", ".lock", ".0123456789abcdef.partial", ".partial"])
def test_planted(
    files: Any, folder: Any, path: Any, tmp_path: pathlib.Path, plant: Plant, ending: str
) -> None:
    """Nothing that lies in the way is followed or waited for."""
    target = tmp_path / "target"
    target.write_bytes(b"precious")
    for name in folder.iterdir():
        name.unlink()
    planted = pathlib.Path(f"{path}{ending}")
    plant(planted, target)
    failed = False
    with time_limit(20):
        try:
            assert_equal(cache_files(files, folder, 1), files)
        except OSError as error:
            message = str(error)
            cannot = "open its lock" if ending == ".lock" else "write"
            if not re.search(rf"`cache` cannot {cannot} '{path}.*elete", message):
                raise
            failed = True
    in_the_way = ending == ".lock" and plant is not plant_archive
    assert failed == (in_the_way or (not ending and plant is plant_folder))
    assert target.read_bytes() == b"precious"
    assert not target.with_name("missing").exists()


def test_a_link_to_a_cache_is_not_followed(files: Any, folder: Any, path: pathlib.Path) -> None:
    elsewhere = path.rename(folder.with_name(path.name))
    path.symlink_to(elsewhere)
    assert_equal(cache_files(files, folder, 1), files)
    assert not path.is_symlink()


@contextlib.contextmanager
def time_limit(seconds: int) -> Iterator[None]:
    def give_up(*_: Any) -> None:
        raise AssertionError("it hangs")

    before = signal.signal(signal.SIGALRM, give_up)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


class TestRights:
    """Want of rights or room is said clearly; a complete cache needs no rights but to read."""

    def refuse(self, monkeypatch: pytest.MonkeyPatch, error: OSError) -> None:
        """Nothing can be opened to write; real permissions do not bind the superuser."""
        os_open = os.open

        def guarded(path: Any, flags: int, *arguments: Any, **options: Any) -> int:
            if flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
                raise error
            return os_open(path, flags, *arguments, **options)

        monkeypatch.setattr(os, "open", guarded)

    @pytest.mark.parametrize(
        "error", [PermissionError(13, "Permission denied"), OSError(30, "Read-only file system")]
    )
    def test_of_writing(
        self, files: Any, folder: Any, path: Any, monkeypatch: Any, error: OSError
    ) -> None:
        self.refuse(monkeypatch, error)
        assert_equal(cache_files(files, folder, 1), files)
        path.unlink()
        message = rf"`cache` cannot open its lock '{path}.lock': {error.strerror}. Delete it"
        with pytest.raises(type(error), match=message):
            cache_files(files, folder, 1)

    @pytest.mark.parametrize("limit", [0, 30, 100, 200, 300, 500])
    def test_of_room(self, files: Any, folder: Any, limit: int, silent_keras: None) -> None:
        limits = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limits[1]))
        try:
            with pytest.raises(OSError, match=rf"cannot write '{folder}.*Make room"):
                cache_files(files, folder, 1)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        assert [path.suffix for path in folder.iterdir()] == [".lock"]
        assert_equal(cache_files(files, folder, 1), files)

    def test_of_replacing(self, files: Any, folder: Any, path: Any, monkeypatch: Any) -> None:
        flip(path, 3)

        def refuse(*_: Any) -> None:
            raise PermissionError(1, "Operation not permitted")

        monkeypatch.setattr(os, "replace", refuse)
        with pytest.raises(PermissionError, match=rf"cannot write '{path}': Operation not .*elete"):
            cache_files(files, folder, 1)
        assert not list(folder.glob("*.partial"))


def build(files: Any, folder: Any) -> CachedFiles:
    return cache_files(files, folder, 1)  # type: ignore[return-value]


def test_kills_at_random_times(files: Any, folder: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A killed build leaves no cache or a good one; what it leaves is removed by the next."""
    read_pixels = type(files).read_pixels
    monkeypatch.setattr(
        type(files), "read_pixels", lambda *these: (time.sleep(0.005), read_pixels(*these))[1]
    )
    monkeypatch.setattr(cache, "CHUNK", 1)
    rng = np.random.default_rng(0)
    folder.mkdir()
    (folder / "other.partial").touch()
    for _ in range(12):
        for path in folder.glob("*.cache"):
            path.unlink()
        process = multiprocessing.get_context("fork").Process(target=build, args=(files, folder))
        process.start()
        time.sleep(rng.uniform(0, 0.08))
        process.kill()
        process.join()
        for path in folder.glob("*.cache"):
            assert cache.FolderImages(str(path), (COUNT, 5, 4, 1)).are_there()
        assert_equal(cache_files(files, folder, 1), files)
    assert len(list(folder.glob("*.cache"))) == 1
    assert (folder / "other.partial").exists()


def test_one_waits_while_another_builds(files: Any, folder: Any, path: Any) -> None:
    path.unlink()
    lock = filelock.FileLock(f"{path}.lock")
    with lock:
        thread = threading.Thread(target=build, args=(files, folder))
        thread.start()
        time.sleep(0.2)
        assert not path.exists()
    thread.join()
    assert path.exists()
