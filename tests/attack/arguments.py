"""Random arguments of the generator and of all flows, valid and nasty ones."""

from __future__ import annotations

import copy
import math
import pathlib
import pickle
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from comparison import fingerprint, random_state
from PIL import Image

from multiflow import MultiDirImageDataGenerator, _keras

from .frame import Case, Outcome, observe

COUNT, SIZE = 6, (5, 7)
CLASSES = ("ants", "bees", "cats")
NAN, INF = math.nan, math.inf
HUGE = (10**9, 2**40, 2**70, 1e19, 1e300)
NASTY: tuple[Any, ...] = (
    None, True, -1, 0, 2, 0.5, 1.5, NAN, INF, -INF, *HUGE, "", "foo", b"x", [], (), {}, [1], (0, 3),
    (3,), (1, 2, 3), [NAN, 1], (0.5, INF), (-INF, INF), ("a", "b"), {"a": 1}, {1, 2}, object(), len,
    1j, np.array([1, 2]), np.array(3), np.float64(NAN), [[]], range(2), pathlib.Path("missing"),
)  # fmt: skip
RANGES = (
    "rotation_range", "width_shift_range", "height_shift_range", "shear_range", "zoom_range",
    "channel_shift_range", "brightness_range",
)  # fmt: skip
OF_KERAS = (
    *RANGES, "fill_mode", "cval", "horizontal_flip", "vertical_flip", "rescale", "data_format",
    "interpolation_order", "dtype", "validation_split", "preprocessing_function",
    "samplewise_center", "samplewise_std_normalization",
)  # fmt: skip
FLAGS = (
    "shuffle",
    "keep_aspect_ratio",
    "follow_links",
    "use_multiprocessing",
    "corrected",
    "augment_validation",
)
COUNTS = ("threads", "workers", "max_queue_size", "batch_size")
BATCHING = ("batch_size", "shuffle", "seed", "save_to_dir", "save_prefix", "save_format", "subset")
WORKERS = ("workers", "use_multiprocessing", "max_queue_size")
FOLDERS = ("target_size", "color_mode", "interpolation", "keep_aspect_ratio", "follow_links")
MASKS = ("mask_fill_mode", "mask_cval", "num_classes", "mask_preprocessing_function")
FLOW_ARGUMENTS = {
    "directories": (
        *BATCHING, *WORKERS, *FOLDERS, "cache", "directories", "classes", "class_mode",
    ),
    "masks": (
        *BATCHING, *WORKERS, *MASKS, "x", "y", "sample_weight", "target_size", "interpolation",
    ),
    "mask folders": (
        *BATCHING, *WORKERS, *FOLDERS, *MASKS, "cache", "image_directories", "mask_directories",
        "mask_path", "mask_colors",
    ),
}  # fmt: skip
NEW = ("augment_validation", "split_seed", "split_groups", "rng", "corrected", "threads")


def like_keras(case: Case) -> str:
    """For valid arguments, the batches, errors and random states of Keras' first three flows."""
    data = case.choose(_some_data, _some_data, _odd_data)(case)
    return _compare(case, _some_generator(case), data, _some_steps(case))


def like_keras_if_nasty(case: Case) -> str:
    """For arguments that make no sense, too."""
    generator = _some_generator(case)
    name = case.choose(*OF_KERAS)
    generator[name] = _nasty(case, name)
    if _is_huge(generator[name]):
        # SciPy reads foreign memory where it interpolates or wraps coordinates beyond 2**63.
        generator |= {"interpolation_order": 0, "fill_mode": "nearest"}
    return _compare(case, generator, _some_data(case), _some_steps(case), is_nasty=True)


def images_of_new_flows(case: Case) -> str:
    """With one root, and for images with masks, the images are Keras'; masks move alike."""
    generator = _some_generator(case)
    data = _folders(case)
    options = {"batch_size": int(case.rng.integers(1, 8)), "seed": 3, "shuffle": case.happens(0.5)}
    keras, ours = _generators(case, generator)
    kind = case.choose("directories", "masks", "mask folders")
    case.note(kind, generator, options)
    if kind == "directories":
        options["target_size"] = SIZE
        expected = observe(_batches, lambda: keras.flow_from_directory(data / "images", **options))
        received = observe(
            _batches, lambda: ours.flow_from_directories([data / "images"], **options)
        )
        return _same(expected, received, lambda value: value)
    is_first = generator.get("data_format") == "channels_first"
    x, y = _arrays(is_first)
    expected = observe(_batches, lambda: keras.flow(x.astype(np.float32), **options))
    if kind == "masks":
        received = observe(_batches, lambda: ours.flow_segmentation(x, y, **options))
    else:
        roots = [data / "image files"], [data / "masks"]
        options["target_size"] = None
        received = observe(
            _batches, lambda: ours.flow_segmentation_from_directories(*roots, **options)
        )
    outcome = _same(expected, received, lambda batches: [images for images, _ in batches])
    if outcome == "equal" and not options["shuffle"] and "preprocessing_function" not in generator:
        moved = _moved_by_keras(generator, x.shape[1:], y[: options["batch_size"]])
        assert np.array_equal(received.value[0][1], moved), "Masks move otherwise than in Keras."
    return outcome


def nasty_for_new_flows(case: Case) -> str:
    """The new flows and arguments: an error that names the argument, or what Keras gives."""
    kind = case.choose(*FLOW_ARGUMENTS)
    data = _folders(case)
    generator: dict[str, Any] = {"rng": case.choose("keras", "per_sample", "per_sample")}
    if case.happens(0.5):
        generator |= {"corrected": case.happens(0.5), "validation_split": 0.5}
    options: dict[str, Any] = {"batch_size": 4, "seed": 3, "shuffle": False}
    names = FLOW_ARGUMENTS[kind] + NEW + RANGES
    name = case.choose(*names)
    value = _nasty(case, name)
    if name in ("cache", "save_to_dir") and isinstance(value, (str, pathlib.Path)) and value != "":
        value = case.folder / value  # not where the tests run
    (generator if name in NEW + RANGES else options)[name] = value
    if name == "subset":
        generator["validation_split"] = 0.5
    case.note(kind, "generator:", generator, "flow:", options)
    received = observe(_make_and_read, kind, data, generator, options)
    if received.error:
        if re.search(rf"\b{name}\b", str(received.error)):
            return "error"
        keras = observe(_make_and_read, "keras", data, generator, options)
        as_keras = type(keras.error) is type(received.error) and str(keras.error) == str(
            received.error
        )
        assert as_keras, f"`{name}` is not named: {received.error!r}"
        return "error of Keras"
    if name in FLAGS:
        assert isinstance(value, (bool, int, np.bool_)), f"`{name}` may be {value!r}."
    if name in COUNTS:
        is_count = isinstance(value, int) and not isinstance(value, bool) and value >= 0
        assert is_count or (name == "threads" and value is None), f"`{name}` may be {value!r}."
    for batch in received.value:
        images, masks = batch if isinstance(batch, tuple) and len(batch) == 2 else (batch, None)
        images = images[0] if isinstance(images, tuple) else images
        assert np.isfinite(images).all(), "Images are not finite."
        if masks is not None and kind != "directories" and name not in ("y", *MASKS, "mask_colors"):
            assert masks.max() < 4, "Masks hold other values."
    if kind == "directories" and name not in (*NEW, *WORKERS, "directories", "classes", "cache"):
        keras = observe(_make_and_read, "keras", data, {**generator, "rng": "keras"}, options)
        if not received.names(name):
            assert not keras.error, f"Keras raises {keras.error!r}, we do not."
    return "accepted"


def nasty_masks(case: Case) -> str:
    """Masks and weights that hold what they should not: a word, or the values that they hold."""
    x, y = _arrays(is_first=False)
    weights: Any = None
    options: dict[str, Any] = {"batch_size": 4, "shuffle": False}
    generator: dict[str, Any] = {"fill_mode": case.choose("nearest", "constant")}
    generator |= {"rotation_range": case.choose(0, 90), "rng": case.choose("keras", "per_sample")}
    wrong = case.choose(NAN, INF, -INF)
    kind = case.choose(
        "value", "masked", "weights", "negative weights", "function", "cval", "dtype"
    )
    must_tell = True
    if kind == "value":
        y = y.astype(case.choose("f2", "f4", ">f4", "f8"))
        y[tuple(case.rng.integers(0, y.shape))] = wrong
        options["num_classes"] = case.choose(None, 4)
    elif kind == "masked":
        y = np.ma.masked_equal(y, 2)
    elif kind == "weights":
        weights = np.ones(case.choose((COUNT,), (COUNT, *SIZE)), case.choose("f4", "f8"))
        weights.flat[0] = wrong
    elif kind == "negative weights":
        weights = np.full(case.choose((COUNT,), (COUNT, *SIZE)), -1.0)
    elif kind == "function":
        options["mask_preprocessing_function"] = lambda mask: np.where(mask == 2, wrong, mask)
    elif kind == "cval":
        y = y.astype(case.choose("?", "u1", "i1", "u2", "f2", "f4"))
        options |= {"mask_fill_mode": "constant", "mask_cval": case.choose(-1, 0.5, 300, 1e9, 1e39)}
        fits = y.dtype.type(0) + np.asarray(options["mask_cval"]).astype(y.dtype)
        must_tell = bool(fits != options["mask_cval"])
    else:
        y = y.astype(case.choose("i8", "u8", ">i4", ">f4", "f2", "?", "u4"))
        must_tell = False
    case.note(kind, generator, options, y.dtype)
    received = observe(
        _batches,
        lambda: MultiDirImageDataGenerator(**generator).flow_segmentation(
            x, y, sample_weight=weights, **options
        ),
    )
    name = {"function": "mask_preprocessing_function", "cval": "mask_cval"}.get(kind, "y")
    name = "sample_weight" if "weights" in kind else name
    is_told = re.search(rf"`{name}", received.told)
    assert is_told or not received.error, f"`{name}` is not named: {received.error!r}"
    if is_told:
        return "error" if received.error else "warning"
    assert not must_tell, "It passes without a word."
    known = {*np.unique(np.asarray(y)).tolist(), options.get("mask_cval", 0)}
    for _, masks in received.value:
        new = set(np.unique(masks).tolist()) - known
        assert not new, f"New values: {new}"
        assert masks.dtype == y.dtype.newbyteorder("="), f"Masks of {y.dtype} become {masks.dtype}."
    return "equal"


def resumes(case: Case) -> str:
    """Copies, states, indices, threads and batch sizes: the same samples, drawn the same."""
    kind = case.choose(*FLOW_ARGUMENTS)
    data = _folders(case)
    generator = {**_some_generator(case), "rng": "per_sample"}
    generator.pop("data_format", None)
    case.note(kind, generator)

    def make(batch_size: int, threads: int = 1) -> Any:
        options = {"batch_size": batch_size, "seed": 3}
        return _make(kind, data, {**generator, "threads": threads}, options)

    size, other = case.rng.integers(1, COUNT + 2, 2).tolist()
    flow = make(size)
    epoch = observe(_read_epochs, flow, 2)
    if epoch.error:
        return "error"
    total = [row for batch in epoch.value for row in _rows(batch)]
    rows = [row for batch in observe(_read_epochs, make(other, 2), 2).value for row in _rows(batch)]
    assert rows == total, f"batch_size={other} makes other samples than {size}."
    flow = make(size)
    steps = int(case.rng.integers(0, 2 * len(flow)))
    case.note(f"{steps} steps of {size}")
    for _ in range(steps):
        next(flow)
    state = flow.state_dict()
    expected = fingerprint(observe(next, copy.deepcopy(flow)).value)
    again = make(size, 2)
    again.load_state_dict(state)
    for resumed in (pickle.loads(pickle.dumps(flow)), again, flow):
        assert fingerprint(observe(next, resumed).value) == expected, "It resumes elsewhere."
    if other != size:
        resumed = make(other)
        loaded = observe(resumed.load_state_dict, state)
        num_batches = len(flow)
        place = steps // num_batches * COUNT + steps % num_batches * size
        if not loaded.error:
            is_same = _rows(next(resumed))[0] == total[place]
            assert is_same, f"A state of batch_size={size} resumes elsewhere with {other}."
        else:
            assert "batch_size" in str(loaded.error), f"`batch_size`: {loaded.error!r}"
    last, negative = observe(flow.__getitem__, len(flow) - 1), observe(flow.__getitem__, -1)
    if not negative.error:
        assert fingerprint(negative.value) == fingerprint(last.value), "flow[-1] is not the last."
    return "equal"


ATTACKS = (
    like_keras, like_keras_if_nasty, images_of_new_flows, nasty_for_new_flows, nasty_masks, resumes,
)  # fmt: skip


def _nasty(case: Case, name: str) -> Any:
    value = case.choose(*NASTY)
    if _is_huge(value):  # in case it is taken for a size
        case.is_risky()
    return value


def _is_huge(value: Any) -> bool:
    return isinstance(value, (int, float)) and abs(value) > 1e8


def _some_generator(case: Case) -> dict[str, Any]:
    """Valid arguments of the generator, each with some probability."""
    choices: dict[str, tuple[Any, ...]] = {
        "rotation_range": (20, 180.5, np.float32(30)),
        "width_shift_range": (0.2, 2.5, 1, 3, [-2, 1], np.float64(0.3), [0.1, 0.4]),
        "height_shift_range": (0.3, 1.0, 2, [4, 1]),
        "shear_range": (0.2, 30),
        "zoom_range": (0.3, (0.5, 2.0), [1, 1.5], (1, 1)),
        "channel_shift_range": (15.5, 200),
        "brightness_range": ((0.5, 1.5), [0, 3]),
        "horizontal_flip": (True,),
        "vertical_flip": (True,),
        "fill_mode": ("nearest", "constant", "reflect", "wrap"),
        "cval": (-3.7, 255, 2),
        "rescale": (1 / 255, 2, np.float32(0.3)),
        "samplewise_center": (True,),
        "samplewise_std_normalization": (True,),
        "interpolation_order": (0, 1, 2, 3),
        "data_format": ("channels_first", "channels_last"),
        "dtype": ("float64", "float32"),
        "preprocessing_function": (np.sqrt, np.negative),
    }
    return {name: case.choose(*values) for name, values in choices.items() if case.happens(0.3)}


def _generators(case: Case, arguments: dict[str, Any]) -> tuple[Any, Any]:
    ours = MultiDirImageDataGenerator(**arguments, threads=case.choose(1, 2, 4))
    return _keras.ImageDataGenerator(**arguments), ours


def _some_data(case: Case) -> Callable[[Any], Any]:
    """One of Keras' flows, as a function of the generator."""
    options: dict[str, Any] = {"batch_size": int(case.rng.integers(1, 8))}
    options |= {"shuffle": case.happens(0.5), "seed": case.choose(None, 0, 3)}
    if case.happens(0.2):
        saved = {"save_to_dir": case.folder / "saved", "save_format": "png"}
        saved["save_to_dir"].mkdir()
        options |= saved
    kind = case.choose("arrays", "directory", "dataframe")
    if kind == "arrays":
        dtype = case.choose("u1", "f4", ">f4", "f8", "i2", "?", ">i8")
        options |= {"y": case.choose(None, np.arange(COUNT) % 2)}
        options |= {"sample_weight": case.choose(None, np.linspace(0, 1, COUNT))}
        case.note(kind, dtype, options)

        def flow(generator: Any) -> Any:
            x = _arrays(generator.data_format == "channels_first")[0]
            return generator.flow(x.astype(dtype), **options)

        return flow
    root = _folders(case) / "images"
    options |= {
        "target_size": case.choose(SIZE, (8, 8)),
        "color_mode": case.choose("rgb", "rgba", "grayscale"),
        "interpolation": case.choose("nearest", "bilinear", "lanczos"),
        "class_mode": case.choose("categorical", "sparse", "input", None),
    }
    case.note(kind, options)
    if kind == "directory":
        options |= {
            "keep_aspect_ratio": case.happens(0.3),
            "classes": case.choose(None, ["cats", "ants"]),
        }
        return lambda generator: generator.flow_from_directory(root, **options)
    names = [f"{name}/{number}.png" for name in CLASSES for number in range(2)] + ["missing.png"]
    frame = pd.DataFrame({"filename": names, "class": [name[:4] for name in names]})
    return lambda generator: generator.flow_from_dataframe(frame, root, **options)


def _odd_data(case: Case) -> Callable[[Any], Any]:
    """Arrays as they come from other programs."""
    x = case.rng.normal(100, 90, (COUNT, *SIZE, 3))
    if case.happens(0.5):
        x[case.rng.random(x.shape) < 0.05] = case.choose(NAN, INF, -INF)
    dtype = case.choose("f4", ">f4", ">f8", "f8")
    order = case.choose("C", "F", "reversed", "masked", "empty", "object", "read-only")
    with np.errstate(invalid="ignore"):
        x = x.astype(dtype)
    x = {
        "F": np.asfortranarray(x), "reversed": x[::-1, ::-1], "masked": np.ma.masked_less(x, 50),
        "empty": x[:0], "object": x.astype(object),
    }.get(order, x)  # fmt: skip
    if order == "read-only":
        x.flags.writeable = False
    case.note("odd array:", dtype, order)
    return lambda generator: generator.flow(x, batch_size=4, seed=3)


def _some_steps(case: Case) -> Callable[[Any], list[Any]]:
    """A way to go through a flow, as a function of it."""
    steps = [case.choose("next", "next", "item", "reset", "end") for _ in range(5)]
    index = int(case.rng.integers(0, 3))
    case.note(steps, index)

    def walk(flow: Any) -> list[Any]:
        seen = []
        for step in steps:
            if step == "next":
                seen.append(next(flow))
            elif step == "item":
                seen.append(flow[min(index, len(flow) - 1)])
            else:
                flow.reset() if step == "reset" else flow.on_epoch_end()
        return seen

    return walk


def _compare(
    case: Case,
    arguments: dict[str, Any],
    make: Callable[[Any], Any],
    walk: Callable[[Any], Any],
    *,
    is_nasty: bool = False,
) -> str:
    case.note(arguments)

    def outcome_of(make_generator: Callable[..., Any], **own: Any) -> tuple[Outcome, str]:
        np.random.seed(11)
        outcome = observe(lambda: fingerprint(walk(make(make_generator(**arguments, **own)))))
        return outcome, random_state()

    expected, state = outcome_of(_keras.ImageDataGenerator)
    saved = _saved(case)
    received, own_state = outcome_of(MultiDirImageDataGenerator, threads=case.choose(1, 2, 4))
    if expected.error or received.error:
        assert expected.error, f"Keras does not raise {received.error!r}."
        assert received.error, f"Only Keras raises {expected.error!r}."
        same = type(expected.error) is type(received.error)
        assert same or is_nasty, f"Keras raises {expected.error!r}, we {received.error!r}."
        return "error"
    assert expected.value == received.value, "Batches differ from Keras'."
    assert state == own_state, "NumPy's random state differs."
    assert saved == _saved(case), "Saved files differ from Keras'."
    return "equal"


def _saved(case: Case) -> dict[str, bytes]:
    files = {path.name: path.read_bytes() for path in (case.folder / "saved").glob("*")}
    for name in files:
        (case.folder / "saved" / name).unlink()
    return files


def _same(expected: Outcome, received: Outcome, images: Callable[[Any], Any]) -> str:
    if expected.error or received.error:
        assert expected.error, f"Keras does not raise {received.error!r}."
        assert received.error, f"Only Keras raises {expected.error!r}."
        return "error"
    same = fingerprint(list(expected.value)) == fingerprint(list(images(received.value)))
    assert same, "The images are not those of Keras."
    return "equal"


def _moved_by_keras(arguments: dict[str, Any], shape: Any, masks: np.ndarray) -> np.ndarray:
    """Masks as Keras moves them at order 0, with the parameters that it draws for the images."""
    draws = _keras.ImageDataGenerator(**arguments)
    geometry = {**arguments, "interpolation_order": 0, "dtype": "float64", "cval": 0}
    moves = _keras.ImageDataGenerator(**geometry)
    first = moves.data_format == "channels_first"
    np.random.seed(3)
    moved = []
    for mask in masks:
        parameters = draws.get_random_transform(shape)
        parameters |= {"channel_shift_intensity": None, "brightness": None}
        pixels = mask[np.newaxis] if first else mask[..., np.newaxis]
        result = moves.apply_transform(pixels.astype(np.float64), parameters)
        moved.append(result[0] if first else result[..., 0])
    return np.stack(moved)


def _arrays(is_first: bool) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    x = rng.integers(0, 256, (COUNT, *SIZE, 3), np.uint8)
    y = rng.integers(0, 4, (COUNT, *SIZE), np.uint8)
    return np.ascontiguousarray(np.moveaxis(x, -1, 1)) if is_first else x, y


def _folders(case: Case) -> pathlib.Path:
    """Files of the arrays: images in class folders, and images with masks."""
    x, y = _arrays(is_first=False)
    for number, (image, mask) in enumerate(zip(x, y, strict=True)):
        name = f"{CLASSES[number // 2]}/{number % 2}.png"
        for kind, pixels in (("images", image), ("image files", image), ("masks", mask)):
            path = case.folder / kind / name
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels).save(path, compress_level=1)
    return case.folder


def _make(kind: str, data: pathlib.Path, generator: dict[str, Any], options: dict[str, Any]) -> Any:
    options = dict(options)
    if kind == "keras":
        known = {k: v for k, v in generator.items() if k not in NEW}
        roots = options.pop("directories", [data / "images"])
        options = {k: v for k, v in options.items() if k not in (*WORKERS, "cache")}
        flow = _keras.ImageDataGenerator(**known).flow_from_directory
        return flow(roots[0], **{"target_size": SIZE, **options})
    ours = MultiDirImageDataGenerator(**generator)
    if kind == "masks":
        x, y = _arrays(is_first=False)
        return ours.flow_segmentation(options.pop("x", x), options.pop("y", y), **options)
    options = {"target_size": SIZE, **options}
    if kind == "directories":
        return ours.flow_from_directories(options.pop("directories", [data / "images"]), **options)
    roots = [data / "image files"], [data / "masks"]
    return ours.flow_segmentation_from_directories(
        options.pop("image_directories", roots[0]),
        options.pop("mask_directories", roots[1]),
        **options,
    )


def _make_and_read(*arguments: Any) -> list[Any]:
    return _read_epochs(_make(*arguments), 1)


def _batches(make: Callable[[], Any]) -> list[Any]:
    np.random.seed(0)
    return _read_epochs(make(), 1)


def _read_epochs(flow: Any, count: int) -> list[Any]:
    return [next(flow) for _ in range(count * len(flow))]


def _rows(batch: Any) -> list[Any]:
    """Something for each sample of a batch that is equal for equal samples only."""
    parts = batch if isinstance(batch, tuple) else (batch,)
    return [[fingerprint(part[row]) for part in parts] for row in range(len(parts[0]))]
