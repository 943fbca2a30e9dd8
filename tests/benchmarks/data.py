"""Pictures like photographs: smooth shapes of all sizes, texture, and the noise of a sensor."""

from __future__ import annotations

import pathlib

import numpy as np
from PIL import Image

SIZE = (500, 375)  # width, height, as of many photographs in ImageNet
CLASSES = ("ants", "bees")


def photograph(rng: np.random.Generator) -> Image.Image:
    """A picture whose details are the weaker the finer they are."""
    pixels = rng.normal(128, 5, (SIZE[1], SIZE[0], 3))
    for cell in (3, 8, 25, 90):
        shape = (SIZE[1] // cell + 2, SIZE[0] // cell + 2)
        for strength, channels in ((4.0, [0, 1, 2]), (1.5, [0]), (1.5, [2])):
            shades = Image.fromarray(rng.normal(0, strength * cell**0.5, shape).astype(np.float32))
            detail = np.asarray(shades.resize(SIZE, Image.Resampling.BICUBIC))
            pixels[..., channels] += detail[..., np.newaxis]
    return Image.fromarray(pixels.clip(0, 255).astype(np.uint8))


def write_photographs(folder: pathlib.Path, num_images: int, ending: str) -> str:
    """Writes a folder of pictures in two classes and returns its path."""
    rng = np.random.default_rng(0)
    options = {"quality": 90} if ending == "jpg" else {}
    for number in range(num_images):
        path = folder / ending / CLASSES[number % 2] / f"{number:04d}.{ending}"
        path.parent.mkdir(parents=True, exist_ok=True)
        photograph(rng).save(path, **options)
    return str(folder / ending)
