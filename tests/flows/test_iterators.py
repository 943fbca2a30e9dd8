"""What all iterators can do: pickle, deep-copy, and take PyDataset's options."""

from __future__ import annotations

import copy
import functools
import multiprocessing
import pathlib
import pickle
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from typing import Any

import keras
import numpy as np
import pytest
from conftest import COUNT, FLOWS, MakeFlow

from multiflow import MultiDirImageDataGenerator, _keras
from multiflow.flows.directories import DirectoryIterator

Make = Callable[..., Any]


@pytest.fixture
def make(make_flow: MakeFlow, kind: str) -> Make:
    """A function that makes flows of each kind, with random transforms."""
    return functools.partial(make_flow, kind, {"rotation_range": 30, "horizontal_flip": True})


def as_bytes(batch: Any) -> list[bytes]:
    return [part.tobytes() for part in batch]


@pytest.mark.parametrize("clone", [copy.deepcopy, lambda it: pickle.loads(pickle.dumps(it))])
@pytest.mark.parametrize("num_batches", [0, 1, 2, 3, 4])
@pytest.mark.parametrize("seed", [None, 6])
def test_a_copy_continues_where_the_original_stood(
    make: Make, clone: Any, num_batches: int, seed: int | None
) -> None:
    original = make(seed=seed)
    np.random.seed(1)
    for _ in range(num_batches):
        next(original)
    before = np.random.get_state()
    copied = clone(original)
    np.testing.assert_equal(np.random.get_state(), before)
    continued = [as_bytes(next(original)) for _ in range(5)] + [as_bytes(original[1])]
    np.random.set_state(before)
    assert [as_bytes(next(copied)) for _ in range(5)] + [as_bytes(copied[1])] == continued


def test_a_copy_and_its_original_are_apart(make: Make) -> None:
    original = make(seed=1)
    copied = copy.deepcopy(original)
    next(copied)
    assert (original.batch_index, original.total_batches_seen) == (0, 0)
    assert copied.lock is not original.lock


def test_indices_from_the_end(make_flow: MakeFlow, kind: str) -> None:
    """In the flows that Keras has, too, they give what Keras gives: parts, or empty batches."""
    flow = make_flow(kind, {}, shuffle=False)
    is_of_keras = kind in ("arrays", "directory", "dataframe")
    same = make_flow(kind, _keras.ImageDataGenerator(), shuffle=False) if is_of_keras else flow
    for index in range(-3, 3):
        expected = same[index if is_of_keras else index % 3]
        assert as_bytes(flow[index]) == as_bytes(expected)
    assert len(flow[-1][0]) == (0 if is_of_keras else 3)
    for index in (3, 4) if is_of_keras else (3, 4, -4):
        message = f"retrieve element {index}, but the Sequence has length 3"
        for one in (flow, same):
            with pytest.raises(ValueError, match=message):
                one[index]


def test_options_reach_pydataset(make: Make) -> None:
    iterator = make()
    assert (iterator.workers, iterator.use_multiprocessing, iterator.max_queue_size) == (
        1,
        False,
        10,
    )
    iterator = make(workers=3, use_multiprocessing=True, max_queue_size=5)
    assert (iterator.workers, iterator.use_multiprocessing, iterator.max_queue_size) == (3, True, 5)


@pytest.fixture(scope="module")
def model() -> keras.Model:
    """Takes the flows whose targets are classes; compiled once for all."""
    layers = [keras.layers.Flatten(), keras.layers.Dense(3, activation="softmax")]
    model = keras.Sequential([keras.Input((8, 9, 3)), *layers])
    model.compile("sgd", "categorical_crossentropy")
    return model


@pytest.mark.parametrize("options", [{}, {"workers": 2}, {"workers": 2, "max_queue_size": 1}])
@pytest.mark.parametrize("kind", [kind for kind in FLOWS if "mask" not in kind])
def test_fit_with_options(model: keras.Model, make: Make, options: dict[str, Any]) -> None:
    iterator = make(seed=1, **options)
    history = model.fit(iterator, epochs=2, verbose=0, class_weight={0: 1.0, 1: 2.0, 2: 3.0})
    assert len(history.history["loss"]) == 2
    assert model.predict(iterator, verbose=0).shape == (COUNT, 3)


def test_shipped_to_another_process(make: Make, other_process: ProcessPoolExecutor) -> None:
    iterator = make(seed=2)
    far = other_process.submit(next, iterator).result()
    assert as_bytes(far) == as_bytes(next(iterator))


def test_forked_workers(make: Make) -> None:
    iterator = make(seed=2, shuffle=False, workers=2, use_multiprocessing=True)
    with ProcessPoolExecutor(2, multiprocessing.get_context("fork")) as processes:
        batches = processes.map(iterator.__getitem__, range(3))
    assert [len(images) for images, _ in batches] == [4, 4, 3]


class TestFileLists:
    """`filenames` and `filepaths` are Keras' lists for the user, and cost nothing before."""

    @pytest.fixture
    def iterator(self, three_classes: pathlib.Path) -> DirectoryIterator:
        return MultiDirImageDataGenerator().flow_from_directory(three_classes, batch_size=4)

    def test_are_plain_lists(self, iterator: DirectoryIterator) -> None:
        assert type(iterator.filenames) is list
        assert type(iterator.filepaths) is list
        assert iterator.filenames is iterator.filenames
        assert iterator.filepaths is iterator.filepaths

    def test_changes_count_as_in_keras(self, three_classes: pathlib.Path) -> None:
        batches = []
        for cls in (_keras.ImageDataGenerator, MultiDirImageDataGenerator):
            iterator = cls().flow_from_directory(three_classes, (8, 8), shuffle=False)
            in_order = iterator[0][0]
            iterator.filepaths.reverse()
            batches.append(iterator[0][0])
            np.testing.assert_array_equal(batches[-1], in_order[::-1])
        np.testing.assert_array_equal(*batches)

    def test_are_not_built_by_batches(self, iterator: DirectoryIterator) -> None:
        next(iterator)
        iterator[1]
        assert not {"filenames", "_filepaths"} & iterator._columns.keys()
