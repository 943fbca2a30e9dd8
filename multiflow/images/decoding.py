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
from multiflow.images.opening import read_bytes
from multiflow.images.resize import Size, centred_box, resize, resize_picture

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


class Picture:
    """A decoded image file, step by step as `keras.utils.load_img` reads it, with the same errors.

    Args:
        path: the file.
        color_mode: `"rgb"`, `"rgba"` or `"grayscale"`.

    Attributes:
        size: (height, width).
    """

    size: Size
    # An array is in memory that the next picture of this thread overwrites.
    _decoded: Image.Image | np.ndarray

    def __init__(self, path: str, color_mode: str) -> None:
        data = read_bytes(path)
        pixels = _decode_fast(data, color_mode)
        if pixels is not None:
            self._decoded, self.size = pixels, (pixels.shape[0], pixels.shape[1])
        else:
            image = keras.utils.load_img(io.BytesIO(data), color_mode)
            self._decoded, self.size = image, (image.height, image.width)

    def check_resizing(self, target_size: Size, interpolation: str) -> None:
        """Refuses an unknown way to resize, if the picture has another size."""
        is_known = interpolation in _keras.PIL_INTERPOLATION_METHODS
        if not is_known and self.size != target_size:  # in Keras' words
            raise ValueError(
                f"Invalid interpolation method {interpolation} specified. Supported methods are "
                f"{', '.join(_keras.PIL_INTERPOLATION_METHODS)}"
            )

    def load(self) -> None:
        """Reads the pixels, which Keras and Pillow put off."""
        if isinstance(self._decoded, Image.Image):
            self._decoded.load()

    def resized(
        self, target_size: Size, interpolation: str, *, keep_aspect_ratio: bool
    ) -> np.ndarray:
        """The pixels in a size.

        Args:
            target_size: (height, width) of the result.
            interpolation: how the image is resized.
            keep_aspect_ratio: whether it is first cropped to the ratio of `target_size`.

        Returns:
            Array of shape `(height, width, channels)`, of uint8, or of uint16 or int32 for grey
            images with more than 8 bits.
        """
        decoded = self._decoded
        if self.size == target_size:
            pixels = decoded.copy() if isinstance(decoded, np.ndarray) else np.asarray(decoded)
        else:
            box = centred_box(self.size, target_size) if keep_aspect_ratio else None
            if isinstance(decoded, np.ndarray):
                if interpolation == "nearest":
                    return resize(
                        decoded, target_size, interpolation, channels_first=False, box=box
                    )
                decoded = Image.fromarray(decoded.squeeze(2) if decoded.shape[2] == 1 else decoded)
            pixels = np.asarray(resize_picture(decoded, target_size, interpolation, box))
        return pixels if pixels.ndim == 3 else pixels[..., np.newaxis]


def _decode_fast(data: bytes, color_mode: str) -> np.ndarray | None:
    """The pixels of a JPEG file, if simplejpeg decodes it exactly as Pillow does; else None."""
    simplejpeg = extras.find("simplejpeg")
    if not simplejpeg or not _decodes_as_pillow(simplejpeg):
        return None
    return _decode_jpeg(simplejpeg, data, color_mode)


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
