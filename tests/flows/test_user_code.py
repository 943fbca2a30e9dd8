"""Where users' own code meets a flow: their methods, and what they set on flows."""

from __future__ import annotations

import copy
import threading
from typing import Any

import numpy as np
import pytest
from comparison import fingerprint
from conftest import COUNT, IMAGES, MASKS

from multiflow import MultiDirImageDataGenerator, _keras

LABELS = np.arange(COUNT)
WEIGHTS = np.linspace(0, 1, MASKS.size).reshape(MASKS.shape)
TURNED: dict[str, Any] = {"rotation_range": 90, "horizontal_flip": True}
BOTH = pytest.mark.parametrize("base", [_keras.ImageDataGenerator, MultiDirImageDataGenerator])


class TestMethods:
    @BOTH
    def test_parameters_may_be_of_any_kind(self, base: Any) -> None:
        class Own(base):  # type: ignore[misc]
            def get_random_transform(self, img_shape: Any, seed: Any = None) -> Any:
                return 1, 2

            def apply_transform(self, x: Any, transform_parameters: Any) -> Any:
                return x * transform_parameters[1]

        images, labels = next(Own().flow(IMAGES, LABELS, shuffle=False))
        np.testing.assert_array_equal(images, 2 * IMAGES.astype("float32"))
        np.testing.assert_array_equal(labels, LABELS)

    @pytest.mark.parametrize("how", ["another", "copy", "deepcopy"])
    def test_a_draw_may_be_handed_over(self, how: str) -> None:
        """Random numbers per sample go to whichever generator draws."""

        class Own(MultiDirImageDataGenerator):
            def get_random_transform(self, img_shape: Any, seed: Any = None) -> Any:
                if how == "another":
                    other = MultiDirImageDataGenerator(**TURNED, rng="per_sample")
                else:
                    other = getattr(copy, how)(self)
                return MultiDirImageDataGenerator.get_random_transform(other, img_shape)

        generator = Own(**TURNED, rng="per_sample")
        plain = MultiDirImageDataGenerator(**TURNED, rng="per_sample")
        expected = [fingerprint(next(plain.flow(IMAGES, seed=1)))] * 2
        assert [fingerprint(next(generator.flow(IMAGES, seed=1))) for _ in range(2)] == expected

    def test_a_method_runs_in_one_thread_if_it_moves_masks(self) -> None:
        images = np.zeros((8, 160, 160, 3), np.uint8)
        at_once: list[int] = []
        running = threading.Semaphore(100)

        class Own(MultiDirImageDataGenerator):
            def get_random_transform(self, img_shape: Any, seed: Any = None) -> Any:
                self.drawn = getattr(self, "drawn", -1) + 1
                return {"flip_horizontal": True} if self.drawn else None

            def apply_transform(self, x: Any, transform_parameters: Any) -> Any:
                with running:
                    at_once.append(100 - running._value)
                    threading.Event().wait(0.002)
                    return x[:, ::-1]

        next(Own(threads=4).flow_segmentation(images, images[..., 0], shuffle=False))
        assert len(at_once) > 7
        assert set(at_once) == {1}

    def test_a_method_may_change_its_dict(self) -> None:
        class Own(MultiDirImageDataGenerator):
            def get_random_transform(self, img_shape: Any, seed: Any = None) -> Any:
                return {"mine": True}

            def apply_transform(self, x: Any, transform_parameters: Any) -> Any:
                return x[::-1] if transform_parameters.pop("mine") else x

        images, masks = next(Own().flow_segmentation(IMAGES, MASKS, shuffle=False))
        np.testing.assert_array_equal(images, IMAGES[:, ::-1])
        # The image's dict is not the mask's.
        np.testing.assert_array_equal(masks, MASKS[:, ::-1])

    def test_further_inputs_need_no_dtype(self) -> None:
        class Texts:
            shape = (COUNT,)

            def __len__(self) -> int:
                return COUNT

            def __getitem__(self, index: int) -> str:
                return f"text {index}"

        flow = MultiDirImageDataGenerator().flow_segmentation(
            [IMAGES, Texts()], MASKS, shuffle=False
        )
        assert next(flow)[0][1].tolist() == [f"text {number}" for number in range(COUNT)]


class TestOrders:
    @BOTH
    def test_another_generator_of_indices(self, base: Any) -> None:
        flow = base().flow(IMAGES, LABELS, batch_size=3)
        flow.index_generator = iter([np.array([5, 5, 2]), [1, 0]])
        assert next(flow)[1].tolist() == [5, 5, 2]
        if base is MultiDirImageDataGenerator:
            assert next(flow)[1].tolist() == [1, 0]
            with pytest.raises(StopIteration):
                next(flow)

    @BOTH
    def test_the_generator_of_indices_moves_the_flow_on(self, base: Any) -> None:
        flow = base().flow(IMAGES, LABELS, batch_size=4, shuffle=False)
        assert next(flow.index_generator).tolist() == [0, 1, 2, 3]
        assert next(flow)[1].tolist() == [4, 5, 6, 7]

    @BOTH
    @pytest.mark.parametrize("kind", [list, np.array])
    def test_an_own_order(self, base: Any, kind: Any) -> None:
        flow = base().flow(IMAGES, LABELS, batch_size=4, shuffle=False)
        flow.index_array = kind([9, 8, 7, 6, 5, 4, 3, 2, 1, 0, 10])
        assert flow[0][1].tolist() == [9, 8, 7, 6]
        assert flow[2][1].tolist() == [1, 0, 10]

    @BOTH
    def test_no_index(self, base: Any) -> None:
        images, labels = base().flow(IMAGES, LABELS)._get_batches_of_transformed_samples([])
        assert images.shape == (0, *IMAGES.shape[1:])
        assert labels.shape == (0,)

    def test_images_at_a_list_of_positions(self, make_flow: Any, kind: str) -> None:
        flow = make_flow(kind, {})
        first, second = flow.read_images([3, 1])
        np.testing.assert_array_equal(first, flow.read_images(np.array([3]))[0])
        np.testing.assert_array_equal(second, flow.read_images(np.array([1]))[0])

    def test_the_epoch_counts_at_once(self) -> None:
        generator = MultiDirImageDataGenerator(**TURNED, rng="per_sample")
        flow, other = (generator.flow(IMAGES, seed=1, shuffle=False) for _ in range(2))
        _ = flow[0]
        flow.epoch = 5
        other.load_state_dict({"epoch": 5, "batch": 0})
        np.testing.assert_array_equal(flow[0], other[0])


class TestAttributes:
    """What is set on a flow with masks counts for later batches."""

    @pytest.fixture
    def flow(self) -> Any:
        generator = MultiDirImageDataGenerator(rotation_range=90)
        return generator.flow_segmentation(
            [IMAGES, LABELS], MASKS, sample_weight=WEIGHTS, shuffle=False, seed=1, mask_cval=9
        )

    def test_fill_mode(self, flow: Any) -> None:
        assert flow.mask_fill_mode == "nearest"
        assert 9 not in flow[0][1]
        flow.mask_fill_mode = "constant"
        assert 9 in flow[0][1]

    def test_images(self, flow: Any) -> None:
        generator = MultiDirImageDataGenerator()
        plain = generator.flow_segmentation(IMAGES, MASKS, shuffle=False)
        plain.x = IMAGES // 2
        np.testing.assert_array_equal(plain[0][0], IMAGES // 2)

    def test_weights(self, flow: Any) -> None:
        assert len(flow[0]) == 3
        flow.sample_weight = None
        assert len(flow[0]) == 2

    def test_further_inputs(self, flow: Any) -> None:
        assert [extra.tolist() for extra in flow.x_misc] == [LABELS.tolist()]
        flow.x_misc = []
        np.testing.assert_array_equal(flow[0][0].shape, IMAGES.shape)

    def test_paths(self, make_flow: Any) -> None:
        flow = make_flow("mask folders", {}, shuffle=False, batch_size=COUNT)
        before = flow[0][0]
        flow.filepaths.reverse()
        np.testing.assert_array_equal(flow[0][0], before[::-1])
