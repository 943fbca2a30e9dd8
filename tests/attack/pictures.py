"""Files of images and masks, of which we know what they hold, and ways to damage them."""

from __future__ import annotations

import io
import re
import struct
import zlib
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from .frame import Case, observe

Image.init()
EXTENSIONS = (".png", ".jpg", ".jpeg", ".bmp", ".ppm", ".tif", ".tiff")
ORIENTATION = 274  # the tag of EXIF and TIFF
# The shape and the dtype of a pixel of Pillow's modes.
MODES: dict[str, tuple[tuple[int, ...], str]] = {
    **dict.fromkeys(("L", "P"), ((), "u1")),
    **dict.fromkeys(("LA", "La", "PA"), ((2,), "u1")),
    **dict.fromkeys(("RGB", "YCbCr", "LAB", "HSV"), ((3,), "u1")),
    **dict.fromkeys(("RGBA", "RGBa", "RGBX", "CMYK"), ((4,), "u1")),
    "1": ((), "?"),
    "I": ((), "i4"),
    "I;16": ((), "<u2"),
    "I;16B": ((), ">u2"),
    "F": ((), "f4"),
}
COMMON = ("PNG", "TIFF", "JPEG", "BMP")
# Formats whose files hold exactly what Pillow was given; of others, it is not known here.
WITHOUT_ALPHA = ("BMP", "DIB", "PPM")
EXACT = ("PNG", "TIFF", "BMP", "PPM", "TGA", "SGI", "PCX", "IM", "QOI")
LOSSY = ("JPEG", "MPO", "AVIF")
TIFF_COMPRESSIONS = (
    "raw", "tiff_lzw", "tiff_deflate", "tiff_adobe_deflate", "packbits", "group3", "group4", "jpeg",
    "lzma", "zstd", "webp",
)  # fmt: skip
Size = tuple[int, int]


class Picture(NamedTuple):
    """The bytes of a file, and what is known of it.

    Attributes:
        data: the bytes.
        extension: the extension of its format, if it is one that Keras lists.
        stored: the values that the file holds, as whoever saved it knows them, turned as Pillow
            does by their orientation; None if that is not known.
        flaw: why a mask of it must not be read without a word; "" if it may be.
        is_plain: True if a mask of it must be read without a word.
        palette: the colours of a palette, or None.
    """

    data: bytes
    extension: str
    stored: np.ndarray | None = None
    flaw: str = ""
    is_plain: bool = False
    palette: bytes | None = None


def picture(case: Case, size: Size) -> Picture:
    """Any file that holds an image of a size, (height, width)."""
    return case.choose(by_pillow, by_pillow, by_pillow, png, tiff, tiff, pnm)(case, size)


def some_size(case: Case) -> Size:
    """A small size, mostly oblong."""
    height, width = case.rng.integers(1, 24, 2).tolist()
    return height, width


def turned(pixels: np.ndarray, orientation: int) -> np.ndarray:
    """What an image with an orientation, 1 to 8, shows."""
    pixels = np.swapaxes(pixels, 0, 1) if orientation > 4 else pixels
    rows = slice(None, None, -1 if orientation in (3, 4, 7, 8) else 1)
    columns = slice(None, None, -1 if orientation in (2, 3, 6, 7) else 1)
    return pixels[rows, columns]


def by_pillow(case: Case, size: Size) -> Picture:
    """A file that Pillow writes, in any of its formats, modes and options."""
    file = io.BytesIO()
    while not file.getvalue():
        form = case.choose(*sorted(Image.SAVE), *COMMON, *COMMON, *COMMON)
        mode = case.choose(*MODES, "L", "RGB", "P")
        options = _options(case, form, mode)
        top = 2 ** options.get("bits", 8)
        pixels = _pixels(case, form, mode, size, top)
        image = as_image(pixels, mode)
        palette = None
        if mode == "P":
            palette = case.rng.bytes(3 * top)
            image.putpalette(palette)
        if observe(image.save, file, form, **options).error:
            file = io.BytesIO()
    case.note("Pillow:", form, mode, size, options)
    flaw = "it has several pages" if "append_images" in options else ""
    if (
        form in LOSSY
        or options.get("irreversible")
        or (form == "WEBP" and not options["lossless"])
        or (form == "TIFF" and options["compression"] in ("jpeg", "webp"))
    ):
        flaw = "it is lossy"
    orientation = orientation_in(options)
    if mode == "RGBX" or (mode == "RGBA" and form in WITHOUT_ALPHA):  # X means nothing
        pixels = pixels[..., :3]
    stored = turned(pixels, orientation if form == "TIFF" else 1)
    return Picture(
        file.getvalue(),
        {"PNG": ".png", "JPEG": ".jpg", "BMP": ".bmp", "PPM": ".ppm", "TIFF": ".tif"}.get(form, ""),
        stored if form in EXACT and flaw != "it is lossy" else None,
        flaw,
        is_plain=form in ("PNG", "TIFF", "BMP")
        and mode in ("1", "L", "P", "RGB", "RGBA")
        and not flaw
        and orientation == 1,
        palette=palette if form in ("PNG", "TIFF") else None,
    )


def orientation_in(options: dict[str, Any]) -> int:
    """The orientation among options of Pillow's `save`."""
    return options.get("exif", {}).get(ORIENTATION, 1)


def with_orientation(orientation: int) -> dict[str, Any]:
    """The options of Pillow's `save` that set an orientation."""
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    return {"exif": exif}


def as_image(pixels: np.ndarray, mode: str) -> Image.Image:
    """The image in a mode that has some pixels."""
    raw = np.packbits(pixels, axis=1) if mode == "1" else pixels
    return Image.frombytes(mode, (pixels.shape[1], pixels.shape[0]), raw.tobytes())


def _pixels(case: Case, form: str, mode: str, size: Size, top: int) -> np.ndarray:
    channels, name = MODES[mode]
    dtype = np.dtype(name)
    shape = (*size, *channels)
    if dtype.kind == "f":
        return case.rng.normal(0, 9, shape).astype(dtype)
    top = case.choose(2, 4, top) if dtype.itemsize == 1 else 2**16
    # As PNG, Pillow writes no more than 16 bits of an integer.
    low = -top if mode == "I" and form == "TIFF" else 0
    return case.rng.integers(low, min(top, 2 if dtype.kind == "b" else top), shape).astype(dtype)


def _options(case: Case, form: str, mode: str) -> dict[str, Any]:
    """Options of Pillow's `save`."""
    options: dict[str, Any] = {}
    if form in ("PNG", "JPEG", "TIFF", "WEBP", "AVIF", "MPO") and case.happens(0.2):
        options |= with_orientation(int(case.rng.integers(1, 9)))
    if form in Image.SAVE_ALL and case.happens(0.1):
        options |= {"save_all": True, "append_images": [Image.new(mode, (9, 9), 1)]}
    if form == "PNG":
        options |= {"optimize": case.happens(0.3), "compress_level": case.choose(0, 1, 9)}
        if mode == "P" and case.happens(0.5):
            options["bits"] = case.choose(1, 2, 4)
        if mode in ("L", "P") and case.happens(0.3):
            options["transparency"] = 1
    elif form == "TIFF":
        options |= {"compression": case.choose(*TIFF_COMPRESSIONS), "big_tiff": case.happens(0.1)}
    elif form == "WEBP":
        options |= {"lossless": case.happens(0.5), "quality": case.choose(5, 80, 100)}
    elif form in ("JPEG", "MPO"):
        options |= {
            "quality": case.choose(1, 60, 75, 95, 100),
            "progressive": case.happens(0.3),
            "optimize": case.happens(0.3),
            "subsampling": case.choose(0, 1, 2),
            "restart_marker_rows": case.choose(0, 0, 1),
        }
    elif form == "JPEG2000":
        options |= {"irreversible": case.happens(0.5)}
    elif form == "GIF":
        options |= {"interlace": case.happens(0.5), "transparency": case.choose(0, 1)}
    elif form == "TGA":
        options |= {"compression": case.choose(None, "tga_rle"), "orientation": case.choose(1, -1)}
    elif form == "SGI":
        options |= {"bpc": case.choose(1, 2)}
    elif form == "ICO":
        options |= {"bitmap_format": case.choose("bmp", "png")}
    elif form == "DDS" and case.happens(0.5):
        options |= {"pixel_format": case.choose("DXT1", "DXT3", "DXT5", "BC5")}
    return options


def png(case: Case, size: Size) -> Picture:
    """A PNG of any depth and colour type, most of which Pillow does not write."""
    color_type = case.choose(0, 0, 2, 3, 4, 6)
    depths = {0: (1, 2, 4, 8, 16), 3: (1, 2, 4, 8)}.get(color_type, (8, 16))
    bits, interlaced = case.choose(*depths), case.happens(0.4)
    channels = {2: 3, 4: 2, 6: 4}.get(color_type, 1)
    pixels = case.rng.integers(0, 2**bits, (*size, channels))
    if color_type != 3:  # for black and white, too
        pixels[0, 0], pixels[-1, -1] = 0, 2**bits - 1
    case.note(f"PNG: {size}, colour type {color_type}, {bits} bits, interlaced: {interlaced}")
    # Adam's seven passes: the first row and column, and the steps.
    passes = [(0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2)]
    parts = (
        [pixels[r::y, c::x] for r, c, y, x in [*passes, (1, 0, 2, 1)]] if interlaced else [pixels]
    )
    rows = [row for part in parts if part.size for row in _packed(part, bits, ">")]
    header = struct.pack(">IIBBBBB", size[1], size[0], bits, color_type, 0, 0, interlaced)
    palette = case.rng.bytes(3 * 2**bits) if color_type == 3 else None
    data = b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header)
    if palette:
        data += _chunk(b"PLTE", palette)
    data += _chunk(b"IDAT", zlib.compress(b"".join(b"\0" + row for row in rows)))
    stored = pixels if channels > 1 else pixels[..., 0]
    is_plain = bits == 8 or color_type == 3 or (bits == 16 and color_type == 0)
    return Picture(data + _chunk(b"IEND", b""), ".png", stored, is_plain=is_plain, palette=palette)


def _chunk(kind: bytes, content: bytes) -> bytes:
    checksum = struct.pack(">I", zlib.crc32(kind + content))
    return struct.pack(">I", len(content)) + kind + content + checksum


def _packed(pixels: np.ndarray, bits: int, order: str) -> list[bytes]:
    """The rows of an image of unsigned integers, from the first bit to the last."""
    rows = pixels.reshape(len(pixels), -1)
    if bits >= 8:
        return [row.astype(f"{order}u{bits // 8}").tobytes() for row in rows]
    digits = rows[..., np.newaxis] >> np.arange(bits - 1, -1, -1) & 1
    return [np.packbits(row.ravel()).tobytes() for row in digits.astype(np.uint8)]


def tiff(case: Case, size: Size) -> Picture:
    """A TIFF of any sample format, which Pillow mostly does not write."""
    order = case.choose("<", ">")
    kind, bits = case.choose(
        *(("u", bits) for bits in (1, 2, 4, 8, 16, 32)), *(("i", bits) for bits in (8, 16, 32)),
        ("f", 16), ("f", 32), ("f", 64),
    )  # fmt: skip
    # The photometric interpretation: white is zero, black is zero, RGB, or a palette.
    photometric = case.choose(0, 1, 1, 2, 2, 3)
    channels = case.choose(3, 4) if photometric == 2 else case.choose(1, 1, 1, 2)
    if photometric == 3:
        kind, bits, channels = "u", case.choose(1, 2, 4, 8), 1
    orientation = case.choose(1, 1, *range(1, 9))
    num_pages = case.choose(1, 1, 1, 1, 2)
    shape = (*size, channels)
    if kind == "f":
        pixels = case.rng.normal(0, 9, shape).astype(f"f{bits // 8}")
        rows = [row.astype(pixels.dtype.newbyteorder(order)).tobytes() for row in pixels]
    else:
        low = -(2 ** (bits - 1)) if kind == "i" else 0
        pixels = case.rng.integers(low, low + 2**bits, shape)
        if bits > 2 and case.happens(0.3):  # class numbers
            pixels = pixels.clip(0, 4)
        rows = _packed(pixels % 2**bits, bits, order)
    palette = case.rng.integers(0, 2**16, 3 * 2**bits).tolist() if photometric == 3 else None
    case.note(
        f"TIFF: {size}, {order}{kind}{bits}, {channels} channels, photometric {photometric}, "
        f"orientation {orientation}, {num_pages} pages"
    )
    compression, content = case.choose((1, b"".join(rows)), (8, zlib.compress(b"".join(rows))))
    short, long = 3, 4
    tags: dict[int, tuple[int, Sequence[int]]] = {
        256: (long, [size[1]]),
        257: (long, [size[0]]),
        258: (short, [bits] * channels),
        259: (short, [compression]),
        262: (short, [photometric]),
        ORIENTATION: (short, [orientation]),
        277: (short, [channels]),
        278: (long, [size[0]]),
        279: (long, [len(content)]),
        339: (short, ["_uif".index(kind)] * channels),
    }
    if palette:
        tags[320] = (short, palette)
    if channels in (2, 4):
        tags[338] = (short, [2])  # the last channel is alpha
    stored = turned(pixels, orientation)
    return Picture(
        _tiff_file(order, tags, content, num_pages),
        ".tif",
        stored if channels > 1 else stored[..., 0],
        "it has several pages" if num_pages > 1 else "",
    )


def _tiff_file(
    order: str, tags: dict[int, tuple[int, Sequence[int]]], content: bytes, num_pages: int
) -> bytes:
    data = (b"II*\0" if order == "<" else b"MM\0*") + bytes(4)
    link = 4
    for _ in range(num_pages):
        page = {**tags, 273: (4, [len(data)])}
        data += content + bytes(len(content) % 2)
        entries = b""
        for tag, (kind, values) in sorted(page.items()):
            packed = struct.pack(f"{order}{len(values)}{' HI'[kind - 2]}", *values)
            if len(packed) > 4:
                packed, data = struct.pack(f"{order}I", len(data)), data + packed
            entries += struct.pack(f"{order}HHI", tag, kind, len(values)) + packed.ljust(4, b"\0")
        data = data[:link] + struct.pack(f"{order}I", len(data)) + data[link + 4 :]
        data += struct.pack(f"{order}H", len(page)) + entries
        link, data = len(data), data + bytes(4)
    return data


def pnm(case: Case, size: Size) -> Picture:
    """A PGM or PPM of any maximum."""
    number, top = case.choose(2, 3, 5, 6), case.choose(1, 3, 100, 254, 255, 255, 256, 999, 65535)
    channels = 3 if number in (3, 6) else 1
    pixels = case.rng.integers(0, top + 1, (*size, channels))
    case.note(f"PNM: P{number}, {size}, maximum {top}")
    if number < 4:
        content = " ".join(map(str, pixels.ravel())).encode()
    else:
        content = pixels.astype(">u2" if top > 255 else "u1").tobytes()
    header = f"P{number}\n{size[1]} {size[0]}\n{top}\n".encode()
    return Picture(header + content, ".ppm", pixels if channels > 1 else pixels[..., 0])


def damaged(case: Case, made: Picture) -> Picture:
    """The same file with other bytes, of which nothing is known any more."""
    harm = case.choose(_flip, _truncate, _extend, _scramble, _empty, _declare)
    case.note("damage:", harm.__name__)
    return Picture(harm(case, made.data), made.extension)


def _flip(case: Case, data: bytes) -> bytes:
    """Some bits, often in the header."""
    pixels = np.frombuffer(data, np.uint8).copy()
    places = case.rng.integers(0, case.choose(len(data), min(64, len(data))), case.choose(1, 2, 9))
    pixels[places] ^= (1 << case.rng.integers(0, 8, len(places))).astype(np.uint8)
    return pixels.tobytes()


def _truncate(case: Case, data: bytes) -> bytes:
    return data[: case.rng.integers(len(data))]


def _extend(case: Case, data: bytes) -> bytes:
    return data + case.choose(case.rng.bytes(9), data)


def _scramble(case: Case, data: bytes) -> bytes:
    start = case.choose(0, 2, 8, 30)
    return data[:start] + case.rng.bytes(int(case.rng.integers(1, 200)))


def _empty(case: Case, data: bytes) -> bytes:
    return b""


def _declare(case: Case, data: bytes) -> bytes:
    """A size of up to many gigapixels in the header."""
    case.is_risky()
    height, width = case.choose(
        (30000, 30000), (60000, 60000), (2**16 - 1, 2**16 - 1), (2**31 - 1, 2**31 - 1), (1, 2**31),
        (9000, 9000), (0, 5), (2**32 - 1, 1),
    )  # fmt: skip
    short_height, short_width = min(height, 2**16 - 1), min(width, 2**16 - 1)
    case.note("declared size:", height, width)
    if data.startswith(b"\x89PNG"):
        return (
            data[:8] + _chunk(b"IHDR", struct.pack(">II", width, height) + data[24:29]) + data[33:]
        )
    if data.startswith(b"BM"):
        return data[:18] + struct.pack("<II", width, height) + data[26:]
    if data.startswith(b"GIF"):
        return data[:6] + struct.pack("<HH", short_width, short_height) + data[10:]
    if re.match(rb"P\d\n", data):
        return re.sub(rb"\n\d+ \d+\n", f"\n{width} {height}\n".encode(), data, count=1)
    if data.startswith((b"II*\0", b"MM\0*")):
        order = "<" if data.startswith(b"II") else ">"
        for tag, value in ((256, width), (257, height)):
            entry = struct.pack(f"{order}HHI", tag, 4, 1)
            data = re.sub(
                re.escape(entry) + b"....",
                lambda found, value=value: found[0][:8] + struct.pack(f"{order}I", value),
                data,
                flags=re.DOTALL,
            )
        return data
    size = struct.pack(">HH", short_height, short_width)
    return re.sub(
        rb"(\xff[\xc0-\xc2]..\x08)....", lambda found: found[1] + size, data, flags=re.DOTALL
    )
