"""Index → subset: which samples are for validation, and which for training."""

from __future__ import annotations

import hashlib
import itertools
import os
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


def choose_subset(
    split: Split,
    subset: str | None,
    num_samples: int,
    *,
    strata: np.ndarray | None = None,
    labels: np.ndarray | list[Any] | None = None,
    class_names: Sequence[Any] = (),
    names: Callable[[], Iterable[Any]] | None = None,
    paths: Sequence[str] | None = None,
) -> np.ndarray:
    """The samples of a subset, in their order.

    By default the first `fraction` of each stratum, rounded down, is for validation, as in Keras.
    A seed shuffles each stratum before, and spreads its labels evenly. Groups are divided as a
    whole, over all strata, so that the number of samples comes as near to the fraction as it can.

    Args:
        split: how to divide.
        subset: `"training"`, `"validation"`, or None for all samples.
        num_samples: how many there are.
        strata: int array, the part of each sample that is divided by itself; one part by default.
        labels: int array, the class of each sample, or a list in which some are lists of several.
            Both subsets should have their share of each.
        class_names: what warnings call the classes; none for labels that may be left out.
        names: gives what tells samples apart, by which they are shuffled: their positions by
            default. A sample's place in the shuffled order depends on the seed and its name alone.
        paths: what a function in `groups` is called with; None if samples have no path.

    Raises:
        TypeError, ValueError: if the groups do not fit the samples.

    Warns:
        UserWarning: if a seed or groups make a split that is far from the fraction, or leaves a
            class out of a subset.
    """
    order = np.arange(num_samples)
    if subset is None or not num_samples:
        return order
    if strata is None:
        strata = np.zeros(num_samples, int)
    if split.is_keras or not split.fraction:
        is_validation = _divide_strata(split.fraction, strata, order)
        return np.flatnonzero(is_validation == (subset == "validation"))
    kinds = (
        strata if labels is None else _numbered(zip(strata, map(_hashable, labels), strict=True))
    )
    if split.seed is not None:
        order = _shuffled(split.seed, order if names is None else names())
    if split.groups is None:
        is_validation = _divide_strata(split.fraction, strata, _spread(order, kinds))
    else:
        groups = _numbered(_groups_of(split.groups, num_samples, paths))
        is_validation = _divide_groups(split.fraction, groups, kinds, order)
    _warn_if_uneven(split, is_validation, labels, class_names)
    return np.flatnonzero(is_validation == (subset == "validation"))


def _hashable(label: Any) -> Hashable:
    return tuple(label) if isinstance(label, list) else label


def _numbered(values: Iterable[Hashable]) -> np.ndarray:
    """Equal values as equal numbers, counted from 0 as they first come up."""
    numbers: dict[Hashable, int] = {}
    return np.array([numbers.setdefault(value, len(numbers)) for value in values], int)


def _shuffled(seed: int, names: Iterable[Any]) -> np.ndarray:
    """An order that a name's place in depends on nothing but the seed and the name."""
    # NumPy may change how its generators shuffle; a hash stays, on all machines.
    key = str(seed).encode()
    hashes = [
        hashlib.blake2b(os.fsencode(str(name)), digest_size=8, key=key).digest() for name in names
    ]
    return np.argsort(np.frombuffer(b"".join(hashes), ">u8"), kind="stable")


def _spread(order: np.ndarray, kinds: np.ndarray) -> np.ndarray:
    """The order, changed so that its first samples hold their share of every kind."""
    by_kind = np.argsort(kinds[order], kind="stable")
    counts = np.bincount(kinds)
    ranks = np.concatenate([(np.arange(count) + 0.5) / count for count in counts if count] or [[]])
    shares = np.empty(len(order))
    shares[by_kind] = ranks
    return order[np.argsort(shares, kind="stable")]


def _divide_strata(fraction: float, strata: np.ndarray, order: np.ndarray) -> np.ndarray:
    """Whether each sample is among the first `fraction` of its stratum."""
    by_stratum = order[np.argsort(strata[order], kind="stable")]
    counts = np.bincount(strata)
    is_validation = np.zeros(len(order), bool)
    for members in np.split(by_stratum, np.cumsum(counts)[:-1]):
        is_validation[members[: int(fraction * len(members))]] = True
    return is_validation


def _groups_of(
    groups: Callable[[str], Hashable] | Sequence[Hashable],
    num_samples: int,
    paths: Sequence[str] | None,
) -> list[Hashable]:
    if (paths is not None) != callable(groups):
        expected = "a sequence with one group per sample" if paths is None else "a function of it"
        raise TypeError(
            f"`split_groups` must be {expected}, for these samples "
            f"{'are arrays' if paths is None else 'are files, and have a path'}. "
            f"Received {type(groups).__name__}."
        )
    found = [groups(path) for path in paths or ()] if callable(groups) else list(groups)
    if len(found) != num_samples:
        raise ValueError(
            f"`split_groups` must hold one group for each of the {num_samples} samples. "
            f"Received {len(found)}."
        )
    for position, group in enumerate(found):
        where = f"sample {position}" if paths is None else repr(paths[position])
        if not isinstance(group, Hashable):
            raise TypeError(f"`split_groups` must give str or int. For {where}: {group!r}")
        if group is None or group != group:
            raise ValueError(
                f"`split_groups` gives no group for {where}: {group!r}. Every sample needs one; "
                "give a sample that belongs to no other a group of its own."
            )
    return found


def _divide_groups(
    fraction: float, groups: np.ndarray, kinds: np.ndarray, order: np.ndarray
) -> np.ndarray:
    """Whether each sample is in a group for validation.

    Args:
        fraction: of the samples, wanted for validation.
        groups: int array, the group of each sample.
        kinds: int array, the stratum and label of each sample.
        order: the samples, in the order in which their groups are preferred for validation.
    """
    first_use = np.unique(groups[order], return_index=True)[1]
    group_order = _spread(np.argsort(first_use), _main_kinds(groups, kinds))
    sizes = np.bincount(groups)[group_order]
    is_chosen = np.zeros(len(sizes), bool)
    is_chosen[group_order] = nearest_total(sizes.tolist(), fraction * len(groups))
    return is_chosen[groups]


def _main_kinds(groups: np.ndarray, kinds: np.ndarray) -> np.ndarray:
    """The kind that most samples of each group have."""
    (pair_groups, pair_kinds), counts = np.unique([groups, kinds], axis=1, return_counts=True)
    main_kinds = np.empty(groups.max(initial=-1) + 1, int)
    by_count = np.argsort(counts, kind="stable")
    main_kinds[pair_groups[by_count]] = pair_kinds[by_count]  # the largest count comes last
    return main_kinds


def nearest_total(sizes: Sequence[int], target: float) -> np.ndarray:
    """Which numbers have the sum that is nearest to a target; neither none nor all of them.

    Args:
        sizes: positive integers, in the order in which they are preferred.
        target: what their sum should be.

    Returns:
        Bool array. The sum is as near to `target` as any can be. Of the choices with that sum it is
        one near to the first numbers, taken until they reach `target`.

    Example:
    >>> nearest_total([6, 7, 3, 8], 10)
    array([False,  True,  True, False])
    """
    chosen = np.zeros(len(sizes), bool)
    if len(sizes) < 2:
        return chosen
    counts = sorted(Counter(sizes).items())
    # Bit t tells whether some of the sizes so far have the sum t.
    reachable = [1]
    for size, count in counts:
        reachable.append(_with_multiples(reachable[-1], size, count))
    total = _nearest_bit(reachable[-1] & ~1 & ~(1 << sum(sizes)), target)
    sums = np.array([0, *itertools.accumulate(sizes)])
    preferred = Counter(sizes[: int(np.abs(sums - target).argmin())])
    for (size, count), smaller in zip(reversed(counts), reversed(reachable[:-1]), strict=True):
        by_preference = sorted(range(count + 1), key=lambda n: abs(n - preferred[size]))
        taken = next(
            n for n in by_preference if n * size <= total and smaller >> (total - n * size) & 1
        )
        chosen[np.flatnonzero(np.equal(sizes, size))[:taken]] = True
        total -= taken * size
    return chosen


def _with_multiples(sums: int, size: int, count: int) -> int:
    """The sums, as bits, that come of adding a size up to `count` times."""
    step = 1
    while count:
        taken = min(step, count)
        sums |= sums << (taken * size)
        count -= taken
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


def _warn_if_uneven(
    split: Split,
    is_validation: np.ndarray,
    labels: np.ndarray | list[Any] | None,
    class_names: Sequence[Any],
) -> None:
    num_samples, num_validation = len(is_validation), int(is_validation.sum())
    cause = "numbers are rounded down" if split.groups is None else "groups stay whole"
    if abs(num_validation / num_samples - split.fraction) > TOLERANCE:
        _checks.warn(
            f"The validation subset has {num_validation} of {num_samples} samples, "
            f"{num_validation / num_samples:.1%} instead of {split.fraction:.1%}, for {cause}. "
            "Set another `validation_split`, or make smaller groups."
        )
    if labels is None or not len(class_names):
        return
    total = _count_classes(labels, len(class_names))
    validation = _count_classes(
        [labels[position] for position in np.flatnonzero(is_validation)], len(class_names)
    )
    for subset, counts in (("validation", validation), ("training", total - validation)):
        missing = np.flatnonzero((counts == 0) & (total > 0))
        if missing.size:
            named = ", ".join(f"{class_names[n]!r} (0 of {total[n]})" for n in missing[:10])
            _checks.warn(
                f"The {subset} subset has no sample of {missing.size} of {len(class_names)} "
                f"classes, for {cause}: {named}{', …' if missing.size > 10 else ''}. "
                "Set another `split_seed` or `validation_split`, or make other groups."
            )


def _count_classes(labels: Iterable[Any], num_classes: int) -> np.ndarray:
    flat = [
        number for label in labels for number in (label if isinstance(label, list) else [label])
    ]
    return np.bincount(np.array(flat, int), minlength=num_classes)
