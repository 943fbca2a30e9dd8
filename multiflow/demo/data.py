"""The augmentation and the validation images of both trainings of the demo."""

from __future__ import annotations

from typing import Any

import numpy as np

from multiflow import MultiDirImageDataGenerator

AUGMENTATION: dict[str, Any] = {
    "rotation_range": 20,
    "width_shift_range": 0.1,
    "height_shift_range": 0.1,
    "zoom_range": 0.2,
    "horizontal_flip": True,
}


def make_generator(validation_split: float, **others: Any) -> MultiDirImageDataGenerator:
    """A generator that augments the images for training, and only rescales those for validation."""
    return MultiDirImageDataGenerator(
        **AUGMENTATION,
        **others,
        rescale=1 / 255,
        validation_split=validation_split,
        augment_validation=False,
    )


def read(validation: Any, max_samples: int) -> tuple[np.ndarray, np.ndarray]:
    """The images and targets of the first batches of a flow, at most `max_samples` of them."""
    num_batches = min(len(validation), max_samples // validation.batch_size)
    batches = [validation[position] for position in range(num_batches)]
    images, targets = (np.concatenate(parts) for parts in zip(*batches, strict=True))
    return images, targets
