"""The order of samples in epochs and batches."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from multiflow.augment.draws import order_of_epoch
from multiflow.picks import Picks


@dataclass(frozen=True)
class Order:
    """An order in which each sample comes once in an epoch, shuffled or not.

    Attributes:
        num_samples: the number of samples.
        shuffle: whether to shuffle them in each epoch.
        seed: the order of an epoch depends on it and the epoch's number; None to draw the order
            from NumPy's global generator, as Keras does.
    """

    num_samples: int
    shuffle: bool
    seed: int | None

    def epoch(self, number: int) -> Picks:
        """The samples of a whole epoch."""
        if not self.shuffle:
            positions = np.arange(self.num_samples)
        elif self.seed is None:
            positions = np.random.permutation(self.num_samples)
        else:
            positions = order_of_epoch(self.seed, number, self.num_samples)
        return Picks.once(positions, number)

    def batch(self, epoch: Picks, start: int, batch_size: int) -> Picks:
        """The samples of the batch that begins at position `start` of an epoch."""
        return epoch[start : start + batch_size]
