"""Folders → index, for segmentation: which mask belongs to which image, and what does not fit."""

from __future__ import annotations

import collections
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from multiflow import _checks
from multiflow.files import Header, read_header
from multiflow.index import Source, list_images, resolve_sources

NUM_NAMED = 10  # how many paths of one kind an error names


class Pair(NamedTuple):
    """An image and its mask: two paths, and the position of their roots."""

    image: str
    mask: str
    source: int


@dataclass
class Problems:
    """What does not fit, collected, so that one error tells all of it."""

    found: dict[str, list[str]] = field(default_factory=dict)

    def add(self, kind: str, path: str) -> None:
        """Notes one path under a heading such as "images without a mask"."""
        self.found.setdefault(kind, []).append(path)

    def raise_if_any(self, remedy: str) -> None:
        """Raises a ValueError with the count and the first paths of each kind."""
        if not self.found:
            return
        lines = []
        for kind, paths in self.found.items():
            named = ", ".join(paths[:NUM_NAMED]) + (", …" if len(paths) > NUM_NAMED else "")
            lines.append(f"{len(paths)} {kind}: {named}")
        raise ValueError("\n".join(["The images and masks do not fit.", *lines, remedy]))


def resolve_roots(
    image_directories: Any, mask_directories: Any
) -> tuple[Any, list[Source], list[str]]:
    """The common parent of the image roots, the sources, and the mask root of each source.

    Raises:
        TypeError, ValueError, OSError: as `check_directories`, and if the two arguments do not name
            the same number of roots, or, as mappings, not the same sources, or overlap.
    """
    parent, sources = resolve_sources(image_directories, "image_directories")
    masks = _checks.check_directories(mask_directories, "mask_directories")
    if len(masks) != len(sources):
        raise ValueError(
            "`image_directories` and `mask_directories` pair by position and must be of the same "
            f"length. Received {len(sources)} and {len(masks)} roots."
        )
    names = [name for name, _ in masks]
    if None not in names and isinstance(image_directories, dict):
        if set(names) != set(image_directories):
            raise ValueError(
                "`image_directories` and `mask_directories` must have the same source names. "
                f"Received {list(image_directories)} and {names}."
            )
        masks = [(source.name, dict(masks)[source.name]) for source in sources]
    mask_roots = [os.fspath(root) for _, root in masks]
    _checks.check_disjoint(
        [*(source.root for source in sources), *mask_roots],
        "image_directories` or `mask_directories",
    )
    return parent, sources, mask_roots


def pair_files(
    sources: Sequence[Source],
    mask_roots: Sequence[str],
    *,
    formats: tuple[str, ...],
    follow_links: bool,
    mask_path: Callable[[str], str] | None,
) -> list[Pair]:
    """The pairs, source by source, in the order in which Keras lists the images.

    Args:
        sources: the roots of the images.
        mask_roots: the root of the masks of each source.
        formats: accepted endings of file names.
        follow_links: whether to enter symbolic links to folders.
        mask_path: from the path of an image, relative to its root, to that of its mask; by default
            they are equal but for the extension.

    Raises:
        ValueError: if an image has no mask, a mask no image, or two files claim one place.
    """
    problems = Problems()
    pairs = []
    for position, (source, mask_root) in enumerate(zip(sources, mask_roots, strict=True)):
        images, masks = (
            _relative_paths(root, formats, follow_links, problems)
            for root in (os.fspath(source.root), mask_root)
        )
        if mask_path is None:
            masks_of_keys = _by_key(masks, _without_extension, problems)
            keys = [_without_extension(image) for image in images]
        else:
            masks_of_keys = _by_key(masks, os.path.normpath, problems)
            keys = [os.path.normpath(mask_path(image)) for image in images]
        for image, key in zip(images, keys, strict=True):
            if key in masks_of_keys:
                mask = masks_of_keys[key]
                paths = (os.path.join(source.root, image), os.path.join(mask_root, mask))
                pairs.append(Pair(*paths, position))
            else:
                problems.add("images without a mask", repr(os.path.join(source.root, image)))
        for key in sorted(masks_of_keys.keys() - set(keys)):
            path = os.path.join(mask_root, masks_of_keys[key])
            problems.add("masks without an image", repr(path))
        for key, count in collections.Counter(keys).items():
            if key in masks_of_keys and count > 1:
                path = os.path.join(mask_root, masks_of_keys[key])
                problems.add("masks of more than one image", repr(path))
    problems.raise_if_any(
        "They pair by their path below the root, without the extension; "
        "`mask_path` can name another rule."
    )
    return pairs


def read_headers(
    pairs: Sequence[Pair], *, channels_first: bool
) -> tuple[list[Header], list[Header]]:
    """The headers of all images and masks.

    Raises:
        ValueError: if a file cannot be read, or an image and its mask differ in size.
    """
    problems = Problems()
    headers: tuple[list[Header], list[Header]] = ([], [])
    for pair in pairs:
        try:
            image = read_header(pair.image, channels_first=channels_first, is_mask=False)
            mask = read_header(pair.mask, channels_first=channels_first, is_mask=True)
        except (OSError, ValueError) as error:
            problems.add("pairs that cannot be read", f"{pair.image!r} and {pair.mask!r}: {error}")
            continue
        if image.size != mask.size:
            problems.add(
                "pairs of different size (height, width)",
                f"{pair.image!r} {image.size} and {pair.mask!r} {mask.size}",
            )
        headers[0].append(image)
        headers[1].append(mask)
    problems.raise_if_any("Mend or remove these files.")
    return headers


def _relative_paths(
    root: str, formats: tuple[str, ...], follow_links: bool, problems: Problems
) -> list[str]:
    def note(error: OSError) -> None:
        problems.add("folders that cannot be read", f"{error.filename!r} ({error.strerror})")

    return list_images(root, formats, follow_links, note)


def _by_key(
    masks: Iterable[str], key_of: Callable[[str], str], problems: Problems
) -> dict[str, str]:
    by_key: dict[str, str] = {}
    for mask in masks:
        key = key_of(mask)
        if key in by_key:
            problems.add("pairs of masks for one image", f"{by_key[key]!r} and {mask!r}")
        by_key[key] = mask
    return by_key


def _without_extension(path: str) -> str:
    return os.path.splitext(path)[0]
