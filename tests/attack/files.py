"""Broken and odd files, read as images and as masks."""

from __future__ import annotations

import io
import os
import pathlib
import socket
from typing import Any

import numpy as np
from comparison import fingerprint
from PIL import Image

from multiflow import MultiDirImageDataGenerator, _keras

from . import pictures
from .frame import Case, Outcome, observe
from .pictures import EXTENSIONS, Picture, Size

STEMS = (
    "plain",
    "two words",
    "Grüße",
    "日本",
    "dot.ted",
    "100%",
    "[a]*",
    "-x",
    "'quoted\"",
    "new\nline",
)


def images(case: Case) -> str:
    """Of any file, the same image as Keras', or an error where Keras has one, which names it."""
    made = _picture(case)
    path = _write(case, case.folder / "root" / "class", made)
    options = {
        "target_size": case.choose((7, 7), (5, 12), pictures.some_size(case)),
        "color_mode": case.choose("rgb", "rgba", "grayscale"),
        "interpolation": case.choose("nearest", *_keras.PIL_INTERPOLATION_METHODS),
        "keep_aspect_ratio": case.happens(0.3),
        "class_mode": None,
    }
    case.note(path.name, options)
    root = str(case.folder / "root")
    expected = observe(
        _first_batch, _keras.ImageDataGenerator(), "flow_from_directory", root, **options
    )
    ours = MultiDirImageDataGenerator()
    for method, roots in (("flow_from_directory", root), ("flow_from_directories", [root])):
        received = observe(_first_batch, ours, method, roots, **options)
        if expected.error or received.error:
            assert received.error, f"Keras raises {expected.error!r}, {method} does not."
            assert expected.error, f"{method} raises {received.error!r}, Keras does not."
            assert received.names(path), f"{method} does not name the file: {received.error!r}"
        else:
            same = fingerprint(expected.value) == fingerprint(received.value)
            assert same, f"{method} gives other pixels than Keras."
    return "error" if expected.error else "equal"


def masks(case: Case) -> str:
    """Of any file, the values that were stored, or a word that names it."""
    made = _picture(case)
    path = _write(case, case.folder / "masks", made)
    size = _size_as_read(made)
    _write_array(case.folder / "images" / path.with_suffix(".npy").name, size)
    target = case.choose(None, None, (5, 9))
    case.note(path.name, f"target_size={target}")
    received = observe(_first_masks, case.folder, target_size=target)
    is_natural = made.extension and path.name.endswith(made.extension)
    return _judge_mask(made, path, received, target, must_read=bool(made.is_plain and is_natural))


def several_masks(case: Case) -> str:
    """Of masks of different kinds in one flow, each as it was stored, or a word about one."""
    size = pictures.some_size(case)
    all_made, paths = [], []
    for number in range(case.choose(2, 3)):
        while True:
            make = case.choose(pictures.picture, pictures.picture, _array_mask)
            made = make(case, size)
            if made.stored is not None and made.stored.shape[:2] == size and not made.flaw:
                break
            case.notes.pop()
        path = case.folder / "masks" / f"{number}{made.extension or '.png'}"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(made.data)
        _write_array(case.folder / "images" / f"{number}.npy", size)
        all_made.append(made)
        paths.append(path)
    received = observe(_first_masks, case.folder, target_size=None)
    told = [path for path in paths if received.names(path)]
    if received.error:
        assert told, f"No mask is named: {received.error!r}"
        return "error"
    if told:
        return "warning"
    palettes = {made.palette for made in all_made if made.palette}
    assert len(palettes) < 2, "The palettes differ, and nothing is said of it."
    for made, path, mask in zip(all_made, paths, received.value, strict=True):
        _assert_values(mask, made.stored, path)
    return "equal"


def orientations(case: Case) -> str:
    """Image and mask are turned alike, or a word names them."""
    side = int(case.rng.integers(2, 12))
    size = case.choose((side, side), (side, side), (side, side + 3))
    paths, tags, arrays = [], [], []
    for kind, mode in (("images", "RGB"), ("masks", "L")):
        form, extension = case.choose(("PNG", ".png"), ("TIFF", ".tif"), ("JPEG", ".jpg"))
        if kind == "masks" and form == "JPEG":
            form, extension = "PNG", ".png"
        tag = case.choose(1, *range(1, 9))
        array = case.rng.integers(0, 256, (*size, 3) if mode == "RGB" else size, np.uint8)
        path = case.folder / kind / f"0{extension}"
        path.parent.mkdir()
        options = pictures.with_orientation(tag) if tag > 1 or case.happens(0.5) else {}
        Image.fromarray(array).save(path, form, **options)
        case.note(kind, form, size, f"orientation {tag}")
        paths.append(path)
        tags.append((tag, form == "TIFF"))
        arrays.append(pictures.turned(array, tag if form == "TIFF" else 1))
    target = case.choose(None, size)
    received = observe(_first_batch_of_pairs, case.folder, target_size=target)
    told = received.names(paths[0]) and received.names(paths[1])
    if received.error:
        assert told, f"The pair is not named: {received.error!r}"
        return "error"
    (image_tag, image_turns), (mask_tag, mask_turns) = tags
    apart = image_tag != mask_tag or (image_tag != 1 and image_turns != mask_turns)
    assert told or not apart, "Image and mask come apart, and nothing is said of it."
    if told:
        return "warning"
    image, mask = (part[0] for part in received.value)
    if paths[0].suffix != ".jpg":
        _assert_values(image, _nearest(arrays[0], image.shape[:2]), paths[0])
    _assert_values(mask, _nearest(arrays[1], mask.shape[:2]), paths[1])
    return "equal"


def arrays(case: Case) -> str:
    """Of any `.npy` file, the array in it, or an error that names it; objects are never loaded."""
    marker = case.folder / "loaded"
    array = _array(case, marker)
    data = _saved(case, array)
    edited = case.happens(0.4)
    if edited:
        data = case.choose(_edit_header, _damage)(case, data)
    case.note(f"array: {array.dtype!r} {array.shape}, edited: {edited}")
    size = array.shape[:2] if array.ndim > 1 else (4, 5)
    kind, other = case.choose(("images", "masks"), ("masks", "images"))
    path = case.folder / kind / "0.npy"
    path.parent.mkdir()
    path.write_bytes(data)
    _write_array(case.folder / other / "0.npy", size, rank=2 if other == "masks" else 3)
    received = observe(_first_batch_of_pairs, case.folder, target_size=None)
    assert not marker.exists(), "A pickled object was loaded."
    if received.error or received.warnings:
        assert received.names(path), f"The file is not named: {received.told}"
        return "error" if received.error else "warning"
    truth = array
    if edited:
        loaded = observe(np.load, io.BytesIO(data), allow_pickle=False)
        assert not loaded.error, f"NumPy does not read it: {loaded.error!r}"
        truth = loaded.value
    assert truth.dtype.kind in "biuf", f"Values are made of {truth.dtype}."
    assert truth.ndim in (2, 3), f"Values are made of the shape {truth.shape}."
    part = received.value[0 if kind == "images" else 1][0]
    if kind == "masks":
        assert np.isfinite(truth).all(), "A mask that is not finite passes without a word."
        same = part.dtype == truth.dtype.newbyteorder("=")
        assert same, f"The mask of {truth.dtype} becomes {part.dtype}."
    else:
        truth = (truth if truth.ndim == 3 else truth[..., np.newaxis]).astype(np.float32)
    _assert_values(part, truth, path)
    return "equal"


def caches(case: Case) -> str:
    """With any cache, the same batches as without, or an error."""
    root = case.folder / "root" / "class"
    root.mkdir(parents=True)
    makes = case.choose([pictures.picture], [pictures.picture], [_grey, _deep_grey])
    for number in range(case.choose(1, 3)):
        made = case.choose(*makes)(case, pictures.some_size(case))
        (root / f"{number}.png").write_bytes(made.data)
    generator = MultiDirImageDataGenerator(
        rng=case.choose("per_sample", "keras"),
        corrected=case.happens(0.5),
        brightness_range=case.choose(None, (0.5, 0.5), (0.5, 1.5)),
        rotation_range=case.choose(0, 20),
        rescale=case.choose(None, 1 / 255),
    )
    options = {
        "target_size": (6, 7),
        "color_mode": case.choose("rgb", "grayscale", "grayscale"),
        "interpolation": case.choose("nearest", "bilinear"),
        "seed": 5,
        "class_mode": None,
    }
    names = ("rng", "corrected", "brightness_range", "rotation_range", "rescale")
    case.note({name: getattr(generator, name) for name in names}, options)
    expected = observe(
        _first_batch, generator, "flow_from_directories", [case.folder / "root"], **options
    )
    for cache in ("memory", case.folder / "cache", case.folder / "cache"):
        received = observe(
            _first_batch,
            generator,
            "flow_from_directories",
            [case.folder / "root"],
            cache=cache,
            **options,
        )
        if received.error and expected.error:
            continue
        assert not received.error, f"With cache={cache}: {received.error!r}"
        assert not expected.error, f"Without a cache: {expected.error!r}"
        same = fingerprint(expected.value) == fingerprint(received.value)
        assert same, f"cache={str(cache)!r} changes the batch."
    return "error" if expected.error else "equal"


def specials(case: Case) -> str:
    """What is no file and has the name of one does not hang; an error names it."""
    case.is_risky()
    kind = case.choose("images", "masks", "classes")
    folder = case.folder / ("root/class" if kind == "classes" else kind)
    folder.mkdir(parents=True)
    path = folder / f"0{case.choose('.png', '.tif', '.npy' if kind != 'classes' else '.jpg')}"
    make = case.choose(_fifo, _socket, _device, _link_to_nowhere, _directory, _link_to_fifo)
    make(case, path)
    case.note(kind, make.__name__, path.name)
    if kind == "classes":
        flow = MultiDirImageDataGenerator().flow_from_directories
        received = observe(
            lambda: next(flow([case.folder / "root"], cache=case.choose(None, "memory")))
        )
    else:
        other = "masks" if kind == "images" else "images"
        _write_array(case.folder / other / "0.npy", (4, 5), rank=2 if other == "masks" else 3)
        received = observe(_first_batch_of_pairs, case.folder, target_size=None)
    assert received.error, "It is read."
    # A folder is none of the files, so that another part or the root is missed.
    assert make is _directory or received.names(path), f"The file is not named: {received.error!r}"
    return "error"


ATTACKS = (images, masks, several_masks, orientations, arrays, caches, specials)


def _picture(case: Case) -> Picture:
    made = pictures.picture(case, pictures.some_size(case))
    return pictures.damaged(case, made) if case.happens(0.4) else made


def _write(case: Case, folder: pathlib.Path, made: Picture) -> pathlib.Path:
    """Writes a file under any name, mostly with the extension of its format."""
    extension = made.extension if case.happens(0.6) else ""
    path = folder / f"{case.choose(*STEMS)}{extension or case.choose(*EXTENSIONS)}"
    folder.mkdir(parents=True)
    path.write_bytes(made.data)
    return path


def _write_array(path: pathlib.Path, size: Size, rank: int = 3) -> None:
    path.parent.mkdir(exist_ok=True)
    np.save(path, np.zeros((*size, 3)[:rank], np.uint8))


def _first_batch(generator: Any, method: str, roots: Any, **options: Any) -> Any:
    np.random.seed(0)
    return next(getattr(generator, method)(roots, shuffle=False, **options))


def _first_batch_of_pairs(folder: pathlib.Path, **options: Any) -> Any:
    flow = MultiDirImageDataGenerator().flow_segmentation_from_directories
    return next(flow([folder / "images"], [folder / "masks"], shuffle=False, **options))


def _first_masks(folder: pathlib.Path, **options: Any) -> Any:
    return _first_batch_of_pairs(folder, **options)[1]


def _size_as_read(made: Picture) -> Size:
    if made.stored is not None:
        return made.stored.shape[0], made.stored.shape[1]
    opened = observe(Image.open, io.BytesIO(made.data)).value
    return (
        (opened.height, opened.width) if opened and opened.width * opened.height < 10**6 else (4, 5)
    )


def _judge_mask(
    made: Picture, path: pathlib.Path, received: Outcome, target: Size | None, *, must_read: bool
) -> str:
    if received.error:
        assert received.names(path), f"The file is not named: {received.error!r}"
    if received.names(path):
        assert not must_read, f"An ordinary mask is refused, or doubted: {received.told}"
        return "error" if received.error else "warning"
    assert not made.flaw, f"{made.flaw}, and nothing is said of it."
    truth = made.stored
    if truth is None:
        opened = observe(lambda: np.asarray(Image.open(io.BytesIO(made.data))))
        assert not opened.error, f"Pillow does not read it: {opened.error!r}"
        truth = opened.value
    _assert_values(received.value[0], truth if target is None else _nearest(truth, target), path)
    return "equal"


def _assert_values(received: np.ndarray, expected: Any, path: pathlib.Path) -> None:
    assert received.shape == expected.shape, (
        f"{path.name}: the shape {expected.shape} becomes {received.shape}."
    )
    # As Python's numbers, which are exact.
    pairs = zip(received.ravel().tolist(), expected.ravel().tolist(), strict=True)
    wrong = [(old, new) for new, old in pairs if new != old and not (new != new and old != old)]
    assert not wrong, f"{path.name}: the value {wrong[0][0]} becomes {wrong[0][1]}."


def _nearest(array: np.ndarray, size: Size) -> np.ndarray:
    """The array, resized as Pillow does."""
    height, width = array.shape[:2]
    places = Image.fromarray(np.arange(height * width, dtype=np.int32).reshape(height, width))
    chosen = np.asarray(places.resize((size[1], size[0]), Image.Resampling.NEAREST))
    return array.reshape(height * width, *array.shape[2:])[chosen]


class _Trap:
    """An object that leaves a mark where it is unpickled."""

    def __init__(self, marker: pathlib.Path) -> None:
        self.marker = str(marker)

    def __reduce__(self) -> Any:
        return os.mkdir, (self.marker,)


def _array(case: Case, marker: pathlib.Path) -> np.ndarray:
    """An array of any dtype, order and rank, mostly one that an image or mask may have."""
    code = case.choose(
        "?", "u1", "i1", "<u2", ">u2", ">i2", "<u4", ">i4", "<u8", "<i8", "<f2", ">f2", "<f4",
        ">f4", "<f8", ">f8", "g", "c8", "S3", "U2", "M8[s]", "m8[s]", "V4", "O", "u1,f4",
    )  # fmt: skip
    rank = case.choose(2, 2, 3, 3, 0, 1, 4)
    shape = tuple(case.choose(*range(1, 9), 0) for _ in range(rank))
    dtype = np.dtype(code)
    if dtype.kind == "O":
        array = np.full(shape, None, object)
        array.fill(_Trap(marker))
        return array
    if dtype.kind == "f":
        array = case.rng.normal(0, 99, shape).astype(dtype)
        if array.size and case.happens(0.3):
            array.flat[0] = case.choose(np.nan, np.inf, -np.inf, -0.0)
    else:
        size = max(1, int(np.prod(shape))) * dtype.itemsize
        raw = case.rng.integers(0, 2 if dtype.kind == "b" else 90, size).astype(np.uint8)
        array = np.frombuffer(raw.tobytes(), dtype)[: int(np.prod(shape))].reshape(shape)
        if dtype.kind in "iu" and array.size and case.happens(0.3):
            array = array.copy()
            array.flat[0] = case.choose(np.iinfo(dtype).min, np.iinfo(dtype).max)
    return np.asfortranarray(array) if case.happens(0.3) else array


def _saved(case: Case, array: np.ndarray) -> bytes:
    file = io.BytesIO()
    version = case.choose((1, 0), (2, 0), (3, 0))
    np.lib.format.write_array(file, array, version=version, allow_pickle=True)
    return file.getvalue()


def _edit_header(case: Case, data: bytes) -> bytes:
    """Other numbers, dtypes or words in the header, of the same length."""
    end = data.find(b"\n") + 1
    header = data[:end]
    old, new = case.choose(
        (b"<", b">"), (b"|u1", b"|i1"), (b"False", b"True "), (b"True", b"Fals"), (b"(", b"["),
        (b"1", b"9"), (b"4", b"2"), (b"8", b"4"), (b"descr", b"dexcr"), (b"'<f", b"'|O"),
        (b"|O", b"u8"), (b")", b"*"), (b"NUMPY", b"NUMPZ"), (b"   ", b"L,0"),
    )  # fmt: skip
    if case.happens(0.2):
        shape = case.choose("(-1, 4)", "(4, -4)", f"({2**62}, 9)", "(40000, 40000)", "(1e9, 2)")
        text = f"{{'descr': '|u1', 'fortran_order': False, 'shape': {shape}, }}\n".encode()
        case.note("header:", text)
        return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text + data[end:]
    case.note("header:", old, "becomes", new)
    return header.replace(old, new, 1) + data[end:]


def _damage(case: Case, data: bytes) -> bytes:
    return pictures.damaged(case, Picture(data, ".npy")).data


def _array_mask(case: Case, size: Size) -> Picture:
    """A mask in an `.npy` file; large integers meet in float64, which cannot hold them."""
    dtype = np.dtype(case.choose("u1", "i1", "i8", "u8", "f4", "f8", "<u2", "?"))
    mask = case.rng.integers(0, 2, size).astype(dtype)
    if dtype.itemsize == 8:
        mask[0, 0] = 2**53 + 1 if dtype.kind != "f" else 0.1
    case.note("array:", dtype)
    file = io.BytesIO()
    np.save(file, mask)
    return Picture(file.getvalue(), ".npy", mask)


def _grey(case: Case, size: Size) -> Picture:
    """Values of 0 and 1 in 8 bits, which become an image in [0, 1]."""
    return _saved_by_pillow(case.rng.integers(0, 2, size, np.uint8))


def _deep_grey(case: Case, size: Size) -> Picture:
    return _saved_by_pillow(case.rng.integers(0, 2**16, size).astype(np.uint16))


def _saved_by_pillow(pixels: np.ndarray) -> Picture:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return Picture(file.getvalue(), ".png", pixels)


def _fifo(case: Case, path: pathlib.Path) -> None:
    os.mkfifo(path)


def _socket(case: Case, path: pathlib.Path) -> None:
    here = os.getcwd()
    os.chdir(path.parent)  # the path of a socket is short
    with socket.socket(socket.AF_UNIX) as opened:
        opened.bind(path.name)
    os.chdir(here)


def _device(case: Case, path: pathlib.Path) -> None:
    path.symlink_to("/dev/zero")


def _link_to_nowhere(case: Case, path: pathlib.Path) -> None:
    path.symlink_to("/nowhere")


def _directory(case: Case, path: pathlib.Path) -> None:
    path.mkdir()


def _link_to_fifo(case: Case, path: pathlib.Path) -> None:
    os.mkfifo(case.folder / "fifo")
    path.symlink_to(case.folder / "fifo")
