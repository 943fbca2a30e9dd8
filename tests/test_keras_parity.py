"""The class gives what Keras' class gives: batch for batch, byte for byte, draw for draw."""

from __future__ import annotations

import pathlib
import random
import warnings
from typing import Any

import keras
import numpy as np
import pandas as pd
import pytest
from comparison import AUGMENT_ALL, fingerprint, random_state

from multiflow import MultiDirImageDataGenerator, _keras

GENERATORS: list[dict[str, Any]] = [
    {},
    AUGMENT_ALL,
    {"rotation_range": 45, "fill_mode": "constant", "cval": 7.0, "rescale": 1 / 255},
    {"zoom_range": 0.3, "fill_mode": "reflect", "interpolation_order": 3, "dtype": "float64"},
    {"samplewise_center": True, "samplewise_std_normalization": True, "shear_range": 5},
    {"horizontal_flip": True, "preprocessing_function": lambda image: image[::-1] / 2},
]
FLOWS: list[dict[str, Any]] = [
    {},
    {"seed": 7},
    {"seed": 7, "shuffle": False, "batch_size": 5},
    {"seed": 3, "batch_size": 12},
    {"seed": 3, "batch_size": 100},
]


def trace_batches(iterator: Any, last: int = -1) -> list[Any]:
    """What a user can see of an iterator over several epochs, in every way to ask for batches."""
    events: list[Any] = []

    def record(value: Any) -> None:
        counters = iterator.batch_index, iterator.total_batches_seen
        events.append((fingerprint(value), counters, random_state()))

    for _ in range(2 * len(iterator) + 1):
        record(next(iterator))
    iterator.reset()
    record(next(iterator))
    for position in [*range(len(iterator)), 0, last]:
        record(iterator[position])
    iterator.on_epoch_end()
    record(iterator.index_array)
    record(iterator[0])
    record(next(iterator))
    return events


def attributes(iterator: Any) -> dict[str, Any]:
    """All attributes of an iterator but the objects that are one of a kind."""
    kept = vars(iterator).keys() - {"lock", "index_generator", "image_data_generator"}
    return {name: getattr(iterator, name) for name in kept}


def assert_same_value(ours: Any, theirs: Any) -> None:
    assert type(ours) is type(theirs)
    if isinstance(theirs, np.ndarray) or (
        isinstance(theirs, list) and theirs and isinstance(theirs[0], np.ndarray)
    ):
        assert fingerprint(ours) == fingerprint(theirs)
    else:
        assert ours == theirs


def assert_same_iterator(
    method: str,
    *arguments: Any,
    generator: dict[str, Any],
    capsys: pytest.CaptureFixture[str],
    ours_method: str | None = None,
    ours_arguments: tuple[Any, ...] | None = None,
    fit_on: np.ndarray | None = None,
    **flow: Any,
) -> None:
    theirs_generator = _keras.ImageDataGenerator(**generator)
    ours_generator = MultiDirImageDataGenerator(**generator)
    if fit_on is not None:
        theirs_generator.fit(fit_on)
        ours_generator.fit(fit_on)

    np.random.seed(5)
    theirs = getattr(theirs_generator, method)(*arguments, **flow)
    theirs_printed = capsys.readouterr()
    theirs_attributes = {name: getattr(theirs, name) for name in attributes(theirs)}
    # `flow_from_directories` counts from the end.
    is_new = ours_method == "flow_from_directories"
    theirs_events = trace_batches(theirs, len(theirs) - 1 if is_new else -1)

    np.random.seed(5)
    ours = getattr(ours_generator, ours_method or method)(*(ours_arguments or arguments), **flow)
    assert capsys.readouterr() == theirs_printed
    assert isinstance(ours, type(theirs))
    assert isinstance(ours, keras.utils.PyDataset)
    for name, value in theirs_attributes.items():
        assert_same_value(getattr(ours, name), value)
    for name in ("filepaths", "labels", "sample_weight"):
        if hasattr(theirs, name):
            assert_same_value(getattr(ours, name), getattr(theirs, name))
    assert trace_batches(ours) == theirs_events


def assert_same_error(method: str, *arguments: Any, generator: dict[str, Any], **flow: Any) -> None:
    errors = []
    for cls in (_keras.ImageDataGenerator, MultiDirImageDataGenerator):
        with pytest.raises(Exception) as caught:  # noqa: PT011  the texts are compared below
            getattr(cls(**generator), method)(*arguments, **flow)
        errors.append((type(caught.value), str(caught.value)))
    assert errors[0] == errors[1]


@pytest.fixture(params=["flow_from_directory", "flow_from_directories"])
def same_directory_iterator(
    request: pytest.FixtureRequest, capsys: pytest.CaptureFixture[str]
) -> Any:
    """Compares Keras' iterator over a root with each of our two ways to read a single root."""

    def check(root: Any, *, generator: dict[str, Any] | None = None, **flow: Any) -> None:
        flow = {"target_size": (8, 10), "batch_size": 4, **flow}
        several = request.param == "flow_from_directories"
        assert_same_iterator(
            "flow_from_directory",
            root,
            generator=generator or {},
            capsys=capsys,
            ours_method=request.param,
            ours_arguments=([root],) if several else (root,),
            **flow,
        )

    return check


class TestDirectory:
    @pytest.mark.parametrize("generator", GENERATORS)
    @pytest.mark.parametrize("flow", FLOWS)
    def test_generators_and_orders(
        self, same_directory_iterator: Any, three_classes: Any, generator: Any, flow: Any
    ) -> None:
        same_directory_iterator(str(three_classes), generator=generator, **flow)

    @pytest.mark.parametrize(
        "flow",
        [
            {"class_mode": "sparse"},
            {"class_mode": "binary"},
            {"class_mode": "input"},
            {"class_mode": None},
            {"color_mode": "grayscale"},
            {"color_mode": "rgba"},
            {"interpolation": "bicubic"},
            {"keep_aspect_ratio": True, "interpolation": "bilinear"},
            {"classes": ["cats", "ants"]},
            {"classes": ("bees",), "class_mode": "sparse"},
            {"classes": ["."]},
            {"classes": []},
            {"follow_links": True},
            {"target_size": [5, 5]},
        ],
    )
    def test_arguments(self, same_directory_iterator: Any, three_classes: Any, flow: Any) -> None:
        same_directory_iterator(str(three_classes), seed=1, **flow)

    @pytest.mark.parametrize("subset", ["training", "validation"])
    @pytest.mark.parametrize("validation_split", [0.25, 0.5, 0.75])
    def test_subsets(
        self,
        same_directory_iterator: Any,
        three_classes: Any,
        subset: str,
        validation_split: float,
    ) -> None:
        same_directory_iterator(
            str(three_classes),
            generator={**AUGMENT_ALL, "validation_split": validation_split},
            subset=subset,
            seed=2,
        )

    def test_channels_first(self, same_directory_iterator: Any, three_classes: Any) -> None:
        generator = {"data_format": "channels_first", "rotation_range": 30}
        same_directory_iterator(str(three_classes), generator=generator, seed=2)

    @pytest.mark.parametrize("spelling", [pathlib.Path, "{}/".format, "{}/../three_classes".format])
    def test_spellings_of_the_root(
        self, same_directory_iterator: Any, three_classes: Any, spelling: Any
    ) -> None:
        same_directory_iterator(spelling(str(three_classes)))

    def test_relative_root(
        self, same_directory_iterator: Any, three_classes: Any, monkeypatch: Any
    ) -> None:
        monkeypatch.chdir(three_classes.parent)
        same_directory_iterator("three_classes")

    @pytest.mark.filterwarnings("ignore:Folders are there more than once:UserWarning")
    def test_links(self, same_directory_iterator: Any, three_classes: Any, tmp_path: Any) -> None:
        (tmp_path / "elsewhere").mkdir()
        (three_classes / "bees" / "1.png").rename(tmp_path / "elsewhere" / "b.png")
        (three_classes / "ants" / "linked").symlink_to(tmp_path / "elsewhere")
        (three_classes / "ants" / "a.png").symlink_to(tmp_path / "elsewhere" / "b.png")
        (three_classes / "wasps").symlink_to(tmp_path / "elsewhere")
        same_directory_iterator(str(three_classes), seed=1)
        same_directory_iterator(str(three_classes), seed=1, follow_links=True)

    @pytest.mark.parametrize("method", ["flow_from_directory", "flow_from_directories"])
    def test_saved_files(self, three_classes: Any, tmp_path: Any, method: str) -> None:
        save = {"seed": 4, "save_prefix": "x", "save_format": "bmp"}
        root = [three_classes] if method == "flow_from_directories" else three_classes
        saved = []
        for name, build in [
            (
                "theirs",
                lambda **to: _keras.ImageDataGenerator(**AUGMENT_ALL).flow_from_directory(
                    three_classes, **save, **to
                ),
            ),
            (
                "ours",
                lambda **to: getattr(MultiDirImageDataGenerator(**AUGMENT_ALL), method)(
                    root, **save, **to
                ),
            ),
        ]:
            folder = tmp_path / name
            folder.mkdir()
            next(build(save_to_dir=folder))
            states = random_state()
            saved.append((states, {path.name: path.read_bytes() for path in folder.iterdir()}))
        assert len(saved[0][1]) == 12
        assert saved[0] == saved[1]

    def test_tiff_warning(self, three_classes: Any) -> None:
        for name in ("a.tiff", "b.TIFF", "c.tif"):
            (three_classes / "ants" / name).touch()
        recorded = []
        for cls in (_keras.ImageDataGenerator, MultiDirImageDataGenerator):
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                cls().flow_from_directory(three_classes)
            recorded.append([(w.category, str(w.message)) for w in caught])
        assert len(recorded[0]) == 2
        assert recorded[0] == recorded[1]

    @pytest.mark.parametrize(
        "flow",
        [
            {"class_mode": "raw"},
            {"color_mode": "cmyk"},
            {"subset": "test"},
            {"classes": ["bees/hive"]},
            {"classes": [1, 2]},
            {"classes": [["ants", "bees"], "cats"]},
            {"target_size": None},
            {"target_size": 5},
        ],
    )
    def test_errors(self, three_classes: Any, flow: Any) -> None:
        assert_same_error("flow_from_directory", str(three_classes), generator={}, **flow)

    @pytest.mark.parametrize("name", ["missing", "three_classes/ants/0.png"])
    @pytest.mark.parametrize("spelling", [str, pathlib.Path])
    def test_errors_of_roots(self, three_classes: Any, name: str, spelling: Any) -> None:
        root = spelling(three_classes.parent / name)
        assert_same_error("flow_from_directory", root, generator={})

    def test_error_of_index(self, three_classes: Any) -> None:
        for cls in (_keras.ImageDataGenerator, MultiDirImageDataGenerator):
            with pytest.raises(ValueError, match="retrieve element 1, but the Sequence has length"):
                cls().flow_from_directory(three_classes)[1]

    @pytest.mark.parametrize("flow", [{}, {"classes": ["missing"]}, {"subset": "validation"}])
    def test_no_images(self, tmp_path: Any, capsys: Any, flow: Any) -> None:
        (tmp_path / "empty").mkdir()
        outcomes = []
        for cls in (_keras.ImageDataGenerator, MultiDirImageDataGenerator):
            iterator = cls().flow_from_directory(tmp_path, **flow)
            outcomes.append(
                (iterator.samples, iterator.class_indices, len(iterator), capsys.readouterr().out)
            )
        assert outcomes[0][0] == 0
        assert outcomes[0] == outcomes[1]

    def test_missing_root_with_classes(self, tmp_path: Any) -> None:
        flow = MultiDirImageDataGenerator().flow_from_directory
        assert flow(tmp_path / "missing", classes=["ants"]).samples == 0


class TestArrays:
    x = np.random.default_rng(0).integers(0, 256, (13, 6, 7, 3)).astype("float32")
    y = np.arange(13) % 3

    @pytest.mark.parametrize("generator", GENERATORS)
    @pytest.mark.parametrize("flow", FLOWS)
    def test_generators_and_orders(self, capsys: Any, generator: Any, flow: Any) -> None:
        assert_same_iterator("flow", self.x, self.y, generator=generator, capsys=capsys, **flow)

    @pytest.mark.parametrize(
        ("x", "flow"),
        [
            (x, {}),
            (x.astype("uint8"), {"y": y}),
            ([x, np.arange(13)], {"y": y}),
            ((x, [np.arange(13), np.eye(13)]), {"y": np.eye(13)}),
            (x, {"y": y, "sample_weight": np.linspace(0, 1, 13)}),
        ],
    )
    def test_inputs(self, capsys: Any, x: Any, flow: Any) -> None:
        generator = {**AUGMENT_ALL, "dtype": "float32"}
        assert_same_iterator("flow", x, generator=generator, capsys=capsys, seed=1, **flow)

    @pytest.mark.parametrize("subset", ["training", "validation"])
    def test_subsets(self, capsys: Any, subset: str) -> None:
        generator = {"validation_split": 0.5, "zoom_range": 0.2}
        assert_same_iterator(
            "flow", self.x, self.y, generator=generator, capsys=capsys, seed=1, subset=subset
        )

    @pytest.mark.parametrize(
        "generator",
        [
            {"featurewise_center": True, "featurewise_std_normalization": True},
            {"zca_whitening": True, "featurewise_center": True, "rotation_range": 20},
        ],
    )
    def test_fitted_statistics(self, capsys: Any, generator: Any) -> None:
        assert_same_iterator(
            "flow", self.x, generator=generator, capsys=capsys, seed=1, fit_on=self.x
        )

    @pytest.mark.parametrize(
        ("x", "flow"),
        [
            (x, {"y": y[1:]}),
            (x, {"sample_weight": y[1:]}),
            ([x, y[1:]], {}),
            (x[0], {}),
            (x, {"subset": "test"}),
            (x, {"y": np.arange(13), "subset": "training"}),
        ],
    )
    def test_errors(self, x: Any, flow: Any) -> None:
        assert_same_error("flow", x, generator={"validation_split": 0.5}, **flow)

    def test_saved_files(self, tmp_path: Any) -> None:
        saved = []
        for cls in (_keras.ImageDataGenerator, MultiDirImageDataGenerator):
            folder = tmp_path / cls.__name__
            folder.mkdir()
            next(cls(rotation_range=9).flow(self.x, seed=4, save_to_dir=folder, save_prefix="x"))
            files = {path.name: path.read_bytes() for path in folder.iterdir()}
            saved.append((random_state(), files))
        assert len(saved[0][1]) == 13
        assert saved[0] == saved[1]


@pytest.fixture
def frame(three_classes: pathlib.Path) -> pd.DataFrame:
    names = sorted(str(path) for path in three_classes.rglob("*.*"))
    return pd.DataFrame(
        {
            "filename": names,
            "class": [pathlib.Path(name).relative_to(three_classes).parts[0] for name in names],
            "size": np.linspace(0, 1, len(names)),
            "age": np.arange(len(names)),
        }
    )


class TestDataFrame:
    @pytest.mark.parametrize("generator", GENERATORS)
    @pytest.mark.parametrize("flow", FLOWS)
    def test_generators_and_orders(
        self, capsys: Any, frame: Any, generator: Any, flow: Any
    ) -> None:
        assert_same_iterator(
            "flow_from_dataframe",
            frame,
            generator=generator,
            capsys=capsys,
            **{"target_size": (8, 10), **flow},
        )

    @pytest.mark.parametrize(
        "flow",
        [
            {"class_mode": "sparse", "weight_col": "size"},
            {"class_mode": "input"},
            {"class_mode": None},
            {"class_mode": "raw", "y_col": "size"},
            {"class_mode": "raw", "y_col": ["size", "age"]},
            {"class_mode": "multi_output", "y_col": ["size", "age"]},
            {"classes": ["cats", "ants"]},
            {"class_mode": "binary", "classes": ["cats", "ants"]},
            {"subset": "training"},
            {"subset": "validation"},
            {"validate_filenames": False, "color_mode": "grayscale"},
            {"unknown_argument": 1},
        ],
    )
    def test_arguments(self, capsys: Any, frame: Any, flow: Any) -> None:
        assert_same_iterator(
            "flow_from_dataframe",
            frame,
            generator={"validation_split": 0.25, "rotation_range": 10},
            capsys=capsys,
            seed=1,
            target_size=(8, 10),
            **flow,
        )

    def test_warnings(self, frame: Any) -> None:
        frame = pd.concat([frame, frame.assign(filename="missing.png")])
        recorded = []
        for cls in (_keras.ImageDataGenerator, MultiDirImageDataGenerator):
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                cls().flow_from_dataframe(
                    frame, class_mode="other", y_col="size", has_ext=True, sort=True
                )
            recorded.append([(w.category, str(w.message)) for w in caught])
        assert len(recorded[0]) == 4
        assert recorded[0] == recorded[1]

    @pytest.mark.parametrize(
        "flow",
        [
            {"class_mode": "x"},
            {"class_mode": "binary"},
            {"class_mode": "multi_output"},
            {"class_mode": "sparse", "y_col": "size"},
            {"x_col": "size"},
            {"x_col": "missing"},
            {"weight_col": "class"},
            {"subset": "test"},
            {"color_mode": "cmyk"},
        ],
    )
    def test_errors(self, frame: Any, flow: Any) -> None:
        assert_same_error("flow_from_dataframe", frame, generator={}, **flow)


def train(generator_class: type, method: str, root: Any) -> list[Any]:
    keras.utils.set_random_seed(3)
    random.seed(3)
    generator = generator_class(rescale=1 / 255, rotation_range=20, validation_split=0.5)
    argument = [root] if method == "flow_from_directories" else root
    flows = [
        getattr(generator, method)(
            argument, target_size=(8, 8), batch_size=4, seed=1, subset=subset
        )
        for subset in ("training", "validation")
    ]
    model = keras.Sequential(
        [
            keras.Input((8, 8, 3)),
            keras.layers.Flatten(),
            keras.layers.Dense(3, activation="softmax"),
        ]
    )
    model.compile("sgd", "categorical_crossentropy")
    history = model.fit(flows[0], validation_data=flows[1], epochs=3, verbose=0)
    return [
        history.history,
        model.evaluate(flows[1], verbose=0),
        model.predict(flows[1], verbose=0).tolist(),
        [weights.tolist() for weights in model.get_weights()],
        random_state(),
    ]


@pytest.mark.filterwarnings(
    # Up to Keras 3.11 its own iterators, on the other side here, skip PyDataset's constructor.
    "ignore:Your `PyDataset` class should call:UserWarning"
)
@pytest.mark.parametrize("method", ["flow_from_directory", "flow_from_directories"])
def test_fit_evaluate_predict(three_classes: pathlib.Path, method: str) -> None:
    expected = train(_keras.ImageDataGenerator, "flow_from_directory", three_classes)
    assert train(MultiDirImageDataGenerator, method, three_classes) == expected


def test_signatures_extend_keras() -> None:
    import inspect

    corrections = ["augment_validation", "split_seed", "split_groups", "rng", "corrected"]
    own_options = ["cache", "workers", "use_multiprocessing", "max_queue_size"]
    for method, own in (
        ("__init__", [*corrections, "threads"]),
        ("flow", own_options[1:]),
        ("flow_from_directory", own_options),
        ("flow_from_dataframe", own_options),
    ):
        theirs = inspect.signature(getattr(_keras.ImageDataGenerator, method)).parameters
        ours = inspect.signature(getattr(MultiDirImageDataGenerator, method)).parameters
        positional = [
            (p.name, p.default) for p in ours.values() if p.kind is p.POSITIONAL_OR_KEYWORD
        ]
        assert positional == [
            (p.name, p.default) for p in theirs.values() if p.kind is p.POSITIONAL_OR_KEYWORD
        ]
        assert [p.name for p in ours.values() if p.kind is p.KEYWORD_ONLY] == own


def test_overridden_methods_are_called(three_classes: pathlib.Path) -> None:
    calls = []

    class Custom(MultiDirImageDataGenerator):
        def get_random_transform(self, img_shape: Any, seed: Any = None) -> Any:
            calls.append("get_random_transform")
            return super().get_random_transform(img_shape, seed)

        def apply_transform(self, x: Any, transform_parameters: Any) -> Any:
            calls.append("apply_transform")
            return super().apply_transform(x, transform_parameters)

        def standardize(self, x: Any) -> Any:
            calls.append("standardize")
            return x * 0 + 5

    generator = Custom()
    images, _ = next(generator.flow_from_directories([three_classes], batch_size=1))
    assert calls == ["get_random_transform", "apply_transform", "standardize"]
    assert (images == 5).all()
