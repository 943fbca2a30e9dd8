"""Opens the files of images and masks, and refuses what is no regular file."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterator

import numpy as np
from PIL import Image, ImageFile

from multiflow.parallel import Lock

_reading_header = Lock()


def is_numpy_file(path: str) -> bool:
    """True if NumPy reads the file, not Pillow."""
    return path.lower().endswith(".npy")


def open_array(path: str) -> np.ndarray:
    """The array in an `.npy` file, memory-mapped."""
    check_regular(path)
    # NumPy reads the header with `ast`, which fails in threads in some versions of Python.
    with _reading_header:
        return np.lib.format.open_memmap(path, mode="r")


def read_bytes(path: str) -> bytes:
    """The content of a file."""
    check_regular(path)
    with open(path, "rb", buffering=0) as file:
        return file.read()


@contextlib.contextmanager
def open_picture(path: str) -> Iterator[ImageFile.ImageFile]:
    """An image file as Pillow opens it, with its pixels not read yet."""
    check_regular(path)
    # Of a path, Pillow maps the file to memory, and then turns some TIFF files wrongly.
    with open(path, "rb") as file, Image.open(file) as image:
        yield image


def check_regular(path: str) -> None:
    """Refuses pipes, sockets and devices, which may block for ever."""
    if not stat.S_ISREG(os.stat(path).st_mode):
        raise OSError("it is no regular file, but a folder, pipe, socket or device")


def reason_of(error: Exception) -> str:
    """The text of an error of Pillow, without the file object that it names."""
    return str(error).split(" <_io.")[0]
