"""Groups of samples that belong together, and their division into two subsets."""

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
    """The group of each sample as a number; groups are numbered from 0, as they first appear.

    Args:
        groups: a function from a path to its group, or one group per sample.
        num_samples: the number of samples.
        paths: the path of each sample, for a function; None if samples have no path.

    Raises:
        TypeError: if files have no function, or arrays no sequence of groups.
        ValueError: if there is only one group, or not one group per sample.
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
                "`split_groups` must be a sequence with one group per sample, since arrays have no "
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
    """True if a value is hashable and is not a missing one: None, NaN or pandas' NA."""
    try:
        hash(group)
        return group is not None and bool(group == group)
    except (TypeError, ValueError):
        return False


def divide_groups(
    fraction: float, groups: np.ndarray, strata: np.ndarray, order: np.ndarray
) -> np.ndarray:
    """Divides whole groups: bool array of shape `(num_samples,)`, True for validation.

    Args:
        fraction: the fraction of the samples that is wanted for validation.
        groups: int array, the group of each sample, as `group_numbers` counts them.
        strata: int array, the stratum of each sample; validation gets a share of each stratum.
        order: int array, the samples, those first that are preferred for validation.
    """
    # A group has the rank of its first sample, so that large groups have no better chance.
    first_samples = np.unique(groups, return_index=True)[1]
    ranked_groups = np.argsort(np.argsort(order)[first_samples])
    group_order = _interleave_strata(ranked_groups, _main_strata(groups, strata))
    sizes = np.bincount(groups)[group_order]
    is_chosen = np.zeros(len(sizes), bool)
    is_chosen[group_order] = nearest_total(sizes.tolist(), fraction * len(groups))
    return is_chosen[groups]


def _main_strata(groups: np.ndarray, strata: np.ndarray) -> np.ndarray:
    """For each group, the stratum that holds most of its samples."""
    (pair_groups, pair_strata), counts = np.unique([groups, strata], axis=1, return_counts=True)
    main = np.empty(groups.max() + 1, int)
    by_count = np.argsort(counts, kind="stable")
    main[pair_groups[by_count]] = pair_strata[by_count]  # the largest count comes last
    return main


def _interleave_strata(order: np.ndarray, strata: np.ndarray) -> np.ndarray:
    """The order, changed so that any number of its first items has a share of each stratum."""
    by_stratum = np.argsort(strata[order], kind="stable")
    counts = np.bincount(strata)
    shares = np.empty(len(order))
    shares[by_stratum] = np.concatenate([(np.arange(n) + 0.5) / max(n, 1) for n in counts])
    return order[np.argsort(shares, kind="stable")]


def nearest_total(sizes: Sequence[int], target: float) -> list[bool]:
    """Chooses some of several numbers, not none and not all, with the sum nearest to a target.

    Args:
        sizes: two or more positive integers; earlier ones are preferred.
        target: the wanted sum.

    Returns:
        A bool for each number, True if it is chosen. No other choice has a sum nearer to `target`.
        Of several such choices, it is one that takes the first numbers and leaves the last, with
        few exceptions in between.

    Example:
    >>> nearest_total([6, 7, 3, 8], 10)
    [False, True, True, False]
    """
    total = _nearest_bit(_sums_as_bits(sizes) & ~1 & ~(1 << sum(sizes)), target)
    first_sums = [0, *itertools.accumulate(sizes)]
    boundary = min(range(len(first_sums)), key=lambda n: abs(first_sums[n] - target))
    chosen = [position < boundary for position in range(len(sizes))]
    # Mostly it is enough to choose anew among a few numbers of each size, next to the boundary.
    width = 0
    while True:
        window = _window_around(boundary, sizes, width)
        missing = total - first_sums[boundary] + sum(sizes[n] for n in window if chosen[n])
        taken = _choose_total([sizes[n] for n in window], missing)
        if taken is not None:
            for position, is_taken in zip(window, taken, strict=True):
                chosen[position] = is_taken
            return chosen
        width = max(1, 2 * width)


def _window_around(boundary: int, sizes: Sequence[int], width: int) -> list[int]:
    """Positions around a boundary: of each size, the last `width` before and the first after."""
    by_size: dict[int, list[int]] = {}
    for position, size in enumerate(sizes):
        by_size.setdefault(size, []).append(position)
    window: list[int] = []
    for positions in by_size.values():
        place = bisect.bisect_left(positions, boundary)
        window += positions[max(place - width, 0) : place + width]
    return sorted(window)


def _choose_total(sizes: Sequence[int], total: int) -> list[bool] | None:
    """Chooses numbers that have a sum, early ones where possible; None if no choice has it."""
    # Bit t of an entry is set if some of the numbers from a position on have the sum t.
    sums_from = list(
        itertools.accumulate(reversed(sizes), lambda sums, n: sums | sums << n, initial=1)
    )
    if total < 0 or not sums_from.pop() >> total & 1:
        return None
    taken = []
    for size in sizes:
        sums = sums_from.pop()
        taken.append(size <= total and bool(sums >> (total - size) & 1))
        total -= size * taken[-1]
    return taken


def _sums_as_bits(sizes: Iterable[int]) -> int:
    """The sums that choices of the numbers have: bit t is set if one has the sum t."""
    sums = 1
    for size, count in Counter(sizes).items():
        step = 1
        while count:  # steps of 1, 2, 4, … reach any number of equal ones
            step = min(step, count)
            sums |= sums << (step * size)
            count -= step
            step *= 2
    return sums


def _nearest_bit(bits: int, target: float) -> int:
    """The position of the set bit that is nearest to a target."""
    middle = int(target) + 1
    candidates = []
    if below := bits & ((1 << middle) - 1):
        candidates.append(below.bit_length() - 1)
    if above := bits >> middle:
        candidates.append(middle + (above & -above).bit_length() - 1)
    return min(candidates, key=lambda position: abs(position - target))
