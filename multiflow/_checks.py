"""Checks of arguments: each error says what was received, what was expected and what to do."""

from __future__ import annotations

import itertools
import os
import pathlib
import sys
import warnings
from collections.abc import Collection, Iterable, Mapping, Sequence
from numbers import Integral
from typing import Any

from PIL import Image

from multiflow._keras import PIL_INTERPOLATION_METHODS


def warn(message: str) -> None:
    """Warns at the line outside this package that led here."""
    frame, level = sys._getframe(1), 2
    while frame.f_back and frame.f_globals.get("__name__", "").startswith("multiflow."):
        frame, level = frame.f_back, level + 1
    warnings.warn(message, stacklevel=level)


def warn_of_missing_sources(
    roots: Sequence[Any],
    num_found: Iterable[int],
    num_taken: Iterable[int],
    reason: str,
) -> None:
    """Warns of roots without any image, and of those without any in the subset.

    Args:
        roots: the roots.
        num_found: how many images each root holds.
        num_taken: how many of them are in the subset.
        reason: why the subset may leave them out, and what to do.
    """
    for root, found, taken in zip(map(os.fspath, roots), num_found, num_taken, strict=True):
        if not found:
            warn(f"The root {root!r} holds no image. Check its path and the folders in it.")
        elif not taken:
            warn(f"The subset takes none of the {found} images of the root {root!r}. {reason}")


def check_batch_arguments(
    *,
    target_size: Any,
    interpolation: Any,
    batch_size: Any,
    seed: Any,
    save_to_dir: Any,
    save_format: Any,
    optional_size: bool = False,
    **_: Any,
) -> None:
    """Refuses what Keras would notice only when the first batch is read, or never.

    It takes all arguments of an iterator; Keras checks the others.
    """
    if not (optional_size and target_size is None) and not (
        isinstance(target_size, Collection)
        and len(target_size) == 2
        and all(isinstance(size, Integral) and int(size) > 0 for size in target_size)
    ):
        raise ValueError(
            "`target_size` must be two positive integers, (height, width). "
            f"Received: {target_size!r}"
        )
    if interpolation not in PIL_INTERPOLATION_METHODS:
        raise ValueError(
            f"`interpolation` must be one of {sorted(PIL_INTERPOLATION_METHODS)}. "
            f"Received: {interpolation!r}"
        )
    check_positive("batch_size", batch_size)
    check_seed(seed)
    if save_to_dir and not os.path.isdir(save_to_dir):
        raise FileNotFoundError(
            f"`save_to_dir` must be an existing folder. Received: {str(save_to_dir)!r}. "
            "Create it first, for example with os.makedirs."
        )
    if save_to_dir and f".{save_format}".lower() not in Image.registered_extensions():
        raise ValueError(
            "`save_format` must be the extension of a format that Pillow can write, such as "
            f'"png" or "jpg". Received: {save_format!r}'
        )


def check_positive(name: str, number: Any) -> None:
    """Refuses what is no positive integer."""
    if isinstance(number, bool) or not isinstance(number, Integral) or int(number) < 1:
        raise ValueError(f"`{name}` must be a positive integer. Received: {number!r}")


def check_seed(seed: Any, name: str = "seed") -> None:
    """Refuses a seed that NumPy's global generator would refuse, too."""
    if seed is not None and not (isinstance(seed, Integral) and 0 <= int(seed) < 2**32):
        raise ValueError(
            f"`{name}` must be None or an integer from 0 to 2**32 - 1. Received: {seed!r}"
        )


def check_directories(
    directories: Any, argument: str = "directories"
) -> list[tuple[str | None, Any]]:
    """The roots as pairs of a source name (None where none was given) and a path, as given.

    Raises:
        TypeError: if `directories` is not a sequence of paths or a mapping from name to path.
        FileNotFoundError: if a root does not exist.
        NotADirectoryError: if a root is a file.
        ValueError: if there is no root, or one is given twice or lies in another.
    """
    expected = (
        f"`{argument}` must be a sequence of folders (str or PathLike), "
        "or a mapping from source name to folder."
    )
    if isinstance(directories, (str, os.PathLike)):
        root = os.fspath(directories)
        raise TypeError(f"{expected} Received the single folder {root!r}. Pass [{root!r}].")
    if not isinstance(directories, (Sequence, Mapping)) or isinstance(directories, bytes):
        raise TypeError(
            f"{expected} Received {type(directories).__name__}. "
            "Pass a list: its order numbers the sources."
        )
    if not directories:
        raise ValueError(f"{expected} Received none: {directories!r}")
    pairs: list[tuple[Any, Any]] = (
        list(directories.items())
        if isinstance(directories, Mapping)
        else [(None, root) for root in directories]
    )
    for name, root in pairs:
        if not isinstance(root, (str, os.PathLike)):
            raise TypeError(f"{expected} Received among them: {root!r}")
        if not (name is None or isinstance(name, str)):
            raise TypeError(f"{expected} Received the source name {name!r}, which is not a str.")
        _check_root(os.fspath(root), argument)
    check_disjoint([root for _, root in pairs], argument)
    return pairs


def _check_root(root: str, argument: str) -> None:
    if os.path.isdir(root):
        return
    if os.path.exists(root):
        raise NotADirectoryError(
            f"`{argument}` names {root!r}, which is a file. Each root must be a folder."
        )
    looked_in = "" if os.path.isabs(root) else f" in {os.getcwd()!r}"
    raise FileNotFoundError(
        f"`{argument}` names {root!r}, which does not exist{looked_in}. Check the path."
    )


def check_cache(cache: Any, roots: Sequence[Any]) -> None:
    """Refuses a `cache` that is neither None nor `"memory"` nor a folder that can be made.

    Args:
        cache: what was received.
        roots: the folders that are searched for images, in which the cache must not lie.
    """
    if cache is None or cache == "memory":
        return
    if not isinstance(cache, (str, os.PathLike)) or not os.fspath(cache):
        raise TypeError(f'`cache` must be None, "memory" or a folder. Received: {cache!r}')
    folder = os.path.abspath(cache)
    if not os.path.isdir(os.path.dirname(folder)):
        raise FileNotFoundError(
            f"`cache` names {os.fspath(cache)!r}, in a folder that does not exist: "
            f"{os.path.dirname(folder)!r}. Check the path."
        )
    if os.path.exists(folder) and not os.path.isdir(folder):
        raise NotADirectoryError(
            f"`cache` names {os.fspath(cache)!r}, which is a file. It must be a folder."
        )
    for root in roots:
        inner, outer = (pathlib.Path(os.path.realpath(path)) for path in (folder, root))
        if inner.is_relative_to(outer):
            raise ValueError(
                f"`cache` names {os.fspath(cache)!r}, which lies in {os.fspath(root)!r}, where "
                "images are searched for. Put it elsewhere."
            )


def check_threads(threads: Any) -> None:
    """Refuses a `threads` that is neither None nor a number of threads."""
    if threads is not None and not (isinstance(threads, Integral) and int(threads) > 0):
        raise ValueError(f"`threads` must be None or a positive integer. Received: {threads!r}")


def check_subset(subset: Any) -> None:
    """Refuses an unknown `subset`."""
    if subset not in (None, "training", "validation"):
        raise ValueError(f'`subset` must be None, "training" or "validation". Received: {subset!r}')


def check_not_empty(subset: Any, num_taken: int, num_found: int, reason: str) -> None:
    """Refuses a subset without samples."""
    if not num_taken:
        raise ValueError(f"subset={subset!r} takes none of the {num_found} samples. {reason}")


def check_flag(name: str, flag: Any) -> None:
    """Refuses what is neither True nor False."""
    if flag not in (True, False):
        raise TypeError(f"`{name}` must be True or False. Received: {flag!r}")


def check_rng(rng: Any) -> None:
    """Refuses an unknown `rng`."""
    if rng not in ("keras", "per_sample"):
        raise ValueError(f'`rng` must be "keras" or "per_sample". Received: {rng!r}')


def check_split(split_seed: Any, split_groups: Any) -> None:
    """Refuses a `split_seed` that is no seed, and a `split_groups` that gives no groups."""
    check_seed(split_seed, "split_seed")
    is_list = hasattr(split_groups, "__len__") and hasattr(split_groups, "__getitem__")
    if not (
        split_groups is None
        or callable(split_groups)
        or (is_list and not isinstance(split_groups, (str, bytes, Mapping)))
    ):
        raise TypeError(
            "`split_groups` must be None, a function from the path of a file to its group, or, "
            f"for arrays, a sequence with one group per sample. Received: {split_groups!r}"
        )


def check_disjoint(roots: Sequence[Any], argument: str) -> None:
    """Refuses roots of which one is another, or lies in another."""
    # Sorted by their parts, a folder stands directly before what lies inside it.
    by_parts = sorted(
        (pathlib.Path(os.path.normcase(os.path.realpath(root))).parts, os.fspath(root))
        for root in roots
    )
    for (outer, outer_root), (inner, inner_root) in itertools.pairwise(by_parts):
        if outer == inner[: len(outer)]:
            relation = "is the same folder as" if outer == inner else "lies inside"
            raise ValueError(
                f"`{argument}` names {inner_root!r}, which {relation} {outer_root!r}: "
                "its files would count double. Name only one of the two."
            )


def check_classes(classes: Any) -> dict[str, list[str]]:
    """The folders of each class, from any form that `classes` may take; None gives no class.

    Raises:
        TypeError: if `classes` is not built of strings as documented.
        ValueError: if a class has no folder, or a folder serves twice or is not a plain name.
    """
    expected = (
        "`classes` must be a list of folder names, in which a list of folder names stands for "
        "folders that share one label, or a mapping from class name to folder names."
    )
    if classes is None:
        return {}
    if not isinstance(classes, Collection) or isinstance(classes, (str, bytes, set, frozenset)):
        raise TypeError(f"{expected} Received: {classes!r}")
    pairs = (
        list(classes.items())
        if isinstance(classes, Mapping)
        else [(None, entry) for entry in classes]
    )
    pairs = [(name, [entry] if isinstance(entry, str) else entry) for name, entry in pairs]
    for name, folders in pairs:
        if not (
            isinstance(folders, Sequence)
            and all(isinstance(folder, str) for folder in folders)
            and (name is None or isinstance(name, str))
        ):
            raise TypeError(f"{expected} Received: {classes!r}")
        if not folders:
            raise ValueError(f"{expected} Received a class without any folder: {classes!r}")
    _check_class_folders([folder for _, folders in pairs for folder in folders])
    return {folders[0] if name is None else name: list(folders) for name, folders in pairs}


def _check_class_folders(folders: Sequence[str]) -> None:
    for folder in folders:
        if folders.count(folder) > 1:
            raise ValueError(
                f"`classes` names the folder {folder!r} more than once; its images can have "
                "only one label. Name it once."
            )
        if folder != os.path.basename(folder) or folder in ("", os.pardir):
            raise ValueError(
                f"`classes` names {folder!r}; a class must be a folder directly inside the roots, "
                "named without its path."
            )
    if os.curdir in folders and len(folders) > 1:
        raise ValueError(
            "`classes` names '.', which is the whole root, beside other folders; their images "
            f"would count double. Received the folders: {list(folders)}"
        )
