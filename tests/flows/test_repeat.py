"""`repeat`: flows without an end, by `next`, by index, and in `fit`."""

from __future__ import annotations

import copy
import itertools
import json
import multiprocessing
import pickle
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing.pool import ThreadPool
from typing import Any

import keras
import numpy as np
import pytest
from comparison import AUGMENT_ALL, fingerprint, random_state
from conftest import COUNT, IMAGES, MakeFlow

from multiflow import MultiDirImageDataGenerator

Make = Callable[..., Any]

NUM_BATCHES = 3
LONG = range(3 * NUM_BATCHES + 1)


@pytest.fixture
def make(make_flow: MakeFlow, kind: str) -> Make:
    """A function that makes flows of each kind, with all transforms, and with a seed."""

    def make(rng: str = "keras", **options: Any) -> Any:
        return make_flow(kind, {**AUGMENT_ALL, "rng": rng}, **{"seed": 5, **options})

    return make


RNGS = pytest.mark.parametrize("rng", ["keras", "per_sample"])


@RNGS
@pytest.mark.parametrize("seed", [5, None])
@pytest.mark.parametrize("shuffle", [True, False])
def test_next_goes_on_as_in_the_flow(make: Make, rng: str, seed: Any, shuffle: bool) -> None:
    flow = make(rng, seed=seed, shuffle=shuffle)
    np.random.seed(8)
    before = random_state()
    repeated = flow.repeat()
    assert random_state() == before
    expected = [fingerprint(next(flow)) for _ in LONG]
    np.random.seed(8)
    assert [fingerprint(next(repeated)) for _ in LONG] == expected


@RNGS
@pytest.mark.parametrize("shuffle", [True, False])
def test_an_index_is_what_next_gives(make: Make, rng: str, shuffle: bool) -> None:
    flow = make(rng, shuffle=shuffle)
    repeated, stepping = flow.repeat(), flow.repeat()
    expected = [fingerprint(next(flow)) for _ in LONG]
    order = [0, 1, *LONG, 7, 0, 4, 9, 3]  # `fit` on TensorFlow looks at two batches first
    for index in order:
        np.random.seed(index)
        assert fingerprint(repeated[index]) == expected[index]
    for index in LONG:  # by turns, too
        assert fingerprint(next(stepping)) == expected[index]
        assert fingerprint(stepping[index]) == fingerprint(stepping[np.int64(index)])
        assert fingerprint(stepping[index]) == expected[index]


def labels_of(batches: Any) -> list[int]:
    return sorted(np.concatenate([batch[1] for batch in batches]).tolist())


@RNGS
@pytest.mark.parametrize("seed", [5, None])
def test_an_epoch_has_every_sample_once_for_any_workers(rng: str, seed: Any) -> None:
    generator = MultiDirImageDataGenerator(rotation_range=9, rng=rng)
    flow = generator.flow(IMAGES, np.arange(COUNT), batch_size=4, seed=seed)
    indices = list(range(20 * NUM_BATCHES))
    context = multiprocessing.get_context("fork")
    repeated = flow.repeat()
    with ThreadPool(8) as threads, ProcessPoolExecutor(2, context) as processes:
        for batches in (
            threads.map(repeated.__getitem__, indices, chunksize=1),
            list(processes.map(repeated.__getitem__, indices)),
        ):
            for start in indices[::NUM_BATCHES]:
                assert labels_of(batches[start : start + NUM_BATCHES]) == list(range(COUNT))
    orders = [repeated[start][1].tolist() for start in indices[::NUM_BATCHES]]
    assert len({str(order) for order in orders}) > 15


def test_workers_change_nothing(make: Make) -> None:
    repeated = make("per_sample").repeat()
    expected = [fingerprint(repeated[index]) for index in LONG]
    with ThreadPool(4) as threads:
        assert threads.map(lambda index: fingerprint(repeated[index]), LONG) == expected


def test_the_flow_stays_and_its_place_does_not_matter(make: Make) -> None:
    flow, same = make("per_sample"), make("per_sample")
    first = fingerprint(next(same))
    for _ in range(4):
        next(flow)
    repeated = flow.repeat()
    assert repeated.state_dict() == {"epoch": 0, "batch": 0, "batch_size": flow.batch_size}
    assert (repeated.total_batches_seen, repeated.index_array) == (0, None)
    assert fingerprint(repeated[0]) == fingerprint(next(repeated)) == first
    assert flow.state_dict() == {"epoch": 1, "batch": 1, "batch_size": flow.batch_size}
    assert len(flow) == flow.num_batches == NUM_BATCHES
    assert flow.image_data_generator is repeated.image_data_generator
    assert type(flow) is type(repeated)


@RNGS
def test_an_end_of_an_epoch_of_fit_changes_nothing(make: Make, rng: str) -> None:
    repeated, untouched = make(rng).repeat(), make(rng).repeat()
    for index in LONG:
        assert fingerprint(repeated[index]) == fingerprint(untouched[index])
        assert fingerprint(next(repeated)) == fingerprint(next(untouched))
        repeated.on_epoch_end()


@RNGS
def test_repeats_of_repeats_and_copies_are_equal(make: Make, rng: str) -> None:
    repeated = make(rng, seed=None).repeat()
    for other in (
        repeated.repeat(),
        copy.copy(repeated),
        copy.deepcopy(repeated),
        pickle.loads(pickle.dumps(repeated)),
    ):
        for index in (0, 5, 7):
            np.random.seed(index)
            expected = fingerprint(repeated[index])
            np.random.seed(index)
            assert fingerprint(other[index]) == expected
        assert repr(other) == repr(repeated)


def test_says_that_it_has_no_end(make: Make) -> None:
    flow = make()
    repeated = flow.repeat()
    assert repr(repeated) == repr(flow).replace(">", ", repeated>")
    assert repeated.num_batches is None
    assert repeated
    with pytest.raises(TypeError, match=r"no end .* 3 batches.*`fit`.*`steps_per_epoch`"):
        len(repeated)
    with pytest.raises(ValueError, match=r"no end to count from\. Received the index -1"):
        repeated[-1]
    assert repeated.caption(3) == flow.caption(3)
    assert len(repeated.show(2).axes) >= 2


def test_nothing_cannot_be_repeated(tmp_path: Any) -> None:
    (tmp_path / "a").mkdir()
    flow = MultiDirImageDataGenerator().flow_from_directory(tmp_path)
    with pytest.raises(ValueError, match="nothing to repeat: the flow has no samples"):
        flow.repeat()


@pytest.mark.parametrize("done", [0, 2, 3, 7])
def test_a_state_moves_the_stream(make: Make, done: int) -> None:
    repeated, resumed = make("per_sample").repeat(), make("per_sample").repeat()
    for _ in range(done):
        next(repeated)
    resumed.load_state_dict(json.loads(json.dumps(repeated.state_dict())))
    for index in range(4):
        assert fingerprint(resumed[index]) == fingerprint(repeated[done + index])
        assert fingerprint(next(resumed)) == fingerprint(next(repeated))
    assert resumed.state_dict() == repeated.state_dict()
    assert fingerprint(resumed.repeat()[0]) == fingerprint(repeated[0])


NEEDS_ENDLESS = pytest.mark.skipif(
    not hasattr(keras.utils.PyDataset, "num_batches"), reason="`fit` of Keras before 3.4 asks `len`"
)
# Without `shuffle=False`, `fit` warns that it reorders no batches without an end.
QUIETLY: dict[str, Any] = {"shuffle": False, "verbose": 0}
# The first pixel of each image that a model got, batch by batch.
SEEN: list[list[float]] = []


class Spy(keras.layers.Layer):
    """Keeps in `SEEN` what a model gets."""

    def call(self, inputs: Any) -> Any:
        SEEN.append(np.asarray(inputs)[:, 0, 0, 0].tolist())
        return inputs


@pytest.fixture(scope="module")
def built_model() -> keras.Model:
    """A model that runs step by step; built once for all, since that takes longer than a test."""
    model = keras.Sequential([keras.Input((8, 9, 3)), Spy(), keras.layers.Flatten()])
    model.add(keras.layers.Dense(1))
    model.compile("sgd", "mse", run_eagerly=True)
    model.evaluate(np.zeros((1, 8, 9, 3)), np.zeros(1), verbose=0)
    return model


@pytest.fixture
def model(built_model: keras.Model) -> keras.Model:
    """The model, which has seen nothing yet."""
    SEEN.clear()
    return built_model


def flow_for_fit(rng: str = "keras", **options: Any) -> Any:
    generator = MultiDirImageDataGenerator(**AUGMENT_ALL, rng=rng, rescale=1 / 255)
    return generator.flow(IMAGES, np.zeros(COUNT), batch_size=4, **{"seed": 4, **options})


def first_pixels(flow: Any, count: int) -> list[list[float]]:
    return [images[:, 0, 0, 0].tolist() for images, _ in itertools.islice(flow, count)]


@NEEDS_ENDLESS
@RNGS
@pytest.mark.parametrize("steps", [1, 2, 3, 5, 7])
def test_fit_gets_as_many_batches_as_it_asks_for(model: Any, rng: str, steps: int) -> None:
    """Those that scripts with generators got. Without `repeat`, Keras warns and stops early."""
    model.fit(flow_for_fit(rng).repeat(), steps_per_epoch=steps, epochs=3, **QUIETLY)
    expected = first_pixels(flow_for_fit(rng), 3 * steps)
    assert expected == SEEN


@pytest.mark.skipif(
    not hasattr(keras.utils.PyDataset, "on_epoch_begin"),
    reason="the first versions of Keras with endless data sets stop their workers with an epoch",
)
@pytest.mark.parametrize("parallelism", [{"workers": 3}, {"use_multiprocessing": True}])
def test_fit_with_workers(model: Any, parallelism: dict[str, Any]) -> None:
    repeated = flow_for_fit("per_sample", **parallelism).repeat()
    model.fit(repeated, steps_per_epoch=5, epochs=3, **QUIETLY)
    expected = first_pixels(flow_for_fit("per_sample"), 15)
    assert expected == SEEN


@NEEDS_ENDLESS
def test_fit_goes_on_where_a_state_was(model: Any) -> None:
    repeated = flow_for_fit("per_sample").repeat()
    repeated.load_state_dict({"epoch": 1, "batch": 2, "batch_size": 4})
    model.fit(repeated, steps_per_epoch=4, **QUIETLY)
    expected = first_pixels(flow_for_fit("per_sample"), 9)[5:]
    assert expected == SEEN


@NEEDS_ENDLESS
def test_validation_evaluation_and_prediction(model: Any) -> None:
    flow = flow_for_fit(shuffle=False)
    model.fit(
        flow.repeat(),
        steps_per_epoch=1,
        validation_data=flow_for_fit("per_sample").repeat(),
        validation_steps=4,
        **QUIETLY,
    )
    expected = first_pixels(flow, 1) + first_pixels(flow_for_fit("per_sample"), 4)
    assert expected == SEEN
    SEEN.clear()
    model.evaluate(flow.repeat(), steps=5, verbose=0)
    assert len(SEEN) == 5
    assert len(model.predict(flow.repeat(), steps=5, verbose=0)) == 4 + 4 + 3 + 4 + 4


@NEEDS_ENDLESS
def test_fit_of_each_kind(make_flow: MakeFlow, kind: str) -> None:
    flow = make_flow(kind, {"rescale": 1 / 255}, seed=3)
    has_masks = "mask" in kind
    layers = [keras.layers.Conv2D(1 if has_masks else 3, 1)]
    layers += [] if has_masks else [keras.layers.GlobalMaxPooling2D()]
    model = keras.Sequential([keras.Input((8, 9, 3)), *layers])
    model.compile("sgd", "mse", run_eagerly=True)
    steps = []
    count = keras.callbacks.LambdaCallback(on_train_batch_end=lambda step, logs: steps.append(step))
    model.fit(flow.repeat(), steps_per_epoch=8, epochs=2, callbacks=[count], **QUIETLY)
    assert steps == [*range(8), *range(8)]


def test_statistics_are_those_of_an_epoch(make_flow: MakeFlow) -> None:
    means = []
    for derive in (lambda flow: flow, lambda flow: flow.repeat()):
        generator = MultiDirImageDataGenerator(featurewise_center=True)
        generator.fit(derive(make_flow("arrays", generator)))
        means.append(generator.mean)
    np.testing.assert_array_equal(*means)
