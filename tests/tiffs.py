"""TIFF files of the kinds that Pillow reads and does not write."""

from __future__ import annotations

import struct
import zlib

import numpy as np

UNSIGNED, SIGNED, FLOAT = 1, 2, 3
WHITE_IS_ZERO, BLACK_IS_ZERO, RGB = 0, 1, 2
DEFLATED = 8


def tiff(
    pixels: np.ndarray,
    *,
    bits: int | None = None,
    photometric: int | None = None,
    orientation: int = 1,
    order: str = "<",
    compressed: bool = False,
) -> bytes:
    """A picture of one strip.

    Args:
        pixels: array of shape `(height, width)` or `(height, width, channels)`.
        bits: bits of a value, fewer than 8 of a grey one; by default those of its dtype.
        photometric: how values become colours; by default `BLACK_IS_ZERO` or `RGB`.
        orientation: the EXIF orientation.
        order: the order of bytes, `"<"` or `">"`.
        compressed: whether the strip is deflated.
    """
    height, width, channels = pixels.shape if pixels.ndim == 3 else (*pixels.shape, 1)
    bits = bits or pixels.dtype.itemsize * 8
    data = pixels.astype(pixels.dtype.newbyteorder(order)).tobytes()
    if bits < 8:
        planes = np.unpackbits(pixels[..., np.newaxis], -1)[..., -bits:].reshape(height, -1)
        data = np.packbits(planes, axis=-1).tobytes()
    if compressed:
        data = zlib.compress(data)
    data += bytes(len(data) % 2)
    tags = {
        256: width,
        257: height,
        258: bits,
        259: DEFLATED if compressed else 1,
        262: (BLACK_IS_ZERO if channels == 1 else RGB) if photometric is None else photometric,
        273: 8,  # where the strip begins
        274: orientation,
        277: channels,
        278: height,
        279: len(data),
        339: {"u": UNSIGNED, "i": SIGNED, "f": FLOAT}[pixels.dtype.kind],
    }
    place = 8 + len(data)
    repeated = struct.pack(f"{order}{channels}H", *[bits] * channels)
    entries = b""
    for tag, value in tags.items():
        if tag == 258 and channels > 1:  # one number for each channel, behind the strip
            entries += struct.pack(f"{order}HHII", tag, 3, channels, place)
        else:
            entries += struct.pack(f"{order}HHII", tag, 4, 1, value)
    directory = place + len(repeated)
    return (
        struct.pack(f"{order}2sHI", b"II" if order == "<" else b"MM", 42, directory)
        + data
        + repeated
        + struct.pack(f"{order}H", len(tags))
        + entries
        + bytes(4)
    )
