"""Trees of images in temporary folders."""

from __future__ import annotations

import os
import pathlib
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import keras
import numpy as np
import pytest
from PIL import Image

from multiflow import extras

MakeTree = Callable[..., pathlib.Path]


@pytest.fixture
def make_tree(tmp_path: pathlib.Path) -> MakeTree:
    """A function that writes images of random pixels and sizes and returns their folder."""

    def make(name: str, files: Iterable[str], *, side: tuple[int, int] = (6, 12)) -> pathlib.Path:
        rng = np.random.default_rng(len(name))
        root = tmp_path / name
        root.mkdir(parents=True, exist_ok=True)
        for file in files:
            path = root / file
            path.parent.mkdir(parents=True, exist_ok=True)
            height, width = rng.integers(*side, 2)
            Image.fromarray(rng.integers(0, 256, (height, width, 3), dtype=np.uint8)).save(path)
        return root

    return make


@pytest.fixture
def three_classes(make_tree: MakeTree) -> pathlib.Path:
    """A root of 5 ants, 4 bees, of which one is nested, and 3 cats."""
    ants = [f"ants/{number}.png" for number in range(5)]
    bees = ["bees/1.png", "bees/2.PNG", "bees/3.jpg", "bees/hive/0.png"]
    cats = [f"cats/{number}.jpg" for number in (10, 9, 8)]
    return make_tree("three_classes", [*ants, *bees, *cats])


@pytest.fixture
def secret_folders(monkeypatch: pytest.MonkeyPatch) -> None:
    """No folder called "secret" can be listed; real permissions do not bind the superuser."""
    scandir = os.scandir

    def refuse(path: Any) -> Any:
        if str(path).endswith("secret"):
            raise PermissionError(13, "Permission denied", path)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)


@pytest.fixture
def silent_keras() -> Iterator[None]:
    """Keras' interactive logging is off."""
    keras.config.disable_interactive_logging()
    yield
    keras.config.enable_interactive_logging()


@pytest.fixture
def use_extra(monkeypatch: pytest.MonkeyPatch) -> Callable[[bool], None]:
    """A function that hides the libraries of the extra `fast`, or shows them again."""
    find = extras.find

    def use(is_installed: bool) -> None:
        monkeypatch.setattr(extras, "find", find if is_installed else lambda name: None)

    return use
