"""A small data set of drawn shapes, for the demo, the tests and the notebooks."""

from __future__ import annotations

import os
import pathlib
from collections.abc import Callable
from typing import TypeAlias

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

Points: TypeAlias = np.ndarray

# The corners of each class, on the unit circle; many corners make a circle.
NUM_CORNERS = {"circle": 48, "square": 4, "triangle": 3}
NUM_PAIRS = 75  # of an image and a mask, in each source
PALETTE = [0, 0, 0, 31, 119, 180, 230, 120, 20, 44, 140, 60]
NUM_IMAGES = {
    "photos": {"circle": 60, "square": 60, "triangle": 60},
    "sketches": {"circle": 50, "square": 35, "triangle": 20},
}


def write_samples(directory: str | os.PathLike[str], *, seed: int = 0) -> dict[str, str]:
    """Writes two folders of images that look different and share three classes.

    ```
    directory/
        photos/      180 colour JPEGs: filled shapes on blurred, noisy ground
            circle/  square/  triangle/
        sketches/    105 grey PNGs of various sizes: pencil outlines on paper
            circle/  square/  triangle/
    ```

    Args:
        directory: the folder to write to; created if missing. Files of the same names are
            overwritten.
        seed: int, the seed of the drawings. NumPy's global generator is not used.

    Returns:
        Dict from source name to root folder, ready for `flow_from_directories`.

    Example:
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     list(write_samples(folder))
    ['photos', 'sketches']
    """
    rng = np.random.default_rng(seed)
    roots = {}
    for source, num_images in NUM_IMAGES.items():
        root = pathlib.Path(directory, source)
        paint, ending = _PAINTERS[source]
        for class_name, count in num_images.items():
            class_folder = root / class_name
            class_folder.mkdir(parents=True, exist_ok=True)
            for number in range(count):
                image, _ = _draw(NUM_CORNERS[class_name], paint, rng)
                image.save(class_folder / f"{class_name}_{number:03d}.{ending}")
        roots[source] = str(root)
    return roots


def write_segmentation_samples(
    directory: str | os.PathLike[str], *, seed: int = 0
) -> tuple[dict[str, str], dict[str, str]]:
    """Writes images like those of `write_samples`, from two sources, with masks.

    ```
    directory/
        photos/                     75 pairs
            images/  masks/
        sketches/                   75 pairs
            images/  masks/
    ```

    A mask is a PNG with a palette, in which 0 is the ground, 1 a circle, 2 a square, 3 a triangle.

    Args:
        directory: the folder to write to; created if missing. Files of the same names are
            overwritten.
        seed: int, the seed of the drawings. NumPy's global generator is not used.

    Returns:
        Two dicts from source name to folder, of images and of masks, ready for
        `flow_segmentation_from_directories`.

    Example:
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     images, masks = write_segmentation_samples(folder)
    >>> list(images), list(masks)
    (['photos', 'sketches'], ['photos', 'sketches'])
    """
    rng = np.random.default_rng(seed)
    roots: tuple[dict[str, str], dict[str, str]] = ({}, {})
    for source, (paint, ending) in _PAINTERS.items():
        folders = [pathlib.Path(directory, source, kind) for kind in ("images", "masks")]
        for kind, folder in zip(roots, folders, strict=True):
            folder.mkdir(parents=True, exist_ok=True)
            kind[source] = str(folder)
        for number in range(NUM_PAIRS):
            class_number = number % len(NUM_CORNERS) + 1
            num_corners = list(NUM_CORNERS.values())[class_number - 1]
            image, points = _draw(num_corners, paint, rng)
            image.save(folders[0] / f"{number:03d}.{ending}")
            mask = Image.new("P", image.size)
            mask.putpalette(PALETTE)
            ImageDraw.Draw(mask).polygon([tuple(point) for point in points], fill=class_number)
            mask.save(folders[1] / f"{number:03d}.png")
    return roots


Painter: TypeAlias = Callable[[Points, tuple[int, int], np.random.Generator], Image.Image]


def _draw(num_corners: int, paint: Painter, rng: np.random.Generator) -> tuple[Image.Image, Points]:
    width, height = (int(side) for side in rng.integers(80, 129, 2))
    radius = rng.uniform(0.22, 0.4) * min(width, height)
    centre = np.array([width, height]) / 2 + rng.uniform(-0.08, 0.08, 2) * min(width, height)
    # The lowest side is horizontal, but for a small rotation.
    first = np.pi / 2 + np.pi / num_corners + rng.uniform(-0.2, 0.2)
    angles = first + np.linspace(0, 2 * np.pi, num_corners, endpoint=False)
    points = centre + radius * np.column_stack([np.cos(angles), np.sin(angles)])
    return paint(points, (width, height), rng), points


def _paint_photo(points: Points, size: tuple[int, int], rng: np.random.Generator) -> Image.Image:
    ground = rng.integers(60, 196, 3) + rng.integers(-30, 31, (4, 4, 3))
    image = Image.fromarray(ground.astype(np.uint8)).resize(size, Image.Resampling.BICUBIC)
    # Half the range away from the ground in each channel, so that the shape is seen.
    colour = tuple(int(value) for value in (ground[0, 0] + 128) % 256)
    ImageDraw.Draw(image).polygon([tuple(point) for point in points], fill=colour)
    image = image.filter(ImageFilter.GaussianBlur(1))
    noisy = np.asarray(image) + rng.normal(0, 12, (size[1], size[0], 3))
    return Image.fromarray(noisy.clip(0, 255).astype(np.uint8))


def _paint_sketch(points: Points, size: tuple[int, int], rng: np.random.Generator) -> Image.Image:
    image = Image.new("L", size, int(rng.integers(225, 250)))
    pen = ImageDraw.Draw(image)
    for _ in range(2):
        wobbly = points + rng.normal(0, 1, points.shape)
        outline = [tuple(point) for point in [*wobbly, wobbly[0]]]
        pen.line(outline, fill=int(rng.integers(30, 110)), width=3)
    return image


_PAINTERS: dict[str, tuple[Painter, str]] = {
    "photos": (_paint_photo, "jpg"),
    "sketches": (_paint_sketch, "png"),
}
