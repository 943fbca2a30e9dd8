"""The command `python -m multiflow.demo [DIR …]`, or `--segmentation [IMAGES MASKS]`."""

from __future__ import annotations

import argparse
import pathlib
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import keras

from multiflow import extras
from multiflow.demo import classification, segmentation
from multiflow.samples import write_samples, write_segmentation_samples

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MAX_TRAINING_SECONDS = 60

# A function that draws each picture, by the name of its file.
Pictures: TypeAlias = "Mapping[str, Callable[[], Figure]]"


class TimeLimit(keras.callbacks.Callback):
    """Ends the training after a number of seconds, even within an epoch."""

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
        train = _classify if options.segmentation is None else _segment
        _save(output, train(options, output))
    except (OSError, ValueError) as error:
        print(f"multiflow.demo: {error}", file=sys.stderr)
        return 2
    return 0


def _classify(options: argparse.Namespace, output: pathlib.Path) -> Pictures:
    roots = options.directories or write_samples(output / "samples")
    training, validation = classification.index_images(roots, options.validation_split)
    print("\nTraining images:", training.summary(), sep="\n", end="\n\n")
    history = classification.train(
        training,
        validation,
        epochs=options.epochs,
        callbacks=[TimeLimit(MAX_TRAINING_SECONDS)],
    )
    return {
        "augmented_batch.png": training.show,
        "training_curve.png": lambda: _draw_history(history, "Classification"),
    }


def _segment(options: argparse.Namespace, output: pathlib.Path) -> Pictures:
    images: Any
    masks: Any
    if options.segmentation:
        images, masks = ([folder] for folder in options.segmentation)
    else:
        images, masks = write_segmentation_samples(output / "segmentation_samples")
    training, validation, class_numbers = segmentation.index_pairs(
        images, masks, options.validation_split
    )
    print(f"Mask values: {', '.join(map(str, class_numbers.values))}\n")
    history, predictions = segmentation.train(
        training,
        validation,
        class_numbers,
        epochs=options.epochs,
        callbacks=[TimeLimit(MAX_TRAINING_SECONDS)],
    )
    return {
        "predictions.png": predictions.draw,
        "segmentation_curve.png": lambda: _draw_history(history, "Segmentation"),
    }


def _draw_history(history: Mapping[str, Sequence[float]], title: str) -> Figure:
    from multiflow.show import figures

    return figures.draw_history(history, title=title)


def _save(output: pathlib.Path, pictures: Pictures) -> None:
    try:
        extras.require("matplotlib", user="Drawing them", extra="notebooks")
    except ImportError as error:
        print(f"\nThere are no pictures. {error}")
        return
    output.mkdir(parents=True, exist_ok=True)
    for name, draw in pictures.items():
        draw().savefig(output / name)
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
                f"the pictures would go to {str(output)!r}, inside the folder {str(root)!r}, and "
                "would be taken for a class; name another folder with --output"
            )
