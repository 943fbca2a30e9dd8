"""Samples that belong together, and how whole groups are divided."""

from __future__ import annotations

import bisect
import itertools
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import Any

import numpy as np


def group_numbers(
    groups: Callable[[str], Hashable] | Sequence[Hashable],
    num_samples: int,
    paths: Sequence[str] | None,
) -> np.ndarray:
    """The group of each sample as a number, counted from 0 as groups first come up.

    Args:
        groups: a function from a path to its group, or one group per sample.
        num_samples: how many samples there are.
        paths: what a function is called with; None if samples have no path.

    Raises:
        TypeError: if the groups are not of the form that the samples need.
        ValueError: if there are not two groups, or not one per sample.
    """
    numbers: dict[Hashable, int] = {}
    found = _groups_of(groups, num_samples, paths)
    return np.array([numbers.setdefault(group, len(numbers)) for group in found], int)


def _groups_of(
    groups: Callable[[str], Hashable] | Sequence[Hashable],
    num_samples: int,
    paths: Sequence[str] | None,
) -> list[Hashable]:
    if paths is None:
        if callable(groups):
            raise TypeError(
                "`split_groups` must be a sequence with one group per sample, for arrays have no "
                f"paths. Received the function {groups!r}."
            )
        found = list(groups)
        if len(found) != num_samples:
            raise ValueError(
                f"`split_groups` must hold one group for each of the {num_samples} samples. "
                f"Received {len(found)}."
            )
    else:
        if not callable(groups):
            raise TypeError(
                "`split_groups` must be a function from the path of a file to its group, for "
                f"samples that are files. Received {type(groups).__name__}."
            )
        found = [_group_of_path(groups, path) for path in paths]
    for position, group in enumerate(found):
        if not _is_group(group):
            where = f"sample {position}" if paths is None else repr(paths[position])
            raise ValueError(
                f"`split_groups` gives no group for {where}, but {group!r}. Groups are str, int or "
                "other hashables; give a sample that belongs to no other a group of its own."
            )
    if len(set(found)) == 1:
        raise ValueError(
            f"`split_groups` puts all {num_samples} samples into the one group {found[0]!r}, which "
            "cannot be divided. Make smaller groups."
        )
    return found


def _group_of_path(groups: Callable[[str], Hashable], path: str) -> Hashable:
    try:
        return groups(path)
    except Exception as error:
        raise ValueError(
            f"`split_groups` failed for {path!r}: {type(error).__name__}: {error}"
        ) from error


def _is_group(group: Any) -> bool:
    """Whether a value is hashable, and not missing, as None, NaN and pandas' NA are."""
    try:
        hash(group)
        return group is not None and bool(group == group)
    except (TypeError, ValueError):
        return False


def divide_groups(
    fraction: float, groups: np.ndarray, strata: np.ndarray, order: np.ndarray
) -> np.ndarray:
    """Whether each sample is in a group for validation.

    Args:
        fraction: of the samples, wanted for validation.
        groups: int array, the group of each sample, numbered as they come up.
        strata: int array, of which validation should have its share.
        order: the samples, in the order in which they are preferred for validation.
    """
    # A group is preferred as its first sample is, so that large ones have no better chance.
    first_samples = np.unique(groups, return_index=True)[1]
    group_order = _spread(np.argsort(np.argsort(order)[first_samples]), _main(groups, strata))
    sizes = np.bincount(groups)[group_order]
    is_chosen = np.zeros(len(sizes), bool)
    is_chosen[group_order] = nearest_total(sizes.tolist(), fraction * len(groups))
    return is_chosen[groups]


def _main(groups: np.ndarray, strata: np.ndarray) -> np.ndarray:
    """The stratum that most samples of each group are in."""
    (pair_groups, pair_strata), counts = np.unique([groups, strata], axis=1, return_counts=True)
    main = np.empty(groups.max() + 1, int)
    by_count = np.argsort(counts, kind="stable")
    main[pair_groups[by_count]] = pair_strata[by_count]  # the largest count comes last
    return main


def _spread(order: np.ndarray, strata: np.ndarray) -> np.ndarray:
    """The order, changed so that its first items hold their share of every stratum."""
    by_stratum = np.argsort(strata[order], kind="stable")
    counts = np.bincount(strata)
    shares = np.empty(len(order))
    shares[by_stratum] = np.concatenate([(np.arange(n) + 0.5) / max(n, 1) for n in counts])
    return order[np.argsort(shares, kind="stable")]


def nearest_total(sizes: Sequence[int], target: float) -> list[bool]:
    """Which numbers have the sum that is nearest to a target; neither none nor all of them.

    Args:
        sizes: two or more positive integers, in the order in which they are preferred.
        target: what their sum should be.

    Returns:
        Whether each is taken. The sum is as near to `target` as any can be. Of the ways to it, it
        is one that takes the first numbers and leaves the last, but for few in between.

    Example:
    >>> nearest_total([6, 7, 3, 8], 10)
    [False, True, True, False]
    """
    total = _nearest_bit(_sums(sizes) & ~1 & ~(1 << sum(sizes)), target)
    first_sums = [0, *itertools.accumulate(sizes)]
    boundary = min(range(len(first_sums)), key=lambda n: abs(first_sums[n] - target))
    chosen = [position < boundary for position in range(len(sizes))]
    # To decide anew about a few numbers of each size, next to the boundary, is mostly enough.
    width = 0
    while True:
        window = _next_to(boundary, sizes, width)
        missing = total - first_sums[boundary] + sum(sizes[n] for n in window if chosen[n])
        taken = _with_total([sizes[n] for n in window], missing)
        if taken is not None:
            for position, is_taken in zip(window, taken, strict=True):
                chosen[position] = is_taken
            return chosen
        width = max(1, 2 * width)


def _next_to(boundary: int, sizes: Sequence[int], width: int) -> list[int]:
    """The positions, for each size, of the `width` last before the boundary and first behind it."""
    by_size: dict[int, list[int]] = {}
    for position, size in enumerate(sizes):
        by_size.setdefault(size, []).append(position)
    window: list[int] = []
    for positions in by_size.values():
        place = bisect.bisect_left(positions, boundary)
        window += positions[max(place - width, 0) : place + width]
    return sorted(window)


def _with_total(sizes: Sequence[int], total: int) -> list[bool] | None:
    """Which numbers have a sum, the first ones if they can; None if none have."""
    # Bit t of each tells whether some of the numbers behind a position have the sum t.
    behind = list(
        itertools.accumulate(reversed(sizes), lambda sums, n: sums | sums << n, initial=1)
    )
    if total < 0 or not behind.pop() >> total & 1:
        return None
    taken = []
    for size in sizes:
        sums = behind.pop()
        taken.append(size <= total and bool(sums >> (total - size) & 1))
        total -= size * taken[-1]
    return taken


def _sums(sizes: Iterable[int]) -> int:
    """All sums of some of the numbers, as bits."""
    sums = 1
    for size, count in Counter(sizes).items():
        step = 1
        while count:  # any number of equal ones, in steps of 1, 2, 4, …
            step = min(step, count)
            sums |= sums << (step * size)
            count -= step
            step *= 2
    return sums


def _nearest_bit(bits: int, target: float) -> int:
    """The position of the bit nearest to a target."""
    middle = int(target) + 1
    candidates = []
    if below := bits & ((1 << middle) - 1):
        candidates.append(below.bit_length() - 1)
    if above := bits >> middle:
        candidates.append(middle + (above & -above).bit_length() - 1)
    return min(candidates, key=lambda position: abs(position - target))
