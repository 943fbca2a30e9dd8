"""Warps against SciPy's, and what happens where they differ."""

from __future__ import annotations

import inspect
import itertools
import types
import warnings
from fractions import Fraction
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


def random_matrix(rng: np.random.Generator) -> np.ndarray:
    """From shifts between pixels to coordinates far outside of any image."""
    size = [0.0, 0.3, 3.0, 10.0 ** rng.uniform(0, 8)][rng.integers(4)]
    matrix = np.eye(2, 3) + rng.normal(0, size, (2, 3))
    if rng.random() < 0.3:
        matrix[rng.integers(2)] = [0, rng.normal(), rng.normal(0, 5)]
    if rng.random() < 0.3:
        matrix = np.round(2 * matrix) / 2
    return matrix


@pytest.mark.parametrize("dtypes", ["u1 u1", "u1 f4", "u1 f8", "f4 f4", "f8 f8"])
@pytest.mark.parametrize("fill_mode", FILL_MODES)
@pytest.mark.parametrize("order", [0, 1])
def test_all_kinds_equal_scipy(
    monkeypatch: pytest.MonkeyPatch, dtypes: str, fill_mode: str, order: int
) -> None:
    """The compiled loops, for images of any size, of one row or column too."""
    rng = np.random.default_rng(11)
    monkeypatch.setattr(warp, "_is_copy", lambda *_: False)
    image_dtype, target_dtype = map(np.dtype, dtypes.split())
    warm_up = np.zeros((3, 3, 2), target_dtype)
    warp.warp_image(warm_up.astype(image_dtype), warm_up, Warp(MATRICES[0], order, "wrap", 0.0))
    for _ in range(250):
        size, matrix = rng.integers(1, 9, 2), random_matrix(rng)
        cval = float(rng.choice([0, 254.5, 255.5, 300, -0.5, -3, 1e300, np.nan, np.inf, -np.inf]))
        image = (255 * rng.random((*size, 2))).astype(image_dtype)
        expected = scipy_warp(
            image.astype(target_dtype), matrix, order=order, mode=fill_mode, cval=cval
        )
        target = np.empty(expected.shape, target_dtype)
        if rng.random() < 0.5:
            image, target = (
                np.moveaxis(np.moveaxis(a, 2, 0).copy(), 0, 2) for a in (image, target)
            )
        flips = bool(rng.integers(2)), bool(rng.integers(2))
        with monkeypatch.context() as context:
            context.setattr(warp, "_warp_with_scipy", None)
            warp.warp_image(image, target, Warp(matrix, order, fill_mode, cval, flips))
        np.testing.assert_array_equal(target, warp.flipped(expected, flips))


@pytest.mark.usefixtures("_either")
@pytest.mark.parametrize("order", [0, 1, 3])
@pytest.mark.filterwarnings("ignore:.*the `scipy.ndimage.interpolation` namespace")
def test_transforms_of_uint8_images_are_keras(order: int) -> None:
    rng = np.random.default_rng(12)
    for fill_mode, data_format in itertools.product(
        FILL_MODES, ["channels_last", "channels_first"]
    ):
        arguments: Any = {"fill_mode": fill_mode, "interpolation_order": order, "cval": 300.0}
        shape = (9, 9, 3) if data_format == "channels_last" else (3, 9, 9)
        image = rng.integers(0, 256, shape, dtype=np.uint8)
        parameters = {"theta": rng.normal(0, 30), "tx": rng.normal(), "flip_horizontal": True}
        received, expected = (
            cls(**arguments, data_format=data_format).apply_transform(image, parameters)
            for cls in (MultiDirImageDataGenerator, _keras.ImageDataGenerator)
        )
        assert received.dtype == np.uint8
        assert received.strides == expected.strides
        np.testing.assert_array_equal(received, expected)


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


def loops_for(
    image_dtype: str, target_dtype: str, num_channels: int, order: int = 1, **options: Any
) -> Any:
    image, target = (np.empty((2, 3, num_channels), dtype) for dtype in (image_dtype, target_dtype))
    done = Warp(MATRICES[0], order, "nearest", 0.0, **options)
    return warp._kernels_for_image(image, target, done)


def fused(a: float, b: float, c: float) -> float:
    """`a * b + c`, rounded once."""
    return float(Fraction(a) * Fraction(b) + Fraction(c))


# What other processors, compilers and versions of SciPy may do otherwise, and the dtypes of images
# and targets that show it.
MUTANTS = [
    ("", "", ["u1 u1", "u1 f4", "f4 f4", "f8 f8"]),
    (
        "(of_row + (column + step * j) * per_column)",
        "fused(column + step * j, per_column, of_row)",
        ["u1 u1", "u1 f4", "f4 f4", "f8 f8"],
    ),
    ("offset + i * per_row", "fused(i, per_row, offset)", ["u1 f4", "f4 f4", "f8 f8"]),
    ("rest_0) * rest_1", "rest_1) * rest_0", ["f4 f4", "f8 f8"]),
    (
        "total += (read(values, tap_3, levels) * rest_0) * rest_1",
        "total = fused(read(values, tap_3, levels) * rest_0, rest_1, total)",
        ["f4 f4", "f8 f8"],
    ),
    ("taps[1, j] = (row_0 + column_1)", "taps[1, j] = (row_1 + column_0)", ["u1 u1", "u1 f4"]),
    ("(width - 1, -1) if", "(0, 1) if", ["u1 u1", "u1 f4"]),
    ("period - x - 1.0", "period - x", ["u1 u1", "u1 f4"]),
    ("math.floor(-x / last) + 1", "math.ceil(-x / last)", ["u1 u1", "u1 f4"]),
    ("(NEAREST, REFLECT)", "(NEAREST, WRAP)", ["f8 f8"]),
    ("value + 0.5", "value + 0.4999999", ["u1 u1"]),
    ("rows[j] + 0.5", "rows[j] + 0.4999999", ["u1 u1", "u1 f4"]),
    ("out[place] *= scale", "out[place] = value * scale", ["u1 f4", "f4 f4"]),
]


class TestSelfCheck:
    """The compiled loops give way if any bit differs."""

    @pytest.fixture(autouse=True)
    def _unchecked(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(warp, "_exact_kinds", {})
        warp._warn_of_difference.cache_clear()

    @pytest.mark.parametrize(("order", "loop"), [(0, "warp_nearest"), (1, "warp_linear")])
    def test_one_wrong_bit_is_enough(
        self, monkeypatch: pytest.MonkeyPatch, order: int, loop: str
    ) -> None:
        kernels = extras.find("multiflow.augment.kernels")
        exact = getattr(kernels, loop)

        def differ(values: Any, out: Any, *arguments: Any) -> None:
            exact(values, out, *arguments)
            if out.size > 60:
                out[7] = np.nextafter(out[7], np.float32(1e9))

        monkeypatch.setattr(kernels, loop, differ)
        image = RANDOM.integers(0, 256, (11, 13, 3), dtype=np.uint8)
        target = np.empty(image.shape, np.float32)
        for is_first in (True, False):
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                warp.warp_image(image, target, Warp(MATRICES[0], order, "nearest", 0.0))
            messages = [str(warning.message) for warning in caught]
            assert ["differs from SciPy" in message for message in messages] == [True] * is_first
            expected = scipy_warp(image.astype("f4"), MATRICES[0], order=order, mode="nearest")
            np.testing.assert_array_equal(target, expected)

    def test_one_wrong_position_is_enough(self, monkeypatch: pytest.MonkeyPatch) -> None:
        kernels = extras.find("multiflow.augment.kernels")
        exact = kernels.find_positions

        def differ(positions: np.ndarray, *arguments: Any) -> None:
            exact(positions, *arguments)
            positions[-1, -1] = 0

        monkeypatch.setattr(kernels, "find_positions", differ)
        with pytest.warns(UserWarning, match="differs from SciPy"):
            assert warp._kernels_for_positions() is None

    @pytest.mark.parametrize("order", [0, 1])
    def test_only_what_is_needed_is_compiled(
        self, monkeypatch: pytest.MonkeyPatch, order: int
    ) -> None:
        kernels = extras.find("multiflow.augment.kernels")
        for loop in ("warp_nearest" if order else "warp_linear", "find_positions"):
            monkeypatch.setattr(kernels, loop, None)
        assert loops_for("u1", "f4", 3, order)

    @pytest.mark.parametrize("order", [0, 1])
    def test_nothing_is_compiled_again_for_images_that_are_read_only(self, order: int) -> None:
        loops = loops_for("u1", "u1", 3, order)
        assert loops
        loop = loops.warp_linear if order else loops.warp_nearest
        generator = MultiDirImageDataGenerator(interpolation_order=order)
        image = np.random.default_rng(0).integers(0, 256, (9, 7, 3), np.uint8)
        expected = generator.apply_transform(image, {"theta": 30})
        signatures = len(loop.signatures)
        image.flags.writeable = False
        assert np.array_equal(generator.apply_transform(image, {"theta": 30}), expected)
        assert len(loop.signatures) == signatures

    @pytest.mark.skipif(
        np.lib.NumpyVersion(np.__version__) < "2.0.0",
        reason="before, Python makes a float of a uint64 and an int",
    )
    @pytest.mark.parametrize(
        ("written", "mutant", "dtypes"),
        [(written, mutant, dtypes) for written, mutant, kinds in MUTANTS for dtypes in kinds],
    )
    def test_other_arithmetic_is_seen(self, written: str, mutant: str, dtypes: str) -> None:
        """Of the loops as plain Python, with one thing changed in each."""
        source = inspect.getsource(extras.find("multiflow.augment.kernels"))
        source = source.replace("@compiled", "").replace("@helper", "")
        assert written in source
        changed = types.ModuleType("changed")
        changed.__dict__["fused"] = fused
        exec(source.replace(written, mutant), changed.__dict__)
        with np.errstate(all="ignore"):
            are_exact = [
                warp._warps_as_scipy(changed, order, *map(np.dtype, dtypes.split()), 2)
                for order in (0, 1)
            ]
        assert all(are_exact) == (written == mutant)

    def test_an_unknown_order_of_sums_is_enough(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(warp, "_offset_place", lambda: None)
        with pytest.warns(UserWarning, match="differs from SciPy"):
            assert loops_for("u1", "f4", 3) is None

    def test_leaves_random_numbers_alone(self) -> None:
        np.random.seed(1)
        assert loops_for("u1", "f4", 5)
        following = np.random.random()
        np.random.seed(1)
        assert following == np.random.random()

    def test_unusual_images_are_scipys(self) -> None:
        assert loops_for("i4", "i4", 3) is None
        assert loops_for("u1", "f2", 3) is None
        assert loops_for("f4", "u1", 3) is None
        assert loops_for("u1", "u1", 3, scale=2) is None
        assert warp._is_known((10, 10), Warp(MATRICES[0], 1, "nearest", 0.0))
        assert not warp._is_known((10, 0, 3), Warp(MATRICES[0], 1, "nearest", 0.0))
        assert not warp._is_known((2**16, 2**15), Warp(MATRICES[0], 1, "nearest", 0.0))
        assert not warp._is_known((10, 10), Warp(MATRICES[0] * np.inf, 1, "nearest", 0.0))
        assert not warp._is_known((10, 10), Warp(MATRICES[0], 1, "grid-wrap", 0.0))
        assert not warp._is_known((10, 10), Warp(MATRICES[0], 2, "nearest", 0.0))
