"""Batches and states that were saved once stay what they were: no change of the inside shows.

What is compared is exact on all machines: files without loss, sines and cosines only at order 0.
"""

from __future__ import annotations

import hashlib
import json
import pathlib
from typing import Any

import numpy as np
import pandas as pd
import pytest
from comparison import fingerprint
from PIL import Image

from multiflow import MultiDirImageDataGenerator

EXPECTED = json.loads((pathlib.Path(__file__).parent / "digests.json").read_text())
SMOOTH: dict[str, Any] = {
    "width_shift_range": 0.2,
    "height_shift_range": [-2, 1, 3],
    "zoom_range": (0.7, 1.2),
    "channel_shift_range": 20.0,
    "brightness_range": (0.5, 1.5),
    "horizontal_flip": True,
    "vertical_flip": True,
    "rescale": 1 / 255,
}
TURNED: dict[str, Any] = {
    "rotation_range": 40,
    "shear_range": 15,
    "fill_mode": "constant",
    "cval": 7,
    "interpolation_order": 0,
}
GENERATORS: dict[str, dict[str, Any]] = {
    "smooth": SMOOTH,
    "turned": TURNED,
    "samplewise": {**SMOOTH, "samplewise_center": True, "samplewise_std_normalization": True},
    "corrected": {**SMOOTH, "corrected": True, "fill_mode": "reflect"},
    "split": {**SMOOTH, "validation_split": 0.4, "split_seed": 3},
}
COUNT = 11


def arrays() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    return rng.integers(0, 256, (COUNT, 12, 9, 3), np.uint8), rng.integers(0, 5, (COUNT, 12, 9))


@pytest.fixture
def folders(tmp_path: pathlib.Path) -> pathlib.Path:
    """Images in two roots, and their masks, as PNG."""
    for number, (image, mask) in enumerate(zip(*arrays(), strict=True)):
        place = f"{'ab'[number % 2]}/{'xyz'[number % 3]}"
        for kind, pixels in (("images", image), ("masks", mask.astype(np.uint8))):
            folder = tmp_path / kind / place
            folder.mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels).save(folder / f"{number:02d}.png")
    return tmp_path


def flow_of(kind: str, generator: Any, folder: pathlib.Path, **options: Any) -> Any:
    images, masks = arrays()
    options = {"batch_size": 4, "seed": 7, **options}
    weights = np.linspace(0, 1, COUNT)
    files = {"target_size": (10, 8), "interpolation": "bilinear", **options}
    if kind == "arrays":
        labels = {"y": np.arange(COUNT) % 3, "ignore_class_split": True}
        return generator.flow([images, weights], **labels, sample_weight=weights, **options)
    if kind == "masks":
        maps = np.linspace(0, 1, masks.size).reshape(masks.shape)
        y = {"a": masks, "b": (masks > 2)[..., np.newaxis]}
        weight = {"a": maps, "b": weights}
        return generator.flow_segmentation(
            [images, weights], y, sample_weight=weight, mask_fill_mode="constant", **options
        )
    if kind == "directory":
        return generator.flow_from_directory(folder / "images/a", **files)
    if kind == "directories":
        roots = {name: folder / "images" / name for name in "ab"}
        return generator.flow_from_directories(roots, class_mode="sparse", **files)
    if kind == "dataframe":
        images_in = folder / "images"
        names = sorted(str(path.relative_to(images_in)) for path in images_in.rglob("*.png"))
        frame = pd.DataFrame({"filename": names, "class": ["x", "y"] * 5 + ["x"], "w": weights})
        return generator.flow_from_dataframe(frame, images_in, weight_col="w", **files)
    roots = [[folder / side / name for name in "ab"] for side in ("images", "masks")]
    return generator.flow_segmentation_from_directories(*roots, num_classes=5, **files)


def flat(batch: Any) -> Any:
    if isinstance(batch, dict):
        return [(key, flat(part)) for key, part in batch.items()]
    if isinstance(batch, (list, tuple)):
        return type(batch).__name__, [flat(part) for part in batch]
    return str(fingerprint(batch))


def digest(flow: Any, *, has_state: bool) -> str:
    """Of two epochs by `next`, one by index, and the states between."""
    seen: list[Any] = []
    for step in range(2 * len(flow) + 1):
        seen.append(flat(next(flow)))
        if has_state:
            state = flow.state_dict()
            seen.append([("batch", state["batch"]), ("epoch", state["epoch"])])
        seen.append((flow.batch_index, flow.total_batches_seen, step))
    flow.on_epoch_end()
    seen += [flat(flow[index]) for index in range(len(flow))]
    seen.append(np.asarray(flow.index_array).tolist())
    return hashlib.sha256(repr(seen).encode()).hexdigest()[:32]


KINDS = ["arrays", "masks", "directory", "directories", "dataframe", "mask folders"]


# Eleven images make rough splits, and classes that are in one part only.
@pytest.mark.filterwarnings("ignore:The validation subset has", "ignore:One of the subsets has no")
@pytest.mark.parametrize("rng", ["keras", "per_sample"])
@pytest.mark.parametrize("name", GENERATORS)
@pytest.mark.parametrize("kind", KINDS)
def test_batches_and_states(kind: str, name: str, rng: str, folders: pathlib.Path) -> None:
    generator = MultiDirImageDataGenerator(**GENERATORS[name], rng=rng)
    subset = {"subset": "training"} if name == "split" else {}
    flow = flow_of(kind, generator, folders, **subset)
    received = digest(flow, has_state=rng == "per_sample")
    assert received == EXPECTED[f"{kind} {name} {rng}"]


@pytest.mark.parametrize("kind", KINDS)
def test_saved_files(kind: str, folders: pathlib.Path) -> None:
    generator = MultiDirImageDataGenerator(**SMOOTH)
    saved = folders / "saved"
    saved.mkdir()
    flow = flow_of(kind, generator, folders, save_to_dir=str(saved), save_prefix="p")
    batch = [flat(next(flow)) for _ in range(3)]
    pixels = [
        (path.name, np.asarray(Image.open(path)).tolist())
        for path in sorted(saved.iterdir())
        if path.suffix == ".png"
    ]
    received = hashlib.sha256(repr((batch, pixels)).encode()).hexdigest()[:32]
    assert received == EXPECTED[f"{kind} saved"]


def test_drawn_parameters() -> None:
    """With angles, which sines and cosines follow only later."""
    generator = MultiDirImageDataGenerator(**SMOOTH, rotation_range=30, rng="per_sample")
    drawn = [generator.get_random_transform((12, 9, 3), seed) for seed in range(20)]
    received = hashlib.sha256(repr(drawn).encode()).hexdigest()[:32]
    assert received == EXPECTED["parameters"]
