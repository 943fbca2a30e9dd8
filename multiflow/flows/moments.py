"""Mean, standard deviation and covariance of images: one pass over batches, in float64."""

from __future__ import annotations

import copy
import math
import os
from collections.abc import Mapping
from typing import Any

import numpy as np
from keras.utils import PyDataset

from multiflow.augment.transformer import Transformer
from multiflow.flows.flow import Flow
from multiflow.progress import with_progress


class Moments:
    """The mean of rows, and their scatter about the mean, updated with batches of rows.

    Args:
        num_features: the length of a row.
        has_covariance: whether the scatter is a matrix; if not, one number per feature.

    Attributes:
        count: the number of rows.
        mean: float64 array of shape `(num_features,)`.
        scatter: float64 array of shape `(num_features, num_features)` or `(num_features,)`: the sum
            of the products, or squares, of the deviations from the mean.

    Example:
    >>> moments = Moments(2, has_covariance=False)
    >>> moments.add(np.array([[1.0, 5.0], [2.0, 5.0]]))
    >>> moments.add(np.array([[6.0, 5.0]]))
    >>> moments.mean, moments.scatter / moments.count
    (array([3., 5.]), array([4.66666667, 0.        ]))

    Source: Chan, Golub and LeVeque, "Updating formulae and a pairwise algorithm for computing
    sample variances", 1979. Unlike sums of squares, it does not lose digits to a large mean.
    """

    def __init__(self, num_features: int, *, has_covariance: bool) -> None:
        self.count = 0
        self.mean = np.zeros(num_features)
        self.scatter = np.zeros((num_features, num_features) if has_covariance else num_features)

    def add(self, rows: np.ndarray) -> None:
        """Adds rows, a float64 array of shape `(num_rows, num_features)`."""
        mean = rows.mean(axis=0)
        total = self.count + len(rows)
        step = mean - self.mean
        weight = self.count * len(rows) / total
        deviations = np.vstack([rows - mean, np.sqrt(weight) * step])
        if self.scatter.ndim == 2:
            self.scatter += deviations.T @ deviations
        else:
            self.scatter += np.einsum("ij,ij->j", deviations, deviations)
        self.mean += step * (len(rows) / total)
        self.count = total


def names_folders(x: Any) -> bool:
    """True if the argument of `fit` is a path, a list of paths or a mapping."""
    if isinstance(x, (list, tuple)) and x:
        return isinstance(x[0], (str, os.PathLike))
    return isinstance(x, (str, os.PathLike, Mapping))


def check_fit(x: Any, flow_options: Mapping[str, Any], *, augment: bool) -> None:
    """Refuses an `x` that `fit` cannot take, or not with these options."""
    if flow_options:
        raise TypeError(
            f"`fit` takes the options {sorted(flow_options)} with folders only. Received "
            f"{type(x).__name__}."
        )
    if isinstance(x, Flow):
        if augment:
            raise ValueError(
                "`fit` of an iterator or of folders takes the images as they are. Leave "
                "`augment` out, or pass an array."
            )
    elif isinstance(x, PyDataset) or hasattr(x, "__next__"):
        raise TypeError(
            "`fit` takes an array, an iterator that a flow of this class has made, or a list "
            f"of folders. Received {type(x).__name__}, which may have no end."
        )


def fit_generator(generator: Transformer, iterator: Flow) -> None:
    """Sets the statistics of a generator from the images of an iterator.

    They are those of Keras' `fit` for an array of these images, but after the steps of
    `standardize` that come before the statistics are applied.

    Args:
        generator: gets `mean`, `std` and `zca_whitening_matrix`, as far as its arguments need them.
        iterator: a flow of the images; they are read, but not transformed.

    Raises:
        ValueError: if the iterator has no image, or if its images may be for validation.
        MemoryError: if the covariance needs more memory than there is.
    """
    _check(iterator, generator)
    if not (generator.featurewise_center or generator.featurewise_std_normalization):
        return
    shape = iterator.read_images(np.array([0]))[0].shape
    moments = _new_moments(generator, shape)
    starts = range(0, iterator.n, iterator.batch_size)
    for start in with_progress(starts, len(starts), "batch"):
        positions = np.arange(start, min(start + iterator.batch_size, iterator.n))
        moments.add(_rows(generator, iterator.read_images(positions)))
    _set_statistics(generator, moments, shape)


def _check(iterator: Flow, generator: Transformer) -> None:
    if not iterator.n:
        raise ValueError("`fit` needs images, but the iterator has none. Check what it is made of.")
    if iterator.data_format != generator.data_format:
        raise ValueError(
            f"`fit` of a generator with data_format={generator.data_format!r} needs an iterator of "
            f"the same format. Received one with {iterator.data_format!r}. Set the same "
            "`data_format` in both generators."
        )
    if iterator.subset == "training":
        return
    if iterator.subset == "validation" or iterator.image_data_generator._validation_split:
        raise ValueError(
            "`fit` must see only the images for training. Received an iterator with subset="
            f"{iterator.subset!r} of a generator with validation_split="
            f'{iterator.image_data_generator._validation_split}. Make it with subset="training".'
        )


def _new_moments(generator: Transformer, shape: tuple[int, ...]) -> Moments:
    if not generator.zca_whitening:
        return Moments(shape[generator.channel_axis - 1], has_covariance=False)
    num_features = math.prod(shape)
    try:
        return Moments(num_features, has_covariance=True)
    except MemoryError:
        raise MemoryError(
            f"`zca_whitening` of images of {num_features:,} values needs a covariance of "
            f"{num_features**2 * 8 / 1e9:,.1f} GB. Use a smaller `target_size`."
        ) from None


def _rows(generator: Transformer, images: list[np.ndarray]) -> np.ndarray:
    """Rows for `Moments`: images for whitening, else pixels; after `standardize`'s first steps."""
    before = copy.copy(generator)
    before.featurewise_center = before.featurewise_std_normalization = before.zca_whitening = False
    standardized = [before.standardize(image.astype(generator.dtype)) for image in images]
    batch = np.stack(standardized).astype(np.float64)
    if generator.zca_whitening:
        return batch.reshape(len(batch), -1)
    return np.moveaxis(batch, generator.channel_axis, -1).reshape(
        -1, batch.shape[generator.channel_axis]
    )


def _set_statistics(generator: Transformer, moments: Moments, shape: tuple[int, ...]) -> None:
    if generator.zca_whitening:
        features = moments.mean.reshape(shape)
        mean = features.mean((generator.row_axis - 1, generator.col_axis - 1), keepdims=True)
        # Keras subtracts the mean of each channel, not of each feature, before the decomposition.
        off = (features - mean).ravel()
        scatter = moments.scatter + moments.count * np.outer(off, off)
        generator.zca_whitening_matrix = _whitening(scatter, moments.count, generator)
    else:
        channels = [1, 1, 1]
        channels[generator.channel_axis - 1] = -1
        mean = moments.mean.reshape(channels)
        if generator.featurewise_std_normalization:
            std = np.sqrt(moments.scatter / moments.count).reshape(channels)
            generator.std = std.astype(_float_dtype(generator))
    if generator.featurewise_center:
        generator.mean = mean.astype(_float_dtype(generator))


def _float_dtype(generator: Transformer) -> np.dtype:
    dtype = np.dtype(generator.dtype)
    return dtype if dtype.kind == "f" else np.dtype(np.float64)


def _whitening(scatter: np.ndarray, count: int, generator: Transformer) -> np.ndarray:
    """Keras' whitening matrix, from eigenvectors in the place of Keras' singular vectors."""
    squares, vectors = np.linalg.eigh(scatter)
    # Keras has as many singular values as samples. Further eigenvalues, and those of directions in
    # which images do not differ, are only noise, and their inverses would enlarge it.
    rank = min(count, np.count_nonzero(squares > squares[-1] * len(squares) * np.finfo(float).eps))
    values, vectors = np.sqrt(squares[::-1][:rank]), vectors[:, ::-1][:, :rank]
    matrix = (vectors * (np.sqrt(count) / (values + generator.zca_epsilon))) @ vectors.T
    return matrix.astype(_float_dtype(generator))
