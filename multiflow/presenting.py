"""What an iterator says and shows of itself: a line, captions, pictures."""

from __future__ import annotations

import contextlib
import copy
import operator
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from multiflow import _checks, extras
from multiflow.drawing import random_state_kept
from multiflow.epochs import PortableIterator

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from typing_extensions import Self


class PresentableIterator(PortableIterator):
    """An iterator that shows people what it holds; none of this changes what comes next."""

    def __repr__(self) -> str:
        subset = [f'subset="{self.subset}"'] if self.subset else []
        batches = f"{len(self)} batches of up to {self.batch_size}"
        return f"<{type(self).__name__}: {', '.join([*self._contents(), *subset, batches])}>"

    def _contents(self) -> list[str]:
        """What the iterator holds, in a few words each."""
        images, _ = self._images_at(np.arange(0))
        return [f"{self.n} images of {' × '.join(map(str, images.shape[1:]))}"]

    def caption(self, index: int) -> str:
        """What the sample at a position of the flow is, in a few words."""
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
        colour for each value but 0, with a legend.

        Args:
            max_samples: int, the most samples to show, the first ones of the batch.
            columns: int, how many images stand in a row.
            mask_names: None, or a dict from values (or channels) of masks to names for the legend.

        Returns:
            A `matplotlib.figure.Figure`, which notebooks show where it is the last line of a cell,
            and `savefig` writes. pyplot does not know of it. Nothing is drawn from the random
            numbers of the training; a generator of its own that a user's function holds is
            another matter.

        Raises:
            ImportError: without matplotlib, which the extra `notebooks` brings.
            ValueError: if there is no sample, if a number is not positive, or if masks have no rows
                and columns any more.

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
        _checks.check_positive("columns", columns)
        with self._twin() as twin:
            positions = next(twin.index_generator)
            batch = twin._batch(positions, twin.epoch)
        shown = positions[:max_samples].tolist()
        others = f" of {len(positions)}" if len(shown) < len(positions) else ""
        return self._draw(
            [batch],
            [self.caption(position) for position in shown],
            f"Next batch: {len(shown)}{others} samples",
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
        follow; else such as training may see, the same ones for the same `seed` of the flow.

        Args:
            index: int, the position of the sample in the flow, as in `filenames` or `classes`.
            count: int, how many draws.
            columns: as in `show`.
            mask_names: as in `show`.

        Returns:
            A `matplotlib.figure.Figure`, as in `show`.

        Raises:
            IndexError: if there is no such sample.
            ImportError, ValueError: as in `show`.

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
        _checks.check_positive("columns", columns)
        if not -self.n <= operator.index(index) < self.n:
            raise IndexError(f"`index` must be that of one of {self.n} samples. Received: {index}")
        index = range(self.n)[index]
        with self._twin() as twin:
            twin._begin_batch()
            batches = [twin._batch(np.array([index]), twin.epoch + draw) for draw in range(count)]
            twin._transforms_nothing = True
            batches.insert(0, twin._batch(np.array([index]), twin.epoch))
        return self._draw(
            batches,
            ["as it is", *(f"draw {number + 1}" for number in range(count))],
            f"Sample {index}: {self.caption(index)}",
            columns,
            mask_names,
        )

    @contextlib.contextmanager
    def _twin(self) -> Iterator[Self]:
        """A copy to make a picture of, which goes on as this iterator would and leaves no trace."""
        extras.require("matplotlib", user="`show`", extra="notebooks")
        if not self.n:
            raise ValueError("There is nothing to show, the iterator has no sample.")
        twin = copy.copy(self)
        twin.save_to_dir = None
        with random_state_kept():
            yield twin

    def _draw(
        self,
        batches: Sequence[Any],
        captions: Sequence[str],
        title: str,
        columns: int,
        mask_names: Mapping[Any, str] | None,
    ) -> Figure:
        from multiflow import showing

        images = np.concatenate([self._images_in(batch) for batch in batches])[: len(captions)]
        masks = [self._masks_in(batch) for batch in batches]
        title += (
            f"\n{' × '.join(map(str, images.shape[1:]))}, {images.dtype}, "
            f"values {images.min():.3g} to {images.max():.3g}"
        )
        layers = [
            showing.colour_masks(
                kind,
                np.concatenate([kinds[kind] for kinds in masks])[: len(captions)],
                channels_first=self.data_format == "channels_first",
                mask_names=mask_names,
            )
            for kind in masks[0]
        ]
        visible = showing.make_visible(images, self.image_data_generator)
        return showing.draw(visible, captions, title=title, columns=columns, layers=layers)

    def _images_in(self, batch: Any) -> np.ndarray:
        inputs = batch[0] if isinstance(batch, tuple) else batch
        return inputs[0] if isinstance(inputs, (list, tuple)) else inputs

    def _masks_in(self, batch: Any) -> dict[str, np.ndarray]:
        """The masks of a batch, by what they are called."""
        return {}
