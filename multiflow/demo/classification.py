"""Trains a small network: `python -m multiflow.demo [DIR …]` or `--segmentation [IMAGES MASKS]`."""

from __future__ import annotations

import argparse
import pathlib
import sys
import time
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from PIL import Image

from multiflow import MultiDirImageDataGenerator
from multiflow.demo.pictures import contact_sheet, curves
from multiflow.demo.segmentation import AUGMENTATION, index_pairs, train
from multiflow.flows.directories import MultiDirectoryIterator
from multiflow.samples import write_samples, write_segmentation_samples

IMAGE_SIZE = (64, 64)
BATCH_SIZE = 16
MAX_VALIDATION_IMAGES = 256
MAX_TRAINING_SECONDS = 60


class TimeLimit(keras.callbacks.Callback):
    """Ends the training after a number of seconds, in mid-epoch if need be."""

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self._seconds = seconds
        self._start = time.monotonic()

    def on_train_batch_end(self, batch: int, logs: object = None) -> None:  # noqa: D102
        if time.monotonic() > self._start + self._seconds and not self.model.stop_training:
            print(f"\nThe demo trains for {self._seconds:.0f} seconds at the most.")
            self.model.stop_training = True


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the demo with the arguments of a command line; returns its exit code."""
    options = _parse(arguments)
    output = pathlib.Path(options.output)
    keras.utils.set_random_seed(0)
    try:
        _check_output(output, [*options.directories, *(options.segmentation or [])])
        if options.segmentation is None:
            _classify(options, output)
        else:
            _segment(options, output)
    except (OSError, ValueError) as error:
        print(f"multiflow.demo: {error}", file=sys.stderr)
        return 2
    return 0


def _classify(options: argparse.Namespace, output: pathlib.Path) -> None:
    roots = options.directories or write_samples(output / "samples")
    training, validation = _index(roots, options.validation_split)
    print("\nTraining images:", training.summary(), sep="\n", end="\n\n")
    images, labels = _read(validation)
    model = _build_model(training.num_classes)
    history = model.fit(
        training,
        validation_data=(images, labels),
        epochs=options.epochs,
        class_weight=training.class_weight,
        callbacks=[TimeLimit(MAX_TRAINING_SECONDS)],
    )
    _print_results(list(training.class_indices), labels, model.predict(images, verbose=0))

    _save(
        output,
        {
            "augmented_batch.png": _draw_batch(training),
            "training_curve.png": _draw_history(history.history),
        },
    )


def _segment(options: argparse.Namespace, output: pathlib.Path) -> None:
    images: Any
    masks: Any
    if options.segmentation:
        images, masks = ([folder] for folder in options.segmentation)
    else:
        images, masks = write_segmentation_samples(output / "segmentation_samples")
    training, validation, class_numbers = index_pairs(images, masks, options.validation_split)
    print(f"Mask values: {', '.join(map(str, class_numbers.values))}\n")
    history, sheet = train(
        training,
        validation,
        class_numbers,
        epochs=options.epochs,
        callbacks=[TimeLimit(MAX_TRAINING_SECONDS)],
    )
    _save(output, {"predictions.png": sheet, "segmentation_curve.png": _draw_history(history)})


def _save(output: pathlib.Path, pictures: dict[str, Image.Image]) -> None:
    output.mkdir(parents=True, exist_ok=True)
    for name, picture in pictures.items():
        picture.save(output / name)
    print(f"\nPictures in {output.resolve()}: {', '.join(pictures)}")


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m multiflow.demo",
        description="Reads several folders of images as one data set and trains a small network.",
    )
    parser.add_argument(
        "directories",
        metavar="DIR",
        nargs="*",
        help="a folder that holds one folder of images per class; by default, drawn samples",
    )
    parser.add_argument(
        "--segmentation",
        metavar="DIR",
        nargs="*",
        help="train on images and masks instead: a folder of images and a folder of masks with "
        "the same names; by default, drawn samples",
    )
    parser.add_argument("--epochs", type=_positive, default=30, help="default: %(default)s")
    parser.add_argument(
        "--validation-split",
        type=float,
        default=0.2,
        help="fraction of the images to validate on; default: %(default)s",
    )
    parser.add_argument(
        "--output",
        default="multiflow-demo",
        help="folder for the pictures and samples; default: %(default)s",
    )
    options = parser.parse_args(arguments)
    if options.segmentation is not None and (
        len(options.segmentation) not in (0, 2) or options.directories
    ):
        parser.error("--segmentation takes a folder of images and a folder of masks, or nothing")
    return options


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"must be at least 1, not {number}")
    return number


def _check_output(output: pathlib.Path, directories: Sequence[str]) -> None:
    for root in map(pathlib.Path, directories):
        if output.resolve().is_relative_to(root.resolve()):
            raise ValueError(
                f"the pictures would go to {str(output)!r}, inside the folder {str(root)!r}, which "
                "would take them for a class; name another folder with --output"
            )


def _index(
    roots: Sequence[str] | dict[str, str], validation_split: float
) -> tuple[MultiDirectoryIterator, MultiDirectoryIterator]:
    """The training images, augmented, and the validation images, as they are."""
    generator = MultiDirImageDataGenerator(
        **AUGMENTATION,
        rescale=1 / 255,
        validation_split=validation_split,
        augment_validation=False,
    )
    training, validation = (
        generator.flow_from_directories(
            roots, target_size=IMAGE_SIZE, batch_size=BATCH_SIZE, seed=0, subset=subset
        )
        for subset in ("training", "validation")
    )
    if training.num_classes < 2:
        raise ValueError(
            f"the folders hold the one class {list(training.class_indices)}; to tell classes apart "
            "takes two. Name the folders that hold the class folders"
        )
    return training, validation


def _read(validation: MultiDirectoryIterator) -> tuple[np.ndarray, np.ndarray]:
    num_batches = min(len(validation), MAX_VALIDATION_IMAGES // BATCH_SIZE)
    batches = [validation[position] for position in range(num_batches)]
    images, labels = (np.concatenate(parts) for parts in zip(*batches, strict=True))
    if len(images) < validation.samples:
        print(f"Validating on {len(images)} of the {validation.samples} validation images.")
    return images, labels


def _build_model(num_classes: int) -> keras.Model:
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


def _print_results(class_names: Sequence[str], labels: np.ndarray, predictions: np.ndarray) -> None:
    true, predicted = labels.argmax(axis=1), predictions.argmax(axis=1)
    width = max(map(len, [*class_names, "class"]))
    print(f"\n{'class':{width}}  validation images  correct  accuracy")
    rows = [(name, true == label) for label, name in enumerate(class_names)]
    for name, selected in [*rows, ("all", np.full(len(true), True))]:
        count = int(selected.sum())
        correct = int((predicted == true)[selected].sum())
        accuracy = f"{correct / count:.0%}" if count else "-"
        print(f"{name:{width}}  {count:17}  {correct:7}  {accuracy:>8}")


def _draw_batch(training: MultiDirectoryIterator) -> Image.Image:
    images, _ = training[0]
    captions = [training.caption(position) for position in training.index_array[: len(images)]]
    return contact_sheet(images, captions)


def _draw_history(history: dict[str, list[float]]) -> Image.Image:
    return curves(
        {
            "training loss": history["loss"],
            "validation loss": history["val_loss"],
            "training accuracy": history["accuracy"],
            "validation accuracy": history["val_accuracy"],
        },
        title="Training",
    )
