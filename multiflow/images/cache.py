"""A cache of image or mask files, in memory or in a file that later runs reuse."""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import math
import os
import pathlib
import shutil
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import PIL

from multiflow import _checks, extras
from multiflow.images.arrays import LazyArray
from multiflow.images.files import Files
from multiflow.parallel import CachedProperty, run_all
from multiflow.progress import with_progress

# The version of the cache's file format.
VERSION = 1
# How many images are decoded at a time.
CHUNK = 64


class CachedFiles(LazyArray):
    """Files that were read in advance; gives the same arrays as the files.

    Args:
        files: the files.
        pixels: array of the pixels of all files in the cache, or the path of its `.npy` file.
        positions: None, or int array, the position of each of `files` in `pixels`.
    """

    def __init__(
        self, files: Files, pixels: np.ndarray | str, positions: np.ndarray | None = None
    ) -> None:
        self.files = files
        self.shape = files.shape
        self._stored = pixels
        self._positions = positions
        self.dtype = self._pixels.dtype

    @CachedProperty
    def _pixels(self) -> np.ndarray:
        if isinstance(self._stored, str):
            return np.load(self._stored, mmap_mode="r").view(np.ndarray)
        return self._stored

    def __getitem__(self, index: int) -> np.ndarray:
        place = index if self._positions is None else self._positions[index]
        return self.files.arrange(self._pixels[place])

    def take(self, positions: np.ndarray) -> CachedFiles:
        """The files at some positions, in this order, from the same cache."""
        taken = positions if self._positions is None else self._positions[positions]
        return CachedFiles(self.files.take(positions), self._stored, taken)

    def where(self, index: int) -> str:
        """The name of a sample in errors and captions: the path of its file."""
        return self.files.where(index)

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name != "_pixels"}

    def __deepcopy__(self, memo: Any) -> CachedFiles:
        return self  # nothing in it changes


def check_cache(cache: Any, roots: Sequence[Any]) -> None:
    """Refuses a `cache` that is neither None, `"memory"` nor a folder that can be made.

    Args:
        cache: what was received.
        roots: the folders that are searched for images; the cache must not lie in them.
    """
    if _checks.is_one_of(cache, (None, "memory")):
        return
    if not isinstance(cache, (str, os.PathLike)) or not os.fspath(cache):
        raise TypeError(f'`cache` must be None, "memory" or a folder. Received: {cache!r}')
    folder = os.path.abspath(cache)
    if not os.path.isdir(os.path.dirname(folder)):
        raise FileNotFoundError(
            f"`cache` names {os.fspath(cache)!r}, in a folder that does not exist: "
            f"{os.path.dirname(folder)!r}. Check the path."
        )
    if os.path.exists(folder) and not os.path.isdir(folder):
        raise NotADirectoryError(
            f"`cache` names {os.fspath(cache)!r}, which is a file. It must be a folder."
        )
    for root in roots:
        inner, outer = (pathlib.Path(os.path.realpath(path)) for path in (folder, root))
        if inner.is_relative_to(outer):
            raise ValueError(
                f"`cache` names {os.fspath(cache)!r}, which lies in {os.fspath(root)!r}, where "
                "images are searched for. Put it elsewhere."
            )


def cache_files(files: Files, cache: Any, threads: int | None) -> Files | CachedFiles:
    """Reads files now, if they are to be cached; without a cache, returns them as they are.

    Args:
        files: the files.
        cache: None, `"memory"`, or a folder.
        threads: how many threads read; None for one on each core that the process may use.

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
        # One process builds while others wait. If it is killed, the system unlocks the file.
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
        raise ValueError(f"Files changed while `cache` was built from them: {path!r}. Run again.")


def _stored_shape(files: Files) -> tuple[int, ...]:
    return (len(files), *files.pixel_shape)


def _is_complete(path: str, files: Files) -> bool:
    """True if the file of a cache exists and is not truncated."""
    try:
        return np.load(path, mmap_mode="r").shape == _stored_shape(files)
    except (FileNotFoundError, ValueError, EOFError):
        return False


def _read_in_order(files: Files, dtype: np.dtype, threads: int | None) -> Iterator[np.ndarray]:
    """The pixels of the files, with Keras' progress bar."""

    def read(index: int) -> np.ndarray:
        pixels = files.read_pixels(index)
        if not np.can_cast(pixels.dtype, dtype):
            raise ValueError(
                f"{files.paths[index]!r} holds {pixels.dtype}, which a `cache` of {dtype} cannot "
                "hold. If the file has just changed, run again; else leave `cache` out."
            )
        return pixels.astype(dtype, copy=False)

    indices = range(len(files))
    chunks = (indices[start : start + CHUNK] for start in indices[::CHUNK])
    images = itertools.chain.from_iterable(run_all(read, chunk, threads) for chunk in chunks)
    return with_progress(images, len(files), "image")


def _key(files: Files) -> str:
    """A hash of the files as they are now, and of how they are read."""
    key = hashlib.sha256(f"{VERSION} {PIL.__version__} {files.recipe}".encode())
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
