"""Samples → batch: parameters drawn for all images at once, images transformed in threads."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np

from multiflow.augment.affine import affine_matrix
from multiflow.augment.brightness import Range
from multiflow.augment.draws import Draws, Parameters, Samples
from multiflow.augment.steps import (
    Transformer,
    blackens,
    complete,
    is_customised,
    transform_into,
    warn_of_brightness,
    warn_of_geometry,
)
from multiflow.parallel import read_all, reads_in_threads, run_all

# The number of values from which images of an array are worth sharing among threads.
LEAST_WARPED, LEAST_COPIED = 2**12, 2**16


def transform_batch(
    generator: Transformer,
    images: Any,
    samples: Samples,
    draws: Draws,
    *,
    dtype: Any,
    working_dtype: Any,
    span: Range | None,
) -> tuple[np.ndarray, list[Parameters | None]]:
    """The images of a batch, transformed and standardised as Keras does it.

    With Keras' own methods, parameters are drawn first, and images are then read and transformed
    in threads. A `preprocessing_function` and overridden methods may draw random numbers and need
    not be safe in threads: with them, only reading runs in threads, and images are transformed one
    after the other, in Keras' order.

    Args:
        generator: what transforms the images.
        images: array of images, or anything with `shape` and item access.
        samples: which images.
        draws: what draws their parameters.
        dtype: the dtype of the batch.
        working_dtype: the dtype in which images are transformed.
        span: the range of their values, if that is known of all.

    Returns:
        The batch, and what was drawn for each image; None for one that is not transformed.
    """
    batch = np.empty((len(samples), *images.shape[1:]), dtype)
    if is_customised(generator):
        drawn = []
        for position, image in enumerate(read_all(images, samples, generator.threads)):
            drawn.append(draws.draw_one(generator, image.shape, position))
            working = image.astype(working_dtype)
            if drawn[-1] is not None:
                completed = complete(generator, drawn[-1], image, span)
                working = generator.apply_transform(working, completed)
            batch[position] = generator.standardize(working)
        return batch, drawn
    drawn = list(draws.draw_all(generator, images.shape[1:]))
    size = (images.shape[generator.row_axis], images.shape[generator.col_axis])
    for parameters in drawn:
        warn_of_geometry(generator, size, parameters or {})
    if not reads_in_threads(images):
        images = dict(zip(samples, read_all(images, samples, 1), strict=True))

    def transform(position: int) -> bool:
        image, parameters = np.asarray(images[samples[position]]), drawn[position] or {}
        is_blackened = blackens(generator, image, parameters)
        parameters = complete(generator, parameters, image, span)
        transform_into(batch[position], image, generator, parameters, working_dtype)
        return is_blackened

    threads = useful_threads(generator, images, drawn)
    if any(run_all(transform, range(len(samples)), threads)):
        warn_of_brightness(generator)
    return batch, drawn


def useful_threads(
    generator: Transformer, images: Any, drawn: Sequence[Parameters | None]
) -> int | None:
    """How many threads share a batch: one, the caller's, if that costs less than waking others."""
    is_warped = any(affine_matrix(parameters or {}, 1, 1) is not None for parameters in drawn[:1])
    least = LEAST_WARPED if is_warped else LEAST_COPIED
    is_small = isinstance(images, np.ndarray) and images[:1].size < least
    return 1 if is_small else generator.threads


def save_images(
    iterator: Any,
    images: np.ndarray,
    index_array: np.ndarray,
    draw_number: Callable[[], int],
) -> list[str]:
    """Saves the images of a batch as Keras does, where the iterator's attributes say.

    Args:
        iterator: an iterator with Keras' attributes `save_to_dir`, `save_prefix`, `save_format`.
        images: the batch.
        index_array: the positions of the images in the data set.
        draw_number: gives the number at the end of each name.

    Returns:
        The paths, without their extensions.
    """
    stems = []
    for image, index in zip(images, index_array, strict=True):
        name = f"{iterator.save_prefix}_{index}_{draw_number()}"
        stems.append(os.path.join(iterator.save_to_dir, name))
        picture = keras.utils.array_to_img(image, iterator.data_format, scale=True)
        picture.save(f"{stems[-1]}.{iterator.save_format}")
    return stems
