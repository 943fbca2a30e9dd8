"""Lists images in Keras' order, with their labels and sources."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter

import numpy as np

from multiflow import _checks
from multiflow.index.left_out import Entry, LeftOut
from multiflow.index.paths import CompactPaths
from multiflow.index.roots import Source, ranks
from multiflow.progress import PATIENCE, with_progress

# Keras' own words: scripts filter this warning by its text.
TIFF_WARNING = (
    'Using ".tiff" files with multiple bands will cause distortion. Please verify your output.'
)
# A root need not hold every class.
_ABSENT = (FileNotFoundError, NotADirectoryError)


@dataclass(frozen=True)
class ImageIndex:
    """The images of one or more roots.

    Attributes:
        sources: the roots.
        folders: the class folders that were looked for in each root.
        paths: the paths of the images, relative to the common parent of the roots.
        labels: int32 array of shape `(num_images,)`, the label of each image.
        source_indices: int32 array of shape `(num_images,)`, the position of each image's root.
        folder_indices: int32 array of shape `(num_images,)`, the number of each image's class
            folder, counted over all roots, which are sorted for it, as their folders are: the
            order in which roots and classes are given does not count.
        unreadable: the errors of folders that could not be listed.
    """

    sources: Sequence[Source]
    folders: Sequence[str]
    paths: CompactPaths
    labels: np.ndarray
    source_indices: np.ndarray
    folder_indices: np.ndarray
    unreadable: list[OSError]

    def paths_below_roots(self) -> Iterator[str]:
        """The path of each image below its root, with `/`; other roots do not change it."""
        starts = [len(os.path.join(source.prefix, "")) for source in self.sources]
        for path, source in zip(self.paths, self.source_indices, strict=True):
            yield path[starts[source] :].replace(os.sep, "/")


def index_images(
    sources: Sequence[Source],
    folders: Sequence[str],
    folder_labels: Mapping[str, int],
    *,
    formats: tuple[str, ...],
    follow_links: bool,
    left_out: LeftOut | None = None,
) -> ImageIndex:
    """Lists the images: source by source, folder by folder, each as Keras lists it.

    Args:
        sources: the roots, in the order of the images.
        folders: class folders to look for in each root, in the order of the images.
        folder_labels: the label of each class folder.
        formats: accepted endings of file names, given in lower case, accepted in any case.
        follow_links: whether to enter symbolic links to folders inside class folders.
        left_out: takes note of what is left out; None, as in Keras, to follow links that lead back.
    """
    paths = CompactPaths()
    labels, source_indices, counts, folder_keys = [], [], [], []
    unreadable: list[OSError] = []
    places = list(itertools.product(enumerate(sources), folders))
    for (position, source), folder in with_progress(
        places, len(places), "folder", patience=PATIENCE
    ):
        class_folder = os.path.join(source.root, folder)
        images = list_images(class_folder, formats, follow_links, unreadable.append, left_out)
        if images:
            # Keras names a file after the last part of its class folder.
            name = os.path.basename(class_folder)
            labels.append(folder_labels[name])
            source_indices.append(position)
            counts.append(len(images))
            folder_keys.append((source.place, folder))
            paths.extend(os.path.join(source.prefix, name), images)
    for _ in range(paths.count_ending(".tiff")):
        _checks.warn(TIFF_WARNING)
    return ImageIndex(
        sources,
        folders,
        paths,
        np.repeat(np.array(labels, np.int32), counts),
        np.repeat(np.array(source_indices, np.int32), counts),
        np.repeat(ranks(folder_keys), counts),
        [error for error in unreadable if not isinstance(error, _ABSENT)],
    )


def list_images(
    folder: str,
    formats: tuple[str, ...],
    follow_links: bool,
    on_error: Callable[[OSError], None],
    left_out: LeftOut | None = None,
    *,
    may_repeat: bool = False,
) -> list[str]:
    """The paths, below `folder`, of the images in it; a missing folder holds none.

    Args:
        folder: the folder.
        formats: accepted endings of file names, given in lower case, accepted in any case.
        follow_links: whether to enter symbolic links to folders.
        on_error: takes the errors of folders that cannot be listed.
        left_out: takes note of what is left out; None, as in Keras, to follow links that lead back.
        may_repeat: whether folders may be there twice, by links, without a note.
    """
    found: list[str] = []
    walk: Iterable[Entry] = os.walk(folder, onerror=on_error, followlinks=follow_links)
    if left_out is not None:
        walk = left_out.watch(folder, walk, may_repeat=may_repeat)
    for path, _, names in sorted(walk, key=itemgetter(0)):
        names.sort()
        images = [n for n in names if n.endswith(formats) or n.lower().endswith(formats)]
        subfolder = path.removeprefix(folder).lstrip(os.sep)
        if left_out is not None and len(images) < len(names):
            taken = set(images)
            left_out.note_files(folder, subfolder, (n for n in names if n not in taken))
        found += [os.path.join(subfolder, name) for name in images] if subfolder else images
    return found
