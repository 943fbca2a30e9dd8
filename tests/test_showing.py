from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from matplotlib.colors import to_rgba

from multiflow import MultiDirImageDataGenerator, showing
from multiflow.showing import OPACITY, Layer, colour_masks, draw, make_visible

RNG = np.random.default_rng(0)
PLAIN = MultiDirImageDataGenerator()


class TestVisibleImages:
    @pytest.mark.parametrize(
        ("scale", "expected"),
        [(1, [0.25, 1]), (255, [0.25, 1]), (65535, [0.25, 1])],
    )
    def test_known_ranges(self, scale: float, expected: list[float]) -> None:
        images = np.array([0.25, 1]).reshape(1, 1, 2, 1) * scale
        np.testing.assert_allclose(make_visible(images, PLAIN)[0, 0, :, 0], expected)

    def test_other_values_are_stretched(self) -> None:
        images = np.linspace(-3, 5, 101).reshape(1, 1, 101, 1)
        visible = make_visible(images, PLAIN)[0, 0, :, 0]
        assert (visible.min(), visible.max()) == (0, 1)
        np.testing.assert_allclose(visible[[1, 50, 99]], [0, 0.5, 1], atol=1e-12)

    def test_statistics_of_fit_are_undone(self) -> None:
        images = RNG.integers(0, 256, (5, 4, 6, 3)).astype("float32")
        generator = MultiDirImageDataGenerator(
            featurewise_center=True, featurewise_std_normalization=True
        )
        generator.fit(images)
        standardised = np.stack([generator.standardize(image.copy()) for image in images])
        np.testing.assert_allclose(make_visible(standardised, generator), images / 255, atol=1e-5)

    def test_channels(self) -> None:
        images = RNG.random((2, 3, 4, 5))
        np.testing.assert_array_equal(make_visible(images, PLAIN), images[..., :3])
        np.testing.assert_array_equal(make_visible(images[..., :4], PLAIN), images[..., :3])
        for count in (1, 2):
            visible = make_visible(images[..., :count], PLAIN)
            np.testing.assert_array_equal(visible, images[..., [0, 0, 0]])
        first = MultiDirImageDataGenerator(data_format="channels_first")
        visible = make_visible(np.moveaxis(images, -1, 1), first)
        np.testing.assert_array_equal(visible, images[..., :3])

    def test_dark_images_and_those_a_bit_off_a_range_are_visible(self) -> None:
        for highest in (0.1, 2, 30, 4095):
            images = np.linspace(0, highest, 101).reshape(1, 1, 101, 1)
            assert make_visible(images, PLAIN).max() == 1
        images = np.array([-0.005, 0.5, 1.005]).reshape(1, 1, 3, 1)
        assert make_visible(images, PLAIN)[0, 0, :, 0].tolist() == [0, 0.5, 1]

    @pytest.mark.parametrize("value", [-7, 3, np.nan, np.inf])
    def test_without_any_difference(self, value: float) -> None:
        visible = make_visible(np.full((1, 2, 2, 1), value), PLAIN)
        assert ((visible >= 0) & (visible <= 1)).all()

    def test_nan_is_black_and_hides_nothing_else(self) -> None:
        visible = make_visible(np.array([np.nan, 0, 0.5, 1]).reshape(1, 2, 2, 1), PLAIN)
        assert visible[..., 0].ravel().tolist() == [0, 0, 0.5, 1]


def colours_of(masks: np.ndarray, **options: Any) -> Layer:
    options = {"channels_first": False, "mask_names": None, **options}
    return colour_masks("", masks, **options)


class TestMasks:
    def test_a_colour_for_each_value_but_0(self) -> None:
        masks = np.kron([[0, 1], [2, 1]], np.ones((4, 4), np.int64))[np.newaxis]
        layer = colours_of(masks, mask_names={2: "cell"})
        assert list(layer.legend) == ["1", "cell"]
        assert len(set(layer.legend.values())) == 2
        assert not layer.colours[masks == 0].any()
        # Each area is filled, and has an opaque outline.
        for value, name in [(1, "1"), (2, "cell")]:
            fill, line = to_rgba(layer.legend[name], OPACITY), to_rgba(layer.legend[name])
            assert {tuple(colour) for colour in layer.colours[masks == value]} == {fill, line}
        np.testing.assert_array_equal(layer.colours[0, 5, 1], to_rgba(layer.legend["cell"], 0.5))
        np.testing.assert_array_equal(layer.colours[0, 4, 1], to_rgba(layer.legend["cell"]))

    @pytest.mark.parametrize("dtype", ["bool", "uint8", "int64", "float32"])
    def test_dtypes(self, dtype: str) -> None:
        masks = np.array([[[0, 1], [1, 0]]], dtype)
        assert list(colours_of(masks).legend) == ["1"]
        assert list(colours_of(masks[..., np.newaxis]).legend) == ["1"]

    def test_class_numbers_keep_their_colours_when_others_are_missing(self) -> None:
        both = colours_of(np.array([[[1, 2]]])).legend
        assert colours_of(np.array([[[2, 2]]])).legend == {"2": both["2"]}
        assert list(colours_of(np.array([[[0, 255]]])).legend) == ["255"]

    @pytest.mark.parametrize("channels_first", [False, True])
    def test_one_hot(self, channels_first: bool) -> None:
        classes = RNG.integers(0, 4, (2, 5, 6))
        masks = np.eye(4, dtype="float32")[classes]
        if channels_first:
            masks = np.moveaxis(masks, -1, 1)
        layer, expected = colours_of(masks, channels_first=channels_first), colours_of(classes)
        np.testing.assert_array_equal(layer.colours, expected.colours)
        assert layer.legend == expected.legend

    def test_other_channels_are_areas_each(self) -> None:
        masks = np.zeros((1, 4, 4, 2), np.uint8)
        masks[0, :2, :, 0] = 1
        masks[0, 3, :, 1] = 255
        layer = colours_of(masks, mask_names={0: "nucleus"})
        assert list(layer.legend) == ["nucleus", "1"]
        assert layer.colours[0, :, 0, 3].tolist() == [1, 1, 0, 1]

    def test_many_channels(self) -> None:
        assert len(colours_of(np.ones((1, 2, 2, 30))).legend) == 30

    def test_many_values_get_a_scale(self) -> None:
        masks = np.arange(24.0).reshape(1, 4, 6)
        layer = colours_of(masks)
        assert layer.legend == {}
        assert layer.scale is not None
        assert layer.scale.get_clim() == (0, 23)
        assert len(np.unique(layer.colours.reshape(-1, 4), axis=0)) == 24

    def test_without_rows_and_columns(self) -> None:
        with pytest.raises(ValueError, match=r"have the shape \(7,\)"):
            colours_of(np.zeros((2, 7)))


class TestFigure:
    def test_grid(self) -> None:
        images = RNG.random((5, 4, 6, 3))
        figure = draw(images, list("abcde"), title="five", columns=3)
        assert figure.get_suptitle() == "five"
        assert [axes.get_title() for axes in figure.axes] == list("abcde")
        assert figure.axes[0].get_subplotspec().get_gridspec().get_geometry() == (2, 3)
        for axes, image in zip(figure.axes, images, strict=True):
            np.testing.assert_array_equal(axes.images[0].get_array(), image)

    def test_layers(self) -> None:
        masks = np.array([[[0, 1], [2, 0]]])
        layers = [
            colour_masks(name, array, channels_first=False, mask_names=None)
            for name, array in [("cell", masks), ("depth", np.arange(25.0).reshape(1, 5, 5))]
        ]
        figure = draw(np.zeros((1, 4, 4, 3)), ["a"], title="", columns=4, layers=layers)
        assert [axes.get_title() for axes in figure.axes[:2]] == ["a\ncell", "a\ndepth"]
        np.testing.assert_array_equal(figure.axes[0].images[1].get_array(), layers[0].colours[0])
        assert figure.axes[1].images[1].get_extent() == [-0.5, 3.5, 3.5, -0.5]
        assert [text.get_text() for text in figure.legends[0].get_texts()] == ["cell 1", "cell 2"]
        assert figure.axes[2].get_ylabel() == "depth"

    @pytest.mark.parametrize("count", [1, 2, 5])
    @pytest.mark.parametrize("size", [(32, 32), (200, 20), (20, 200)])
    def test_texts_are_neither_cut_nor_on_each_other(
        self, count: int, size: tuple[int, int]
    ) -> None:
        masks = RNG.integers(0, 20, (count, *size))
        names = {value: f"a long name of class {value}" for value in range(20)}
        layer = colour_masks("", masks, channels_first=False, mask_names=names)
        captions = ["a-file-with-a-name-that-does-not-fit-into-a-line.png · hospital"] * count
        title = "A title that is longer than one image is wide, by far, with numbers\n1, 2, 3, 4"
        figure = draw(np.zeros((count, *size, 3)), captions, title=title, columns=4, layers=[layer])
        figure.draw_without_rendering()
        boxes = [figure._suptitle.get_window_extent(), figure.legends[0].get_window_extent()]
        boxes += [axes.title.get_window_extent() for axes in figure.axes]
        for number, box in enumerate(boxes):
            assert box.x0 >= 0
            assert box.y0 >= 0
            assert box.x1 <= figure.bbox.x1
            assert box.y1 <= figure.bbox.y1
            assert not any(box.overlaps(other) for other in boxes[:number])

    def test_png(self) -> None:
        figure = draw(np.zeros((1, 4, 4, 3)), ["a"], title="", columns=1)
        assert figure._repr_png_().startswith(b"\x89PNG")
        assert isinstance(figure, showing.Figure)
