"""The two sides of a row, Keras' class and multiflow's: settings, flows, and their equality."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import gc
import io
import pathlib
from typing import Any

from data import write_photographs

from multiflow import MultiDirImageDataGenerator
from multiflow._keras import ImageDataGenerator

RESCALE = {"rescale": 1 / 255}
CLASSIC = RESCALE | {
    "rotation_range": 20,
    "width_shift_range": 0.1,
    "height_shift_range": 0.1,
    "shear_range": 0.2,
    "zoom_range": 0.2,
    "horizontal_flip": True,
}
REFLECT = CLASSIC | {"fill_mode": "reflect"}
TARGET_SIZE = (224, 224)
BATCH_SIZE = 32


@dataclasses.dataclass(frozen=True)
class Setup:
    """How to measure.

    Args:
        folder: an empty folder for the files that are written.
        repetitions: how often each side runs.
        threads: of multiflow; None for one per core.
        num_images: the number of small pictures, arrays and tiny images.
        num_photographs: the number of photographs that are drawn.
        num_pairs: the number of pairs of PNG files.
        num_draws: the number of draws with which single operations run.
        num_files: the number of files in each of the two roots to list.
        num_epochs: how many epochs the unchanged scripts run.
        data: a folder of class folders with a user's own photographs; None to draw some.
    """

    folder: pathlib.Path
    repetitions: int
    threads: int | None = None
    num_images: int = 128
    num_photographs: int = 250
    num_pairs: int = 32
    num_draws: int = 16
    num_files: int = 100_000
    num_epochs: int = 10
    data: str | None = None

    @functools.cached_property
    def photographs(self) -> str:
        return self.data or write_photographs(self.folder / "photographs", self.num_photographs)

    @property
    def long_repetitions(self) -> int:
        """How often that is run which takes long, and varies little."""
        return max(1, self.repetitions // 3)

    def flows(self, folder: str, settings: dict[str, Any], **options: Any) -> tuple[Any, Any]:
        """The two sides' flows over a folder; `options` are those of multiflow alone."""
        return self.their_flow(folder, settings), self.our_flow(folder, settings, **options)

    def their_flow(self, folder: str, settings: dict[str, Any]) -> Any:
        return build_flow(ImageDataGenerator(**settings), folder)

    def our_flow(self, folder: str, settings: dict[str, Any], **options: Any) -> Any:
        return build_flow(self.generator(settings), folder, **options)

    def generator(self, settings: dict[str, Any]) -> MultiDirImageDataGenerator:
        return MultiDirImageDataGenerator(**settings, threads=self.threads)


def build_flow(
    generator: Any, folder: str, target_size: tuple[int, int] = TARGET_SIZE, **options: Any
) -> Any:
    with contextlib.redirect_stdout(io.StringIO()):
        return generator.flow_from_directory(
            folder, target_size, **{"batch_size": BATCH_SIZE, "seed": 1} | options
        )


def forget_flows() -> None:
    """Deletes flows that nobody uses, which are in cycles, and the images that they share."""
    gc.collect()


def run_epoch(flow: Any) -> None:
    for _ in range(len(flow)):
        next(flow)


def assert_equal_epochs(theirs: Any, ours: Any) -> None:
    for _ in range(len(theirs)):
        for expected, received in zip(next(theirs), next(ours), strict=True):
            assert expected.dtype == received.dtype
            assert expected.tobytes() == received.tobytes()
