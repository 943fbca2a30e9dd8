"""Orders and picks: which samples come when, and how often each came before."""

from __future__ import annotations

import numpy as np
import pytest

from multiflow.flows.order import Order, SeededOrder
from multiflow.picks import Picks


@pytest.mark.parametrize("order", [Order(5, shuffle=False), SeededOrder(5, False, seed=3)])
def test_without_shuffling_samples_come_in_turn(order: Order) -> None:
    picks = order.epoch(2)
    assert picks.positions.tolist() == [0, 1, 2, 3, 4]
    assert picks.epoch == 2


def test_without_a_seed_the_order_is_that_of_numpy() -> None:
    np.random.seed(4)
    expected = np.random.permutation(7)
    np.random.seed(4)
    assert Order(7, shuffle=True).epoch(0).positions.tolist() == expected.tolist()


def test_with_a_seed_the_order_depends_on_it_and_the_epoch_alone() -> None:
    before = np.random.get_state()[1].tolist()
    orders = [
        SeededOrder(50, shuffle=True, seed=seed).epoch(epoch).positions.tolist()
        for seed, epoch in [(1, 0), (1, 0), (1, 1), (2, 0)]
    ]
    assert orders[0] == orders[1]
    assert len({tuple(order) for order in orders}) == 3
    assert all(sorted(order) == list(range(50)) for order in orders)
    assert np.random.get_state()[1].tolist() == before


def test_batches_are_parts_of_the_epoch() -> None:
    order = Order(5, shuffle=False)
    epoch = order.epoch(1)
    batches = [order.batch(epoch, start, 2) for start in (0, 2, 4)]
    assert [batch.positions.tolist() for batch in batches] == [[0, 1], [2, 3], [4]]
    assert [len(batch) for batch in batches] == [2, 2, 1]
    assert {batch.epoch for batch in batches} == {1}


def test_parts_of_picks_keep_their_repeats() -> None:
    picks = Picks(np.array([3, 1, 3, 3]), np.array([0, 0, 1, 2]), epoch=4)
    assert picks[2:].positions.tolist() == [3, 3]
    assert picks[2:].repeats.tolist() == [1, 2]
    assert picks[2:].epoch == 4
    assert Picks.once(np.array([5, 6])).repeats.tolist() == [0, 0]
