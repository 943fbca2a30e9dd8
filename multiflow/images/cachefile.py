"""The file of a cache: images of any dtypes, and what they were made from. Nothing is trusted."""

from __future__ import annotations

import contextlib
import errno
import functools
import json
import math
import os
import platform
import re
import secrets
import stat
import struct
import weakref
import zlib
from array import array
from collections.abc import Iterator, Sequence
from typing import Any

import keras
import numpy as np
import PIL
from PIL import features

from multiflow import extras
from multiflow.images.opening import open_regular

# A file holds a header, the pixels of one image after the other, and a manifest: a line of JSON, a
# row of `ENTRY` for each image, and the paths of their files, which NUL separates. The header is
# written last. Raise the version with any change of the format, or of the pixels that are decoded.
VERSION = 2
MAGIC = b"multiflow cache\n"
HEADER = struct.Struct("<16sIQQI")  # MAGIC, VERSION, and of the manifest start, size and checksum
FACTS = np.dtype([("size", "<i8"), ("mtime_ns", "<i8"), ("ctime_ns", "<i8"), ("inode", "<u8")])
ENTRY = np.dtype([("checksum", "<u4"), ("dtype", "u1"), ("facts", FACTS)])
# The dtypes that images can have: numbers in either byte order.
DTYPES = {np.dtype(order + code) for order in "<>" for code in "?bBhHiIlLqQefdg"}
# The names of files: a cache, its lock, and one that is being written.
SUFFIX, LOCK, PARTIAL = ".cache", ".lock", ".partial"
# The errors by which a file shows that it cannot be used.
UNUSABLE = (OSError, ValueError)


def file_facts(path: str) -> tuple[int, int, int, int]:
    """What shows that a file was changed: size, mtime and ctime in nanoseconds, and inode."""
    status = os.stat(path)
    return status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino % 2**64


@functools.cache
def software() -> str:
    """All that decides, beside a file and how it is read, which pixels it gives."""
    # zlib loses nothing, and which one there is depends on what a process imported first.
    codecs = {*features.codecs, *({"webp", "avif"} & set(features.modules))} - {"zlib"}
    versions = ", ".join(f"{name} {features.version(name)}" for name in sorted(codecs))
    return f"Pillow {PIL.__version__} ({versions}), Keras {keras.__version__}, {platform.machine()}"


def checksum_of(image: np.ndarray) -> int:
    """The checksum of the dtype, the shape and, in C order, the bytes of an image."""
    return zlib.crc32(_bytes_of(image), zlib.crc32(f"{image.dtype.str} {image.shape}".encode()))


def _bytes_of(array: np.ndarray) -> memoryview:
    return array.reshape(-1).view(np.uint8).data  # of other dtypes, some have no view of memory


class CacheFile:
    """The images in the file of a cache; the checksum of each is compared when it is first read.

    Pixels are read and not mapped: a mapped file that is truncated kills the process.

    Args:
        path: the file.

    Attributes:
        path: the file.
        shape: the shape of all images together, their number first.
        num_bytes: the size of the file.
        modified: when it was written, in seconds since 1970.
        software: what decoded the images, as `software()` says it.

    Raises:
        OSError: if the file cannot be read, or is no cache.
        ValueError: if it is a cache that is damaged, or of another version.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self._descriptor = open_regular(path, follow_links=False)
        weakref.finalize(self, os.close, self._descriptor)
        status = os.fstat(self._descriptor)
        self.num_bytes, self.modified = status.st_size, status.st_mtime
        try:
            self._read_manifest()
        except (LookupError, TypeError, ArithmeticError, RecursionError, MemoryError) as error:
            raise ValueError(f"its manifest is wrong: {error!r}") from error

    def _read_manifest(self) -> None:
        header = self._read_bytes(0, min(HEADER.size, self.num_bytes))
        if not header.startswith(MAGIC):
            raise FileExistsError(errno.EEXIST, "it is no cache of multiflow", self.path)
        header += bytes(HEADER.size - len(header))
        _, version, start, size, checksum = HEADER.unpack(header)
        if version != VERSION:
            raise ValueError("another version of multiflow wrote it")
        if start + size != self.num_bytes:
            raise ValueError("its size is wrong")
        manifest = self._read_bytes(start, size)
        if zlib.crc32(manifest) != checksum:
            raise ValueError("the checksum of its manifest is wrong")
        end = manifest.index(b"\n")
        head = json.loads(manifest[:end])
        if f"{head['key']}{SUFFIX}" != os.path.basename(self.path):
            raise ValueError("it was renamed")
        self.software = str(head["software"])
        self.shape = tuple(map(int, head["shape"]))
        self._dtypes = [np.dtype(str(text)) for text in head["dtypes"]]
        count, num_values = self.shape[0], math.prod(self.shape[1:])
        # A value has at least a byte. Checked before arrays of these sizes are made.
        if min(self.shape) < 1 or count * num_values > start or not set(self._dtypes) <= DTYPES:
            raise ValueError("its shape or dtypes are wrong")
        entries = np.frombuffer(manifest, ENTRY, count, end + 1)
        self._checksums, self._numbers = entries["checksum"].copy(), entries["dtype"].copy()
        itemsizes = np.array([dtype.itemsize for dtype in self._dtypes])
        self._ends = HEADER.size + np.cumsum(itemsizes[self._numbers] * num_values)
        if self._ends[-1] != start:
            raise ValueError("its size is wrong")
        self._is_checked = np.zeros(count, bool)
        self._start_of_entries = start + end + 1

    def read(self, place: int) -> np.ndarray:
        """The image at a position, as a new array.

        Raises:
            OSError: if it cannot be read.
            ValueError: if it is not the one that was written.
        """
        pixels = np.empty(self.shape[1:], self._dtypes[self._numbers[place]])
        self._read_into(pixels, int(self._ends[place]) - pixels.nbytes)
        if not self._is_checked[place]:
            if checksum_of(pixels) != self._checksums[place]:
                raise ValueError("the checksum of an image is wrong")
            self._is_checked[place] = True
        return pixels

    def sources(self) -> tuple[list[str], np.ndarray]:
        """The absolute paths of the files that were decoded, and an array of their `FACTS`.

        Raises:
            OSError, ValueError: as `read`.
        """
        start = self._start_of_entries
        manifest = self._read_bytes(start, self.num_bytes - start)
        entries = np.frombuffer(manifest, ENTRY, self.shape[0])
        paths = [os.fsdecode(bytes(path)) for path in manifest[entries.nbytes :].split(b"\0")]
        if len(paths) != len(entries):
            raise ValueError("its list of files is wrong")
        return paths, entries["facts"]

    def _read_bytes(self, start: int, size: int) -> bytearray:
        data = bytearray(size)
        self._read_into(np.frombuffer(data, np.uint8), start)
        return data

    def _read_into(self, target: np.ndarray, start: int) -> None:
        """Fills an array with the bytes of the file that begin at `start`."""
        left = _bytes_of(target)
        while len(left):
            num_read = self._read_some(left, start)
            if not num_read:
                raise ValueError("its size is wrong")
            left, start = left[num_read:], start + num_read

    def _read_some(self, target: memoryview, start: int) -> int:
        if hasattr(os, "preadv"):
            return os.preadv(self._descriptor, [target], start)
        with open(self.path, "rb", buffering=0) as file:  # Windows, where files cannot be replaced
            file.seek(start)
            return file.readinto(target)


class CacheWriter:
    """Writes the file of a cache, which appears under its name when it is complete.

    To be used in a `with` statement; if that ends before `commit`, nothing is left.

    Args:
        path: the file.

    Raises:
        OSError: from all methods, if the file cannot be written; the text says what to do.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._partial = f"{path}.{secrets.token_hex(8)}{PARTIAL}"
        self._dtypes: list[np.dtype] = []
        self._numbers, self._checksums = array("B"), array("I")

    def __enter__(self) -> CacheWriter:
        with self._explained():
            # The mode "x" makes a new file; it follows no link and opens nothing that is there.
            self._file = open(self._partial, "xb")
            self._file.write(HEADER.pack(MAGIC, VERSION, 0, 0, 0))
        return self

    def __exit__(self, *error: Any) -> None:
        with contextlib.suppress(OSError):
            self._file.close()
        with contextlib.suppress(FileNotFoundError):
            os.remove(self._partial)

    def append(self, image: np.ndarray, checksum: int) -> None:
        """Writes the next image, a C-contiguous array, with its `checksum_of`."""
        if image.dtype not in self._dtypes:
            self._dtypes.append(image.dtype)
        self._numbers.append(self._dtypes.index(image.dtype))
        self._checksums.append(checksum)
        with self._explained():
            self._file.write(_bytes_of(image))

    def commit(self, shape: Sequence[int], paths: bytes, facts: np.ndarray) -> None:
        """Writes what the images were made from, and gives the file its name.

        Args:
            shape: the shape of all images together.
            paths: the absolute paths of their files, which NUL separates.
            facts: array of the `FACTS` of these files.
        """
        head = {
            "key": os.path.basename(self._path).removesuffix(SUFFIX),
            "software": software(),
            "shape": [int(size) for size in shape],
            "dtypes": [dtype.str for dtype in self._dtypes],
        }
        entries = np.empty(len(facts), ENTRY)
        entries["checksum"], entries["dtype"] = self._checksums, self._numbers
        entries["facts"] = facts
        manifest = b"".join([json.dumps(head).encode(), b"\n", entries.tobytes(), paths])
        with self._explained():
            start = self._file.tell()
            self._file.write(manifest)
            self._file.seek(0)
            checksum = zlib.crc32(manifest)
            self._file.write(HEADER.pack(MAGIC, VERSION, start, len(manifest), checksum))
            self._file.flush()
            os.fsync(self._file.fileno())
            self._file.close()  # Windows renames no open file
            os.replace(self._partial, self._path)

    @contextlib.contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise OSError(
                error.errno,
                f"`cache` cannot write {self._path!r}: {error.strerror}. Make room, delete what is "
                "in the way, or name another folder, one that you can write to.",
            ) from error


def partial_files(path: str) -> list[str]:
    """The files that were being written for a cache when their processes were killed.

    The caller holds the lock of the cache, so that none is still being written.
    """
    name = re.compile(re.escape(os.path.basename(path)) + r"\.[0-9a-f]{16}" + re.escape(PARTIAL))
    with os.scandir(os.path.dirname(path)) as entries:
        return [
            entry.path
            for entry in entries
            if name.fullmatch(entry.name) and entry.is_file(follow_symlinks=False)
        ]


@contextlib.contextmanager
def locked(path: str, *, waits: bool = True) -> Iterator[None]:
    """Locks a cache, so that one process builds it; if that is killed, the system unlocks it.

    Args:
        path: the file of the cache.
        waits: whether to wait for another process.

    Raises:
        TimeoutError: if another process has the lock, and `waits` is False.
        OSError: if the lock cannot be had; the text says what to do.
        ImportError: if a library is missing.
    """
    filelock = extras.require("filelock", user="`cache`", extra="fast")
    name = f"{path}{LOCK}"
    lock = filelock.FileLock(name)
    try:
        if os.path.lexists(name) and not stat.S_ISREG(os.lstat(name).st_mode):
            raise FileExistsError(errno.EEXIST, "it is no regular file")
        lock.acquire(timeout=-1 if waits else 0)
    except TimeoutError:
        raise
    except OSError as error:
        raise OSError(
            error.errno,
            f"`cache` cannot open its lock {name!r}: {error.strerror}. Delete it if it is in the "
            "way, or name another folder, one that you can write to.",
        ) from error
    try:
        yield
    finally:
        lock.release()
