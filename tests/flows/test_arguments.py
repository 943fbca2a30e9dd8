"""Arguments that no flow can use: refused when it is made, by an error that names them."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from conftest import FLOWS, IMAGES, MASKS, MakeFlow

from multiflow import MultiDirImageDataGenerator

NAN = float("nan")
METHODS = {
    "directories": MultiDirImageDataGenerator.flow_from_directories,
    "masks": MultiDirImageDataGenerator.flow_segmentation,
    "mask folders": MultiDirImageDataGenerator.flow_segmentation_from_directories,
}
# The factory passes the samples itself.
SAMPLES = ["self", "directories", "x", "y", "image_directories", "mask_directories"]
# Nothing to any argument.
NONSENSE = [
    NAN,
    -1,
    1j,
    -(2**70),
    b"x",
    object(),
    ...,
    [[]],
    {1: NAN},
    np.zeros((2, 2)),
    np.array([None]),
    np.array(7.5),
    memoryview(b"xxx"),
]
OF_ALL_FLOWS = {
    "workers": [-1, NAN, True, None, "x", 1.0, np.zeros((2, 2))],
    "use_multiprocessing": [2, NAN, "x", None, np.zeros((2, 2))],
    "max_queue_size": [0, -1, NAN, True, None, "x", np.zeros((2, 2))],
}
OTHERS = {
    "target_size": [(2**40, 2**40), {4, 5}, (4, True), ([4], [5, 6]), "45"],
    "color_mode": [[], "cmyk", 3],
    "class_mode": [[], "raw", False],
    "interpolation": [[], None, "x"],
    "subset": [[], False, "x"],
    "shuffle": ["x", None, 2, []],
    "follow_links": ["x", None, 2, []],
    "keep_aspect_ratio": ["x", None, 2, []],
    "batch_size": [0, True, 1.5, "x"],
    "seed": [True, 2**32, 1.5, "x"],
    "save_to_dir": [[], 0, False, "/nowhere/at/all"],
    "save_prefix": [None, 3],
    "save_format": [None, 3],
    "cache": [np.array([1, 2]), 3, ""],
    "classes": [3, {"a": 3}, np.array(["a", "a"])],
    "mask_fill_mode": ["", [], False, "x"],
    "mask_cval": [2**64, 10**400, None, "x"],
    "num_classes": [0, True, 10**9, 2**64],
    "sample_weight": [3, "x", np.zeros(3)],
}


def cases() -> Iterator[tuple[str, str, Any]]:
    for kind, method in METHODS.items():
        for name in inspect.signature(method).parameters:
            if name not in SAMPLES:
                for value in [*NONSENSE, *OTHERS.get(name, [])]:
                    yield kind, name, value
    for kind in FLOWS:
        for name, values in OF_ALL_FLOWS.items():
            for value in values:
                yield kind, name, value


@pytest.mark.parametrize("kind", FLOWS)
def test_flows_refuse_what_they_cannot_use(kind: str, make_flow: MakeFlow) -> None:
    for of_kind, name, value in cases():
        if of_kind == kind:
            with pytest.raises((TypeError, ValueError, OSError), match=f"`{name}\\b.*`"):
                pytest.fail(f"{name}={value!r} made {make_flow(kind, {}, **{name: value})}")


@pytest.mark.parametrize(
    ("name", "values"),
    {
        "threads": [0, -1, True, 1.5, "x", NAN, np.zeros((2, 2))],
        "corrected": [2, None, "x", NAN, np.zeros((2, 2))],
        "augment_validation": [2, None, "x", NAN, np.zeros((2, 2))],
        "rng": [None, "x", 1, [], np.zeros((2, 2))],
        "split_seed": [-1, True, 1.5, "x", np.zeros((2, 2))],
        "split_groups": [3, "x", b"x", {1: 2}, np.array(3), object()],
    }.items(),
)
def test_the_generator_refuses_what_it_cannot_use(name: str, values: list[Any]) -> None:
    for value in values:
        with pytest.raises((TypeError, ValueError), match=rf"`{name}` .*Received: "):
            MultiDirImageDataGenerator(**{name: value})


@pytest.mark.parametrize("flag", [True, 1, np.True_])
def test_numbers_that_mean_true(flag: Any, make_flow: MakeFlow) -> None:
    options = {"seed": 2, "target_size": (5, 9), "interpolation": "bilinear"}
    flows = [
        make_flow("directories", {}, shuffle=each, keep_aspect_ratio=each, **options)
        for each in (flag, True)
    ]
    np.testing.assert_array_equal(*(next(flow)[0] for flow in flows))


def test_sizes_in_arrays(make_flow: MakeFlow) -> None:
    for kind in METHODS:
        assert next(make_flow(kind, {}, target_size=np.array([5, 9])))[0].shape[1:3] == (5, 9)


def test_one_hot_masks_of_many_classes_take_no_more_than_themselves() -> None:
    """A table of all one-hot vectors would be of 40 GB."""
    flow = MultiDirImageDataGenerator().flow_segmentation(
        IMAGES, MASKS, num_classes=100_000, batch_size=1, shuffle=False
    )
    hot = next(flow)[1]
    assert hot.shape == (1, *MASKS.shape[1:], 100_000)
    np.testing.assert_array_equal(hot[0].argmax(-1), MASKS[0])
    assert hot.sum() == MASKS[0].size


def test_fill_values_are_classes_whatever_fills_now() -> None:
    """Users may change `mask_fill_mode` of a flow."""
    with pytest.raises(ValueError, match="`mask_cval` must be one of the num_classes=4 classes"):
        MultiDirImageDataGenerator().flow_segmentation(IMAGES, MASKS, num_classes=4, mask_cval=9)


@pytest.mark.parametrize(
    ("name", "value"),
    [("index", 1.5), ("index", None), ("index", 11), ("count", 10**9), ("count", True)],
)
def test_pictures_of_what_there_is_not(name: str, value: Any, make_flow: MakeFlow) -> None:
    flow = make_flow("masks", {})
    with pytest.raises((IndexError, TypeError, ValueError), match=f"`{name}` must be .*Received: "):
        flow.show_augmentations(**{name: value})
