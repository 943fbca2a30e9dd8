"""Pairs of image and mask files, and the files that do not fit together."""

from __future__ import annotations

import collections
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from multiflow import _checks
from multiflow.index.left_out import LeftOut
from multiflow.index.listing import list_images
from multiflow.index.roots import Source, ranks


class Pair(NamedTuple):
    """An image and its mask.

    Attributes:
        image: the path of the image.
        mask: the path of the mask.
        source: the position of the image's root among the roots.
        name: the path of the image below its root, with `/`.
        stratum: the number of the image's root, if roots are sorted: the order in which they are
            given does not count.
    """

    image: str
    mask: str
    source: int
    name: str
    stratum: int


@dataclass
class Problems:
    """Problems with files, collected, so that one error names them all."""

    found: dict[str, list[str]] = field(default_factory=dict)

    def add(self, kind: str, named: str) -> None:
        """Notes a path, or a pair, under a heading such as "images without a mask"."""
        self.found.setdefault(kind, []).append(named)

    def raise_if_any(self, remedy: str) -> None:
        """Raises a ValueError with the count and the first paths of each kind."""
        if not self.found:
            return
        lines = []
        for kind, paths in self.found.items():
            lines.append(f"{len(paths)} {kind}: {_checks.listed(paths)}")
        raise ValueError("\n".join(["The images and masks do not fit.", *lines, remedy]))


def pair_files(
    sources: Sequence[Source],
    mask_roots: Sequence[str],
    problems: Problems,
    *,
    formats: tuple[str, ...],
    follow_links: bool,
    mask_path: Callable[[str], str] | None,
) -> list[Pair]:
    """The pairs, source by source, in the order in which Keras lists the images.

    Warns of files that were left out for their extension, and of links that lead back or double
    images; several folders of images may share one of masks.

    Args:
        sources: the roots of the images.
        mask_roots: the root of the masks of each source.
        problems: takes note of images without a mask, masks without an image, masks that several
            images share, and several masks of one image.
        formats: accepted endings of file names.
        follow_links: whether to enter symbolic links to folders.
        mask_path: function from the path of an image, relative to its root, to the path of its
            mask, relative to the root of the masks; None if they differ in the extension only.
    """
    left_out = LeftOut()

    def relative_paths(root: str, *, may_repeat: bool = False) -> list[str]:
        def note(error: OSError) -> None:
            problems.add("folders that cannot be read", f"{error.filename!r} ({error.strerror})")

        return list_images(root, formats, follow_links, note, left_out, may_repeat=may_repeat)

    pairs = []
    strata = ranks([source.place for source in sources]).tolist()
    for position, (source, mask_root) in enumerate(zip(sources, mask_roots, strict=True)):
        image_root = os.fspath(source.root)
        images = relative_paths(image_root)
        mask_paths = relative_paths(mask_root, may_repeat=True)
        masks = _masks_by_key(mask_paths, mask_path is None, problems)
        keys = [_key_of_image(image, mask_path) for image in images]
        for image, key in zip(images, keys, strict=True):
            path = os.path.join(image_root, image)
            if key in masks:
                mask = os.path.join(mask_root, masks[key])
                name = image.replace(os.sep, "/")
                pairs.append(Pair(path, mask, position, name, strata[position]))
            else:
                asked = "" if mask_path is None else f" (`mask_path` gave {key!r})"
                problems.add("images without a mask", f"{path!r}{asked}")
        times_used = collections.Counter(keys)
        for key, mask in masks.items():
            if times_used[key] != 1:
                kind = "masks of several images" if times_used[key] else "masks without an image"
                problems.add(kind, repr(os.path.join(mask_root, mask)))
    left_out.warn(formats)
    return pairs


def _masks_by_key(
    masks: Iterable[str], without_extension: bool, problems: Problems
) -> dict[str, str]:
    by_key: dict[str, str] = {}
    for mask in masks:
        key = os.path.splitext(mask)[0] if without_extension else mask
        if key in by_key:
            problems.add("pairs of masks for one image", f"{by_key[key]!r} and {mask!r}")
        by_key[key] = mask
    return by_key


def _key_of_image(image: str, mask_path: Callable[[str], str] | None) -> str:
    if mask_path is None:
        return os.path.splitext(image)[0]
    mask = mask_path(image)
    if not isinstance(mask, (str, os.PathLike)):
        raise TypeError(
            "`mask_path` must return the path of a mask, a str. "
            f"For {image!r} it returned {mask!r}."
        )
    return os.path.normpath(mask)
