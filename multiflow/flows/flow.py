"""The base class of all flows, which puts their parts into an instance of Keras' iterators."""

from __future__ import annotations

import contextlib
import copy
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from numbers import Integral
from typing import TYPE_CHECKING, Any

import numpy as np

from multiflow import _checks, _keras, extras, memory
from multiflow.augment.brightness import Range, value_range
from multiflow.augment.draws import Draws, GlobalDraws, NoDraws, SampleDraws, random_state_kept
from multiflow.augment.transformer import Transformer
from multiflow.flows.batch import Batch, Contents, Transform, make_batch
from multiflow.flows.columns import Column, take_columns
from multiflow.flows.cursor import Cursor
from multiflow.flows.options import Batching, Saving, Workers
from multiflow.parallel import CachedProperty, Lock
from multiflow.picks import Picks

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from typing_extensions import Self

# The most draws of a sample in one figure.
MAX_DRAWS = 1000


def forgotten_groups(path: str) -> Any:
    """Takes the place of `split_groups` in the generator of a copied or pickled flow."""
    raise ValueError(
        "`split_groups` stays behind when an iterator is copied or pickled, so that its generator "
        "cannot split. Make new flows with the original generator."
    )


def _check_layout(columns: Any, mask_names: Any) -> None:
    """Refuses arguments of figures before anything is made for them."""
    _checks.check_positive("columns", columns)
    if not (mask_names is None or isinstance(mask_names, Mapping)):
        raise TypeError(
            "`mask_names` must be None or a dict from values of masks to names, such as "
            f'{{1: "cell"}}. Received: {mask_names!r}'
        )


class Flow(Cursor):
    """A flow, whose parts are made anew for each batch, so that changed attributes take effect.

    Each kind of flow extends this class and the Keras class that it must be an instance of, and
    defines `_contents`.
    """

    image_data_generator: Transformer
    subset: str | None = None
    _columns: dict[str, Any]
    # The samples of the flow among those of arrays that stay whole; None for all.
    _rows: np.ndarray | None = None
    # The random numbers in the names of saved files are below this, as in Keras.
    _file_number_limit = 10_000

    def __init__(self, num_samples: int, batching: Batching, workers: Workers) -> None:
        _keras.Iterator.__init__(
            self, num_samples, batching.batch_size, batching.shuffle, batching.seed
        )
        self._complete(workers)

    @classmethod
    def adopt(cls, iterator: _keras.Iterator, subset: str | None, workers: Workers) -> Self:
        """Turns an iterator that Keras' own method has built into an instance of this class.

        Args:
            iterator: a new instance of the Keras class that this class extends.
            subset: the subset that it iterates over.
            workers: how `fit` fetches batches.
        """
        iterator.__class__ = cls
        iterator.subset = subset
        iterator.index_generator = iterator._flow_index()
        iterator._move_into_columns()
        iterator._complete(workers)
        return iterator

    def __new__(cls, *_: Any, **__: Any) -> Self:
        """A flow without samples yet."""
        flow = super().__new__(cls)
        flow._columns = {}
        return flow

    def _move_into_columns(self) -> None:
        """Makes columns and properties of what Keras has set as plain attributes."""
        self._columns = {}
        for name in list(vars(self)):
            if isinstance(getattr(type(self), name, None), (Column, property)):
                setattr(self, name, self.__dict__.pop(name))

    def _complete(self, workers: Workers) -> None:
        workers.hand_to(self)
        self.lock = Lock()
        self._set_rng(is_per_sample=self.image_data_generator.rng == "per_sample")

    def _take(self, positions: np.ndarray) -> None:
        """Keeps the samples at some positions, in this order; all columns follow."""
        self._columns = take_columns(self._columns, positions)
        self._rows = positions if self._rows is None else self._rows[positions]
        self.n = len(positions)

    def __getstate__(self) -> dict[str, Any]:
        state = super().__getstate__()
        if callable(self.image_data_generator.split_groups):
            # The samples are divided already, and many functions cannot be pickled.
            state["image_data_generator"] = copy.copy(self.image_data_generator)
            state["image_data_generator"].split_groups = forgotten_groups
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        self._columns = dict(self._columns)

    def __copy__(self) -> Self:
        """A flow at the same place, with the same generator, parts and arrays."""
        copied = type(self).__new__(type(self))
        copied.__setstate__(dict(vars(self)))
        return copied

    def __repr__(self) -> str:
        subset = [f'subset="{self.subset}"'] if self.subset else []
        count = self._batches_per_epoch
        batches = [f"{count} batch{'es' * (count != 1)} of up to {self.batch_size}"]
        repeated = ["repeated"] if self._is_endless else []
        num_bytes = self._contents.kept_bytes
        kept = [f"{memory.readable(num_bytes)} kept"] if num_bytes else []
        texts = [*self._described(), *subset, *batches, *repeated, *kept]
        return f"<{type(self).__name__}: {', '.join(texts)}>"

    def _described(self) -> list[str]:
        """Short texts about the samples of the flow, for its `repr`."""
        return [f"{self.n} images of {' × '.join(map(str, self._contents.images.shape[1:]))}"]

    @property
    def _contents(self) -> Contents:
        """The samples of the flow: images, targets and further inputs."""
        raise NotImplementedError

    @property
    def _draws(self) -> Draws:
        """Draws the parameters of samples."""
        if self.subset == "validation" and not self.image_data_generator.augment_validation:
            return NoDraws()
        if self._is_per_sample:
            return SampleDraws(self.seed, self.image_data_generator._stream)
        return GlobalDraws()

    @property
    def _working_dtype(self) -> Any:
        """The dtype in which images are transformed."""
        return self.dtype

    @CachedProperty
    def _value_range(self) -> Range | None:
        """The range of the values of all images, if it is needed and they are in memory."""
        images = self._contents.images.in_memory
        if images is None or self.image_data_generator.brightness_range is None:
            return None
        return value_range(images)

    def _batch_of(self, picks: Picks) -> Any:
        return self._make_batch(picks, self._draws).as_keras()

    def _make_batch(self, picks: Picks, draws: Draws) -> Batch:
        generator = self.image_data_generator
        span = self._value_range if generator.corrected else None
        transform = Transform(generator, self.dtype, self._working_dtype, span)
        save = self._save_images if self.save_to_dir else None
        return make_batch(self._contents, picks, draws, transform, save)

    def _save_images(self, images: np.ndarray, picks: Picks) -> list[str]:
        def draw_number() -> int:
            if self._is_per_sample:
                return picks.epoch
            return np.random.randint(self._file_number_limit)

        saving = Saving(self.save_to_dir, self.save_prefix, self.save_format)
        return saving.save_images(images, picks, self.data_format, draw_number)

    def repeat(self) -> Self:
        """The same flow without an end, for `fit` with `steps_per_epoch` of any size.

        Batch `i` is batch `i % n` of epoch `i // n`, if an epoch has `n` batches: by `next`, which
        goes on as in this flow, and by index, which may be of any size. An epoch of `fit` takes
        the next `steps_per_epoch` batches; `on_epoch_end` changes nothing. But each call of `fit`
        begins with `flow[0]`, the first batch of epoch 0 or at the state that was loaded: to go on
        after it, count its batches and load a state.

        Always give `fit` its `steps_per_epoch` or `validation_steps`, and `evaluate` and `predict`
        their `steps`: else they never end. `fit` cannot reorder the batches of a flow without an
        end, and warns of it unless it gets `shuffle=False`; the flow shuffles its samples itself.

        With `rng="per_sample"` or a `seed`, a batch is the same by `next` and by index, whatever
        was asked for before. With `rng="keras"` and no `seed`, `next` shuffles and draws from
        NumPy's global generator as in this flow; by index, orders come from a number that its
        current state gives, so that each epoch has every sample once for any workers.

        Returns:
            A flow of the same class, which begins at epoch 0, has no length, and shares files,
            arrays and cache with this one, which stays as it is.

        Raises:
            ValueError: if the flow has no samples.

        Example:
        >>> import numpy as np
        >>> from multiflow import MultiDirImageDataGenerator
        >>> flow = MultiDirImageDataGenerator().flow(np.zeros((10, 8, 8, 3)), batch_size=4)
        >>> flow.repeat()
        <ArrayIterator: 10 images of 8 × 8 × 3, 3 batches of up to 4, repeated>
        >>> [len(flow.repeat()[index]) for index in range(7)]
        [4, 4, 2, 4, 4, 2, 4]
        """
        if not self.n:
            raise ValueError("There is nothing to repeat: the flow has no samples.")
        repeated = self._derived()
        if not self._is_endless:
            repeated._is_endless = True
            with random_state_kept():
                repeated._order_seed = np.random.randint(2**31)
        return repeated

    def _derived(self) -> Self:
        """A copy that begins as a new flow does, for verbs to change."""
        with self.lock:
            derived = copy.copy(self)
        derived._rewind()
        return derived

    def read_images(self, index_array: np.ndarray) -> list[np.ndarray]:
        """The images of the samples at some positions, before any transform."""
        return self._contents.images.read(index_array, self.image_data_generator.threads)

    def caption(self, index: int) -> str:
        """A short text that describes the sample at a position of the flow.

        Args:
            index: int, the position, as in `filenames` or `classes`.

        Returns:
            The class and the source of the sample, if it has them; else its file or number.

        Example:
        >>> import numpy as np
        >>> from multiflow import MultiDirImageDataGenerator
        >>> flow = MultiDirImageDataGenerator().flow(np.zeros((2, 8, 8, 3)), ["cat", "dog"])
        >>> flow.caption(1)
        'dog'
        """
        return self._contents.images.where(index)

    def show(
        self,
        max_samples: int = 16,
        *,
        columns: int = 4,
        mask_names: Mapping[Any, str] | None = None,
    ) -> Figure:
        """Draws the batch that `next` will return; the flow does not advance.

        Each image is below its class and source, if it has them. Values from 0 to 1 or from 0 to
        255 are shown from black to white; normalised images are scaled so that all but their
        darkest and lightest hundredth is within this range. Masks are laid over their images, with
        a colour and a legend entry for each value but 0, unless that has a name; or on a colour
        scale if there are very many values.

        The states of NumPy's and Python's global random generators are restored, so that the
        training sees the same batches as without this call. Other generators that your own
        functions draw from are not. With `rng="keras"`, do not call it while other threads draw.

        Args:
            max_samples: int, the most samples to show, the first ones of the batch.
            columns: int, the number of images in a row.
            mask_names: None, or a dict from values (or numbers of channels) of masks to names for
                the legend, for flows with masks. Those that are not in this batch are left out.

        Returns:
            A `matplotlib.figure.Figure` that pyplot does not manage. Notebooks show it if it is the
            last line of a cell; in a script, write it to a file with its `savefig`.

        Raises:
            ImportError: without matplotlib, which the extra `notebooks` installs.
            TypeError: if `mask_names` is no mapping.
            ValueError: if there is no sample, if a number is not positive, if there are names but
                no masks, or names of what no mask can hold, or if `mask_preprocessing_function`
                left masks without rows and columns.

        Example:
        >>> import numpy as np
        >>> from multiflow import MultiDirImageDataGenerator
        >>> images = np.random.default_rng(0).random((6, 32, 32, 3))
        >>> flow = MultiDirImageDataGenerator().flow(images, list("abcdef"), shuffle=False)
        >>> figure = flow.show(4)
        >>> [axes.get_title() for axes in figure.axes]
        ['a', 'b', 'c', 'd']
        """
        _checks.check_positive("max_samples", max_samples)
        _check_layout(columns, mask_names)
        with self._rehearsal() as twin:
            picks = twin._next_picks()
            batch = twin._make_batch(picks, twin._draws)
        shown = picks.positions[:max_samples].tolist()
        others = f" of {len(picks)}" if len(shown) < len(picks) else ""
        noun = "sample" if len(picks) == 1 else "samples"
        return self._draw(
            [batch],
            [self.caption(position) for position in shown],
            f"Next batch: {len(shown)}{others} {noun}",
            columns,
            mask_names,
        )

    def show_augmentations(
        self,
        index: int = 0,
        count: int = 11,
        *,
        columns: int = 4,
        mask_names: Mapping[Any, str] | None = None,
    ) -> Figure:
        """Draws one sample without a transform, and as several random draws transform it.

        With `rng="per_sample"`, the draws are those of the current epoch and of the next ones. With
        `rng="keras"`, they are examples, drawn from the current random state.

        Args:
            index: int, the position of the sample in the flow, as in `filenames` or `classes`.
            count: int, the number of draws.
            columns: as in `show`.
            mask_names: as in `show`.

        Returns:
            A `matplotlib.figure.Figure`, as in `show`.

        Raises:
            IndexError: if there is no such sample.
            ImportError, TypeError, ValueError: as in `show`; if `index` is no integer, or `count`
                more than 1000.

        Example:
        >>> import numpy as np
        >>> from multiflow import MultiDirImageDataGenerator
        >>> images = np.random.default_rng(0).random((6, 32, 32, 3))
        >>> flow = MultiDirImageDataGenerator(rotation_range=30).flow(images, seed=1)
        >>> figure = flow.show_augmentations(5, count=2)
        >>> [axes.get_title() for axes in figure.axes]
        ['as it is', 'draw 1', 'draw 2']
        """
        _checks.check_positive("count", count)
        if count > MAX_DRAWS:
            raise ValueError(f"`count` must be at most {MAX_DRAWS}. Received: {count!r}")
        _check_layout(columns, mask_names)
        if not isinstance(index, Integral):
            raise TypeError(f"`index` must be an integer. Received: {index!r}")
        if not -self.n <= int(index) < self.n:
            raise IndexError(
                f"`index` must be the position of one of {self.n} samples. Received: {index}"
            )
        position = np.array([range(self.n)[index]])
        with self._rehearsal() as twin:
            twin._seed_batch()
            epochs = range(twin.epoch + twin._is_finished, twin.epoch + twin._is_finished + count)
            batches = [
                twin._make_batch(Picks.once(position, epoch), twin._draws) for epoch in epochs
            ]
            batches.insert(0, twin._make_batch(Picks.once(position), NoDraws()))
        return self._draw(
            batches,
            ["as it is", *(f"draw {number + 1}" for number in range(count))],
            f"{self.caption(position[0])} (index {position[0]})",
            columns,
            mask_names,
        )

    @contextlib.contextmanager
    def _rehearsal(self) -> Iterator[Self]:
        """A copy that makes the next batches of this flow; then, random states are restored."""
        extras.require("matplotlib", user="Showing a flow", extra="notebooks")
        if not self.n:
            raise ValueError("There is nothing to show: the iterator has no samples.")
        with self.lock:
            twin = copy.copy(self)
        # The copy must save as well, since this draws random numbers for the names of files.
        with tempfile.TemporaryDirectory() as folder, random_state_kept():
            twin.save_to_dir = self.save_to_dir and folder
            yield twin

    def _draw(
        self,
        batches: Sequence[Batch],
        captions: Sequence[str],
        title: str,
        columns: int,
        mask_names: Mapping[Any, str] | None,
    ) -> Figure:
        from multiflow.show.samples import draw_samples

        return draw_samples(
            [batch.images for batch in batches],
            [batch.masks for batch in batches],
            captions,
            title,
            generator=self.image_data_generator,
            columns=columns,
            mask_names=mask_names,
        )
