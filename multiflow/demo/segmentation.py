"""The part of the demo that trains on images and masks: `--segmentation`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from PIL import Image

from multiflow import MultiDirImageDataGenerator
from multiflow.demo.pictures import COLOURS, contact_sheet
from multiflow.flows.segmentation_directories import SegmentationDirectoryIterator
from multiflow.images.resize import resize

AUGMENTATION: dict[str, Any] = {
    "rotation_range": 20,
    "width_shift_range": 0.1,
    "height_shift_range": 0.1,
    "zoom_range": 0.2,
    "horizontal_flip": True,
}
IMAGE_SIZE = (96, 96)
MAX_CLASSES = 20
MAX_VALIDATION_PAIRS = 64
NUM_SHOWN = 5
CELL = 160


class ClassNumbers:
    """Turns the values of masks, such as 0 and 255, into class numbers, such as 0 and 1."""

    def __init__(self) -> None:
        self.values = np.array([], np.int64)

    def learn(self, masks: Any) -> None:
        """Adds the values of all masks.

        Raises:
            ValueError: if they are too many for classes, or the masks have channels.
        """
        if len(masks.shape) != 3:
            raise ValueError(
                f"the masks have channels (their shape is {masks.shape[1:]}); the demo takes masks "
                "with one number per pixel"
            )
        for index in range(len(masks)):
            self.values = np.union1d(self.values, masks[index])
        if len(self.values) > MAX_CLASSES:
            raise ValueError(
                f"the masks hold {len(self.values)} values, more than {MAX_CLASSES} classes; the "
                "demo takes masks with one value per class"
            )

    def __call__(self, mask: np.ndarray) -> np.ndarray:
        """The class number of each pixel."""
        return np.searchsorted(self.values, mask)


def index_pairs(
    images: Any, masks: Any, validation_split: float
) -> tuple[SegmentationDirectoryIterator, SegmentationDirectoryIterator, ClassNumbers]:
    """The training pairs, augmented, the validation pairs, as they are, and their classes."""
    generator = MultiDirImageDataGenerator(
        **AUGMENTATION,
        brightness_range=(0.8, 1.2),
        rescale=1 / 255,
        validation_split=validation_split,
        augment_validation=False,
    )
    class_numbers = ClassNumbers()
    training, validation = (
        generator.flow_segmentation_from_directories(
            images,
            masks,
            target_size=IMAGE_SIZE,
            batch_size=8,
            seed=0,
            subset=subset,
            mask_preprocessing_function=class_numbers,
        )
        for subset in ("training", "validation")
    )
    class_numbers.learn(training.y)
    class_numbers.learn(validation.y)
    if len(class_numbers.values) < 2:
        raise ValueError(
            f"the masks hold the one value {class_numbers.values[0]}; there is nothing to learn"
        )
    # Few pairs make small batches, so that an epoch still has some steps.
    training.batch_size = min(8, max(1, training.samples // 8))
    return training, validation, class_numbers


def train(
    training: SegmentationDirectoryIterator,
    validation: SegmentationDirectoryIterator,
    class_numbers: ClassNumbers,
    *,
    epochs: int,
    callbacks: Sequence[keras.callbacks.Callback],
) -> tuple[dict[str, list[float]], Image.Image]:
    """Trains a small U-Net, prints what it reaches, and draws what it predicts."""
    num_batches = min(len(validation), MAX_VALIDATION_PAIRS // validation.batch_size)
    batches = [validation[position] for position in range(num_batches)]
    images, masks = (np.concatenate(parts) for parts in zip(*batches, strict=True))
    num_classes = len(class_numbers.values)
    model = build_unet(num_classes)
    history = model.fit(
        training, validation_data=(images, masks), epochs=epochs, callbacks=list(callbacks)
    )
    predictions = model.predict(images, verbose=0).argmax(axis=-1)
    print_overlap(class_numbers.values, masks, predictions)
    return history.history, draw_predictions(images, masks, predictions)


def build_unet(num_classes: int) -> keras.Model:
    """Three steps down, three steps up, each joined with the features of its size."""
    inputs = outputs = keras.Input((*IMAGE_SIZE, 3))
    skipped = []
    for filters in (8, 16, 32):
        outputs = _convolve(outputs, filters)
        skipped.append(outputs)
        outputs = keras.layers.MaxPooling2D()(outputs)
    outputs = _convolve(outputs, 64)
    for filters, features in zip((32, 16, 8), reversed(skipped), strict=True):
        outputs = keras.layers.UpSampling2D()(outputs)
        outputs = _convolve(keras.layers.Concatenate()([outputs, features]), filters)
    outputs = keras.layers.Conv2D(num_classes, 1, activation="softmax")(outputs)
    model = keras.Model(inputs, outputs)
    model.compile(
        optimizer=keras.optimizers.Adam(3e-3),
        loss="sparse_categorical_crossentropy",
        metrics=["accuracy"],
    )
    return model


def _convolve(features: Any, filters: int) -> Any:
    for _ in range(2):
        features = keras.layers.Conv2D(filters, 3, padding="same", use_bias=False)(features)
        features = keras.layers.BatchNormalization(momentum=0.9)(features)
        features = keras.layers.ReLU()(features)
    return features


def print_overlap(values: np.ndarray, masks: np.ndarray, predictions: np.ndarray) -> None:
    """Prints the intersection over union of each class, and their mean."""
    metric = keras.metrics.MeanIoU(num_classes=len(values))
    metric.update_state(masks, predictions)
    mean = float(metric.result())
    print("\nmask value  intersection over union")
    for number, value in enumerate(values):
        one = keras.metrics.IoU(num_classes=len(values), target_class_ids=[number])
        one.update_state(masks, predictions)
        print(f"{value:10}  {float(one.result()):23.2f}")
    print(f"{'mean':>10}  {mean:23.2f}   on {len(masks)} validation images")


def draw_predictions(images: np.ndarray, masks: np.ndarray, predictions: np.ndarray) -> Image.Image:
    """Image, mask and prediction side by side."""
    cells, captions = [], []
    for image, mask, prediction in zip(images, masks, predictions, strict=True):
        cells += [image, _paint(mask), _paint(prediction)]
        captions += ["image", "mask", "prediction"]
    num_cells = 3 * NUM_SHOWN
    return contact_sheet(cells[:num_cells], captions[:num_cells], columns=3, cell=CELL)


def _paint(mask: np.ndarray) -> np.ndarray:
    repeats = -(-MAX_CLASSES // len(COLOURS))
    colours = np.array([(0, 0, 0), *(COLOURS * repeats)]) / 255
    # Enlarged here, because the sheet would blur the edges.
    return colours[resize(mask, (CELL, CELL), "nearest", channels_first=False)]
