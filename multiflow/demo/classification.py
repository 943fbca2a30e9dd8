"""Trains a small network to classify the images of several folders."""

from __future__ import annotations

from collections.abc import Sequence

import keras
import numpy as np

from multiflow.demo.data import make_generator, read
from multiflow.flows.directories import MultiDirectoryIterator

IMAGE_SIZE = (64, 64)
BATCH_SIZE = 16
MAX_VALIDATION_IMAGES = 256


def index_images(
    roots: Sequence[str] | dict[str, str], validation_split: float
) -> tuple[MultiDirectoryIterator, MultiDirectoryIterator]:
    """A flow of the training images, augmented, and one of the validation images, unchanged."""
    generator = make_generator(validation_split)
    training, validation = (
        generator.flow_from_directories(
            roots, target_size=IMAGE_SIZE, batch_size=BATCH_SIZE, seed=0, subset=subset
        )
        for subset in ("training", "validation")
    )
    if training.num_classes < 2:
        raise ValueError(
            f"the folders hold the one class {list(training.class_indices)}; the demo needs two or "
            "more. Name the folders that hold the class folders"
        )
    return training, validation


def train(
    training: MultiDirectoryIterator,
    validation: MultiDirectoryIterator,
    *,
    epochs: int,
    callbacks: Sequence[keras.callbacks.Callback],
) -> dict[str, list[float]]:
    """Trains a small network, prints its results, and returns its history."""
    images, labels = read(validation, MAX_VALIDATION_IMAGES)
    if len(images) < validation.samples:
        print(f"Validating on {len(images)} of the {validation.samples} validation images.")
    model = build_model(training.num_classes)
    history = model.fit(
        training,
        validation_data=(images, labels),
        epochs=epochs,
        class_weight=training.class_weight,
        callbacks=list(callbacks),
    )
    print_results(list(training.class_indices), labels, model.predict(images, verbose=0))
    return history.history


def build_model(num_classes: int) -> keras.Model:
    """A network of four convolutions, each followed by pooling, and a mean of each feature."""
    model = keras.Sequential([keras.Input((*IMAGE_SIZE, 3))])
    for filters in (16, 32, 64, 64):
        model.add(keras.layers.Conv2D(filters, 3, padding="same", use_bias=False))
        model.add(keras.layers.BatchNormalization(momentum=0.9))
        model.add(keras.layers.ReLU())
        model.add(keras.layers.MaxPooling2D())
    model.add(keras.layers.GlobalAveragePooling2D())
    model.add(keras.layers.Dense(num_classes, activation="softmax"))
    model.compile(
        optimizer=keras.optimizers.Adam(2e-3),
        loss="categorical_crossentropy",
        metrics=["accuracy"],
    )
    return model


def print_results(class_names: Sequence[str], labels: np.ndarray, predictions: np.ndarray) -> None:
    """Prints how many validation images of each class, and of all, are classified correctly."""
    true, predicted = labels.argmax(axis=1), predictions.argmax(axis=1)
    width = max(map(len, [*class_names, "class"]))
    print(f"\n{'class':{width}}  validation images  correct  accuracy")
    rows = [(name, true == label) for label, name in enumerate(class_names)]
    for name, selected in [*rows, ("all", np.full(len(true), True))]:
        count = int(selected.sum())
        correct = int((predicted == true)[selected].sum())
        accuracy = f"{correct / count:.0%}" if count else "-"
        print(f"{name:{width}}  {count:17}  {correct:7}  {accuracy:>8}")
