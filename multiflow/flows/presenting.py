"""What an iterator says and shows of itself: a line, captions, pictures."""

from __future__ import annotations

import contextlib
import copy
import operator
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from multiflow import _checks, extras
from multiflow.augment.draws import random_state_kept
from multiflow.flows.flow import PortableIterator

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from typing_extensions import Self


class PresentableIterator(PortableIterator):
    """An iterator that shows people what it holds; none of this changes what comes next."""

    def __repr__(self) -> str:
        subset = [f'subset="{self.subset}"'] if self.subset else []
        batches = f"{len(self)} batch{'es' * (len(self) != 1)} of up to {self.batch_size}"
        return f"<{type(self).__name__}: {', '.join([*self._contents(), *subset, batches])}>"

    def _contents(self) -> list[str]:
        """What the iterator holds, in a few words each."""
        images, _ = self._images_at(np.arange(0))
        return [f"{self.n} images of {' × '.join(map(str, images.shape[1:]))}"]

    def caption(self, index: int) -> str:
        """What the sample at a position of the flow is, in a few words.

        Args:
            index: int, the position, as in `filenames` or `classes`.

        Returns:
            Its class and its source, as far as it has them; else its file or number.

        Example:
        >>> import numpy as np
        >>> from multiflow import MultiDirImageDataGenerator
        >>> flow = MultiDirImageDataGenerator().flow(np.zeros((2, 8, 8, 3)), ["cat", "dog"])
        >>> flow.caption(1)
        'dog'
        """
        return f"sample {index}"

    def show(
        self,
        max_samples: int = 16,
        *,
        columns: int = 4,
        mask_names: Mapping[Any, str] | None = None,
    ) -> Figure:
        """A picture of the batch that `next` gives next, and still gives next afterwards.

        Each image is below its class and source, as far as it has them. Values from 0 to 1 or from
        0 to 255 are shown from black to white; normalised images are brightened so that all but
        their darkest and lightest hundredth is within these. Masks are laid over their images, in a
        colour for each value but 0 with a legend, or, if they have very many values, on a scale.

        Nothing is taken from NumPy's and Python's global random numbers, so that the training sees
        what it would have seen. Other random numbers that your own functions draw are beyond this;
        and with `rng="keras"`, do not call it while other threads draw.

        Args:
            max_samples: int, the most samples to show, the first ones of the batch.
            columns: int, how many images stand in a row.
            mask_names: None, or a dict from values (or channels) of masks to names for the legend,
                for flows with masks.

        Returns:
            A `matplotlib.figure.Figure`, of which pyplot does not know. Notebooks show it where it
            is the last line of a cell; in a script, write it with its `savefig`.

        Raises:
            ImportError: without matplotlib, which the extra `notebooks` brings.
            TypeError: if `mask_names` is no mapping.
            ValueError: if there is no sample, if a number is not positive, if there are names but
                no masks, or if masks have no rows and columns any more.

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
        with self._twin() as twin:
            positions = next(twin.index_generator)
            batch = twin._batch(positions, twin.epoch)
        shown = positions[:max_samples].tolist()
        others = f" of {len(positions)}" if len(shown) < len(positions) else ""
        noun = "sample" if len(positions) == 1 else "samples"
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
        """A picture of one sample as it is, and as several random draws transform it.

        With `rng="per_sample"` these are the draws of the epoch that is on, and of those that
        follow. Else they are such as the training may see, from where its random numbers stand.

        Args:
            index: int, the position of the sample in the flow, as in `filenames` or `classes`.
            count: int, how many draws.
            columns: as in `show`.
            mask_names: as in `show`.

        Returns:
            A `matplotlib.figure.Figure`, as in `show`.

        Raises:
            IndexError: if there is no such sample.
            ImportError, TypeError, ValueError: as in `show`.

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
        _check_layout(columns, mask_names)
        if not -self.n <= operator.index(index) < self.n:
            raise IndexError(f"`index` must be that of one of {self.n} samples. Received: {index}")
        index = range(self.n)[index]
        position = np.array([index])
        with self._twin() as twin:
            twin._begin_batch()
            first = twin.epoch + twin._is_finished
            batches = [twin._batch(position, first + draw) for draw in range(count)]
            twin._leave_alone()
            batches.insert(0, twin._batch(position, first))
        return self._draw(
            batches,
            ["as it is", *(f"draw {number + 1}" for number in range(count))],
            f"{self.caption(index)} (index {index})",
            columns,
            mask_names,
        )

    @contextlib.contextmanager
    def _twin(self) -> Iterator[Self]:
        """A copy to make a picture of, which goes on as this iterator would and leaves no trace."""
        extras.require("matplotlib", user="Showing a flow", extra="notebooks")
        if not self.n:
            raise ValueError("There is nothing to show, the iterator has no sample.")
        with self.lock:
            twin = copy.copy(self)
        # Saving draws numbers for the names of files, too.
        with tempfile.TemporaryDirectory() as folder, random_state_kept():
            twin.save_to_dir = self.save_to_dir and folder
            yield twin

    def _leave_alone(self) -> None:
        """Transforms no sample any more, as `augment_validation=False` does."""
        self.subset = "validation"
        self.image_data_generator = copy.copy(self.image_data_generator)
        self.image_data_generator.augment_validation = False

    def _draw(
        self,
        batches: Sequence[Any],
        captions: Sequence[str],
        title: str,
        columns: int,
        mask_names: Mapping[Any, str] | None,
    ) -> Figure:
        from multiflow.show import colours, figures

        images = np.concatenate([self._images_in(batch) for batch in batches])[: len(captions)]
        kinds = list(zip(*map(self._masks_in, batches), strict=True))
        if mask_names is not None and not kinds:
            raise ValueError("`mask_names` are for flows with masks, and this one has none.")
        lowest, highest = (
            np.format_float_positional(float(value), precision=2, trim="-")
            for value in (images.min(), images.max())
        )
        facts = f"{' × '.join(map(str, images.shape[1:]))}, {images.dtype}"
        title += f"\n{facts}, values {lowest} to {highest}"
        layers = []
        for of_kind in kinds:
            names, masks = zip(*of_kind, strict=True)
            layers.append(
                colours.colour_masks(
                    names[0],
                    np.concatenate(masks)[: len(captions)],
                    channels_first=self.data_format == "channels_first",
                    mask_names=mask_names,
                )
            )
        visible = colours.make_visible(images, self.image_data_generator)
        return figures.draw(visible, captions, title=title, columns=columns, layers=layers)

    def _images_in(self, batch: Any) -> np.ndarray:
        inputs = batch[0] if isinstance(batch, tuple) else batch
        return inputs[0] if isinstance(inputs, (list, tuple)) else inputs

    def _masks_in(self, batch: Any) -> list[tuple[str, np.ndarray]]:
        """The masks of a batch, of each kind, with what they are called."""
        return []


def _check_layout(columns: Any, mask_names: Any) -> None:
    _checks.check_positive("columns", columns)
    if not (mask_names is None or isinstance(mask_names, Mapping)):
        raise TypeError(
            "`mask_names` must be None or a dict from values of masks to names, such as "
            f'{{1: "cell"}}. Received: {mask_names!r}'
        )
