from __future__ import annotations

import io
from typing import Any

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.colors import to_rgb
from PIL import Image

from multiflow import MultiDirImageDataGenerator
from multiflow.show import figures
from multiflow.show.colours import PALETTE, Layer, colour_masks, make_visible
from multiflow.show.figures import draw, draw_history
from multiflow.show.samples import draw_samples

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
        for highest in (0.1, 1.1, 2, 30, 4095):
            images = np.linspace(0, highest, 101).reshape(1, 1, 101, 1)
            visible = make_visible(images, PLAIN)
            assert visible.max() == 1
            assert visible[0, 0, 50, 0] == pytest.approx(0.5)
        images = np.array([-0.005, 0.5, 1.005]).reshape(1, 1, 3, 1)
        assert make_visible(images, PLAIN)[0, 0, :, 0].tolist() == [0, 0.5, 1]
        images = np.linspace(-0.1, 1, 101).reshape(1, 1, 101, 1)
        assert make_visible(images, PLAIN)[0, 0, 10, 0] == pytest.approx(0.1, abs=0.01)

    def test_sparse_images(self) -> None:
        images = np.zeros((1, 40, 40, 1))
        images[0, 3, 4] = 0.05
        assert make_visible(images, PLAIN)[0, 3, 4, 0] == 1

    def test_whitened_images_are_stretched(self) -> None:
        generator = MultiDirImageDataGenerator(featurewise_center=True, zca_whitening=True)
        generator.mean = np.array([0.0, 100, 200]).reshape(1, 1, 3)
        images = RNG.normal(0, 1, (2, 8, 8, 3))
        np.testing.assert_array_equal(make_visible(images, generator), make_visible(images, PLAIN))

    def test_statistics_with_channels_first(self) -> None:
        generator = MultiDirImageDataGenerator(
            featurewise_center=True, data_format="channels_first"
        )
        generator.mean = np.array([10.0, 20.0, 30.0]).reshape(3, 1, 1)
        images = RNG.integers(0, 256, (2, 3, 4, 5))
        visible = make_visible(images - generator.mean, generator)
        np.testing.assert_allclose(visible, np.moveaxis(images, 1, -1) / 255)

    @pytest.mark.parametrize("value", [-7, 3, np.nan, np.inf])
    def test_without_any_difference(self, value: float) -> None:
        visible = make_visible(np.full((1, 2, 2, 1), value), PLAIN)
        assert ((visible >= 0) & (visible <= 1)).all()

    def test_nan_is_black_and_hides_nothing_else(self) -> None:
        visible = make_visible(np.array([np.nan, 0, 0.5, 1]).reshape(1, 2, 2, 1), PLAIN)
        assert visible[..., 0].ravel().tolist() == [0, 0, 0.5, 1]


def layer_of(masks: np.ndarray, **options: Any) -> Layer:
    options = {"channels_first": False, "mask_names": None, **options}
    return colour_masks("", masks, **options)


def areas_of(masks: np.ndarray, **options: Any) -> dict[str, Any]:
    return {area.name: area.pixels for area in layer_of(masks, **options).areas}


def colours_of(masks: np.ndarray) -> dict[str, Any]:
    return {area.name: area.colour for area in layer_of(masks).areas}


class TestMasks:
    def test_an_area_for_each_value_but_0(self) -> None:
        masks = RNG.integers(0, 3, (2, 5, 6))
        areas = areas_of(masks, mask_names={2: "cell", 7: "nothing"})
        assert list(areas) == ["1", "cell"]
        np.testing.assert_array_equal(areas["1"], masks == 1)
        np.testing.assert_array_equal(areas["cell"], masks == 2)

    @pytest.mark.parametrize("dtype", ["bool", "uint8", "int64", "float32"])
    def test_dtypes(self, dtype: str) -> None:
        masks = np.array([[[0, 1], [1, 0]]], dtype)
        assert list(areas_of(masks)) == ["1"]
        assert list(areas_of(masks[..., np.newaxis])) == ["1"]

    @pytest.mark.parametrize("zero", [0, 0.0, False])
    @pytest.mark.parametrize("dtype", ["bool", "uint8", "float32"])
    def test_a_named_0_is_an_area_too(self, dtype: str, zero: Any) -> None:
        masks = np.array([[[0, 1], [1, 0]]], dtype)
        names = {zero: "Sky", 1: "cell"}
        for of_kind in (masks, masks[..., np.newaxis], np.eye(2)[masks.astype(int)]):
            areas = areas_of(of_kind, mask_names=names)
            assert list(areas) == ["Sky", "cell"]
            np.testing.assert_array_equal(areas["Sky"], masks == 0)
            np.testing.assert_array_equal(areas["cell"], masks == 1)
            sky, cell = layer_of(of_kind, mask_names=names).areas
            assert cell.colour == PALETTE[0] != sky.colour

    @pytest.mark.parametrize(
        ("masks", "possible", "impossible"),
        [
            (np.zeros((1, 2, 2), bool), [0, 1, True], [2, -1]),
            (np.zeros((1, 2, 2), "uint8"), [0, 255, 7.0], [256, -1, 0.5, "1", None, 2**70]),
            (np.zeros((1, 2, 2, 1), "int16"), [-7, 300], [2**15, np.nan, np.inf]),
            (np.zeros((1, 2, 2), "float32"), [0.5, -3, np.float32(0.1)], [np.nan, np.inf, (1,)]),
            (np.zeros((1, 2, 2, 3)), [0, 2, 2.0], [3, -1, 0.5, "cell"]),
        ],
    )
    def test_names_of_what_masks_can_hold(
        self, masks: np.ndarray, possible: list[Any], impossible: list[Any]
    ) -> None:
        options = {"generator": PLAIN, "columns": 1}
        shown: Any = ([np.zeros((1, 2, 2, 3))], [[("", masks)]], [""], "title")
        for key in possible:
            draw_samples(*shown, **options, mask_names={key: "name"})
        for key in impossible:
            with pytest.raises(ValueError, match=r"`mask_names` must be .* Received the key"):
                draw_samples(*shown, **options, mask_names={1: "one", key: "name"})

    def test_names_that_one_of_several_masks_can_hold(self) -> None:
        several = [("cell", np.ones((1, 2, 2), bool)), ("kind", np.ones((1, 2, 2), "uint8"))]
        options: Any = {"generator": PLAIN, "columns": 1}
        shown: Any = ([np.zeros((1, 2, 2, 3))], [several], [""], "title")
        draw_samples(*shown, **options, mask_names={7: "seven"})
        with pytest.raises(ValueError, match=r"dtype bool, shape \(2, 2\) and dtype uint8, shape"):
            draw_samples(*shown, **options, mask_names={256: "many"})

    def test_names_tell_values_apart(self) -> None:
        large = [1_000_000 + number for number in range(4)]
        assert list(areas_of(np.array([[large]]))) == list(map(str, large))
        small = np.array([[[0.1234561, 0.1234562]]], "float32")
        assert list(areas_of(small)) == ["0.1234561", "0.1234562"]
        both = layer_of(np.array([[[1, 2]]]), mask_names={1: "cell", 2: "cell"}).areas
        assert [area.name for area in both] == ["cell", "cell"]

    def test_the_first_class_has_the_first_colour(self) -> None:
        assert colours_of(np.array([[[0, 1, 2]]])) == {"1": PALETTE[0], "2": PALETTE[1]}

    def test_values_keep_their_colours_when_others_are_missing(self) -> None:
        for all_values in ([0, 1, 2, 3, 255], [1, 2, 21]):
            every = colours_of(np.array([[all_values]]))
            assert len(set(every.values())) == len(every)
            few = colours_of(np.array([[all_values[-2:]]]))
            assert few == {name: every[name] for name in few}

    @pytest.mark.parametrize("values", [[1, 51], [0.5, 0.7], [1, np.inf], [-1, 49]])
    def test_all_colours_differ(self, values: list[float]) -> None:
        assert len(set(colours_of(np.array([[values]])).values())) == 2

    @pytest.mark.parametrize("channels_first", [False, True])
    def test_one_hot(self, channels_first: bool) -> None:
        classes = RNG.integers(0, 4, (2, 5, 6))
        masks = np.eye(4, dtype="float32")[classes]
        masks[0, 0, 0] = 0  # an empty pixel changes nothing else
        classes[0, 0, 0] = 0
        if channels_first:
            masks = np.moveaxis(masks, -1, 1)
        areas = areas_of(masks, channels_first=channels_first)
        assert list(areas) == ["1", "2", "3"]
        for name, pixels in areas.items():
            np.testing.assert_array_equal(pixels, classes == int(name))

    def test_other_channels_are_areas_each(self) -> None:
        overlapping = np.zeros((1, 4, 4, 2), np.uint8)
        overlapping[0, :3, :, 0] = 1
        overlapping[0, 2:, :, 1] = 255
        probabilities = np.full((1, 4, 4, 2), 0.5)
        objects = np.zeros((1, 4, 4, 2))
        objects[0, 0, 0, 0] = objects[0, 1, 1, 1] = 1
        for masks in (overlapping, probabilities, objects):
            areas = areas_of(masks, mask_names={0: "nucleus"})
            assert list(areas) == ["nucleus", "1"]
            np.testing.assert_array_equal(areas["nucleus"], masks[..., 0] != 0)
            np.testing.assert_array_equal(areas["1"], masks[..., 1] != 0)

    def test_many_values_get_a_scale_unless_they_have_names(self) -> None:
        masks = np.arange(42.0).reshape(1, 6, 7)
        layer = layer_of(masks)
        assert layer.areas == ()
        assert layer.scale is not None
        assert layer.scale.get_clim() == (0, 41)
        assert layer_of(np.where(masks == 7, np.inf, masks)).scale.get_clim() == (0, 41)
        assert len(layer_of(masks.clip(0, 40)).areas) == 40
        named = layer_of(masks, mask_names={41: "last"}).areas
        assert [area.name for area in named[-2:]] == ["40", "last"]
        assert len(layer_of(np.ones((1, 2, 2, 50))).areas) == 50

    def test_without_rows_and_columns(self) -> None:
        with pytest.raises(ValueError, match=r"have the shape \(7,\)"):
            layer_of(np.zeros((2, 7)))


def shown_mask(axes: Any) -> np.ndarray:
    """The opacity of what lies over an image."""
    return np.max([image.get_array()[..., 3] for image in axes.images[1:]], axis=0)


def assert_apart(figure: Any, boxes: Any) -> None:
    """All boxes are within the figure, and no two overlap."""
    for number, box in enumerate(boxes):
        assert box.x0 >= 0
        assert box.y0 >= 0
        assert box.x1 <= figure.bbox.x1
        assert box.y1 <= figure.bbox.y1
        assert not any(box.overlaps(other) for other in boxes[:number])


class TestFigure:
    @pytest.mark.parametrize("thin", [1, 3])
    @pytest.mark.parametrize("side", [40, 200])
    def test_outlines_cover_no_other_class(self, thin: int, side: int) -> None:
        """A line of one pixel in a thick class, whichever is drawn first."""
        masks = np.full((1, side, side), 4 - thin)
        masks[0, side // 2] = thin
        layer = layer_of(masks)
        figure = draw(np.zeros((1, side, side, 3)), [""], title="", columns=1, layers=[layer])
        buffer = io.BytesIO()
        figure.savefig(buffer, dpi=300)
        pixels = np.asarray(Image.open(buffer).convert("RGB")).astype(int)
        colour = np.multiply(PALETTE[thin - 1], 255)
        in_full = np.abs(pixels - colour).max(axis=-1) < 60
        assert in_full.sum() > pixels.shape[1] / 3

    def test_grid(self) -> None:
        images = RNG.random((5, 4, 6, 3))
        figure = draw(images, list("abcde"), title="five", columns=3)
        assert figure.get_suptitle() == "five"
        assert [axes.get_title() for axes in figure.axes] == list("abcde")
        assert figure.axes[0].get_subplotspec().get_gridspec().get_geometry() == (2, 3)
        for axes, image in zip(figure.axes, images, strict=True):
            np.testing.assert_array_equal(axes.images[0].get_array(), image)

    def test_layers(self) -> None:
        classes = np.kron([[0, 1], [2, 0]], np.ones((4, 4), int))[np.newaxis]
        depths = np.arange(49.0).reshape(1, 7, 7)
        layers = [
            colour_masks(name, masks, channels_first=False, mask_names=None)
            for name, masks in [("cell", classes), ("depth", depths), ("other depth", depths)]
        ]
        figure = draw(np.zeros((1, 8, 8, 3)), ["a"], title="", columns=4, layers=layers)
        figure.draw_without_rendering()
        titles = [axes.get_title() for axes in figure.axes[:3]]
        assert titles == ["a\ncell", "a\ndepth", "a\nother depth"]
        np.testing.assert_array_equal(shown_mask(figure.axes[0]) > 0, classes[0] > 0)
        np.testing.assert_array_equal(shown_mask(figure.axes[1]) > 0, depths[0] > 0)
        for axes in figure.axes[:3]:
            assert all(
                image.get_extent() == [-0.5, 7.5, 7.5, -0.5] and image.origin == "upper"
                for image in axes.images
            )
            assert {image.get_interpolation() for image in axes.images[1:]} == {"nearest"}
        assert [text.get_text() for text in figure.legends[0].get_texts()] == ["cell 1", "cell 2"]
        assert [axes.get_ylabel() for axes in figure.axes[3:]] == ["depth", "other depth"]

    def test_heights_follow_the_images_within_limits(self) -> None:
        heights = [
            draw(np.zeros((1, *size, 3)), [""], title="", columns=1).get_figheight()
            for size in [(1, 100), (40, 100), (100, 100), (200, 100), (100, 1)]
        ]
        assert heights[0] == heights[1] < heights[2] < heights[3] == heights[4]

    def test_outlines(self) -> None:
        """They run along the edges of an area, half a pixel off its outermost centres."""
        masks = np.zeros((1, 6, 8), int)
        masks[0, 1:3, 4:7] = 1
        layers = [layer_of(masks)]
        figure = draw(np.zeros((1, 6, 8, 3)), ["a"], title="", columns=1, layers=layers)
        [outline] = figure.axes[0].collections
        [path] = outline.get_paths()
        assert path.get_extents().extents.tolist() == [3.5, 0.5, 6.5, 2.5]

    def test_large_images_are_thinned(self) -> None:
        image = RNG.random((1, 2000, 1200, 3))
        assert make_visible(image, PLAIN).shape == (1, 500, 300, 3)
        np.testing.assert_array_equal(make_visible(image, PLAIN), image[:, ::4, ::4])
        [area] = layer_of(np.ones((1, 2000, 1200), int)).areas
        assert area.pixels.shape == (1, 500, 300)

    def test_settings_of_the_user(self) -> None:
        images = RNG.random((1, 4, 6, 3))
        with mpl.rc_context({"image.origin": "lower", "text.usetex": True}):
            figure = draw(
                images, ["a_b"], title="c_d", columns=1, layers=[layer_of(np.eye(4)[None])]
            )
            figure.draw_without_rendering()
        assert {image.origin for image in figure.axes[0].images} == {"upper"}

    @pytest.mark.parametrize(
        ("caption", "expected"),
        [("a\nb\n c", "a b c"), ("", ""), ("x" * 80, "x" * 26 + "\n" + "x" * 25 + "…")],
    )
    def test_captions_have_two_lines_at_most(self, caption: str, expected: str) -> None:
        figure = draw(np.zeros((1, 4, 4, 3)), [caption], title="", columns=1)
        assert figure.axes[0].get_title() == expected

    def test_wide_characters(self) -> None:
        figure = draw(np.zeros((1, 4, 4, 3)), ["猫" * 20], title="", columns=1)
        assert figure.axes[0].get_title() == "猫" * 13 + "\n" + "猫" * 7

    @pytest.mark.parametrize("count", [1, 2, 5])
    @pytest.mark.parametrize("size", [(32, 32), (200, 20), (20, 200)])
    def test_texts_are_neither_cut_nor_on_each_other(
        self, count: int, size: tuple[int, int]
    ) -> None:
        masks = RNG.integers(0, 20, (count, *size))
        names = {value: f"a long name of class {value}" for value in range(20)}
        names[7] = "a name that is too long for one line of the legend, and for two " * 3
        layer = colour_masks("", masks, channels_first=False, mask_names=names)
        captions = ["a-file-with-a-name-that-does-not-fit-into-a-line.png · hospital"] * count
        title = "A title that is longer than one image is wide, by far, with numbers\n1, 2, 3, 4"
        figure = draw(np.zeros((count, *size, 3)), captions, title=title, columns=4, layers=[layer])
        figure.draw_without_rendering()
        boxes = [figure._suptitle.get_window_extent(), figure.legends[0].get_window_extent()]
        boxes += [axes.title.get_window_extent() for axes in figure.axes]
        assert_apart(figure, boxes)

    def test_names_with_dollars(self) -> None:
        layer = layer_of(np.array([[[0, 1], [2, 0]]]), mask_names={1: "$1$", 2: "$\\wrong$"})
        figure = draw(np.zeros((1, 4, 4, 3)), ["$a$"], title="$b", columns=4, layers=[layer])
        legend = figure.legends[0].get_texts()
        assert [text.get_text() for text in legend] == ["$1$", "$\\wrong$"]
        for text in (*legend, figure.axes[0].title, figure._suptitle):
            assert not text.get_parse_math()
        figure.draw_without_rendering()

    def test_png(self) -> None:
        figure = draw(np.zeros((1, 4, 4, 3)), ["a"], title="", columns=1)
        assert figure._repr_png_().startswith(b"\x89PNG")
        assert isinstance(figure, figures.Figure)


def history_of(num_epochs: int) -> dict[str, list[float]]:
    """What Keras' `fit` returns, with values of which no two are equal."""
    values = np.random.default_rng(0).random((4, num_epochs)).tolist()
    return dict(zip(["loss", "val_loss", "accuracy", "val_accuracy"], values, strict=True))


class TestHistory:
    def test_lines_are_named_after_their_values(self) -> None:
        history = history_of(3)
        figure = draw_history(history, title="Training")
        assert figure.get_suptitle() == "Training"
        assert [axes.get_title() for axes in figure.axes] == ["loss", "accuracy"]
        for axes in figure.axes:
            assert axes.get_xlabel() == "epoch"
            measure = axes.get_title()
            lines = {line.get_label(): line.get_xydata().T.tolist() for line in axes.lines}
            assert lines == {
                "training": [[1, 2, 3], history[measure]],
                "validation": [[1, 2, 3], history[f"val_{measure}"]],
            }

    def test_legend_tells_the_colours_of_all_panels(self) -> None:
        figure = draw_history(history_of(3), title="")
        [legend] = figure.legends
        names = [text.get_text() for text in legend.get_texts()]
        expected = {
            name: handle.get_color()
            for name, handle in zip(names, legend.legend_handles, strict=True)
        }
        assert len(set(expected.values())) == 2
        for axes in figure.axes:
            assert {line.get_label(): line.get_color() for line in axes.lines} == expected

    @pytest.mark.parametrize("num_epochs", [1, 2, 3, 7, 30, 400])
    def test_ticks_are_epochs(self, num_epochs: int) -> None:
        figure = draw_history(history_of(num_epochs), title="")
        figure.draw_without_rendering()
        for axes in figure.axes:
            low, high = axes.get_xlim()
            ticks = [tick for tick in axes.get_xticks() if low <= tick <= high]
            assert ticks
            assert all(float(tick).is_integer() for tick in ticks)
            assert low < 1 <= num_epochs < high

    @pytest.mark.parametrize("num_epochs", [1, 2])
    def test_all_values_are_visible(self, num_epochs: int) -> None:
        """A single epoch is a dot, for it makes no line."""
        figure = draw_history(history_of(num_epochs), title="")
        buffer = io.BytesIO()
        figure.savefig(buffer, format="png")
        picture = np.asarray(Image.open(buffer))[..., :3]
        for axes in figure.axes:
            assert axes.get_ylim()[0] == 0
            for line in axes.lines:
                colour = np.round(np.array(to_rgb(line.get_color())) * 255)
                for x, y in axes.transData.transform(line.get_xydata()):
                    assert (picture[len(picture) - 1 - int(y), int(x)] == colour).all()

    @pytest.mark.parametrize("num_epochs", [1, 400])
    def test_texts_are_neither_cut_nor_on_each_other(self, num_epochs: int) -> None:
        figure = draw_history(history_of(num_epochs), title="Segmentation")
        figure.draw_without_rendering()
        boxes = [figure._suptitle.get_window_extent(), figure.legends[0].get_window_extent()]
        for axes in figure.axes:
            texts = [axes.title, axes.xaxis.label]
            for axis in (axes.xaxis, axes.yaxis):
                low, high = axis.get_view_interval()
                texts += [
                    tick.label1 for tick in axis.get_major_ticks() if low <= tick.get_loc() <= high
                ]
            boxes += [text.get_window_extent() for text in texts]
        assert_apart(figure, boxes)
