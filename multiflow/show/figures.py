"""Colours → figure: images in a grid, with masks laid over them, and curves; by matplotlib."""

from __future__ import annotations

import io
import textwrap
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.patches import Patch
from matplotlib.text import Text
from matplotlib.ticker import MaxNLocator

from multiflow.show.colours import Layer

# In inches: the width of an image; the heights of a caption, the title and a row of the legend.
CELL, CAPTION, TITLE, LEGEND_ROW = 2.2, 0.3, 0.6, 0.22
PANEL = 3.6  # the sides of a panel with curves, in inches
FONT_SIZE = 9
CHARACTERS_PER_INCH = 12  # of that size
OPACITY = 0.4


class Picture(Figure):
    """A figure that pyplot does not manage, and that notebooks show all the same."""

    def _repr_png_(self) -> bytes:
        buffer = io.BytesIO()
        self.savefig(buffer, format="png")
        return buffer.getvalue()


class Legend(NamedTuple):
    """The names and colours of all areas, in a number of columns that fits the figure."""

    entries: Sequence[tuple[str, Any]]
    columns: int

    @classmethod
    def of(cls, layers: Sequence[Layer], width: float) -> Legend:
        """The legend of some layers, in a figure of the given width in inches."""
        entries = [
            (_wrap(f"{layer.name} {area.name}".strip(), width - 1), area.colour)
            for layer in layers
            for area in layer.areas
        ]
        longest = max((len(name) for name, _ in entries), default=0)
        return cls(entries, max(1, int(width / (longest / CHARACTERS_PER_INCH + 0.8))))

    @property
    def height(self) -> float:
        """The height of the legend, in inches."""
        return -(-len(self.entries) // self.columns) * LEGEND_ROW

    def add_to(self, figure: Figure) -> None:
        """Draws the legend below the figure, if it has entries."""
        if self.entries:
            figure.legend(
                handles=[
                    Patch(color=colour, alpha=OPACITY, label=name) for name, colour in self.entries
                ],
                loc="outside lower center",
                ncols=self.columns,
                fontsize=FONT_SIZE,
            )


def draw(
    images: np.ndarray,
    captions: Sequence[str],
    *,
    title: str,
    columns: int,
    layers: Sequence[Layer] = (),
) -> Picture:
    """Draws images in a grid, each below its caption, and once for each layer.

    Args:
        images: array of shape `(num_samples, height, width, 3)` with values from 0 to 1.
        captions: a text for each image.
        title: the heading.
        columns: the number of images in a row.
        layers: the masks.
    """
    cells = [(sample, layer) for sample in range(len(images)) for layer in layers or [Layer("")]]
    columns = min(columns, len(cells))
    rows = -(-len(cells) // columns)
    width = max(columns, 2) * CELL
    legend = Legend.of(layers, width)
    cell_height = CELL * np.clip(images.shape[1] / images.shape[2], 0.4, 2) + CAPTION
    figure = Picture(
        figsize=(width, rows * cell_height + TITLE + legend.height),
        layout=ConstrainedLayoutEngine(h_pad=0.07),
    )
    figure.suptitle(_wrap(title, width), fontsize=FONT_SIZE + 1)
    for number, (sample, layer) in enumerate(cells, start=1):
        axes = figure.add_subplot(rows, columns, number)
        axes.set_axis_off()
        caption = " ".join(captions[sample].split())
        axes.set_title(_wrap(f"{caption}\n{layer.name}".strip(), CELL), fontsize=FONT_SIZE)
        _show_pixels(axes, images[sample])
        _lay_over(axes, layer, sample, images.shape[1:3])
    legend.add_to(figure)
    for text in figure.findobj(Text):  # names may hold dollars and underscores
        text.set_parse_math(False)
        text.set_usetex(False)
    _add_scales(figure, layers)
    return figure


def draw_history(history: Mapping[str, Sequence[float]], *, title: str) -> Picture:
    """Draws the measures of a training as lines over the epochs 1, 2, …, a panel for each measure.

    Args:
        history: a value per epoch for each measure, such as "loss" for the training and "val_loss"
            for the validation; the attribute `history` of what `model.fit` returns.
        title: the heading.
    """
    measures = [name for name in history if not name.startswith("val_")]
    figure = Picture(figsize=(PANEL * len(measures), PANEL), layout=ConstrainedLayoutEngine())
    figure.suptitle(title, fontsize=FONT_SIZE + 1)
    for number, measure in enumerate(measures, start=1):
        axes = figure.add_subplot(1, len(measures), number)
        axes.set_title(measure, fontsize=FONT_SIZE)
        _draw_lines(axes, {"training": history[measure], "validation": history[f"val_{measure}"]})
    figure.legend(handles=axes.get_lines(), loc="outside lower center", ncols=2, fontsize=FONT_SIZE)
    return figure


def _draw_lines(axes: Axes, series: Mapping[str, Sequence[float]]) -> None:
    """Draws values by epoch, from 0 up."""
    for name, values in series.items():
        epochs = range(1, len(values) + 1)
        axes.plot(epochs, values, marker="o", markersize=4, label=name)  # one epoch is no line
    axes.set_xlabel("epoch", fontsize=FONT_SIZE)
    axes.set_xlim(0.5, len(epochs) + 0.5)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    axes.margins(y=0.1)
    axes.set_ylim(bottom=0)
    axes.tick_params(labelsize=FONT_SIZE)
    axes.grid(alpha=0.3)


def _lay_over(axes: Axes, layer: Layer, sample: int, size: tuple[int, ...]) -> None:
    """Draws the mask of a sample over its image, whose (height, width) is `size`."""
    # Masks may be smaller than their images.
    extent = (-0.5, size[1] - 0.5, size[0] - 0.5, -0.5)
    if layer.values is not None and layer.scale is not None:
        values = layer.values[sample]
        colours = layer.scale.to_rgba(values.ravel(), alpha=OPACITY).reshape(*values.shape, 4)
        colours[values == 0] = 0
        _show_pixels(axes, colours, extent=extent, interpolation="nearest")
    for area in layer.areas:
        pixels = area.pixels[sample]
        if not pixels.any():
            continue
        colours = pixels[..., np.newaxis] * np.array(to_rgba(area.colour, OPACITY))
        _show_pixels(axes, colours, extent=extent, interpolation="nearest")
        if not pixels.all() and min(pixels.shape) > 1:
            _outline(axes, pixels, area.colour, extent)


def _outline(axes: Axes, pixels: np.ndarray, colour: Any, extent: tuple[float, ...]) -> None:
    """Draws the outline of an area, which shows it even on ground of the same colour.

    It lies inside the area, so that it covers no other area, however thin that is.
    """
    options: Any = {"extent": extent, "origin": "upper"}
    line = axes.contour(pixels, levels=[0.5], colors=[colour], linewidths=3, **options)
    inside = axes.contourf(pixels, levels=[0.5, 1], colors="none", **options)
    line.set_clip_path(inside.get_paths()[0], axes.transData)
    inside.remove()


def _show_pixels(
    axes: Axes, pixels: np.ndarray, *, interpolation: str = "antialiased", **options: Any
) -> None:
    # These options do not depend on the user's matplotlib settings.
    axes.imshow(pixels, origin="upper", aspect="equal", interpolation=interpolation, **options)


def _add_scales(figure: Figure, layers: Sequence[Layer]) -> None:
    cells = list(figure.axes)
    for layer in layers:
        if layer.scale:
            bar = figure.colorbar(layer.scale, ax=cells, shrink=0.6, label=layer.name)
            bar.ax.tick_params(labelsize=FONT_SIZE)


def _wrap(text: str, width: float) -> str:
    """Breaks a text into lines that fit into a width in inches, at most two for each line of it."""
    is_wide = any(unicodedata.east_asian_width(character) in "FW" for character in text)
    length = int(width * CHARACTERS_PER_INCH / (2 if is_wide else 1))
    fitting = []
    for line in text.split("\n"):
        first, *others = textwrap.wrap(line, length) or [""]
        rest = [f"{others[0][: length - 1]}…"] if len(others) > 1 else others
        fitting += [first, *rest]
    return "\n".join(fitting)
