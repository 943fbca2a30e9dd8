"""The form that the files of a flow share, and the pairs of images and masks that do not fit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from multiflow import _checks
from multiflow.images.decoding import NUM_CHANNELS
from multiflow.images.headers import Header, read_header
from multiflow.images.opening import is_numpy_file, reason_of
from multiflow.index.pairs import Pair, Problems
from multiflow.progress import PATIENCE, with_progress

COLOUR_MODES = {"1", "L", "P", "LA", "RGB", "RGBA"}


def read_headers(
    pairs: Sequence[Pair], problems: Problems, *, channels_first: bool, has_colors: bool = False
) -> tuple[list[Header], list[Header]]:
    """Reads the headers of the images and of the masks of all pairs that can be read.

    Args:
        pairs: the paths.
        problems: takes note of files that cannot be read, and of pairs whose sizes differ, or
            whose masks have an EXIF orientation that is not applied as that of their images is.
        channels_first: whether the channels of `.npy` files come before the rows.
        has_colors: whether the colours of masks count, and not their values.
    """

    def read(path: str, *, is_mask: bool) -> Header | None:
        try:
            return read_header(
                path, channels_first=channels_first, is_mask=is_mask, has_colors=has_colors
            )
        except Exception as error:  # a broken file makes Pillow fail in any way
            problems.add("files that cannot be read", f"{path!r} ({reason_of(error)})")
            return None

    images, masks = [], []
    known: dict[Header, Header] = {}  # so that each is held once
    for pair in with_progress(pairs, len(pairs), "pair", patience=PATIENCE):
        image, mask = read(pair.image, is_mask=False), read(pair.mask, is_mask=True)
        if image is None or mask is None:
            continue
        images.append(known.setdefault(image, image))
        masks.append(known.setdefault(mask, mask))
        if image.size != mask.size:
            problems.add(
                "pairs of different size (height, width)",
                f"{pair.image!r} {image.size} and {pair.mask!r} {mask.size}",
            )
        if mask.orientation > 1 and mask.ignored_orientation != image.ignored_orientation:
            problems.add("pairs that are turned differently", _orientations(pair, image, mask))
    return images, masks


def _orientations(pair: Pair, image: Header, mask: Header) -> str:
    """The paths of a pair, with the EXIF orientation of each."""

    def named(path: str, header: Header) -> str:
        applied = ", applied" if header.is_turned else ""
        return f"{path!r} (orientation {header.orientation}{applied})"

    return f"{named(pair.image, image)} and {named(pair.mask, mask)}"


def common_size(pairs: Sequence[Pair], headers: Sequence[Header]) -> tuple[int, int]:
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
    if common.kind == "f" and any(of.kind in "iu" and of.itemsize == 8 for of in dtypes):
        # Integers above 2**53 would be rounded.
        _shared_value(dtypes, "masks whose integers fit one dtype", "Save them in one dtype.")
    return num_channels, common


def warn_of_doubtful_pairs(
    pairs: Sequence[Pair],
    image_headers: Sequence[Header],
    mask_headers: Sequence[Header],
    mask_colors: Mapping[Any, int] | None,
) -> None:
    """Warns of formats that change values, and of headers that differ in meaning."""
    lossy = {pair.mask: of.lossy for pair, of in zip(pairs, mask_headers, strict=True) if of.lossy}
    if lossy:
        _checks.warn(
            f"{len(lossy)} masks are compressed with loss, such as {next(iter(lossy))!r} "
            f"({next(iter(lossy.values()))}). This changes values near edges, so that masks hold "
            "values that belong to no class. Save masks as PNG; until then, "
            "`mask_preprocessing_function` can round the values."
        )
    turned = [
        _orientations(pair, image, mask)
        for pair, image, mask in zip(pairs, image_headers, mask_headers, strict=True)
        if (image.orientation, image.is_turned) != (mask.orientation, mask.is_turned)
    ]
    if turned:
        _checks.warn(
            f"{len(turned)} images and their masks differ in their EXIF orientation, which is "
            f"applied to TIFF files alone: {_checks.listed(turned)}. Look at them with `show`. If "
            "masks do not fit, turn the files with PIL.ImageOps.exif_transpose and save them; else "
            "remove the tags."
        )
    if mask_colors is not None:
        return
    examples = {header.mode: pair.mask for pair, header in zip(pairs, mask_headers, strict=True)}
    one_channel = {mode: path for mode, path in examples.items() if mode in ("1", "L", "P")}
    if len(one_channel) > 1:
        _checks.warn(
            "The masks mix bits, grey levels or palette indices (modes 1, L and P), "
            f"which rarely mean the same: {one_channel}. Save them in one mode."
        )
    palettes = {of.palette: pair.mask for pair, of in zip(pairs, mask_headers, strict=True)}
    _warn_of_palettes({path: palette for palette, path in palettes.items() if palette})


def _warn_of_palettes(palettes: Mapping[str, bytes]) -> None:
    """Warns if a colour has different indices in the palettes of different masks."""
    seen: dict[bytes, tuple[int, str]] = {}
    for path, palette in palettes.items():
        colors = [palette[start : start + 3] for start in range(0, len(palette), 3)]
        if colors[-1:] == colors[-2:-1]:  # repeated to fill an unused rest
            unused = colors[-1]
            while colors and colors[-1] == unused:
                colors.pop()
        for color in dict.fromkeys(colors):
            index = colors.index(color)
            other_index, other_path = seen.setdefault(color, (index, path))
            if index != other_index:
                _checks.warn(
                    f"The palettes of the masks differ: the colour {tuple(color)} is {other_index} "
                    f"in {other_path!r}, but {index} in {path!r}. Masks keep their numbers, so "
                    "that a class may have several. Name the class of each colour with "
                    "`mask_colors`, or save the masks with one palette."
                )
                return


def _shared_value(examples: Mapping[Any, str], expected: str, remedy: str) -> Any:
    if len(examples) > 1:
        shown = ", ".join(f"{value} in {path!r}" for value, path in examples.items())
        raise ValueError(f"The flow needs {expected}. Received {shown}. {remedy}")
    return next(iter(examples))
