"""A cache of image or mask files, in memory or in a file that later runs reuse."""

from __future__ import annotations

import copy
import hashlib
import math
import os
import pathlib
import shutil
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol, TypeVar

import numpy as np

from multiflow import _checks
from multiflow.images import cachefile
from multiflow.images.arrays import LazyArray
from multiflow.images.auto_cache import Shelf
from multiflow.images.cachefile import CacheFile, CacheWriter
from multiflow.images.files import Files
from multiflow.index.paths import JoinedPaths
from multiflow.memory import available, readable
from multiflow.parallel import CachedProperty, run_all
from multiflow.progress import with_progress

Stored = TypeVar("Stored")

# How many images are decoded at a time.
CHUNK = 64


class Images(Protocol):
    """The pixels of images, with any channels last; None for one that cannot be had."""

    def __getitem__(self, place: int) -> np.ndarray | None: ...


class CachedFiles(LazyArray):
    """Files that were read in advance; gives the same arrays as the files, of the same dtypes.

    Args:
        files: the files.
        images: the pixels of all files in the cache.
        paths: None for those of `files`, or the paths of all files in the cache.
        positions: None, or int array, the position of each of `files` in `images`.
    """

    def __init__(
        self,
        files: Files,
        images: Images,
        paths: Sequence[str] | None = None,
        positions: np.ndarray | None = None,
    ) -> None:
        self.files = files
        self.shape, self.dtype = files.shape, files.dtype
        self._images = images
        self._paths = copy.copy(files.paths) if paths is None else paths
        self._positions = positions
        # Users edit lists; joined paths are made anew when they are asked for, which takes longer.
        self._may_be_edited = not isinstance(files.paths, JoinedPaths)

    def __getitem__(self, index: int) -> np.ndarray:
        place = index if self._positions is None else self._positions[index]
        if self._may_be_edited and self.files.paths[index] != self._paths[place]:
            return self.files[index]
        pixels = self._images[place]
        return self.files[index] if pixels is None else self.files.arrange(pixels)

    def of(self, files: Files) -> LazyArray:
        """The files by way of this cache, as far as it holds them.

        Args:
            files: these files, or what has become of them: they may be read in another way, and
                some may have other paths.
        """
        if files.decoding != self.files.decoding or len(files) != len(self):
            return files
        return CachedFiles(files, self._images, self._paths, self._positions)

    def take(self, positions: np.ndarray) -> CachedFiles:
        """The files at some positions, in this order, from the same cache."""
        taken = positions if self._positions is None else self._positions[positions]
        return CachedFiles(self.files.take(positions), self._images, self._paths, taken)

    def where(self, index: int) -> str:
        """The name of a sample in errors and captions: the path of its file."""
        return self.files.where(index)

    def __deepcopy__(self, memo: Any) -> CachedFiles:
        return self  # nothing in it changes


class FolderImages:
    """The images in the file of a cache, which each process opens when it needs it.

    An image that the file does not hold as it was written is None, with one warning.

    Args:
        path: the file.
        shape: the shape of all images together.
    """

    def __init__(self, path: str, shape: tuple[int, ...]) -> None:
        self.path = path
        self._shape = shape
        self._one_time_warnings = _checks.OneTimeWarnings()

    @CachedProperty
    def _file(self) -> CacheFile:
        file = CacheFile(self.path)
        if file.shape != self._shape:
            raise ValueError("its shape is wrong")
        return file

    def are_there(self) -> bool:
        """True if the file is there, and complete."""
        try:
            return bool(self._file)
        except cachefile.UNUSABLE:
            return False

    def __getitem__(self, place: int) -> np.ndarray | None:
        try:
            return self._file.read(place)
        except cachefile.UNUSABLE as error:
            self._one_time_warnings.warn(
                "unusable",
                f"The cache {self.path!r} cannot be used: {error}. Images that it does not hold "
                "are read from their files, which takes longer. Delete it; it is built anew when "
                "the next flow is made.",
            )
            return None

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name != "_file"}


def check_cache(cache: Any, roots: Sequence[Any]) -> None:
    """Refuses a `cache` that is neither None, a known word, nor a folder that can be made.

    Args:
        cache: what was received.
        roots: the folders that are searched for images; the cache must not lie in them.
    """
    if _checks.is_one_of(cache, (None, "auto", "memory")):
        return
    if not isinstance(cache, (str, os.PathLike)) or not os.fspath(cache):
        raise TypeError(f'`cache` must be None, "auto", "memory" or a folder. Received: {cache!r}')
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


def make_cache(files: Files, cache: Any, threads: int | None) -> Shelf | CachedFiles | None:
    """A cache of some files, whose `of` gives them by way of it; or None.

    Args:
        files: the files, which are read now, unless the cache is `"auto"`.
        cache: None, `"auto"`, `"memory"`, or a folder.
        threads: how many threads read; None for one on each core that the process may use.

    Raises:
        ValueError: if memory or disk have too little room, or a file cannot be cached.
        OSError: if a file cannot be read, or the folder cannot be written to.
        ImportError: if a library that caches need is missing.
    """
    if cache is None or not len(files):
        return None
    if cache == "auto":
        return Shelf()
    if cache == "memory":
        return CachedFiles(files, _read_into_memory(files, threads))
    folder = os.path.abspath(cache)
    os.makedirs(folder, exist_ok=True)
    paths = b"\0".join(os.fsencode(os.path.abspath(path)) for path in files.paths)
    facts = _facts(files)
    path = os.path.join(folder, f"{_key(files, paths, facts)}{cachefile.SUFFIX}")
    images = FolderImages(path, (len(files), *files.pixel_shape))
    if not images.are_there():
        with cachefile.locked(path):
            if not images.are_there():
                _write(files, path, paths, facts, threads)
    return CachedFiles(files, images)


def cache_files(files: Files, cache: Any, threads: int | None) -> LazyArray:
    """The files by way of a new cache; without a cache, as they are.

    Args and errors: as in `make_cache`.
    """
    made = make_cache(files, cache, threads)
    return files if made is None else made.of(files)


def _read_into_memory(files: Files, threads: int | None) -> list[np.ndarray]:
    def keep(pixels: np.ndarray) -> np.ndarray:
        kept = pixels.copy()  # without what it may be a part of
        kept.flags.writeable = False
        return kept

    return list(_read_in_order(files, keep, available, "memory", threads))


def _write(files: Files, path: str, paths: bytes, facts: np.ndarray, threads: int | None) -> None:
    folder = os.path.dirname(path)
    for partial in cachefile.partial_files(path):
        os.remove(partial)

    def sum_up(pixels: np.ndarray) -> tuple[np.ndarray, int]:
        return pixels, cachefile.checksum_of(pixels)

    def room() -> int:
        return shutil.disk_usage(folder).free

    with CacheWriter(path) as writer:
        for image, checksum in _read_in_order(files, sum_up, room, repr(folder), threads):
            writer.append(image, checksum)
        _check_unchanged(files, facts)
        writer.commit((len(files), *files.pixel_shape), paths, facts)


def _read_in_order(
    files: Files,
    prepare: Callable[[np.ndarray], Stored],
    room: Callable[[], int],
    place: str,
    threads: int | None,
) -> Iterator[Stored]:
    """What is kept of the pixels of each file, with Keras' progress bar.

    Args:
        files: the files.
        prepare: makes what is kept of the pixels; called in threads.
        room: tells how many bytes are free where it is kept.
        place: where that is.
        threads: how many threads read.
    """

    def read(index: int) -> Stored:
        pixels = files.read_pixels(index)
        if pixels.shape != files.pixel_shape or pixels.dtype not in cachefile.DTYPES:
            raise ValueError(
                f"{files.paths[index]!r} holds an array of shape {pixels.shape} and dtype "
                f"{pixels.dtype}, which a `cache` of {files.pixel_shape} cannot hold. If the file "
                "has just changed, run again; else leave `cache` out."
            )
        return prepare(np.ascontiguousarray(pixels))

    def read_all() -> Iterator[Stored]:
        indices = range(len(files))
        for start in indices[::CHUNK]:
            _check_room(files, len(indices) - start, room(), place)
            yield from run_all(read, indices[start : start + CHUNK], threads)

    return with_progress(read_all(), len(files), "image")


def _facts(files: Files) -> np.ndarray:
    return np.fromiter(map(cachefile.file_facts, files.paths), cachefile.FACTS, len(files))


def _key(files: Files, paths: bytes, facts: np.ndarray) -> str:
    """A hash of the files as they are, of how they are read, and of what reads them."""
    recipe = f"{cachefile.VERSION} {cachefile.software()} {files.recipe}".encode()
    return hashlib.sha256(b"\0".join([recipe, paths, facts.tobytes()])).hexdigest()[:32]


def _check_unchanged(files: Files, facts: np.ndarray) -> None:
    changed = np.flatnonzero(_facts(files) != facts)
    if len(changed):
        raise ValueError(
            f"{len(changed)} files changed while `cache` was built from them, such as "
            f"{files.paths[changed[0]]!r}. Run again."
        )


def _check_room(files: Files, count: int, room: int, place: str) -> None:
    # Most files have this dtype, and none has a smaller one.
    num_bytes = count * math.prod(files.pixel_shape) * files.dtype.itemsize
    if num_bytes > room:
        raise ValueError(
            f"`cache` needs {readable(num_bytes)} for {count:,} arrays of shape "
            f"{files.pixel_shape}, but there are only {readable(room)} free in {place}. Use a "
            "smaller `target_size`, another place, or no cache."
        )
