"""TIFF files of the kinds that Pillow reads and does not write."""

from __future__ import annotations

import struct

import numpy as np

UNSIGNED, SIGNED, FLOAT = 1, 2, 3
WHITE_IS_ZERO, BLACK_IS_ZERO, RGB = 0, 1, 2


def tiff(
    pixels: np.ndarray,
    *,
    bits: int | None = None,
    photometric: int | None = None,
    orientation: int = 1,
) -> bytes:
    """An uncompressed little-endian picture of one strip.

    Args:
        pixels: array of shape `(height, width)` or `(height, width, channels)`.
        bits: bits of a value, fewer than 8 of a grey one; by default those of its dtype.
        photometric: how values become colours; by default `BLACK_IS_ZERO` or `RGB`.
        orientation: the EXIF orientation.
    """
    height, width, channels = pixels.shape if pixels.ndim == 3 else (*pixels.shape, 1)
    bits = bits or pixels.dtype.itemsize * 8
    data = pixels.astype(pixels.dtype.newbyteorder("<")).tobytes()
    if bits < 8:
        planes = np.unpackbits(pixels[..., np.newaxis], -1)[..., -bits:].reshape(height, -1)
        data = np.packbits(planes, axis=-1).tobytes()
    tags = {
        256: width,
        257: height,
        258: bits,
        259: 1,  # no compression
        262: (BLACK_IS_ZERO if channels == 1 else RGB) if photometric is None else photometric,
        273: 8,  # where the strip begins
        274: orientation,
        277: channels,
        278: height,
        279: len(data),
        339: {"u": UNSIGNED, "i": SIGNED, "f": FLOAT}[pixels.dtype.kind],
    }
    place = 8 + len(data)
    repeated = struct.pack(f"<{channels}H", *[bits] * channels)
    entries = b""
    for tag, value in tags.items():
        if tag == 258 and channels > 1:  # one number for each channel, behind the strip
            entries += struct.pack("<HHII", tag, 3, channels, place)
        else:
            entries += struct.pack("<HHII", tag, 4, 1, value)
    directory = place + len(repeated)
    return (
        struct.pack("<2sHI", b"II", 42, directory)
        + data
        + repeated
        + struct.pack("<H", len(tags))
        + entries
        + bytes(4)
    )
