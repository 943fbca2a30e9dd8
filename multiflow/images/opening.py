"""Opens the files of images and masks, and refuses what is no regular file."""

from __future__ import annotations

import contextlib
import functools
import os
import stat
from collections.abc import Iterator

import numpy as np
from PIL import Image, ImageFile

from multiflow.parallel import Lock

_reading_header = Lock()

# Pipes are opened without waiting for a writer; text is not translated. Not all systems have these.
_OPTIONAL_FLAGS = functools.reduce(
    int.__or__, (getattr(os, name, 0) for name in ("O_NONBLOCK", "O_CLOEXEC", "O_BINARY"))
)
_NO_LINK = getattr(os, "O_NOFOLLOW", 0)


def is_numpy_file(path: str) -> bool:
    """True if NumPy reads the file, not Pillow."""
    return path.lower().endswith(".npy")


def open_array(path: str) -> np.ndarray:
    """The array in an `.npy` file, memory-mapped."""
    os.close(open_regular(path))
    # NumPy reads the header with `ast`, which fails in threads in some versions of Python.
    with _reading_header:
        return np.lib.format.open_memmap(path, mode="r")


def read_bytes(path: str) -> bytes:
    """The content of a file."""
    with open(open_regular(path), "rb", buffering=0) as file:
        return file.read()


@contextlib.contextmanager
def open_picture(path: str) -> Iterator[ImageFile.ImageFile]:
    """An image file as Pillow opens it, with its pixels not read yet."""
    # Of a path, Pillow maps the file to memory, and then turns some TIFF files wrongly.
    with open(open_regular(path), "rb") as file, Image.open(file) as image:
        yield image


def open_regular(path: str, *, follow_links: bool = True) -> int:
    """A descriptor to read a file, which the caller closes.

    Args:
        path: the file.
        follow_links: whether the file may be a symbolic link.

    Raises:
        OSError: if it cannot be opened; or is a pipe, socket or device, which may block for ever.
    """
    flags = os.O_RDONLY | _OPTIONAL_FLAGS
    descriptor = os.open(path, flags if follow_links else flags | _NO_LINK)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError("it is no regular file, but a folder, pipe or device")
    return descriptor


def reason_of(error: Exception) -> str:
    """The text of an error of Pillow, without the file object that it names."""
    return str(error).split(" <_io.")[0]
