"""The headers of image and mask files: the form of the array in a file, without its pixels."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from PIL import ExifTags, Image, ImageFile

from multiflow.images.opening import is_numpy_file, open_array, open_picture
from multiflow.images.resize import Size


class Mode(NamedTuple):
    """One of Pillow's modes for masks.

    Attributes:
        dtype: the dtype of the values.
        num_channels: the number of channels; None for no channel axis.
        raw_modes: those of Pillow's names for the way in which a file stores its pixels that
            become this mode with all values kept.
    """

    dtype: str
    num_channels: int | None
    raw_modes: frozenset[str]


def _mode(dtype: str, num_channels: int | None, raw_modes: str) -> Mode:
    return Mode(dtype, num_channels, frozenset(raw_modes.split()))


MODES = {
    "1": _mode("bool", None, "1 1;R"),
    "L": _mode("uint8", None, "L L;R"),
    "P": _mode("uint8", None, "P P;R P;1 P;1R P;2 P;2R P;4 P;4R"),
    "I;16": _mode("uint16", None, "I;16 I;16B I;16N"),
    "I;16B": _mode("uint16", None, "I;16B I;16N"),
    "I": _mode("int32", None, "I I;16 I;16B I;16S I;16BS I;16NS I;32S I;32BS I;32NS I;32N"),
    "F": _mode("float32", None, "F F;32F F;32BF F;32NF"),
    "LA": _mode("uint8", 2, "LA L A"),
    "RGB": _mode("uint8", 3, "RGB RGB;R BGR BGRX R G B"),
    "RGBA": _mode("uint8", 4, "RGBA BGRA ABGR R G B A"),
}
# Formats whose decoders name no raw mode, and keep the values that they find.
FORMATS_WITHOUT_RAW_MODE = ("GIF", "QOI", "WEBP")
UNSIGNED_16 = {"I;16", "I;16B", "I;16N"}  # of PGM files, Pillow opens these as "I"
UNSIGNED_32 = {"I;32N"}  # which Pillow reads as signed
LOSSY_FORMATS = {"AVIF": "AVIF", "JPEG": "JPEG", "MPO": "JPEG", "WEBP": "WebP"}
LOSSY_COMPRESSIONS = {"jpeg": "JPEG", "tiff_jpeg": "JPEG", "webp": "WebP"}  # of TIFF
# Where Pillow keeps what may tell the orientation.
ORIENTATION_KEYS = {"exif", "Raw profile type exif", "XML:com.adobe.xmp", "xmp"}
SAMPLE_FORMAT, SIGNED = 339, 2  # a tag of TIFF, and one of its values


class Header(NamedTuple):
    """The form of the array in a file.

    Attributes:
        size: (height, width).
        num_channels: the number of channels; None for no channel axis.
        dtype: the dtype of the values.
        mode: Pillow's mode; "npy" for `.npy` files.
        palette: the bytes of the palette, three for each index; None without one.
        lossy: the name of a compression that changes values; None without one.
        orientation: the EXIF orientation, from 1 (upright) to 8, which Keras ignores.
        is_turned: whether Pillow applies this orientation, as it does for TIFF.

    For images, other than masks and `.npy` files, only size and orientation are set: Keras converts
    the pixels to `color_mode`.
    """

    size: Size
    num_channels: int | None = None
    dtype: np.dtype = np.dtype(np.uint8)
    mode: str = "npy"
    palette: bytes | None = None
    lossy: str | None = None
    orientation: int = 1
    is_turned: bool = False

    @property
    def ignored_orientation(self) -> int:
        """The EXIF orientation that stays to be applied to what is read; 1 if none does."""
        return 1 if self.is_turned else self.orientation


def read_header(
    path: str, *, channels_first: bool, is_mask: bool, has_colors: bool = False
) -> Header:
    """Reads the size of a file, and of masks and `.npy` files also the form of the values.

    Args:
        path: the file.
        channels_first: whether the channels of `.npy` files come before the rows.
        is_mask: whether it is a mask.
        has_colors: whether the colours of the mask count, and not its values.

    Raises:
        OSError: if the file cannot be read.
        ValueError: if it holds no image, or a mask that Pillow would change.
    """
    if is_numpy_file(path):
        return array_header(open_array(path), channels_first=channels_first)
    with open_picture(path) as image:
        return mask_header(image, has_colors=has_colors) if is_mask else image_header(image)


def array_header(array: np.ndarray, *, channels_first: bool) -> Header:
    """The header of the array in an `.npy` file.

    Raises:
        ValueError: if it is no image or mask.
    """
    if array.ndim not in (2, 3) or array.dtype.kind not in "biuf" or not array.size:
        raise ValueError(
            f"it holds an array of shape {array.shape} and dtype {array.dtype}; it must hold "
            "one image or mask, of rank 2 or 3, of numbers"
        )
    shape = list(array.shape)
    num_channels = shape.pop(0 if channels_first else 2) if array.ndim == 3 else None
    return Header((shape[0], shape[1]), num_channels, array.dtype)


def image_header(image: ImageFile.ImageFile) -> Header:
    """The header of an opened image."""
    orientation = _orientation(image)
    is_turned = orientation > 1 and image.format == "TIFF"
    return Header((image.height, image.width), orientation=orientation, is_turned=is_turned)


def mask_header(image: ImageFile.ImageFile, *, has_colors: bool = False) -> Header:
    """The header of an opened mask.

    Args:
        image: the mask.
        has_colors: whether its colours count, and not its values, which Pillow may then change.

    Raises:
        ValueError: if Pillow would change values, or leave out a page.
    """
    if image.mode not in MODES:
        raise ValueError(f"its mode {image.mode!r} is none of {', '.join(MODES)}")
    if getattr(image, "is_animated", False):
        raise ValueError(
            "it has several pages, of which only the first would be read; save each as a file"
        )
    mode = MODES[image.mode]
    raw_modes = _raw_modes(image)
    altered = raw_modes - mode.raw_modes
    if altered and not has_colors:
        raise ValueError(
            f"its pixels are stored as {', '.join(sorted(altered))}, which Pillow may scale, cut "
            "or invert; save it with 8 bits per channel, with 16 bits and one channel, or as `.npy`"
        )
    dtype = np.dtype(np.uint16 if raw_modes and raw_modes <= UNSIGNED_16 else mode.dtype)
    compression = str(image.info.get("compression"))
    lossy = LOSSY_FORMATS.get(image.format or "") or LOSSY_COMPRESSIONS.get(compression)
    return image_header(image)._replace(
        num_channels=mode.num_channels,
        dtype=dtype,
        mode=image.mode,
        palette=_palette(image) if image.mode == "P" else None,
        lossy=lossy,
    )


def _palette(image: ImageFile.ImageFile) -> bytes:
    """The palette of an opened file, three bytes for each index."""
    if image.palette is not None:
        raw_mode, colors = image.palette.getdata()
        if raw_mode == "RGB":
            return bytes(colors)
    return bytes(image.getpalette() or ())  # which decodes all pixels


def read_mask(image: ImageFile.ImageFile) -> np.ndarray:
    """The stored values of an opened mask, for which `mask_header` raises nothing.

    Raises:
        ValueError: if a value is larger than Pillow can read.
    """
    is_unsigned = _raw_modes(image) <= UNSIGNED_32
    mask = np.asarray(image)
    if is_unsigned and (mask < 0).any():
        raise ValueError(
            "it holds values of 2**31 or more, which Pillow makes negative; save it as `.npy`"
        )
    return mask


def _raw_modes(image: ImageFile.ImageFile) -> set[str]:
    """Pillow's names for the ways in which an opened file stores its pixels."""
    if image.format in FORMATS_WITHOUT_RAW_MODE:
        return set()
    if image.format == "PPM":
        return {_raw_mode_of_ppm(image)}
    if image.mode == "L" and SIGNED in getattr(image, "tag_v2", {}).get(SAMPLE_FORMAT, ()):
        return {"signed L"}
    return set(map(_raw_mode, image.tile)) or {str(image.format)}


def _raw_mode(tile: Any) -> str:
    """How one of Pillow's tiles is stored; the name of its decoder if that does not say."""
    decoder, _, _, arguments = tile
    parts = arguments if isinstance(arguments, tuple) else (arguments,)
    raw_mode = next((part for part in parts if isinstance(part, str)), decoder)
    # What is decompressed has the byte order of the machine, which Pillow then swaps again.
    is_swapped = decoder == "libtiff" and "B" in raw_mode.partition(";")[2]
    return f"{raw_mode} in compressed bytes" if is_swapped else raw_mode


def _raw_mode_of_ppm(image: ImageFile.ImageFile) -> str:
    """As `_raw_mode`, with the largest value if this is not that of 8 or 16 bits."""
    decoder, _, _, arguments = image.tile[0]
    if image.mode == "1":
        return "1"  # the format itself says that 1 is black
    if decoder == "raw":
        return _raw_mode(image.tile[0])
    assert isinstance(arguments, tuple)
    raw_mode, maximum = arguments
    highest = 2**16 - 1 if image.mode == "I" else 2**8 - 1
    return image.mode if maximum == highest else f"{raw_mode} with the maximum {maximum}"


def _orientation(image: ImageFile.ImageFile) -> int:
    """The EXIF orientation of an opened file, from 1 to 8; 1 if there is none."""
    if image.format != "TIFF" and not ORIENTATION_KEYS & image.info.keys():
        return 1
    try:
        # Of PNG files, Pillow's own method would decode all pixels to find tags behind them.
        orientation = Image.Image.getexif(image).get(ExifTags.Base.Orientation, 1)
    except Exception:  # damaged tags turn no image
        return 1
    return int(orientation) if orientation in range(2, 9) else 1
