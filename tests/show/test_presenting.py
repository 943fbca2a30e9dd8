"""`show`, `show_augmentations`, `caption`: they tell what comes, and change none of it."""

from __future__ import annotations

import copy
import pathlib
import random
import sys
from collections.abc import Callable, Mapping
from typing import Any

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from comparison import fingerprint, random_state

from multiflow import MultiDirImageDataGenerator
from multiflow.samples import write_segmentation_samples
from multiflow.show import figures as showing

IMAGES = np.random.default_rng(0).random((7, 12, 12, 3))
MASKS = (IMAGES[..., 0] * 4).astype("uint8")
LABELS = np.array([0, 1, 2, 0, 1, 2, 0])
AUGMENT: dict[str, Any] = {"rotation_range": 40, "width_shift_range": 0.2, "horizontal_flip": True}
FLOWS = ["arrays", "directory", "directories", "dataframe", "segmentation", "segmentation files"]
Make = Callable[..., Any]


@pytest.fixture
def make(tmp_path: pathlib.Path, three_classes: pathlib.Path) -> Make:
    """A function that makes a flow of a kind, from a generator with some arguments."""
    pairs = write_segmentation_samples(tmp_path / "pairs")
    names = [f"ants/{number}.png" for number in range(5)]
    frame = pd.DataFrame({"filename": names, "class": list("abaab")})

    def make_flow(
        kind: str, arguments: Mapping[str, Any] = AUGMENT, cls: Any = None, **options: Any
    ) -> Any:
        scale = {} if kind in ("arrays", "segmentation") else {"rescale": 1 / 255}
        generator = (cls or MultiDirImageDataGenerator)(**{**scale, **arguments})
        files = {"target_size": (10, 10), **options}
        if kind == "arrays":
            return generator.flow(IMAGES, LABELS, **options)
        if kind == "directory":
            return generator.flow_from_directory(three_classes, **files)
        if kind == "directories":
            return generator.flow_from_directories([three_classes], **files)
        if kind == "dataframe":
            return generator.flow_from_dataframe(frame, three_classes, **files)
        if kind == "segmentation":
            return generator.flow_segmentation(IMAGES, MASKS, **options)
        return generator.flow_segmentation_from_directories(*pairs, **files)

    return make_flow


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What the last figure was made of."""
    drawn: dict[str, Any] = {}
    draw = showing.draw

    def watch(images: np.ndarray, captions: Any, **options: Any) -> Any:
        drawn.update(images=images, captions=captions, **options)
        return draw(images, captions, **options)

    monkeypatch.setattr(showing, "draw", watch)
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
    @pytest.mark.parametrize("kind", FLOWS)
    @pytest.mark.parametrize("rng", ["keras", "per_sample"])
    @pytest.mark.parametrize("seed", [None, 3])
    def test_batches(self, make: Make, kind: str, rng: str, seed: int | None) -> None:
        def restless(image: np.ndarray) -> np.ndarray:
            return image * np.random.random() * random.random()

        arguments = {**AUGMENT, "rng": rng, "preprocessing_function": restless}
        flow = make(kind, arguments, batch_size=3, seed=seed)
        other = copy.deepcopy(flow)
        for each in (flow, other):
            np.random.seed(5)
            random.seed(5)
            for step in range(6):
                if each is flow:
                    before = random_state(), random.getstate()
                    present(flow)
                    assert (random_state(), random.getstate()) == before
                batch = next(each) if step % 3 else each[step % 2]
                if step == 3:
                    each.on_epoch_end()
                if each is flow:
                    vars(other).setdefault("expected", []).append(fingerprint(batch))
                else:
                    assert fingerprint(batch) == vars(other)["expected"].pop(0)

    def test_pyplot_and_its_settings(self, make: Make) -> None:
        settings = dict(mpl.rcParams)
        present(make("arrays"))
        assert plt.get_fignums() == []
        assert dict(mpl.rcParams) == settings

    def test_no_file_is_saved(self, make: Make, tmp_path: pathlib.Path) -> None:
        (tmp_path / "out").mkdir()
        flow = make("arrays", save_to_dir=tmp_path / "out")
        present(flow)
        assert not list((tmp_path / "out").iterdir())
        next(flow)
        assert len(list((tmp_path / "out").iterdir())) == 7

    @pytest.mark.parametrize("name", ["show", "show_augmentations"])
    def test_random_numbers_when_a_function_fails(self, make: Make, name: str) -> None:
        def fail(image: np.ndarray) -> np.ndarray:
            np.random.random(), random.random()
            raise RuntimeError("in a function of the user")

        flow = make("arrays", {**AUGMENT, "preprocessing_function": fail}, seed=1)
        before = random_state(), random.getstate()
        with pytest.raises(RuntimeError, match="of the user"):
            getattr(flow, name)()
        assert (random_state(), random.getstate()) == before

    def test_another_generator_in_the_place_of_the_global_one(self, make: Make) -> None:
        usual = np.random.get_bit_generator()
        np.random.set_bit_generator(np.random.PCG64(1))
        try:
            before = str(np.random.get_state(legacy=False))
            present(make("arrays"))
            assert str(np.random.get_state(legacy=False)) == before
        finally:
            np.random.set_bit_generator(usual)

    def test_arrays(self, make: Make) -> None:
        images, masks = IMAGES.copy(), MASKS.copy()
        present(make("segmentation"))
        np.testing.assert_array_equal(IMAGES, images)
        np.testing.assert_array_equal(MASKS, masks)


class TestShow:
    @pytest.mark.parametrize("kind", FLOWS)
    @pytest.mark.parametrize("rng", ["keras", "per_sample"])
    def test_is_the_next_batch(self, make: Make, drawn: Any, kind: str, rng: str) -> None:
        flow = make(kind, {**AUGMENT, "rng": rng}, batch_size=3)
        for _ in range(4):
            flow.show()
            batch = next(flow)
            images = batch[0]
            np.testing.assert_array_equal(drawn["images"], images.astype(np.float64))
            if "segmentation" in kind:
                [layer] = drawn["layers"]
                np.testing.assert_array_equal(painted(layer), batch[1] != 0)
            assert drawn["captions"] == list(map(flow.caption, self.positions(flow, len(images))))

    @staticmethod
    def positions(flow: Any, count: int) -> list[int]:
        """Those of the batch that `next` has just given."""
        stop = flow.batch_index * flow.batch_size or flow.n
        return flow.index_array[stop - count : stop].tolist()

    def test_saving_and_drawing_in_a_function_for_masks(self, tmp_path: Any, drawn: Any) -> None:
        def roll(mask: np.ndarray) -> np.ndarray:
            return np.roll(mask, np.random.randint(12), 0)

        flow = MultiDirImageDataGenerator().flow_segmentation(
            IMAGES, MASKS, seed=1, save_to_dir=tmp_path, mask_preprocessing_function=roll
        )
        flow.show()
        np.testing.assert_array_equal(painted(drawn["layers"][0]), next(flow)[1] != 0)

    def test_at_most_some_samples(self, make: Make, drawn: Any) -> None:
        flow = make("arrays")
        figure = flow.show(max_samples=5, columns=2)
        captions = drawn["captions"]
        assert len(drawn["images"]) == len(captions) == len(figure.axes) == 5
        assert figure.get_suptitle().startswith("Next batch: 5 of 7 samples\n12 × 12 × 3, float32")
        figure = flow.show()
        assert figure.get_suptitle().startswith("Next batch: 7 samples\n")
        assert (
            make("arrays", batch_size=1).show().get_suptitle().startswith("Next batch: 1 sample\n")
        )
        images, labels = next(flow)
        assert captions == list(map(str, labels[:5]))
        lowest, highest = (f"{round(float(value), 2):g}" for value in (images.min(), images.max()))
        assert figure.get_suptitle().endswith(f"values {lowest} to {highest}")

    def test_several_inputs_and_masks(self, drawn: Any) -> None:
        generator = MultiDirImageDataGenerator()
        x, y = [IMAGES, LABELS], {"cell": MASKS, "edge": [MASKS > 2, MASKS[..., None]]}
        flow = generator.flow_segmentation(x, y, shuffle=False)
        flow.show(mask_names={3: "three"})
        np.testing.assert_array_equal(drawn["images"], IMAGES.astype("float32"))
        assert [layer.name for layer in drawn["layers"]] == ["cell", "edge_0", "edge_1"]
        assert [[area.name for area in layer.areas] for layer in drawn["layers"]] == [
            ["1", "2", "three"],
            ["1"],
            ["1", "2", "three"],
        ]

    def test_masks_whose_names_become_equal(self, drawn: Any) -> None:
        y = {"a b": MASKS, "a_b": MASKS > 2}
        MultiDirImageDataGenerator().flow_segmentation(IMAGES, y).show()
        assert [layer.name for layer in drawn["layers"]] == ["a_b", "a_b"]
        assert [len(layer.areas) for layer in drawn["layers"]] == [3, 1]

    def test_masks_that_are_not_shown_are_not_in_the_legend(self, drawn: Any) -> None:
        masks = np.arange(7)[:, np.newaxis, np.newaxis] * np.ones((12, 12), int)
        flow = MultiDirImageDataGenerator().flow_segmentation(IMAGES, masks, shuffle=False)
        flow.show(3)
        assert [area.name for area in drawn["layers"][0].areas] == ["1", "2"]

    @pytest.mark.parametrize("labels", [None, LABELS])
    def test_further_inputs_of_arrays(self, drawn: Any, labels: Any) -> None:
        flow = MultiDirImageDataGenerator().flow([IMAGES, LABELS], labels, shuffle=False)
        flow.show()
        np.testing.assert_array_equal(drawn["images"], IMAGES.astype("float32"))

    @pytest.mark.parametrize("class_mode", [None, "input", "sparse"])
    def test_class_modes(self, make: Make, drawn: Any, class_mode: str | None) -> None:
        flow = make("directories", class_mode=class_mode, shuffle=False)
        flow.show()
        assert drawn["captions"][0].startswith("ants · ")
        batch = next(flow)
        images = batch if class_mode is None else batch[0]
        np.testing.assert_array_equal(drawn["images"], images[:16].astype(np.float64))

    def test_channels_first(self, drawn: Any) -> None:
        generator = MultiDirImageDataGenerator(data_format="channels_first")
        x, y = np.moveaxis(IMAGES, -1, 1), np.moveaxis(np.eye(4)[MASKS], -1, 1)
        flow = generator.flow_segmentation(x, y, shuffle=False)
        flow.show()
        np.testing.assert_array_equal(drawn["images"], IMAGES.astype("float32"))
        np.testing.assert_array_equal(painted(drawn["layers"][0]), MASKS != 0)


class TestShowAugmentations:
    @pytest.mark.parametrize("kind", FLOWS)
    def test_begins_with_the_sample_as_it_is(self, make: Make, drawn: Any, kind: str) -> None:
        make(kind).show_augmentations(4, count=3)
        assert drawn["captions"] == ["as it is", "draw 1", "draw 2", "draw 3"]
        plain = make(kind, {}, shuffle=False, batch_size=5)
        np.testing.assert_array_equal(drawn["images"][0], next(plain)[0][4].astype(np.float64))
        assert len({image.tobytes() for image in drawn["images"]}) == 4

    @pytest.mark.parametrize("kind", FLOWS)
    def test_per_sample_draws_are_those_of_the_epochs(
        self, make: Make, drawn: Any, kind: str
    ) -> None:
        options = {"batch_size": 4, "shuffle": False, "seed": 1}
        flow = make(kind, {**AUGMENT, "rng": "per_sample"}, **options)
        flow.on_epoch_end()
        flow.show_augmentations(2, count=3)
        for draw in (1, 2, 3):
            images, labels = flow[0]
            np.testing.assert_array_equal(drawn["images"][draw], images[2].astype(np.float64))
            if "segmentation" in kind:
                shown = painted(drawn["layers"][0])[draw]
                np.testing.assert_array_equal(shown, labels[2] != 0)
            flow.on_epoch_end()

    def test_after_the_last_batch_they_are_those_of_the_next_epoch(
        self, make: Make, drawn: Any
    ) -> None:
        options = {"batch_size": 7, "shuffle": False, "seed": 1}
        flow = make("arrays", {**AUGMENT, "rng": "per_sample"}, **options)
        next(flow)
        flow.show_augmentations(2, count=1)
        np.testing.assert_array_equal(drawn["images"][1], next(flow)[0][2].astype(np.float64))

    def test_a_seed_makes_them_the_same(self, make: Make, drawn: Any) -> None:
        shown = []
        for seed in (1, 1, 2):
            np.random.seed(len(shown))
            make("arrays", seed=seed).show_augmentations()
            shown.append(drawn["images"].tobytes())
        assert shown[0] == shown[1] != shown[2]

    def test_own_methods_are_called(self, make: Make, drawn: Any) -> None:
        class Turned(MultiDirImageDataGenerator):
            def get_random_transform(self, img_shape: Any, seed: Any = None) -> dict[str, Any]:
                return {**super().get_random_transform(img_shape, seed), "flip_vertical": True}

        make("arrays", {}, cls=Turned).show_augmentations(2, count=1)
        image = IMAGES[2].astype("float32")
        np.testing.assert_array_equal(drawn["images"], [image, image[::-1]])

    def test_names_the_sample(self, make: Make) -> None:
        flow = make("directories")
        assert (
            flow.show_augmentations(5).get_suptitle().startswith("bees · three_classes (index 5)\n")
        )
        assert (
            flow.show_augmentations(-1)
            .get_suptitle()
            .startswith("cats · three_classes (index 11)\n")
        )

    def test_validation_images_that_are_left_alone(self, make: Make, drawn: Any) -> None:
        arguments = {**AUGMENT, "validation_split": 0.5, "augment_validation": False}
        make("segmentation", arguments, subset="validation").show_augmentations(count=1)
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

    def test_segmentation(self, make: Make) -> None:
        arguments = {"validation_split": 0.5}
        assert make("segmentation", arguments, subset="training").caption(1) == "sample 4"
        flow = make("segmentation files", arguments, subset="training")
        paths = [pathlib.Path(path) for path in flow.filepaths]
        for position in (0, -1):
            source = paths[position].parent.parent.name
            assert flow.caption(position) == f"{paths[position].name} · {source}"


class TestErrors:
    def test_without_matplotlib(self, make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "matplotlib", None)
        message = "Showing a flow needs matplotlib, .* extra `notebooks`, .* pip install matplotlib"
        for picture in (make("arrays").show, make("arrays").show_augmentations):
            with pytest.raises(ImportError, match=message):
                picture()

    @pytest.mark.parametrize("number", [0, -1, 2.5, "3", True])
    def test_numbers(self, make: Make, number: Any) -> None:
        flow = make("arrays")
        for name, picture in [
            ("max_samples", flow.show),
            ("columns", flow.show),
            ("count", flow.show_augmentations),
            ("columns", flow.show_augmentations),
        ]:
            with pytest.raises(ValueError, match=f"`{name}` must be a positive integer. Received"):
                picture(**{name: number})

    def test_names_of_masks(self, make: Make) -> None:
        for picture in (make("segmentation").show, make("segmentation").show_augmentations):
            for names in (["ground", "cell"], "cell", np.arange(3)):
                with pytest.raises(TypeError, match="`mask_names` must be None or a dict"):
                    picture(mask_names=names)
        with pytest.raises(ValueError, match="`mask_names` are for flows with masks"):
            make("arrays").show(mask_names={1: "cell"})

    def test_no_such_sample(self, make: Make) -> None:
        for index in (7, -8):
            with pytest.raises(IndexError, match=f"one of 7 samples. Received: {index}"):
                make("arrays").show_augmentations(index)
        with pytest.raises(TypeError):
            make("arrays").show_augmentations(1.5)

    def test_no_sample(self, tmp_path: pathlib.Path) -> None:
        (tmp_path / "ants").mkdir()
        flow = MultiDirImageDataGenerator().flow_from_directory(tmp_path)
        with pytest.raises(ValueError, match="There is nothing to show"):
            flow.show()
