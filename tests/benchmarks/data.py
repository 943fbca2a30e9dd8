"""The files that are measured: simple pictures, photographs, and pairs of photographs and masks."""

from __future__ import annotations

import pathlib
import time

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

SIZE = (500, 375)  # width, height, as of many photographs in ImageNet
CLASSES = ("ants", "bees")
# Those of Flickr, from which many photographs in data sets come.
JPEG_OPTIONS = {"quality": 96, "subsampling": "4:4:4"}
SECONDS_UNTIL_OLD = 2.5


def write_pictures(folder: pathlib.Path, num_images: int, ending: str) -> str:
    """Writes a folder of pictures in two classes and returns its path."""
    rng = np.random.default_rng(0)
    options = {"quality": 90} if ending == "jpg" else {}
    for number in range(num_images):
        draw_picture(rng).save(_path_of(folder / ending, number, ending), **options)
    _let_files_age()
    return str(folder / ending)


def draw_picture(rng: np.random.Generator) -> Image.Image:
    """A picture whose details are the weaker the finer they are, of about 50 kB as a JPEG."""
    pixels = rng.normal(128, 5, (SIZE[1], SIZE[0], 3))
    for cell in (3, 8, 25, 90):
        shape = (SIZE[1] // cell + 2, SIZE[0] // cell + 2)
        for strength, channels in ((4.0, [0, 1, 2]), (1.5, [0]), (1.5, [2])):
            shades = Image.fromarray(rng.normal(0, strength * cell**0.5, shape).astype(np.float32))
            detail = np.asarray(shades.resize(SIZE, Image.Resampling.BICUBIC))
            pixels[..., channels] += detail[..., np.newaxis]
    return Image.fromarray(pixels.clip(0, 255).astype(np.uint8))


def write_photographs(folder: pathlib.Path, num_images: int) -> str:
    """Writes a folder of photographs in two classes, of about 110 kB, and returns its path."""
    camera = Camera(SIZE)
    for number in range(num_images):
        image, _ = camera.photograph()
        image.save(_path_of(folder, number, "jpg"), **JPEG_OPTIONS)
    _let_files_age()
    return str(folder)


def write_pairs(folder: pathlib.Path, num_pairs: int, size: tuple[int, int]) -> tuple[str, str]:
    """Writes a folder of photographs and one of their masks, as PNG; returns both paths."""
    camera = Camera(size)
    for number in range(num_pairs):
        for kind, image in zip(("images", "masks"), camera.photograph(), strict=True):
            image.save(_path_of(folder / kind, number, "png"))
    _let_files_age()
    return str(folder / "images"), str(folder / "masks")


def write_tiny_images(
    folder: pathlib.Path, num_images: int, size: tuple[int, int]
) -> tuple[str, dict[str, np.ndarray]]:
    """Writes a folder of images in two classes; returns its path and the pixels of each path."""
    rng = np.random.default_rng(0)
    images = {}
    for number in range(num_images):
        path = _path_of(folder, number, "png")
        images[str(path)] = rng.integers(0, 256, (*size, 3), np.uint8)
        Image.fromarray(images[str(path)]).save(path)
    _let_files_age()
    return str(folder), images


class Camera:
    """Makes images with the structure of photographs: surfaces that hide one another.

    As in photographs, surfaces are of all sizes, the small ones many; they differ in colour and
    texture; details are the weaker the finer they are; edges are a little blurred; and each pixel
    has some noise. Spectra, sizes of files, and the time to decode them are those of photographs.

    Args:
        size: (width, height) of the images.
    """

    NUM_SURFACES = 300
    RADII = (4, 400)
    FIELD_SIZE = 1024

    def __init__(self, size: tuple[int, int]) -> None:
        self._size = size
        self._rng = np.random.default_rng(0)
        # Each image gets a part of these, which is much faster than to draw them anew.
        self._noise = self._rng.normal(0, 1.8, (self.FIELD_SIZE, self.FIELD_SIZE, 3))
        self._texture = self._draw_texture()

    def photograph(self) -> tuple[Image.Image, Image.Image]:
        """An image and its mask, which groups its surfaces into four classes."""
        rng, size = self._rng, self._size
        daylight = rng.uniform(60, 190) + rng.normal(0, 20, 3)
        colors, roughness = Image.new("RGB", size, _color(daylight)), Image.new("L", size, 128)
        painters = ImageDraw.Draw(colors), ImageDraw.Draw(roughness)
        for radius in self._radii():
            outline = self._outline(radius) + rng.uniform(0, 1, 2) * size
            color = _color(daylight + rng.normal(0, 40) + rng.normal(0, 15, 3))
            for painter, fill in zip(painters, (color, int(rng.integers(256))), strict=True):
                painter.polygon(list(map(tuple, outline)), fill)
        focused = colors.filter(ImageFilter.GaussianBlur(rng.uniform(0.3, 1.3)))
        surfaces = np.asarray(roughness)
        strength = rng.uniform(0, 33) / 256
        pixels = focused + (strength * surfaces * self._part_of(self._texture))[..., np.newaxis]
        pixels += rng.uniform(0.5, 1.5) * self._part_of(self._noise)
        image = Image.fromarray(pixels.clip(0, 255).astype(np.uint8))
        return image, Image.fromarray(surfaces // 64)

    def _radii(self) -> list[float]:
        """From large to small, so that the small ones are in front."""
        smallest, largest = self.RADII
        shares = self._rng.uniform(smallest / largest, 1, self.NUM_SURFACES)
        return sorted(smallest / shares, reverse=True)

    def _outline(self, radius: float) -> np.ndarray:
        angles = np.sort(self._rng.uniform(0, 2 * np.pi, 12))
        turn, *radii = self._rng.uniform((0, 0.5, 0.5), (np.pi, 1, 1))
        ellipse = radius * np.array(radii) * np.stack([np.cos(angles), np.sin(angles)], 1)
        sine, cosine = np.sin(turn), np.cos(turn)
        return ellipse @ np.array([[cosine, sine], [-sine, cosine]])

    def _draw_texture(self) -> np.ndarray:
        texture = np.zeros((self.FIELD_SIZE, self.FIELD_SIZE), np.float32)
        for cell in (1, 2, 4, 8, 16, 32):
            shape = (self.FIELD_SIZE // cell, self.FIELD_SIZE // cell)
            shades = Image.fromarray(self._rng.normal(0, cell**0.5, shape).astype(np.float32))
            texture += np.asarray(shades.resize(texture.shape, Image.Resampling.BICUBIC))
        return texture / texture.std()

    def _part_of(self, field: np.ndarray) -> np.ndarray:
        width, height = self._size
        row, column = self._rng.integers(0, [self.FIELD_SIZE - height, self.FIELD_SIZE - width])
        return field[row : row + height, column : column + width]


def _color(levels: np.ndarray) -> tuple[int, ...]:
    return tuple(levels.clip(0, 255).astype(int).tolist())


def _path_of(folder: pathlib.Path, number: int, ending: str) -> pathlib.Path:
    path = folder / CLASSES[number % 2] / f"{number:04d}.{ending}"
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def _let_files_age() -> None:
    """Flows keep no image of a file that was written a moment ago, and may be written again."""
    time.sleep(SECONDS_UNTIL_OLD)
