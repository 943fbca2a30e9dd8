"""Statistics in one pass, against Keras' `fit` of an array of the same images."""

from __future__ import annotations

import pathlib
from typing import Any

import keras
import numpy as np
import pandas as pd
import pytest
from comparison import fingerprint, random_state
from conftest import MakeTree
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from multiflow import MultiDirImageDataGenerator, _keras
from multiflow.flows.moments import Moments

NORMALIZE: dict[str, Any] = {"featurewise_center": True, "featurewise_std_normalization": True}
IMAGES = np.random.default_rng(0).normal(100, 40, (23, 6, 5, 3)).astype("float32")
STATISTICS = ("mean", "std", "zca_whitening_matrix")


def of_keras(images: np.ndarray, **arguments: Any) -> Any:
    """Keras' own generator, fitted in double precision."""
    generator = _keras.ImageDataGenerator(**{"dtype": "float64", **arguments})
    generator.fit(images)
    return generator


def assert_same_statistics(ours: Any, theirs: Any, tolerance: float = 1e-6) -> None:
    for name in STATISTICS:
        expected, received = getattr(theirs, name), getattr(ours, name)
        if expected is None:
            assert received is None
        else:
            assert received.shape == expected.shape
            assert received.dtype == ours.dtype
            np.testing.assert_allclose(received, expected, tolerance, tolerance)


@given(
    hnp.arrays(
        np.float64, st.tuples(st.integers(1, 30), st.integers(1, 4)), elements=st.floats(-9, 9)
    ),
    st.lists(st.integers(1, 7), min_size=30, max_size=30),
    st.sampled_from([0.0, 1e8]),
)
@settings(max_examples=200, deadline=None)
def test_moments_in_parts(rows: np.ndarray, sizes: list[int], offset: float) -> None:
    rows = rows + offset
    plain = Moments(rows.shape[1], has_covariance=False)
    full = Moments(rows.shape[1], has_covariance=True)
    for part in np.split(rows, np.cumsum(sizes)):
        if len(part):
            plain.add(part)
            full.add(part)
    tolerance = 1e-6 if offset else 1e-9
    for moments in (plain, full):
        assert moments.count == len(rows)
        np.testing.assert_allclose(moments.mean, rows.mean(0), 1e-12, tolerance)
    deviations = rows - rows.mean(0)
    np.testing.assert_allclose(full.scatter, deviations.T @ deviations, 1e-7, tolerance)
    np.testing.assert_allclose(plain.scatter, np.diag(full.scatter), 1e-7, tolerance)


@pytest.mark.parametrize(
    "arguments",
    [
        NORMALIZE,
        {"featurewise_center": True},
        {**NORMALIZE, "rescale": 1 / 255},
        {**NORMALIZE, "data_format": "channels_first"},
        {"featurewise_center": True, "zca_whitening": True},
        {"featurewise_center": True, "zca_whitening": True, "zca_epsilon": 0.5, "rescale": 0.01},
        {"featurewise_center": True, "zca_whitening": True, "data_format": "channels_first"},
    ],
)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("count", [1, 23, 200])  # fewer and more than the 90 values of an image
def test_arrays_and_masks(arguments: dict[str, Any], dtype: str, count: int) -> None:
    images = np.resize(IMAGES, (count, 6, 5, 3)) + np.random.default_rng(1).normal(
        0, 9, (count, 6, 5, 3)
    ).astype("float32")
    if arguments.get("data_format") == "channels_first":
        images = np.moveaxis(images, 3, 1)
    theirs = of_keras(images, **arguments)
    generator = MultiDirImageDataGenerator(rotation_range=40, dtype=dtype, **arguments)
    tolerance = 1e-3 if dtype == "float32" and arguments.get("zca_whitening") else 2e-6
    masks = np.zeros((count, 6, 5), bool)
    for flow in (
        generator.flow(images, batch_size=7),
        generator.flow_segmentation(images, masks, batch_size=64),
    ):
        generator.mean = generator.std = generator.zca_whitening_matrix = None
        before = random_state()
        generator.fit(flow)
        assert random_state() == before
        assert (flow.batch_index, flow.total_batches_seen, flow.index_array) == (0, 0, None)
        assert_same_statistics(generator, theirs, tolerance)


def test_what_was_fitted_normalises() -> None:
    generator = MultiDirImageDataGenerator(
        **NORMALIZE, preprocessing_function=lambda image: image**2 / 100, samplewise_center=True
    )
    flow = generator.flow(IMAGES, batch_size=23, shuffle=False)
    generator.fit(flow)
    batch = flow[0]
    np.testing.assert_allclose(batch.mean((0, 1, 2)), 0, atol=1e-5)
    np.testing.assert_allclose(batch.std((0, 1, 2)), 1, atol=1e-5)


def test_whitening_whitens() -> None:
    images = np.random.default_rng(0).normal(0, 1, (400, 3, 3, 1)) @ np.ones((1, 1))
    images += np.linspace(0, 3, 400).reshape(-1, 1, 1, 1)
    generator = MultiDirImageDataGenerator(
        featurewise_center=True, zca_whitening=True, dtype="float64"
    )
    flow = generator.flow(images, batch_size=400, shuffle=False)
    generator.fit(flow)
    flat = flow[0].reshape(400, -1)
    np.testing.assert_allclose(flat.T @ flat / 400, np.eye(9), atol=1e-3)


def test_whitening_leaves_out_what_does_not_vary() -> None:
    images = IMAGES.copy()
    images[:, 0] = 7
    generator = MultiDirImageDataGenerator(
        featurewise_center=True, zca_whitening=True, dtype="float64"
    )
    generator.fit(generator.flow(images))
    theirs = of_keras(images, featurewise_center=True, zca_whitening=True)
    assert abs(generator.zca_whitening_matrix).max() < 10
    np.testing.assert_allclose(
        generator.standardize(images.astype(float)),
        theirs.standardize(images.astype(float)),
        atol=1e-4,
    )


def test_integer_generators_get_real_statistics() -> None:
    generator = MultiDirImageDataGenerator(**NORMALIZE, dtype="uint8")
    generator.fit(generator.flow(IMAGES))
    assert generator.mean.dtype == np.float64
    assert (generator.mean % 1 != 0).all()


@pytest.fixture
def roots(make_tree: MakeTree) -> list[pathlib.Path]:
    return [
        make_tree(name, [f"{c}/{n}.png" for c in ("a", "b") for n in range(count)])
        for name, count in (("one", 7), ("other", 12))
    ]


def stacked(generator: Any, roots: Any, subset: str | None) -> np.ndarray:
    """The images of a subset, as an array, by way of Keras' own reading."""
    flow = generator.flow_from_directories(roots, subset=subset, target_size=(9, 8))
    paths = flow.filepaths
    return np.stack(
        [keras.utils.img_to_array(keras.utils.load_img(path, target_size=(9, 8))) for path in paths]
    )


@pytest.mark.parametrize("split", [0.0, 0.3])
@pytest.mark.parametrize("whitening", [False, True])
def test_folders(roots: list[pathlib.Path], split: float, whitening: bool) -> None:
    arguments = {"featurewise_center": True, "zca_whitening": True} if whitening else NORMALIZE
    generator = MultiDirImageDataGenerator(
        horizontal_flip=True, validation_split=split, split_seed=3, rescale=0.1, **arguments
    )
    theirs = of_keras(
        stacked(generator, roots, "training" if split else None), rescale=0.1, **arguments
    )
    tolerance = 1e-3 if whitening else 2e-6
    generator.fit(roots, target_size=(9, 8), batch_size=5)
    assert_same_statistics(generator, theirs, tolerance)
    generator.fit({str(root): root for root in roots}, target_size=(9, 8))
    assert_same_statistics(generator, theirs, tolerance)


def test_iterators_over_files(roots: list[pathlib.Path], tmp_path: pathlib.Path) -> None:
    generator = MultiDirImageDataGenerator(**NORMALIZE)
    theirs = of_keras(stacked(generator, roots, None), **NORMALIZE)
    flow = generator.flow_from_directories(roots, target_size=(9, 8), cache="memory")
    frame = pd.DataFrame({"filename": flow.filepaths, "class": "a"})
    options: dict[str, Any] = {"target_size": (9, 8)}
    for iterator in (flow, generator.flow_from_dataframe(frame, **options)):
        generator.mean = generator.std = None
        generator.fit(iterator)
        assert_same_statistics(generator, theirs)
    images = [root / name for root in roots for name in "ab"]
    pairs = generator.flow_segmentation_from_directories(
        images, images_as_masks(images, tmp_path), **options
    )
    generator.fit(pairs)
    assert_same_statistics(generator, theirs)


def images_as_masks(folders: list[pathlib.Path], tmp_path: pathlib.Path) -> list[pathlib.Path]:
    import shutil

    return [
        pathlib.Path(shutil.copytree(folder, tmp_path / f"mask{number}"))
        for number, folder in enumerate(folders)
    ]


@pytest.mark.parametrize("augment", [False, True])
@pytest.mark.parametrize("seed", [None, 4])
def test_arrays_are_kerass_bit_for_bit(augment: bool, seed: int | None) -> None:
    arguments: dict[str, Any] = {**NORMALIZE, "rotation_range": 30, "rescale": 0.5}
    results = []
    for cls in (_keras.ImageDataGenerator, MultiDirImageDataGenerator):
        np.random.seed(9)
        generator = cls(**arguments)
        generator.fit(list(IMAGES), augment=augment, rounds=2, seed=seed)
        results.append([fingerprint(generator.mean), fingerprint(generator.std), random_state()])
    assert results[0] == results[1]


def test_per_sample_augmentation_leaves_the_global_state_alone() -> None:
    means = []
    for seed in (1, 1, 2, None, None):
        generator = MultiDirImageDataGenerator(
            featurewise_center=True, channel_shift_range=50, zoom_range=0.4, rng="per_sample"
        )
        before = random_state()
        generator.fit(IMAGES, augment=True, rounds=2, seed=seed)
        assert random_state() == before
        means.append(tuple(generator.mean.ravel()))
    assert means[0] == means[1]
    assert len(set(means)) == 4


def test_per_sample_augmentation_draws_for_each_image() -> None:
    generator = MultiDirImageDataGenerator(
        **NORMALIZE, brightness_range=(0.5, 1.5), rng="per_sample"
    )
    generator.fit(np.full((2000, 2, 2, 1), 100.0), augment=True, seed=1)
    assert abs(generator.mean.item() - 100) < 3
    assert abs(generator.std.item() - 100 / 12**0.5) < 2  # of a uniform distribution


def test_nothing_is_read_without_need(roots: list[pathlib.Path], monkeypatch: Any) -> None:
    generator = MultiDirImageDataGenerator()
    flow = generator.flow_from_directories(roots)
    monkeypatch.setattr(type(flow), "read_images", None)
    generator.fit(flow)
    assert (generator.mean, generator.std) == (None, None)


def test_memory_is_of_a_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    largest = 0
    add = Moments.add

    def watch(self: Moments, rows: np.ndarray) -> None:
        nonlocal largest
        largest = max(largest, rows.size)
        add(self, rows)

    monkeypatch.setattr(Moments, "add", watch)
    generator = MultiDirImageDataGenerator(**NORMALIZE)
    generator.fit(generator.flow(IMAGES, batch_size=4))
    assert largest == IMAGES[:4].size


class TestProgress:
    def test_is_shown(self, capsys: pytest.CaptureFixture[str]) -> None:
        generator = MultiDirImageDataGenerator(**NORMALIZE)
        generator.fit(generator.flow(IMAGES, batch_size=8))
        assert "3/3" in capsys.readouterr().out

    def test_is_silent_when_keras_is(
        self, silent_keras: None, capsys: pytest.CaptureFixture[str]
    ) -> None:
        generator = MultiDirImageDataGenerator(**NORMALIZE)
        generator.fit(generator.flow(IMAGES, batch_size=8))
        assert capsys.readouterr().out == ""


class TestErrors:
    def test_validation_images(self) -> None:
        generator = MultiDirImageDataGenerator(**NORMALIZE, validation_split=0.5)
        for subset in ("validation", None):
            with pytest.raises(ValueError, match=rf"subset='?{subset}'? .*subset=\"training\""):
                generator.fit(generator.flow(IMAGES, subset=subset))
        generator.fit(generator.flow(IMAGES, subset="training"))

    def test_no_images(self) -> None:
        generator = MultiDirImageDataGenerator(**NORMALIZE, validation_split=0.01)
        with pytest.raises(ValueError, match="the iterator has none"):
            generator.fit(generator.flow(IMAGES, subset="validation"))

    def test_augment(self) -> None:
        generator = MultiDirImageDataGenerator(**NORMALIZE)
        with pytest.raises(ValueError, match="takes the images as they are"):
            generator.fit(generator.flow(IMAGES), augment=True)

    def test_options_without_folders(self) -> None:
        generator = MultiDirImageDataGenerator(**NORMALIZE)
        with pytest.raises(
            TypeError, match=r"options \['target_size'\] with folders only.*ndarray"
        ):
            generator.fit(IMAGES, target_size=(3, 3))

    def test_what_has_no_end(self) -> None:
        generator = MultiDirImageDataGenerator(**NORMALIZE)
        for iterator in (_keras.ImageDataGenerator().flow(IMAGES), iter([IMAGES])):
            with pytest.raises(TypeError, match=f"Received {type(iterator).__name__}, which may"):
                generator.fit(iterator)

    def test_another_data_format(self) -> None:
        images = np.moveaxis(IMAGES, 3, 1)
        flow = MultiDirImageDataGenerator(data_format="channels_first").flow(images)
        with pytest.raises(ValueError, match=r"data_format='channels_last' needs .*channels_first"):
            MultiDirImageDataGenerator(**NORMALIZE).fit(flow)

    def test_one_path(self, roots: list[pathlib.Path]) -> None:
        with pytest.raises(TypeError, match="Received the single folder"):
            MultiDirImageDataGenerator(**NORMALIZE).fit(str(roots[0]))

    def test_an_array_of_another_rank(self) -> None:
        with pytest.raises(ValueError, match="should have rank 4"):
            MultiDirImageDataGenerator(**NORMALIZE).fit([])

    def test_too_large_a_covariance(self) -> None:
        generator = MultiDirImageDataGenerator(featurewise_center=True, zca_whitening=True)
        image = np.broadcast_to(np.float32(1), (1, 3000, 3000, 3))
        with pytest.raises(MemoryError, match=r"5,832,000\.0 GB. Use a smaller `target_size`"):
            generator.fit(generator.flow(image))
