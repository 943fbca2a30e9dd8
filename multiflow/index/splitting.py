"""Divides samples into those for training and those for validation."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from multiflow import _checks
from multiflow.index.groups import divide_groups, group_numbers

# A split that differs from its fraction by more than this is a warning.
TOLERANCE = 0.05


class Split(NamedTuple):
    """The arguments that say how samples are divided.

    Attributes:
        fraction: `validation_split`.
        seed: `split_seed`.
        groups: `split_groups`.
    """

    fraction: float
    seed: int | None = None
    groups: Callable[[str], Hashable] | Sequence[Hashable] | None = None

    @classmethod
    def of(cls, generator: Any) -> Split:
        """The split that the arguments of a generator ask for."""
        return cls(generator._validation_split, generator.split_seed, generator.split_groups)

    @property
    def is_keras(self) -> bool:
        """True if only a fraction divides the samples, as in Keras."""
        return self.seed is None and self.groups is None

    @property
    def reason(self) -> str:
        """For messages: why a subset may lack samples, and what to do."""
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
    """The positions of the samples of a subset, in increasing order.

    By default the first `fraction` of each stratum, rounded down, is for validation, as in Keras.
    With a seed, each stratum is shuffled first. Groups are kept whole, over all strata, and the
    number of validation samples comes as near to the fraction as groups allow. Labels play no part:
    a flow without labels divides its samples in the same way. Nor does the order of strata: samples
    of one stratum stay in their order, strata count in the order of their numbers.

    Args:
        split: how to divide.
        subset: `"training"`, `"validation"`, or None for all samples.
        num_samples: the number of samples.
        strata: int array, the stratum of each sample; each is divided by itself. One by default.
            Numbers that do not depend on the order of roots and classes make subsets that do not.
        names: function that returns a name for each sample, by default its position. A sample's
            place in the shuffled order depends on the seed and its name alone.
        paths: the path of each sample, for a function in `groups`; None if samples have no path.

    Raises:
        TypeError: if files have no function, or arrays no sequence of groups.
        ValueError: if `subset` is unknown, or if there is only one group, or not one per sample.

    Warns:
        UserWarning: if a seed or groups make a split that is far from the fraction.
    """
    check_subset(subset)
    order = np.arange(num_samples)
    if subset is None or not num_samples:
        return order
    if strata is None:
        strata = np.zeros(num_samples, int)
    # All is sorted by stratum, divided, and put back: roots in another order change nothing.
    by_stratum = np.argsort(strata, kind="stable")
    if split.seed is not None:
        hashes = _hashes(split.seed, order if names is None else names())
        order = np.argsort(hashes[by_stratum], kind="stable")
    if split.groups is None or not split.fraction:
        is_chosen = _divide_strata(split.fraction, strata[by_stratum], order)
    else:
        groups = group_numbers(split.groups, num_samples, paths)
        is_chosen = divide_groups(split.fraction, groups[by_stratum], strata[by_stratum], order)
    is_validation = np.empty(num_samples, bool)
    is_validation[by_stratum] = is_chosen
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
    """Warns of classes that are in one subset only, if a seed or groups divided the samples.

    Args:
        split: how the samples were divided.
        labels: the class number of each sample, or a list of several; empty without classes.
        class_names: the name of each class number.
        positions: the positions of the samples of one of the subsets.
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
        named = _checks.listed(
            f"{class_names[n]!r} ({taken[n]} here, {total[n] - taken[n]} in the other)"
            for n in missing.tolist()
        )
        or_groups = ", or make other groups" if split.groups is not None else ""
        _checks.warn(
            f"One of the subsets has no sample of {missing.size} of the {len(class_names)} "
            f"classes: {named}. Set another `split_seed` or `validation_split`{or_groups}."
        )


def warn_of_left_out_classes(left_out: Sequence[str]) -> None:
    """Warns of classes that `classes` leaves out, where this changes the subsets of the others."""
    if left_out:
        _checks.warn(
            f"`classes` leaves out {_checks.listed(map(repr, left_out))}. Which samples are for "
            "validation depends on all that take part, so that a file may be in both subsets if "
            "their flows have other classes: pass the same ones for both subsets."
        )


def _count_classes(labels: Iterable[Any], num_classes: int) -> np.ndarray:
    flat = itertools.chain.from_iterable(
        label if isinstance(label, list) else [label] for label in labels
    )
    return np.bincount(np.fromiter(flat, int), minlength=num_classes)


def _hashes(seed: int, names: Iterable[Any]) -> np.ndarray:
    """A hash of the seed and the name, for each name, by which samples are shuffled."""
    # NumPy may change how its generators shuffle; a hash stays the same on all machines.
    key = str(int(seed)).encode()
    hashes = [
        hashlib.blake2b(str(name).encode("utf-8", "surrogatepass"), digest_size=8, key=key).digest()
        for name in names
    ]
    return np.frombuffer(b"".join(hashes), ">u8")


def _divide_strata(fraction: float, strata: np.ndarray, order: np.ndarray) -> np.ndarray:
    """Divides each stratum: bool array of shape `(num_samples,)`, True for its first `fraction`."""
    by_stratum = order[np.argsort(strata[order], kind="stable")]
    is_validation = np.zeros(len(order), bool)
    for members in np.split(by_stratum, np.cumsum(np.bincount(strata))[:-1]):
        is_validation[members[: int(fraction * len(members))]] = True
    return is_validation


def check_subset(subset: Any) -> None:
    """Refuses an unknown `subset`."""
    if not _checks.is_one_of(subset, (None, "training", "validation")):
        raise ValueError(f'`subset` must be None, "training" or "validation". Received: {subset!r}')


def check_not_empty(subset: Any, num_taken: int, num_found: int, reason: str) -> None:
    """Refuses a subset without samples."""
    if not num_taken:
        raise ValueError(f"subset={subset!r} takes none of the {num_found} samples. {reason}")


def check_split(split_seed: Any, split_groups: Any) -> None:
    """Refuses a `split_seed` that is no seed, and a `split_groups` that cannot give groups."""
    _checks.check_seed(split_seed, "split_seed")
    is_list = hasattr(split_groups, "__len__") and hasattr(split_groups, "__getitem__")
    is_list = is_list and getattr(split_groups, "shape", None) != ()
    if not (
        split_groups is None
        or callable(split_groups)
        or (is_list and not isinstance(split_groups, (str, bytes, Mapping)))
    ):
        raise TypeError(
            "`split_groups` must be None, a function from the path of a file to its group, or, "
            f"for arrays, a sequence with one group per sample. Received: {split_groups!r}"
        )
