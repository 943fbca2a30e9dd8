"""Shuffled and grouped splits, against rules that a reader can check by hand."""

from __future__ import annotations

import collections
import itertools
import os
import pathlib
import pickle
import random
import warnings
from collections.abc import Callable, Hashable, Sequence
from typing import Any

import keras
import numpy as np
import pandas as pd
import pytest
from conftest import MakeTree
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from multiflow import MultiDirImageDataGenerator
from multiflow.index.groups import nearest_total
from multiflow.index.splitting import Split, choose_subset

SUBSETS = ("training", "validation")
UNEVEN = pytest.mark.filterwarnings("ignore:The validation subset", "ignore:One of the subsets")


@pytest.fixture
def two_roots(make_tree: MakeTree) -> list[pathlib.Path]:
    """Two roots with 20 images in each of two class folders."""
    return [
        make_tree(root, [f"{c}/{patient}_{n}.png" for c in ("ill", "well") for n in range(20)])
        for root, patient in (("east", "p1"), ("west", "p2"))
    ]


def files_of(flow: Any) -> list[str]:
    return list(flow.filepaths)


def split_of_directories(roots: Sequence[pathlib.Path], **options: Any) -> dict[str, list[str]]:
    generator = MultiDirImageDataGenerator(**options)
    return {
        subset: files_of(generator.flow_from_directories(roots, subset=subset))
        for subset in SUBSETS
    }


def by_folder(paths: Sequence[str]) -> dict[str, int]:
    return dict(collections.Counter(os.path.dirname(path) for path in paths))


def test_a_seed_takes_the_fraction_of_each_class_folder(two_roots: list[pathlib.Path]) -> None:
    parts = split_of_directories(two_roots, validation_split=0.3, split_seed=0)
    assert not set(parts["training"]) & set(parts["validation"])
    folders = [str(root / name) for root in two_roots for name in ("ill", "well")]
    assert by_folder(parts["validation"]) == dict.fromkeys(folders, 6)
    assert by_folder(parts["training"]) == dict.fromkeys(folders, 14)
    listed = files_of(MultiDirImageDataGenerator().flow_from_directories(two_roots))
    for paths in parts.values():  # in Keras' order
        assert paths == [path for path in listed if path in set(paths)]


def test_a_seed_shuffles(two_roots: list[pathlib.Path]) -> None:
    chosen = {
        tuple(split_of_directories(two_roots, validation_split=0.3, split_seed=seed)["validation"])
        for seed in (None, 0, 1, 2)
    }
    assert len(chosen) == 4
    again = split_of_directories(two_roots, validation_split=0.3, split_seed=2)
    assert tuple(again["validation"]) in chosen


def test_an_images_subset_depends_on_no_other_root_or_class(two_roots: list[pathlib.Path]) -> None:
    options: dict[str, Any] = {"validation_split": 0.3, "split_seed": 5}
    both = split_of_directories(two_roots, **options)
    alone = split_of_directories(two_roots[1:], **options)
    assert set(alone["validation"]) <= set(both["validation"])
    flow = MultiDirImageDataGenerator(**options).flow_from_directory
    one_class = flow(two_roots[1], classes=["well"], subset="validation")
    assert set(files_of(one_class)) <= set(both["validation"])


def test_a_new_image_moves_few_others(make_tree: MakeTree) -> None:
    root = make_tree("growing", [f"a/{n}.png" for n in range(50)])
    options: dict[str, Any] = {"validation_split": 0.5, "split_seed": 5}
    before = set(split_of_directories([root], **options)["validation"])
    make_tree("growing", [f"a/{n}.png" for n in range(50, 55)])
    after = set(split_of_directories([root], **options)["validation"])
    old = {path for path in after if int(pathlib.Path(path).stem) < 50}
    assert len(before ^ old) <= 6


@UNEVEN
@pytest.mark.parametrize("seed", [None, 0, 7])
def test_dataframes(seed: int | None, three_classes: pathlib.Path, capsys: Any) -> None:
    names = [str(path.relative_to(three_classes)) for path in sorted(three_classes.rglob("*.*"))]
    labels = [name.split(os.sep)[0] for name in names]
    frame = pd.DataFrame({"filename": names, "class": labels, "weight": np.arange(12.0)})
    options: dict[str, Any] = {"directory": str(three_classes), "weight_col": "weight"}
    generator = MultiDirImageDataGenerator(validation_split=0.34, split_seed=seed)
    seen: list[str] = []
    for subset, size in (("validation", 4), ("training", 8)):
        flow = generator.flow_from_dataframe(frame, subset=subset, batch_size=12, **options)
        assert flow.samples == flow.n == len(flow.filenames) == size
        if seed is not None:
            out = capsys.readouterr().out
            assert out.endswith(f"Using {size} image filenames for {subset}.\n")
        for name, path, label, weight in zip(
            flow.filenames, flow.filepaths, flow.classes, flow.sample_weight, strict=True
        ):
            row = names.index(name)
            assert path == str(three_classes / name)
            assert list(flow.class_indices)[label] == labels[row]
            assert weight == row
        _, one_hot, weights = flow[0]
        order = flow.index_array
        assert one_hot.argmax(1).tolist() == [flow.classes[n] for n in order]
        assert weights.tolist() == flow.sample_weight[order].tolist()
        assert flow.filenames == [name for name in names if name in set(flow.filenames)]
        seen += flow.filenames
    assert sorted(seen) == names


@UNEVEN
@pytest.mark.parametrize("class_mode", ["raw", "multi_output", "categorical", "input", None])
def test_dataframes_of_all_class_modes(class_mode: str | None, three_classes: pathlib.Path) -> None:
    names = [str(path) for path in sorted(three_classes.rglob("*.*"))]
    row = dict(zip(names, range(12), strict=True))
    several = [["x", "y"] if n % 2 else ["z"] for n in range(12)]
    frame = pd.DataFrame({"filename": names, "a": range(12), "b": range(0, 120, 10), "c": several})
    y_col = {"raw": ["a", "b"], "multi_output": ["a", "b"], "categorical": "c"}.get(
        str(class_mode), "a"
    )
    generator = MultiDirImageDataGenerator(validation_split=0.34, split_seed=1)
    flow = generator.flow_from_dataframe(
        frame, y_col=y_col, class_mode=class_mode, subset="training", shuffle=False, batch_size=12
    )
    rows = [row[name] for name in flow.filenames]
    assert len(rows) == 8
    batch = flow[0]
    if class_mode == "raw":
        assert batch[1].tolist() == [[n, 10 * n] for n in rows]
    elif class_mode == "multi_output":
        assert [part.tolist() for part in batch[1]] == [rows, [10 * n for n in rows]]
    elif class_mode == "categorical":
        assert batch[1].tolist() == [[1, 1, 0] if n % 2 else [0, 0, 1] for n in rows]
    else:
        images = batch if class_mode is None else batch[0]
        assert images.shape == (8, 256, 256, 3)


@pytest.mark.parametrize("one_hot", [False, True])
@pytest.mark.parametrize("seed", [0, 3])
def test_arrays_sorted_by_class(one_hot: bool, seed: int) -> None:
    labels = np.repeat([0, 1, 2], [50, 30, 20])
    y = np.eye(3)[labels] if one_hot else labels
    x = np.arange(100.0).reshape(-1, 1, 1, 1)
    extra = np.arange(100)
    generator = MultiDirImageDataGenerator(validation_split=0.2, split_seed=seed)
    seen: list[int] = []
    for subset, count in (("validation", 20), ("training", 80)):
        flow = generator.flow(
            [x, extra], y, sample_weight=extra, subset=subset, shuffle=False, batch_size=100
        )
        (images, extras), batch_labels, weights = flow[0]
        numbers = images.ravel().astype(int).tolist()
        assert len(numbers) == count
        assert numbers == sorted(numbers) == extras.tolist() == weights.tolist()
        np.testing.assert_array_equal(batch_labels, y[numbers])
        assert set(labels[numbers]) == {0, 1, 2}
        seen += numbers
    assert sorted(seen) == list(range(100))


@UNEVEN
@pytest.mark.parametrize("groups", [None, np.arange(60) // 3])
def test_labels_play_no_part(groups: Any) -> None:
    rng = np.random.default_rng(0)
    x = np.arange(60.0).reshape(-1, 1, 1, 1)
    generator = MultiDirImageDataGenerator(validation_split=0.2, split_seed=1, split_groups=groups)
    targets: list[Any] = [
        None,
        rng.integers(0, 3, 60),
        np.eye(2)[rng.integers(0, 2, 60)],
        rng.random((60, 2, 2)),
        np.array([1, "a", None] * 20, object),
        np.array([["a", "b"]] * 60, object),
    ]
    for subset in SUBSETS:
        splits = [generator.flow(x, y, subset=subset).x.ravel().tolist() for y in targets]
        flow = generator.flow_segmentation(x, x, subset=subset, shuffle=False, batch_size=60)
        splits.append(flow[0][0].ravel().tolist())
        assert all(split == splits[0] for split in splits)


def test_without_a_subset_arrays_are_kerass() -> None:
    x = np.zeros((10, 4, 4, 3), "float32")
    flow = MultiDirImageDataGenerator(validation_split=0.2, split_seed=1).flow(x)
    assert np.shares_memory(flow.x, x)


def test_arrays_keep_kerass_errors_about_lengths() -> None:
    generator = MultiDirImageDataGenerator(validation_split=0.2, split_seed=0)
    x = np.zeros((10, 4, 4, 3))
    with pytest.raises(ValueError, match=r"`y` must hold one item for each of the 10 .* 9"):
        generator.flow(x, np.zeros(9), subset="training")
    with pytest.raises(ValueError, match=r"`subset` must be .* 'test'"):
        generator.flow(x, np.zeros(10), subset="test")
    assert generator.flow(x).n == 10


def test_segmentation_arrays_and_folders(make_tree: MakeTree) -> None:
    masks = np.arange(40, dtype="int32").repeat(16).reshape(40, 4, 4)
    images = np.zeros((40, 4, 4, 3), np.uint8)
    generator = MultiDirImageDataGenerator(validation_split=0.25, split_seed=3)
    parts = []
    for subset in SUBSETS:
        flow = generator.flow_segmentation(images, masks, subset=subset, shuffle=False)
        parts.append([int(mask[0, 0]) for index in range(len(flow)) for mask in flow[index][1]])
    assert list(map(len, parts)) == [30, 10]
    assert sorted(itertools.chain(*parts)) == list(range(40))
    assert parts[1] != list(range(10))

    roots, of_masks = (
        [
            make_tree(f"{kind}_{root}", [f"{root}{n}.png" for n in range(count)], side=(4, 5))
            for root, count in (("a", 20), ("b", 8))
        ]
        for kind in ("images", "masks")
    )
    flows = [
        generator.flow_segmentation_from_directories(roots, of_masks, subset=subset)
        for subset in SUBSETS
    ]
    assert [np.bincount(flow.source_indices).tolist() for flow in flows] == [[15, 6], [5, 2]]
    assert len(set(flows[0].filepaths) | set(flows[1].filepaths)) == 28
    stems = [pathlib.Path(path).stem for path in flows[1].filepaths[:5]]
    assert sorted(stems) != [f"a{n}" for n in range(5)]
    assert [pathlib.Path(path).stem for path in flows[1].mask_filepaths[:5]] == stems


@UNEVEN
def test_groups_stay_whole_across_roots_and_classes(make_tree: MakeTree) -> None:
    rng = random.Random(0)
    roots = [
        make_tree(
            root, [f"{rng.choice('xyz')}/patient{rng.randrange(12)}-{n}.png" for n in range(60)]
        )
        for root in ("first", "second")
    ]

    def patient(path: str) -> str:
        assert os.path.isfile(path)
        return pathlib.Path(path).name.split("-")[0]

    for seed in (None, 0, 1):
        parts = split_of_directories(
            roots, validation_split=0.25, split_seed=seed, split_groups=patient
        )
        groups = {subset: set(map(patient, paths)) for subset, paths in parts.items()}
        assert not groups["training"] & groups["validation"]
        assert len(parts["training"]) + len(parts["validation"]) == 120
        assert abs(len(parts["validation"]) - 30) <= 2


Sizes = st.lists(st.integers(1, 12), min_size=2, max_size=9)


@given(Sizes, st.floats(0.01, 0.99))
@settings(max_examples=300, deadline=None)
def test_the_total_is_the_nearest_of_all_possible(sizes: list[int], fraction: float) -> None:
    target = fraction * sum(sizes)
    totals = {
        sum(chosen)
        for count in range(1, len(sizes))
        for chosen in itertools.combinations(sizes, count)
    }
    total = sum(itertools.compress(sizes, nearest_total(sizes, target)))
    assert total in totals
    assert abs(total - target) == min(abs(other - target) for other in totals)


@UNEVEN
@given(
    st.lists(st.tuples(st.integers(0, 5), st.integers(0, 2)), min_size=2, max_size=40),
    st.floats(0.05, 0.95),
    st.none() | st.integers(0, 3),
)
@settings(max_examples=200, deadline=None)
def test_grouped_arrays(samples: list[tuple[int, int]], fraction: float, seed: int | None) -> None:
    groups, labels = map(list, zip(*samples, strict=True))
    assume(len(set(groups)) > 1)
    generator = MultiDirImageDataGenerator(
        validation_split=fraction, split_seed=seed, split_groups=groups
    )
    x = np.arange(len(groups), dtype=float).reshape(-1, 1, 1, 1)
    parts = [
        generator.flow(x, np.array(labels), subset=subset).x.ravel().astype(int).tolist()
        for subset in SUBSETS
    ]
    assert sorted(parts[0] + parts[1]) == list(range(len(groups)))
    training, validation = ({groups[n] for n in part} for part in parts)
    assert not training & validation
    assert training
    assert validation
    sizes = list(collections.Counter(groups).values())
    misses = [
        abs(sum(chosen) - fraction * len(groups))
        for count in range(1, len(sizes))
        for chosen in itertools.combinations(sizes, count)
    ]
    assert abs(len(parts[1]) - fraction * len(groups)) == pytest.approx(min(misses))


@pytest.mark.parametrize("seed", [None, 0, 1, 2])
def test_groups_come_from_all_class_folders(make_tree: MakeTree, seed: int | None) -> None:
    """Of 10 classes with 8 groups of one class each, none is sacrificed for the exact total."""
    rng = random.Random(0)
    names = [
        f"{label}/{label}{group}-{n}.png"
        for label in "abcdefghij"
        for group in range(8)
        for n in range(rng.randint(1, 20))
    ]
    root = make_tree("root", names, side=(2, 3))
    parts = split_of_directories(
        [root],
        validation_split=0.2,
        split_seed=seed,
        split_groups=lambda path: pathlib.Path(path).name.split("-")[0],
    )
    assert len(by_folder(parts["validation"])) == len(by_folder(parts["training"])) == 10
    assert len(parts["validation"]) == round(len(names) / 5)


def test_a_seed_shuffles_groups_of_any_size() -> None:
    groups = np.repeat(np.arange(60), np.arange(1, 61))
    chosen = []
    for seed in range(20):
        split = Split(0.2, seed, groups.tolist())
        positions = choose_subset(split, "validation", len(groups))
        assert len(positions) == 366
        chosen.append(set(groups[positions].tolist()))
    assert len(set(map(frozenset, chosen))) == 20
    # Large groups are as likely to be for validation as small ones.
    large = np.mean([len([group for group in some if group >= 30]) for some in chosen])
    assert 3 < large < 9


def test_large_sets_are_divided_exactly_too() -> None:
    rng = np.random.default_rng(0)
    sizes = rng.integers(1, 3000, 2000).tolist()
    for target in (0.2 * sum(sizes), 0.5 * sum(sizes) + 0.3):
        total = sum(itertools.compress(sizes, nearest_total(sizes, target)))
        assert abs(total - target) <= 0.5
    even_but_one = [2] * 100_000 + [1]
    assert sum(itertools.compress(even_but_one, nearest_total(even_but_one, 40_001))) == 40_001


def test_a_split_far_from_its_fraction_warns_with_the_numbers() -> None:
    generator = MultiDirImageDataGenerator(validation_split=0.2, split_groups=["a"] * 6 + ["b"] * 4)
    expected = r"4 of 10 samples, 40\.0% instead of 20\.0%\. validation_split=0\.2 divides whole"
    for subset in SUBSETS:
        with pytest.warns(UserWarning, match=expected):
            generator.flow(np.zeros((10, 1, 1, 1)), subset=subset)


@pytest.mark.parametrize(("size", "is_far"), [(99, False), (100, False), (101, True)])
def test_more_than_five_percentage_points_are_far(size: int, is_far: bool) -> None:
    groups = ["small"] * size + ["large"] * (1000 - size)
    generator = MultiDirImageDataGenerator(validation_split=0.05, split_groups=groups)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        flow = generator.flow(np.zeros((1000, 1, 1, 1)), subset="validation")
    assert flow.n == size
    assert [f"has {size} of 1000 samples" in str(warning.message) for warning in caught] == (
        [True] if is_far else []
    )


def test_a_class_that_a_subset_lacks_is_a_warning(make_tree: MakeTree) -> None:
    root = make_tree("root", ["cats/p1_1.png", "cats/p1_2.png", "dogs/p2_1.png", "dogs/p2_2.png"])
    generator = MultiDirImageDataGenerator(
        validation_split=0.5, split_groups=lambda path: os.path.basename(path).split("_")[0]
    )
    with pytest.warns(UserWarning, match="One of the subsets has no sample") as caught:
        generator.flow_from_directories([root], subset="validation")
    [warning] = caught
    assert str(warning.message) == (
        "One of the subsets has no sample of 2 of the 2 classes: 'cats' (2 here, 0 in the other), "
        "'dogs' (0 here, 2 in the other). Set another `split_seed` or `validation_split`, or make "
        "other groups."
    )


@pytest.mark.parametrize(
    ("y", "missing"),
    [
        (np.repeat(["cat", "dog"], [19, 1]), "1 of the 2 classes: 'dog' "),
        (np.repeat([3.0, 8.0], [19, 1]), "1 of the 2 classes: 8.0 "),
        (np.eye(2)[np.repeat([0, 1], [19, 1])], "1 of the 2 classes: 1 "),
        (np.repeat([[1], [0]], [19, 1], axis=0), "1 of the 2 classes: 0 "),
        (np.linspace(0, 1, 20), None),
        (np.arange(20) * 3, None),
        (np.array([[1], [1, 2]] * 10, object), None),
        (np.random.default_rng(0).random((20, 3)), None),
        (np.zeros((20, 2, 2)), None),
    ],
)
@pytest.mark.parametrize("ignore_class_split", [False, True])
def test_classes_of_arrays(y: np.ndarray, missing: str | None, ignore_class_split: bool) -> None:
    generator = MultiDirImageDataGenerator(validation_split=0.5, split_seed=0)
    options: dict[str, Any] = {"subset": "training", "ignore_class_split": ignore_class_split}
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        assert generator.flow(np.zeros((20, 1, 1, 1)), y, **options).n == 10
    if missing and not ignore_class_split:
        [warning] = caught
        assert missing in str(warning.message)
        assert str(warning.message).endswith("Set another `split_seed` or `validation_split`.")
    else:
        assert not caught


def test_a_root_that_a_subset_lacks_is_told_why(make_tree: MakeTree) -> None:
    roots = [make_tree(name, [f"c/{n}.png" for n in range(5)]) for name in ("A", "B")]
    generator = MultiDirImageDataGenerator(
        validation_split=0.5, split_groups=lambda path: pathlib.Path(path).parts[-3]
    )
    message = r"takes none of the 5 images of the root '.*B'\. .* divides whole groups"
    with pytest.warns(UserWarning, match=message):
        generator.flow_from_directories(roots, subset="validation")


@pytest.mark.parametrize(
    ("groups", "error", "message"),
    [
        ("patients", TypeError, r"`split_groups` must be None, a function .* Received: 'patients'"),
        (7, TypeError, "Received: 7"),
    ],
)
def test_groups_are_checked_by_the_generator(
    groups: Any, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        MultiDirImageDataGenerator(split_groups=groups)


@pytest.mark.parametrize("seed", [1.5, "1", -1, 2**32])
def test_seeds_are_checked_by_the_generator(seed: Any) -> None:
    with pytest.raises(ValueError, match="`split_seed` must be None or an integer from 0 to"):
        MultiDirImageDataGenerator(split_seed=seed)


@pytest.mark.parametrize("name", ["augment_validation", "corrected"])
def test_flags_are_checked_by_the_generator(name: str) -> None:
    with pytest.raises(TypeError, match=f"`{name}` must be True or False. Received: 'yes'"):
        MultiDirImageDataGenerator(**{name: "yes"})


@pytest.mark.parametrize(
    ("groups", "error", "message"),
    [
        ([1, 2, 3], ValueError, r"one group for each of the 4 samples. Received 3"),
        ([1, None, 2, 3], ValueError, r"no group for sample 1, but None"),
        ([1, 2, float("nan"), 3], ValueError, r"no group for sample 2, but nan"),
        ([1, 2, pd.NA, 3], ValueError, r"no group for sample 2, but <NA>"),
        ([[1], [2], [3], [4]], ValueError, r"no group for sample 0, but \[1\]"),
        ([([1],), 2, 3, 4], ValueError, r"no group for sample 0, but \(\[1\],\)"),
        ([7, 7, 7, 7], ValueError, r"all 4 samples into the one group 7, which cannot be divided"),
        (str.lower, TypeError, "one group per sample, since arrays have no paths"),
    ],
)
def test_groups_of_arrays_are_checked(groups: Any, error: type[Exception], message: str) -> None:
    generator = MultiDirImageDataGenerator(validation_split=0.5, split_groups=groups)
    x = np.zeros((4, 2, 2, 3))
    flows: list[Callable[[], Any]] = [
        lambda: generator.flow(x, subset="training"),
        lambda: generator.flow_segmentation(x, x, subset="training"),
    ]
    for flow in flows:
        with pytest.raises(error, match=message):
            flow()
    assert generator.flow(x).n == 4  # without a subset, nothing is divided


def test_groups_of_files_are_checked(three_classes: pathlib.Path) -> None:
    def flow(groups: Any) -> Any:
        generator = MultiDirImageDataGenerator(validation_split=0.5, split_groups=groups)
        return generator.flow_from_directory(three_classes, subset="training")

    known: dict[str, Hashable] = {}
    with pytest.raises(ValueError, match=r"no group for '.*/ants/0\.png', but None"):
        flow(known.get)
    with pytest.raises(TypeError, match=r"must be a function .* for samples that are files"):
        flow(list(range(12)))
    with pytest.raises(ValueError, match=r"failed for '.*/ants/0\.png': KeyError: "):
        flow(known.__getitem__)


def test_iterators_pickle_without_their_groups(three_classes: pathlib.Path) -> None:
    generator = MultiDirImageDataGenerator(validation_split=0.5, split_groups=lambda path: path)
    flow = generator.flow_from_directory(three_classes, subset="training")
    assert flow.image_data_generator is generator
    copied = pickle.loads(pickle.dumps(flow))
    assert copied.filenames == flow.filenames
    with pytest.raises(ValueError, match="stays behind when an iterator is copied or pickled"):
        copied.image_data_generator.flow_from_directory(three_classes, subset="training")


@pytest.mark.parametrize("name", ["\ud800.png", "ü\n.png"])
def test_any_name_can_be_shuffled(name: str) -> None:
    frame = pd.DataFrame({"filename": [name, "b.png", "c.png", "d.png"]})
    generator = MultiDirImageDataGenerator(validation_split=0.5, split_seed=1)
    flow = generator.flow_from_dataframe(
        frame, class_mode=None, subset="training", validate_filenames=False
    )
    assert flow.samples == 2


def test_without_a_fraction_all_is_for_training() -> None:
    generator = MultiDirImageDataGenerator(split_seed=1, split_groups=[0, 0, 1, 2])
    x = np.zeros((4, 2, 2, 3))
    assert [generator.flow(x, subset=subset).n for subset in SUBSETS] == [4, 0]


def test_fit_on_a_grouped_split(make_tree: MakeTree) -> None:
    root = make_tree("root", [f"{c}/{n % 5}_{n}.png" for c in "ab" for n in range(10)])
    generator = MultiDirImageDataGenerator(
        validation_split=0.2,
        split_seed=1,
        split_groups=lambda path: os.path.basename(path).split("_")[0],
    )
    options: dict[str, Any] = {"target_size": (8, 8), "class_mode": "sparse"}
    training, validation = (
        generator.flow_from_directories([root], subset=subset, **options) for subset in SUBSETS
    )
    assert (training.samples, validation.samples) == (16, 4)
    model = keras.Sequential(
        [keras.Input((8, 8, 3)), keras.layers.Flatten(), keras.layers.Dense(2)]
    )
    model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    model.fit(training, validation_data=validation, verbose=0)
