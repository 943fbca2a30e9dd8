"""Pictures of every kind, decoded as Keras' `load_img` decodes them, or refused with its errors."""

from __future__ import annotations

import io
import pathlib
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import keras
import numpy as np
import pytest
from PIL import Image, ImageFile
from pngs import png

from multiflow import extras
from multiflow.images import decoding
from multiflow.images.decoding import Picture

RNG = np.random.default_rng(5)
NOISE = RNG.integers(0, 256, (47, 61, 4), dtype=np.uint8)
SMOOTH = np.asarray(Image.fromarray(NOISE[:6, :7, :3]).resize((83, 58), Image.Resampling.BICUBIC))
RGB, RGBA = Image.fromarray(NOISE[..., :3]), Image.fromarray(NOISE)
GREY16 = Image.fromarray(NOISE[..., 0].astype(np.uint16) * 257)


def load_image(
    path: str, color_mode: str, size: Any, interpolation: str, keep_aspect_ratio: bool
) -> np.ndarray:
    picture = Picture(path, color_mode)
    picture.check_resizing(size, interpolation)
    picture.load()
    return picture.resized(size, interpolation, keep_aspect_ratio=keep_aspect_ratio)


def encoded(image: Image.Image, form: str, **options: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, form, **options)
    return file.getvalue()


def rotated_by_exif() -> bytes:
    exif = Image.Exif()
    exif[0x0112] = 6
    return encoded(RGB, "JPEG", exif=exif)


def with_one_bit_flipped(data: bytes) -> bytes:
    place = len(data) * 3 // 4
    return data[:place] + bytes([data[place] ^ 16]) + data[place + 1 :]


def with_unusual_sampling() -> bytes:
    data = bytearray(encoded(RGB, "JPEG", subsampling="4:4:4"))
    data[data.find(b"\xff\xc0") + 11] = 0x14  # 1 by 4, which has no name of its own
    return bytes(data)


JPEG_420 = encoded(RGB, "JPEG", subsampling="4:2:0")
PICTURES: dict[str, bytes] = {
    **{
        f"JPEG {subsampling}{' progressive' * progressive}, quality {quality}": encoded(
            Image.fromarray(pixels),
            "JPEG",
            subsampling=subsampling,
            progressive=progressive,
            quality=quality,
        )
        for subsampling in ("4:4:4", "4:2:2", "4:2:0")
        for progressive in (False, True)
        for quality, pixels in ((30, NOISE[..., :3]), (75, SMOOTH), (100, SMOOTH[1:, 1:]))
    },
    "JPEG grey": encoded(RGB.convert("L"), "JPEG"),
    "JPEG grey progressive": encoded(RGB.convert("L"), "JPEG", progressive=True),
    "JPEG CMYK": encoded(RGB.convert("CMYK"), "JPEG"),
    "JPEG in RGB": encoded(RGB, "JPEG", keep_rgb=True),
    "JPEG of one pixel": encoded(RGB.crop((0, 0, 1, 1)), "JPEG"),
    "JPEG with restarts": encoded(RGB, "JPEG", restart_marker_rows=1),
    "JPEG rotated by EXIF": rotated_by_exif(),
    "JPEG truncated": JPEG_420[: len(JPEG_420) // 2],
    "JPEG without its end": JPEG_420[:-2],
    "JPEG with a tail": JPEG_420 + b"tail",
    "JPEG with a wrong bit": with_one_bit_flipped(JPEG_420),
    "JPEG of unusual sampling": with_unusual_sampling(),
    "JPEG header only": JPEG_420[:20],
    "MPO": encoded(RGB, "MPO", save_all=True, append_images=[RGB.rotate(90)]),
    "PNG": encoded(RGB, "PNG"),
    "PNG grey": encoded(RGB.convert("L"), "PNG"),
    "PNG 1 bit": encoded(RGB.convert("1"), "PNG"),
    "PNG 16 bit": encoded(GREY16, "PNG"),
    "PNG palette": encoded(RGB.quantize(17), "PNG"),
    "PNG palette with alpha": encoded(RGB.quantize(17), "PNG", transparency=3),
    "PNG alpha": encoded(RGBA, "PNG"),
    "PNG grey with alpha": encoded(RGBA.convert("LA"), "PNG"),
    "PNG truncated": encoded(RGB, "PNG")[:-3000],
    "PNG damaged": with_one_bit_flipped(encoded(RGB, "PNG")),
    "BMP": encoded(RGB, "BMP"),
    "PPM": encoded(RGB, "PPM"),
    "TIFF": encoded(RGB, "TIFF"),
    "TIFF 16 bit": encoded(GREY16, "TIFF"),
    "TIFF 32 bit": encoded(GREY16.convert("I"), "TIFF"),
    "TIFF float": encoded(RGB.convert("F"), "TIFF"),
    "TIFF LZW": encoded(RGB, "TIFF", compression="tiff_lzw"),
    "GIF": encoded(RGB, "GIF"),
    "text": b"no picture",
    "nothing": b"",
}


def outcome(read: Callable[[], Any]) -> Any:
    try:
        pixels = np.asarray(read())
    except Exception as error:
        return type(error), str(error).split(" <_io")[0]
    pixels = pixels if pixels.ndim == 3 else pixels[..., np.newaxis]
    return pixels.shape, pixels.dtype, pixels.tobytes()


@pytest.mark.parametrize("is_installed", [True, False])
@pytest.mark.parametrize("color_mode", ["rgb", "rgba", "grayscale"])
@pytest.mark.parametrize("name", PICTURES)
def test_equals_keras(
    tmp_path: pathlib.Path, use_extra: Any, name: str, color_mode: str, is_installed: bool
) -> None:
    use_extra(is_installed)
    path = tmp_path / "picture"
    path.write_bytes(PICTURES[name])
    for interpolation in ("nearest", "bilinear", "lanczos", "none of these"):
        for size in ((47, 61), (58, 83), (20, 90), (133, 5)):
            for keep_aspect_ratio in (False, True):
                options = (color_mode, size, interpolation, keep_aspect_ratio)
                expected = outcome(lambda: keras.utils.load_img(path, *options))  # noqa: B023
                assert outcome(lambda: load_image(str(path), *options)) == expected  # noqa: B023


def is_decoded_fast(data: bytes, color_mode: str = "rgb") -> bool:
    return decoding._decode_jpeg(extras.find("simplejpeg"), data, color_mode) is not None


def test_interlaced_png(tmp_path: pathlib.Path) -> None:
    # Pillow writes none; this is 2 by 2 pixels, in the seven passes of Adam7.
    passes = b"\0\x01\x02\x03" + b"\0\x04\x05\x06" + b"\0\x07\x08\x09\x0a\x0b\x0c"
    path = tmp_path / "interlaced.png"
    path.write_bytes(png(2, 8, 2, passes, interlaced=True))
    pixels = load_image(str(path), "rgb", (2, 2), "nearest", False)
    np.testing.assert_array_equal(pixels.reshape(-1), np.arange(1, 13))


def test_which_kinds_are_decoded_fast() -> None:
    slow = ("CMYK", "in RGB", "truncated", "without its end", "header only", "sampling")
    for name, data in PICTURES.items():
        if name == "JPEG with a wrong bit":
            continue  # which decoders may or may not notice
        if name.startswith("JPEG"):
            assert is_decoded_fast(data) == (not name.endswith(slow)), name
            assert is_decoded_fast(data, "grayscale") == ("grey" in name), name
        elif name != "MPO":
            assert not is_decoded_fast(data), name


def test_huge_pictures_are_pillows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    assert not is_decoded_fast(JPEG_420)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", None)
    assert is_decoded_fast(JPEG_420)


def test_truncated_pictures_where_pillow_forgives_them(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)
    path = tmp_path / "truncated.jpg"
    path.write_bytes(PICTURES["JPEG truncated"])
    options = ("rgb", (30, 30), "nearest", False)
    assert outcome(lambda: load_image(str(path), *options)) == outcome(
        lambda: keras.utils.load_img(path, *options)
    )


def test_a_decoder_that_differs_is_not_used() -> None:
    simplejpeg = extras.find("simplejpeg")

    def decode_jpeg(*arguments: Any, **options: Any) -> Any:
        return simplejpeg.decode_jpeg(*arguments, **{**options, "fastupsample": True})

    other = SimpleNamespace(
        decode_jpeg_header=simplejpeg.decode_jpeg_header, decode_jpeg=decode_jpeg
    )
    assert decoding._decodes_as_pillow.__wrapped__(simplejpeg)
    assert not decoding._decodes_as_pillow.__wrapped__(other)


def test_results_do_not_share_memory(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "picture.jpg"
    path.write_bytes(JPEG_420)
    first = load_image(str(path), "rgb", (47, 61), "nearest", False)
    before = first.copy()
    path.write_bytes(PICTURES["JPEG 4:4:4, quality 30"])
    load_image(str(path), "rgb", (47, 61), "nearest", False)
    np.testing.assert_array_equal(first, before)
