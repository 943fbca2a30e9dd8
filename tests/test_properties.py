"""Whatever the settings, the sizes and the machine's libraries: the bits are Keras' own."""

from __future__ import annotations

import pathlib
import tempfile
from typing import Any

import keras
import numpy as np
import pytest
from comparison import fingerprint, random_state
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from PIL import Image

from multiflow import MultiDirImageDataGenerator, _keras

SPEEDS = pytest.mark.parametrize(
    ("is_installed", "threads"), [(True, 1), (True, 4), (False, 1), (False, 4)]
)
PROPERTY = settings(
    max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
pytestmark = [
    pytest.mark.filterwarnings("ignore:NumpyArrayIterator is set to use:UserWarning"),
    pytest.mark.filterwarnings("ignore:Expected input to be images:UserWarning"),
    pytest.mark.filterwarnings("ignore:This ImageDataGenerator specifies:UserWarning"),
    pytest.mark.filterwarnings("ignore:`brightness_range` meets an image:UserWarning"),
    # Where a user's numbers overflow, Keras and we warn alike.
    pytest.mark.filterwarnings("ignore:.*encountered in.*:RuntimeWarning"),
]

small = st.integers(1, 24)
sizes = st.tuples(small, small) | st.tuples(st.integers(1, 600), st.integers(1, 600))


def ranges(*choices: Any) -> st.SearchStrategy[Any]:
    return st.sampled_from(choices)


GENERATORS = st.fixed_dictionaries(
    {},
    optional={
        "rotation_range": ranges(0, 20, 180.5, np.float32(30)),
        "width_shift_range": ranges(0.0, 0.2, 2.5, 1, 3, [-2, 1], np.float64(0.3)),
        "height_shift_range": ranges(0.0, 0.3, 1.0, 2, [4, 1]),
        "shear_range": ranges(0.0, 0.2, 30),
        "zoom_range": ranges(0.0, 0.3, (0.5, 2.0), (1, 1), [1, 1.5]),
        "channel_shift_range": ranges(0.0, 15.5, 200),
        "brightness_range": ranges(None, (0.5, 1.5), [0, 3]),
        "horizontal_flip": st.booleans(),
        "vertical_flip": st.booleans(),
        "fill_mode": ranges(
            "nearest", "constant", "reflect", "wrap", "mirror", "grid-constant", "grid-wrap"
        ),
        "cval": ranges(0.0, -3.7, 255, 1e30),
        "rescale": ranges(None, 0, 1 / 255, 2, np.float64(1 / 127), np.float32(0.3)),
        "samplewise_center": st.booleans(),
        "samplewise_std_normalization": st.booleans(),
        "featurewise_center": st.booleans(),
        "featurewise_std_normalization": st.booleans(),
        "zca_whitening": st.just(False),
        "interpolation_order": st.integers(0, 3),
        "data_format": ranges("channels_last", "channels_first"),
        "dtype": ranges("float32", "float32", "float64", "uint8"),
    },
)


def batch_or_error(
    generator: Any, method: str, *arguments: Any, fit_on: Any = None, **flow: Any
) -> Any:
    """The batches of an epoch and the random state after it, or what went wrong."""
    np.random.seed(3)
    try:
        if fit_on is not None:
            generator.fit(fit_on)
        iterator = getattr(generator, method)(*arguments, **flow)
        batches = [fingerprint(next(iterator)) for _ in range(len(iterator))]
    except Exception as error:
        return type(error), str(error)
    return batches, random_state()


def generators(arguments: dict[str, Any], threads: int) -> list[Any]:
    return [
        _keras.ImageDataGenerator(**arguments),
        MultiDirImageDataGenerator(**arguments, threads=threads),
    ]


@SPEEDS
@PROPERTY
@given(
    arguments=GENERATORS,
    size=sizes,
    num_channels=st.integers(1, 6),
    dtype=ranges("uint8", "float32", "float64", "int16", "bool"),
    spread=ranges(1.0, 90.0, 40000.0),
    is_fitted=st.booleans(),
)
@example(
    arguments={"featurewise_center": True, "horizontal_flip": True, "rescale": 1 / 255},
    size=(9, 7),
    num_channels=3,
    dtype="uint8",
    spread=90.0,
    is_fitted=True,
)
@example(  # means round by how an image lies in memory
    arguments={"samplewise_std_normalization": True, "data_format": "channels_first"},
    size=(90, 70),
    num_channels=3,
    dtype="fortran",
    spread=90.0,
    is_fitted=False,
)
@example(
    arguments={"height_shift_range": [2], "fill_mode": "grid-constant", "cval": 9},
    size=(9, 7),
    num_channels=3,
    dtype="float32",
    spread=90.0,
    is_fitted=False,
)
@example(  # non-finite neighbours of weight 0, which a copy would lose
    arguments={"width_shift_range": [1, 2]},
    size=(9, 7),
    num_channels=3,
    dtype="non-finite",
    spread=1.0,
    is_fitted=False,
)
def test_arrays(
    use_extra: Any,
    is_installed: bool,
    threads: int,
    arguments: Any,
    size: tuple[int, int],
    num_channels: int,
    dtype: str,
    spread: float,
    is_fitted: bool,
) -> None:
    use_extra(is_installed)
    channels_first = arguments.get("data_format") == "channels_first"
    shape = (3, num_channels, *size) if channels_first else (3, *size, num_channels)
    images = np.random.default_rng(0).normal(128, spread, shape)
    if dtype == "fortran":
        images = np.asfortranarray(images, np.float32)
    elif dtype == "non-finite":
        images[images > 129] = np.inf
        images[images < 127] = -0.0
    else:
        low, high = (0, 1) if dtype == "bool" else (0, 255) if dtype == "uint8" else (-3e4, 3e4)
        images = images.clip(low, high).astype(dtype)
    expected, received = generators(arguments, threads)
    options = {"batch_size": 2, "seed": 5, "fit_on": images if is_fitted else None}
    assert batch_or_error(received, "flow", images, **options) == batch_or_error(
        expected, "flow", images, **options
    )


@pytest.fixture(scope="module")
def picture_folder() -> Any:
    """Pictures of several kinds, below one class folder."""
    rng = np.random.default_rng(1)
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name) / "class"
        folder.mkdir()
        for number, (mode, ending) in enumerate(
            [("RGB", "jpg"), ("L", "jpg"), ("CMYK", "jpg"), ("RGB", "png"), ("I;16", "png")] * 2
        ):
            height, width = rng.integers(1, 120, 2)
            pixels = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
            image = Image.fromarray(pixels)
            image = (
                Image.fromarray(pixels[..., 0].astype(np.uint16) * 200)
                if mode == "I;16"
                else image.convert(mode)
            )
            image.save(folder / f"{number}.{ending}")
        yield name


@SPEEDS
@PROPERTY
@given(
    arguments=GENERATORS,
    flow=st.fixed_dictionaries(
        {"target_size": st.tuples(small, small) | st.just((64, 64))},
        optional={
            "color_mode": ranges("rgb", "rgba", "grayscale"),
            "interpolation": ranges(*_keras.PIL_INTERPOLATION_METHODS, "none of these"),
            "keep_aspect_ratio": st.booleans(),
            "class_mode": ranges("categorical", "sparse", "binary", "input", None),
            "seed": st.integers(0, 9),
            "batch_size": st.integers(1, 12),
        },
    ),
)
def test_files(
    use_extra: Any, picture_folder: str, is_installed: bool, threads: int, arguments: Any, flow: Any
) -> None:
    use_extra(is_installed)
    expected, received = (
        batch_or_error(generator, "flow_from_directory", picture_folder, **flow)
        for generator in generators(arguments, threads)
    )
    if isinstance(expected[1], str) and received[0] is expected[0]:
        return  # the text may name the file, too
    assert received == expected


@pytest.mark.parametrize("floatx", ["float64", "float16"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_other_floats_of_keras(picture_folder: str, floatx: str, dtype: str) -> None:
    arguments = {"brightness_range": (0.5, 1.5), "rescale": 1 / 255, "dtype": dtype}
    if floatx != "float16":  # which SciPy does not warp
        arguments["rotation_range"] = 20
    keras.config.set_floatx(floatx)
    try:
        expected, received = (
            batch_or_error(generator, "flow_from_directory", picture_folder, target_size=(32, 32))
            for generator in generators(arguments, 2)
        )
    finally:
        keras.config.set_floatx("float32")
    assert received == expected
