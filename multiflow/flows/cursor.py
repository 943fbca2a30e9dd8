"""The position of a flow: its epoch, its batch, and the lock that several workers share."""

from __future__ import annotations

import operator
import secrets
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from multiflow import _checks, _keras
from multiflow.flows.order import Order, SeededOrder
from multiflow.parallel import Lock
from multiflow.picks import Picks


class Cursor(_keras.Iterator):
    """A Keras iterator that knows which samples come next, and loses none among several workers.

    With `rng="per_sample"`, an epoch depends on its number alone: `next` begins the next epoch
    after the last batch, `on_epoch_end` and `reset` begin it at once, and `flow[i]` is batch `i` of
    the current epoch.

    A flow without an end goes on by `next` as any other. By index, it is one stream: batch `i` is
    found from `i` alone, whatever was asked for before and by however many workers.

    Attributes:
        epoch: the number of the current epoch, from 0; with `rng="keras"` it stays 0.
    """

    seed: Any
    batch_index: int
    epoch = 0
    # The samples of the current epoch; None before the first.
    _epoch_picks: Picks | None = None
    # The samples of the last batch of `index_generator`.
    _last_picks: Picks | None = None
    # Whether draws depend on the seed, the epoch and the sample alone: `rng="per_sample"`.
    _is_per_sample = False
    # Whether the seed was drawn here, since the user passed none.
    _has_own_seed = False
    # Whether `next` has returned the last batch of the epoch, and not yet the first of another.
    _is_finished = False
    # Whether indices are Keras': those below 0 give what slices of `index_array` give.
    _has_keras_indices = False
    # Whether the flow has no end; then also: the number of the batch that `flow[0]` is, a seed of
    # the orders of flows without a `seed`, and the epoch of the last batch that was asked for.
    _is_endless = False
    _first_batch = 0
    _order_seed = 0
    _stream_picks: Picks | None = None

    def _set_rng(self, *, is_per_sample: bool) -> None:
        """Sets whether random numbers are per sample; if so, draws a seed where none was passed."""
        self._is_per_sample = is_per_sample
        if is_per_sample:
            _checks.check_seed(self.seed)
            if self.seed is None:
                self.seed = secrets.randbits(32)
                self._has_own_seed = True

    def __getstate__(self) -> dict[str, Any]:
        unique = ("lock", "index_generator")
        return {name: value for name, value in vars(self).items() if name not in unique}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self.lock = Lock()
        self.index_generator = self._flow_index()

    @property
    def _order(self) -> Order:
        """The order of the samples, in epochs and batches."""
        if self._is_per_sample:
            return SeededOrder(self.n, bool(self.shuffle), self.seed)
        return Order(self.n, bool(self.shuffle))

    def _batch_of(self, picks: Picks) -> Any:
        """Makes the batch of some samples."""
        raise NotImplementedError

    @property
    def index_array(self) -> Any:
        """The positions of the samples of the current epoch, in order; None before the first."""
        return None if self._epoch_picks is None else self._epoch_picks.positions

    @index_array.setter
    def index_array(self, positions: np.ndarray | None) -> None:
        picks = None if positions is None else Picks.of_user(positions, self.epoch)
        self._epoch_picks = picks

    @property
    def _batches_per_epoch(self) -> int:
        return operator.index(super().__len__())  # an int for a `batch_size` of NumPy, too

    def __len__(self) -> int:
        if self._is_endless:
            raise TypeError(
                "A repeated flow has no end and so no length; an epoch of it has "
                f"{self._batches_per_epoch} batches. Pass it to `fit`, of Keras 3.4 or later, with "
                "`steps_per_epoch`."
            )
        return self._batches_per_epoch

    def __bool__(self) -> bool:
        return self._is_endless or len(self) > 0

    @property
    def num_batches(self) -> int | None:
        """The number of batches, as PyDataset has it: None for a flow without an end."""
        return None if self._is_endless else len(self)

    def __getitem__(self, idx: int) -> Any:
        """Batch `idx` of the epoch, or of a flow without an end.

        A negative `idx` counts from the end of the epoch, but not in the flows that Keras has, too.
        """
        # Keras takes no lock here, so that two threads that begin an epoch shuffle it twice.
        with self.lock:
            picks = self._picks_of_stream(idx) if self._is_endless else self._picks_of_epoch(idx)
        return self._batch_of(picks)

    def _picks_of_epoch(self, idx: int) -> Picks:
        count = self._batches_per_epoch
        lowest = idx if self._has_keras_indices else -count
        if not lowest <= idx < count:
            raise ValueError(  # in Keras' words
                f"Asked to retrieve element {idx}, but the Sequence has length {count}"
            )
        if idx < 0 and not self._has_keras_indices:
            idx += count
        self._seed_batch()
        self.total_batches_seen += 1
        if self._epoch_picks is None:
            self._set_index_array()
        return self._picks_from(self.batch_size * idx)

    def _picks_of_stream(self, idx: int) -> Picks:
        if idx < 0:
            raise ValueError(f"A repeated flow has no end to count from. Received the index {idx}.")
        number = self._first_batch + idx
        epoch, number_in_epoch = divmod(number, self._batches_per_epoch)
        order, seed = self._order, self._order_seed if self.seed is None else self.seed
        if self.seed is not None and not self._is_per_sample:
            np.random.seed(seed + number)
            if number_in_epoch == 0:
                order.epoch(epoch)  # as in `next`, the batch draws after the order
        if self._stream_picks is None or self._stream_picks.epoch != epoch:
            # Not from the global generator, which other workers may draw from at the same time.
            self._stream_picks = order.epoch(epoch, seed + number - number_in_epoch)
        return order.batch(self._stream_picks, self.batch_size * number_in_epoch, self.batch_size)

    def __next__(self) -> Any:
        with self.lock:
            if getattr(self.index_generator, "gi_running", False):
                # The thread that runs it is not in this process, which was forked meanwhile.
                self.index_generator = self._flow_index()
            positions = next(self.index_generator)
            picks = self._last_picks
            if picks is None or positions is not picks.positions:
                # A user has put another generator in the place of `index_generator`.
                picks = Picks.of_user(positions, self.epoch)
        return self._batch_of(picks)

    def on_epoch_end(self) -> None:
        """Shuffles the samples anew; with `rng="per_sample"`, begins the next epoch.

        A flow without an end goes on as if it had not been called: an epoch of `fit` may end in the
        middle of one of the flow.
        """
        if self._is_endless:
            return
        with self.lock:
            if self._is_per_sample:
                self._begin_epoch(self.epoch + 1)
            else:
                self._set_index_array()

    def reset(self) -> None:
        """Makes `next` begin an epoch; with `rng="per_sample"`, the next one, if one has begun."""
        with self.lock:
            if self._is_per_sample and (self.batch_index or self._is_finished):
                self._begin_epoch(self.epoch + 1)
            self.batch_index = 0

    def _flow_index(self) -> Iterator[np.ndarray]:
        while True:
            self._last_picks = self._next_picks()
            yield self._last_picks.positions

    def _next_picks(self) -> Picks:
        """Steps to the next batch, and returns its samples."""
        self._seed_batch()
        if self._is_finished:
            self._begin_epoch(self.epoch + 1)
        elif self.batch_index == 0 or self._epoch_picks is None:
            self._set_index_array()
        start = self.batch_index * self.batch_size % max(self.n, 1)
        is_last = start + self.batch_size >= self.n
        # At once, since a process that is forked in between goes on from what is set.
        self.batch_index, self._is_finished = (
            (0, self._is_per_sample) if is_last else (self.batch_index + 1, False)
        )
        self.total_batches_seen += 1
        return self._picks_from(start)

    def _picks_from(self, start: int) -> Picks:
        assert self._epoch_picks is not None
        picks = self._order.batch(self._epoch_picks, start, self.batch_size)
        return Picks(picks.positions, picks.repeats, self.epoch)  # a user may have set the epoch

    def _seed_batch(self) -> None:
        if self.seed is not None and not self._is_per_sample:
            np.random.seed(self.seed + self.total_batches_seen)

    def _begin_epoch(self, epoch: int) -> None:
        picks = self._order.epoch(epoch)
        # At once, as above.
        self.epoch, self._epoch_picks, self.batch_index, self._is_finished = epoch, picks, 0, False

    def _rewind(self) -> None:
        """Makes the flow begin as a new one does."""
        self.epoch = self.batch_index = self.total_batches_seen = self._first_batch = 0
        self._is_finished = False
        self._epoch_picks = self._last_picks = self._stream_picks = None

    def _set_index_array(self) -> None:
        self._epoch_picks = self._order.epoch(self.epoch)

    def _get_batches_of_transformed_samples(self, index_array: np.ndarray) -> Any:
        return self._batch_of(Picks.of_user(index_array, self.epoch))

    def state_dict(self) -> dict[str, int]:
        """The position of `next`, for `load_state_dict` of an iterator made in the same way.

        Returns:
            Dict of ints: `"epoch"`, from 0; `"batch"`, the number of batches of this epoch that
            `next` has returned; and `"batch_size"`, since batches of another size begin at other
            samples.

        Raises:
            ValueError: without `rng="per_sample"`, or without a `seed`, since the position then
                does not determine what comes next.

        Example:
        >>> import numpy as np
        >>> from multiflow import MultiDirImageDataGenerator
        >>> images = np.random.default_rng(0).random((10, 8, 8, 3))
        >>> generator = MultiDirImageDataGenerator(rotation_range=30, rng="per_sample")
        >>> flow, other = (generator.flow(images, batch_size=4, seed=1) for _ in range(2))
        >>> _ = next(flow)
        >>> flow.state_dict()
        {'epoch': 0, 'batch': 1, 'batch_size': 4}
        >>> other.load_state_dict(flow.state_dict())
        >>> np.array_equal(next(flow), next(other))
        True
        """
        self._check_has_state()
        with self.lock:
            return {
                "epoch": self.epoch,
                "batch": self._batches_per_epoch if self._is_finished else self.batch_index,
                "batch_size": int(self.batch_size),
            }

    def load_state_dict(self, state: Mapping[str, int]) -> None:
        """Moves to the position of another iterator, so that `next` returns what it would have.

        `fit` counts epochs of its own, and may step to the next one before its first. To continue a
        training with `fit(initial_epoch=k)`, with the same batches as without the interruption,
        load `{"epoch": k, "batch": 0}` into the iterator for training. An iterator for validation
        counts its epochs differently in different versions of Keras: load nothing into it, and set
        `augment_validation=False`. In a repeated flow, `flow[0]` is then the batch that `next`
        returns, so that `fit` goes on there, in mid-epoch, too.

        Args:
            state: what `state_dict` returned. `"batch_size"` must be that of this iterator; it may
                be another or missing if `"batch"` is 0, where batches of all sizes begin.

        Raises:
            ValueError: if `state` is no state of such an iterator, or counts batches of another
                size; without `rng="per_sample"`, or without a `seed`.

        Example:
        >>> import numpy as np
        >>> from multiflow import MultiDirImageDataGenerator
        >>> generator = MultiDirImageDataGenerator(rotation_range=30, rng="per_sample")
        >>> flow = generator.flow(np.zeros((10, 8, 8, 3)), batch_size=4, seed=1)
        >>> flow.load_state_dict({"epoch": 2, "batch": 1, "batch_size": 4})
        >>> flow.epoch, len(next(flow))
        (2, 4)
        """
        self._check_has_state()
        count = self._batches_per_epoch
        is_state = (
            isinstance(state, Mapping)
            and state.keys() | {"batch_size"} == {"epoch", "batch", "batch_size"}
            and all(_checks.is_integer(number, 0) for number in state.values())
            and int(state["epoch"]) < 2**64
        )
        if is_state and state["batch"] and state.get("batch_size") != self.batch_size:
            raise ValueError(
                f"`state` must count batches of {self.batch_size}, as this iterator makes them, in "
                f'"batch_size". Received: {state!r}. Its batch begins at another sample here: make '
                'the iterator with the `batch_size` of the state; or set "batch" to 0, to begin '
                "its epoch anew."
            )
        if not is_state or state["batch"] > count:
            raise ValueError(
                '`state` must be what `state_dict` returned: a dict of "epoch", "batch" and '
                '"batch_size", integers from 0, the second '
                f"up to the {count} batches of an epoch. Received: {state!r}"
            )
        with self.lock:
            self._begin_epoch(int(state["epoch"]))
            self._is_finished = 0 < count == state["batch"]
            self.batch_index = 0 if self._is_finished else int(state["batch"])
            self._first_batch = self.epoch * count + int(state["batch"])

    def _check_has_state(self) -> None:
        if not self._is_per_sample:
            raise ValueError(
                'With rng="keras", the next batch also depends on NumPy\'s global generator. Set '
                'rng="per_sample" in the generator; or pickle the iterator together with '
                "np.random.get_state()."
            )
        if self._has_own_seed:
            raise ValueError(
                "A state needs a `seed`, and this iterator was made without one. Pass a `seed` to "
                f"the flow. (The seed that this iterator drew for itself is {self.seed}.)"
            )
