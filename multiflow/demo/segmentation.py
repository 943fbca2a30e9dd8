"""Trains a small U-Net to predict the masks of images."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import keras
import numpy as np

from multiflow.demo.data import make_generator, read
from multiflow.flows.segmentation_directories import SegmentationDirectoryIterator

if TYPE_CHECKING:
    from matplotlib.figure import Figure

IMAGE_SIZE = (96, 96)
MAX_CLASSES = 20
MAX_VALIDATION_PAIRS = 64
NUM_SHOWN = 6


class ClassNumbers:
    """Turns the values of masks, such as 0 and 255, into class numbers, such as 0 and 1."""

    def __init__(self) -> None:
        self.values = np.array([], np.int64)

    def learn(self, masks: Any) -> None:
        """Adds the values of all masks.

        Raises:
            ValueError: if there are too many values for classes, or if the masks have channels.
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


class Predictions(NamedTuple):
    """Images with their masks and the masks that a network predicts.

    Attributes:
        images: array of shape `(num_samples, height, width, 3)` with values from 0 to 1.
        masks: the true mask values, of shape `(num_samples, height, width)`.
        predicted: the mask values that the network predicts, of the same shape.
    """

    images: np.ndarray
    masks: np.ndarray
    predicted: np.ndarray

    def draw(self) -> Figure:
        """Draws image, mask and prediction of the first samples side by side."""
        from multiflow.show import colours, figures

        images, masks, predicted = (part[:NUM_SHOWN] for part in self)
        # The colours of masks are seen best on grey.
        grey = np.broadcast_to(images.mean(axis=-1, keepdims=True), images.shape)
        cells = np.stack([images, grey, grey], axis=1)
        values = np.stack([np.zeros_like(masks), masks, predicted], axis=1)
        layer = colours.colour_masks(
            "",
            values.reshape(-1, *masks.shape[1:]),
            channels_first=False,
            mask_names={value: f"mask value {value}" for value in np.unique(values[values != 0])},
        )
        return figures.draw(
            cells.reshape(-1, *images.shape[1:]).clip(0, 1),
            ["image", "mask", "prediction"] * len(images),
            title=f"Validation: {len(images)} of {len(self.images)} images",
            columns=6,
            layers=[layer],
        )


def index_pairs(
    images: Any, masks: Any, validation_split: float
) -> tuple[SegmentationDirectoryIterator, SegmentationDirectoryIterator, ClassNumbers]:
    """Flows of the training pairs, augmented, and of the validation pairs, and their classes."""
    generator = make_generator(validation_split, brightness_range=(0.8, 1.2))
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
) -> tuple[dict[str, list[float]], Predictions]:
    """Trains a small U-Net, prints its results, and returns its history and predictions."""
    images, masks = read(validation, MAX_VALIDATION_PAIRS)
    values = class_numbers.values
    model = build_unet(len(values))
    history = model.fit(
        training, validation_data=(images, masks), epochs=epochs, callbacks=list(callbacks)
    )
    predictions = model.predict(images, verbose=0).argmax(axis=-1)
    print_overlap(values, masks, predictions)
    return history.history, Predictions(images, values[masks], values[predictions])


def build_unet(num_classes: int) -> keras.Model:
    """A U-Net of three steps down and three steps up, each joined with the features of its size."""
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
