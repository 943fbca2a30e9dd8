"""The flows of folders, which `flow_from_directory` and `flow_from_directories` make."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from multiflow import _checks, _keras
from multiflow.augment.transformer import Transformer, check_fill_value
from multiflow.flows.columns import Column
from multiflow.flows.files import FileFlow
from multiflow.flows.flow import Flow
from multiflow.flows.options import Batching, Saving, Workers
from multiflow.images.reading import Reading
from multiflow.index.classes import class_folders_in, left_out_folders, resolve_classes
from multiflow.index.left_out import LeftOut
from multiflow.index.listing import ImageIndex, index_images
from multiflow.index.paths import JoinedPaths
from multiflow.index.roots import Source, resolve_sources, warn_of_missing_sources
from multiflow.index.splitting import (
    Split,
    check_not_empty,
    check_subset,
    choose_subset,
    warn_of_left_out_classes,
    warn_of_missing_classes,
)
from multiflow.show.summary import Summary

# Those of Keras' `DirectoryIterator`, in the order of the documentation.
CLASS_MODES = ("categorical", "sparse", "binary", "input", None)


@dataclass(frozen=True)
class Folders:
    """Arguments of a flow that select images from its folders, and set their labels.

    Attributes:
        classes: the class folders, in the order of their labels; None for all, sorted.
        class_mode: the kind of the labels, as in Keras.
        follow_links: whether to enter symbolic links to folders inside class folders.
        subset: None, `"training"` or `"validation"`.
    """

    classes: Any
    class_mode: str | None
    follow_links: bool
    subset: str | None

    def check(self) -> None:
        """Refuses values that Keras accepts or names otherwise; `classes` are checked with them."""
        if not _checks.is_one_of(self.class_mode, CLASS_MODES):
            raise ValueError(
                f"`class_mode` must be one of {list(CLASS_MODES)}. Received: {self.class_mode!r}"
            )
        _checks.check_flag("follow_links", self.follow_links)
        check_subset(self.subset)


class DirectoryIterator(FileFlow, _keras.DirectoryIterator):
    """Batches of the image files below one folder; `flow_from_directory` makes it.

    Its attributes, its printed line and its batches are those of Keras' `DirectoryIterator`. It
    lists the folders faster and needs less memory: `filenames` and `filepaths` become lists only
    when they are asked for.

    Args:
        directory: the root; it holds one folder per class.
        image_data_generator: the generator that transforms and standardises the images.
        folders: selects images and sets their labels.
        reading: how images are read.
        batching: how samples become batches.
        saving: where the images of batches are saved.
        workers: how `fit` fetches batches.
    """

    _has_keras_indices = True
    _paths = Column()
    # What Keras keeps as lists and arrays, made when it is asked for; users may change it.
    classes = Column()
    filenames = Column(lambda flow: list(flow._paths))
    _filepaths = Column(lambda flow: list(JoinedPaths(flow.directory, flow._paths)))

    def __init__(
        self,
        directory: Any,
        image_data_generator: Transformer,
        *,
        folders: Folders,
        reading: Reading,
        batching: Batching,
        saving: Saving,
        workers: Workers,
    ) -> None:
        self.set_processing_attrs(
            image_data_generator,
            reading.target_size,
            reading.color_mode,
            image_data_generator.data_format,
            saving.save_to_dir,
            saving.save_prefix,
            saving.save_format,
            folders.subset,
            reading.interpolation,
            reading.keep_aspect_ratio,
        )
        self.class_mode = folders.class_mode
        if self.class_mode not in self.allowed_class_modes:  # in Keras' words
            raise ValueError(
                f"Invalid class_mode: {self.class_mode}; "
                f"expected one of: {self.allowed_class_modes}"
            )
        self.dtype = image_data_generator.dtype
        found = self._list_images(directory, folders.classes, folders.follow_links)
        self._use(found)
        if self.subset is not None:
            self._take_subset(found)
        self._check(found)
        _keras.print_msg(self._found_message())
        Flow.__init__(self, self.samples, batching, workers)
        self.fill_cache(reading.cache, self._roots())

    def _list_images(self, directory: Any, classes: Any, follow_links: bool) -> ImageIndex:
        self.directory = directory
        class_names = classes or class_folders_in(directory)
        self.num_classes = len(class_names)
        self.class_indices = dict(zip(class_names, range(self.num_classes), strict=True))
        return index_images(
            [Source("", directory, "")],
            class_names,
            self.class_indices,
            formats=self.white_list_formats,
            follow_links=follow_links,
        )

    def _use(self, found: ImageIndex) -> None:
        """Sets Keras' attributes of all images that were found."""
        self._paths, self.classes, self.samples = found.paths, found.labels, len(found.paths)

    def _take_subset(self, found: ImageIndex) -> None:
        """Keeps the images of the subset."""
        split = Split.of(self.image_data_generator)
        positions = choose_subset(
            split,
            self.subset,
            len(found.paths),
            strata=found.folder_indices,
            names=found.paths_below_roots,
            paths=JoinedPaths(self.directory, found.paths),
        )
        warn_of_missing_classes(split, found.labels, list(self.class_indices), positions)
        if split.groups is not None and split.fraction:  # which cross class folders
            roots = [source.root for source in found.sources]
            warn_of_left_out_classes(
                left_out_folders(roots, found.folders, self.white_list_formats)
            )
        self._take(positions)

    def _check(self, found: ImageIndex) -> None:
        """Checks the images that were found, and those in use; here nothing, as in Keras."""

    def _roots(self) -> list[Any]:
        """The folders that are searched for images."""
        return [self.directory]

    def _found_message(self) -> str:
        return f"Found {self.samples} images belonging to {self.num_classes} classes."

    def _paths_to_read(self) -> Sequence[str]:
        # If the list was made, the user may have changed it.
        return self._columns.get("_filepaths") or JoinedPaths(self.directory, self._paths)


class MultiDirectoryIterator(DirectoryIterator):
    """Batches of the image files below several folders; `flow_from_directories` makes it.

    Args:
        directories: the roots, as a sequence of paths or a mapping from source name to path.
        image_data_generator: the generator that transforms and standardises the images.
        arguments: the other arguments of `DirectoryIterator`; `classes` may merge folders.

    Attributes:
        directory: the deepest common parent of the roots.
        directories: list of the roots, as given.
        source_names: list of the names of the roots.
        source_indices: int32 array of shape `(samples,)`, the position of each image's root.
        filenames: list of the image paths, relative to `directory`.
        filepaths: list of the image paths.
        classes: int32 array of shape `(samples,)`, the label of each image.
        class_indices: dict from class name to label.
        num_classes: the number of classes.
        samples: the number of images.
    """

    _has_keras_indices = False
    source_indices = Column()

    def __init__(
        self, directories: Any, image_data_generator: Transformer, **arguments: Any
    ) -> None:
        for options in ("folders", "reading", "batching", "saving"):
            arguments[options].check()
        check_fill_value(image_data_generator)
        super().__init__(directories, image_data_generator, **arguments)

    def _list_images(self, directory: Any, classes: Any, follow_links: bool) -> ImageIndex:
        self.directory, sources = resolve_sources(directory)
        self.directories = [source.root for source in sources]
        self.source_names = [source.name for source in sources]
        class_folders = resolve_classes(classes, sources, self.white_list_formats)
        self.num_classes = len(class_folders)
        self.class_indices = {name: label for label, name in enumerate(class_folders)}
        left_out = LeftOut()
        found = index_images(
            sources,
            [folder for folders in class_folders.values() for folder in folders],
            {
                folder: self.class_indices[name]
                for name, folders in class_folders.items()
                for folder in folders
            },
            formats=self.white_list_formats,
            follow_links=follow_links,
            left_out=left_out,
        )
        left_out.warn(self.white_list_formats)
        return found

    def _use(self, found: ImageIndex) -> None:
        super()._use(found)
        self.source_indices = found.source_indices

    def _check(self, found: ImageIndex) -> None:
        roots = [os.fspath(root) for root in self.directories]
        class_names = list(self.class_indices)
        for error in found.unreadable:
            _checks.warn(
                f"The folder {error.filename!r} was left out; it cannot be read: {error.strerror}."
            )
        if not found.paths:
            sought = f"an image of the classes {class_names}" if class_names else "a class folder"
            raise ValueError(
                f"None of the roots {roots} holds {sought}. "
                "Each root must hold one folder per class, with files that end in "
                f"{', '.join(self.white_list_formats)}."
            )
        reason = Split.of(self.image_data_generator).reason
        check_not_empty(self.subset, self.samples, len(found.paths), reason)
        if self.class_mode in ("sparse", "binary"):
            labels = np.arange(self.num_classes)
            if (labels.astype(self.dtype) != labels).any():
                raise ValueError(
                    f'class_mode="{self.class_mode}" gives labels of the generator\'s dtype, '
                    f"{self.dtype}, which cannot hold those of {self.num_classes} classes. "
                    "Set another `dtype` in the generator."
                )
        warn_of_missing_sources(
            self.directories,
            np.bincount(found.source_indices, minlength=len(roots)),
            np.bincount(self.source_indices, minlength=len(roots)),
            reason,
        )

    def _described(self) -> list[str]:
        return [*super()._described(), f"{len(self.directories)} directories"]

    def caption(self, index: int) -> str:
        """The class and the source of the sample at a position."""
        return f"{super().caption(index)} · {self.source_names[self.source_indices[index]]}"

    def _roots(self) -> list[Any]:
        return self.directories

    def _found_message(self) -> str:
        message = super()._found_message()
        if len(self.directories) == 1:
            return message
        return f"{message.removesuffix('.')} in {len(self.directories)} directories."

    @property
    def class_weight(self) -> dict[int, float]:
        """Weights that balance the classes, for `fit(..., class_weight=...)`.

        A dict from label to `samples / (num_present * count)`, where `count` is the number of
        images with the label, and `num_present` that of the labels with images; others are left
        out. Over all images, the weights are 1 on average. Source: scikit-learn's
        `class_weight="balanced"`.
        """
        labels, counts = np.unique(self.classes, return_counts=True)
        weights = self.samples / (len(labels) * counts)
        return dict(zip(labels.tolist(), weights.tolist(), strict=True))

    def summary(self) -> Summary:
        """Counts the images of each class in each source, as a table.

        Returns:
            A `Summary`, which notebooks show as a table and `print` shows as text. Its attribute
            `counts` is an int array of shape `(num_classes, num_sources)`.

        Example:
        >>> import tempfile
        >>> from multiflow import MultiDirImageDataGenerator
        >>> from multiflow.samples import write_samples
        >>> folder = tempfile.TemporaryDirectory()
        >>> roots = write_samples(folder.name)
        >>> flow = MultiDirImageDataGenerator().flow_from_directories(roots)
        Found 285 images belonging to 3 classes in 2 directories.
        >>> flow.summary()
        class     photos  sketches  total
        circle        60        50    110
        square        60        35     95
        triangle      60        20     80
        total        180       105    285
        >>> folder.cleanup()
        """
        counts = np.zeros((self.num_classes, len(self.directories)), np.int64)
        np.add.at(counts, (self.classes, self.source_indices), 1)
        return Summary(list(self.class_indices), self.source_names, counts)
