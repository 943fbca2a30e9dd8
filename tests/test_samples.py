from __future__ import annotations

import pathlib

import numpy as np
import pytest
from PIL import Image, ImageFilter

from multiflow import MultiDirImageDataGenerator
from multiflow.samples import write_samples, write_segmentation_samples


def read_all(folder: pathlib.Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


@pytest.fixture(scope="module")
def roots(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return write_samples(tmp_path_factory.mktemp("samples"))


def test_two_sources_of_three_classes(roots: dict[str, str]) -> None:
    iterator = MultiDirImageDataGenerator().flow_from_directories(roots)
    summary = iterator.summary()
    assert summary.class_names == ["circle", "square", "triangle"]
    assert summary.source_names == ["photos", "sketches"]
    assert summary.counts.tolist() == [[60, 50], [60, 35], [60, 20]]


def test_the_sources_look_different(roots: dict[str, str]) -> None:
    brightness = {
        source: [np.asarray(Image.open(path)).mean() for path in pathlib.Path(root).rglob("*.*g")]
        for source, root in roots.items()
    }
    assert max(brightness["photos"]) < min(brightness["sketches"])


def test_same_seed_same_files(tmp_path: pathlib.Path) -> None:
    for name, seed in [("a", 1), ("b", 1), ("c", 2)]:
        write_samples(tmp_path / name, seed=seed)
    assert read_all(tmp_path / "a") == read_all(tmp_path / "b")
    assert read_all(tmp_path / "a") != read_all(tmp_path / "c")


def test_global_random_state_is_left_alone(tmp_path: pathlib.Path) -> None:
    before = np.random.get_state()
    write_samples(tmp_path)
    np.testing.assert_equal(np.random.get_state(), before)


def test_masks_cover_the_shapes(tmp_path: pathlib.Path) -> None:
    """Within a sketch's mask there is paper and pencil, outside of it paper alone."""
    image_roots, mask_roots = write_segmentation_samples(tmp_path)
    assert image_roots.keys() == mask_roots.keys() == {"photos", "sketches"}
    for mask_path in sorted(pathlib.Path(mask_roots["sketches"]).iterdir()):
        mask = Image.open(mask_path)
        assert mask.mode == "P"
        classes = np.asarray(mask)
        assert set(np.unique(classes)) == {0, int(mask_path.stem) % 3 + 1}
        sketch = np.asarray(Image.open(pathlib.Path(image_roots["sketches"], mask_path.name)))
        pencil = sketch < 150
        assert pencil.any()
        wide = np.asarray(
            Image.fromarray(classes > 0).convert("L").filter(ImageFilter.MaxFilter(11))
        )
        assert not pencil[wide == 0].any()
