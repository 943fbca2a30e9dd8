"""Warps against SciPy's, and what happens where they differ."""

from __future__ import annotations

import itertools
import warnings
from typing import Any

import numpy as np
import pytest
from scipy import ndimage

from multiflow import MultiDirImageDataGenerator, _keras, extras
from multiflow.augment import warp
from multiflow.augment.affine import FILL_MODES, OUTSIDE, affine_matrices
from multiflow.augment.move import Move
from multiflow.augment.warp import Warp

RANDOM = np.random.default_rng(4)
MATRICES = [
    np.array([[0.9, 0.3, -2.5], [-0.3, 0.9, 4.25]]),
    np.array([[-1.0, 0.0, 9.0], [0.0, -1.0, 11.0]]),
    np.array([[1.0, 0.0, 0.5], [0.0, 1.0, -0.5]]),
    np.array([[2.5, 0.1, -40.0], [0.3, 3.0, 31.0]]),
    np.array([[1e-9, 1.0, 3.0], [1.0, 1e-9, -2.0]]),
    np.array([[1.0, 0.0, 3.0], [0.0, 1.0, -27.0]]),
]


def scipy_warp(image: np.ndarray, matrix: np.ndarray, **options: Any) -> np.ndarray:
    planes = [
        ndimage.affine_transform(plane, matrix[:, :2], matrix[:, 2], **options)
        for plane in np.moveaxis(image, 2, 0)
    ]
    return np.stack(planes, 2)


@pytest.fixture(params=[True, False], ids=["compiled", "without the extra"])
def _either(request: pytest.FixtureRequest, use_extra: Any) -> None:
    use_extra(request.param)


@pytest.mark.usefixtures("_either")
@pytest.mark.parametrize("number", range(len(MATRICES)))
@pytest.mark.parametrize("fill_mode", FILL_MODES)
@pytest.mark.parametrize("order", [0, 1, 2])
@pytest.mark.parametrize("in_planes", [True, False])
def test_equals_scipy(number: int, fill_mode: str, order: int, in_planes: bool) -> None:
    image = RANDOM.integers(0, 256, (11, 13, 3), dtype=np.uint8)
    expected = scipy_warp(
        image.astype(np.float32), MATRICES[number], order=order, mode=fill_mode, cval=-7.3
    )
    for flips in itertools.product([False, True], repeat=2):
        shape = (3, 11, 13) if in_planes else (11, 13, 3)
        memory = np.full(shape, np.nan, np.float32)
        target = memory.transpose(1, 2, 0) if in_planes else memory
        done = Warp(MATRICES[number], order, fill_mode, -7.3, flips, 1 / 255)
        warp.warp_image(image, target, done)
        scaled = warp.flipped(expected, flips) * np.float32(1 / 255)
        np.testing.assert_array_equal(target.view(np.ndarray), scaled)


@pytest.mark.usefixtures("_either")
@pytest.mark.parametrize("fill_mode", [*FILL_MODES, "mirror", "grid-constant", "grid-wrap"])
@pytest.mark.parametrize("order", [0, 1])
def test_values_that_are_no_ordinary_numbers(fill_mode: str, order: int) -> None:
    """Weights of 0 make NaN of infinity, and sums that begin at 0 have no sign of their own."""
    rng = np.random.default_rng(9)
    for number in range(300):
        image = rng.normal(size=(*rng.integers(1, 6, 2), 2)).astype(np.float32)
        odd = [-0.0, np.inf] if number % 2 else [-0.0, -0.0]
        image[rng.random(image.shape) < 0.4] = odd[0]
        image[rng.random(image.shape) < 0.1] = odd[1]
        matrix = np.eye(2, 3)
        matrix[:, :2] += rng.normal(0, [0, 0, 0.5][number % 3], (2, 2))
        matrix[:, 2] = rng.integers(-6, 6, 2) * [1, 0.5][number % 5 == 0]
        target = np.empty_like(image)
        with np.errstate(invalid="ignore"):
            expected = scipy_warp(image, matrix, order=order, mode=fill_mode, cval=2.0)
            warp.warp_image(image, target, Warp(matrix, order, fill_mode, 2.0))
        np.testing.assert_array_equal(target, expected)
        real = ~np.isnan(expected)
        np.testing.assert_array_equal(np.signbit(target)[real], np.signbit(expected)[real])


@pytest.mark.usefixtures("_either")
def test_coordinates_just_outside() -> None:
    image = RANDOM.normal(size=(5, 6, 2))
    for offset in -np.logspace(-17, -13, 20):
        matrix = np.array([[1.0, 0.0, offset], [0.0, 0.5, 0.25]])
        target = np.empty_like(image)
        warp.warp_image(image, target, Warp(matrix, 1, "reflect", 0.0))
        expected = scipy_warp(image, matrix, order=1, mode="reflect")
        np.testing.assert_array_equal(target, expected)


@pytest.mark.parametrize("matrix", [MATRICES[0], np.eye(2, 3, k=0) + np.eye(2, 3, k=2)])
@pytest.mark.parametrize("fill_mode", ["constant", "nearest"])
@pytest.mark.parametrize(("cval", "order"), [(None, 1), (None, 0), (1j, 1), (len, 1), (0.0, 1.0)])
def test_the_same_refusals_as_scipys(cval: Any, order: Any, fill_mode: str, matrix: Any) -> None:
    image = np.ones((4, 5, 3), np.float32)
    with pytest.raises(TypeError):
        scipy_warp(image, matrix, order=order, mode=fill_mode, cval=cval)
    with pytest.raises(TypeError):
        warp.warp_image(image, image.copy(), Warp(matrix, order, fill_mode, cval))


@pytest.mark.usefixtures("_either")
@pytest.mark.parametrize("number", range(len(MATRICES)))
@pytest.mark.parametrize("fill_mode", FILL_MODES)
def test_positions_are_those_of_order_0(number: int, fill_mode: str) -> None:
    numbers = np.arange(11 * 13.0).reshape(11, 13, 1)
    expected = scipy_warp(numbers, MATRICES[number], order=0, mode=fill_mode, cval=-1)[..., 0]
    done = Warp(MATRICES[number], 0, fill_mode, OUTSIDE, (True, False))
    received = warp.warp_positions((11, 13), done)
    np.testing.assert_array_equal(received, expected[::-1])


def test_shifts_by_whole_pixels_are_copies(monkeypatch: pytest.MonkeyPatch) -> None:
    image = RANDOM.integers(0, 256, (11, 13, 3), dtype=np.uint8)
    target = np.empty(image.shape, np.float32)
    monkeypatch.setattr(warp, "_warp_compiled", None)
    monkeypatch.setattr(warp, "_warp_with_scipy", None)
    warp.warp_image(image, target, Warp(MATRICES[-1], 1, "reflect", 0.0))
    expected = scipy_warp(image.astype(np.float32), MATRICES[-1], order=1, mode="reflect")
    np.testing.assert_array_equal(target, expected)


@pytest.mark.usefixtures("_either")
@pytest.mark.parametrize("dtype", ["f2", "f4", "f8", "g", "u1", "u2", "i4", "u8", "?", "c8"])
@pytest.mark.parametrize("byte_order", ["=", ">"])
@pytest.mark.filterwarnings("ignore:.*the `scipy.ndimage.interpolation` namespace")
def test_any_dtype_is_warped_as_by_keras(dtype: str, byte_order: str) -> None:
    rng = np.random.default_rng(3)
    for number in range(60):
        image = rng.integers(0, 2 if dtype == "?" else 200, (4, 5, 2)).astype(float)
        if np.dtype(dtype).kind in "fc":
            odd = [np.nan, np.inf, -np.inf, -0.0][number % 4]
            image[rng.random(image.shape) < 0.1] = odd
        image = image.astype(np.dtype(dtype).newbyteorder(byte_order))
        parameters = {"tx": int(rng.integers(-3, 4)), "ty": int(rng.integers(-3, 4))}
        if number % 3 == 0:
            parameters |= {"theta": rng.normal(0, 30), "zx": rng.uniform(0.5, 2)}
        arguments = {
            "fill_mode": str(rng.choice(FILL_MODES)),
            "interpolation_order": int(rng.integers(3)),
        }
        received, expected = (
            result_or_error(cls(**arguments), image, parameters)
            for cls in (MultiDirImageDataGenerator, _keras.ImageDataGenerator)
        )
        assert received == expected


def result_or_error(generator: Any, image: np.ndarray, parameters: Any) -> Any:
    try:
        with np.errstate(invalid="ignore"), warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Images of .* are not square")
            warped = generator.apply_transform(image, parameters)
    except Exception as error:
        return type(error), str(error)
    # NaN has many bit patterns.
    text = [repr(value) for value in warped.ravel().tolist()]
    return warped.dtype, warped.shape, text


@pytest.mark.usefixtures("_either")
@pytest.mark.parametrize("fill_mode", ["nearest", "constant", "reflect"])
@pytest.mark.parametrize("order", [0, 1])
@pytest.mark.filterwarnings("ignore:.*the `scipy.ndimage.interpolation` namespace")
def test_coordinates_of_any_size(fill_mode: str, order: int) -> None:
    """SciPy rounds those beyond 2**53, and breaks off those beyond 2**63 in its own way."""
    rng = np.random.default_rng(6)
    arguments: Any = {"fill_mode": fill_mode, "cval": -3.0, "interpolation_order": order}
    image = rng.integers(0, 256, (5, 5, 2)).astype(np.float32)
    for size in np.logspace(8, 30, 60):
        for names in (["tx"], ["ty", "tx"], ["zx"], ["zy", "shear"]):
            parameters = {name: float(size * rng.choice([-1, 1])) for name in names}
            received, expected = (
                cls(**arguments).apply_transform(image, parameters)
                for cls in (MultiDirImageDataGenerator, _keras.ImageDataGenerator)
            )
            np.testing.assert_array_equal(received, expected)
            sources = Move.of(parameters, (5, 5), corrected=False).sources(fill_mode)
            assert OUTSIDE <= sources.min() <= sources.max() < 25


def test_identity_and_flips_need_no_matrix() -> None:
    assert affine_matrices([{"theta": 0, "zx": 1, "flip_horizontal": True}], 5, 7) == [None]


class TestSelfCheck:
    """The compiled loops give way if any bit differs."""

    @pytest.fixture(autouse=True)
    def _unchecked(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(warp, "_exact_kinds", {})
        warp._warn_of_difference.cache_clear()

    @pytest.mark.parametrize("loop", ["warp_linear", "find_positions", "take"])
    def test_one_wrong_bit_is_enough(self, monkeypatch: pytest.MonkeyPatch, loop: str) -> None:
        kernels = extras.find("multiflow.augment.kernels")
        exact = getattr(kernels, loop)

        def differ(*arguments: Any) -> None:
            exact(*arguments)
            out = arguments[1] if loop == "find_positions" else arguments[1].values
            flat = out.reshape(-1)
            if flat.size > 60:
                flat[7] = (
                    flat[7] + 1
                    if loop == "find_positions"
                    else np.nextafter(flat[7], np.float32(1e9))
                )

        monkeypatch.setattr(kernels, loop, differ)
        image = RANDOM.integers(0, 256, (11, 13, 3), dtype=np.uint8)
        for order in (0, 1):
            target = np.empty(image.shape, np.float32)
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                warp.warp_image(image, target, Warp(MATRICES[0], order, "nearest", 0.0))
            assert ["differs from SciPy" in str(warning.message) for warning in caught] == [
                True
            ] * (order == 0)
            expected = scipy_warp(
                image.astype(np.float32), MATRICES[0], order=order, mode="nearest"
            )
            np.testing.assert_array_equal(target, expected)

    def test_an_unknown_order_of_sums_is_enough(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(warp, "_offset_column", lambda: None)
        with pytest.warns(UserWarning, match="differs from SciPy"):
            assert warp._kernels_for(np.uint8, np.float32, 3) is None

    def test_leaves_random_numbers_alone(self) -> None:
        np.random.seed(1)
        assert warp._kernels_for(np.uint8, np.float32, 5)
        following = np.random.random()
        np.random.seed(1)
        assert following == np.random.random()

    def test_unusual_images_are_scipys(self) -> None:
        assert warp._kernels_for(np.int32, np.int32, 3) is None
        assert warp._kernels_for(np.uint8, np.float16, 3) is None
        assert warp._is_known((10, 10), Warp(MATRICES[0], 1, "nearest", 0.0))
        assert not warp._is_known((2**16, 2**15), Warp(MATRICES[0], 1, "nearest", 0.0))
        assert not warp._is_known((10, 10), Warp(MATRICES[0] * np.inf, 1, "nearest", 0.0))
        assert not warp._is_known((10, 10), Warp(MATRICES[0], 1, "grid-wrap", 0.0))
        assert not warp._is_known((10, 10), Warp(MATRICES[0], 2, "nearest", 0.0))
