"""`corrected=True`: geometry and brightness as their names say; without it, Keras' and warnings."""

from __future__ import annotations

import sys
import warnings
from multiprocessing.pool import ThreadPool
from typing import Any, ClassVar

import keras
import numpy as np
import pytest
import scipy.ndimage
from comparison import fingerprint
from hypothesis import given, settings
from hypothesis import strategies as st

from multiflow import MultiDirImageDataGenerator, _keras
from multiflow.picks import Picks

FILLED: dict[str, Any] = {"fill_mode": "constant", "cval": 99}
COUNTING = np.arange(15.0).reshape(3, 5, 1)


def apply(
    image: np.ndarray, parameters: dict[str, Any], *, by_flow: bool = False, **arguments: Any
) -> np.ndarray:
    """An image, transformed by given parameters, by the method or by a flow."""
    generator = MultiDirImageDataGenerator(**{"corrected": True, **arguments})
    if not by_flow:
        return generator.apply_transform(image, parameters)
    # An override would take the flow off its fast path.
    flow = generator.flow(image[np.newaxis], batch_size=1)
    draws = _Fixed(parameters)
    return flow._make_batch(Picks.once(np.arange(1)), draws).images[0]


class _Fixed:
    def __init__(self, parameters: dict[str, Any]) -> None:
        self.parameters = parameters

    def draw(self, generator: Any, shape: Any, picks: Picks) -> list[dict[str, Any]]:
        return [self.parameters]


BY_FLOW = pytest.mark.parametrize("by_flow", [False, True])
ORDERS = pytest.mark.parametrize("order", [0, 1])


@BY_FLOW
@ORDERS
class TestGeometry:
    def test_half_a_turn(self, by_flow: bool, order: int) -> None:
        turned = apply(COUNTING, {"theta": 180}, by_flow=by_flow, interpolation_order=order)
        half_a_turn = [
            [14, 13, 12, 11, 10],
            [9, 8, 7, 6, 5],
            [4, 3, 2, 1, 0],
        ]
        # The sine of 180° is 1e-16 in floating point, which order 1 shows.
        np.testing.assert_allclose(turned[..., 0], half_a_turn, atol=1e-14 * order)

    def test_a_quarter_turn(self, by_flow: bool, order: int) -> None:
        turned = apply(
            COUNTING, {"theta": 90}, by_flow=by_flow, interpolation_order=order, fill_mode="nearest"
        )
        # Counterclockwise, as Keras turns a square. Of the columns, the middle three stay.
        left = [[3, 8, 13], [2, 7, 12], [1, 6, 11]]
        np.testing.assert_allclose(turned[:, 1:4, 0], left, atol=1e-14 * order)

    @pytest.mark.parametrize(
        ("parameters", "expected"),
        [
            # Of `height_shift_range`, in rows.
            ({"tx": 1}, [[5, 6, 7, 8, 9], [10, 11, 12, 13, 14], [99, 99, 99, 99, 99]]),
            # Of `width_shift_range`, in columns.
            ({"ty": 2}, [[2, 3, 4, 99, 99], [7, 8, 9, 99, 99], [12, 13, 14, 99, 99]]),
        ],
    )
    def test_shifts(
        self, by_flow: bool, order: int, parameters: dict[str, Any], expected: Any
    ) -> None:
        arguments: dict[str, Any] = {"interpolation_order": order, **FILLED}
        moved = apply(COUNTING, parameters, by_flow=by_flow, **arguments)
        assert moved[..., 0].tolist() == expected

    def test_zoom_keeps_the_centre(self, by_flow: bool, order: int) -> None:
        arguments: dict[str, Any] = {"interpolation_order": order, **FILLED}
        zoomed = apply(COUNTING, {"zx": 2, "zy": 2}, by_flow=by_flow, **arguments)
        assert zoomed[1, 1:4, 0].tolist() == [5, 7, 9]
        assert (zoomed[[0, 2]] == 99).all()


def rotation(degrees: float) -> np.ndarray:
    angle = np.deg2rad(degrees)
    return np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])


@given(
    st.tuples(st.integers(2, 12), st.integers(2, 12)),
    st.floats(-180, 180),
    st.floats(-60, 60),
    st.tuples(st.floats(0.5, 2), st.floats(0.5, 2)),
    st.tuples(st.floats(-4, 4), st.floats(-4, 4)),
    st.booleans(),
)
@settings(max_examples=150, deadline=None)
def test_any_warp_is_about_the_centre(
    size: tuple[int, int],
    theta: float,
    shear: float,
    zoom: tuple[float, float],
    shift: tuple[float, float],
    channels_first: bool,
) -> None:
    """Rows and columns, from their centre: rotation · (shear · zoom · place + shift)."""
    image = np.random.default_rng(0).random(size)
    shearing = np.array([[np.cos(np.deg2rad(shear)), 0], [-np.sin(np.deg2rad(shear)), 1]])
    linear = rotation(theta) @ shearing @ np.diag(zoom[::-1])
    centre = (np.array(size) - 1) / 2
    offset = centre - linear @ centre + rotation(theta) @ shift
    expected = scipy.ndimage.affine_transform(image, linear, offset, order=1, mode="nearest")
    parameters = {
        "theta": theta,
        "shear": shear,
        "zx": zoom[0],
        "zy": zoom[1],
        "tx": shift[0],
        "ty": shift[1],
    }
    axis = 0 if channels_first else 2
    generator = MultiDirImageDataGenerator(
        corrected=True, data_format="channels_first" if channels_first else "channels_last"
    )
    received = generator.apply_transform(np.expand_dims(image, axis), parameters)
    np.testing.assert_allclose(received.squeeze(axis), expected, atol=1e-9)


SQUARE: dict[str, Any] = {
    "rotation_range": 40,
    "shear_range": 20,
    "zoom_range": 0.4,
    "channel_shift_range": 9,
    "horizontal_flip": True,
    "vertical_flip": True,
    "rescale": 1 / 255,
}


@pytest.mark.parametrize(
    "arguments",
    [
        SQUARE,
        {**SQUARE, "brightness_range": (0.5, 1.5)},
        {**SQUARE, "brightness_range": (0.5, 1.5), "samplewise_std_normalization": True},
        {**SQUARE, "fill_mode": "constant", "cval": 5.0, "interpolation_order": 0},
        {**SQUARE, "data_format": "channels_first"},
        {**SQUARE, "brightness_range": (0.5, 1.5), "dtype": "float64"},
        {**SQUARE, "interpolation_order": 3},
    ],
)
@pytest.mark.parametrize("num_channels", [1, 3, 4])
@pytest.mark.filterwarnings("ignore:This ImageDataGenerator specifies")
def test_square_images_are_kerass_bit_for_bit(arguments: dict[str, Any], num_channels: int) -> None:
    images = np.random.default_rng(0).integers(0, 256, (9, 12, 12, num_channels), np.uint8)
    if arguments.get("data_format") == "channels_first":
        images = np.moveaxis(images, 3, 1)
    theirs = _keras.ImageDataGenerator(**arguments).flow(images, seed=1)
    ours = MultiDirImageDataGenerator(**arguments, corrected=True).flow(images, seed=1)
    assert fingerprint(next(ours)) == fingerprint(next(theirs))


def test_masks_move_with_their_images() -> None:
    images = np.random.default_rng(0).integers(0, 256, (6, 10, 17, 1), np.uint8)
    generator = MultiDirImageDataGenerator(
        corrected=True,
        rotation_range=90,
        zoom_range=0.5,
        shear_range=30,
        height_shift_range=0.4,
        interpolation_order=0,
        horizontal_flip=True,
    )
    flow = generator.flow_segmentation(images, images, seed=3)
    for _ in range(4):
        image_batch, mask_batch = next(flow)
        np.testing.assert_array_equal(image_batch, mask_batch)


LAYOUTS = pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])


@BY_FLOW
@LAYOUTS
@pytest.mark.parametrize("num_channels", [1, 2, 3, 5, 13])
class TestBrightness:
    def brighten(
        self, image: np.ndarray, factor: float, by_flow: bool, data_format: str
    ) -> np.ndarray:
        first = data_format == "channels_first"
        image = np.moveaxis(image, 2, 0) if first else image
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="NumpyArrayIterator is set to use")
            changed = apply(
                image,
                {"brightness": factor},
                by_flow=by_flow,
                data_format=data_format,
                brightness_range=(factor, factor),
            )
        return np.moveaxis(changed, 0, 2) if first else changed

    @pytest.mark.parametrize("factor", [0.0, 0.3, 1.0, 1.9])
    @pytest.mark.parametrize("white", [1, 65535])
    def test_within_zero_and_white(
        self, by_flow: bool, data_format: str, num_channels: int, factor: float, white: int
    ) -> None:
        image = np.random.default_rng(0).random((6, 7, num_channels)).astype("float32") * white
        image[0, 0] = white
        changed = self.brighten(image, factor, by_flow, data_format)
        np.testing.assert_allclose(changed, np.minimum(image * factor, white), rtol=1e-6)
        assert changed.dtype == keras.config.floatx()

    @pytest.mark.parametrize("factor", [0.3, 1.9])
    def test_eight_bits_are_kerass_channel_by_channel(
        self, by_flow: bool, data_format: str, num_channels: int, factor: float
    ) -> None:
        image = np.random.default_rng(0).integers(0, 256, (6, 7, num_channels)).astype("float32")
        image[0, 0] = 255
        changed = self.brighten(image, factor, by_flow, data_format)
        for channel in range(num_channels):
            one = image[..., channel : channel + 1]
            expected = _keras.ImageDataGenerator().apply_transform(one, {"brightness": factor})
            np.testing.assert_array_equal(changed[..., channel : channel + 1], expected)

    @pytest.mark.parametrize("factor", [0.3, 1.9])
    @pytest.mark.parametrize(("low", "high"), [(-1000, 3000), (-1, 1), (0, 1e6)])
    def test_other_ranges_keep_their_ends(
        self,
        by_flow: bool,
        data_format: str,
        num_channels: int,
        factor: float,
        low: float,
        high: float,
    ) -> None:
        image = np.random.default_rng(0).uniform(low, high, (6, 7, num_channels)).astype("float32")
        image[0, 0], image[1, 1] = low, high
        changed = self.brighten(image, factor, by_flow, data_format)
        expected = np.clip((image - low) * factor + low, low, high)
        np.testing.assert_allclose(changed, expected, rtol=1e-5, atol=(high - low) * 1e-6)
        assert low <= changed.min() <= changed.max() <= high


class TestRange:
    """What counts as white is found before a warp can leave it."""

    OPTIONS: ClassVar[dict[str, Any]] = {"corrected": True, "brightness_range": (0.9, 0.9)}

    def images(self, white: float, dtype: str = "float32") -> np.ndarray:
        rng = np.random.default_rng(0)
        return (rng.choice([0.3, 1], (6, 9, 9, 3)) * white).astype(dtype)

    @pytest.mark.parametrize(
        "arguments",
        [
            {"rotation_range": 20, "interpolation_order": 3},
            {"rotation_range": 20, "fill_mode": "constant", "cval": 2.0},
            {"rotation_range": 20, "interpolation_order": 3, "dtype": "float64"},
            {"rotation_range": 20, "interpolation_order": 3, "preprocessing_function": np.copy},
        ],
    )
    @pytest.mark.parametrize("white", [1, 255, 65535])
    def test_warps_leave_it_alone(self, arguments: dict[str, Any], white: int) -> None:
        generator = MultiDirImageDataGenerator(**arguments, **self.OPTIONS)
        images = self.images(white)
        for batch in (
            next(generator.flow(images, seed=1)),
            next(generator.flow_segmentation(images, images, seed=1))[0],
            np.stack([generator.random_transform(image) for image in images]),
        ):
            assert batch.max() <= white
            assert batch.mean() > 0.4 * white
            assert len(np.unique(batch)) > 40

    @pytest.mark.parametrize("custom", [None, np.copy])
    def test_it_is_that_of_all_images_in_memory(self, custom: Any) -> None:
        images = self.images(65535)
        images[0] /= 1000  # a dark one
        generator = MultiDirImageDataGenerator(
            brightness_range=(3, 3), corrected=True, preprocessing_function=custom
        )
        for flow in (
            generator.flow(images, shuffle=False),
            generator.flow_segmentation(images, images, shuffle=False),
        ):
            batch = flow[0] if isinstance(flow[0], np.ndarray) else flow[0][0]
            np.testing.assert_allclose(batch, (images * 3).clip(0, 65535), rtol=1e-6)

    def test_dark_images_of_8_bits(self) -> None:
        images = self.images(1, "uint8")
        generator = MultiDirImageDataGenerator(brightness_range=(3, 3), corrected=True)
        flow = generator.flow_segmentation(images, images, shuffle=False)
        np.testing.assert_array_equal(flow[0][0], images * 3)

    @pytest.mark.parametrize("dtype", ["int8", "int16", "int32"])
    def test_integers_do_not_overflow(self, dtype: str) -> None:
        low, high = np.iinfo(dtype).min, np.iinfo(dtype).max
        image = np.array([low, 0, high], dtype).reshape(1, 3, 1)
        changed = apply(image, {"brightness": 1.0})
        np.testing.assert_allclose(changed, image, atol=1, rtol=1e-6)

    def test_double_precision_is_rounded_as_in_keras(self) -> None:
        image = np.full((2, 2, 1), 254.9999999)
        expected = _keras.ImageDataGenerator().apply_transform(image, {"brightness": 1.0})
        np.testing.assert_array_equal(apply(image, {"brightness": 1.0}), expected)


@BY_FLOW
@pytest.mark.parametrize("white", [1, 255, 65535])
def test_of_four_channels_the_last_is_alpha(by_flow: bool, white: int) -> None:
    image = np.random.default_rng(0).integers(2, 255, (6, 7, 4)) / 255 * white
    image = (np.floor(image) if white > 1 else image).astype("float32")
    changed = apply(image, {"brightness": 0.5}, by_flow=by_flow, brightness_range=(0.5, 0.5))
    np.testing.assert_array_equal(changed[..., 3], image[..., 3])
    np.testing.assert_allclose(
        changed[..., :3], image[..., :3] / 2, atol=0.5 if white == 255 else 0
    )


def test_integers_of_16_bits_stay_as_fine_as_they_are() -> None:
    image = np.arange(60000, dtype=np.uint16).reshape(200, 300, 1)
    changed = apply(image, {"brightness": 0.5})
    np.testing.assert_array_equal(changed, image / 2)


def test_segmentation_takes_any_channels() -> None:
    images = np.random.default_rng(0).random((4, 6, 6, 5))
    generator = MultiDirImageDataGenerator(brightness_range=(0.5, 0.5), corrected=True)
    flow = generator.flow_segmentation(images, images[..., 0] > 0.5, shuffle=False)
    np.testing.assert_allclose(flow[0][0], images / 2, rtol=1e-6)
    with pytest.raises(ValueError, match=r"Received 5 channels .* Set corrected=True"):
        MultiDirImageDataGenerator(brightness_range=(0.5, 0.5)).flow_segmentation(images, images)


@pytest.mark.filterwarnings("default:Images of .* pixels are not square:UserWarning")
class TestWarnings:
    NOT_SQUARE = r"Images of 3 × 5 pixels are not square.*Set corrected=True"
    BLACK = r"`brightness_range` meets an image with values from 0 to 1 and makes it black.*"

    @pytest.mark.parametrize(
        "arguments",
        [
            {"rotation_range": 9},
            {"shear_range": 9},
            {"zoom_range": 0.3},
            {"width_shift_range": 0.3},
            {"height_shift_range": [1, 2]},
        ],
    )
    @pytest.mark.parametrize("custom", [False, True])
    def test_a_warp_of_images_that_are_not_square(
        self, arguments: dict[str, Any], custom: bool
    ) -> None:
        generator = MultiDirImageDataGenerator(
            **arguments, preprocessing_function=np.copy if custom else None
        )
        flow = generator.flow(COUNTING[np.newaxis])
        with pytest.warns(UserWarning, match=self.NOT_SQUARE) as caught:
            next(flow)
        assert caught[0].filename == __file__
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # once is enough
            next(flow)
            next(generator.flow(COUNTING[np.newaxis]))
            generator.random_transform(COUNTING)

    TURNED = "are {} about a point off their centre"
    SHIFTED = "shifted along the other axis than `height_shift_range` and `width_shift_range` say"

    @pytest.mark.parametrize(
        ("arguments", "told"),
        [
            ({"rotation_range": 9}, TURNED.format("rotated")),
            ({"shear_range": 9, "zoom_range": 0.3}, TURNED.format("sheared and zoomed")),
            ({"zoom_range": (0.5, 0.9)}, TURNED.format("zoomed")),
            ({"width_shift_range": 0.3}, f"are {SHIFTED}"),
            ({"height_shift_range": [1, 2]}, f"are {SHIFTED}"),
            (
                {"rotation_range": 9, "shear_range": 2, "zoom_range": 0.1, "width_shift_range": 1},
                f"{TURNED.format('rotated, sheared and zoomed')}, and {SHIFTED}",
            ),
        ],
    )
    def test_tells_of_the_options_in_use(self, arguments: dict[str, Any], told: str) -> None:
        generator = MultiDirImageDataGenerator(**arguments)
        with pytest.warns(UserWarning, match=self.NOT_SQUARE) as caught:
            next(generator.flow(COUNTING[np.newaxis]))
        assert f"as in Keras, they {told}. Set corrected=True" in str(caught[0].message)

    @pytest.mark.parametrize(
        ("parameters", "told"),
        [
            ({"theta": 3}, TURNED.format("rotated")),
            ({"shear": 3}, TURNED.format("sheared")),
            ({"zy": 1.1, "ty": 1}, f"{TURNED.format('zoomed')}, and {SHIFTED}"),
            ({"tx": 1}, f"are {SHIFTED}"),
        ],
    )
    def test_by_hand(self, parameters: dict[str, Any], told: str) -> None:
        with pytest.warns(UserWarning, match=self.NOT_SQUARE) as caught:
            MultiDirImageDataGenerator().apply_transform(COUNTING, parameters)
        assert f"as in Keras, they {told}. Set corrected=True" in str(caught[0].message)

    @pytest.mark.parametrize("threads", [1, 4])
    def test_brightness_of_images_from_zero_to_one(self, threads: int) -> None:
        images = np.random.default_rng(0).random((9, 64, 64, 3))  # large enough for threads
        generator = MultiDirImageDataGenerator(
            brightness_range=(0.5, 0.9), rotation_range=5, threads=threads
        )
        flow = generator.flow(images)
        with pytest.warns(UserWarning, match=self.BLACK) as caught:
            batch = next(flow)
        assert [warning.filename for warning in caught] == [__file__]
        assert (batch == 0).all()
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            next(flow)

    @pytest.mark.parametrize(
        ("image", "arguments"),
        [
            (COUNTING[:, :3], {"rotation_range": 9, "height_shift_range": 0.3}),
            (COUNTING, {"horizontal_flip": True, "channel_shift_range": 3}),
            (COUNTING, {"rotation_range": 9, "corrected": True}),
            (COUNTING / 15, {"brightness_range": (0.5, 0.6), "corrected": True}),
            (COUNTING, {"brightness_range": (0.5, 0.6)}),
            (COUNTING * 0, {"brightness_range": (0.5, 0.6)}),
        ],
    )
    def test_nothing_to_warn_of(self, image: np.ndarray, arguments: dict[str, Any]) -> None:
        generator = MultiDirImageDataGenerator(**arguments)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            next(generator.flow(image[np.newaxis]))
            generator.random_transform(image)

    def test_brightness_of_images_that_a_spline_takes_above_one(self) -> None:
        images = np.random.default_rng(0).choice([0.3, 1], (4, 9, 9, 3))
        generator = MultiDirImageDataGenerator(
            brightness_range=(0.5, 0.9), rotation_range=20, interpolation_order=3
        )
        with pytest.warns(UserWarning, match=self.BLACK):
            next(generator.flow(images))

    def test_one_of_many_threads_warns(self) -> None:
        generator = MultiDirImageDataGenerator()
        image = np.random.default_rng(0).random((4, 4, 3))
        interval = sys.getswitchinterval()
        sys.setswitchinterval(1e-6)
        try:
            with pytest.warns(UserWarning, match=self.BLACK) as caught, ThreadPool(8) as pool:
                pool.map(lambda _: generator.apply_transform(image, {"brightness": 1}), range(99))
        finally:
            sys.setswitchinterval(interval)
        assert len(caught) == 1

    def test_validation_that_is_not_transformed(self) -> None:
        generator = MultiDirImageDataGenerator(
            rotation_range=9, validation_split=0.5, augment_validation=False
        )
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            next(generator.flow(np.stack([COUNTING, COUNTING]), subset="validation"))
