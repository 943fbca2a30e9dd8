"""The samples that a batch is made of: an `Order` gives them, draws and targets read them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True, eq=False)
class Picks:
    """Some samples of an epoch, in order.

    Attributes:
        positions: int array of shape `(n,)`, the positions of the samples in the flow.
        repeats: int array of shape `(n,)`, how many times each sample came earlier in the epoch, so
            that a repeated one is augmented anew.
        epoch: the number of the epoch.
    """

    positions: np.ndarray
    repeats: np.ndarray
    epoch: int = 0

    @classmethod
    def once(cls, positions: np.ndarray, epoch: int = 0) -> Picks:
        """Samples that come for the first time in their epoch."""
        return cls(positions, np.broadcast_to(0, len(positions)), epoch)

    @classmethod
    def of_user(cls, positions: Any, epoch: int) -> Picks:
        """Picks of positions in any form that NumPy takes for an array of integers."""
        positions = np.asarray(positions)
        return cls.once(positions if len(positions) else positions.astype(int), epoch)

    def __len__(self) -> int:
        return len(self.positions)

    def __getitem__(self, part: slice) -> Picks:
        return Picks(self.positions[part], self.repeats[part], self.epoch)
