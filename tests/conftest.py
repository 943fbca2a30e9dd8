"""Trees of images in temporary folders, flows of each kind, and another process."""

from __future__ import annotations

import multiprocessing
import os
import pathlib
import signal
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from typing import Any

# The models of the tests are small: several threads of TensorFlow mostly wait for each other. Set
# before the first import, for processes and notebooks, too.
os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")
os.environ.setdefault("TF_NUM_INTEROP_THREADS", "1")

import keras
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from multiflow import MultiDirImageDataGenerator, extras

MakeTree = Callable[..., pathlib.Path]
MakeFlow = Callable[..., Any]

FLOWS = ["arrays", "directory", "directories", "dataframe", "masks", "mask folders"]
COUNT = 11
IMAGES = np.random.default_rng(0).integers(0, 256, (COUNT, 8, 9, 3), np.uint8)
MASKS = np.random.default_rng(1).integers(0, 4, (COUNT, 8, 9), np.uint8)
LABELS = np.eye(3)[np.arange(COUNT) % 3]
CLASS_NAMES = ["ants", "bees", "cats"]


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


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """A folder of as many images and masks of various sizes; tests only read it."""
    rng = np.random.default_rng(2)
    folder = tmp_path_factory.mktemp("pictures")
    for number in range(COUNT):
        size = rng.integers(6, 12, 2)
        for kind, pixels in [
            ("images", rng.integers(0, 256, (*size, 3), np.uint8)),
            ("masks", rng.integers(0, 4, size, np.uint8)),
        ]:
            path = folder / kind / CLASS_NAMES[number % 3] / f"{number}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels).save(path)
    return folder


@pytest.fixture(params=FLOWS)
def kind(request: pytest.FixtureRequest) -> str:
    """Each kind of flow."""
    return request.param


@pytest.fixture
def make_flow(pictures: pathlib.Path) -> MakeFlow:
    """A function that makes a flow over eleven images, in batches of four.

    Those of the arrays are `IMAGES`, with `LABELS` or `MASKS`; files have images of their own.

    Args of the function:
        kind: one of `FLOWS`.
        generator: a generator, or a dict of the arguments of one.
        options: those of the flow; they win over what the function would pass.
    """

    def make(
        kind: str, generator: MultiDirImageDataGenerator | Mapping[str, Any], **options: Any
    ) -> Any:
        if isinstance(generator, Mapping):
            generator = MultiDirImageDataGenerator(**generator)
        options = {"batch_size": 4, **options}
        if kind == "arrays":
            return generator.flow(IMAGES, LABELS, **options)
        if kind == "masks":
            return generator.flow_segmentation(IMAGES, MASKS, **options)
        options = {"target_size": IMAGES.shape[1:3], **options}
        root = pictures / "images"
        if kind == "directory":
            return generator.flow_from_directory(root, **options)
        if kind == "directories":
            return generator.flow_from_directories([root], **options)
        if kind == "dataframe":
            names = [f"{CLASS_NAMES[n % 3]}/{n}.png" for n in range(COUNT)]
            frame = pd.DataFrame({"filename": names, "class": [name[:4] for name in names]})
            return generator.flow_from_dataframe(frame, root, **options)
        folders = [[pictures / of / name for name in CLASS_NAMES] for of in ("images", "masks")]
        return generator.flow_segmentation_from_directories(*folders, **options)

    return make


@pytest.fixture(scope="session")
def other_process() -> Iterator[ProcessPoolExecutor]:
    """A process that shares no memory with this one; for all tests one, as imports take seconds."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as process:
        yield process


# For tests that fork while threads run.
FORKS = pytest.mark.usefixtures("_forking")


@pytest.fixture
def _forking() -> Iterator[None]:
    if not hasattr(os, "fork"):
        pytest.skip("the system has no fork")
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*multi-threaded, use of fork", DeprecationWarning)
        yield


def status_of_fork(work: Callable[[], object]) -> int:
    """The exit status of a forked process: 7 if the work ends without an error, within 20 s."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            signal.alarm(20)
            work()
            status = 7
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


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
