"""Which samples come in which batch of an epoch."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from multiflow.augment.draws import order_of_epoch
from multiflow.picks import Picks


@dataclass(frozen=True)
class Order:
    """Every sample once in an epoch, in turn or shuffled.

    Attributes:
        num_samples: how many samples there are.
        shuffle: whether to shuffle them in each epoch.
        seed: what the order of an epoch depends on, beside its number; None to draw it from NumPy's
            global generator, as Keras does.
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
        """The samples of the batch that begins at a place of its epoch."""
        return epoch[start : start + batch_size]
