"""Samples of a flow as a figure, with captions and masks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from multiflow.show import colours, figures


def draw_samples(
    images: Sequence[np.ndarray],
    masks: Sequence[Sequence[tuple[str, np.ndarray]]],
    captions: Sequence[str],
    title: str,
    *,
    generator: Any,
    columns: int,
    mask_names: Mapping[Any, str] | None,
) -> figures.Picture:
    """Draws the first samples of some batches, each below its caption, with their masks.

    Args:
        images: the images of each batch.
        masks: for each batch, a pair of name and array for each array of masks.
        captions: a text for each sample that is shown.
        title: the heading, to which the shape, the dtype and the range of the values are added.
        generator: the generator that standardised the images.
        columns: the number of images in a row.
        mask_names: None, or names of values or channels of masks, for the legend.

    Raises:
        ValueError: if there are names but no masks, or names of what no mask can hold; if masks
            have no rows and columns.
    """
    kinds = list(zip(*masks, strict=True))
    if mask_names is not None and not kinds:
        raise ValueError(
            "`mask_names` are for flows with masks, but this flow has none. Leave `mask_names` out."
        )
    channels_first = generator.channel_axis == 1
    arrays = [array for of_batch in masks for _, array in of_batch]
    for key in mask_names or {}:
        if not any(
            colours.can_have_name(array, key, channels_first=channels_first) for array in arrays
        ):
            forms = sorted({f"dtype {array.dtype}, shape {array.shape[1:]}" for array in arrays})
            raise ValueError(
                "`mask_names` must be names of values that masks can hold, or of channels by their "
                f"number. Received the key {key!r}, but the masks are of {' and '.join(forms)}."
            )
    shown = np.concatenate(images)[: len(captions)]
    lowest, highest = (
        np.format_float_positional(float(value), precision=2, trim="-")
        for value in (shown.min(), shown.max())
    )
    facts = f"{' × '.join(map(str, shown.shape[1:]))}, {shown.dtype}"
    layers = []
    for of_kind in kinds:
        names, of_batches = zip(*of_kind, strict=True)
        layers.append(
            colours.colour_masks(
                names[0],
                np.concatenate(of_batches)[: len(captions)],
                channels_first=channels_first,
                mask_names=mask_names,
            )
        )
    return figures.draw(
        colours.make_visible(shown, generator),
        captions,
        title=f"{title}\n{facts}, values {lowest} to {highest}",
        columns=columns,
        layers=layers,
    )
