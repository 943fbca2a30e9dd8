"""Index → sample: which samples come in which batch of an epoch, and what they draw."""

from __future__ import annotations

import copy
import functools
import secrets
import threading
from collections.abc import Callable, Iterator, Mapping
from numbers import Integral
from typing import TYPE_CHECKING, Any

import numpy as np
from keras.utils import PyDataset

from multiflow import _checks, _keras
from multiflow.augment.brightness import Range, value_range
from multiflow.augment.draws import (
    Draws,
    GlobalDraws,
    NoDraws,
    Parameters,
    SampleDraws,
    Samples,
    order_of_epoch,
)
from multiflow.augment.steps import Transformer
from multiflow.flows.batch import transform_batch
from multiflow.parallel import is_in_memory, read_all

if TYPE_CHECKING:
    from typing_extensions import Self


def forgotten_groups(path: str) -> Any:
    """What stands for `split_groups` in the generator of an iterator that was copied or pickled."""
    raise ValueError(
        "`split_groups` stays behind when an iterator is copied or pickled. Make new flows with "
        "the original generator."
    )


def _portable(iterator: _keras.Iterator) -> dict[str, Any]:
    """The attributes of an iterator that can be copied."""
    return {
        name: value
        for name, value in vars(iterator).items()
        if name not in ("lock", "index_generator")
    }


class PortableIterator(_keras.Iterator):
    """A Keras iterator that pickles in mid-epoch, and loses no sample among several workers.

    With `rng="per_sample"` of its generator, an epoch is what its number says: `next` begins the
    next one after the last batch, `on_epoch_end` and `reset` begin it at once, and `iterator[i]`
    is batch `i` of the one that is on.

    Attributes:
        epoch: the number of the epoch that is on, from 0; for `rng="per_sample"`.
    """

    image_data_generator: Transformer
    seed: Any
    index_array: Any
    subset: str | None = None
    epoch = 0
    _is_per_sample = False
    # Whether the seed is one that nobody gave.
    _has_own_seed = False
    # Whether `next` has given the last batch of the epoch, and not the first of another.
    _is_finished = False

    def __init__(
        self, n: int, batch_size: int, shuffle: bool, seed: int | None, **parallelism: Any
    ) -> None:
        _keras.Iterator.__init__(self, n, batch_size, shuffle, seed)
        self._prepare(parallelism)

    @classmethod
    def from_keras(cls, iterator: _keras.Iterator, subset: str | None, **parallelism: Any) -> Self:
        """What Keras' own method built, as an instance of this class.

        Args:
            iterator: a new instance of the Keras class that this class extends.
            subset: the subset that it iterates over.
            parallelism: `workers`, `use_multiprocessing` and `max_queue_size`, as in PyDataset.
        """
        own = cls.__new__(cls)
        own.__setstate__({**_portable(iterator), "subset": subset})
        own._prepare(parallelism)
        return own

    def _prepare(self, parallelism: dict[str, Any]) -> None:
        PyDataset.__init__(self, **parallelism)
        self._is_per_sample = self.image_data_generator.rng == "per_sample"
        if self._is_per_sample:
            _checks.check_seed(self.seed)
            if self.seed is None:
                self.seed = secrets.randbits(32)
                self._has_own_seed = True

    def __getstate__(self) -> dict[str, Any]:
        state = _portable(self)
        if callable(self.image_data_generator.split_groups):
            # It has done its work, and is often a function that does not pickle.
            state["image_data_generator"] = copy.copy(self.image_data_generator)
            state["image_data_generator"].split_groups = forgotten_groups
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self.lock = threading.Lock()
        self.index_generator = self._flow_index()

    def state_dict(self) -> dict[str, int]:
        """Where `next` stands, for `load_state_dict` of an iterator that is made in the same way.

        Returns:
            Dict of `"epoch"`, from 0, and `"batch"`, how many batches of it `next` has given.

        Raises:
            ValueError: without `rng="per_sample"` or a `seed`, where this does not tell what comes
                next.

        Example:
        >>> import numpy as np
        >>> from multiflow import MultiDirImageDataGenerator
        >>> images = np.random.default_rng(0).random((10, 8, 8, 3))
        >>> generator = MultiDirImageDataGenerator(rotation_range=30, rng="per_sample")
        >>> flow, other = (generator.flow(images, batch_size=4, seed=1) for _ in range(2))
        >>> _ = next(flow)
        >>> flow.state_dict()
        {'epoch': 0, 'batch': 1}
        >>> other.load_state_dict(flow.state_dict())
        >>> np.array_equal(next(flow), next(other))
        True
        """
        self._check_has_state()
        with self.lock:
            return {
                "epoch": self.epoch,
                "batch": len(self) if self._is_finished else self.batch_index,
            }

    def load_state_dict(self, state: Mapping[str, int]) -> None:
        """Goes to where another iterator stood: `next` gives the batches that it would have given.

        `fit` counts epochs of its own, and may step to the next one before its first. To go on with
        `fit(initial_epoch=k)` as one `fit` over all epochs would have done, load
        `{"epoch": k, "batch": 0}` into the iterator that it trains on. One for validation goes on
        in another way, which differs between versions of Keras; leave it as it is, with
        `augment_validation=False`.

        Args:
            state: what `state_dict` returned.

        Raises:
            ValueError: if `state` is none of this iterator, or without `rng="per_sample"` or a
                `seed`.

        Example:
        >>> import numpy as np
        >>> from multiflow import MultiDirImageDataGenerator
        >>> generator = MultiDirImageDataGenerator(rotation_range=30, rng="per_sample")
        >>> flow = generator.flow(np.zeros((10, 8, 8, 3)), batch_size=4, seed=1)
        >>> flow.load_state_dict({"epoch": 2, "batch": 1})
        >>> flow.epoch, len(next(flow))
        (2, 4)
        """
        self._check_has_state()
        if not (
            isinstance(state, Mapping)
            and state.keys() == {"epoch", "batch"}
            and all(isinstance(number, Integral) for number in state.values())
            and 0 <= int(state["epoch"]) < 2**64
            and 0 <= int(state["batch"]) <= len(self)
        ):
            raise ValueError(
                'A state must be a dict of "epoch" and "batch", two integers from 0, the second '
                f"up to the {len(self)} batches of an epoch. Received: {state!r}"
            )
        with self.lock:
            self._begin_epoch(int(state["epoch"]))
            self._is_finished = 0 < len(self) == state["batch"]
            self.batch_index = 0 if self._is_finished else int(state["batch"])

    def _check_has_state(self) -> None:
        if not self._is_per_sample:
            raise ValueError(
                'With rng="keras", what comes next depends on NumPy\'s global generator, too. Set '
                'rng="per_sample" in the generator; or pickle the iterator, and keep '
                "np.random.get_state() beside it."
            )
        if self._has_own_seed:
            raise ValueError(
                "A state is for iterators of one `seed`, and this one was made without. Pass a "
                f"`seed` to the flow. (The one that this iterator drew for itself is {self.seed}.)"
            )

    def __getitem__(self, idx: int) -> Any:
        """Batch `idx` of the epoch."""
        if idx >= len(self):  # in Keras' words
            raise ValueError(
                f"Asked to retrieve element {idx}, but the Sequence has length {len(self)}"
            )
        # Keras takes no lock; two threads that begin an epoch then shuffle it twice.
        with self.lock:
            self._begin_batch()
            self.total_batches_seen += 1
            if self.index_array is None:
                self._set_index_array()
            index_array = self.index_array[self.batch_size * idx : self.batch_size * (idx + 1)]
            epoch = self.epoch
        return self._batch(index_array, epoch)

    def __next__(self) -> Any:
        with self.lock:
            index_array = next(self.index_generator)
            epoch = self.epoch
        return self._batch(index_array, epoch)

    def on_epoch_end(self) -> None:
        """Shuffles; with `rng="per_sample"`, begins the next epoch."""
        with self.lock:
            if self._is_per_sample:
                self._begin_epoch(self.epoch + 1)
            else:
                self._set_index_array()

    def reset(self) -> None:
        """Lets `next` begin an epoch; with `rng="per_sample"`, the next one, if one has begun."""
        with self.lock:
            if self._is_per_sample and (self.batch_index or self._is_finished):
                self._begin_epoch(self.epoch + 1)
            self.batch_index = 0

    def _flow_index(self) -> Iterator[np.ndarray]:
        while True:
            self._begin_batch()
            if self._is_finished:
                self._begin_epoch(self.epoch + 1)
            elif self.batch_index == 0 or self.index_array is None:
                self._set_index_array()
            start = self.batch_index * self.batch_size % max(self.n, 1)
            stop = start + self.batch_size
            is_last = stop >= self.n
            self.batch_index = 0 if is_last else self.batch_index + 1
            self._is_finished = is_last and self._is_per_sample
            self.total_batches_seen += 1
            yield self.index_array[start:stop]

    def _begin_batch(self) -> None:
        if self.seed is not None and not self._is_per_sample:
            np.random.seed(self.seed + self.total_batches_seen)

    def _begin_epoch(self, epoch: int) -> None:
        self.epoch = epoch
        self.batch_index = 0
        self._is_finished = False
        self._set_index_array()

    def _set_index_array(self) -> None:
        if not self.shuffle:
            order = np.arange(self.n)
        elif self._is_per_sample:
            order = order_of_epoch(self.seed, self.epoch, self.n)
        else:
            order = np.random.permutation(self.n)
        self.index_array = order

    def _draws(self, index_array: np.ndarray, epoch: int) -> Draws:
        """What draws the parameters of the samples at some positions, in an epoch."""
        if self.subset == "validation" and not self.image_data_generator.augment_validation:
            return NoDraws(index_array)
        if self._is_per_sample:
            return SampleDraws(index_array, self.seed, epoch)
        return GlobalDraws(index_array)

    def _file_numbers(self, epoch: int, limit: int) -> Callable[[], int]:
        """Gives the numbers in the names of saved images: random, as in Keras, or the epoch."""
        if self._is_per_sample:
            return lambda: epoch
        return functools.partial(np.random.randint, limit)

    def _get_batches_of_transformed_samples(self, index_array: np.ndarray) -> Any:
        return self._batch(index_array, self.epoch)

    def read_images(self, index_array: np.ndarray) -> list[np.ndarray]:
        """The images of the samples at some positions, before any transform."""
        return read_all(*self._images_at(index_array), self.image_data_generator.threads)

    def _transform(
        self, index_array: np.ndarray, epoch: int, working_dtype: Any
    ) -> tuple[np.ndarray, list[Parameters | None]]:
        """The images of a batch, and what was drawn for each."""
        return transform_batch(
            self.image_data_generator,
            *self._images_at(index_array),
            self._draws(index_array, epoch),
            dtype=self.dtype,
            working_dtype=working_dtype,
            span=self._value_range if self.image_data_generator.corrected else None,
        )

    @functools.cached_property
    def _value_range(self) -> Range | None:
        """The range of the values of all images, if they are in memory and it matters."""
        if self.image_data_generator.brightness_range is None:
            return None
        images, _ = self._images_at(np.arange(0))
        return value_range(images) if is_in_memory(images) else None

    def _images_at(self, index_array: np.ndarray) -> tuple[Any, Samples]:
        """What holds the images, and where in it the samples at some positions are."""
        raise NotImplementedError

    def _batch(self, index_array: np.ndarray, epoch: int) -> Any:
        """The batch of the samples at some positions, as they are in an epoch."""
        raise NotImplementedError
