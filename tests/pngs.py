"""PNG files of the kinds that Pillow reads and does not write."""

from __future__ import annotations

import struct
import zlib


def png(
    side: int, bits: int, colour_type: int, scanlines: bytes, *, interlaced: bool = False
) -> bytes:
    """A square picture from its filtered scanlines."""
    header = struct.pack(">IIBBBBB", side, side, bits, colour_type, 0, 0, interlaced)
    return (
        b"\x89PNG\r\n\x1a\n"
        + _chunk(b"IHDR", header)
        + _chunk(b"IDAT", zlib.compress(scanlines))
        + _chunk(b"IEND", b"")
    )


def _chunk(kind: bytes, content: bytes) -> bytes:
    checksum = struct.pack(">I", zlib.crc32(kind + content))
    return struct.pack(">I", len(content)) + kind + content + checksum
