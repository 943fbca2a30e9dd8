"""The headers of image and mask files, and the size, channels and dtype that files share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from multiflow import _checks
from multiflow.images.decoding import NUM_CHANNELS
from multiflow.images.files import is_numpy_file, open_array
from multiflow.images.resize import Size
from multiflow.index.pairs import Pair, Problems
from multiflow.progress import PATIENCE, with_progress

# The dtype and the number of channels of Pillow's modes for masks; None stands for no channel axis.
MODES: dict[str, tuple[str, int | None]] = {
    "1": ("bool", None),
    "L": ("uint8", None),
    "P": ("uint8", None),
    "I;16": ("uint16", None),
    "I": ("int32", None),
    "F": ("float32", None),
    "LA": ("uint8", 2),
    "RGB": ("uint8", 3),
    "RGBA": ("uint8", 4),
}
# Depths of PNG that Pillow scales or cuts to 8 bits, which would change the values of masks.
ALTERED_DEPTHS = {"L;2", "L;4", "LA;16B", "RGB;16B", "RGBA;16B"}
COLOUR_MODES = {"1", "L", "P", "LA", "RGB", "RGBA"}
UNREADABLE = (OSError, ValueError, EOFError, Image.DecompressionBombError)


class Header(NamedTuple):
    """The form of the array in a file; `num_channels` is None for no channel axis.

    For images, other than masks and `.npy` files, only size and mode are set: Keras converts them
    to `color_mode`.
    """

    size: Size
    num_channels: int | None = None
    dtype: np.dtype = np.dtype(np.uint8)
    mode: str = "npy"


def read_header(path: str, *, channels_first: bool, is_mask: bool) -> Header:
    """Reads the size of a file, and of masks and `.npy` files also the channels and dtype.

    Raises:
        OSError: if the file cannot be read.
        ValueError: if it holds no image, or a mask that Pillow would change.
    """
    if is_numpy_file(path):
        array = open_array(path)
        if array.ndim not in (2, 3) or array.dtype.kind not in "biuf":
            raise ValueError(
                f"it holds an array of shape {array.shape} and dtype {array.dtype}; it must hold "
                "one image or mask, of rank 2 or 3, of numbers"
            )
        shape = list(array.shape)
        num_channels = shape.pop(0 if channels_first else 2) if array.ndim == 3 else None
        return Header((shape[0], shape[1]), num_channels, array.dtype)
    with Image.open(path) as image:
        size = (image.height, image.width)
        if not is_mask:
            return Header(size, mode=image.mode)
        if image.mode not in MODES:
            raise ValueError(f"its mode {image.mode!r} is none of {', '.join(MODES)}")
        depth = image.tile[0][3] if image.tile else None
        if isinstance(depth, str) and depth in ALTERED_DEPTHS:
            raise ValueError(
                f"its pixels are stored as {depth}, which Pillow scales to 8 bits; save it with 8 "
                "bits per channel, or with 16 bits and one channel"
            )
        dtype, num_channels = MODES[image.mode]
        return Header(size, num_channels, np.dtype(dtype), image.mode)


def read_headers(
    pairs: Sequence[Pair], problems: Problems, *, channels_first: bool
) -> tuple[list[Header], list[Header]]:
    """Reads the headers of the images and of the masks of all pairs that can be read.

    Args:
        pairs: the paths.
        problems: takes note of files that cannot be read, and of pairs whose sizes differ.
        channels_first: whether the channels of `.npy` files come before the rows.
    """

    def read(path: str, *, is_mask: bool) -> Header | None:
        try:
            return read_header(path, channels_first=channels_first, is_mask=is_mask)
        except UNREADABLE as error:
            problems.add("files that cannot be read", f"{path!r} ({error})")
            return None

    images, masks = [], []
    for pair in with_progress(pairs, len(pairs), "pair", patience=PATIENCE):
        image, mask = read(pair.image, is_mask=False), read(pair.mask, is_mask=True)
        if image is None or mask is None:
            continue
        images.append(image)
        masks.append(mask)
        if image.size != mask.size:
            problems.add(
                "pairs of different size (height, width)",
                f"{pair.image!r} {image.size} and {pair.mask!r} {mask.size}",
            )
    return images, masks


def common_size(pairs: Sequence[Pair], headers: Sequence[Header]) -> Size:
    """The size that all images share, for flows without a `target_size`."""
    examples = {header.size: pair.image for pair, header in zip(pairs, headers, strict=True)}
    return _shared_value(examples, "images of one size (height, width)", "Set `target_size`.")


def common_image_channels(pairs: Sequence[Pair], headers: Sequence[Header], color_mode: str) -> int:
    """The number of channels that all images share; of image files, that of the color mode."""
    examples = {
        (header.num_channels or 1) if is_numpy_file(pair.image) else NUM_CHANNELS[color_mode]: (
            pair.image
        )
        for pair, header in zip(pairs, headers, strict=True)
    }
    return _shared_value(
        examples, "images of one number of channels", "Make one flow for each number."
    )


def common_mask_form(
    pairs: Sequence[Pair], headers: Sequence[Header], mask_colors: Mapping[Any, int] | None
) -> tuple[int | None, np.dtype]:
    """The number of channels (None for no channel axis) and a dtype that fit all masks."""
    if mask_colors is not None:
        for pair, header in zip(pairs, headers, strict=True):
            if header.mode not in COLOUR_MODES:
                raise ValueError(
                    f"`mask_colors` is for masks of the modes {sorted(COLOUR_MODES)}. Received "
                    f"{pair.mask!r} of mode {header.mode!r}. Convert the file to RGB, or leave "
                    "`mask_colors` out."
                )
        return None, np.result_type(*map(np.min_scalar_type, mask_colors.values()))
    examples = {header.num_channels: pair.mask for pair, header in zip(pairs, headers, strict=True)}
    num_channels = _shared_value(
        examples,
        "masks of one number of channels (None for no channel axis)",
        "Turn colours into class numbers with `mask_colors`, or convert the files.",
    )
    dtypes = {header.dtype: pair.mask for pair, header in zip(pairs, headers, strict=True)}
    common = np.result_type(*dtypes)
    if common.kind == "f" and not any(dtype.kind == "f" for dtype in dtypes):
        # Integers above 2**53 would be rounded.
        _shared_value(dtypes, "masks whose integers fit one dtype", "Save them in one dtype.")
    return num_channels, common


def warn_of_doubtful_masks(pairs: Sequence[Pair], headers: Sequence[Header]) -> None:
    """Warns of masks in a format that changes values, and of modes that differ in meaning."""
    lossy = [pair.mask for pair in pairs if pair.mask.lower().endswith(("jpg", "jpeg"))]
    if lossy:
        _checks.warn(
            f"{len(lossy)} masks are JPEG files, such as {lossy[0]!r}. JPEG changes values near "
            "edges, so that masks hold values that belong to no class. Save masks as PNG; until "
            "then, `mask_preprocessing_function` can round the values."
        )
    examples = {header.mode: pair.mask for pair, header in zip(pairs, headers, strict=True)}
    one_channel = {mode: path for mode, path in examples.items() if mode in ("1", "L", "P")}
    if len(one_channel) > 1:
        _checks.warn(
            "The masks mix bits, grey levels or palette indices (modes 1, L and P), "
            f"which rarely mean the same: {one_channel}. Save them in one mode."
        )


def _shared_value(examples: Mapping[Any, str], expected: str, remedy: str) -> Any:
    if len(examples) > 1:
        shown = ", ".join(f"{value} in {path!r}" for value, path in examples.items())
        raise ValueError(f"The flow needs {expected}. Received {shown}. {remedy}")
    return next(iter(examples))
