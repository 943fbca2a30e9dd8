"""Which samples come when, and with what numbers: `rng`, states, workers, `augment_validation`."""

from __future__ import annotations

import copy
import functools
import json
import multiprocessing
import os
import pathlib
import pickle
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing.pool import ThreadPool
from typing import Any

import keras
import numpy as np
import pytest
import scipy.stats
from comparison import AUGMENT_ALL, fingerprint, random_state
from conftest import COUNT, FORKS, IMAGES, MakeFlow, MakeTree, status_of_fork

from multiflow import MultiDirImageDataGenerator, _keras

Make = Callable[..., Any]


@pytest.fixture
def make(make_flow: MakeFlow, kind: str) -> Make:
    """A function that makes flows of each kind, with a seed."""
    return functools.partial(make_flow, kind, seed=5)


def per_sample(**arguments: Any) -> dict[str, Any]:
    return {**AUGMENT_ALL, "rng": "per_sample", **arguments}


def epoch_of(flow: Any) -> list[Any]:
    return [fingerprint(flow[index]) for index in range(len(flow))]


def next_epoch_of(flow: Any) -> list[Any]:
    return [fingerprint(next(flow)) for _ in range(len(flow))]


def test_repr_tells_in_one_line_what_is_there(make: Make, kind: str) -> None:
    own = {
        "arrays": "ArrayIterator: {n} images of 8 × 9 × 3",
        "masks": "SegmentationIterator: {n} images of 8 × 9 × 3, masks",
        "directory": "DirectoryIterator: {n} images of 8 × 9 × 3, 3 classes",
        "directories": "MultiDirectoryIterator: {n} images of 8 × 9 × 3, 3 classes, 1 directories",
        "dataframe": "DataFrameIterator: {n} images of 8 × 9 × 3, 3 classes",
        "mask folders": "SegmentationDirectoryIterator: {n} images of 8 × 9 × 3, masks",
    }[kind]
    flow = make({})
    assert repr(flow) == f"<{own.format(n=11)}, 3 batches of up to 4>"
    flow = make({"validation_split": 0.5}, subset="validation")
    end = f'subset="validation", {len(flow)} batches of up to 4>'
    assert repr(flow) == f"<{own.format(n=flow.n)}, {end}"


class TestPerSample:
    @pytest.mark.parametrize("shuffle", [True, False])
    def test_index_and_next_give_the_same_in_every_epoch(self, make: Make, shuffle: bool) -> None:
        by_index, by_next = (make(per_sample(), shuffle=shuffle) for _ in range(2))
        epochs = []
        for _ in range(3):
            epochs.append(epoch_of(by_index))
            assert epoch_of(by_index) == epochs[-1]
            assert [fingerprint(by_index[1]), fingerprint(by_index[0])] == epochs[-1][1::-1]
            assert next_epoch_of(by_next) == epochs[-1]
            assert epoch_of(by_next) == epochs[-1]
            by_index.on_epoch_end()
        assert len({str(epoch) for epoch in epochs}) == 3

    def test_the_global_state_is_neither_read_nor_written(
        self, make: Make, tmp_path: pathlib.Path
    ) -> None:
        epochs = []
        saved = tmp_path / "saved"
        saved.mkdir()
        for state in (1, 2):
            np.random.seed(state)
            before = random_state()
            flow = make(per_sample(), save_to_dir=str(saved))
            epochs.append([next_epoch_of(flow), next_epoch_of(flow), epoch_of(flow)])
            flow.on_epoch_end()
            flow.reset()
            flow.image_data_generator.random_transform(IMAGES[0])
            flow.image_data_generator.random_transform(IMAGES[0], seed=3)
            assert random_state() == before
        assert epochs[0] == epochs[1]
        images = [path.name for path in saved.iterdir() if "mask" not in path.name]
        assert sorted(images) == sorted(
            f"_{n}_{epoch}.png" for n in range(COUNT) for epoch in (0, 1)
        )

    def test_a_seed_decides(self, make: Make) -> None:
        flows = [make(per_sample(), seed=seed) for seed in (5, 5, 6, None, None)]
        epochs = [str(epoch_of(flow)) for flow in flows]
        assert epochs[0] == epochs[1]
        assert len(set(epochs)) == 4
        drawn = make(per_sample(), seed=flows[3].seed)  # one can be had again
        assert str(epoch_of(drawn)) == epochs[3]

    @pytest.mark.parametrize("batch_size", [1, 3, 100])
    def test_a_sample_is_the_same_in_batches_of_any_size(self, make: Make, batch_size: int) -> None:
        small, other = make(per_sample()), make(per_sample(), batch_size=batch_size)
        for _ in range(2):
            parts = [
                np.concatenate([np.asarray(flow[index][0]) for index in range(len(flow))])
                for flow in (small, other)
            ]
            assert fingerprint(parts[0]) == fingerprint(parts[1])
            small.on_epoch_end()
            other.on_epoch_end()

    @pytest.mark.parametrize("threads", [1, 2, 8])
    def test_any_number_of_threads(self, make: Make, threads: int) -> None:
        expected = epoch_of(make(per_sample()))
        flow = make(per_sample(threads=threads))
        with ThreadPool(8) as pool:
            assert pool.map(lambda index: fingerprint(flow[index]), range(len(flow))) == expected
            asked = pool.map(lambda _: fingerprint(next(flow)), range(6 * len(flow)))
        one_by_one = make(per_sample())
        expected = [fingerprint(next(one_by_one)) for _ in range(6 * len(flow))]
        assert sorted(map(str, asked)) == sorted(map(str, expected))
        assert flow.state_dict() == one_by_one.state_dict()

    def test_processes(self, make: Make, other_process: ProcessPoolExecutor) -> None:
        flow, same = make(per_sample()), make(per_sample())
        flow.on_epoch_end()
        same.on_epoch_end()
        expected = epoch_of(same)
        with ProcessPoolExecutor(2, multiprocessing.get_context("fork")) as forked:
            for processes in (forked, other_process):
                batches = processes.map(flow.__getitem__, range(len(flow)))
                assert [fingerprint(batch) for batch in batches] == expected

    def test_after_an_exception(self, make_tree: MakeTree) -> None:
        root = make_tree("root", [f"a/{n}.png" for n in range(9)])
        generator = MultiDirImageDataGenerator(**per_sample())
        options: dict[str, Any] = {"target_size": (8, 8), "batch_size": 2, "seed": 1}
        expected = epoch_of(generator.flow_from_directory(root, **options))
        flow = generator.flow_from_directory(root, **options)
        bad = root / flow.filenames[int(np.argmax(flow_order(flow) == 3))]
        content = bad.read_bytes()
        bad.write_bytes(b"nothing")
        received: list[Any] = []
        for _ in range(len(flow)):
            try:
                received.append(fingerprint(next(flow)))
            except OSError:
                received.append(None)
        assert received.count(None) == 1
        assert all(got in (None, wanted) for got, wanted in zip(received, expected, strict=True))
        bad.write_bytes(content)
        assert epoch_of(flow) == expected

    def test_reset_begins_an_epoch_if_one_has_begun(self, make: Make) -> None:
        flow, reference = (make(per_sample()) for _ in range(2))
        epochs = [next_epoch_of(reference) for _ in range(3)]
        flow.reset()
        assert fingerprint(next(flow)) == epochs[0][0]
        flow.reset()
        assert next_epoch_of(flow) == epochs[1]
        flow.reset()
        assert next_epoch_of(flow) == epochs[2]
        assert flow.epoch == 2

    def test_sizes_of_numpy_are_as_ints(self) -> None:
        generator = MultiDirImageDataGenerator(rng="per_sample")
        flow = generator.flow(np.zeros((3, 2, 2, 1)), batch_size=np.int64(2), seed=1)
        assert "2 batches of up to 2>" in repr(flow)
        next(flow), next(flow)
        assert json.loads(json.dumps(flow.state_dict())) == flow.state_dict()

    def test_attributes_are_kerass(self, make: Make) -> None:
        flow = make(per_sample())
        seen = []
        for _ in range(4):
            next(flow)
            seen.append((flow.batch_index, flow.total_batches_seen))
        assert seen == [(1, 1), (2, 2), (0, 3), (1, 4)]
        assert sorted(flow.index_array) == list(range(COUNT))

    def test_epochs_are_shuffled_evenly(self) -> None:
        flow = MultiDirImageDataGenerator(rng="per_sample").flow(np.zeros((6, 1, 1, 1)), seed=1)
        orders = []
        for _ in range(600):
            flow[0]
            orders.append(flow.index_array)
            flow.on_epoch_end()
        for position in np.transpose(orders):
            assert scipy.stats.chisquare(np.bincount(position, minlength=6)).pvalue > 1e-3
        assert scipy.stats.spearmanr(orders[:-1], orders[1:], axis=None).pvalue > 1e-3

    @pytest.mark.parametrize("subset", [None, "training", "validation"])
    @pytest.mark.parametrize("split_seed", [None, 4])
    def test_images_with_masks_are_those_without(
        self, subset: str | None, split_seed: int | None
    ) -> None:
        generator = MultiDirImageDataGenerator(
            **per_sample(validation_split=0.4, split_seed=split_seed)
        )
        options: dict[str, Any] = {"subset": subset, "seed": 3, "batch_size": 4}
        alone = generator.flow(IMAGES, **options)
        paired = generator.flow_segmentation(IMAGES, IMAGES[..., 0], **options)
        for index in range(len(alone)):
            np.testing.assert_array_equal(paired[index][0], alone[index])

    def test_own_methods_draw_for_the_sample(self) -> None:
        class Even(MultiDirImageDataGenerator):
            def get_random_transform(self, img_shape: Any, seed: Any = None) -> Any:
                parameters = super().get_random_transform(img_shape)
                return {**parameters, "zy": parameters["zx"]}

        flows = [
            cls(rng="per_sample", zoom_range=0.4).flow(IMAGES, seed=2, batch_size=batch_size)
            for cls, batch_size in ((Even, 4), (Even, 1), (MultiDirImageDataGenerator, 4))
        ]
        before = random_state()
        four, one, plain = (
            np.concatenate([flow[index] for index in range(len(flow))]) for flow in flows
        )
        assert random_state() == before
        np.testing.assert_array_equal(four, one)
        assert (four != plain).any()

    @pytest.mark.parametrize("preprocessing_function", [None, np.copy])
    def test_by_hand(self, preprocessing_function: Any) -> None:
        generator = MultiDirImageDataGenerator(
            rng="per_sample", rotation_range=30, preprocessing_function=preprocessing_function
        )
        next(generator.flow(IMAGES, seed=3))  # leaves nothing behind
        angles = [
            generator.get_random_transform((8, 9, 3), seed)["theta"]
            for seed in (3, 3, 4, None, None, None)
        ]
        assert angles[0] == angles[1]
        assert len(set(angles)) == 5

    @pytest.mark.parametrize("seed", [-1, 2**32, 1.5, "one"])
    def test_seeds_are_checked(self, seed: Any) -> None:
        generator = MultiDirImageDataGenerator(rng="per_sample")
        with pytest.raises(ValueError, match="`seed` must be None or an integer from 0"):
            generator.flow(IMAGES, seed=seed)

    def test_rng_is_checked(self) -> None:
        with pytest.raises(
            ValueError, match=r"`rng` must be .*\"per_sample\"\. Received: 'philox'"
        ):
            MultiDirImageDataGenerator(rng="philox")


def flow_order(flow: Any) -> np.ndarray:
    copied = copy.deepcopy(flow)
    copied[0]
    return np.argsort(copied.index_array)


def philox(seed: int, epoch: int, sample: int, purpose: int, count: int) -> list[int]:
    """Philox-4x64 in ten rounds, by its paper (Salmon et al. 2011)."""
    words: list[int] = []
    for block in range(1, -(-count // 4) + 1):
        x0, x1, x2, x3 = block, sample, epoch, purpose
        key0, key1 = seed, 0
        for _ in range(10):
            high0, low0 = divmod(x0 * 0xD2E7470EE14C6C93, 2**64)
            high1, low1 = divmod(x2 * 0xCA5A826395121157, 2**64)
            x0, x1, x2, x3 = high1 ^ x1 ^ key0, low1, high0 ^ x3 ^ key1, low0
            key0 = (key0 + 0x9E3779B97F4A7C15) % 2**64
            key1 = (key1 + 0xBB67AE8584CAA73B) % 2**64
        words += [x0, x1, x2, x3]
    return words[:count]


@pytest.mark.parametrize(
    "arguments", [{}, AUGMENT_ALL, {"width_shift_range": 3, "zoom_range": 0.2}]
)
def test_the_documented_numbers(arguments: dict[str, Any]) -> None:
    """All of it once more: Philox, what its numbers stand for, and Keras' own transform."""
    generator = _keras.ImageDataGenerator(**arguments)
    ours = MultiDirImageDataGenerator(**arguments, rng="per_sample")
    flow = ours.flow(IMAGES, seed=77, batch_size=4)
    for epoch in range(2):
        order = np.argsort(np.array(philox(77, epoch, 0, 0, COUNT), np.uint64))
        batches = np.concatenate([flow[index] for index in range(len(flow))])
        for image, sample in zip(batches, order, strict=True):
            u = [(word >> 11) / 2**53 for word in philox(77, epoch, int(sample), 1, 10)]

            def interval(low: float, high: float, number: float) -> float:
                return low + (high - low) * number

            parameters: dict[str, Any] = {}
            if "rotation_range" in arguments:
                parameters["theta"] = interval(-30, 30, u[0])
                parameters["tx"] = [2, -1, -3, -2, 1, 3][int(u[1] * 6)]
                parameters["ty"] = interval(-0.2, 0.2, u[2]) * 9
                parameters["shear"] = interval(-10, 10, u[3])
                parameters["zx"] = interval(0.7, 1.2, u[4])
                parameters["zy"] = interval(0.7, 1.2, u[5])
                parameters["flip_horizontal"] = u[6] < 0.5
                parameters["flip_vertical"] = u[7] < 0.5
                parameters["channel_shift_intensity"] = interval(-20, 20, u[8])
                parameters["brightness"] = interval(0.5, 1.5, u[9])
            elif arguments:
                parameters["ty"] = [0, -1, -2, 0, 1, 2][int(u[2] * 6)]
                parameters["zx"] = interval(0.8, 1.2, u[4])
                parameters["zy"] = interval(0.8, 1.2, u[5])
            expected = generator.apply_transform(IMAGES[sample].astype("float32"), parameters)
            np.testing.assert_array_equal(image, expected)
        flow.on_epoch_end()


@pytest.mark.parametrize(
    "arguments",
    [
        AUGMENT_ALL,
        {"width_shift_range": 4, "height_shift_range": 0.3, "zoom_range": 0.3},
        {"width_shift_range": [0.1, 0.4], "height_shift_range": 2.5, "channel_shift_range": 3},
        {"width_shift_range": 1, "height_shift_range": [-3, -2], "brightness_range": (0, 1)},
    ],
)
def test_the_same_distributions_as_keras(arguments: dict[str, Any]) -> None:
    count = 4000
    keras_generator = _keras.ImageDataGenerator(**arguments)
    np.random.seed(0)
    theirs = [keras_generator.get_random_transform((40, 60, 3)) for _ in range(count)]
    drawn: list[dict[str, Any]] = []

    class Spy(MultiDirImageDataGenerator):
        def apply_transform(self, x: Any, transform_parameters: Any) -> Any:
            drawn.append(transform_parameters)
            return x

    spy = Spy(**arguments, rng="per_sample")
    flow = spy.flow(np.zeros((count // 4, 40, 60, 3), "float32"), seed=0, batch_size=500)
    for _ in range(4):
        for index in range(len(flow)):
            flow[index]
        flow.on_epoch_end()
    assert len(drawn) == count
    assert [list(parameters) for parameters in drawn] == [list(each) for each in theirs]
    for name in theirs[0]:
        expected, received = ([parameters[name] for parameters in of] for of in (theirs, drawn))
        if expected[0] is None or len(set(expected)) == 1:
            assert set(received) == set(expected)
        elif len(set(expected)) < 20:  # choices and flips
            assert set(np.round(received, 9)) == set(np.round(expected, 9))
            table = [
                [np.isclose(of, value).sum() for value in sorted(set(expected))]
                for of in (expected, received)
            ]
            assert scipy.stats.chi2_contingency(table).pvalue > 1e-3
        else:
            assert scipy.stats.ks_2samp(expected, received).pvalue > 1e-3
    columns = {
        name: [float(parameters[name] or 0) for parameters in drawn]
        for name in theirs[0]
        if len({parameters[name] for parameters in drawn}) > 1
    }
    correlations = np.corrcoef(list(columns.values())) - np.eye(len(columns))
    assert abs(correlations).max() < 5 / count**0.5


class TestStates:
    @pytest.mark.parametrize("num_batches", [0, 1, 2, 3, 4, 7])
    def test_another_iterator_goes_on(self, make: Make, num_batches: int) -> None:
        original, resumed = make(per_sample()), make(per_sample())
        for _ in range(num_batches):
            next(original)
        state = json.loads(json.dumps(original.state_dict()))
        expected = {"epoch": max(num_batches - 1, 0) // 3, "batch": (num_batches - 1) % 3 + 1}
        assert state == {**(expected if num_batches else {"epoch": 0, "batch": 0}), "batch_size": 4}
        resumed.load_state_dict(state)
        assert resumed.state_dict() == state
        assert epoch_of(resumed) == epoch_of(original)
        for _ in range(5):
            assert fingerprint(next(resumed)) == fingerprint(next(original))
        assert resumed.state_dict() == original.state_dict()

    def test_goes_back(self, make: Make) -> None:
        flow = make(per_sample())
        first = next_epoch_of(flow)
        next_epoch_of(flow)
        flow.load_state_dict({"epoch": 0, "batch": 0})
        assert next_epoch_of(flow) == first

    def test_pickles_keep_it(self, make: Make) -> None:
        flow = make(per_sample())
        for _ in range(4):
            next(flow)
        copied = pickle.loads(pickle.dumps(flow))
        assert copied.state_dict() == flow.state_dict()
        assert flow.state_dict() == {"epoch": 1, "batch": 1, "batch_size": 4}
        assert next_epoch_of(copied) == next_epoch_of(flow)

    @pytest.mark.parametrize(
        "state",
        [
            {"epoch": 1},
            {"epoch": 1, "batch": 4, "batch_size": 4},
            {"epoch": -1, "batch": 0},
            {"epoch": 0.5, "batch": 0},
            {"epoch": 0, "batch": True, "batch_size": 4},
            {"epoch": 0, "batch": 1, "batch_size": np.zeros(2)},
            {"epoch": 2**64, "batch": 0},
            {"epoch": 0, "batch": 0, "seed": 1},
            (0, 0),
        ],
    )
    def test_other_states_are_refused(self, state: Any) -> None:
        flow = MultiDirImageDataGenerator(rng="per_sample").flow(IMAGES, batch_size=4, seed=1)
        with pytest.raises(ValueError, match=r"up to the 3 batches of an epoch\. Received:"):
            flow.load_state_dict(state)

    @pytest.mark.parametrize("batch_size", [1, 3, 5, 11])
    def test_batches_of_another_size_begin_elsewhere(self, make: Make, batch_size: int) -> None:
        flow, other = make(per_sample()), make(per_sample(), batch_size=batch_size)
        expected = epoch_of(make(per_sample()))
        other.load_state_dict(flow.state_dict())
        next(flow)
        state = flow.state_dict()
        for wrong in (state, {"epoch": 0, "batch": 1}, {**state, "batch": 3}):
            with pytest.raises(
                ValueError, match=rf"count batches of {batch_size}, .*make the iterator with the"
            ):
                other.load_state_dict(wrong)
        other.load_state_dict({**state, "batch": 0})
        other.batch_size = 4
        assert epoch_of(other) == expected

    def test_kerass_random_numbers_have_no_state(self) -> None:
        flow = MultiDirImageDataGenerator().flow(IMAGES, seed=1)
        for call in (flow.state_dict, lambda: flow.load_state_dict({"epoch": 0, "batch": 0})):
            with pytest.raises(
                ValueError, match='Set rng="per_sample" in the generator; or pickle'
            ):
                call()

    def test_a_state_needs_a_seed(self) -> None:
        flow = MultiDirImageDataGenerator(rng="per_sample").flow(IMAGES)
        with pytest.raises(ValueError, match=rf"Pass a `seed` to the flow.*{flow.seed}"):
            flow.state_dict()


def run_until_killed(folder: pathlib.Path, num_batches: int) -> None:
    """The run of the test below, in a process of its own."""
    generator = MultiDirImageDataGenerator(**per_sample())
    flow = generator.flow(IMAGES, batch_size=4, seed=9)
    for _ in range(num_batches):
        next(flow)
        (folder / "state.json").write_text(json.dumps(flow.state_dict()))
    os.kill(os.getpid(), 9)


def test_a_run_killed_in_mid_epoch_is_resumed(tmp_path: pathlib.Path) -> None:
    context = multiprocessing.get_context("fork")
    killed = context.Process(target=run_until_killed, args=(tmp_path, 4))
    killed.start()
    killed.join()
    assert killed.exitcode == -9
    generator = MultiDirImageDataGenerator(**per_sample())
    uninterrupted = generator.flow(IMAGES, batch_size=4, seed=9)
    expected = [fingerprint(next(uninterrupted)) for _ in range(10)]
    resumed = generator.flow(IMAGES, batch_size=4, seed=9)
    resumed.load_state_dict(json.loads((tmp_path / "state.json").read_text()))
    assert [fingerprint(next(resumed)) for _ in range(6)] == expected[4:]


@FORKS
def test_a_fork_while_another_thread_takes_a_batch(make: Make) -> None:
    """The thread, which holds the lock and runs the generator, is not in the other process."""
    reference = make(per_sample())
    expected = [*next_epoch_of(reference), *next_epoch_of(reference)]
    flow = make(per_sample())
    next_epoch_of(flow)
    is_stepping, may_go_on = threading.Event(), threading.Event()

    def pause() -> None:
        is_stepping.set()
        may_go_on.wait(60)

    flow._seed_batch = pause
    thread = threading.Thread(target=next, args=[flow])
    thread.start()
    is_stepping.wait(60)

    def go_on() -> None:
        del flow._seed_batch
        assert next_epoch_of(flow) == expected[3:]
        assert epoch_of(flow) == expected[3:]

    assert status_of_fork(go_on) == 7
    may_go_on.set()
    thread.join()
    assert [fingerprint(next(flow)) for _ in range(2)] == expected[4:]


def small_model() -> keras.Model:
    keras.utils.set_random_seed(3)
    model = keras.Sequential(
        [keras.Input((8, 9, 3)), keras.layers.Flatten(), keras.layers.Dense(1)]
    )
    model.compile(keras.optimizers.SGD(1e-6), "mse")
    return model


def flow_for_fit(**parallelism: Any) -> Any:
    generator = MultiDirImageDataGenerator(**per_sample(rescale=1 / 255))
    return generator.flow(IMAGES, np.arange(COUNT), batch_size=2, seed=4, **parallelism)


class TestFit:
    @pytest.mark.parametrize("shuffle", [False, True])
    def test_any_workers_give_the_same_weights(self, shuffle: bool) -> None:
        weights = []
        workers: list[dict[str, Any]] = [{"workers": n} for n in (1, 1, 2, 4)]
        model = small_model()
        first_weights = model.get_weights()
        for options in [*workers, {"workers": 2, "use_multiprocessing": True}]:
            model.set_weights(first_weights)
            keras.utils.set_random_seed(1)  # by which `fit` shuffles batches
            model.fit(flow_for_fit(**options), epochs=3, shuffle=shuffle, verbose=0)
            weights.append(b"".join(part.tobytes() for part in model.get_weights()))
        assert len(set(weights)) == 1

    def test_goes_on_with_a_later_epoch(self) -> None:
        whole, interrupted = small_model(), small_model()
        whole.fit(flow_for_fit(), epochs=4, shuffle=False, verbose=0)
        interrupted.fit(flow_for_fit(), epochs=2, shuffle=False, verbose=0)
        flow = flow_for_fit()
        flow.load_state_dict({"epoch": 2, "batch": 0})
        interrupted.fit(flow, epochs=4, initial_epoch=2, shuffle=False, verbose=0)
        for expected, received in zip(whole.get_weights(), interrupted.get_weights(), strict=True):
            np.testing.assert_array_equal(expected, received)


@pytest.fixture
def hurried_threads() -> Any:
    """Threads are interrupted as often as the interpreter can."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(interval)


@pytest.mark.parametrize("seed", [None, 3])
@pytest.mark.usefixtures("hurried_threads")
def test_eight_threads_lose_nothing_in_200_epochs(seed: int | None) -> None:
    labels = np.arange(64)
    generator = MultiDirImageDataGenerator()
    with ThreadPool(8) as pool:
        for _ in range(100):
            flow = generator.flow(np.zeros((64, 1, 1, 1)), labels, batch_size=4, seed=seed)
            for _ in range(2):  # Keras fails in the first epoch of an iterator
                batches = pool.map(lambda n, flow=flow: flow[n][1], range(len(flow)), chunksize=1)
                assert sorted(np.concatenate(batches)) == labels.tolist()
                flow.on_epoch_end()
            batches = pool.map(lambda _, flow=flow: next(flow)[1], range(len(flow)), chunksize=1)
            assert sorted(np.concatenate(batches)) == labels.tolist()


PLAIN: dict[str, Any] = {
    "validation_split": 0.5,
    "rescale": 1 / 255,
    "samplewise_center": True,
    "preprocessing_function": np.flipud,
}


class TestAugmentValidation:
    @pytest.mark.parametrize("rng", ["keras", "per_sample"])
    def test_validation_is_as_without_augmentation(self, make: Make, rng: str) -> None:
        plain = make({**PLAIN, "rng": rng}, subset="validation", shuffle=False)
        flow = make(
            {**PLAIN, **AUGMENT_ALL, "rng": rng, "augment_validation": False},
            subset="validation",
            shuffle=False,
        )
        assert len(plain) > 0
        assert epoch_of(flow) == epoch_of(plain)

    def test_training_is_transformed(self, make: Make) -> None:
        generator = {**PLAIN, **AUGMENT_ALL}
        for subset in ("training", None):
            expected = make(generator, subset=subset)
            flow = make({**generator, "augment_validation": False}, subset=subset)
            assert epoch_of(flow) == epoch_of(expected)

    def test_by_default_validation_is_transformed(self, make: Make) -> None:
        plain = make(PLAIN, subset="validation", shuffle=False)
        flow = make({**PLAIN, **AUGMENT_ALL}, subset="validation", shuffle=False)
        assert epoch_of(flow) != epoch_of(plain)

    @pytest.mark.parametrize("shuffle", [False, True])
    def test_nothing_is_drawn(self, make: Make, shuffle: bool) -> None:
        generator = {**AUGMENT_ALL, "validation_split": 0.5, "augment_validation": False}
        flow = make(generator, subset="validation", shuffle=shuffle, seed=None)
        np.random.seed(4)
        if shuffle:
            np.random.permutation(flow.n)
        expected = random_state()
        np.random.seed(4)
        next_epoch_of(flow)
        assert random_state() == expected

    def test_own_methods_are_not_called(self, make: Make) -> None:
        class Own(MultiDirImageDataGenerator):
            def get_random_transform(self, img_shape: Any, seed: Any = None) -> Any:
                raise AssertionError

            def apply_transform(self, x: Any, transform_parameters: Any) -> Any:
                raise AssertionError

        flow = make(Own(validation_split=0.5, augment_validation=False), subset="validation")
        next_epoch_of(flow)
