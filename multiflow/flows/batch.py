"""Makes a batch of images, targets, picks and draws."""

from __future__ import annotations

import copy
import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from multiflow.augment.brightness import Range
from multiflow.augment.draws import Draws, Parameters
from multiflow.augment.move import Move, OverriddenMove
from multiflow.augment.steps import (
    apply,
    needs_brightness_warning,
    transform_into,
    warn_of_brightness,
    warn_of_geometry,
    with_value_range,
)
from multiflow.augment.transformer import Transformer, is_customised, is_overridden
from multiflow.flows.targets import Target
from multiflow.images.arrays import LazyArray
from multiflow.parallel import run_all
from multiflow.picks import Picks

# Images in memory with fewer values than this are transformed in one thread, which is faster.
MIN_WARPED_VALUES, MIN_COPIED_VALUES = 2**12, 2**16


@dataclass(frozen=True)
class Contents:
    """The samples of a flow: images, targets and further inputs.

    Attributes:
        images: the images.
        targets: labels or masks, and weights, in the order in which they follow the inputs.
        extras: further inputs beside the images, which are not transformed.
        join: `list` or `tuple`, to join images and further inputs.
    """

    images: LazyArray
    targets: Sequence[Target] = ()
    extras: Sequence[Target] = ()
    join: Callable[[list[Any]], Any] = list

    def take(self, positions: np.ndarray) -> Contents:
        """The contents for the samples at some positions, in this order; nothing is copied."""
        return Contents(
            self.images.take(positions),
            [target.take(positions) for target in self.targets],
            [extra.take(positions) for extra in self.extras],
            self.join,
        )

    @property
    def kept_bytes(self) -> int:
        """The number of bytes of pixels that are in memory since they were read."""
        return self.images.kept_bytes + sum(target.kept_bytes for target in self.targets)


class Transform(NamedTuple):
    """The options by which images are transformed.

    Attributes:
        generator: the generator that transforms and standardises the images.
        dtype: the dtype of batches.
        working_dtype: the dtype in which images are transformed.
        span: the range of the values of all images, if it is known.
    """

    generator: Transformer
    dtype: Any
    working_dtype: Any
    span: Range | None = None


class Batch(NamedTuple):
    """A batch, part by part.

    Attributes:
        images: array of shape `(batch_size, height, width, channels)`, or channels second.
        targets: the part of each target, in the order of the contents.
        inputs: the inputs of the model: the images, or the images and further inputs.
        masks: a pair of name and array for each array of masks in the targets, for figures.
    """

    images: np.ndarray
    targets: Sequence[Any]
    inputs: Any
    masks: Sequence[tuple[str, np.ndarray]]

    def as_keras(self) -> Any:
        """The batch as Keras' iterators return it."""
        return (self.inputs, *self.targets) if self.targets else self.inputs


def make_batch(
    contents: Contents,
    picks: Picks,
    draws: Draws,
    transform: Transform,
    save_images: Callable[[np.ndarray, Picks], Sequence[str]] | None = None,
) -> Batch:
    """Makes the batch of some samples.

    Random numbers are drawn in Keras' order: for the transforms, then for the names of saved files.
    A user's function for masks is called last, so that its draws do not change the images.

    Args:
        contents: the samples of the flow.
        picks: the samples of the batch.
        draws: draws the parameters of the samples.
        transform: the options by which images are transformed.
        save_images: None, or a function that saves the images of the batch and returns their paths
            without the extension.
    """
    images, moves, threads = _transform_images(contents.images, picks, draws, transform)
    positions = picks.positions
    moved = _move_targets(contents.targets, positions, moves, threads)
    if save_images is not None:
        stems = save_images(images, picks)
        for target, of_target in zip(contents.targets, moved, strict=True):
            target.save(of_target, stems)
    inputs: Any = images
    if contents.extras:
        extras = (extra.stack(positions, None, images) for extra in contents.extras)
        inputs = contents.join([images, *extras])
    pairs = zip(contents.targets, moved, strict=True)
    targets = [target.stack(positions, of_target, images) for target, of_target in pairs]
    pairs = zip(contents.targets, targets, strict=True)
    masks = [named for target, stacked in pairs for named in target.masks_in(stacked)]
    return Batch(images, targets, inputs, masks)


def _move_targets(
    targets: Sequence[Target], positions: np.ndarray, moves: Sequence[Move], threads: int | None
) -> Sequence[Any]:
    """The moved samples of each target; None for a target without pixels."""
    unmoved = [target.read(positions, threads) for target in targets]
    if all(samples is None for samples in unmoved):
        return unmoved

    def move_one(number: int) -> list[Any]:
        # Found once for all targets of a sample, and kept no longer.
        sources = functools.cache(moves[number].sources)
        pairs = zip(targets, unmoved, strict=True)
        return [samples and target.move(samples[number], sources) for target, samples in pairs]

    in_threads = all(move.runs_in_threads for move in moves)
    by_sample = run_all(move_one, range(len(positions)), threads if in_threads else 1)
    return list(zip(*by_sample, strict=True))


def _transform_images(
    images: LazyArray, picks: Picks, draws: Draws, transform: Transform
) -> tuple[np.ndarray, list[Move], int | None]:
    """Reads the images of a batch, and transforms and standardises them as Keras does.

    With Keras' own methods, parameters are drawn first, and images are then read and transformed
    in threads. A `preprocessing_function` and overridden methods may draw random numbers and may
    not be thread-safe: with them, images are read in threads, but transformed one after the other,
    in Keras' order.

    Returns:
        The batch of images, the move of each image, and how many threads to use for the targets.
    """
    generator = transform.generator
    batch = np.empty((len(picks), *images.shape[1:]), transform.dtype)
    if is_customised(generator):
        read = images.read(picks.positions, generator.threads)
        by_user = is_overridden(generator, "apply_transform")
        moves = []
        for number, image in enumerate(read):
            parameters = draws.draw_one(generator, image.shape, picks, number)
            move = _transform_with_hooks(batch[number], image, parameters, transform, by_user)
            moves.append(move)
        return batch, moves, _useful_threads(generator, images, moves)
    drawn = draws.draw(generator, images.shape[1:], picks)
    size = _size(generator, images.shape[1:])
    moves = Move.of_each(drawn, size, corrected=generator.corrected)
    positions = picks.positions.tolist()
    # Images that cannot be read in threads are read before.
    stored = images if images.reads_in_threads else images.read(picks.positions, 1)

    def transform_one(number: int) -> bool:
        image = stored[positions[number] if stored is images else number]
        needs_warning = needs_brightness_warning(generator, image, drawn[number])
        parameters = with_value_range(generator, drawn[number], image, transform.span)
        transform_into(
            batch[number], image, generator, parameters, moves[number], transform.working_dtype
        )
        return needs_warning

    threads = _useful_threads(generator, images, moves)
    blackened = run_all(transform_one, range(len(picks)), threads)
    for parameters, move in zip(drawn, moves, strict=True):
        warn_of_geometry(generator, parameters, move)
    if any(blackened):
        warn_of_brightness(generator)
    return batch, moves, threads


def _transform_with_hooks(
    row: np.ndarray,
    image: np.ndarray,
    parameters: Parameters | None,
    transform: Transform,
    by_user: bool,
) -> Move:
    """Writes an image, transformed by the generator's methods, into its row; returns its move.

    Args:
        row: the place of the image in the batch.
        image: the image.
        parameters: the parameters of its transform; None for none.
        transform: the options by which images are transformed.
        by_user: whether the generator's `apply_transform` is overridden.
    """
    generator = transform.generator
    size = _size(generator, image.shape)
    working = image.astype(transform.working_dtype)
    if parameters is None:
        row[...] = generator.standardize(working)
        return Move(size)
    completed = with_value_range(generator, parameters, image, transform.span)
    move: Move
    if by_user:
        # A copy, since the method may change what it is called with.
        move = OverriddenMove(size, generator, copy.copy(parameters))
        working = generator.apply_transform(working, completed)
    else:
        move = Move.of(parameters, size, corrected=generator.corrected)
        warn_of_geometry(generator, parameters, move)
        if needs_brightness_warning(generator, working, parameters):
            warn_of_brightness(generator)
        working = apply(generator, working, completed, move)
    row[...] = generator.standardize(working)
    return move


def _size(generator: Transformer, shape: tuple[int, ...]) -> tuple[int, int]:
    return int(shape[generator.row_axis - 1]), int(shape[generator.col_axis - 1])


def _useful_threads(generator: Transformer, images: LazyArray, moves: Sequence[Move]) -> int | None:
    """How many threads share a batch: one, the caller's, if waking others would take longer."""
    is_warped = any(move.matrix is not None for move in moves[:1])  # others are likely to be alike
    least = MIN_WARPED_VALUES if is_warped else MIN_COPIED_VALUES
    is_small = images.in_memory is not None and images.in_memory[:1].size < least
    return 1 if is_small else generator.threads
