"""Image files → pixels, as Keras' `load_img` decodes them, and faster where that is possible."""

from __future__ import annotations

import functools
import io
import threading
from types import ModuleType
from typing import Any

import keras
import numpy as np
from PIL import Image

from multiflow import _keras, extras
from multiflow.images.resize import centred_box, resize, resize_picture

# What simplejpeg decodes to, by the colours of the file and the wanted `color_mode`. Pillow decodes
# all others, such as CMYK, or a coloured file as grey.
COLORSPACES = {
    ("YCbCr", "rgb"): "RGB",
    ("YCbCr", "rgba"): "RGBA",
    ("Gray", "rgb"): "RGB",
    ("Gray", "rgba"): "RGBA",
    ("Gray", "grayscale"): "GRAY",
}
NUM_CHANNELS = {"grayscale": 1, "rgb": 3, "rgba": 4}  # of Keras' color modes
# The largest buffer that a thread keeps for the next file.
MAX_BUFFER_BYTES = 2**26

_buffers = threading.local()

# Pillow imports its formats when it meets them, in threads, too. A process that is forked meanwhile
# could never finish the import. The first of the two decides which formats are tried first.
Image.preinit()
Image.init()


def load_image(
    path: str,
    color_mode: str,
    target_size: tuple[int, int],
    interpolation: str,
    keep_aspect_ratio: bool,
) -> np.ndarray:
    """The pixels of an image file as `keras.utils.load_img` gives them, with the same errors.

    Args:
        path: the file.
        color_mode: `"rgb"`, `"rgba"` or `"grayscale"`.
        target_size: (height, width) of the result.
        interpolation: how the image is resized.
        keep_aspect_ratio: whether it is first cropped to the ratio of `target_size`.

    Returns:
        Array of shape `(height, width, channels)`, of uint8, or of uint16 or int32 for grey images
        with more than 8 bits.
    """
    with open(path, "rb", buffering=0) as file:
        data = file.read()
    pixels = _load_jpeg(data, color_mode, target_size, interpolation, keep_aspect_ratio)
    if pixels is None:
        image = keras.utils.load_img(
            io.BytesIO(data), color_mode, target_size, interpolation, keep_aspect_ratio
        )
        pixels = np.asarray(image)
    return pixels if pixels.ndim == 3 else pixels[..., np.newaxis]


def _load_jpeg(
    data: bytes,
    color_mode: str,
    target_size: tuple[int, int],
    interpolation: str,
    keep_aspect_ratio: bool,
) -> np.ndarray | None:
    """As `load_image`, if simplejpeg decodes the file exactly as Pillow does; else None."""
    simplejpeg = extras.find("simplejpeg")
    if not simplejpeg or not _decodes_as_pillow(simplejpeg):
        return None
    if interpolation not in _keras.PIL_INTERPOLATION_METHODS:
        return None
    pixels = _decode_jpeg(simplejpeg, data, color_mode)
    if pixels is None:
        return None
    size = (pixels.shape[0], pixels.shape[1])
    if size == tuple(target_size):
        return pixels.copy()
    box = centred_box(size, target_size) if keep_aspect_ratio else None
    if interpolation == "nearest":
        return resize(pixels, target_size, interpolation, channels_first=False, box=box)
    picture = Image.fromarray(pixels.squeeze(2) if pixels.shape[2] == 1 else pixels)
    return np.asarray(resize_picture(picture, target_size, interpolation, box))


def _decode_jpeg(simplejpeg: Any, data: bytes, color_mode: str) -> np.ndarray | None:
    """The pixels of a JPEG file, in memory that the next call in this thread overwrites."""
    if not data.startswith(b"\xff\xd8\xff"):
        return None
    try:
        height, width, colors, _ = simplejpeg.decode_jpeg_header(data)
        colorspace = COLORSPACES.get((colors, color_mode))
        # Huge images are left to Pillow, which warns of them or refuses them.
        if colorspace is None or height * width > (Image.MAX_IMAGE_PIXELS or np.inf):
            return None
        return simplejpeg.decode_jpeg(
            data,
            colorspace,
            fastdct=False,
            fastupsample=False,
            buffer=_buffer(height * width * NUM_CHANNELS[color_mode]),
        )
    except (ValueError, KeyError):  # damaged or unusual, which Pillow may forgive
        return None


def _buffer(num_bytes: int) -> np.ndarray:
    """A buffer that this thread reuses, which is much faster than new memory for each image."""
    buffer = getattr(_buffers, "jpeg", None)
    if buffer is None or len(buffer) < num_bytes:
        buffer = np.empty(num_bytes, np.uint8)
        if num_bytes <= MAX_BUFFER_BYTES:
            _buffers.jpeg = buffer
    return buffer


@functools.cache
def _decodes_as_pillow(simplejpeg: ModuleType) -> bool:
    """True if simplejpeg and Pillow, as they were built here, decode to equal pixels."""
    noise = np.random.default_rng(0).integers(0, 256, (37, 51, 3), dtype=np.uint8)
    picture = Image.fromarray(noise)
    for mode, subsampling in (("RGB", 0), ("RGB", 1), ("RGB", 2), ("L", 0)):
        for progressive in (False, True):
            file = io.BytesIO()
            picture.convert(mode).save(
                file, "JPEG", subsampling=subsampling, progressive=progressive, quality=80
            )
            expected = np.asarray(Image.open(file).convert("RGB"))
            received = _decode_jpeg(simplejpeg, file.getvalue(), "rgb")
            if received is None or not np.array_equal(expected, received):
                return False
    return True
