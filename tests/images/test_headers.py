"""Masks in files: those whose values Pillow keeps, and those that it would change."""

from __future__ import annotations

import io
import pathlib
from typing import Any

import numpy as np
import pytest
from PIL import Image
from pngs import png
from tiffs import WHITE_IS_ZERO, tiff

from multiflow.images.files import Decoding, MaskFiles
from multiflow.images.headers import read_header

VALUES = np.arange(12, dtype=np.uint8).reshape(3, 4)
COLOURS = np.dstack([VALUES, VALUES // 2, 2 * VALUES])


def encoded(mask: Any, form: str, mode: str | None = None, **options: Any) -> bytes:
    file = io.BytesIO()
    picture = mask if isinstance(mask, Image.Image) else Image.fromarray(np.asarray(mask))
    if mode == "P":
        picture.putpalette(list(range(255, 255 - 48, -1)))
    picture.save(file, form, **options)
    return file.getvalue()


def plain_pgm(maximum: int) -> bytes:
    return f"P2 4 3 {maximum} {' '.join(map(str, VALUES.flat))}\n".encode()


def raw_pgm(maximum: int, dtype: str) -> bytes:
    return f"P5 4 3 {maximum}\n".encode() + VALUES.astype(dtype).tobytes()


KEPT: dict[str, tuple[bytes, Any]] = {
    "PNG of bits": (encoded(VALUES > 5, "PNG"), VALUES > 5),
    "PNG": (encoded(VALUES, "PNG"), VALUES),
    "PNG of a palette": (encoded(VALUES, "PNG", "P"), VALUES),
    "PNG of a palette, 2 bits": (encoded(VALUES % 4, "PNG", "P", bits=2), VALUES % 4),
    "PNG of 16 bits": (encoded(VALUES * np.uint16(500), "PNG"), VALUES * np.uint16(500)),
    "PNG of colours": (encoded(COLOURS, "PNG"), COLOURS),
    "BMP": (encoded(VALUES, "BMP"), VALUES),
    "BMP of colours": (encoded(COLOURS, "BMP"), COLOURS),
    "PBM": (encoded(VALUES > 5, "PPM"), VALUES > 5),
    "PGM": (raw_pgm(255, "u1"), VALUES),
    "PGM of 16 bits": (raw_pgm(65535, ">u2"), VALUES.astype(np.uint16)),
    "PGM in words": (plain_pgm(255), VALUES),
    "PGM in words, of 16 bits": (plain_pgm(65535), VALUES.astype(np.int32)),
    "TIFF of bits": (tiff(VALUES % 2, bits=1), VALUES % 2 == 1),
    "TIFF": (tiff(VALUES), VALUES),
    "TIFF of 16 bits": (tiff(VALUES * np.uint16(5000)), VALUES * np.uint16(5000)),
    "TIFF of int16": (tiff(VALUES.astype(np.int16) - 5), VALUES.astype(np.int32) - 5),
    "TIFF of int32": (tiff(VALUES - np.int32(5)), VALUES - np.int32(5)),
    "TIFF of small uint32": (tiff(VALUES.astype(np.uint32)), VALUES.astype(np.int32)),
    "TIFF of float32": (tiff(VALUES / np.float32(3)), VALUES / np.float32(3)),
    "TIFF of colours": (tiff(COLOURS), COLOURS),
    **{
        f"TIFF, {compression}": (encoded(VALUES, "TIFF", compression=compression), VALUES)
        for compression in ("tiff_lzw", "tiff_deflate", "packbits")
    },
    **{
        f"TIFF of {dtype.__name__}, {order}, {'deflated' * compressed}": (
            tiff(VALUES.astype(dtype) * 300, order=order, compressed=compressed),
            VALUES.astype(dtype) * 300,
        )
        for dtype in (np.uint16, np.int32, np.float32)
        for order in "<>"
        for compressed in (False, True)
        if not (order == ">" and compressed and dtype != np.uint16)
    },
    "GIF": (encoded(VALUES, "GIF", "P", optimize=False), VALUES),
}
CHANGED: dict[str, bytes] = {
    "PNG of 2 bits": png(8, 2, 0, bytes(3) * 8),
    "PNG of 16 bits and 3 channels": png(8, 16, 2, bytes(49) * 8),
    "TIFF of 2 bits": tiff(VALUES % 4, bits=2),
    "TIFF of 4 bits": tiff(VALUES, bits=4),
    "TIFF of 16 bits and 3 channels": tiff(np.full((3, 4, 3), 1000, np.uint16)),
    "TIFF of int8": tiff(VALUES.astype(np.int8) - np.int8(1)),
    "TIFF of 3 channels and one more": encoded(Image.new("RGBX", (4, 3)), "TIFF"),
    "TIFF of bits, white is 0": tiff(VALUES % 2, bits=1, photometric=WHITE_IS_ZERO),
    "TIFF, white is 0": tiff(VALUES, photometric=WHITE_IS_ZERO),
    **{
        f"TIFF of {dtype.__name__}, deflated bytes in the other order": tiff(
            VALUES.astype(dtype), order=">", compressed=True
        )
        for dtype in (np.int16, np.int32, np.float32)
    },
    "PGM of 100 levels": raw_pgm(100, "u1"),
    "PGM of 1000 levels": raw_pgm(1000, ">u2"),
    "PGM of 15 levels, in words": plain_pgm(15),
    "PPM of 15 levels": b"P6 1 1 15\n\1\2\3",
}


@pytest.fixture
def path(tmp_path: pathlib.Path) -> pathlib.Path:
    return tmp_path / "mask.png"  # the extension tells nothing about the content


def masks_in(path: pathlib.Path) -> MaskFiles:
    header = read_header(str(path), channels_first=False, is_mask=True)
    decoding = Decoding(header.size, None, "nearest", False, False)
    return MaskFiles([str(path)], decoding, header.num_channels, header.dtype, {str(path): header})


@pytest.mark.parametrize("name", KEPT)
def test_values_that_are_kept(path: pathlib.Path, name: str) -> None:
    data, expected = KEPT[name]
    path.write_bytes(data)
    mask = masks_in(path)[0]
    np.testing.assert_array_equal(mask, expected)
    assert mask.dtype == expected.dtype


@pytest.mark.parametrize("name", CHANGED)
def test_values_that_pillow_changes(path: pathlib.Path, name: str) -> None:
    path.write_bytes(CHANGED[name])
    with pytest.raises(ValueError, match=r"its pixels are stored as .*may scale, cut or invert"):
        masks_in(path)


@pytest.mark.parametrize("mode", ["L", "P"])
def test_headers_decode_no_pixels(path: pathlib.Path, mode: str) -> None:
    data = encoded(np.random.default_rng(0).integers(0, 16, (99, 99), np.uint8), "PNG", mode)
    path.write_bytes(data[: len(data) // 2])
    header = read_header(str(path), channels_first=False, is_mask=True)
    assert (header.size, header.mode) == ((99, 99), mode)


def test_uint32_beyond_int32(path: pathlib.Path) -> None:
    path.write_bytes(tiff(np.array([[3 * 10**9, 1]], np.uint32)))
    with pytest.raises(ValueError, match=r"mask.png' cannot be read: .*2\*\*31 or more"):
        masks_in(path)[0]


@pytest.mark.parametrize("form", ["TIFF", "GIF", "PNG"])
def test_several_pages(path: pathlib.Path, form: str) -> None:
    pages = [Image.fromarray(VALUES), Image.fromarray(VALUES[::-1].copy())]
    pages[0].save(path, form, save_all=True, append_images=pages[1:])
    with pytest.raises(ValueError, match="several pages, of which only the first"):
        masks_in(path)


@pytest.mark.parametrize(
    ("form", "options", "lossy"),
    [
        ("JPEG", {}, "JPEG"),
        ("WEBP", {}, "WebP"),
        ("TIFF", {"compression": "jpeg"}, "JPEG"),
        ("TIFF", {"compression": "tiff_lzw"}, None),
        ("PNG", {}, None),
    ],
)
def test_lossy_compression(path: pathlib.Path, form: str, options: Any, lossy: str | None) -> None:
    path.write_bytes(encoded(COLOURS, form, **options))
    assert read_header(str(path), channels_first=False, is_mask=True).lossy == lossy


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("is_mask", [True, False])
def test_turned_tiff(path: pathlib.Path, orientation: int, is_mask: bool) -> None:
    path.write_bytes(tiff(VALUES, orientation=orientation))
    header = read_header(str(path), channels_first=False, is_mask=is_mask)
    expected = np.asarray(Image.open(io.BytesIO(path.read_bytes())))
    assert header.size == expected.shape == ((4, 3) if orientation > 4 else (3, 4))
    assert header.orientation == orientation
    assert header.ignored_orientation == 1
    if is_mask:
        np.testing.assert_array_equal(masks_in(path)[0], expected)


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP"])
def test_ignored_orientation(path: pathlib.Path, form: str) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    path.write_bytes(encoded(VALUES, form, exif=exif))
    assert read_header(str(path), channels_first=False, is_mask=False).ignored_orientation == 6


def test_damaged_exif_turns_nothing(path: pathlib.Path) -> None:
    path.write_bytes(encoded(VALUES, "PNG", exif=b"Exif\0\0no TIFF"))
    assert read_header(str(path), channels_first=False, is_mask=False).orientation == 1
