"""Folders → index: which images there are, in Keras' order, with their labels and sources."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Any, NamedTuple

import numpy as np

from multiflow import _checks
from multiflow.index.paths import CompactPaths
from multiflow.progress import PATIENCE, with_progress

# Keras' own words: scripts filter this warning by its text.
TIFF_WARNING = (
    'Using ".tiff" files with multiple bands will cause distortion. Please verify your output.'
)


# A root need not hold every class.
_ABSENT = (FileNotFoundError, NotADirectoryError)


class Source(NamedTuple):
    """One root folder: its name, its path as given, and its path below the common parent."""

    name: str
    root: Any
    prefix: str


@dataclass(frozen=True)
class ImageIndex:
    """The images of one or more roots.

    Attributes:
        sources: the roots.
        paths: their paths, relative to the common parent of the roots.
        labels: int32 array of shape `(num_images,)`, the label of each.
        source_indices: int32 array of shape `(num_images,)`, the position of each one's root.
        folder_indices: int32 array of shape `(num_images,)`, which class folder of which root each
            one is in.
        unreadable: what the system said of folders that could not be listed.
    """

    sources: Sequence[Source]
    paths: CompactPaths
    labels: np.ndarray
    source_indices: np.ndarray
    folder_indices: np.ndarray
    unreadable: list[OSError]

    def take(self, positions: np.ndarray) -> ImageIndex:
        """The images at some positions, which ascend."""
        return ImageIndex(
            self.sources,
            self.paths.take(positions),
            self.labels[positions],
            self.source_indices[positions],
            self.folder_indices[positions],
            self.unreadable,
        )

    def paths_below_roots(self) -> Iterator[str]:
        """What images are called in their roots, the same whatever roots are beside them."""
        starts = [len(os.path.join(source.prefix, "")) for source in self.sources]
        for path, source in zip(self.paths, self.source_indices, strict=True):
            yield path[starts[source] :].replace(os.sep, "/")


def resolve_sources(directories: Any, argument: str = "directories") -> tuple[Any, list[Source]]:
    """The deepest common parent of the roots, and the sources.

    A single root is its own parent and is kept as it was given, as in Keras. Several are made
    absolute first. A source without a given name is named by its path below the common parent.
    """
    roots = _checks.check_directories(directories, argument)
    if len(roots) == 1:
        [(name, root)] = roots
        return root, [Source(name or os.path.basename(os.path.abspath(root)), root, "")]
    absolute = [_absolute(os.fspath(root)) for _, root in roots]
    try:
        parent = os.path.commonpath(absolute)
    except ValueError:  # drives of Windows have no common parent; names stay absolute
        parent = ""
    prefixes = [os.path.relpath(root, parent) if parent else root for root in absolute]
    return parent, [
        Source(name or prefix, root, prefix)
        for (name, root), prefix in zip(roots, prefixes, strict=True)
    ]


def _absolute(root: str) -> str:
    # Behind a link, the system takes ".." for the parent of the link's target; abspath does not.
    return os.path.realpath(root) if os.pardir in root.split(os.sep) else os.path.abspath(root)


def class_folders_in(root: Any) -> list[str]:
    """The names of the folders in `root`, sorted."""
    return sorted(name for name in os.listdir(root) if os.path.isdir(os.path.join(root, name)))


def resolve_classes(classes: Any, sources: Sequence[Source]) -> dict[str, list[str]]:
    """The folders of each class, in the order of the labels.

    Without `classes`, the sorted union of the class folders over all roots. Warns of a named
    folder that is in no root, and of a hidden folder that became a class.
    """
    roots = [os.fspath(source.root) for source in sources]
    class_folders = _checks.check_classes(classes)
    if class_folders:
        for folder in (folder for folders in class_folders.values() for folder in folders):
            if not any(os.path.isdir(os.path.join(root, folder)) for root in roots):
                _checks.warn(
                    f"`classes` names the folder {folder!r}, which is in none of the roots "
                    f"{roots}: its class gets no image from it. Check the spelling."
                )
        return class_folders
    folders_by_root = {root: class_folders_in(root) for root in roots}
    union = sorted(set().union(*folders_by_root.values()))
    for folder in union:
        if folder.startswith("."):
            holder = next(root for root in roots if folder in folders_by_root[root])
            _checks.warn(
                f"The hidden folder {os.path.join(holder, folder)!r} became a class. "
                "Delete it, or name the wanted classes with `classes`."
            )
    return {folder: [folder] for folder in union}


def index_images(
    sources: Sequence[Source],
    folders: Iterable[str],
    folder_labels: Mapping[str, int],
    *,
    formats: tuple[str, ...],
    follow_links: bool,
) -> ImageIndex:
    """Lists the images: source by source, folder by folder, each as Keras lists it.

    Args:
        sources: the roots, in the order of the images.
        folders: class folders to look for in each root, in the order of the images.
        folder_labels: the label of each class folder.
        formats: accepted endings of file names, in lower case; any case is accepted.
        follow_links: whether to enter symbolic links to folders inside class folders.
    """
    paths = CompactPaths()
    labels, source_indices, counts = [], [], []
    unreadable: list[OSError] = []
    places = list(itertools.product(enumerate(sources), folders))
    for (position, source), folder in with_progress(
        places, len(places), "folder", patience=PATIENCE
    ):
        class_folder = os.path.join(source.root, folder)
        images = list_images(class_folder, formats, follow_links, unreadable.append)
        if images:
            # Keras names a file after the last part of its class folder.
            name = os.path.basename(class_folder)
            labels.append(folder_labels[name])
            source_indices.append(position)
            counts.append(len(images))
            paths.extend(os.path.join(source.prefix, name), images)
    for _ in range(paths.count_ending(".tiff")):
        _checks.warn(TIFF_WARNING)
    return ImageIndex(
        sources,
        paths,
        np.repeat(np.array(labels, np.int32), counts),
        np.repeat(np.array(source_indices, np.int32), counts),
        np.repeat(np.arange(len(counts), dtype=np.int32), counts),
        [error for error in unreadable if not isinstance(error, _ABSENT)],
    )


def list_images(
    folder: str,
    formats: tuple[str, ...],
    follow_links: bool,
    on_error: Callable[[OSError], None],
) -> list[str]:
    """The paths, below `folder`, of the images in it; a missing folder holds none."""
    found: list[str] = []
    walk = os.walk(folder, onerror=on_error, followlinks=follow_links)
    for path, _, names in sorted(walk, key=itemgetter(0)):
        names.sort()
        images = [n for n in names if n.endswith(formats) or n.lower().endswith(formats)]
        subfolder = path.removeprefix(folder).lstrip(os.sep)
        found += [os.path.join(subfolder, name) for name in images] if subfolder else images
    return found
