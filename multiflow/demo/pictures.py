"""Contact sheets and curves as pictures, with Pillow alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

INK, GRID, PAPER = (40, 40, 40), (225, 225, 225), (255, 255, 255)
COLOURS = [(31, 119, 180), (230, 120, 20), (44, 140, 60), (180, 40, 60)]
MARGIN = 12


def contact_sheet(
    images: Sequence[np.ndarray], captions: Sequence[str], *, columns: int = 4, cell: int = 160
) -> Image.Image:
    """Images in a grid, each above its caption.

    Args:
        images: arrays of shape `(height, width, 3)` with values from 0 to 1.
        captions: one line of text for each.
        columns: how many images stand in a row.
        cell: the side of an image in the grid, in pixels.
    """
    font = ImageFont.load_default(size=14)
    caption_height = 24
    rows = -(-len(images) // columns)
    width = MARGIN + columns * (cell + MARGIN)
    height = MARGIN + rows * (cell + caption_height + MARGIN)
    sheet = Image.new("RGB", (width, height), PAPER)
    pen = ImageDraw.Draw(sheet)
    for position, (image, caption) in enumerate(zip(images, captions, strict=True)):
        row, column = divmod(position, columns)
        left = MARGIN + column * (cell + MARGIN)
        top = MARGIN + row * (cell + caption_height + MARGIN)
        pixels = (np.clip(image, 0, 1) * 255).round().astype(np.uint8)
        sheet.paste(Image.fromarray(pixels).resize((cell, cell)), (left, top))
        pen.text((left, top + cell + 4), _fit(caption, font, cell), fill=INK, font=font)
    return sheet


def curves(
    series: Mapping[str, Sequence[float]], *, title: str, size: tuple[int, int] = (640, 400)
) -> Image.Image:
    """Lines over the epochs 1, 2, … with axes and a legend.

    Args:
        series: the values of each line, one per epoch, by name.
        title: the heading.
        size: (width, height) of the picture, in pixels.
    """
    font = ImageFont.load_default(size=14)
    picture = Image.new("RGB", size, PAPER)
    pen = ImageDraw.Draw(picture)
    left, top, right, bottom = 60, 60, size[0] - 20, size[1] - 50
    num_epochs = max(len(values) for values in series.values())
    # Rounded up to halves, the five steps of the axis are plain numbers.
    highest = np.ceil(2 * max(1.0, *(max(values) for values in series.values()))) / 2
    pen.text((left, 12), title, fill=INK, font=ImageFont.load_default(size=18))
    for tick in np.linspace(0, highest, 6):
        y = bottom - (bottom - top) * tick / highest
        pen.line([(left, y), (right, y)], fill=GRID)
        pen.text((left - 8, y), f"{tick:.1f}", fill=INK, font=font, anchor="rm")
    step = -(-num_epochs // 10)
    xs = np.linspace(left, right, num_epochs + 2)[1:-1]
    for epoch in range(0, num_epochs, step):
        pen.text((xs[epoch], bottom + 8), str(epoch + 1), fill=INK, font=font, anchor="mt")
    pen.text(((left + right) / 2, bottom + 28), "epoch", fill=INK, font=font, anchor="mt")
    legend_left = float(left)
    for (name, values), colour in zip(series.items(), COLOURS, strict=False):
        points = [
            (x, bottom - (bottom - top) * value / highest)
            for x, value in zip(xs, values, strict=False)
        ]
        pen.line(points, fill=colour, width=3)
        for x, y in points:
            pen.ellipse([x - 3, y - 3, x + 3, y + 3], fill=colour)
        pen.rectangle([legend_left, 40, legend_left + 14, 48], fill=colour)
        pen.text((legend_left + 20, 44), name, fill=INK, font=font, anchor="lm")
        legend_left += 36 + font.getlength(name)
    return picture


def _fit(text: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont, width: int) -> str:
    """`text`, cut at its end to a width in pixels."""
    if font.getlength(text) <= width:
        return text
    while text and font.getlength(text + "…") > width:
        text = text[:-1]
    return text + "…"
