"""Folders of images and masks: what pairs, what is read, and what is refused."""

from __future__ import annotations

import io
import os
import pathlib
import re
import threading
import time
import types
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
from PIL import Image, ImageOps
from pngs import png
from tiffs import WHITE_IS_ZERO, tiff

from multiflow import MultiDirImageDataGenerator, _keras

Tree = tuple[pathlib.Path, pathlib.Path]
PALETTE = [0, 0, 0, 128, 0, 0, 0, 128, 0, 0, 0, 128]
COLORS = {(0, 0, 0): 0, (128, 0, 0): 1, (0, 128, 0): 2, (0, 0, 128): 3}


def flow(images: Any, masks: Any, **arguments: Any) -> Any:
    generator = {
        name: arguments.pop(name)
        for name in ("rotation_range", "data_format", "validation_split", "fill_mode")
        if name in arguments
    }
    arguments = {"target_size": None, "shuffle": False, **arguments}
    return MultiDirImageDataGenerator(**generator).flow_segmentation_from_directories(
        images, masks, **arguments
    )


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


@pytest.fixture
def make_pairs(tmp_path: pathlib.Path, rng: np.random.Generator) -> Callable[..., Tree]:
    """A function that writes RGB images and class masks under equal names; returns both roots."""

    def make(names: Any, root: str = "data", ending: str = ".png", size: Any = (12, 9)) -> Tree:
        roots = tmp_path / root / "images", tmp_path / root / "masks"
        for folder in roots:
            folder.mkdir(parents=True, exist_ok=True)
        for name in names:
            for folder, shape in zip(roots, [(*size, 3), size], strict=True):
                path = folder / name
                path.parent.mkdir(parents=True, exist_ok=True)
                top = 256 if len(shape) == 3 else 4
                pixels = rng.integers(0, top, shape, dtype=np.uint8)
                Image.fromarray(pixels).save(f"{path}{ending if folder == roots[0] else '.png'}")
        return roots

    return make


def read(path: pathlib.Path) -> np.ndarray:
    return np.asarray(Image.open(path))


def png_of_zeros(side: int, bits: int, colour_type: int) -> bytes:
    """A PNG of a depth that Pillow reads and does not write."""
    channels = {0: 1, 2: 3, 4: 2}[colour_type]
    row = bytes(1 + side * channels * bits // 8)
    return png(side, bits, colour_type, row * side)


class TestPairs:
    def test_by_path_without_extension(self, make_pairs: Any) -> None:
        images, masks = make_pairs(["b", "a/2", "a/10", "a.b"], ending=".bmp")
        iterator = flow([images], [masks])
        names = ["a.b", "b", "a/10", "a/2"]
        assert iterator.filepaths == [str(images / f"{name}.bmp") for name in names]
        assert iterator.mask_filepaths == [str(masks / f"{name}.png") for name in names]
        batch_images, batch_masks = iterator[0]
        for position, name in enumerate(names):
            np.testing.assert_array_equal(batch_images[position], read(images / f"{name}.bmp"))
            np.testing.assert_array_equal(batch_masks[position], read(masks / f"{name}.png"))
        assert batch_masks.dtype == np.uint8

    def test_by_callable(self, make_pairs: Any) -> None:
        images, masks = make_pairs(["p/1", "p/2"])
        for number in (1, 2):
            (masks / "p" / f"{number}.png").rename(masks / f"p_{number}_mask.png")
        iterator = flow(
            [images], [masks], mask_path=lambda p: p.replace("/", "_").replace(".png", "_mask.png")
        )
        assert iterator.mask_filepaths == [str(masks / f"p_{n}_mask.png") for n in (1, 2)]

    def test_many_roots(self, make_pairs: Any, tmp_path: pathlib.Path, capsys: Any) -> None:
        a, b = make_pairs(["1", "2"], "a"), make_pairs(["1"], "b")
        iterator = flow([b[0], a[0]], [b[1], a[1]])
        assert iterator.filepaths == [
            str(tmp_path / path) for path in ("b/images/1.png", "a/images/1.png", "a/images/2.png")
        ]
        assert iterator.source_indices.tolist() == [0, 1, 1]
        assert iterator.source_names == ["b/images", "a/images"]
        assert iterator.directory == str(tmp_path)
        assert iterator.samples == iterator.n == 3
        assert capsys.readouterr().out == "Found 3 pairs of images and masks in 2 directories.\n"

    def test_roots_by_name_in_any_mapping(self, make_pairs: Any) -> None:
        a, b = make_pairs(["1"], "a"), make_pairs(["2"], "b")
        iterator = flow(
            types.MappingProxyType({"": a[0], "B": b[0]}),
            types.MappingProxyType({"B": b[1], "": a[1]}),
        )
        assert iterator.mask_filepaths == [str(a[1] / "1.png"), str(b[1] / "2.png")]

    def test_roots_by_name(self, make_pairs: Any) -> None:
        a, b = make_pairs(["1"], "a"), make_pairs(["2"], "b")
        iterator = flow({"A": a[0], "B": b[0]}, {"B": b[1], "A": a[1]})
        assert iterator.mask_filepaths == [str(a[1] / "1.png"), str(b[1] / "2.png")]
        assert iterator.source_names == ["A", "B"]

    @pytest.mark.parametrize(("subset", "expected"), [("training", "4568"), ("validation", "1237")])
    def test_subsets_take_part_of_every_root(
        self, make_pairs: Any, subset: str, expected: str
    ) -> None:
        a, b = make_pairs("123456", "a"), make_pairs("78", "b")
        iterator = flow([a[0], b[0]], [a[1], b[1]], subset=subset, validation_split=0.5)
        assert [pathlib.Path(path).stem for path in iterator.filepaths] == list(expected)
        assert [pathlib.Path(path).stem for path in iterator.mask_filepaths] == list(expected)

    def test_linked_folders(self, make_pairs: Any, tmp_path: pathlib.Path) -> None:
        images, masks = make_pairs(["1"])
        far_images, far_masks = make_pairs(["2"], "far")
        (images / "far").symlink_to(far_images)
        (masks / "far").symlink_to(far_masks)
        assert flow([images], [masks]).samples == 1
        assert flow([images], [masks], follow_links=True).samples == 2


class TestReading:
    def test_images_as_keras_reads_them(self, make_pairs: Any) -> None:
        images, masks = make_pairs(["1", "2"], size=(30, 20))
        for options in (
            {"target_size": (8, 8)},
            {"target_size": (9, 5), "interpolation": "bicubic", "color_mode": "grayscale"},
            {"target_size": (8, 8), "keep_aspect_ratio": True, "color_mode": "rgba"},
        ):
            theirs = _keras.ImageDataGenerator(rotation_range=30).flow_from_directory(
                images.parent, classes=["images"], class_mode=None, seed=3, **options
            )
            ours = flow([images], [masks], rotation_range=30, seed=3, shuffle=True, **options)
            for _ in range(3):
                np.testing.assert_array_equal(next(ours)[0], next(theirs))

    @pytest.mark.parametrize("mode", ["CMYK", "L", "1", "P"])
    def test_images_of_any_mode(self, make_pairs: Any, mode: str) -> None:
        images, masks = make_pairs(["1"])
        path = images / ("1.jpg" if mode == "CMYK" else "1.png")
        image = Image.open(images / "1.png").convert(mode)
        (images / "1.png").unlink()
        image.save(path)
        expected = keras.utils.img_to_array(keras.utils.load_img(path))
        np.testing.assert_array_equal(flow([images], [masks])[0][0][0], expected)

    def test_masks_of_other_modes_are_refused(self, make_pairs: Any) -> None:
        images, masks = make_pairs(["1"])
        Image.new("CMYK", (9, 12)).save(masks / "1.tif")
        (masks / "1.png").unlink()
        with pytest.raises(ValueError, match=r"1\.tif' \(its mode 'CMYK' is none of 1, L, P"):
            flow([images], [masks])

    @pytest.mark.parametrize("size", [(30, 20), (20, 30), (7, 50)])
    @pytest.mark.parametrize("target_size", [(8, 8), (9, 5), (40, 33)])
    @pytest.mark.parametrize("keep_aspect_ratio", [False, True])
    def test_masks_are_resized_with_the_images(
        self, make_pairs: Any, size: Any, target_size: Any, keep_aspect_ratio: bool
    ) -> None:
        """With the nearest pixel for both, a mask that is its image stays equal to it."""
        _, masks = make_pairs(["1", "2"], size=size)
        copies = masks.parent / "copies"
        copies.mkdir()
        for path in masks.iterdir():
            (copies / path.name).write_bytes(path.read_bytes())
        batch_images, batch_masks = flow(
            [copies], [masks], target_size=target_size, color_mode="grayscale",
            keep_aspect_ratio=keep_aspect_ratio,
        )[0]  # fmt: skip
        np.testing.assert_array_equal(batch_images[..., 0], batch_masks)

    @pytest.mark.parametrize(
        ("mode", "dtype"),
        [("1", "bool"), ("L", "uint8"), ("P", "uint8"), ("I;16", "uint16"), ("I", "int32"),
         ("F", "float32"), ("LA", "uint8"), ("RGB", "uint8"), ("RGBA", "uint8")],
    )  # fmt: skip
    def test_values_as_stored(self, make_pairs: Any, mode: str, dtype: str, rng: Any) -> None:
        images, masks = make_pairs(["1"])
        channels = {"LA": (2,), "RGB": (3,), "RGBA": (4,)}.get(mode, ())
        top = {"1": 2, "P": 4, "I;16": 2**16, "I": 2**16}.get(mode, 256)
        pixels = rng.integers(0, top, (12, 9, *channels)).astype(dtype)
        mask = Image.fromarray(pixels)
        if mode == "P":
            mask.putpalette(PALETTE)
        (masks / "1.png").unlink()
        mask.save(masks / ("1.tif" if mode in ("F", "I") else "1.png"))
        _, batch = flow([images], [masks])[0]
        assert batch.dtype == dtype
        np.testing.assert_array_equal(batch[0], pixels)

    def test_channels_first(self, make_pairs: Any, rng: Any) -> None:
        images, masks = make_pairs(["1"])
        pixels = rng.integers(0, 256, (12, 9, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(masks / "1.png")
        batch_images, batch_masks = flow([images], [masks], data_format="channels_first")[0]
        assert batch_images.shape == (1, 3, 12, 9)
        np.testing.assert_array_equal(batch_masks[0], np.moveaxis(pixels, -1, 0))

    @pytest.mark.parametrize("mode", ["RGB", "P"])
    def test_colors(self, make_pairs: Any, mode: str) -> None:
        images, masks = make_pairs(["1", "2"])
        expected = []
        for path in sorted(masks.iterdir()):
            expected.append(read(path))
            mask = Image.fromarray(expected[-1])
            mask.putpalette(PALETTE)
            mask.convert(mode).save(path)
        iterator = flow([images], [masks], mask_colors=COLORS, num_classes=4)
        _, batch = iterator[0]
        np.testing.assert_array_equal(batch.argmax(-1), expected)

    def test_colors_of_files_whose_values_pillow_changes(self, make_pairs: Any) -> None:
        images, masks = make_pairs(["1", "2"])
        bits = np.arange(12 * 9, dtype=np.uint8).reshape(12, 9) % 2
        (masks / "1.png").write_bytes(tiff(1 - bits, bits=1, photometric=WHITE_IS_ZERO))
        (masks / "2.png").write_bytes(b"P5 9 12 1\n" + bits.tobytes())
        colors = {(0, 0, 0): 5, (255, 255, 255): 7}
        _, batch = flow([images], [masks], mask_colors=colors)[0]
        np.testing.assert_array_equal(batch, [5 + 2 * bits] * 2)

    @pytest.mark.parametrize("number", [300, -1])
    def test_class_numbers_of_any_size(self, make_pairs: Any, number: int) -> None:
        images, masks = make_pairs(["1"])
        Image.new("RGB", (9, 12), (9, 9, 9)).save(masks / "1.png")
        _, batch = flow([images], [masks], mask_colors={(9, 9, 9): number, (0, 0, 0): 0})[0]
        assert (batch == number).all()

    def test_masks_of_several_dtypes(self, make_pairs: Any) -> None:
        images, masks = make_pairs(["1", "2"])
        (masks / "2.png").unlink()
        np.save(masks / "2.npy", np.full((12, 9), -7, np.int8))
        _, batch = flow([images], [masks])[0]
        assert batch.dtype == np.int16
        np.testing.assert_array_equal(batch[0], read(masks / "1.png"))
        assert (batch[1] == -7).all()

    @pytest.mark.parametrize("dtype", ["int8", "int64"])
    def test_integers_that_meet_in_floats(self, make_pairs: Any, dtype: str) -> None:
        """NumPy would round 2**53 + 1."""
        images, masks = make_pairs(["1", "2", "3"])
        for number, of_file in enumerate(["uint8", "uint64", dtype], start=1):
            (masks / f"{number}.png").unlink()
            np.save(masks / f"{number}.npy", np.full((12, 9), 7, of_file))
        message = rf"integers fit one dtype.*uint64 in .*2\.npy', {dtype} in .*3\.npy'\. Save"
        with pytest.raises(ValueError, match=message):
            flow([images], [masks])
        np.save(masks / "3.npy", np.full((12, 9), 2**53 + 1, "uint64"))
        assert flow([images], [masks], shuffle=False)[0][1].max() == 2**53 + 1
        for number, of_file in enumerate(["int32", "float32", "float64"], start=1):
            np.save(masks / f"{number}.npy", np.full((12, 9), 2**20 + 1, of_file))
        _, batch = flow([images], [masks])[0]  # which float64 holds
        assert (batch == 2**20 + 1).all()

    def test_infinity_is_told_when_it_is_read(self, make_pairs: Any) -> None:
        images, masks = make_pairs(["1"])
        (masks / "1.png").unlink()
        np.save(masks / "1.npy", np.full((12, 9), np.inf))
        with pytest.raises(ValueError, match=r"`y` holds inf in .*1\.npy'\. Masks must be finite"):
            next(flow([images], [masks]))

    def test_fill_values_are_those_of_the_files(self, make_pairs: Any) -> None:
        images, masks = make_pairs(["1"])
        with pytest.raises(ValueError, match=r"dtype uint8, can hold\. Received: 300"):
            flow([images], [masks], mask_cval=300)
        (masks / "1.png").unlink()
        np.save(masks / "1.npy", np.zeros((12, 9), "int16"))
        flow([images], [masks], mask_cval=300)

    @pytest.mark.parametrize("color", [(1, 2, 3), (255, 255, 255)])
    def test_unlisted_color(self, make_pairs: Any, color: tuple[int, int, int]) -> None:
        images, masks = make_pairs(["1"])
        Image.new("RGB", (9, 12), color).save(masks / "1.png")
        iterator = flow([images], [masks], mask_colors=COLORS)
        message = re.escape(f"{str(masks / '1.png')!r} cannot be read: it holds the colour {color}")
        with pytest.raises(ValueError, match=message):
            iterator[0]

    @pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
    def test_numpy_files(self, make_pairs: Any, data_format: str, rng: Any) -> None:
        images, masks = make_pairs(["1"])
        for root in (images, masks):
            (root / "1.png").unlink()
        shape = (12, 9, 6) if data_format == "channels_last" else (6, 12, 9)
        pixels = rng.integers(0, 2**16, shape, dtype=np.uint16)
        np.save(images / "1.npy", pixels)
        mask = rng.integers(-5, 5, (12, 9)).astype(np.int16)
        np.save(masks / "1.npy", mask)
        batch_images, batch_masks = flow([images], [masks], data_format=data_format)[0]
        np.testing.assert_array_equal(batch_images[0], pixels)
        np.testing.assert_array_equal(batch_masks[0], mask)
        assert batch_masks.dtype == np.int16
        resized, _ = flow([images], [masks], data_format=data_format, target_size=(24, 18))[0]
        axes = (1, 2) if data_format == "channels_last" else (2, 3)
        np.testing.assert_array_equal(resized, batch_images.repeat(2, axes[0]).repeat(2, axes[1]))

    def test_pickled_objects_are_refused(self, make_pairs: Any) -> None:
        images, masks = make_pairs(["1"])
        (masks / "1.png").unlink()
        np.save(masks / "1.npy", np.array([{"a": 1}]), allow_pickle=True)
        with pytest.raises(ValueError, match=r"1 files that cannot be read: .*1\.npy"):
            flow([images], [masks])

    def test_file_that_breaks_after_construction(self, make_pairs: Any) -> None:
        images, masks = make_pairs(["1"])
        iterator = flow([images], [masks])
        (images / "1.png").write_bytes(b"no image")
        path = str(images / "1.png")
        with pytest.raises(OSError, match=re.escape(f"{path!r} cannot be read")):
            iterator[0]

    def test_value_outside_the_classes_names_the_file(self, make_pairs: Any) -> None:
        images, masks = make_pairs(["1"])
        Image.new("L", (9, 12), 7).save(masks / "1.png")
        message = f"`y` holds the value 7 in {str(masks / '1.png')!r}, but num_classes=4"
        with pytest.raises(ValueError, match=re.escape(message)):
            flow([images], [masks], num_classes=4)[0]

    def test_fit(self, make_pairs: Any) -> None:
        a, b = make_pairs("1234", "a"), make_pairs("56", "b")
        arguments = {"num_classes": 4, "target_size": (8, 8), "rotation_range": 20, "workers": 2}
        iterator = flow([a[0], b[0]], [a[1], b[1]], batch_size=2, **arguments)
        model = keras.Sequential(
            [keras.Input((8, 8, 3)), keras.layers.Conv2D(4, 1, activation="softmax")]
        )
        model.compile("sgd", "categorical_crossentropy")
        model.fit(iterator, epochs=2, verbose=0)
        assert model.predict(iterator, verbose=0).shape == (6, 8, 8, 4)


class TestErrors:
    def test_all_mismatches_are_told_together(self, make_pairs: Any) -> None:
        a, b = make_pairs([f"{n:02d}" for n in range(14)], "a"), make_pairs(["x", "y"], "b")
        for number in range(12):
            (a[1] / f"{number:02d}.png").unlink()
        (b[0] / "x.png").unlink()
        Image.new("L", (9, 12)).save(b[1] / "y.bmp")
        with pytest.raises(ValueError, match="images and masks do not fit") as caught:
            flow([a[0], b[0]], [a[1], b[1]])
        lines = str(caught.value).splitlines()
        first = f"12 images without a mask: {str(a[0] / '00.png')!r}, {str(a[0] / '01.png')!r}, "
        assert lines[1].startswith(first)
        assert lines[1].endswith(f"{str(a[0] / '09.png')!r}, …")
        assert lines[2] == "1 pairs of masks for one image: 'y.bmp' and 'y.png'"
        assert lines[3] == f"1 masks without an image: {str(b[1] / 'x.png')!r}"

    def test_pairs_of_different_size(self, make_pairs: Any) -> None:
        images, masks = make_pairs(["1", "2", "3", "4"])
        (masks / "4.png").unlink()
        Image.new("L", (12, 9)).save(masks / "2.png")
        (masks / "3.png").write_bytes(b"no image")
        with pytest.raises(ValueError, match="do not fit") as caught:
            flow([images], [masks])
        lines = str(caught.value).splitlines()
        assert lines[1] == f"1 images without a mask: {str(images / '4.png')!r}"
        assert lines[2] == (
            "1 pairs of different size (height, width): "
            f"{str(images / '2.png')!r} (12, 9) and {str(masks / '2.png')!r} (9, 12)"
        )
        assert lines[3].startswith(f"1 files that cannot be read: {str(masks / '3.png')!r} (")

    def test_one_mask_for_two_images(self, make_pairs: Any) -> None:
        images, masks = make_pairs(["1", "2"])
        (masks / "2.png").unlink()
        message = re.escape(f"1 masks of several images: {str(masks / '1.png')!r}")
        with pytest.raises(ValueError, match=message):
            flow([images], [masks], mask_path=lambda path: "1.png")

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            ({"color_mode": "cmyk"}, "`color_mode` must be one of"),
            ({"mask_colors": {}}, "`mask_colors` must map colours"),
            ({"mask_colors": {(0, 0): 1}}, "`mask_colors` must map colours"),
            ({"mask_colors": {(0, 0, 256): 1}}, "`mask_colors` must map colours"),
            ({"mask_colors": {(0, 0, 0): "cat"}}, "`mask_colors` must map colours"),
            ({"mask_colors": {(0, 0, 0): 2**63}}, "`mask_colors` must map colours"),
            ({"subset": "test"}, "`subset` must be None"),
            ({"subset": "validation"}, "takes none of the 2 samples"),
            ({"target_size": (8,)}, "`target_size` must be two positive integers"),
            ({"batch_size": 0}, "`batch_size` must be"),
        ],
    )
    def test_arguments(self, make_pairs: Any, arguments: Any, message: str) -> None:
        images, masks = make_pairs(["1", "2"])
        with pytest.raises(ValueError, match=re.escape(message)):
            flow([images], [masks], **arguments)

    def test_roots(self, make_pairs: Any, tmp_path: pathlib.Path) -> None:
        images, masks = make_pairs(["1"])
        (tmp_path / "empty").mkdir()
        with pytest.raises(TypeError, match="`image_directories` must be a sequence of folders"):
            flow(str(images), [masks])
        with pytest.raises(TypeError, match="`mask_directories` must be a sequence of folders"):
            flow([images], masks)
        with pytest.raises(FileNotFoundError, match=r"`mask_directories` names .*nowhere"):
            flow([images], [tmp_path / "nowhere"])
        with pytest.raises(ValueError, match=r"same number of roots\. Received 1 and 2"):
            flow([images], [masks, tmp_path / "empty"])
        with pytest.raises(ValueError, match=r"same source names. Received \['a'\] and \['b'\]"):
            flow({"a": images}, {"b": masks})
        with pytest.raises(ValueError, match="is the same folder as"):
            flow([images], [images])
        with pytest.raises(TypeError, match=r"must both be .* Received list and dict"):
            flow([images], {"a": masks})
        (tmp_path / "void").mkdir()
        with pytest.raises(
            ValueError, match=r"holds an image\. Images and masks pair by .* end in png, .*npy"
        ):
            flow([tmp_path / "empty"], [tmp_path / "void"])

    @pytest.mark.parametrize("mask_path", ["masks/1.png", 3])
    def test_mask_path_that_is_no_function(self, make_pairs: Any, mask_path: Any) -> None:
        images, masks = make_pairs(["1"])
        with pytest.raises(TypeError, match="`mask_path` must be None or a function"):
            flow([images], [masks], mask_path=mask_path)

    def test_mask_path_that_misses(self, make_pairs: Any) -> None:
        images, masks = make_pairs(["1"])
        with pytest.raises(ValueError, match=r"1\.png' \(`mask_path` gave '1'\)"):
            flow([images], [masks], mask_path=lambda path: path.removesuffix(".png"))
        with pytest.raises(TypeError, match=r"For '1\.png' it returned None"):
            flow([images], [masks], mask_path=lambda path: None)

    def test_empty_numpy_file(self, make_pairs: Any) -> None:
        images, masks = make_pairs(["1"])
        (masks / "1.png").unlink()
        (masks / "1.npy").touch()
        with pytest.raises(ValueError, match=r"1 files that cannot be read: .*1\.npy"):
            flow([images], [masks])

    def test_numpy_file_of_other_things(self, make_pairs: Any) -> None:
        images, masks = make_pairs(["1"])
        (masks / "1.png").unlink()
        for array, received in ((np.zeros((12, 9), complex), "complex128"), (np.ones((0, 9)), 0)):
            np.save(masks / "1.npy", array)
            with pytest.raises(ValueError, match=rf"1\.npy' \(.* an array of .*{received}"):
                flow([images], [masks])

    def test_numpy_file_that_is_exchanged_for_objects(self, make_pairs: Any) -> None:
        images, masks = make_pairs(["1"])
        (masks / "1.png").unlink()
        np.save(masks / "1.npy", np.zeros((12, 9)))
        iterator = flow([images], [masks])
        np.save(masks / "1.npy", np.array([{"a": 1}]), allow_pickle=True)
        with pytest.raises(ValueError, match=r"1\.npy' cannot be read: .*Python objects"):
            iterator[0]

    def test_colors_outside_the_classes(self, make_pairs: Any) -> None:
        images, masks = make_pairs(["1"])
        with pytest.raises(ValueError, match=r"numbers \[0, 1, 2, 3\], but num_classes=3"):
            flow([images], [masks], mask_colors=COLORS, num_classes=3)

    @pytest.mark.parametrize("kind", ["npy", "I;16"])
    def test_colors_need_pictures_of_colours(self, make_pairs: Any, kind: str) -> None:
        images, masks = make_pairs(["1"])
        pixels = np.full((12, 9), 300, np.uint16)
        (masks / "1.png").unlink()
        if kind == "npy":
            np.save(masks / "1.npy", pixels)
        else:
            Image.fromarray(pixels).save(masks / "1.png")
        with pytest.raises(ValueError, match=rf"Received .* of mode '{kind}'"):
            flow([images], [masks], mask_colors=COLORS)

    @pytest.mark.parametrize(("bits", "colour_type"), [(2, 0), (4, 0), (16, 2), (16, 4)])
    def test_depths_that_pillow_changes(self, make_pairs: Any, bits: int, colour_type: int) -> None:
        images, masks = make_pairs(["1"], size=(8, 8))
        (masks / "1.png").write_bytes(png_of_zeros(8, bits, colour_type))
        with pytest.raises(ValueError, match=r"1\.png' \(its pixels are stored as .* 8 bits"):
            flow([images], [masks])

    def test_sources_that_are_missing(self, make_pairs: Any) -> None:
        a, b = make_pairs("1234567890", "a"), make_pairs("12", "b")
        with pytest.warns(UserWarning, match="takes none of the 2 images of the root"):
            flow([a[0], b[0]], [a[1], b[1]], subset="validation", validation_split=0.2)
        empty = make_pairs([], "c")
        with pytest.warns(UserWarning, match=f"The root {str(empty[0])!r} holds no image"):
            flow([a[0], empty[0]], [a[1], empty[1]])

    @pytest.mark.usefixtures("secret_folders")
    def test_unreadable_folder(self, make_pairs: Any) -> None:
        images, masks = make_pairs(["1", "secret/2"])
        with pytest.raises(ValueError, match=r"2 folders that cannot be read: .*Permission"):
            flow([images], [masks])

    def test_modes_that_mean_different_things(self, make_pairs: Any) -> None:
        images, masks = make_pairs(["1", "2"])
        Image.open(masks / "2.png").convert("1").save(masks / "2.png")
        with pytest.warns(UserWarning, match=r"modes 1, L and P\), which rarely mean the same"):
            flow([images], [masks])

    def test_unequal_forms(self, make_pairs: Any) -> None:
        images, masks = make_pairs(["1", "2"])
        Image.new("RGB", (9, 12)).save(masks / "2.png")
        with pytest.raises(ValueError, match=r"masks of one number of channels .*mask_colors"):
            flow([images], [masks])
        for root in (images, masks):
            Image.new("L", (5, 5)).save(root / "2.png")
        with pytest.raises(ValueError, match=r"images of one size .*Set `target_size`"):
            flow([images], [masks])
        assert flow([images], [masks], target_size=(5, 5)).samples == 2

    def test_lossy_masks(self, make_pairs: Any) -> None:
        images, masks = make_pairs(["1"])
        Image.open(masks / "1.png").save(masks / "1.jpg")
        (masks / "1.png").unlink()
        with pytest.warns(UserWarning, match=r"1 masks are compressed with loss, such as .*1.jpg"):
            flow([images], [masks])


class TestFilesThatChange:
    """Files that are exchanged after the flow was made are read as they were, or refused."""

    @pytest.mark.parametrize(
        ("mask", "changed"),
        [
            (np.zeros((24, 18), np.uint8), r"size was \(12, 9\) and is \(24, 18\)"),
            (np.full((12, 9), 261, np.uint16), "dtype was uint8 and is uint16"),
            (np.full((12, 9), 1.7, np.float32), "dtype was uint8 and is float32"),
            (np.zeros((12, 9), bool), "dtype was uint8 and is bool"),
            (np.zeros((12, 9, 3), np.uint8), "num_channels was None and is 3"),
        ],
    )
    @pytest.mark.parametrize("ending", [".png", ".npy"])
    def test_masks(
        self, make_pairs: Any, rng: Any, ending: str, mask: np.ndarray, changed: str
    ) -> None:
        images, masks = make_pairs(["1"])
        path = masks / f"1{ending}"
        if ending == ".npy":
            (masks / "1.png").unlink()

        def write(pixels: np.ndarray) -> None:
            if ending == ".npy":
                np.save(path, pixels)
            else:
                form = "TIFF" if pixels.dtype.kind == "f" else "PNG"
                Image.fromarray(pixels).save(path, form)

        write(np.ones((12, 9), np.uint8))
        iterator = flow([images], [masks])
        write(np.full((12, 9), 2, np.uint8))
        assert (iterator[0][1] == 2).all()
        write(mask)
        message = (
            f"{re.escape(repr(str(path)))} cannot be read: it has changed since the flow was made "
            rf"\({changed}\); make a new flow"
        )
        with pytest.raises(ValueError, match=message):
            iterator[0]

    @pytest.mark.parametrize("ending", [".png", ".jpg", ".npy"])
    def test_images_of_another_size(self, make_pairs: Any, ending: str) -> None:
        images, masks = make_pairs(["1", "2"])

        def write(side: int) -> None:
            pixels = np.zeros((side, side, 3), np.uint8)
            if ending == ".npy":
                np.save(images / "1.npy", pixels)
            else:
                Image.fromarray(pixels).save(images / f"1{ending}")

        (images / "1.png").unlink()
        (images / "2.png").unlink()
        (masks / "2.png").unlink()
        Image.new("L", (8, 8)).save(masks / "1.png")
        write(8)
        iterator = flow([images], [masks], target_size=(6, 6))
        write(16)
        message = (
            f"1{ending}' cannot be read: it has changed since the flow was made (size was (8, 8) "
            "and is (16, 16))"
        )
        with pytest.raises(ValueError, match=re.escape(message)):
            iterator[0]

    def test_subsets_know_their_own_headers(self, make_pairs: Any) -> None:
        images, masks = make_pairs("12345")
        for root in (images, masks):
            Image.new("L", (5, 4)).save(root / "5.png")
        options = {"target_size": (4, 4), "validation_split": 0.2}
        training = flow([images], [masks], subset="training", **options)
        assert len(training[0][0]) == 4

    def test_paths_that_a_user_sets_are_compared_with_nothing(self, make_pairs: Any) -> None:
        images, masks = make_pairs(["1"])
        iterator = flow([images], [masks])
        Image.new("RGB", (20, 20)).save(images / "2.png")
        iterator.filepaths[0] = str(images / "2.png")
        assert not iterator[0][0].any()


@pytest.mark.parametrize("kind", ["images", "masks"])
def test_pipes_do_not_block(make_pairs: Any, kind: str) -> None:
    images, masks = make_pairs(["1"])
    path = (images if kind == "images" else masks) / "1.png"
    path.unlink()
    os.mkfifo(path)
    message = rf"1 files that cannot be read: {re.escape(repr(str(path)))} \(it is no regular file"
    with pytest.raises(ValueError, match=message):
        flow([images], [masks])
    path.unlink()
    Image.new("L", (9, 12)).save(path)
    iterator = flow([images], [masks])
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(OSError, match=r"1.png' cannot be read: it is no regular file"):
        iterator[0]


class TestOrientation:
    """Pillow turns TIFF files by their EXIF orientation; Keras ignores that of JPEG and PNG."""

    def write(self, folder: pathlib.Path, ending: str, orientation: int) -> None:
        exif = Image.Exif()
        exif[0x0112] = orientation
        (folder / "1.png").unlink(missing_ok=True)
        Image.new("L", (8, 8)).save(folder / f"1{ending}", exif=exif)

    @pytest.mark.parametrize(
        ("image", "mask"),
        [((".jpg", 6), (".png", 6)), ((".tif", 6), (".tif", 6)), ((".png", 1), (".tif", 1))],
    )
    def test_pairs_that_fit(self, make_pairs: Any, image: Any, mask: Any) -> None:
        images, masks = make_pairs(["1"])
        self.write(images, *image)
        self.write(masks, *mask)
        assert flow([images], [masks]).samples == 1

    @pytest.mark.parametrize(
        ("image", "mask"),
        [
            ((".jpg", 6), (".png", 1)),
            ((".jpg", 6), (".tif", 1)),
            ((".tif", 6), (".png", 1)),
            ((".tif", 6), (".tif", 8)),
            ((".png", 1), (".tif", 8)),
        ],
    )
    def test_pairs_that_may_come_apart(self, make_pairs: Any, image: Any, mask: Any) -> None:
        images, masks = make_pairs(["1"])
        self.write(images, *image)
        self.write(masks, *mask)
        message = (
            r"1 images and their masks differ in their EXIF orientation.*"
            rf"1\{image[0]}' \(orientation {image[1]}.* and .*1\{mask[0]}' \(orientation {mask[1]}"
        )
        with pytest.warns(UserWarning, match=message):
            flow([images], [masks])

    @pytest.mark.parametrize(
        ("image", "mask"),
        [
            ((".tif", 6), (".png", 6)),
            ((".jpg", 6), (".tif", 6)),
            ((".jpg", 3), (".png", 6)),
            ((".png", 1), (".png", 8)),
        ],
    )
    def test_pairs_that_come_apart(self, make_pairs: Any, image: Any, mask: Any) -> None:
        images, masks = make_pairs(["1"])
        self.write(images, *image)
        self.write(masks, *mask)
        applied = [", applied" if ending == ".tif" else "" for ending, _ in (image, mask)]
        message = (
            rf"1 pairs that are turned differently: .*1\{image[0]}' \(orientation {image[1]}"
            rf"{applied[0]}\) and .*1\{mask[0]}' \(orientation {mask[1]}{applied[1]}\)"
        )
        with pytest.raises(ValueError, match=message):
            flow([images], [masks])

    @pytest.mark.parametrize("orientation", range(1, 9))
    def test_oblong_tiff(self, make_pairs: Any, orientation: int) -> None:
        images, masks = make_pairs(["1"])
        pixels = np.arange(12 * 9, dtype=np.uint8).reshape(12, 9)
        for root in (images, masks):
            (root / "1.png").unlink()
            (root / "1.tif").write_bytes(tiff(pixels, orientation=orientation))
        batch_images, batch_masks = flow([images], [masks], color_mode="grayscale")[0]
        upright = ImageOps.exif_transpose(Image.open(io.BytesIO((masks / "1.tif").read_bytes())))
        np.testing.assert_array_equal(batch_masks[0], upright)
        np.testing.assert_array_equal(batch_images[0, ..., 0], upright)


class TestPalettes:
    def masks_with(self, make_pairs: Any, *palettes: list[int]) -> Tree:
        images, masks = make_pairs([str(number) for number in range(len(palettes))])
        for number, palette in enumerate(palettes):
            mask = Image.open(masks / f"{number}.png").copy()
            mask.putpalette(palette)
            mask.save(masks / f"{number}.png")
        return images, masks

    def test_another_order_is_told(self, make_pairs: Any) -> None:
        swapped = PALETTE[:3] + PALETTE[6:9] + PALETTE[3:6] + PALETTE[9:]
        images, masks = self.masks_with(make_pairs, PALETTE, PALETTE, swapped)
        message = r"the colour \(0, 128, 0\) is 2 in .*1\.png', but 1 in .*2\.png'.*mask_colors"
        with pytest.warns(UserWarning, match=message):
            flow([images], [masks])
        assert flow([images], [masks], mask_colors=COLORS).samples == 3

    def test_longer_palettes_are_none(self, make_pairs: Any) -> None:
        filled = PALETTE[:9] + [0, 0, 0] * 40
        images, masks = self.masks_with(make_pairs, PALETTE, PALETTE[:9], filled)
        assert flow([images], [masks]).samples == 3

    def test_the_colour_of_what_is_unused_is_no_class(self, make_pairs: Any) -> None:
        """Pillow fills a palette with black, here behind 3 and 2 colours that begin with white."""
        colours = [255, 255, 255, *PALETTE[3:9]]
        palettes = [colours[:9] + [0] * 741, colours[:6] + [0] * 744]
        images, masks = self.masks_with(make_pairs, *palettes, [0] * 768)
        assert flow([images], [masks]).samples == 3


def test_images_lie_in_memory_as_in_keras_flow(make_pairs: Any) -> None:
    """Means of float32 round by how an image lies in memory."""
    images, masks = make_pairs([str(number) for number in range(9)], size=(224, 224))
    arguments = {
        "samplewise_std_normalization": True,
        "data_format": "channels_first",
        "rescale": 1 / 255,
    }
    with pytest.warns(UserWarning, match="samplewise_center"):
        generators = [
            cls(**arguments) for cls in (_keras.ImageDataGenerator, MultiDirImageDataGenerator)
        ]
    iterator = generators[1].flow_segmentation_from_directories(
        [images], [masks], None, shuffle=False
    )
    stacked = np.array(
        [
            keras.utils.img_to_array(keras.utils.load_img(path), "channels_first")
            for path in iterator.filepaths
        ],
        order="C",
    )
    expected = generators[0].flow(stacked, shuffle=False)[0]
    assert iterator[0][0].tobytes() == expected.tobytes()


def test_headers_of_arrays_are_read_one_at_a_time(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reading, load = threading.Lock(), np.lib.format.open_memmap

    def load_alone(*arguments: Any, **options: Any) -> Any:
        assert reading.acquire(blocking=False)
        time.sleep(0.001)
        try:
            return load(*arguments, **options)
        finally:
            reading.release()

    for folder in ("images", "masks"):
        (tmp_path / folder).mkdir()
        for number in range(20):
            np.save(tmp_path / folder / f"{number}.npy", np.ones((6, 5)))
    monkeypatch.setattr(np.lib.format, "open_memmap", load_alone)
    generator = MultiDirImageDataGenerator(threads=4)
    next(
        generator.flow_segmentation_from_directories(
            [tmp_path / "images"], [tmp_path / "masks"], (3, 4), "grayscale"
        )
    )
