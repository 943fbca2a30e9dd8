"""Images with masks: against Keras' own images and Keras' own warp of masks, pair by pair."""

from __future__ import annotations

import copy
import pathlib
import pickle
import re
from typing import Any, NamedTuple

import h5py
import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from multiflow import MultiDirImageDataGenerator, _keras

GEOMETRIC = {
    "rotation_range": 40,
    "width_shift_range": 0.2,
    "height_shift_range": [-3, 1, 2],
    "shear_range": 15,
    "zoom_range": (0.6, 1.3),
    "horizontal_flip": True,
    "vertical_flip": True,
}
PHOTOMETRIC = {"channel_shift_range": 30.0, "brightness_range": (0.4, 1.6), "rescale": 1 / 255}
FILL_MODES = ["nearest", "constant", "reflect", "wrap"]


def make_images(num_channels: int = 3, *, channels_first: bool = False) -> np.ndarray:
    images = np.random.default_rng(0).integers(0, 256, (11, 14, 9, num_channels), dtype=np.uint8)
    return np.moveaxis(images, -1, 1) if channels_first else images


def make_masks(dtype: Any, *channels: int) -> np.ndarray:
    top = 2 if dtype == "bool" else 7
    return np.random.default_rng(1).integers(0, top, (11, 14, 9, *channels)).astype(dtype)


UINT8 = make_masks("uint8")


class NamedMasks(NamedTuple):
    cell: np.ndarray
    edge: np.ndarray


CONSTANT = {"mask_fill_mode": "constant"}
FILLED = {"fill_mode": "constant"}


class KerasPairs:
    """Keras' own `flow` over images, and Keras' own warp at order 0 over the masks it met."""

    def __init__(self, generator: dict[str, Any], images: Any, masks: Any, **flow: Any) -> None:
        self.draws: list[Any] = []
        recorder = self

        class Recording(_keras.ImageDataGenerator):
            def get_random_transform(self, img_shape: Any, seed: Any = None) -> Any:
                parameters = super().get_random_transform(img_shape, seed)
                recorder.draws.append(parameters)
                return parameters

        self.masks = masks
        self.images = Recording(**generator).flow(images, **flow)
        warp = {name: generator[name] for name in ("fill_mode", "data_format") if name in generator}
        self.warp = _keras.ImageDataGenerator(interpolation_order=0, **warp)

    def batch(self, how: Any, cval: float = 0, fill_mode: str | None = None) -> Any:
        """What `how` gives for the images, with the masks of the same samples."""
        self.draws.clear()
        images = how(self.images)
        samples = self.indices(how)
        return images, np.stack(
            [self.warped(s, d, cval, fill_mode) for s, d in zip(samples, self.draws, strict=True)]
        )

    def indices(self, how: Any) -> Any:
        if how is next:
            position = (self.images.batch_index or len(self.images)) - 1
        else:
            position = how(range(len(self.images)))
        size = self.images.batch_size
        return self.images.index_array[position * size : (position + 1) * size]

    def warped(self, sample: int, draw: Any, cval: float, fill_mode: str | None) -> np.ndarray:
        draw = {**draw, "channel_shift_intensity": None, "brightness": None}
        warp = copy.copy(self.warp)
        warp.cval = cval
        warp.fill_mode = fill_mode or warp.fill_mode
        mask = self.masks[sample]
        if mask.ndim == 3:
            return warp.apply_transform(mask, draw)
        axis = warp.channel_axis - 1
        return warp.apply_transform(np.expand_dims(mask, axis), draw).squeeze(axis)


def assert_same_pairs(
    generator: dict[str, Any], images: Any, masks: Any, *, cval: float = 0, **flow: Any
) -> None:
    """Over several epochs, by `next` and by index, with the same state of the global generator."""
    arguments = {"batch_size": 4, "seed": 5, **flow}
    np.random.seed(2)
    theirs = KerasPairs(generator, images, masks, **arguments)
    events: list[Any] = [next] * 7 + [lambda flow, i=i: flow[i] for i in (0, 0)]
    expected = []
    for how in events:
        expected.append((theirs.batch(how, cval), np.random.get_state()))
    np.random.seed(2)
    ours = MultiDirImageDataGenerator(**generator).flow_segmentation(
        images, masks, mask_cval=cval, **arguments
    )
    for how, ((their_images, their_masks), state) in zip(events, expected, strict=True):
        our_images, our_masks = how(ours)
        assert our_images.dtype == their_images.dtype
        assert our_images.tobytes() == their_images.tobytes()
        assert our_masks.dtype == masks.dtype
        np.testing.assert_array_equal(our_masks, their_masks)
        np.testing.assert_equal(np.random.get_state(), state)


class TestAgainstKeras:
    @pytest.mark.parametrize("fill_mode", FILL_MODES)
    @pytest.mark.parametrize("dtype", ["uint8", "uint16", "int64", "bool", "float32"])
    def test_fill_modes_and_dtypes(self, fill_mode: str, dtype: str) -> None:
        generator = {**GEOMETRIC, **PHOTOMETRIC, "fill_mode": fill_mode, "cval": 9.0}
        assert_same_pairs(generator, make_images(), make_masks(dtype), cval=1)

    @pytest.mark.parametrize("num_channels", [1, 2, 3, 4, 5, 6])
    @pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
    @pytest.mark.filterwarnings("ignore:NumpyArrayIterator is set to use the data format")
    def test_channels_of_images(self, num_channels: int, data_format: str) -> None:
        images = make_images(num_channels, channels_first=data_format == "channels_first")
        generator = {**GEOMETRIC, "data_format": data_format, "channel_shift_range": 20.0}
        assert_same_pairs(generator, images, make_masks("uint8"))

    @pytest.mark.parametrize("num_channels", [1, 2, 5])
    @pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
    def test_channels_of_masks(self, num_channels: int, data_format: str) -> None:
        channels_first = data_format == "channels_first"
        masks = make_masks("int32", num_channels)
        masks = np.moveaxis(masks, -1, 1) if channels_first else masks
        images = make_images(channels_first=channels_first)
        assert_same_pairs({**GEOMETRIC, "data_format": data_format}, images, masks)

    @pytest.mark.parametrize(
        "generator",
        [
            {},
            {"interpolation_order": 3, **GEOMETRIC},
            {"samplewise_center": True, "samplewise_std_normalization": True, **GEOMETRIC},
            {"preprocessing_function": lambda image: image + np.random.random(), **GEOMETRIC},
            {"dtype": "float64", **GEOMETRIC},
        ],
    )
    @pytest.mark.parametrize(
        "flow", [{}, {"seed": None}, {"shuffle": False}, {"batch_size": 11}, {"batch_size": 50}]
    )
    def test_generators_and_orders(self, generator: Any, flow: Any) -> None:
        assert_same_pairs(generator, make_images(), make_masks("uint8"), **flow)

    @pytest.mark.parametrize("subset", ["training", "validation"])
    def test_subsets(self, subset: str) -> None:
        images, masks = make_images(), make_masks("uint8")
        part = slice(4, None) if subset == "training" else slice(4)
        generator = {**GEOMETRIC, "validation_split": 0.4}
        theirs = _keras.ImageDataGenerator(**generator).flow(images[part], seed=1)
        ours = MultiDirImageDataGenerator(**generator).flow_segmentation(
            images, masks, seed=1, subset=subset
        )
        np.testing.assert_array_equal(next(ours)[0], next(theirs))
        plain = MultiDirImageDataGenerator(validation_split=0.4).flow_segmentation(
            images, masks, shuffle=False, subset=subset
        )
        np.testing.assert_array_equal(next(plain)[1], masks[part])

    def test_saved_images(self, tmp_path: pathlib.Path) -> None:
        for name in ("theirs", "ours"):
            (tmp_path / name).mkdir()
        save = {"seed": 1, "save_prefix": "x", "save_format": "png"}
        images = make_images()
        next(
            _keras.ImageDataGenerator(**GEOMETRIC).flow(
                images, save_to_dir=tmp_path / "theirs", **save
            )
        )
        state = np.random.get_state()
        generator = MultiDirImageDataGenerator(**GEOMETRIC)
        next(
            generator.flow_segmentation(
                images, make_masks("uint8"), save_to_dir=tmp_path / "ours", **save
            )
        )
        np.testing.assert_equal(np.random.get_state(), state)
        theirs = {path.name: path.read_bytes() for path in (tmp_path / "theirs").iterdir()}
        ours = {path.name: path.read_bytes() for path in (tmp_path / "ours").iterdir()}
        assert theirs.items() <= ours.items()
        assert ours.keys() - theirs.keys() == {f"{name[:-4]}_mask.png" for name in theirs}


SIZES = st.tuples(st.integers(1, 12), st.integers(1, 12))
SETTINGS = st.fixed_dictionaries(
    {
        "rotation_range": st.sampled_from([0, 20, 180]),
        "width_shift_range": st.sampled_from([0.0, 0.3, 2]),
        "height_shift_range": st.sampled_from([0.0, 0.9, [1, 5]]),
        "shear_range": st.sampled_from([0, 30]),
        "zoom_range": st.sampled_from([0.0, 0.5, (0.2, 3.0)]),
        "horizontal_flip": st.booleans(),
        "vertical_flip": st.booleans(),
        "fill_mode": st.sampled_from(FILL_MODES),
        "data_format": st.sampled_from(["channels_last", "channels_first"]),
    }
)


class TestProperties:
    @settings(max_examples=80, deadline=None)
    @given(SETTINGS, SIZES, st.sampled_from(["uint8", "int64", "bool", "float32"]), st.data())
    def test_masks_gain_no_value(self, generator: Any, size: Any, dtype: str, data: Any) -> None:
        rng = np.random.default_rng(data.draw(st.integers(0, 100)))
        channels = data.draw(st.sampled_from([(), (1,), (3,)]))
        masks = rng.integers(0, 2 if dtype == "bool" else 256, (3, *size, *channels)).astype(dtype)
        images = np.zeros((3, *size, 1))
        if generator["data_format"] == "channels_first":
            images = np.moveaxis(images, -1, 1)
            masks = np.moveaxis(masks, -1, 1) if channels else masks
        before = masks.copy()
        flow = MultiDirImageDataGenerator(**generator).flow_segmentation(
            images, masks, seed=1, shuffle=False, mask_cval=1
        )
        _, warped = next(flow)
        assert warped.shape == masks.shape
        assert warped.dtype == masks.dtype
        for mask, original in zip(warped, masks, strict=True):
            fill = {1} if generator["fill_mode"] == "constant" else set()
            assert set(mask.ravel().tolist()) <= set(original.ravel().tolist()) | fill
        np.testing.assert_array_equal(masks, before)

    @settings(max_examples=80, deadline=None)
    @given(SETTINGS, SIZES)
    def test_image_of_pixel_numbers_stays_equal_to_itself_as_mask(
        self, generator: Any, size: Any
    ) -> None:
        numbers = np.arange(2 * size[0] * size[1], dtype=np.float32)
        images = numbers.reshape(2, *size, 1)
        if generator["data_format"] == "channels_first":
            images = np.moveaxis(images, -1, 1)
        flow = MultiDirImageDataGenerator(interpolation_order=0, cval=0, **generator)
        warped, masks = next(flow.flow_segmentation(images, images, seed=3))
        np.testing.assert_array_equal(warped, masks)

    @given(st.integers(1, 60), st.sampled_from([0.1, 0.25, 0.5, 0.9]))
    def test_subsets_are_disjoint_and_complete(self, num_samples: int, split: float) -> None:
        numbers = np.arange(num_samples).reshape(-1, 1, 1)
        generator = MultiDirImageDataGenerator(validation_split=split)
        seen: list[int] = []
        for subset, count in [
            ("validation", int(num_samples * split)),
            ("training", num_samples - int(num_samples * split)),
        ]:
            if count:
                flow = generator.flow_segmentation(
                    numbers[..., np.newaxis], numbers, batch_size=60, subset=subset
                )
                seen += next(flow)[1].ravel().tolist()
        assert sorted(seen) == list(range(num_samples))

    def test_one_pixel_and_one_sample(self) -> None:
        generator = MultiDirImageDataGenerator(**GEOMETRIC)
        images, masks = next(generator.flow_segmentation(np.ones((1, 1, 1, 5)), np.ones((1, 1, 1))))
        assert (images.shape, masks.shape) == ((1, 1, 1, 5), (1, 1, 1))

    def test_large_integers_are_exact(self) -> None:
        masks = np.full((1, 6, 6), 2**62 + 1)
        flow = MultiDirImageDataGenerator(rotation_range=90).flow_segmentation(
            np.zeros((1, 6, 6, 1)), masks
        )
        assert (next(flow)[1] == 2**62 + 1).all()


def flow(y: Any = None, x: Any = None, **arguments: Any) -> Any:
    own = {"mask_fill_mode", "mask_cval", "num_classes", "mask_preprocessing_function"}
    own |= {"sample_weight", "target_size", "interpolation", "subset", "save_to_dir", "seed"}
    own |= {"shuffle", "batch_size", "save_prefix", "workers"}
    generator = {name: arguments.pop(name) for name in arguments.keys() - own}
    return MultiDirImageDataGenerator(**generator).flow_segmentation(
        make_images() if x is None else x, make_masks("uint8") if y is None else y, **arguments
    )


class TestStructures:
    @pytest.mark.parametrize("kind", [list, tuple])
    def test_sequences(self, kind: type) -> None:
        a, b = make_masks("uint8"), make_masks("bool", 2)
        _, masks = next(flow(kind([a, b]), seed=1, **GEOMETRIC))
        assert type(masks) is kind
        for one, alone in zip(masks, (a, b), strict=True):
            np.testing.assert_array_equal(one, next(flow(alone, seed=1, **GEOMETRIC))[1])

    def test_dicts(self) -> None:
        a, b = make_masks("uint8"), make_masks("float32")
        _, masks = next(flow({"a": a, "b": (b, a)}, seed=1, **GEOMETRIC))
        assert masks.keys() == {"a", "b"}
        np.testing.assert_array_equal(masks["a"], masks["b"][1])
        assert masks["b"][0].dtype == np.float32

    def test_named_tuples(self) -> None:
        y = NamedMasks(make_masks("uint8"), make_masks("bool"))
        _, masks = next(flow(y, shuffle=False))
        assert type(masks) is NamedMasks
        np.testing.assert_array_equal(masks.edge, y.edge)

    def test_further_inputs_of_a_subset(self) -> None:
        generator = MultiDirImageDataGenerator(validation_split=0.4)
        inputs = [make_images(), np.arange(11)]
        iterator = generator.flow_segmentation(inputs, UINT8, subset="training", shuffle=False)
        (_, numbers), masks = next(iterator)
        assert numbers.tolist() == list(range(4, 11))
        np.testing.assert_array_equal(masks, UINT8[4:])

    def test_further_inputs(self) -> None:
        numbers, table = np.arange(11), np.random.default_rng(0).random((11, 4))
        iterator = flow(x=[make_images(), numbers, table], seed=1, batch_size=4, subset=None)
        (images, batch_numbers, batch_table), masks = next(iterator)
        np.testing.assert_array_equal(images, make_images()[batch_numbers])
        np.testing.assert_array_equal(masks, make_masks("uint8")[batch_numbers])
        np.testing.assert_array_equal(batch_table, table[batch_numbers])


class TestOptions:
    def test_mask_fill_mode(self) -> None:
        theirs = KerasPairs(GEOMETRIC, make_images(), make_masks("uint8"), seed=5, batch_size=4)
        _, expected = theirs.batch(next, 200, "constant")
        iterator = flow(mask_fill_mode="constant", mask_cval=200, seed=5, batch_size=4, **GEOMETRIC)
        np.testing.assert_array_equal(next(iterator)[1], expected)

    @pytest.mark.parametrize("channels", [(), (1,)])
    def test_num_classes(self, channels: tuple[int, ...]) -> None:
        masks = make_masks("uint8", *channels)
        _, plain = next(flow(masks, seed=1, **GEOMETRIC))
        _, encoded = next(flow(masks, seed=1, num_classes=7, **GEOMETRIC))
        assert encoded.shape == (11, 14, 9, 7)
        assert encoded.dtype == np.float32
        assert set(np.unique(encoded)) == {0.0, 1.0}
        np.testing.assert_array_equal(encoded.argmax(-1), plain.reshape(11, 14, 9))

    def test_one_hot_has_the_dtype_of_the_generator(self) -> None:
        assert next(flow(num_classes=7, dtype="float64"))[1].dtype == np.float64

    def test_num_classes_of_colour_masks_that_a_function_reads(self) -> None:
        colours = make_masks("uint8", 3)
        iterator = flow(
            colours,
            shuffle=False,
            num_classes=7,
            mask_fill_mode="constant",
            mask_cval=200,
            mask_preprocessing_function=lambda mask: mask[..., 0],
        )
        np.testing.assert_array_equal(next(iterator)[1].argmax(-1), colours[..., 0])

    def test_order_of_keys_does_not_matter(self) -> None:
        y = {"a": UINT8, "b": UINT8}
        _, masks = next(flow(y, num_classes={"b": 8, "a": 9}))
        assert (masks["a"].shape[-1], masks["b"].shape[-1]) == (9, 8)

    def test_num_classes_channels_first(self) -> None:
        images = make_images(channels_first=True)
        arguments = {"data_format": "channels_first", "seed": 1}
        _, encoded = next(flow(x=images, num_classes=7, **arguments))
        assert encoded.shape == (11, 7, 14, 9)
        np.testing.assert_array_equal(encoded.argmax(1), next(flow(x=images, **arguments))[1])

    def test_num_classes_of_each_mask(self) -> None:
        y = {"a": make_masks("uint8"), "b": make_masks("float32")}
        _, masks = next(flow(y, num_classes={"a": 9, "b": None}))
        assert masks["a"].shape == (11, 14, 9, 9)
        assert masks["b"].shape == (11, 14, 9)

    def test_mask_preprocessing_function(self) -> None:
        masks = make_masks("uint8") * 40
        iterator = flow(
            masks, shuffle=False, num_classes=7, mask_preprocessing_function=lambda m: m // 40
        )
        np.testing.assert_array_equal(next(iterator)[1].argmax(-1), make_masks("uint8"))

    def test_mask_preprocessing_function_leaves_the_images_alone(self) -> None:
        def draws(mask: np.ndarray) -> np.ndarray:
            mask[:] = np.random.randint(3)
            return mask

        masks = make_masks("uint8")
        with_draws = flow(
            masks, mask_preprocessing_function=draws, seed=1, batch_size=4, **GEOMETRIC
        )
        without = flow(masks, seed=1, batch_size=4, **GEOMETRIC)
        for _ in range(5):
            np.testing.assert_array_equal(next(with_draws)[0], next(without)[0])
        np.testing.assert_array_equal(masks, make_masks("uint8"))

    @pytest.mark.parametrize("interpolation", ["nearest", "bilinear", "bicubic", "lanczos"])
    def test_target_size(self, interpolation: str) -> None:
        images = make_images().astype(np.float32)
        resample = _keras.PIL_INTERPOLATION_METHODS[interpolation]

        def resize(plane: np.ndarray, how: Any) -> np.ndarray:
            return np.asarray(Image.fromarray(plane).resize((20, 7), how))

        expected = np.stack(
            [np.stack([resize(c, resample) for c in np.moveaxis(i, -1, 0)], -1) for i in images]
        )
        masks = [resize(m, Image.Resampling.NEAREST) for m in make_masks("uint8")]
        iterator = flow(x=images, shuffle=False, target_size=(7, 20), interpolation=interpolation)
        batch_images, batch_masks = next(iterator)
        np.testing.assert_array_equal(batch_images, expected)
        np.testing.assert_array_equal(batch_masks, np.stack(masks))

    def test_target_size_comes_before_the_transform(self) -> None:
        _, resized = next(flow(shuffle=False, target_size=(20, 30)))
        images, _ = next(flow(shuffle=False, target_size=(20, 30)))
        at_once = next(flow(target_size=(20, 30), seed=1, **GEOMETRIC))
        in_steps = next(flow(resized, images, seed=1, **GEOMETRIC))
        np.testing.assert_array_equal(at_once[0], in_steps[0])
        np.testing.assert_array_equal(at_once[1], in_steps[1])

    def test_weights_of_samples(self) -> None:
        weights = np.linspace(0, 1, 11)
        _, _, batch = next(flow(sample_weight=weights, shuffle=False, batch_size=4))
        assert batch.shape == (4, 1, 1)
        np.testing.assert_array_equal(batch.ravel(), weights[:4])

    def test_weights_of_pixels_go_with_the_masks(self) -> None:
        masks = make_masks("float32")
        _, warped, weights = next(flow(masks, sample_weight=masks, seed=1, **GEOMETRIC))
        np.testing.assert_array_equal(weights, warped)

    @pytest.mark.parametrize(
        "fill_modes", [("constant", None), ("constant", "nearest"), ("nearest", "constant")]
    )
    def test_weights_of_pixels_are_zero_outside(self, fill_modes: Any) -> None:
        ones = np.ones((11, 14, 9), np.float32)
        arguments = {"fill_mode": fill_modes[0], "mask_fill_mode": fill_modes[1], "seed": 1}
        _, _, weights = next(flow(sample_weight=ones, **arguments, **GEOMETRIC))
        outside = next(flow(ones, mask_fill_mode="constant", seed=1, **GEOMETRIC))[1] == 0
        assert 0.01 < outside.mean() < 0.9
        np.testing.assert_array_equal(weights == 0, outside)

    def test_weights_of_pixels_are_resized_with_the_masks(self) -> None:
        arguments = {"target_size": (20, 30), "seed": 1, **GEOMETRIC}
        _, warped, weights = next(flow(UINT8, sample_weight=UINT8, **arguments))
        np.testing.assert_array_equal(weights, warped)

    def test_weights_in_a_structure(self) -> None:
        y = {"a": make_masks("uint8"), "b": make_masks("uint8")}
        weights = {"a": np.arange(11.0), "b": np.ones((11, 14, 9))}
        _, _, batch = next(flow(y, sample_weight=weights, shuffle=False))
        assert batch["a"].shape == (11, 1, 1)
        assert batch["b"].shape == (11, 14, 9)

    @pytest.mark.parametrize(
        ("dtype", "top", "ending"),
        [
            ("bool", 1, "png"),
            ("uint8", 255, "png"),
            ("int64", 255, "png"),
            ("uint16", 65535, "png"),
            ("int64", 65536, "npy"),
            ("int8", -1, "npy"),
            ("float32", 0.5, "npy"),
        ],
    )
    def test_saved_masks_keep_their_values(
        self, tmp_path: pathlib.Path, dtype: str, top: Any, ending: str
    ) -> None:
        masks = make_masks("bool").astype(dtype) * np.array(top, dtype)
        _, batch = next(flow(masks, save_to_dir=tmp_path, shuffle=False, batch_size=3))
        for index, mask in enumerate(batch):
            [path] = tmp_path.glob(f"_{index}_*_mask.{ending}")
            saved = np.load(path) if ending == "npy" else np.asarray(Image.open(path))
            np.testing.assert_array_equal(saved, mask)

    @pytest.mark.parametrize("value", [-1, 0, 7, 255, 256, 65535, 65536])
    def test_saved_masks_of_one_value(self, tmp_path: pathlib.Path, value: int) -> None:
        masks = np.full((1, 4, 5), value, np.int32)
        next(flow(masks, np.zeros((1, 4, 5, 1)), save_to_dir=tmp_path))
        [path] = tmp_path.glob("*_mask.*")
        assert path.suffix == (".png" if 0 <= value < 65536 else ".npy")
        saved = np.load(path) if path.suffix == ".npy" else np.asarray(Image.open(path))
        np.testing.assert_array_equal(saved, masks[0])

    @pytest.mark.parametrize("shape", [(1, 9, 3), (8, 1, 3), (1, 1)])
    def test_saved_thin_masks(self, tmp_path: pathlib.Path, shape: tuple[int, ...]) -> None:
        masks = np.arange(np.prod(shape), dtype=np.uint8).reshape(1, *shape)
        images = np.zeros((1, *shape[:2], 1))
        next(flow(masks, images, save_to_dir=tmp_path))
        [path] = tmp_path.glob("*_mask.*")
        saved = np.load(path) if path.suffix == ".npy" else np.asarray(Image.open(path))
        np.testing.assert_array_equal(saved, masks[0])

    def test_saved_masks_of_a_structure(self, tmp_path: pathlib.Path) -> None:
        y = {"cell": make_masks("uint8"), "flow field": make_masks("float32", 2)}
        next(flow(y, save_to_dir=tmp_path, batch_size=1))
        assert sorted(re.sub(r"\d+", "0", path.name) for path in tmp_path.iterdir()) == [
            "_0_0.png",
            "_0_0_mask_cell.png",
            "_0_0_mask_flow_field.npy",
        ]


class Lazy:
    """An array that can only be read item by item, by plain integers, and counts its reads."""

    def __init__(self, array: np.ndarray) -> None:
        self.array, self.shape, self.dtype = array, array.shape, array.dtype
        self.reads: list[int] = []

    def __len__(self) -> int:
        return len(self.array)

    def __getitem__(self, index: int) -> np.ndarray:
        assert type(index) is int
        self.reads.append(index)
        return self.array[index].copy()


class TestLazySources:
    def test_one_read_per_sample(self) -> None:
        images, masks, weights = Lazy(make_images()), Lazy(make_masks("uint8")), Lazy(np.ones(11))
        iterator = flow(masks, images, sample_weight=weights, batch_size=4, seed=1, **GEOMETRIC)
        assert images.reads == masks.reads == weights.reads == []
        lazy = next(iterator)
        assert len(images.reads) == 4
        assert images.reads == masks.reads == weights.reads
        eager = next(flow(sample_weight=np.ones(11), batch_size=4, seed=1, **GEOMETRIC))
        for one, other in zip(lazy, eager, strict=True):
            np.testing.assert_array_equal(one, other)

    def test_memmap(self, tmp_path: pathlib.Path) -> None:
        for name, array in [("x", make_images()), ("y", make_masks("uint8"))]:
            np.save(tmp_path / f"{name}.npy", array)
        x, y = (np.load(tmp_path / f"{name}.npy", mmap_mode="r") for name in "xy")
        for one, other in zip(next(flow(y, x, seed=1)), next(flow(seed=1)), strict=True):
            np.testing.assert_array_equal(one, other)

    def test_h5py(self, tmp_path: pathlib.Path) -> None:
        with h5py.File(tmp_path / "data.h5", "w") as file:
            x = file.create_dataset("x", data=make_images(), chunks=(2, 14, 9, 3))
            y = file.create_dataset("y", data=make_masks("uint8"))
            for one, other in zip(next(flow(y, x, seed=1)), next(flow(seed=1)), strict=True):
                np.testing.assert_array_equal(one, other)

    def test_nan_is_told_when_it_is_read(self) -> None:
        masks = make_masks("float32")
        masks[3, 0, 0] = np.nan
        iterator = flow({"cell": Lazy(masks)}, shuffle=False, batch_size=2)
        next(iterator)
        with pytest.raises(ValueError, match=re.escape("`y['cell']` holds NaN in sample 3")):
            next(iterator)

    @pytest.mark.parametrize("value", [-1, np.inf, np.nan])
    def test_weights_are_told_when_they_are_read(self, value: float) -> None:
        weights = np.ones((11, 14, 9))
        weights[3, 0, 0] = value
        iterator = flow(sample_weight=Lazy(weights), shuffle=False, batch_size=2)
        next(iterator)
        with pytest.raises(
            ValueError, match=r"`sample_weight` holds .* in sample 3\. Weights must"
        ):
            next(iterator)

    def test_values_that_are_hidden_are_told_when_they_are_read(self) -> None:
        """As netCDF4 gives them; masked arrays that hide nothing are arrays."""
        hidden = np.zeros((11, 14, 9), bool)
        y = np.ma.MaskedArray(make_masks("uint8"), hidden.copy())
        for one, other in zip(next(flow(Lazy(y), seed=1)), next(flow(seed=1)), strict=True):
            assert type(one) is np.ndarray
            np.testing.assert_array_equal(one, other)
        y[3, 0, 0] = np.ma.masked
        iterator = flow(Lazy(y), shuffle=False, batch_size=2)
        next(iterator)
        with pytest.raises(ValueError, match=r"sample 3 is a masked array, and .* `filled\(0\)`"):
            next(iterator)

    def test_values_outside_the_classes_are_told_when_they_are_read(self) -> None:
        with pytest.raises(ValueError, match=r"holds the value 6 in sample 0, but num_classes=6"):
            next(flow(Lazy(np.full((11, 14, 9), 6)), shuffle=False, num_classes=6))


class TestErrors:
    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            ({"y": UINT8[1:]}, "`y` must hold one item for each of the 11 images. Received 10"),
            ({"y": [UINT8, UINT8[1:]]}, "`y[1]` must hold one item"),
            ({"y": UINT8[:, 1:]}, "the (height, width) of the images, (14, 9). Received (13, 9)"),
            ({"y": make_masks("uint8", 2, 2)}, "Received shape (11, 14, 9, 2, 2)"),
            ({"y": {}}, "`y` must hold masks. Received: {}"),
            ({"y": np.zeros(11)}, "(num_samples, height, width, channels). Received shape (11,)"),
            ({"y": np.where(UINT8 > 5, np.nan, 1)}, "`y` holds NaN in sample 0"),
            ({"y": np.where(UINT8 > 5, -np.inf, 1)}, "`y` holds -inf in sample 0. Masks must be f"),
            ({"y": [UINT8, np.ma.masked_equal(UINT8, 5)]}, "`y[1]` is a masked array, and batches"),
            ({"x": np.ma.masked_less(make_images(), 9)}, "`x` is a masked array, and batches"),
            ({"x": [make_images(), np.ma.masked_less(np.arange(11), 9)]}, "`x[1]` is a masked"),
            ({"sample_weight": np.ma.masked_less(np.arange(11), 9)}, "`sample_weight` is a masked"),
            ({"x": make_images()[0]}, "`x` must be an array of shape (num_samples, height"),
            ({"x": list(make_images())}, "Received a list of 11 items. Stack a list of images"),
            ({"x": [make_images(), UINT8[1:]]}, "`x[1]` must hold one item for each of the 11"),
            ({"num_classes": 6}, "`y` holds the value 6 in sample 0, but num_classes=6 allows"),
            ({"num_classes": 0}, "`num_classes` must be a positive integer. Received: 0"),
            ({"num_classes": 2.5}, "must be a positive integer. Received: 2.5"),
            ({"num_classes": {"a": 7}}, "must be one value or have the structure of `y`"),
            ({"y": make_masks("uint8", 2), "num_classes": 7}, "get it, the shape (14, 9, 2)"),
            ({"y": UINT8 / 2, "num_classes": 7}, "in sample 0, but num_classes=7 allows"),
            ({"y": make_masks("int8") - 1, "num_classes": 7}, "the value -1 in sample 0"),
            ({"num_classes": 7, "mask_cval": 9, **CONSTANT}, "one of the num_classes=7 classes"),
            ({"mask_cval": 256}, "`y`, masks of dtype uint8, can hold. Received: 256"),
            ({"mask_cval": 0.5}, "Received: 0.5"),
            ({"mask_cval": -1}, "`y`, masks of dtype uint8, can hold. Received: -1"),
            ({"mask_cval": 2**70}, "Received: 1180591620717411303424"),
            (
                {"y": make_masks("float16"), "mask_cval": 1e5},
                "of dtype float16, can hold. Received",
            ),
            ({"y": UINT8 > 3, "mask_cval": 2}, "masks of dtype bool, can hold. Received: 2"),
            ({"dtype": "uint8", "cval": 300, **FILLED}, "dtype, uint8, can hold. Received: 300"),
            ({"dtype": "int16", "cval": 0.5, **FILLED}, '`cval`, with which fill_mode="constant'),
            ({"mask_cval": float("nan")}, "Received: nan"),
            ({"mask_cval": "white"}, "Received: 'white'"),
            ({"mask_fill_mode": "mirror"}, "`mask_fill_mode` must be None or one of"),
            ({"sample_weight": np.ones(10)}, "`sample_weight` must hold one item for each"),
            ({"sample_weight": np.ones((11, 9, 14))}, "the (height, width) of the images"),
            ({"sample_weight": np.ones((11, 14))}, "`sample_weight` must be an array of shape"),
            ({"sample_weight": np.full(11, np.nan)}, "`sample_weight` holds NaN in sample 0"),
            ({"sample_weight": np.full(11, np.inf)}, "`sample_weight` holds inf in sample 0"),
            (
                {"sample_weight": np.arange(11) - 10},
                "holds -10 in sample 0. Weights must be finite",
            ),
            (
                {"sample_weight": np.full((11, 14, 9), -0.5)},
                "`sample_weight` holds -0.5 in sample 0",
            ),
            ({"sample_weight": {"a": np.ones(11)}}, "must be one value or have the structure"),
            ({"y": UINT8 * np.nan, "target_size": (2, 2)}, "`y` holds NaN in sample 0"),
            ({"num_classes": 4, "target_size": (2, 2)}, "in sample 0, but num_classes=4"),
            ({"y": {"a b": UINT8, "a-b": UINT8}, "save_to_dir": "/"}, "Rename the keys"),
            ({"x": make_images()[:0], "y": UINT8[:0]}, "`x` holds nothing"),
            ({"target_size": ()}, "`target_size` must be two positive integers"),
            ({"subset": "test"}, "`subset` must be None"),
            ({"subset": "validation"}, "takes none of the 11 samples. validation_split=0.0"),
            ({"target_size": (8,)}, "`target_size` must be two positive integers"),
            ({"interpolation": "cubic"}, "`interpolation` must be one of"),
            ({"batch_size": 0}, "`batch_size` must be"),
            ({"x": make_images(2), "brightness_range": (0, 1)}, "Received 2 channels"),
            ({"x": make_images(2), "save_to_dir": "/"}, "`save_to_dir` saves images of 1, 3"),
        ],
    )
    def test_values(self, arguments: Any, message: str) -> None:
        with pytest.raises(ValueError, match=re.escape(message)):
            flow(**arguments)

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            ({"y": np.array([None] * 11)}, "Received dtype object"),
            ({"y": make_masks("complex64")}, "Received dtype complex64"),
            ({"y": "masks"}, "Received str"),
            ({"mask_preprocessing_function": 5}, "must be None or a function. Received: 5"),
            ({"x": [make_images(), "names"]}, "further inputs in `x` must be arrays"),
            ({"x": make_images().astype(object)}, "Received dtype object"),
        ],
    )
    def test_types(self, arguments: Any, message: str) -> None:
        with pytest.raises(TypeError, match=re.escape(message)):
            flow(**arguments)

    def test_function_without_a_result(self) -> None:
        with pytest.raises(TypeError, match=r"returned dtype object; does it end with `return`\?"):
            next(flow(mask_preprocessing_function=lambda mask: None))

    @pytest.mark.parametrize("value", [-1, 7, 0.5])
    def test_function_with_values_outside_the_classes(self, value: float) -> None:
        def paint(mask: np.ndarray) -> np.ndarray:
            return np.full(mask.shape, value)

        iterator = flow(num_classes=7, mask_preprocessing_function=paint, shuffle=False)
        with pytest.raises(ValueError, match=f"holds the value {value} in sample 0"):
            next(iterator)

    @pytest.mark.parametrize("value", [np.nan, np.inf])
    def test_function_that_makes_no_numbers(self, value: float) -> None:
        def divide(mask: np.ndarray) -> np.ndarray:
            return np.where(mask == 5, value, mask).astype("float16")

        found = "NaN" if np.isnan(value) else "inf"
        message = rf"`y` holds {found} in sample \d+ after `mask_preprocessing_function`\. Masks"
        with pytest.raises(ValueError, match=message):
            next(flow(mask_preprocessing_function=divide))

    def test_function_that_mends(self) -> None:
        broken = np.where(UINT8 == 5, np.nan, UINT8)
        iterator = flow(broken, mask_preprocessing_function=np.nan_to_num, shuffle=False)
        np.testing.assert_array_equal(next(iterator)[1], np.where(UINT8 == 5, 0, UINT8))

    def test_fill_values_that_images_can_hold(self) -> None:
        for cval, dtype in [(255, "uint8"), (-1, "int16"), (np.nan, "float32"), (0.5, "float64")]:
            next(flow(dtype=dtype, cval=cval, **FILLED))
        next(flow(dtype="uint8", cval=300))  # not in use

    def test_fraction_as_fill_value(self) -> None:
        masks = make_masks("float32")
        assert next(flow(masks, mask_cval=np.float64(0.1), **CONSTANT))[1].dtype == np.float32

    def test_missing_folder_to_save_to(self) -> None:
        with pytest.raises(FileNotFoundError, match="`save_to_dir` must be an existing folder"):
            flow(save_to_dir="nowhere")

    def test_brightness_in_another_data_format_than_keras_uses(self) -> None:
        images = make_images(channels_first=True)
        with pytest.raises(ValueError, match=r"Received 3 channels in 'channels_first'"):
            flow(x=images, data_format="channels_first", brightness_range=(0, 1))

    def test_override_that_changes_values(self) -> None:
        class Noisy(MultiDirImageDataGenerator):
            def apply_transform(self, x: Any, transform_parameters: Any) -> Any:
                return super().apply_transform(x, transform_parameters) + 0.5

        with pytest.raises(ValueError, match=r"Noisy.apply_transform changed pixel values"):
            next(Noisy().flow_segmentation(make_images(), make_masks("uint8")))

    @pytest.mark.parametrize("change", [lambda x: x * 2, lambda x: x - 2, lambda x: x[:-1]])
    def test_override_that_leaves_the_image(self, change: Any) -> None:
        class Changing(MultiDirImageDataGenerator):
            def apply_transform(self, x: Any, transform_parameters: Any) -> Any:
                return change(x) if x.dtype == np.int64 else x

        with pytest.raises(ValueError, match=r"Changing.apply_transform changed pixel values or"):
            next(Changing().flow_segmentation(make_images(), make_masks("uint8")))

    def test_override_that_draws(self) -> None:
        class Drawing(MultiDirImageDataGenerator):
            def apply_transform(self, x: Any, transform_parameters: Any) -> Any:
                return x[::-1] if np.random.random() < 0.5 else x

        with pytest.raises(ValueError, match=r"Drawing.apply_transform gives different results"):
            next(Drawing().flow_segmentation(make_images(), make_masks("uint8"), seed=1))

    def test_override_that_moves_pixels_moves_masks_too(self) -> None:
        class Turning(MultiDirImageDataGenerator):
            def apply_transform(self, x: Any, transform_parameters: Any) -> Any:
                return super().apply_transform(x, transform_parameters)[::-1]

        iterator = Turning().flow_segmentation(make_images(), make_masks("uint8"), shuffle=False)
        images, masks = next(iterator)
        np.testing.assert_array_equal(images, make_images()[:, ::-1])
        np.testing.assert_array_equal(masks, make_masks("uint8")[:, ::-1])


def build_model(num_outputs: int = 1) -> keras.Model:
    inputs = keras.Input((14, 9, 3))
    names = [f"mask_{number}" for number in range(num_outputs)]
    outputs = {n: keras.layers.Conv2D(7, 1, activation="softmax", name=n)(inputs) for n in names}
    model = keras.Model(inputs, outputs if num_outputs > 1 else outputs["mask_0"])
    loss = "sparse_categorical_crossentropy"
    model.compile("sgd", dict.fromkeys(names, loss) if num_outputs > 1 else loss)
    return model


@pytest.fixture(scope="module")
def model() -> keras.Model:
    """Compiled once for all tests; none asks what it has learnt before."""
    return build_model()


class TestInKeras:
    @pytest.mark.parametrize("weights", [None, np.linspace(0, 1, 11), np.ones((11, 14, 9))])
    @pytest.mark.parametrize("workers", [1, 2])
    def test_fit_evaluate_predict(self, model: keras.Model, weights: Any, workers: int) -> None:
        arguments = {"rescale": 1 / 255, "sample_weight": weights, "workers": workers}
        training = flow(batch_size=4, seed=1, **arguments, **GEOMETRIC)
        assert isinstance(training, keras.utils.PyDataset)
        assert len(training) == 3
        history = model.fit(training, validation_data=flow(**arguments), epochs=2, verbose=0)
        assert np.isfinite(history.history["val_loss"]).all()
        assert np.isfinite(model.evaluate(training, verbose=0))
        assert model.predict(training, verbose=0).shape == (11, 14, 9, 7)

    def test_several_outputs(self) -> None:
        y = {"mask_0": make_masks("uint8"), "mask_1": make_masks("int64")}
        model = build_model(2)
        model.fit(flow(y, batch_size=4, **GEOMETRIC), verbose=0)

    def test_a_sample_without_weight_teaches_nothing(self, model: keras.Model) -> None:
        before = [weights.copy() for weights in model.get_weights()]
        model.fit(flow(sample_weight=np.zeros(11)), verbose=0)
        for one, other in zip(before, model.get_weights(), strict=True):
            np.testing.assert_array_equal(one, other)

    def test_options_reach_pydataset(self) -> None:
        generator = MultiDirImageDataGenerator()
        options = {"workers": 3, "use_multiprocessing": True, "max_queue_size": 5}
        iterator = generator.flow_segmentation(make_images(), UINT8, **options)
        assert {name: getattr(iterator, name) for name in options} == options

    def test_pickles_in_mid_epoch(self) -> None:
        original = flow(batch_size=4, seed=1, **GEOMETRIC)
        next(original)
        copied = pickle.loads(pickle.dumps(original))
        for _ in range(4):
            for one, other in zip(next(copied), next(original), strict=True):
                np.testing.assert_array_equal(one, other)
