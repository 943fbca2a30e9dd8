"""Index → subset: which samples are for validation, and which for training."""

from __future__ import annotations

import bisect
import hashlib
import itertools
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np

from multiflow import _checks

# A split that misses its fraction by more is a warning.
TOLERANCE = 0.05


class Split(NamedTuple):
    """How samples are divided: `validation_split`, `split_seed` and `split_groups`."""

    fraction: float
    seed: int | None = None
    groups: Callable[[str], Hashable] | Sequence[Hashable] | None = None

    @classmethod
    def of(cls, generator: Any) -> Split:
        """The split that the arguments of a generator make."""
        return cls(generator._validation_split, generator.split_seed, generator.split_groups)

    @property
    def is_keras(self) -> bool:
        """Whether nothing but Keras' fraction divides the samples."""
        return self.seed is None and self.groups is None

    @property
    def reason(self) -> str:
        """Why a subset may lack something, and what to do, for messages."""
        if self.groups is not None:
            return (
                f"validation_split={self.fraction} divides whole groups. Set another "
                "`validation_split`, or make smaller groups."
            )
        return (
            f"validation_split={self.fraction} is rounded down (of files, in each class folder of "
            "each root). Set another `validation_split`."
        )


def choose_subset(
    split: Split,
    subset: str | None,
    num_samples: int,
    *,
    strata: np.ndarray | None = None,
    names: Callable[[], Iterable[Any]] | None = None,
    paths: Sequence[str] | None = None,
) -> np.ndarray:
    """The samples of a subset, in their order.

    By default the first `fraction` of each stratum, rounded down, is for validation, as in Keras.
    A seed shuffles each stratum before. Groups are divided as a whole, over all strata, so that the
    number of samples comes as near to the fraction as it can. Labels play no part: a flow without
    them divides its samples in the same way.

    Args:
        split: how to divide.
        subset: `"training"`, `"validation"`, or None for all samples.
        num_samples: how many there are.
        strata: int array, the part of each sample that is divided by itself; one part by default.
        names: gives what tells samples apart, by which they are shuffled: their positions by
            default. A sample's place in the shuffled order depends on the seed and its name alone.
        paths: what a function in `groups` is called with; None if samples have no path.

    Raises:
        TypeError: if the groups are not of the form that the samples need.
        ValueError: if `subset` is unknown, or if there are not two groups, or not one per sample.

    Warns:
        UserWarning: if a seed or groups make a split that is far from the fraction.
    """
    _checks.check_subset(subset)
    order = np.arange(num_samples)
    if subset is None or not num_samples:
        return order
    if strata is None:
        strata = np.zeros(num_samples, int)
    if split.seed is not None:
        order = _shuffled(split.seed, order if names is None else names())
    if split.groups is None or not split.fraction:
        is_validation = _divide_strata(split.fraction, strata, order)
    else:
        groups = _numbered(_groups_of(split.groups, num_samples, paths))
        is_validation = _divide_groups(split.fraction, groups, strata, order)
    share = is_validation.mean()
    if not split.is_keras and abs(share - split.fraction) > TOLERANCE:
        _checks.warn(
            f"The validation subset has {is_validation.sum()} of {num_samples} samples, "
            f"{share:.1%} instead of {split.fraction:.1%}. {split.reason}"
        )
    return np.flatnonzero(is_validation == (subset == "validation"))


def warn_of_missing_classes(
    split: Split, labels: Iterable[Any], class_names: Sequence[Any], positions: np.ndarray
) -> None:
    """Warns of classes that are in one subset only, if a seed or groups made it.

    Args:
        split: how the samples were divided.
        labels: the class number of each sample, or a list of several; none if there are no classes.
        class_names: what the numbers stand for.
        positions: the samples of one of the subsets.
    """
    if split.is_keras or not split.fraction:
        return
    labels = list(labels)
    if not labels:
        return
    total = _count_classes(labels, len(class_names))
    taken = _count_classes([labels[position] for position in positions], len(class_names))
    [missing] = np.nonzero((total > 0) & ((taken == 0) | (taken == total)))
    if missing.size:
        named = ", ".join(
            f"{class_names[n]!r} ({taken[n]} here, {total[n] - taken[n]} in the other)"
            for n in missing[:10]
        )
        or_groups = ", or make other groups" if split.groups is not None else ""
        _checks.warn(
            f"One of the subsets has no sample of {missing.size} of the {len(class_names)} "
            f"classes: {named}{', …' if missing.size > 10 else ''}. Set another `split_seed` or "
            f"`validation_split`{or_groups}."
        )


def _count_classes(labels: Iterable[Any], num_classes: int) -> np.ndarray:
    flat = itertools.chain.from_iterable(
        label if isinstance(label, list) else [label] for label in labels
    )
    return np.bincount(np.fromiter(flat, int), minlength=num_classes)


def _numbered(values: Iterable[Hashable]) -> np.ndarray:
    """Equal values as equal numbers, counted from 0 as they first come up."""
    numbers: dict[Hashable, int] = {}
    return np.array([numbers.setdefault(value, len(numbers)) for value in values], int)


def _shuffled(seed: int, names: Iterable[Any]) -> np.ndarray:
    """The positions of some names, in an order that hashes of the seed and the name make."""
    # NumPy may change how its generators shuffle; a hash stays, on all machines.
    key = str(int(seed)).encode()
    hashes = [
        hashlib.blake2b(str(name).encode("utf-8", "surrogatepass"), digest_size=8, key=key).digest()
        for name in names
    ]
    return np.argsort(np.frombuffer(b"".join(hashes), ">u8"), kind="stable")


def _divide_strata(fraction: float, strata: np.ndarray, order: np.ndarray) -> np.ndarray:
    """Whether each sample is among the first `fraction` of its stratum."""
    by_stratum = order[np.argsort(strata[order], kind="stable")]
    is_validation = np.zeros(len(order), bool)
    for members in np.split(by_stratum, np.cumsum(np.bincount(strata))[:-1]):
        is_validation[members[: int(fraction * len(members))]] = True
    return is_validation


def _groups_of(
    groups: Callable[[str], Hashable] | Sequence[Hashable],
    num_samples: int,
    paths: Sequence[str] | None,
) -> list[Hashable]:
    """The group of each sample, checked."""
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


def _divide_groups(
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
