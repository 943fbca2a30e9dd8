"""Which samples come in which batch of an epoch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from multiflow.augment.draws import order_of_epoch
from multiflow.picks import Picks


@dataclass(frozen=True)
class Order:
    """Every sample once in an epoch, in turn or shuffled by NumPy's global generator, as in Keras.

    Attributes:
        num_samples: the number of samples.
        shuffle: whether to shuffle them in each epoch.
    """

    num_samples: int
    shuffle: bool

    def epoch(self, number: int, seed: int | None = None) -> Picks:
        """All samples of an epoch.

        Args:
            number: the number of the epoch.
            seed: None to draw from NumPy's global generator as it stands; or the seed with which
                it would give the same order, and which leaves it alone.
        """
        positions = self._shuffled(number, seed) if self.shuffle else np.arange(self.num_samples)
        return Picks.once(positions, number)

    def _shuffled(self, number: int, seed: int | None) -> np.ndarray:
        random: Any = np.random if seed is None else np.random.RandomState(seed)
        return random.permutation(self.num_samples)

    def batch(self, of_epoch: Picks, start: int, batch_size: int) -> Picks:
        """The samples of the batch that begins at a place of the epoch."""
        return of_epoch[start : start + batch_size]


@dataclass(frozen=True)
class SeededOrder(Order):
    """An order whose shuffling depends on a seed and the number of the epoch alone.

    Attributes:
        seed: the seed.
    """

    seed: int

    def _shuffled(self, number: int, seed: int | None) -> np.ndarray:
        return order_of_epoch(self.seed, number, self.num_samples)
