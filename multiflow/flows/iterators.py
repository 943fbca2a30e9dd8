"""Keras' iterators, made to pickle, to list folders fast and to read several roots as one."""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import cached_property
from typing import Any

import keras
import numpy as np

from multiflow import _checks, _keras
from multiflow.augment.draws import Samples
from multiflow.augment.steps import Transformer
from multiflow.flows import _array_checks
from multiflow.flows.batch import save_images
from multiflow.flows.presenting import PresentableIterator
from multiflow.images.cache import CachedFiles, cache_files
from multiflow.images.files import ImageFiles
from multiflow.index.listing import (
    ImageIndex,
    Source,
    class_folders_in,
    index_images,
    resolve_classes,
    resolve_sources,
)
from multiflow.index.paths import JoinedPaths
from multiflow.index.splitting import Split, choose_subset, warn_of_missing_classes
from multiflow.show.summary import Summary
from multiflow.structures import leaves, rebuild


class ArrayIterator(PresentableIterator, _keras.NumpyArrayIterator):
    """Batches of arrays; `flow` makes it."""

    def _batch(self, index_array: np.ndarray, epoch: int) -> Any:
        images, _ = self._transform(index_array, epoch, self.dtype)
        if self.save_to_dir:
            save_images(self, images, index_array, self._file_numbers(epoch, 10_000))
        inputs = [images, *(extra[index_array] for extra in self.x_misc)]
        parts = [inputs if self.x_misc else images]
        if self.y is not None:
            parts += [
                array[index_array] for array in (self.y, self.sample_weight) if array is not None
            ]
        return tuple(parts) if self.y is not None else parts[0]

    def _images_at(self, index_array: np.ndarray) -> tuple[Any, Samples]:
        return self.x, index_array

    def caption(self, index: int) -> str:
        """The label of the sample at a position, if it is one number or one-hot."""
        label = np.asarray(None if self.y is None else self.y[index])
        if label.ndim == 1 and label.size > 1 and sorted(label) == [0] * (len(label) - 1) + [1]:
            return str(label.argmax())
        return super().caption(index) if self.y is None or label.size != 1 else str(label.flat[0])


def take_arrays(
    x: Any,
    y: Any,
    sample_weight: Any,
    split: Split,
    subset: str,
    *,
    ignore_class_split: bool,
) -> tuple[Any, Any, Any]:
    """What of the arguments of `flow` is in a subset of a shuffled or grouped split.

    Raises:
        TypeError, ValueError: if lengths differ, or as `choose_subset`.
    """
    named = [*leaves(x, "x"), ("y", y), ("sample_weight", sample_weight)]
    num_samples = len(named[0][1])
    for name, array in named:
        if array is not None:
            _array_checks.check_length(name, array, num_samples)
    positions = choose_subset(split, subset, num_samples)
    if y is not None and not ignore_class_split:
        warn_of_missing_classes(split, *_classes_in(np.asarray(y)), positions)
    taken = (array if array is None else np.asarray(array)[positions] for _, array in named)
    return rebuild(x, taken), next(taken), next(taken)


def _classes_in(y: np.ndarray) -> tuple[list[Any], list[Any]]:
    """The class, or classes, of each sample as numbers, and the classes; none for other targets."""
    if y.ndim == 2 and y.shape[1] == 1:
        y = y[:, 0]
    if y.ndim == 2 and y.dtype.kind in "biuf" and np.isin(y, (0, 1)).all():  # one-hot
        return [np.flatnonzero(row).tolist() for row in y], list(range(y.shape[1]))
    if y.ndim != 1 or (y.dtype.kind == "f" and (y % 1 != 0).any()):
        return [], []
    try:
        numbers = {name: number for number, name in enumerate(dict.fromkeys(y.tolist()))}
    except TypeError:  # lists are no classes
        return [], []
    if len(numbers) > len(y) / 2:  # nor are numbers that hardly come twice
        return [], []
    return [numbers[name] for name in y.tolist()], list(numbers)


class FileIterator(PresentableIterator):
    """What the iterators over image files have in common."""

    _cached: CachedFiles | None = None

    def keep_images(self, cache: Any) -> None:
        """Reads all images now, if they are to be cached.

        Args:
            cache: None, `"memory"`, or a folder.
        """
        _checks.check_cache(cache, self._roots())
        images = cache_files(self._files(), cache, self.image_data_generator.threads)
        self._cached = images if isinstance(images, CachedFiles) else None

    def _batch(self, index_array: np.ndarray, epoch: int) -> Any:
        images, _ = self._transform(index_array, epoch, keras.config.floatx())
        if self.save_to_dir:
            save_images(self, images, index_array, self._file_numbers(epoch, 10_000_000))
        if self.class_mode is None:
            return images
        batch = (images, self._labels(images, index_array))
        if self.sample_weight is None:
            return batch
        return (*batch, self.sample_weight[index_array])

    def _images_at(self, index_array: np.ndarray) -> tuple[Any, Samples]:
        return self._images(), index_array

    def _contents(self) -> list[str]:
        has_classes = hasattr(self, "class_indices")
        classes = [f"{len(self.class_indices)} classes"] if has_classes else []
        return super()._contents() + classes

    def caption(self, index: int) -> str:
        """The class of the sample at a position, or its classes; else the name of its file."""
        if not hasattr(self, "class_indices"):
            return os.path.basename(self._file_paths()[index])
        class_names = list(self.class_indices)
        labels = self.classes[index]  # of dataframes, maybe several
        return ", ".join(class_names[label] for label in np.atleast_1d(labels))

    def _images(self) -> ImageFiles | CachedFiles:
        files = self._files()
        # `target_size` and the like can be changed; then the cache holds something else.
        if self._cached is not None and self._cached.files.decoding == files.decoding:
            return self._cached
        return files

    def _files(self) -> ImageFiles:
        return ImageFiles(
            self._file_paths(),
            self.target_size,
            color_mode=self.color_mode,
            interpolation=self.interpolation,
            keep_aspect_ratio=self.keep_aspect_ratio,
            channels_first=self.data_format == "channels_first",
        )

    def _file_paths(self) -> Sequence[str]:
        return self.filepaths

    def _roots(self) -> list[Any]:
        """The folders that are searched for images."""
        return []

    def _labels(self, images: np.ndarray, index_array: np.ndarray) -> Any:
        if self.class_mode == "input":
            return images.copy()
        if self.class_mode == "raw":
            return self.labels[index_array]
        if self.class_mode == "multi_output":
            return [output[index_array] for output in self.labels]
        is_one_hot = self.class_mode == "categorical"
        shape = (len(index_array), len(self.class_indices)) if is_one_hot else len(index_array)
        labels = np.zeros(shape, self.dtype)
        for position, index in enumerate(index_array):
            if is_one_hot:
                labels[position, self.classes[index]] = 1.0  # of dataframes, maybe several
            else:
                labels[position] = self.classes[index]
        return labels


class DataFrameIterator(FileIterator, _keras.DataFrameIterator):
    """Batches of the image files that a dataframe names; `flow_from_dataframe` makes it."""

    samples: int
    _sample_weight: np.ndarray | None
    _targets: Any

    def keep_subset(self, subset: str) -> None:
        """Drops what is not in a subset of a shuffled or grouped split.

        Raises:
            ValueError: if `subset` is unknown.
        """
        split = Split.of(self.image_data_generator)
        positions = choose_subset(
            split, subset, self.samples, names=lambda: self.filenames, paths=self.filepaths
        )
        if hasattr(self, "classes"):
            warn_of_missing_classes(split, self.classes, list(self.class_indices), positions)
        self.samples = self.n = len(positions)
        for name in ("filenames", "_filepaths", "classes"):
            if name in vars(self):
                setattr(self, name, [getattr(self, name)[position] for position in positions])
        if self._sample_weight is not None:
            self._sample_weight = self._sample_weight[positions]
        if self.class_mode == "raw":
            self._targets = self._targets[positions]
        if self.class_mode == "multi_output":
            self._targets = [targets[positions] for targets in self._targets]
        _keras.print_msg(f"Using {self.samples} image filenames for {subset}.")


class DirectoryIterator(FileIterator, _keras.DirectoryIterator):
    """Batches of the image files below one folder; `flow_from_directory` makes it.

    Its attributes, its printed line and its batches are those of Keras' `DirectoryIterator`. It
    lists the folders faster and holds their names in less memory: `filenames` and `filepaths`
    become lists when they are asked for.

    Args:
        directory: the root; it holds one folder per class.
        image_data_generator: the generator that transforms and standardises the images.
        classes: names of class folders, in the order of their labels; by default all, sorted.
        class_mode: the kind of the labels, as in Keras.
        batch_size: the most images in a batch.
        shuffle: whether to shuffle the images in each epoch.
        seed: seed of NumPy's global generator, or None.
        follow_links: whether to enter symbolic links to folders inside class folders.
        dtype: the dtype of the batches.
        workers: how many threads or processes `fit` uses to fetch batches.
        use_multiprocessing: whether these are processes.
        max_queue_size: how many batches `fit` keeps ready.
        cache: None, `"memory"`, or a folder.
        processing: what Keras' `set_processing_attrs` takes beside the generator.
    """

    def __init__(
        self,
        directory: Any,
        image_data_generator: Transformer,
        *,
        classes: Any,
        class_mode: str | None,
        batch_size: int,
        shuffle: bool,
        seed: int | None,
        follow_links: bool,
        dtype: str,
        workers: int = 1,
        use_multiprocessing: bool = False,
        max_queue_size: int = 10,
        cache: Any = None,
        **processing: Any,
    ) -> None:
        self.set_processing_attrs(image_data_generator, **processing)
        if class_mode not in self.allowed_class_modes:  # in Keras' words
            raise ValueError(
                f"Invalid class_mode: {class_mode}; expected one of: {self.allowed_class_modes}"
            )
        self.class_mode = class_mode
        self.dtype = dtype
        found = self._index(directory, classes, follow_links)
        self._use(found if self.subset is None else self._take_subset(found), found)
        _keras.print_msg(self._found_message())
        PresentableIterator.__init__(
            self,
            self.samples,
            batch_size,
            shuffle,
            seed,
            workers=workers,
            use_multiprocessing=use_multiprocessing,
            max_queue_size=max_queue_size,
        )
        self.keep_images(cache)

    def _index(self, directory: Any, classes: Any, follow_links: bool) -> ImageIndex:
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

    def _take_subset(self, found: ImageIndex) -> ImageIndex:
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
        return found.take(positions)

    def _use(self, index: ImageIndex, found: ImageIndex) -> None:
        """Takes over the images of the subset, of all that were found."""
        self.samples = len(index.paths)
        self.classes = index.labels
        self._paths = index.paths

    def _roots(self) -> list[Any]:
        return [self.directory]

    def _found_message(self) -> str:
        return f"Found {self.samples} images belonging to {self.num_classes} classes."

    @cached_property
    def filenames(self) -> list[str]:
        """The paths of the images, relative to `directory`."""
        return list(self._paths)

    @cached_property
    def _filepaths(self) -> list[str]:
        return [os.path.join(self.directory, path) for path in self._paths]

    def _file_paths(self) -> Sequence[str]:
        return vars(self).get("_filepaths") or JoinedPaths(self.directory, self._paths)


class MultiDirectoryIterator(DirectoryIterator):
    """Batches of the image files below several folders; `flow_from_directories` makes it.

    Args:
        directories: the roots, as a sequence of paths or a mapping from source name to path.
        image_data_generator: the generator that transforms and standardises the images.
        classes: folders and merged folders, as in `flow_from_directories`.
        arguments: the other arguments of `DirectoryIterator`.

    Attributes:
        directory: the deepest common parent of the roots.
        directories: list of the roots, as given.
        source_names: list of their names.
        source_indices: int32 array of shape `(samples,)`, the position of each image's root.
        filenames: list of the image paths, relative to `directory`.
        filepaths: list of the image paths.
        classes: int32 array of shape `(samples,)`, the label of each image.
        class_indices: dict from class name to label.
        num_classes: the number of classes.
        samples: the number of images.
    """

    def __init__(
        self,
        directories: Any,
        image_data_generator: Transformer,
        **arguments: Any,
    ) -> None:
        _checks.check_batch_arguments(**arguments)
        super().__init__(directories, image_data_generator, **arguments)

    def _index(self, directory: Any, classes: Any, follow_links: bool) -> ImageIndex:
        self.directory, sources = resolve_sources(directory)
        self.directories = [source.root for source in sources]
        self.source_names = [source.name for source in sources]
        class_folders = resolve_classes(classes, sources)
        self.num_classes = len(class_folders)
        self.class_indices = {name: label for label, name in enumerate(class_folders)}
        return index_images(
            sources,
            [folder for folders in class_folders.values() for folder in folders],
            {
                folder: self.class_indices[name]
                for name, folders in class_folders.items()
                for folder in folders
            },
            formats=self.white_list_formats,
            follow_links=follow_links,
        )

    def _use(self, index: ImageIndex, found: ImageIndex) -> None:
        super()._use(index, found)
        self.source_indices = index.source_indices
        self._check(index, found)

    def _check(self, index: ImageIndex, found: ImageIndex) -> None:
        roots = [os.fspath(root) for root in self.directories]
        class_names = list(self.class_indices)
        for error in index.unreadable:
            _checks.warn(
                f"The folder {error.filename!r} was left out, it cannot be read: {error.strerror}."
            )
        if not found.paths:
            sought = f"an image of the classes {class_names}" if class_names else "a class folder"
            raise ValueError(
                f"None of the roots {roots} holds {sought}. "
                "Each root must hold one folder per class, with files that end in "
                f"{', '.join(self.white_list_formats)}."
            )
        reason = Split.of(self.image_data_generator).reason
        _checks.check_not_empty(self.subset, len(index.paths), len(found.paths), reason)
        if self.class_mode in ("sparse", "binary"):
            labels = np.arange(self.num_classes)
            if (labels.astype(self.dtype) != labels).any():
                raise ValueError(
                    f'class_mode="{self.class_mode}" gives labels of the generator\'s dtype, '
                    f"{self.dtype}, which cannot hold those of {self.num_classes} classes. "
                    "Set another `dtype` in the generator."
                )
        _checks.warn_of_missing_sources(
            self.directories,
            np.bincount(found.source_indices, minlength=len(roots)),
            np.bincount(index.source_indices, minlength=len(roots)),
            reason,
        )

    def _contents(self) -> list[str]:
        return [*super()._contents(), f"{len(self.directories)} directories"]

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

        A dict from label to `samples / (num_classes * count)`, where `count` is the number of
        images of that label. Labels without an image are left out. (The rule of scikit-learn's
        `class_weight="balanced"`.)
        """
        return {
            label: float(self.samples / (self.num_classes * count))
            for label, count in enumerate(np.bincount(self.classes))
            if count
        }

    def summary(self) -> Summary:
        """How many images of each class each source holds, as a table.

        Returns:
            A `Summary`, which notebooks show as a table and `print` as text, with the numbers in
            `counts`, an int array of shape `(num_classes, num_sources)`.

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
