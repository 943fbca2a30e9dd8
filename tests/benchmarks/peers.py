"""Rows of what others use for the same work: similar images, not equal ones."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import keras
import numpy as np
from data import write_pictures
from sides import BATCH_SIZE, CLASSIC, TARGET_SIZE, Setup, forget_flows, run_epoch
from timing import Row, median_seconds

from multiflow.parallel import num_cores


def measure_peers(setup: Setup) -> Iterator[Row]:
    if setup.data is None:
        folder = write_pictures(setup.folder / "peers", setup.num_images, "jpg")
        ours = setup.our_flow(folder, CLASSIC, cache=None)
        num_threads, run_ours = setup.threads or num_cores(), partial(run_epoch, ours)
        run_theirs = albumentations_epochs(ours.filepaths, num_threads)
        work = "classic, against albumentations and OpenCV"
        yield compare_epochs(setup, work, run_theirs, run_ours, ours.samples)
        run_theirs = keras_layers_epochs(folder, num_threads)
        work = "classic, against `image_dataset_from_directory`, layers"
        yield compare_epochs(setup, work, run_theirs, run_ours, ours.samples)
    yield measure_first_epoch(setup)


def measure_first_epoch(setup: Setup) -> Row:
    paths = setup.our_flow(setup.photographs, CLASSIC).filepaths
    run_theirs = albumentations_epochs(paths, setup.threads or num_cores())

    def run_ours() -> None:
        run_epoch(setup.our_flow(setup.photographs, CLASSIC))

    work = "photographs, classic, first epoch, against albumentations and OpenCV"
    return compare_epochs(setup, work, run_theirs, run_ours, len(paths))


def compare_epochs(
    setup: Setup,
    work: str,
    run_theirs: Callable[[], None],
    run_ours: Callable[[], None],
    num_images: int,
) -> Row:
    for run in (run_theirs, run_ours):
        run()
    seconds = median_seconds([run_theirs, run_ours], setup.repetitions, prepare=forget_flows)
    return Row.of_images(work, seconds, num_images)


def albumentations_epochs(paths: list[str], threads: int) -> Callable[[], None]:
    """An epoch of albumentations over OpenCV, each thread with images of its own."""
    import albumentations as A  # noqa: N812  its documented name
    import cv2

    cv2.setNumThreads(1)
    transform = A.Compose(
        [
            A.Affine(
                rotate=(-20, 20),
                translate_percent=0.1,
                shear=(-0.2, 0.2),
                scale=(0.8, 1.2),
                keep_ratio=False,
                border_mode=cv2.BORDER_REPLICATE,
                p=1,
            ),
            A.HorizontalFlip(p=0.5),
            A.Normalize(mean=(0, 0, 0), std=(1, 1, 1)),
        ]
    )
    pool = ThreadPoolExecutor(threads)

    def load_into(row: np.ndarray, path: str) -> None:
        image = cv2.cvtColor(cv2.imread(path), cv2.COLOR_BGR2RGB)
        image = cv2.resize(image, TARGET_SIZE[::-1], interpolation=cv2.INTER_NEAREST)
        row[:] = transform(image=image)["image"]

    def epoch() -> None:
        for start in range(0, len(paths), BATCH_SIZE):
            chosen = paths[start : start + BATCH_SIZE]
            batch = np.empty((len(chosen), *TARGET_SIZE, 3), np.float32)
            list(pool.map(load_into, batch, chosen))

    return epoch


def keras_layers_epochs(folder: str, threads: int) -> Callable[[], None]:
    """An epoch of `image_dataset_from_directory` with Keras' preprocessing layers."""
    layers: list[Any] = [
        keras.layers.RandomRotation(20 / 360, fill_mode="nearest"),
        keras.layers.RandomTranslation(0.1, 0.1, fill_mode="nearest"),
        keras.layers.RandomShear(0.002, 0.002, fill_mode="nearest"),
        keras.layers.RandomZoom(0.2, 0.2, fill_mode="nearest"),
        keras.layers.RandomFlip("horizontal"),
        keras.layers.Rescaling(1 / 255),
    ]

    def augment(images: Any, labels: Any) -> Any:
        for layer in layers:
            images = layer(images, training=True)
        return images, labels

    dataset = keras.utils.image_dataset_from_directory(
        folder,
        image_size=TARGET_SIZE,
        batch_size=BATCH_SIZE,
        interpolation="nearest",
        verbose=False,
    )
    dataset = dataset.map(augment, num_parallel_calls=threads).prefetch(1)

    def epoch() -> None:
        for _ in dataset:
            pass

    return epoch
