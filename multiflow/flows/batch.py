"""Images, what goes with them, picks and draws become a batch: the one place where they do."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from multiflow.augment.brightness import Range
from multiflow.augment.draws import Draws, Parameters
from multiflow.augment.move import Move, OverriddenMove
from multiflow.augment.steps import (
    apply,
    blackens,
    complete,
    transform_into,
    warn_of_brightness,
    warn_of_geometry,
)
from multiflow.augment.transformer import Transformer, is_customised, is_overridden
from multiflow.flows.targets import Target
from multiflow.images.arrays import LazyArray
from multiflow.parallel import run_all
from multiflow.picks import Picks

# The number of values from which images of an array are worth sharing among threads.
LEAST_WARPED, LEAST_COPIED = 2**12, 2**16


@dataclass(frozen=True)
class Contents:
    """What a flow holds of its samples.

    Attributes:
        images: the images.
        targets: labels or masks, and weights, in the order in which they follow the inputs.
        extras: further inputs, which stand beside the images and do not move.
        join: makes inputs of the images and the further inputs: `list` or `tuple`.
    """

    images: LazyArray
    targets: Sequence[Target] = ()
    extras: Sequence[Target] = ()
    join: Callable[[list[Any]], Any] = list

    def take(self, positions: np.ndarray) -> Contents:
        """The contents of the samples at some positions, in this order; parts are shared."""
        return Contents(
            self.images.take(positions),
            [target.take(positions) for target in self.targets],
            [extra.take(positions) for extra in self.extras],
            self.join,
        )


class Transform(NamedTuple):
    """What is done to each image.

    Attributes:
        generator: what transforms images.
        dtype: the dtype of batches.
        working_dtype: the dtype in which images are transformed.
        span: the range of the values of all images, if that is known.
    """

    generator: Transformer
    dtype: Any
    working_dtype: Any
    span: Range | None = None


class Batch(NamedTuple):
    """A batch, part by part.

    Attributes:
        images: array of shape `(batch_size, height, width, channels)`, or channels second.
        targets: what the targets of the contents made.
        inputs: what the model gets: the images, or they and further inputs.
        masks: the masks among the targets, array by array, with what figures call each.
    """

    images: np.ndarray
    targets: Sequence[Any]
    inputs: Any
    masks: Sequence[tuple[str, np.ndarray]]

    def as_keras(self) -> Any:
        """The batch as Keras' iterators give it."""
        return (self.inputs, *self.targets) if self.targets else self.inputs


def make_batch(
    contents: Contents,
    picks: Picks,
    draws: Draws,
    transform: Transform,
    save_images: Callable[[np.ndarray, Picks], Sequence[str]] | None = None,
) -> Batch:
    """The batch of some samples.

    Random numbers are taken in Keras' order: for the transforms, then for the names of saved files.
    What a user's function for masks draws comes last, so that it leaves the images alone.

    Args:
        contents: what the flow holds.
        picks: which samples, and how often each came before.
        draws: what draws their parameters.
        transform: what is done to the images.
        save_images: None; or what saves the images of the batch, and returns their paths without
            the extension.
    """
    images, moves, threads = _transform_images(contents.images, picks, draws, transform)
    positions = picks.positions
    moved = [target.move(positions, moves, threads) for target in contents.targets]
    if save_images is not None:
        stems = save_images(images, picks)
        for target, of_target in zip(contents.targets, moved, strict=True):
            target.save(of_target, stems)
    inputs: Any = images
    if contents.extras:
        inputs = contents.join([images, *(e.stack(positions, images) for e in contents.extras)])
    pairs = zip(contents.targets, moved, strict=True)
    targets = [target.stack(of_target, images) for target, of_target in pairs]
    pairs = zip(contents.targets, targets, strict=True)
    masks = [named for target, stacked in pairs for named in target.masks_in(stacked)]
    return Batch(images, targets, inputs, masks)


def _transform_images(
    images: LazyArray, picks: Picks, draws: Draws, transform: Transform
) -> tuple[np.ndarray, list[Move], int | None]:
    """The images of a batch, transformed and standardised as Keras does it.

    With Keras' own methods, parameters are drawn first, and images are then read and transformed
    in threads. A `preprocessing_function` and overridden methods may draw random numbers and need
    not be safe in threads: with them, only reading runs in threads, and images are transformed one
    after the other, in Keras' order.

    Returns:
        The batch, the move of each image, and how many threads are of use.
    """
    generator = transform.generator
    batch = np.empty((len(picks), *images.shape[1:]), transform.dtype)
    if is_customised(generator):
        read = images.read(picks.positions, generator.threads)
        moves = []
        for number, image in enumerate(read):
            parameters = draws.draw_one(generator, image.shape, picks, number)
            moves.append(_transform_with_hooks(batch[number], image, parameters, transform))
        return batch, moves, _useful_threads(generator, images, moves)
    drawn = draws.draw(generator, images.shape[1:], picks)
    size = _size(generator, images.shape[1:])
    moves = [Move.of(parameters, size, corrected=generator.corrected) for parameters in drawn]
    for move in moves:
        warn_of_geometry(generator, move)
    positions = picks.positions.tolist()
    # What is not safe in threads is read before.
    stored = images if images.reads_in_threads else images.read(picks.positions, 1)

    def transform_one(number: int) -> bool:
        image = stored[positions[number] if stored is images else number]
        parameters = drawn[number] or {}
        is_blackened = blackens(generator, image, parameters)
        parameters = complete(generator, parameters, image, transform.span)
        transform_into(
            batch[number], image, generator, parameters, moves[number], transform.working_dtype
        )
        return is_blackened

    threads = _useful_threads(generator, images, moves)
    if any(run_all(transform_one, range(len(picks)), threads)):
        warn_of_brightness(generator)
    return batch, moves, threads


def _transform_with_hooks(
    row: np.ndarray, image: np.ndarray, parameters: Parameters | None, transform: Transform
) -> Move:
    """Writes an image into its row of a batch by the generator's methods; returns its move."""
    generator = transform.generator
    size = _size(generator, image.shape)
    working = image.astype(transform.working_dtype)
    if parameters is None:
        row[...] = generator.standardize(working)
        return Move(size)
    completed = complete(generator, parameters, image, transform.span)
    move: Move
    if is_overridden(generator, "apply_transform"):
        move = OverriddenMove(size, generator, parameters)
        working = generator.apply_transform(working, completed)
    else:
        move = Move.of(parameters, size, corrected=generator.corrected)
        warn_of_geometry(generator, move)
        if blackens(generator, working, parameters):
            warn_of_brightness(generator)
        working = apply(generator, working, completed, move)
    row[...] = generator.standardize(working)
    return move


def _size(generator: Transformer, shape: tuple[int, ...]) -> tuple[int, int]:
    return int(shape[generator.row_axis - 1]), int(shape[generator.col_axis - 1])


def _useful_threads(generator: Transformer, images: LazyArray, moves: Sequence[Move]) -> int | None:
    """How many threads share a batch: one, the caller's, if that costs less than waking others."""
    is_warped = any(move.matrix is not None for move in moves[:1])
    least = LEAST_WARPED if is_warped else LEAST_COPIED
    is_small = images.whole is not None and images.whole[:1].size < least
    return 1 if is_small else generator.threads
