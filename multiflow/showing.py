"""Batch → figure: images made visible, with captions, and masks laid over them; by matplotlib."""

from __future__ import annotations

import io
import textwrap
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from matplotlib import color_sequences
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize, to_rgba
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.patches import Patch
from scipy.ndimage import binary_erosion, generate_binary_structure

from multiflow.brightness import RANGES
from multiflow.transforms import Transformer

CELL = 2.2  # the width of an image, in inches
FONT_SIZE = 9
CHARACTERS_PER_INCH = 12  # of that size
OPACITY = 0.5
# Masks with more values than this are shown as a scale, not as classes.
MAX_CLASSES = 20
# A pixel and its neighbours in the same mask.
CROSS = generate_binary_structure(2, 1)[np.newaxis]


class Picture(Figure):
    """A figure that pyplot does not know of, which notebooks show all the same."""

    def _repr_png_(self) -> bytes:
        buffer = io.BytesIO()
        self.savefig(buffer, format="png")
        return buffer.getvalue()


class Layer(NamedTuple):
    """The masks of one kind, as colours to lay over their images.

    Attributes:
        name: what the masks are called, if there are several for each image.
        colours: float array of shape `(num_samples, height, width, 4)`, red, green, blue, opacity.
        legend: what each colour stands for.
        scale: for masks of many values, how they map to colours.
    """

    name: str
    colours: np.ndarray
    legend: dict[str, Any]
    scale: ScalarMappable | None


def draw(
    images: np.ndarray,
    captions: Sequence[str],
    *,
    title: str,
    columns: int,
    layers: Sequence[Layer] = (),
) -> Picture:
    """Images in a grid, each below its caption; as many times as there are layers.

    Args:
        images: array of shape `(num_samples, height, width, 3)` with values from 0 to 1.
        captions: a text for each.
        title: the heading.
        columns: how many images stand in a row.
        layers: the masks.
    """
    shown: Sequence[Layer | None] = [*layers] or [None]
    cells = [
        (image, f"{caption}\n{layer.name}" if layer and layer.name else caption, position, layer)
        for position, (image, caption) in enumerate(zip(images, captions, strict=True))
        for layer in shown
    ]
    columns = min(columns, len(cells))
    rows = -(-len(cells) // columns)
    width = max(columns * CELL, 2 * CELL)
    ratio = np.clip(images.shape[1] / images.shape[2], 0.4, 2)
    legend = {
        _wrap(f"{layer.name} {value}".strip(), width - 1): colour
        for layer in layers
        for value, colour in layer.legend.items()
    }
    longest = max(map(len, legend), default=0)
    legend_columns = max(1, int(width / (longest / CHARACTERS_PER_INCH + 0.8)))
    legend_rows = -(-len(legend) // legend_columns)
    height = rows * (CELL * ratio + 0.3) + 0.6 + 0.22 * legend_rows
    layout = ConstrainedLayoutEngine(h_pad=0.07)
    figure = Picture(figsize=(width, height), layout=layout)
    figure.suptitle(_wrap(title, width), fontsize=FONT_SIZE + 1)
    for number, (image, caption, position, layer) in enumerate(cells, start=1):
        axes = figure.add_subplot(rows, columns, number)
        axes.set_axis_off()
        axes.set_title(_wrap(caption, CELL), fontsize=FONT_SIZE)
        axes.imshow(image)
        if layer:
            # Masks may be smaller than their images.
            extent = (-0.5, image.shape[1] - 0.5, image.shape[0] - 0.5, -0.5)
            axes.imshow(layer.colours[position], extent=extent, interpolation="nearest")
    if legend:
        figure.legend(
            handles=[
                Patch(color=colour, alpha=OPACITY, label=name) for name, colour in legend.items()
            ],
            loc="outside lower center",
            ncols=legend_columns,
            fontsize=FONT_SIZE,
        )
    for layer in layers:
        if layer.scale:
            bar = figure.colorbar(layer.scale, ax=figure.axes, shrink=0.6, label=layer.name)
            bar.ax.tick_params(labelsize=FONT_SIZE)
    return figure


def _wrap(text: str, width: float) -> str:
    """Lines that fit into a width in inches, at most two for each line of the text."""
    length = int(width * CHARACTERS_PER_INCH)
    lines = (
        textwrap.fill(line, length, max_lines=2, placeholder="…") for line in text.splitlines()
    )
    return "\n".join(lines)


def make_visible(images: np.ndarray, generator: Transformer) -> np.ndarray:
    """Images of a batch as colours from 0 to 1.

    What `fit` found is added again. Then 0 to 1, 0 to 255 or 0 to 65535 is shown from black to
    white, whichever all values are in, but for a hundredth, with a brightest one above an eighth;
    where none is, all but the lowest and highest hundredth of the values.

    Args:
        images: array of shape `(num_samples, height, width, channels)`, or channels second if the
            generator says so. Three channels are red, green and blue; of more, the first three are
            shown; of two, the first.
        generator: the generator that standardised the images.

    Returns:
        Float array of shape `(num_samples, height, width, 3)`.
    """
    pixels = images.astype(np.float64)
    if not generator.zca_whitening:
        if generator.featurewise_std_normalization and generator.std is not None:
            pixels *= generator.std + 1e-6  # what Keras divides by
        if generator.featurewise_center and generator.mean is not None:
            pixels += generator.mean
    pixels = np.moveaxis(pixels, generator.channel_axis, -1)
    pixels = pixels[..., :3] if pixels.shape[-1] >= 3 else np.repeat(pixels[..., :1], 3, axis=-1)
    black, white = _span(pixels[np.isfinite(pixels)])
    return np.nan_to_num((pixels - black) / ((white - black) or 1)).clip(0, 1)


def _span(values: np.ndarray) -> tuple[float, float]:
    if not values.size:
        return RANGES[0]
    lowest, highest = values.min(), values.max()
    fitting = (
        (black, white)
        for black, white in RANGES
        if lowest >= -0.01 * white and 0.125 * white <= highest <= 1.01 * white
    )
    return next(fitting, tuple(np.percentile(values, (1, 99))))


def colour_masks(
    name: str,
    masks: np.ndarray,
    *,
    channels_first: bool,
    mask_names: Mapping[Any, str] | None,
) -> Layer:
    """Masks of a batch as colours: one for each value but 0, or one for each channel.

    Channels of which one is 1 in each pixel, and the others 0, are taken for classes. Values that
    are more than `MAX_CLASSES` get a scale of colours.

    Args:
        name: what the masks are called.
        masks: array of shape `(num_samples, height, width)`, or with channels.
        channels_first: whether channels come before the rows.
        mask_names: None, or names of values or channels, for the legend.

    Raises:
        ValueError: if the masks have no rows and columns any more.
    """
    if masks.ndim not in (3, 4):
        raise ValueError(
            "Only masks of shape (height, width), or with channels, can be shown. Those of this "
            f"batch have the shape {masks.shape[1:]}."
        )
    if masks.ndim == 4 and channels_first:
        masks = np.moveaxis(masks, 1, -1)
    if masks.ndim == 4 and masks.shape[-1] > 1 and not _is_one_hot(masks):
        areas = {channel: masks[..., channel] != 0 for channel in range(masks.shape[-1])}
    else:
        classes = _as_classes(masks)
        values = np.unique(classes).tolist()
        if len(values) > MAX_CLASSES:
            return _scale(name, classes)
        areas = {value: classes == value for value in values if value != 0}
    colours = np.zeros((*masks.shape[:3], 4))
    legend = {}
    for (value, area), colour in zip(areas.items(), _palette(list(areas)), strict=True):
        legend[(mask_names or {}).get(value, f"{value:g}")] = colour
        colours[area] = to_rgba(colour, OPACITY)
        # An outline, which is seen on ground of the same colour, too.
        colours[area & ~binary_erosion(area, CROSS)] = to_rgba(colour)
    return Layer(name, colours, legend, None)


def _is_one_hot(masks: np.ndarray) -> bool:
    return bool(np.isin(masks, (0, 1)).all() and (masks.sum(axis=-1) == 1).all())


def _as_classes(masks: np.ndarray) -> np.ndarray:
    if masks.ndim == 4:
        masks = masks.argmax(axis=-1) if masks.shape[-1] > 1 else masks[..., 0]
    return masks.astype(np.uint8) if masks.dtype == bool else masks


def _scale(name: str, values: np.ndarray) -> Layer:
    scale = ScalarMappable(Normalize(values.min(), values.max()), "viridis")
    colours = scale.to_rgba(values.ravel().astype(np.float64), alpha=OPACITY)
    return Layer(name, colours.reshape(*values.shape, 4), {}, scale)


def _palette(values: Sequence[Any]) -> list[Any]:
    """A colour for each value; for small class numbers the same one in every batch."""
    palette = [*color_sequences["tab10"], *color_sequences["Set3"]]
    are_class_numbers = all(value == int(value) and 0 <= value <= MAX_CLASSES for value in values)
    places = [int(value) - 1 for value in values] if are_class_numbers else range(len(values))
    return [palette[place % len(palette)] for place in places]
