"""The root folders that images are read from: checked, named, and put below a common parent."""

from __future__ import annotations

import itertools
import os
import pathlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from multiflow import _checks


class Source(NamedTuple):
    """One root folder: its name, its path as given, and its path below the parent of all roots."""

    name: str
    root: Any
    prefix: str

    @property
    def place(self) -> list[str]:
        """What roots are sorted by where the order in which they are given may not count."""
        return self.prefix.split(os.sep)


def resolve_sources(directories: Any, argument: str = "directories") -> tuple[Any, list[Source]]:
    """The deepest common parent of the roots, and the sources.

    A single root is its own parent and is kept as it was given, as in Keras. Several roots are made
    absolute first. A source without a given name is named by its path below the common parent.
    """
    roots = check_directories(directories, argument)
    if len(roots) == 1:
        [(name, root)] = roots
        return root, [Source(name or os.path.basename(os.path.abspath(root)), root, "")]
    absolute = [_absolute(os.fspath(root)) for _, root in roots]
    try:
        parent = os.path.commonpath(absolute)
    except ValueError:  # two drives of Windows have no common parent; names stay absolute
        parent = ""
    prefixes = [os.path.relpath(root, parent) if parent else root for root in absolute]
    return parent, [
        Source(name or prefix, root, prefix)
        for (name, root), prefix in zip(roots, prefixes, strict=True)
    ]


def _absolute(root: str) -> str:
    # After a link, ".." is the parent of the link's target; realpath knows this, abspath does not.
    return os.path.realpath(root) if os.pardir in root.split(os.sep) else os.path.abspath(root)


def resolve_roots(
    image_directories: Any, mask_directories: Any
) -> tuple[Any, list[Source], list[str]]:
    """The common parent of the image roots, the sources, and the mask root of each source.

    Raises:
        TypeError, ValueError, OSError: as `check_directories`; and if the two arguments differ in
            kind, in the number of roots or, as mappings, in the names of sources, or if they
            overlap.
    """
    check_directories(image_directories, "image_directories")
    check_directories(mask_directories, "mask_directories")
    if isinstance(image_directories, Mapping) != isinstance(mask_directories, Mapping):
        raise TypeError(
            "`image_directories` and `mask_directories` must both be sequences, which pair by "
            "position, or both be mappings, which pair by source name. Received "
            f"{type(image_directories).__name__} and {type(mask_directories).__name__}."
        )
    if len(image_directories) != len(mask_directories):
        raise ValueError(
            "`image_directories` and `mask_directories` must name the same number of roots. "
            f"Received {len(image_directories)} and {len(mask_directories)}."
        )
    if isinstance(image_directories, Mapping):
        if set(image_directories) != set(mask_directories):
            raise ValueError(
                "`image_directories` and `mask_directories` must have the same source names. "
                f"Received {list(image_directories)} and {list(mask_directories)}."
            )
        mask_directories = [mask_directories[name] for name in image_directories]
    parent, sources = resolve_sources(image_directories, "image_directories")
    mask_roots = [os.fspath(root) for root in mask_directories]
    check_disjoint(
        [*(source.root for source in sources), *mask_roots],
        "image_directories` or `mask_directories",
    )
    return parent, sources, mask_roots


def check_directories(
    directories: Any, argument: str = "directories"
) -> list[tuple[str | None, Any]]:
    """The roots as pairs of a source name (None if none was given) and a path, as given.

    Raises:
        TypeError: if `directories` is not a sequence of paths or a mapping from name to path.
        FileNotFoundError: if a root does not exist.
        NotADirectoryError: if a root is a file.
        ValueError: if there is no root, or if one is given twice or lies in another.
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
            "Pass a list; the sources keep its order."
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


def check_disjoint(roots: Sequence[Any], argument: str) -> None:
    """Refuses roots that are the same folder, or lie inside each other."""
    # Sorted by their parts, a folder comes directly before the folders inside it.
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


def ranks(keys: Sequence[Any]) -> np.ndarray:
    """The rank of each key, from 0 for the smallest; equal ones stay in their order.

    Example:
    >>> ranks(["b", "a", "b"]).tolist()
    [1, 0, 2]
    """
    rank = np.empty(len(keys), np.int32)
    rank[sorted(range(len(keys)), key=keys.__getitem__)] = np.arange(len(keys))
    return rank


def warn_of_missing_sources(
    roots: Sequence[Any],
    num_found: Iterable[int],
    num_taken: Iterable[int],
    reason: str,
) -> None:
    """Warns of roots without an image, and of roots without an image in the subset.

    Args:
        roots: the roots.
        num_found: how many images each root holds.
        num_taken: how many of them are in the subset.
        reason: why the subset may have no image of a root, and what to do.
    """
    for root, found, taken in zip(map(os.fspath, roots), num_found, num_taken, strict=True):
        if not found:
            _checks.warn(f"The root {root!r} holds no image. Check its path and the folders in it.")
        elif not taken:
            _checks.warn(
                f"The subset takes none of the {found} images of the root {root!r}. {reason}"
            )
