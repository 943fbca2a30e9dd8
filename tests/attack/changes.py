"""Files that change while a flow reads them."""

from __future__ import annotations

import os
import pathlib
import time
from collections.abc import Callable
from typing import Any
from unittest import mock

import keras
import numpy as np
from comparison import fingerprint
from PIL import Image

from multiflow import MultiDirImageDataGenerator
from multiflow.images import auto_cache

from .frame import Case, observe

COUNT, SIZE = 4, (6, 8)
# The age, in seconds, at which files count as settled: longer than a tick of their file system.
AGE = 0.02
_files_settle_soon = mock.patch.object(auto_cache, "SETTLED_AFTER_NS", int(AGE * 1e9))


@_files_settle_soon
def images(case: Case) -> str:
    """An image that changes comes as it is, or as a cache has it, or as an error that names it."""
    root = case.folder / "root"
    paths = [root / "class" / f"{number}.bmp" for number in range(COUNT)]
    for path in paths:
        _write_image(case, path, SIZE, "RGB", "BMP")
    time.sleep(2 * AGE)
    cache = case.choose({}, {"cache": None}, {"cache": "memory"}, {"cache": case.folder / "cache"})
    options = {
        **cache,
        "target_size": case.choose(SIZE, (4, 4)),
        "class_mode": None,
        "color_mode": case.choose("rgb", "grayscale"),
        "shuffle": False,
        "batch_size": 1,
    }
    case.note(options)

    def make() -> Any:
        return MultiDirImageDataGenerator().flow_from_directories([root], **options)

    def load(path: pathlib.Path) -> Any:
        names = ("color_mode", "target_size")
        image = keras.utils.load_img(path, **{name: options[name] for name in names})
        return fingerprint(keras.utils.img_to_array(image)[np.newaxis])

    def expected(path: pathlib.Path) -> Any:
        return observe(load, path).value

    flow = make()
    for _ in range(case.choose(0, 1, COUNT)):
        observe(next, flow)
    changed = paths[case.rng.integers(COUNT)]
    before = {path: expected(path) for path in paths}
    _change_image(case, changed)
    # A flow of its own must not take what has changed from the cache.
    for number, each in enumerate((flow, observe(make).value)):
        is_kept = number == 0 and options.get("cache") is not None
        for index, path in enumerate(map(pathlib.Path, each.filepaths) if each else ()):
            read = observe(lambda each=each, index=index: fingerprint(each[index]))
            if read.error:
                assert path == changed, f"{path.name} has not changed: {read.error!r}"
                assert read.names(path), f"The file is not named: {read.error!r}"
                continue
            allowed = [expected(path), before[path]] if is_kept else [expected(path)]
            assert read.value in allowed, f"{path.name}: it is neither the old nor the new file."
    return "held"


@_files_settle_soon
def pairs(case: Case) -> str:
    """Of pairs, one part of which changes, the values are right, or an error names the file."""
    kinds = ("images", "masks")
    paths = {kind: [case.folder / kind / f"{n}.png" for n in range(COUNT)] for kind in kinds}
    kept = {}
    for number in range(COUNT):
        image, mask = paths["images"][number], paths["masks"][number]
        kept[image] = [_write_image(case, image, SIZE, "RGB", "PNG")]
        kept[mask] = [_write_mask(case, mask, SIZE)]
    time.sleep(2 * AGE)
    cache = case.choose({}, {"cache": None}, {"cache": "memory"}, {"cache": case.folder / "cache"})
    options = {**cache, "target_size": case.choose(None, SIZE), "shuffle": False, "batch_size": 1}
    case.note(options)
    roots = [[case.folder / kind] for kind in kinds]
    generator = MultiDirImageDataGenerator()
    flow = observe(generator.flow_segmentation_from_directories, *roots, **options).value
    for _ in range(case.choose(0, 1, COUNT)):
        observe(next, flow)
    number, kind = int(case.rng.integers(COUNT)), case.choose("images", "masks", "masks")
    changed = paths[kind][number]
    change = _change_image if kind == "images" else _change_mask
    is_kept = options.get("cache") is not None
    kept[changed] = [*kept[changed] * is_kept, change(case, changed)]
    outcome = "held"
    for index in range(COUNT):
        read = observe(flow.__getitem__, index)
        if read.error:
            assert index == number, f"Pair {index} has not changed: {read.error!r}"
            assert read.names(changed), f"The file is not named: {read.error!r}"
            outcome = "error"
            continue
        for kind, part in zip(kinds, read.value, strict=True):
            choices = kept[paths[kind][index]]
            right = [array for array in choices if array is not None and _equal(part[0], array)]
            assert right or read.names(changed), (
                f"{kind}/{index}.png: neither the old values nor the new ones: {part.ravel()[:5]}"
            )
    return outcome


ATTACKS = (images, pairs)


def _equal(received: np.ndarray, stored: np.ndarray) -> bool:
    return received.shape == stored.shape and bool((received == stored).all())


def _write_image(
    case: Case, path: pathlib.Path, size: tuple[int, int], mode: str, form: str
) -> np.ndarray:
    """Writes an image; returns it in RGB, as Pillow reads it."""
    pixels = case.rng.integers(0, 256, (*size, 3), np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).convert(mode).save(path, form)
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"))


def _write_mask(case: Case, path: pathlib.Path, size: tuple[int, int]) -> np.ndarray:
    mask = case.rng.integers(0, 4, size, np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(mask).save(path)
    return mask


def _other_size(case: Case) -> tuple[int, int]:
    return case.choose((3, 4), (12, 16), (8, 6), (6, 9))


def _change_image(case: Case, path: pathlib.Path) -> np.ndarray | None:
    """Changes an image in one of many ways; returns its pixels, if it has the size it had."""
    status = os.stat(path)
    form = "BMP" if path.suffix == ".bmp" else "PNG"
    kind = case.choose("pixels", "size", "mode", "format", "delete", "truncate", "folder")
    case.note(path.name, "image changes:", kind)
    if kind == "pixels":
        pixels = _write_image(case, path, SIZE, "RGB", form)
        if case.happens(0.5):  # nor does a BMP change its length
            os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
        return pixels
    if kind == "mode":
        return _write_image(case, path, SIZE, case.choose("L", "RGBA", "1", "P"), form)
    if kind == "size":
        _write_image(case, path, _other_size(case), "RGB", form)
    elif kind == "format":
        return _write_image(case, path, SIZE, "RGB", case.choose("JPEG", "TIFF", "PNG"))
    else:
        _break(case, path, kind)
    return None


def _change_mask(case: Case, path: pathlib.Path) -> np.ndarray | None:
    """Changes a mask in one of many ways; returns its values, if it has the size it had."""
    kind = case.choose(
        "values", "size", "depth", "channels", "floats", "delete", "truncate", "folder"
    )
    case.note(path.name, "mask changes:", kind)
    arrays: dict[str, Callable[[], np.ndarray]] = {
        "values": lambda: case.rng.integers(0, 9, SIZE, np.uint8),
        "size": lambda: case.rng.integers(0, 4, _other_size(case), np.uint8),
        "depth": lambda: case.rng.integers(250, 999, SIZE).astype(np.uint16),
        "channels": lambda: case.rng.integers(0, 4, (*SIZE, case.choose(3, 4)), np.uint8),
        "floats": lambda: case.rng.normal(0, 2, SIZE).astype(np.float32),
    }
    if kind not in arrays:
        _break(case, path, kind)
        return None
    array = arrays[kind]()
    Image.fromarray(array).save(path, "TIFF" if kind == "floats" else "PNG")
    return array if array.shape[:2] == SIZE else None


def _break(case: Case, path: pathlib.Path, kind: str) -> None:
    data = path.read_bytes()
    path.unlink()
    if kind == "truncate":
        path.write_bytes(data[: case.rng.integers(len(data) - 20)])
    elif kind == "folder":
        path.mkdir()
