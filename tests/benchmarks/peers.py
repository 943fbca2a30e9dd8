"""What others use for the same work: similar images, not equal ones."""

from __future__ import annotations

import pathlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import keras
import numpy as np


def albumentations_epochs(
    folder: str, size: tuple[int, int], batch_size: int, threads: int
) -> Callable[[], None]:
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
    paths = sorted(map(str, pathlib.Path(folder).rglob("*.jpg")))
    pool = ThreadPoolExecutor(threads)

    def load_into(row: np.ndarray, path: str) -> None:
        image = cv2.cvtColor(cv2.imread(path), cv2.COLOR_BGR2RGB)
        image = cv2.resize(image, size[::-1], interpolation=cv2.INTER_NEAREST)
        row[:] = transform(image=image)["image"]

    def epoch() -> None:
        for start in range(0, len(paths), batch_size):
            chosen = paths[start : start + batch_size]
            batch = np.empty((len(chosen), *size, 3), np.float32)
            list(pool.map(load_into, batch, chosen))

    return epoch


def keras_layers_epochs(
    folder: str, size: tuple[int, int], batch_size: int, threads: int
) -> Callable[[], None]:
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
        folder, image_size=size, batch_size=batch_size, interpolation="nearest", verbose=False
    )
    dataset = dataset.map(augment, num_parallel_calls=threads).prefetch(1)

    def epoch() -> None:
        for _ in dataset:
            pass

    return epoch
