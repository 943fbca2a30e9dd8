"""Decoded images and masks, kept in memory or in a file that later runs reuse."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import itertools
import math
import os
import shutil
from collections.abc import Iterator
from typing import Any

import numpy as np
import PIL

from multiflow import extras
from multiflow.images.files import Files
from multiflow.parallel import run_all
from multiflow.progress import with_progress

# Changes with what the file of a cache holds.
VERSION = 1
# Images that are decoded before any of them is kept.
CHUNK = 64


class CachedFiles:
    """Files that were all read beforehand; it gives the arrays that they give.

    Args:
        files: the files.
        pixels: what they hold, or the path of an `.npy` file of it.
    """

    reads_in_threads = True

    def __init__(self, files: Files, pixels: np.ndarray | str) -> None:
        self.files = files
        self.paths = files.paths
        self.shape = files.shape
        self._stored = pixels
        self.dtype = self._pixels.dtype

    @functools.cached_property
    def _pixels(self) -> np.ndarray:
        if isinstance(self._stored, str):
            return np.load(self._stored, mmap_mode="r").view(np.ndarray)
        return self._stored

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int) -> np.ndarray:
        return self.files.arrange(self._pixels[index])

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name != "_pixels"}

    def __deepcopy__(self, memo: Any) -> CachedFiles:
        return self  # nothing in it changes


def cache_files(files: Files, cache: Any, threads: int | None) -> Files | CachedFiles:
    """The files, read now if they are to be cached.

    Args:
        files: the files.
        cache: None, `"memory"`, or a folder.
        threads: how many threads read; None for as many as there are cores to use.

    Raises:
        ValueError: if memory or disk have too little room.
        OSError: if a file cannot be read, or the folder cannot be written to.
        ImportError: if a library that caches need is missing.
    """
    if cache is None or not len(files):
        return files
    if cache == "memory":
        return CachedFiles(files, _read_into_memory(files, threads))
    folder = os.path.abspath(cache)
    os.makedirs(folder, exist_ok=True)
    path = os.path.join(folder, f"{_key(files)}.npy")
    if not _is_complete(path, files):
        # One process builds while others wait. The system unlocks what a killed one leaves.
        with _require("filelock").FileLock(f"{path}.lock"):
            if not _is_complete(path, files):
                _write(files, path, threads)
    return CachedFiles(files, path)


def _require(name: str) -> Any:
    return extras.require(name, user="`cache`", extra="fast")


def _read_into_memory(files: Files, threads: int | None) -> np.ndarray:
    shape, dtype = _stored_shape(files), files.find_dtype(threads)
    _check_room(shape, dtype, _require("psutil").virtual_memory().available, "memory")
    pixels = np.empty(shape, dtype)
    for index, image in enumerate(_read_in_order(files, dtype, threads)):
        pixels[index] = image
    pixels.flags.writeable = False
    return pixels


def _write(files: Files, path: str, threads: int | None) -> None:
    shape, dtype = _stored_shape(files), files.find_dtype(threads)
    folder = os.path.dirname(path)
    _check_room(shape, dtype, shutil.disk_usage(folder).free, repr(folder))
    header = {"descr": dtype.str, "fortran_order": False, "shape": shape}
    partial = f"{path}.partial"
    try:
        with open(partial, "wb") as file:
            np.lib.format.write_array_header_1_0(file, header)
            for image in _read_in_order(files, dtype, threads):
                file.write(image.tobytes())
            file.flush()
            os.fsync(file.fileno())
        _check_unchanged(files, path)
        os.replace(partial, path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.remove(partial)
        raise


def _check_unchanged(files: Files, path: str) -> None:
    if os.path.basename(path) != f"{_key(files)}.npy":
        raise ValueError(f"Files changed while `cache` was built of them, {path!r}. Run it again.")


def _stored_shape(files: Files) -> tuple[int, ...]:
    return (len(files), *files.pixel_shape)


def _is_complete(path: str, files: Files) -> bool:
    """Whether a file is there, and nothing has cut it off."""
    try:
        return np.load(path, mmap_mode="r").shape == _stored_shape(files)
    except (FileNotFoundError, ValueError, EOFError):
        return False


def _read_in_order(files: Files, dtype: np.dtype, threads: int | None) -> Iterator[np.ndarray]:
    """The contents of the files, with Keras' progress bar."""

    def read(index: int) -> np.ndarray:
        pixels = files.read_pixels(index)
        if not np.can_cast(pixels.dtype, dtype):
            raise ValueError(
                f"{files.paths[index]!r} holds {pixels.dtype}, which its cache of {dtype} cannot "
                "hold. Did the file change just now? Leave `cache` out."
            )
        return pixels.astype(dtype, copy=False)

    indices = range(len(files))
    chunks = (indices[start : start + CHUNK] for start in indices[::CHUNK])
    images = itertools.chain.from_iterable(run_all(read, chunk, threads) for chunk in chunks)
    return with_progress(images, len(files), "image")


def _key(files: Files) -> str:
    """A name for what the files hold now, and for what is made of it."""
    key = hashlib.sha256(f"{VERSION} {PIL.__version__} {files.decoding}".encode())
    for path in files.paths:
        status = os.stat(path)
        facts = (os.path.abspath(path), status.st_size, status.st_mtime_ns)
        key.update(repr(facts).encode("utf-8", "surrogateescape"))
    return key.hexdigest()[:32]


def _check_room(shape: tuple[int, ...], dtype: np.dtype, room: int, where: str) -> None:
    num_bytes = math.prod(shape) * dtype.itemsize
    if num_bytes > room:
        raise ValueError(
            f"`cache` needs {_readable(num_bytes)} for {shape[0]:,} arrays of shape {shape[1:]}, "
            f"but there are only {_readable(room)} free in {where}. Use a smaller `target_size`, "
            "another place, or no cache."
        )


def _readable(num_bytes: int) -> str:
    power = min(4, max(1, int(math.log10(max(num_bytes, 1)) // 3)))
    return f"{num_bytes / 1000**power:.1f} {' kMGT'[power]}B"
