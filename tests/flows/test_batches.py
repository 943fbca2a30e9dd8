"""Batches built in threads: what runs in them, what does not, and what becomes of errors."""

from __future__ import annotations

import pathlib
import re
import threading
import warnings
from typing import Any

import keras
import numpy as np
import pandas as pd
import pytest
from comparison import fingerprint, random_state
from PIL import UnidentifiedImageError

from multiflow import MultiDirImageDataGenerator, _keras
from multiflow.augment.move import Move
from multiflow.images import files
from multiflow.samples import write_segmentation_samples

IMAGES = np.random.default_rng(0).integers(0, 256, (12, 16, 15, 3), dtype=np.uint8)


class Recorder:
    """An array that is not NumPy's and notes which threads read it."""

    def __init__(self, array: np.ndarray) -> None:
        self._array = array
        self.shape, self.dtype = array.shape, array.dtype
        self.threads: set[int] = set()

    def __len__(self) -> int:
        return len(self._array)

    def __getitem__(self, index: int) -> np.ndarray:
        self.threads.add(threading.get_ident())
        return self._array[index]


class TestCustomised:
    """With a user's code, samples go one after the other, in Keras' order, in one thread."""

    @pytest.mark.parametrize("how", ["function", "subclass", "instance"])
    @pytest.mark.parametrize("hook", ["get_random_transform", "apply_transform", "standardize"])
    def test_equals_keras(self, three_classes: pathlib.Path, hook: str, how: str) -> None:
        def build(base: Any) -> Any:
            threads = set()

            def noise(x: Any) -> Any:
                threads.add(threading.get_ident())
                return x + np.random.random() if isinstance(x, np.ndarray) else x

            arguments = {"rotation_range": 20, "samplewise_center": True, "zoom_range": 0.2}
            if how == "function":
                generator = base(**arguments, preprocessing_function=noise)
            else:

                def override(self: Any, x: Any, *others: Any) -> Any:
                    return noise(getattr(base, hook)(self, x, *others))

                generator = type("Own", (base,), {hook: override})(**arguments)
                if how == "instance":
                    own, generator = generator, base(**arguments)
                    setattr(generator, hook, getattr(own, hook))
            return generator, threads

        results = []
        for base in (_keras.ImageDataGenerator, MultiDirImageDataGenerator):
            generator, threads = build(base)
            np.random.seed(1)
            flow = generator.flow_from_directory(three_classes, target_size=(9, 8), batch_size=5)
            results.append(([fingerprint(next(flow)) for _ in range(4)], random_state()))
            assert threads == {threading.get_ident()}
        assert results[0] == results[1]

    def test_files_are_still_decoded_in_threads(
        self, three_classes: pathlib.Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        meeting = threading.Barrier(3, timeout=10)
        read = files.Picture
        monkeypatch.setattr(files, "Picture", lambda *args: (meeting.wait(), read(*args))[1])
        generator = MultiDirImageDataGenerator(preprocessing_function=abs, threads=3)
        next(generator.flow_from_directory(three_classes, batch_size=3))


def test_random_transform_of_keras_is_fast_and_equal() -> None:
    arguments = {"rotation_range": 20, "channel_shift_range": 9.0, "vertical_flip": True}
    results = []
    for cls in (_keras.ImageDataGenerator, MultiDirImageDataGenerator):
        np.random.seed(4)
        image = cls(**arguments).random_transform(IMAGES[0].astype("float32"))
        results.append((image.tobytes(), image.strides, random_state()))
        generator = cls(**arguments, featurewise_center=True)
        generator.fit(IMAGES, augment=True, rounds=2, seed=3)
        results[-1] += (generator.mean.tobytes(),)
    assert results[0] == results[1]


@pytest.mark.parametrize("parameters", [{"theta": 20}, {"flip_vertical": True}, {}])
def test_planes_without_channels_are_refused_as_in_keras(parameters: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="multi-channel 2D images"):
        _keras.ImageDataGenerator().apply_transform(IMAGES[0, ..., 0], parameters)
    with pytest.raises(ValueError, match="multi-channel 2D images"):
        MultiDirImageDataGenerator().apply_transform(IMAGES[0, ..., 0], parameters)


def test_no_deprecated_name_of_scipy_is_used() -> None:
    generator = MultiDirImageDataGenerator(rotation_range=20, interpolation_order=3, threads=1)
    with warnings.catch_warnings():
        warnings.simplefilter("error", DeprecationWarning)
        next(generator.flow(IMAGES))
        generator.random_transform(IMAGES[0])


@pytest.mark.parametrize("threads", [1, 4])
def test_arrays_of_other_libraries_are_read_by_the_caller(threads: int) -> None:
    images, masks = Recorder(IMAGES), Recorder(IMAGES[..., 0])
    generator = MultiDirImageDataGenerator(rotation_range=20, threads=threads)
    received = next(generator.flow_segmentation(images, masks, seed=1))
    expected = next(generator.flow_segmentation(IMAGES, IMAGES[..., 0], seed=1))
    assert fingerprint(received) == fingerprint(expected)
    assert images.threads == masks.threads == {threading.get_ident()}


@pytest.mark.parametrize(
    ("weights", "fill_mode", "num_modes"),
    [
        (None, "nearest", 1),
        (np.ones(12), "constant", 1),
        (np.ones((12, 16, 15)), "nearest", 1),
        (np.ones((12, 16, 15)), "constant", 2),
    ],
)
def test_positions_are_found_once_per_fill_mode(
    monkeypatch: pytest.MonkeyPatch, weights: Any, fill_mode: str, num_modes: int
) -> None:
    calls = []
    find = Move.sources
    monkeypatch.setattr(Move, "sources", lambda *arguments: (calls.append(1), find(*arguments))[1])
    generator = MultiDirImageDataGenerator(rotation_range=20, fill_mode=fill_mode)
    flow = generator.flow_segmentation(
        IMAGES, [IMAGES[..., 0]] * 2, sample_weight=weights, mask_fill_mode="nearest"
    )
    next(flow)
    assert len(calls) == 12 * num_modes


def test_the_users_arrays_stay_as_they_are() -> None:
    images, masks = IMAGES.astype(np.float32), IMAGES[..., 0].copy()
    generator = MultiDirImageDataGenerator(
        rescale=2, channel_shift_range=20, brightness_range=(0.5, 1.5), horizontal_flip=True
    )
    before = images.copy(), masks.copy()
    for shear in (0, 9):
        generator.shear_range = shear
        next(generator.flow(images))
        next(generator.flow_segmentation(images, masks))
    np.testing.assert_array_equal(images, before[0])
    np.testing.assert_array_equal(masks, before[1])


def test_settings_count_when_a_batch_is_made(three_classes: pathlib.Path) -> None:
    generator = MultiDirImageDataGenerator(featurewise_center=True)
    iterator = generator.flow_from_directory(three_classes, target_size=(8, 8), shuffle=False)
    generator.mean = np.float32(100)
    centred, _ = iterator[0]
    generator.featurewise_center, generator.rescale, generator.threads = False, 2, 1
    np.testing.assert_array_equal(iterator[0][0], (centred + 100) * 2)


class TestErrors:
    """An error in a thread reaches the caller with the path of the file, and nothing hangs."""

    @pytest.fixture(params=["flow_from_directory", "flow_from_directories", "dataframe"])
    def flow(self, request: pytest.FixtureRequest, three_classes: pathlib.Path) -> Any:
        generator = MultiDirImageDataGenerator(threads=4)
        options: dict[str, Any] = {"target_size": (8, 8), "shuffle": False, "batch_size": 12}
        if request.param == "dataframe":
            frame = pd.DataFrame({"filename": sorted(map(str, three_classes.rglob("*.*")))})
            return generator.flow_from_dataframe(frame, class_mode=None, **options)
        is_one = request.param == "flow_from_directory"
        return getattr(generator, request.param)(
            three_classes if is_one else [three_classes], **options
        )

    @pytest.mark.parametrize(
        ("damage", "error"),
        [
            (lambda path: path.write_bytes(b"text"), UnidentifiedImageError),
            (lambda path: path.write_bytes(path.read_bytes()[:200]), OSError),
            (lambda path: path.unlink(), FileNotFoundError),
        ],
    )
    def test_name_the_file(
        self, flow: Any, three_classes: pathlib.Path, damage: Any, error: Any
    ) -> None:
        for name in ("cats/8.jpg", "bees/3.jpg"):
            damage(three_classes / name)
        path = re.escape(repr(str(three_classes / "bees/3.jpg")))
        for _ in range(3):
            with pytest.raises(error, match=path) as caught:
                flow[0]
            assert type(caught.value) is error
            assert "BytesIO" not in str(caught.value)

    def test_of_segmentation_name_the_file(self, tmp_path: pathlib.Path) -> None:
        images, masks = write_segmentation_samples(tmp_path)
        generator = MultiDirImageDataGenerator(threads=4)
        flow = generator.flow_segmentation_from_directories(images, masks, shuffle=False)
        pathlib.Path(flow.mask_filepaths[3]).write_bytes(b"text")
        with pytest.raises(UnidentifiedImageError, match=re.escape(flow.mask_filepaths[3])):
            flow[0]

    def test_of_more_than_a_text_are_named_too(self) -> None:
        error = UnicodeDecodeError("utf-8", b"x", 0, 1, "damaged")
        named = files._with_path(error, "/a/b.tif")
        assert isinstance(named, OSError)
        assert str(named).startswith("'/a/b.tif' cannot be read: ")


@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")
def test_processes_of_fit_give_the_right_batches(three_classes: pathlib.Path) -> None:
    """Forked after threads have run here; without random draws all workers agree."""
    generator = MultiDirImageDataGenerator(rescale=1 / 255)
    options = {"target_size": (8, 8), "batch_size": 4, "shuffle": False}
    expected, _ = generator.flow_from_directory(three_classes, **{**options, "batch_size": 12})[0]
    flow = generator.flow_from_directory(
        three_classes, **options, workers=2, use_multiprocessing=True
    )
    model = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Flatten()])
    received = model.predict(flow, verbose=0)
    np.testing.assert_array_equal(received, expected.reshape(12, -1))
