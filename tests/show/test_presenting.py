"""`show`, `show_augmentations`, `caption`: they tell what comes, and change none of it."""

from __future__ import annotations

import copy
import pathlib
import random
import sys
from typing import Any

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from comparison import fingerprint, random_state
from conftest import CLASS_NAMES, COUNT, IMAGES, LABELS, MASKS, MakeFlow

from multiflow import MultiDirImageDataGenerator
from multiflow.show import figures

# Images from 0 to 1 are drawn as they are, so that what is drawn tells what was given.
UNIT_IMAGES = IMAGES / 255
UNIT: dict[str, Any] = {"rescale": 1 / 255}
AUGMENT = {**UNIT, "rotation_range": 40, "width_shift_range": 0.2, "horizontal_flip": True}


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What the last figure was made of."""
    drawn: dict[str, Any] = {}
    draw = figures.draw

    def watch(images: np.ndarray, captions: Any, **options: Any) -> Any:
        drawn.update(images=images, captions=captions, **options)
        return draw(images, captions, **options)

    monkeypatch.setattr(figures, "draw", watch)
    return drawn


def painted(layer: Any) -> np.ndarray:
    """Where a layer lies over its images."""
    return np.any([area.pixels for area in layer.areas], axis=0)


def present(flow: Any) -> None:
    """All that shows a flow to people."""
    flow.show(max_samples=2)
    flow.show_augmentations(1, count=2)
    flow.caption(0)
    repr(flow)
    if hasattr(flow, "summary"):
        repr(flow.summary())
        flow.summary()._repr_html_()


class TestNothingChanges:
    @pytest.mark.parametrize("rng", ["keras", "per_sample"])
    @pytest.mark.parametrize("seed", [None, 3])
    def test_batches(
        self, make_flow: MakeFlow, kind: str, rng: str, seed: int | None, monkeypatch: Any
    ) -> None:
        def restless(image: np.ndarray) -> np.ndarray:
            return image * np.random.random() * random.random()

        arguments = {**AUGMENT, "rng": rng, "preprocessing_function": restless}
        flow = make_flow(kind, arguments, seed=seed)
        other = copy.deepcopy(flow)
        for each in (flow, other):
            np.random.seed(5)
            random.seed(5)
            for step in range(6):
                if each is flow:
                    before = random_state(), random.getstate()
                    present(flow)
                    assert (random_state(), random.getstate()) == before
                    # Drawing takes long, and knows of no flow: once for each is enough.
                    monkeypatch.setattr(figures, "draw", lambda *_, **__: None)
                batch = next(each) if step % 3 else each[step % 2]
                if step == 3:
                    each.on_epoch_end()
                if each is flow:
                    vars(other).setdefault("expected", []).append(fingerprint(batch))
                else:
                    assert fingerprint(batch) == vars(other)["expected"].pop(0)

    def test_pyplot_and_its_settings(self, make_flow: MakeFlow) -> None:
        settings = dict(mpl.rcParams)
        present(make_flow("arrays", AUGMENT))
        assert plt.get_fignums() == []
        assert dict(mpl.rcParams) == settings

    def test_no_file_is_saved(self, make_flow: MakeFlow, tmp_path: pathlib.Path) -> None:
        (tmp_path / "out").mkdir()
        flow = make_flow("arrays", AUGMENT, save_to_dir=tmp_path / "out")
        present(flow)
        assert not list((tmp_path / "out").iterdir())
        next(flow)
        assert len(list((tmp_path / "out").iterdir())) == 4

    @pytest.mark.parametrize("name", ["show", "show_augmentations"])
    def test_random_numbers_when_a_function_fails(self, make_flow: MakeFlow, name: str) -> None:
        def fail(image: np.ndarray) -> np.ndarray:
            np.random.random(), random.random()
            raise RuntimeError("in a function of the user")

        flow = make_flow("arrays", {**AUGMENT, "preprocessing_function": fail}, seed=1)
        before = random_state(), random.getstate()
        with pytest.raises(RuntimeError, match="of the user"):
            getattr(flow, name)()
        assert (random_state(), random.getstate()) == before

    def test_another_generator_in_the_place_of_the_global_one(self, make_flow: MakeFlow) -> None:
        usual = np.random.get_bit_generator()
        np.random.set_bit_generator(np.random.PCG64(1))
        try:
            before = str(np.random.get_state(legacy=False))
            present(make_flow("arrays", AUGMENT))
            assert str(np.random.get_state(legacy=False)) == before
        finally:
            np.random.set_bit_generator(usual)

    def test_arrays(self, make_flow: MakeFlow) -> None:
        images, masks = IMAGES.copy(), MASKS.copy()
        present(make_flow("masks", AUGMENT))
        np.testing.assert_array_equal(IMAGES, images)
        np.testing.assert_array_equal(MASKS, masks)


class TestShow:
    @pytest.mark.parametrize("rng", ["keras", "per_sample"])
    def test_is_the_next_batch(
        self, make_flow: MakeFlow, drawn: Any, kind: str, rng: str, monkeypatch: Any
    ) -> None:
        def only_watch(images: np.ndarray, captions: Any, **options: Any) -> None:
            drawn.update(images=images, captions=captions, **options)

        flow = make_flow(kind, {**AUGMENT, "rng": rng})
        for _ in range(4):
            flow.show()
            batch = next(flow)
            images = batch[0]
            np.testing.assert_array_equal(drawn["images"], images.astype(np.float64))
            if "mask" in kind:
                [layer] = drawn["layers"]
                np.testing.assert_array_equal(painted(layer), batch[1] != 0)
            assert drawn["captions"] == list(map(flow.caption, self.positions(flow, len(images))))
            monkeypatch.setattr(figures, "draw", only_watch)  # drawing takes long

    @staticmethod
    def positions(flow: Any, count: int) -> list[int]:
        """Those of the batch that `next` has just given."""
        stop = flow.batch_index * flow.batch_size or flow.n
        return flow.index_array[stop - count : stop].tolist()

    def test_saving_and_drawing_in_a_function_for_masks(self, tmp_path: Any, drawn: Any) -> None:
        def roll(mask: np.ndarray) -> np.ndarray:
            return np.roll(mask, np.random.randint(8), 0)

        flow = MultiDirImageDataGenerator().flow_segmentation(
            UNIT_IMAGES, MASKS, seed=1, save_to_dir=tmp_path, mask_preprocessing_function=roll
        )
        flow.show()
        np.testing.assert_array_equal(painted(drawn["layers"][0]), next(flow)[1] != 0)

    def test_at_most_some_samples(self, make_flow: MakeFlow, drawn: Any) -> None:
        flow = make_flow("arrays", AUGMENT, batch_size=7)
        figure = flow.show(max_samples=5, columns=2)
        captions = drawn["captions"]
        assert len(drawn["images"]) == len(captions) == len(figure.axes) == 5
        assert figure.get_suptitle().startswith("Next batch: 5 of 7 samples\n8 × 9 × 3, float32")
        figure = flow.show()
        assert figure.get_suptitle().startswith("Next batch: 7 samples\n")
        images, labels = next(flow)
        assert captions == list(map(str, labels[:5].argmax(1)))
        lowest, highest = (f"{round(float(value), 2):g}" for value in (images.min(), images.max()))
        assert figure.get_suptitle().endswith(f"values {lowest} to {highest}")
        figure = make_flow("arrays", AUGMENT, batch_size=1).show()
        assert figure.get_suptitle().startswith("Next batch: 1 sample\n")

    def test_several_inputs_and_masks(self, drawn: Any) -> None:
        generator = MultiDirImageDataGenerator()
        x, y = [UNIT_IMAGES, LABELS], {"cell": MASKS, "edge": [MASKS > 2, MASKS[..., None]]}
        flow = generator.flow_segmentation(x, y, shuffle=False)
        flow.show(mask_names={3: "three"})
        np.testing.assert_array_equal(drawn["images"], UNIT_IMAGES.astype("float32"))
        assert [layer.name for layer in drawn["layers"]] == ["cell", "edge_0", "edge_1"]
        assert [[area.name for area in layer.areas] for layer in drawn["layers"]] == [
            ["1", "2", "three"],
            ["1"],
            ["1", "2", "three"],
        ]

    def test_masks_whose_names_become_equal(self, drawn: Any) -> None:
        y = {"a b": MASKS, "a_b": MASKS > 2}
        MultiDirImageDataGenerator().flow_segmentation(UNIT_IMAGES, y).show()
        assert [layer.name for layer in drawn["layers"]] == ["a_b", "a_b"]
        assert [len(layer.areas) for layer in drawn["layers"]] == [3, 1]

    def test_masks_that_are_not_shown_are_not_in_the_legend(self, drawn: Any) -> None:
        masks = np.arange(COUNT)[:, np.newaxis, np.newaxis] * np.ones(IMAGES.shape[1:3], int)
        flow = MultiDirImageDataGenerator().flow_segmentation(UNIT_IMAGES, masks, shuffle=False)
        flow.show(3)
        assert [area.name for area in drawn["layers"][0].areas] == ["1", "2"]

    @pytest.mark.parametrize("labels", [None, LABELS])
    def test_further_inputs_of_arrays(self, drawn: Any, labels: Any) -> None:
        flow = MultiDirImageDataGenerator().flow([UNIT_IMAGES, LABELS], labels, shuffle=False)
        flow.show()
        np.testing.assert_array_equal(drawn["images"], UNIT_IMAGES.astype("float32"))

    @pytest.mark.parametrize("class_mode", [None, "input", "sparse"])
    def test_class_modes(self, make_flow: MakeFlow, drawn: Any, class_mode: str | None) -> None:
        flow = make_flow("directories", UNIT, class_mode=class_mode, shuffle=False)
        flow.show()
        assert drawn["captions"][0].startswith("ants · ")
        batch = next(flow)
        images = batch if class_mode is None else batch[0]
        np.testing.assert_array_equal(drawn["images"], images[:16].astype(np.float64))

    def test_channels_first(self, drawn: Any) -> None:
        generator = MultiDirImageDataGenerator(data_format="channels_first")
        x, y = np.moveaxis(UNIT_IMAGES, -1, 1), np.moveaxis(np.eye(4)[MASKS], -1, 1)
        flow = generator.flow_segmentation(x, y, shuffle=False)
        flow.show()
        np.testing.assert_array_equal(drawn["images"], UNIT_IMAGES.astype("float32"))
        np.testing.assert_array_equal(painted(drawn["layers"][0]), MASKS != 0)


class TestShowAugmentations:
    def test_begins_with_the_sample_as_it_is(
        self, make_flow: MakeFlow, drawn: Any, kind: str
    ) -> None:
        make_flow(kind, AUGMENT).show_augmentations(4, count=3)
        assert drawn["captions"] == ["as it is", "draw 1", "draw 2", "draw 3"]
        plain = make_flow(kind, UNIT, shuffle=False, batch_size=5)
        np.testing.assert_array_equal(drawn["images"][0], next(plain)[0][4].astype(np.float64))
        assert len({image.tobytes() for image in drawn["images"]}) == 4

    def test_per_sample_draws_are_those_of_the_epochs(
        self, make_flow: MakeFlow, drawn: Any, kind: str
    ) -> None:
        options = {"batch_size": 4, "shuffle": False, "seed": 1}
        flow = make_flow(kind, {**AUGMENT, "rng": "per_sample"}, **options)
        flow.on_epoch_end()
        flow.show_augmentations(2, count=3)
        for draw in (1, 2, 3):
            images, labels = flow[0]
            np.testing.assert_array_equal(drawn["images"][draw], images[2].astype(np.float64))
            if "mask" in kind:
                shown = painted(drawn["layers"][0])[draw]
                np.testing.assert_array_equal(shown, labels[2] != 0)
            flow.on_epoch_end()

    def test_after_the_last_batch_they_are_those_of_the_next_epoch(
        self, make_flow: MakeFlow, drawn: Any
    ) -> None:
        options = {"batch_size": COUNT, "shuffle": False, "seed": 1}
        flow = make_flow("arrays", {**AUGMENT, "rng": "per_sample"}, **options)
        next(flow)
        flow.show_augmentations(2, count=1)
        np.testing.assert_array_equal(drawn["images"][1], next(flow)[0][2].astype(np.float64))

    def test_a_seed_makes_them_the_same(self, make_flow: MakeFlow, drawn: Any) -> None:
        shown = []
        for seed in (1, 1, 2):
            np.random.seed(len(shown))
            make_flow("arrays", AUGMENT, seed=seed).show_augmentations()
            shown.append(drawn["images"].tobytes())
        assert shown[0] == shown[1] != shown[2]

    def test_own_methods_are_called(self, make_flow: MakeFlow, drawn: Any) -> None:
        class Turned(MultiDirImageDataGenerator):
            def get_random_transform(self, img_shape: Any, seed: Any = None) -> dict[str, Any]:
                return {**super().get_random_transform(img_shape, seed), "flip_vertical": True}

        make_flow("arrays", Turned(**UNIT)).show_augmentations(2, count=1)
        image = make_flow("arrays", UNIT, shuffle=False)[0][0][2]
        np.testing.assert_array_equal(drawn["images"], [image, image[::-1]])

    def test_names_the_sample(self, make_flow: MakeFlow) -> None:
        flow = make_flow("directories", {})
        for index, name in [(5, "bees · images (index 5)"), (-1, "cats · images (index 10)")]:
            assert flow.show_augmentations(index).get_suptitle().startswith(f"{name}\n")

    def test_validation_images_that_are_left_alone(self, make_flow: MakeFlow, drawn: Any) -> None:
        arguments = {**AUGMENT, "validation_split": 0.5, "augment_validation": False}
        make_flow("masks", arguments, subset="validation").show_augmentations(count=1)
        np.testing.assert_array_equal(drawn["images"][0], drawn["images"][1])


class TestCaptions:
    @pytest.mark.parametrize(
        ("labels", "expected"),
        [
            (None, "sample 1"),
            ([3, 4], "4"),
            (["ants", "bees"], "bees"),
            ([[0.5], [1.5]], "1.5"),
            (np.array([0.1, 0.2], "float32"), "0.2"),
            ([[0], [1]], "1"),
            ([[1, 0, 0], [0, 0, 1]], "2"),
            ([[1, 0, 0], [0, 1, 1]], "sample 1"),
            ([[0.2, 0.3], [0.4, 0.6]], "sample 1"),
            (np.zeros((2, 4, 4)), "sample 1"),
        ],
    )
    def test_arrays(self, labels: Any, expected: str) -> None:
        flow = MultiDirImageDataGenerator().flow(IMAGES[:2], labels)
        assert flow.caption(1) == expected

    def test_directories(self, make_tree: Any) -> None:
        files = [f"{name}/{number}.png" for name in ("ants", "bees") for number in range(3)]
        roots = {"north": make_tree("a", files), "south": make_tree("b", files)}
        flow = MultiDirImageDataGenerator().flow_from_directories(roots)
        captions = [flow.caption(position) for position in range(flow.samples)]
        source_names = {"a": "north", "b": "south"}
        parts = [pathlib.Path(name).parts for name in flow.filenames]
        assert captions == [f"{part[1]} · {source_names[part[0]]}" for part in parts]

    def test_dataframes(self, three_classes: pathlib.Path) -> None:
        frame = pd.DataFrame(
            {
                "filename": ["ants/0.png", "bees/1.png"],
                "class": [["small", "red"], ["small"]],
                "size": [1.5, 2.5],
            }
        )
        generator = MultiDirImageDataGenerator()
        flow = generator.flow_from_dataframe(frame, three_classes)
        assert [flow.caption(0), flow.caption(1)] == ["small, red", "small"]
        flow = generator.flow_from_dataframe(frame, three_classes, y_col="size", class_mode="raw")
        assert [flow.caption(0), flow.caption(1)] == ["0.png", "1.png"]

    def test_segmentation(self, make_flow: MakeFlow) -> None:
        arguments = {"validation_split": 0.5}
        assert make_flow("masks", arguments, subset="training").caption(1) == "sample 6"
        flow = make_flow("mask folders", arguments, subset="training")
        paths = [pathlib.Path(path) for path in flow.filepaths]
        captions = [flow.caption(position) for position in range(flow.n)]
        assert captions == [f"{path.name} · {path.parent.name}" for path in paths]
        assert flow.caption(-1) == captions[-1]
        assert {path.parent.name for path in paths} == set(CLASS_NAMES)


class TestErrors:
    def test_without_matplotlib(self, make_flow: MakeFlow, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "matplotlib", None)
        message = "Showing a flow needs matplotlib, .* extra `notebooks`, .* pip install matplotlib"
        flow = make_flow("arrays", {})
        for picture in (flow.show, flow.show_augmentations):
            with pytest.raises(ImportError, match=message):
                picture()

    @pytest.mark.parametrize("number", [0, -1, 2.5, "3", True])
    def test_numbers(self, make_flow: MakeFlow, number: Any) -> None:
        flow = make_flow("arrays", {})
        for name, picture in [
            ("max_samples", flow.show),
            ("columns", flow.show),
            ("count", flow.show_augmentations),
            ("columns", flow.show_augmentations),
        ]:
            with pytest.raises(ValueError, match=f"`{name}` must be a positive integer. Received"):
                picture(**{name: number})

    def test_names_of_masks(self, make_flow: MakeFlow) -> None:
        flow = make_flow("masks", {})
        for picture in (flow.show, flow.show_augmentations):
            for names in (["ground", "cell"], "cell", np.arange(3)):
                with pytest.raises(TypeError, match="`mask_names` must be None or a dict"):
                    picture(mask_names=names)
        with pytest.raises(ValueError, match="`mask_names` are for flows with masks"):
            make_flow("arrays", {}).show(mask_names={1: "cell"})

    def test_no_such_sample(self, make_flow: MakeFlow) -> None:
        flow = make_flow("arrays", {})
        for index in (COUNT, -COUNT - 1):
            with pytest.raises(IndexError, match=f"one of {COUNT} samples. Received: {index}"):
                flow.show_augmentations(index)
        with pytest.raises(TypeError):
            flow.show_augmentations(1.5)

    def test_no_sample(self, tmp_path: pathlib.Path) -> None:
        (tmp_path / "ants").mkdir()
        flow = MultiDirImageDataGenerator().flow_from_directory(tmp_path)
        with pytest.raises(ValueError, match="There is nothing to show"):
            flow.show()
