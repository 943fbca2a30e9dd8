"""All readers over the files of a folder, such as the test images of Pillow."""

from __future__ import annotations

import collections
import gc
import io
import pathlib
from typing import Any

import keras
import numpy as np
from PIL import Image

from multiflow.images.common import read_headers
from multiflow.images.decoding import NUM_CHANNELS
from multiflow.images.files import Decoding, ImageFiles, MaskFiles
from multiflow.index.pairs import Pair, Problems

from .frame import Outcome, Result, observe, run_in_child

READERS = (*NUM_CHANNELS, "masks")  # images in each color mode, and masks
SECONDS = 10  # the most that a reader may take
SIZE = (37, 29)


def main(folder: pathlib.Path) -> int:
    """Reads all files below a folder in all ways, and prints what happened."""
    counts: dict[str, collections.Counter[str]] = {
        reader: collections.Counter() for reader in READERS
    }
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        results = run_in_child(read_all, str(path), seconds=SECONDS * len(READERS))
        if isinstance(results, Result):  # of the process, not of a reader
            results = dict.fromkeys(READERS, results)
        for reader, result in results.items():
            counts[reader][result.outcome] += 1
            if result.failure:
                print(f"FAILED: {reader}: {path}: {result.failure}", flush=True)
    for reader, counted in counts.items():
        print(f"{reader:10}{counted.total():6} files:", *(f"{v} {k}," for k, v in counted.items()))
    return 1 if any(counted["failed"] for counted in counts.values()) else 0


def read_all(path: str) -> dict[str, Result]:
    """Reads a file in all ways."""
    gc.freeze()  # collecting would look through all that was imported
    results = {}
    for reader in READERS:
        results[reader] = read(path, reader)
        gc.collect()  # errors keep the pixels in their tracebacks
    return results


def read(path: str, reader: str) -> Result:
    """Reads a file in one way, and compares."""
    if reader == "masks":
        received, expected = observe(_read_mask, path), observe(_pillows_array, path)
    else:
        received, expected = observe(_read_image, path, reader), observe(_keras_array, path, reader)
    if received.error:
        if not received.names(path):
            return Result("failed", f"The error does not name the file: {received.error!r}")
        if reader != "masks" and not expected.error:
            return Result("failed", f"Keras reads it: {received.error!r}")
        return Result("error")
    return _compare(reader, received, expected)


def _compare(reader: str, received: Outcome, expected: Outcome) -> Result:
    if expected.error:
        return Result("failed", f"Keras or Pillow raises {expected.error!r}.")
    same_dtype = reader == "masks" or received.value.dtype == expected.value.dtype
    if not same_dtype or not np.array_equal(received.value, expected.value):
        return Result("failed", f"Other values: {received.value.dtype}, {expected.value.dtype}.")
    return Result("equal")


def _read_image(path: str, color_mode: str) -> Any:
    return ImageFiles([path], Decoding(SIZE, color_mode, "nearest", False, False))[0]


def _keras_array(path: str, color_mode: str) -> Any:
    array = np.asarray(keras.utils.load_img(path, color_mode=color_mode, target_size=SIZE))
    return array if array.ndim == 3 else array[..., np.newaxis]


def _read_mask(path: str) -> Any:
    problems = Problems()
    _, headers = read_headers([Pair(path, path, 0, "", 0)], problems, channels_first=False)
    problems.raise_if_any("")
    decoding = Decoding(headers[0].size, None, "nearest", False, False)
    form = headers[0].num_channels, headers[0].dtype
    return MaskFiles([path], decoding, *form, {path: headers[0]})[0]


def _pillows_array(path: str) -> Any:
    with open(path, "rb") as file:
        return np.asarray(Image.open(io.BytesIO(file.read())))
