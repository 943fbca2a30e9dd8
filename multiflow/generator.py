"""The public class: Keras' `ImageDataGenerator`, and flows over several folders."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from multiflow import _checks
from multiflow.augment.draws import check_rng
from multiflow.augment.transformer import Transformer
from multiflow.flows.arrays import ArrayIterator, take_subset
from multiflow.flows.dataframe import DataFrameIterator
from multiflow.flows.directories import DirectoryIterator, Folders, MultiDirectoryIterator
from multiflow.flows.flow import Flow
from multiflow.flows.masks import MaskOptions
from multiflow.flows.moments import check_fit, fit_generator, names_folders
from multiflow.flows.options import Batching, Saving, Workers
from multiflow.flows.segmentation import SegmentationIterator
from multiflow.flows.segmentation_directories import SegmentationDirectoryIterator
from multiflow.images.reading import Reading
from multiflow.index.splitting import Split, check_split
from multiflow.parallel import check_threads


class MultiDirImageDataGenerator(Transformer):
    """Keras' `ImageDataGenerator`, also for several folders, and for images with masks.

    Use it in place of Keras' class; for the same arguments and seeds it gives the same batches:

    ```python
    from multiflow import MultiDirImageDataGenerator as ImageDataGenerator
    ```

    Its methods:

    - `flow_from_directories` reads many folders as one data set;
    - `flow_segmentation` transforms images together with their masks, from arrays;
    - `flow_segmentation_from_directories` does the same from files in many folders;
    - `flow`, `flow_from_directory` and `flow_from_dataframe` are those of Keras, only faster;
    - `fit` finds the statistics for featurewise normalisation, from arrays, flows or folders.

    A flow is an iterator and a `keras.utils.PyDataset`, for the model's `fit`, `evaluate` and
    `predict`. `next(flow)` gives a batch, `flow[i]` batch `i` of the epoch, `len(flow)` the number
    of batches; `flow.repeat()` is the flow without an end, for any `steps_per_epoch`. Flows can be
    pickled and copied. To look at one without changing it, `print` it, or call `flow.show()` for
    the next batch, `flow.show_augmentations(index)` for draws of a sample, and
    `flow.caption(index)` for its class and source.

    These arguments mean the same in every flow that takes them:

    - `batch_size`: int, the most samples in a batch; the last batch of an epoch may be smaller.
    - `shuffle`: bool, whether to shuffle the samples in each epoch.
    - `seed`: None, or an int from which NumPy's global generator is seeded anew for each batch;
      with `rng="per_sample"`, all draws depend on it instead.
    - `save_to_dir`, `save_prefix`, `save_format`: None, or an existing folder to which the
      transformed images are written; the beginning of their names; and their format (`"png"`).
    - `subset`: None for all samples, or `"training"` or `"validation"`. The first samples, the
      fraction `validation_split`, rounded down, are for validation. Files are split in each class
      folder of each root (pairs of images and masks in each root), so that every root is in both
      subsets; a warning names roots that are too small for it. Arrays and dataframes are split as a
      whole. `split_seed` takes others than the first samples, `split_groups` keeps groups whole.
    - `target_size`: two ints, (height, width), to which images are resized.
    - `color_mode`: `"rgb"`, `"rgba"` or `"grayscale"`: files are read as 3, 4 or 1 channels.
    - `interpolation`: str, how images are resized: `"nearest"`, `"bilinear"`, `"bicubic"`,
      `"hamming"`, `"box"` or `"lanczos"`. Masks are always resized by `"nearest"`.
    - `keep_aspect_ratio`: bool, whether images are cropped around their centre to the ratio of
      `target_size` before they are resized.
    - `follow_links`: bool, whether to enter symbolic links to folders below the roots. Links to
      files, and class folders that are links, are always followed; loops in Keras' flow alone.
    - `cache`: where decoded files are kept, a byte for each 8-bit value. Batches stay the same.
      `"auto"`: in memory, as they are read; those of all flows take at most a tenth of what is free
      (in the container) and 1 GiB, and go with the flows; `repr` tells how much. Changed files are
      read again. None: not at all. `"memory"` or a folder: all, read now. A folder, created if
      missing, also serves later runs (extra `fast`); `python -m multiflow.caches FOLDER` lists it.
    - `workers`, `use_multiprocessing`, `max_queue_size`: how many threads or processes `fit` uses
      to fetch batches, whether they are processes, and how many batches are kept ready. With more
      than one worker an epoch has every sample once, but draws are not reproducible, and forked
      processes may repeat each other's draws, as in Keras; `rng="per_sample"` avoids both.

    The arguments of the class are Keras', with Keras' defaults; those after `dtype` are new, go by
    keyword, and change nothing unless they are set. Images are transformed in this order: rotation,
    shifts, shear and zoom in one warp, channel shift, flips, brightness; then they are
    standardised: `preprocessing_function`, `rescale`, samplewise, featurewise, whitening.

    Args:
        featurewise_center, samplewise_center: bools, subtract the mean that `fit` found for each
            channel, or from each image its own.
        featurewise_std_normalization, samplewise_std_normalization: bools, divide by the standard
            deviation that `fit` found for each channel, or each image by its own.
        zca_whitening, zca_epsilon: bool, apply the ZCA whitening that `fit` found; and float, added
            to its singular values.
        rotation_range: number, largest rotation to either side, in degrees.
        width_shift_range, height_shift_range: largest shift to either side: a float below 1 is a
            fraction of the size, a larger float is in pixels. An integer `n` draws from `range(n)`
            pixels, a list from its values, both with a random sign. Keras applies each argument to
            the other axis than its name says; see `corrected`.
        brightness_range: None, or two floats between which a factor for the brightness is drawn.
            For images in 0 to 255; for others, see `corrected`.
        shear_range: number, largest shear angle to either side, in degrees.
        zoom_range: float `z`, for factors from `1 - z` to `1 + z`, or two floats, the smallest and
            the largest factor. Values below 1 enlarge. Each axis draws its own.
        channel_shift_range: number, the most that is added to all values, or subtracted from them.
        fill_mode, cval: how to fill what the warp leaves empty: `"nearest"` (the default),
            `"reflect"`, `"wrap"`, or `"constant"`, with the number `cval`.
        horizontal_flip, vertical_flip: bools, mirror left and right, or top and bottom, in half of
            the draws.
        rescale: None, or a factor for all values, such as `1 / 255`.
        preprocessing_function: None, or a function from an image, an array of shape
            `(height, width, channels)`, to one of the same shape; called after the transform.
        data_format: `"channels_last"` or `"channels_first"`; by default Keras' setting.
        validation_split: float below 1, the fraction of samples for validation; 0 for no split.
        interpolation_order: int from 0 to 5, the order of the warp's spline.
        dtype: the dtype of batches; by default Keras' `floatx`, `"float32"`.
        augment_validation: bool, whether images of `subset="validation"` are transformed at random,
            as in Keras. With False they are only standardised, and nothing is drawn for them.
        split_seed: None, or an int, the seed to shuffle samples before they are split: the files
            of each class folder in each root, or all samples of a dataframe or array. Within a
            subset, samples keep their order. A file's subset depends on the seed, its path below
            its root and the other files of its class folder, but on no other root or class; for a
            row of a dataframe its name in `x_col` counts, for a sample of an array its position.
            Labels play no part: without them, subsets are the same. New files move few others.
        split_groups: None, or the groups of samples that must stay in one subset, across all roots
            and classes, such as the images of a patient or a video: a function from the path of a
            file, as in `filepaths`, to its group; or, for arrays, a sequence with one group per
            sample. Groups are str, int or other hashables. The split comes as near to
            `validation_split`, over all samples, as whole groups allow, with neither subset empty.
            The first groups of all class folders alike are for validation, or, with a `split_seed`,
            those that it chooses. Make both subsets with the same roots and classes, in any order.
            Deep-copied or pickled flows do not keep this function.
        rng: `"keras"` for NumPy's global generator; or `"per_sample"`, with which the parameters of
            a sample depend only on the flow's `seed`, the epoch and the sample's position in the
            flow, and the order of an epoch on the seed and the epoch. Batches are then the same for
            any workers, threads, processes and batch size, by `next` and by index; NumPy's global
            state is neither read nor written; and the flow's `state_dict()` and `load_state_dict()`
            save and restore a position within an epoch. Distributions are those of Keras. An epoch
            ends when `next` has returned its last batch, or with `on_epoch_end`, as `fit` calls it;
            with `steps_per_epoch`, give it `flow.repeat()`. A flow without a `seed` draws one, its
            `seed`. Draws of your own functions are not covered. Numbers are of Philox-4x64-10, key
            (seed, 0), counter (block, sample, epoch, 1), or (block, 0, epoch, 0) for orders.
        corrected: bool, whether to correct two errors of Keras. First, rotation, shear and zoom are
            about the true centre of images that are not square, `height_shift_range` moves rows and
            `width_shift_range` columns; square images without shifts are as in Keras. Second,
            `brightness_range` keeps the range of the values: 0 to 255 for image files and arrays of
            uint8; else the narrowest of 0 to 1, 0 to 255 and 0 to 65535 that holds all values, or
            else their minimum to maximum. The range is taken from all images of an array in memory,
            else from each image before its warp. From 0 to 255, values change as in Keras, but for
            any number of channels and both data formats; in other ranges, their distance from black
            is multiplied; all are clipped. Of 4 channels the last is alpha, and stays, as in Keras.
        threads: None, or an int, how many threads build a batch; None for one on each core that the
            process may use. Batches stay the same. With a `preprocessing_function` or an overridden
            method, which may not be thread-safe, threads share only the reading of files.

    Raises:
        TypeError, ValueError: if an argument does not have the form above; of those up to `dtype`,
            only `data_format`, `validation_split`, `zoom_range` and `brightness_range` are checked,
            as in Keras, and with `rng="per_sample"` all ranges: finite numbers up to 2**52. Flows
            with a `subset`, if `split_groups` gives a sample no group, or all samples the same.

    Warns:
        UserWarning: once, if the compiled warp of the extra `fast` differs from SciPy's on this
            machine and SciPy's is used; without `corrected`, once when an image that is not square
            is warped, and once when `brightness_range` meets values from 0 to 1; from flows, if a
            split by `split_seed` or `split_groups` is more than 5 percentage points off
            `validation_split`, leaves a class out of a subset, or is that of some `classes` only.

    Example:
    >>> import numpy as np
    >>> from multiflow import MultiDirImageDataGenerator
    >>> generator = MultiDirImageDataGenerator(rotation_range=20, horizontal_flip=True)
    >>> next(generator.flow(np.zeros((10, 32, 48, 3)), batch_size=4)).shape
    (4, 32, 48, 3)

    Source: the behaviour of `keras.src.legacy.preprocessing.image`, Keras 3.0 and later.
    """

    def __init__(
        self,
        featurewise_center: bool = False, samplewise_center: bool = False,
        featurewise_std_normalization: bool = False, samplewise_std_normalization: bool = False,
        zca_whitening: bool = False, zca_epsilon: float = 1e-6,
        rotation_range: Any = 0, width_shift_range: Any = 0.0, height_shift_range: Any = 0.0,
        brightness_range: Any = None, shear_range: Any = 0.0, zoom_range: Any = 0.0,
        channel_shift_range: Any = 0.0, fill_mode: str = "nearest", cval: float = 0.0,
        horizontal_flip: bool = False, vertical_flip: bool = False, rescale: float | None = None,
        preprocessing_function: Callable[[np.ndarray], np.ndarray] | None = None,
        data_format: str | None = None, validation_split: float = 0.0,
        interpolation_order: int = 1, dtype: Any = None,
        *,
        augment_validation: bool = True, split_seed: int | None = None, split_groups: Any = None,
        rng: str = "keras", corrected: bool = False, threads: int | None = None,
    ) -> None:  # fmt: skip
        check_split(split_seed, split_groups)
        check_rng(rng)
        _checks.check_flag("augment_validation", augment_validation)
        _checks.check_flag("corrected", corrected)
        check_threads(threads)
        self.augment_validation = augment_validation
        self.split_seed, self.split_groups = split_seed, split_groups
        self.rng = rng
        self.corrected = corrected
        self.threads = threads
        super().__init__(
            featurewise_center, samplewise_center,
            featurewise_std_normalization, samplewise_std_normalization,
            zca_whitening, zca_epsilon, rotation_range, width_shift_range, height_shift_range,
            brightness_range, shear_range, zoom_range, channel_shift_range, fill_mode, cval,
            horizontal_flip, vertical_flip, rescale, preprocessing_function,
            data_format, validation_split, interpolation_order, dtype,
        )  # fmt: skip

    def fit(
        self, x: Any, augment: bool = False, rounds: int = 1, seed: int | None = None,
        **flow_options: Any,
    ) -> None:  # fmt: skip
        """Finds the statistics for `featurewise_*` and `zca_whitening`.

        For an array, they are Keras', bit for bit. For a flow or folders, they are computed in one
        pass, in float64, over the images for training, before any random transform; in memory are
        only one batch and, with `zca_whitening`, a few matrices of
        `8 * (height * width * channels) ** 2` bytes. Unlike Keras' statistics of an array, these
        include the effect of `preprocessing_function` and samplewise normalisation, which are
        applied before them; and whitening leaves out directions in which images do not differ,
        such as constant pixels, where Keras divides by little more than `zca_epsilon`.

        Args:
            x: array of shape `(num_samples, height, width, channels)` (channels second with
                `data_format="channels_first"`); or a flow, made with `subset="training"` if its
                generator has a `validation_split`; or a list of folders, or mapping from source
                name to folder, as for `flow_from_directories`.
            augment: bool, for arrays only: whether to take randomly transformed images.
            rounds: int, for arrays only: how many times each is transformed.
            seed: None, or an int, the seed of these transforms.
            **flow_options: for folders only: arguments of `flow_from_directories` that say which
                images are read and how, such as `target_size`, `color_mode` and `classes`.

        Raises:
            TypeError: if `x` is another iterator, or one path, or if options do not go with it.
            ValueError: as in Keras, if an array is not of rank 4; if a flow is not for training,
                has another `data_format` or comes with `augment`; as in `flow_from_directories`.
            MemoryError: if `zca_whitening` needs more memory than there is.

        Example:
        >>> import numpy as np
        >>> from multiflow import MultiDirImageDataGenerator
        >>> generator = MultiDirImageDataGenerator(featurewise_center=True)
        >>> generator.fit(np.arange(8.0).reshape(8, 1, 1, 1))
        >>> generator.mean.item()
        3.5
        """
        if names_folders(x):
            subset = "training" if self._validation_split else None
            options = {"class_mode": None, "shuffle": False, "subset": subset, **flow_options}
            x, flow_options = self.flow_from_directories(x, **options), {}
        check_fit(x, flow_options, augment=augment)
        if isinstance(x, Flow):
            fit_generator(self, x)
        elif self.rng == "per_sample" and seed is not None:
            # Keras transforms the images one after the other.
            with self._stream.samples_in_turn(seed):
                super().fit(x, augment=augment, rounds=rounds)
        else:
            super().fit(x, augment=augment, rounds=rounds, seed=seed)

    def flow(
        self, x: Any, y: Any = None,
        batch_size: int = 32, shuffle: bool = True, sample_weight: Any = None,
        seed: int | None = None,
        save_to_dir: Any = None, save_prefix: str = "", save_format: str = "png",
        ignore_class_split: bool = False, subset: str | None = None,
        *,
        workers: int = 1, use_multiprocessing: bool = False, max_queue_size: int = 10,
    ) -> ArrayIterator:  # fmt: skip
        """Batches of transformed images from arrays, as Keras' `flow` gives them.

        Args:
            x: array of shape `(num_samples, height, width, channels)` (channels second with
                `data_format="channels_first"`), or a list of such an array and further inputs.
            y: None, or an array of `num_samples` labels.
            sample_weight: None, or an array of `num_samples` weights.
            ignore_class_split: bool, whether a split may put classes into one subset only.
            All others are shared by several flows; the docstring of the class explains them.

        Returns:
            A flow, an instance of Keras' `NumpyArrayIterator`. A batch is `images`,
            `(images, labels)` or `(images, labels, weights)`; the images have the generator's
            dtype and the shape `(batch_size, height, width, channels)`.

        Raises:
            ValueError: as in Keras, if lengths differ, `x` is not of rank 4, or `subset` is unknown
                or divides the classes (with `split_seed` or `split_groups` that is a warning).

        Example:
        >>> import numpy as np
        >>> from multiflow import MultiDirImageDataGenerator
        >>> images = np.random.default_rng(0).integers(0, 256, (10, 32, 48, 3), dtype="uint8")
        >>> generator = MultiDirImageDataGenerator(horizontal_flip=True, rescale=1 / 255)
        >>> flow = generator.flow(images, np.arange(10), batch_size=4, seed=1)
        >>> flow
        <ArrayIterator: 10 images of 32 × 48 × 3, 3 batches of up to 4>
        >>> [part.shape for part in next(flow)]
        [(4, 32, 48, 3), (4,)]
        """
        fetching = Workers(workers, use_multiprocessing, max_queue_size)
        split = Split.of(self)
        own_subset = None if split.is_keras else subset
        if own_subset is not None:
            x, y, sample_weight = take_subset(
                x, y, sample_weight, split, own_subset, ignore_class_split=ignore_class_split
            )
        iterator = super().flow(
            x, y, batch_size, shuffle, sample_weight, seed,
            save_to_dir, save_prefix, save_format,
            ignore_class_split, subset if own_subset is None else None,
        )  # fmt: skip
        return ArrayIterator.adopt(iterator, subset, fetching)

    def flow_from_directory(
        self, directory: Any,
        target_size: tuple[int, int] = (256, 256), color_mode: str = "rgb",
        classes: Any = None, class_mode: str | None = "categorical",
        batch_size: int = 32, shuffle: bool = True, seed: int | None = None,
        save_to_dir: Any = None, save_prefix: str = "", save_format: str = "png",
        follow_links: bool = False, subset: str | None = None,
        interpolation: str = "nearest", keep_aspect_ratio: bool = False,
        *,
        cache: Any = "auto",
        workers: int = 1, use_multiprocessing: bool = False, max_queue_size: int = 10,
    ) -> DirectoryIterator:  # fmt: skip
        """Batches of transformed images from one folder, as in Keras' `flow_from_directory`.

        For several folders, or for checks that Keras leaves out, see `flow_from_directories`.

        Args:
            directory: the root, which holds one folder of images per class.
            classes: None, or a list of class folders in the order of their labels.
            class_mode: the labels, as in `flow_from_directories`.
            All others are shared by several flows; the docstring of the class explains them.

        Returns:
            A flow, an instance of Keras' `DirectoryIterator`, as in `flow_from_directories`.

        Raises:
            ValueError: as in Keras, if `color_mode`, `class_mode` or `subset` is unknown.
            FileNotFoundError: as in Keras, if `directory` is missing and `classes` is None.

        Example:
        >>> import tempfile
        >>> from multiflow import MultiDirImageDataGenerator
        >>> from multiflow.samples import write_samples
        >>> folder = tempfile.TemporaryDirectory()
        >>> photos = write_samples(folder.name)["photos"]
        >>> flow = MultiDirImageDataGenerator().flow_from_directory(photos, class_mode="sparse")
        Found 180 images belonging to 3 classes.
        >>> flow.class_indices
        {'circle': 0, 'square': 1, 'triangle': 2}
        >>> folder.cleanup()
        """
        return DirectoryIterator(
            directory, self,
            folders=Folders(classes, class_mode, follow_links, subset),
            reading=Reading(target_size, color_mode, interpolation, keep_aspect_ratio, cache),
            batching=Batching(batch_size, shuffle, seed),
            saving=Saving(save_to_dir, save_prefix, save_format),
            workers=Workers(workers, use_multiprocessing, max_queue_size),
        )  # fmt: skip

    def flow_from_directories(
        self, directories: Any,
        target_size: tuple[int, int] = (256, 256), color_mode: str = "rgb",
        classes: Any = None, class_mode: str | None = "categorical",
        batch_size: int = 32, shuffle: bool = True, seed: int | None = None,
        save_to_dir: Any = None, save_prefix: str = "", save_format: str = "png",
        follow_links: bool = False, subset: str | None = None,
        interpolation: str = "nearest", keep_aspect_ratio: bool = False,
        *,
        cache: Any = "auto",
        workers: int = 1, use_multiprocessing: bool = False, max_queue_size: int = 10,
    ) -> MultiDirectoryIterator:  # fmt: skip
        """Batches of transformed images from several folders, read as one data set.

        Use it when images of the same classes come from several places:

        ```
        clinic_a/            clinic_b/
            benign/              benign/
                1.png                1.png
            malignant/           unclear/
                3.png                7.png
        ```

        The classes of these two roots are benign, malignant and unclear, with the labels 0, 1 and
        2 in both. Images are ordered by root, as given, then by class, then by path. With one root,
        only the checks differ from `flow_from_directory`. Nothing is copied or moved.

        Args:
            directories: the roots: a sequence of paths (str or PathLike), or a mapping from source
                name to path. Each root holds one folder per class; no root needs all of them.
            classes: None for the sorted union of the class folders of all roots, or a list of
                folder names in the order of their labels. An entry of the list may be a list of
                folders that share one label, named after the first, as in
                `[["dogs", "wolves"], "cats"]`. Or a mapping from class name to folders, as in
                `{"canine": ["dogs", "wolves"], "feline": ["cats", "Katzen"]}`. Images of a class
                are ordered as its folders are.
            class_mode: the labels of a batch: `"categorical"` one-hot, shape
                `(batch_size, num_classes)`; `"sparse"` or `"binary"` numbers, shape
                `(batch_size,)`; `"input"` the images themselves; None no labels at all.
            All others are shared by several flows; the docstring of the class explains them.

        Returns:
            A flow, an instance of Keras' `DirectoryIterator`, whose batches are `images` or
            `(images, labels)`; images have the generator's dtype and the shape
            `(batch_size, height, width, channels)`. It has Keras' attributes, with `directory` the
            deepest common parent of the roots and `filenames` relative to it. New are
            `directories` and `source_names`, the roots and their names; `source_indices`, int32
            array of shape `(samples,)`, the root of each image; `class_weight`, a dict that
            balances the classes, for `fit`; and `summary()`, a table of classes and sources.

        Raises:
            TypeError: if `directories` is a single path, or it or `classes` has another form.
            FileNotFoundError, NotADirectoryError: if a root or `save_to_dir` is no folder.
            ValueError: if there is no root, if one is given twice or lies in another, if no root
                holds an image of the classes, if `subset` is empty, if `classes` names a folder
                twice or with its path, if `cache` lies in a root or has too little room, or if
                another argument has a value that is not listed above.
            OSError: if an image cannot be read; at once with `cache`, else in its batch.

        Warns:
            UserWarning: if a folder in `classes` is in no root, a hidden folder became a class,
                files are left out for their extension or lie in no class folder, a folder cannot be
                read or is there twice, or a root has no image, or none in the subset.

        Example:
        >>> import tempfile
        >>> from multiflow import MultiDirImageDataGenerator
        >>> from multiflow.samples import write_samples
        >>> folder = tempfile.TemporaryDirectory()
        >>> roots = write_samples(folder.name)  # a dict from two names to two folders
        >>> classes = {"round": ["circle"], "angular": ["square", "triangle"]}
        >>> flow = MultiDirImageDataGenerator().flow_from_directories(roots, classes=classes)
        Found 285 images belonging to 2 classes in 2 directories.
        >>> flow.summary()
        class    photos  sketches  total
        round        60        50    110
        angular     120        55    175
        total       180       105    285
        >>> folder.cleanup()
        """
        return MultiDirectoryIterator(
            directories, self,
            folders=Folders(classes, class_mode, follow_links, subset),
            reading=Reading(target_size, color_mode, interpolation, keep_aspect_ratio, cache),
            batching=Batching(batch_size, shuffle, seed),
            saving=Saving(save_to_dir, save_prefix, save_format),
            workers=Workers(workers, use_multiprocessing, max_queue_size),
        )  # fmt: skip

    def flow_from_dataframe(
        self, dataframe: Any, directory: Any = None,
        x_col: str = "filename", y_col: Any = "class", weight_col: str | None = None,
        target_size: tuple[int, int] = (256, 256), color_mode: str = "rgb",
        classes: Any = None, class_mode: str | None = "categorical",
        batch_size: int = 32, shuffle: bool = True, seed: int | None = None,
        save_to_dir: Any = None, save_prefix: str = "", save_format: str = "png",
        subset: str | None = None, interpolation: str = "nearest",
        validate_filenames: bool = True,
        *,
        cache: Any = "auto",
        workers: int = 1, use_multiprocessing: bool = False, max_queue_size: int = 10,
        **kwargs: Any,
    ) -> DataFrameIterator:  # fmt: skip
        """Batches of transformed images from files that a pandas dataframe names, as in Keras.

        Args:
            dataframe: pandas dataframe with one row per image.
            directory: None, or the folder to which the names in `x_col` are relative.
            x_col: str, the column of file names.
            y_col: str or list of str, the column or columns of labels.
            weight_col: None, or the column of sample weights.
            classes: None, or a list of class names in the order of their labels.
            class_mode: `"categorical"`, `"binary"`, `"sparse"`, `"input"` or None, as in
                `flow_from_directories`; or `"raw"` for the values of `y_col` as they are, or
                `"multi_output"` for a list with the values of each column.
            validate_filenames: bool, whether to leave out, with a warning, rows without a file.
            **kwargs: deprecated arguments of Keras' method. Others are ignored, as in Keras.
            All others are shared by several flows; the docstring of the class explains them.

        Returns:
            A flow, an instance of Keras' `DataFrameIterator`.

        Raises:
            TypeError, ValueError: as in Keras, if `class_mode`, `color_mode` or `subset` is
                unknown, or a column has another type than `class_mode` needs.

        Example:
        >>> import tempfile
        >>> import pandas as pd
        >>> from multiflow import MultiDirImageDataGenerator
        >>> from multiflow.samples import write_samples
        >>> folder = tempfile.TemporaryDirectory()
        >>> circles = f"{write_samples(folder.name)['photos']}/circle"
        >>> names = ["circle_000.jpg", "circle_001.jpg", "circle_002.jpg"]
        >>> frame = pd.DataFrame({"filename": names, "size": [7, 8, 9]})
        >>> options = {"y_col": "size", "class_mode": "raw"}
        >>> flow = MultiDirImageDataGenerator().flow_from_dataframe(frame, circles, **options)
        Found 3 validated image filenames.
        >>> folder.cleanup()
        """
        fetching = Workers(workers, use_multiprocessing, max_queue_size)
        own_subset = None if Split.of(self).is_keras else subset
        iterator = super().flow_from_dataframe(
            dataframe, directory, x_col, y_col, weight_col,
            target_size, color_mode, classes, class_mode, batch_size, shuffle, seed,
            save_to_dir, save_prefix, save_format,
            subset if own_subset is None else None, interpolation, validate_filenames, **kwargs,
        )  # fmt: skip
        flow = DataFrameIterator.adopt(iterator, subset, fetching)
        if own_subset is not None:
            flow.take_subset(own_subset, dataframe.get(y_col) if classes else [])
        flow.fill_cache(cache)
        return flow

    def flow_segmentation(
        self, x: Any, y: Any,
        batch_size: int = 32, shuffle: bool = True, sample_weight: Any = None,
        seed: int | None = None,
        save_to_dir: Any = None, save_prefix: str = "", save_format: str = "png",
        subset: str | None = None,
        *,
        target_size: tuple[int, int] | None = None, interpolation: str = "nearest",
        mask_fill_mode: str | None = None, mask_cval: Any = 0, num_classes: Any = None,
        mask_preprocessing_function: Callable[[np.ndarray], np.ndarray] | None = None,
        workers: int = 1, use_multiprocessing: bool = False, max_queue_size: int = 10,
    ) -> SegmentationIterator:  # fmt: skip
        """Batches of images and masks, transformed together, from arrays.

        For each pair, parameters are drawn once. The image is the one that Keras' `flow` gives for
        the same seed, bit for bit. The mask gets the same warp and flips at order 0: its pixels
        move and never mix, so that it keeps its dtype, its rank and its set of values. Brightness,
        channel shift, `preprocessing_function`, `rescale` and all normalisation leave it alone. If
        a subclass overrides `apply_transform`, that method moves the masks, too; it must only move
        pixels, and in the same way for the same parameters.

        Args:
            x: the images, of shape `(num_samples, height, width, channels)`, or channels second
                with `data_format="channels_first"`; any number of channels. Or a list or tuple of
                the images and further inputs, each with one item per sample, which are passed on.
            y: the masks, of shape `(num_samples, height, width)` or, for one-hot or other channels,
                `(num_samples, height, width, channels)`, of any integer, bool or float dtype. Or a
                list, tuple or dict of such arrays.
            sample_weight: None, or weights of shape `(num_samples,)`, or maps of shape
                `(num_samples, height, width)`, which are warped with the masks, and become 0 where
                the warp leaves pixels empty if a constant fills images or masks. Or a list, tuple
                or dict of these.
            save_to_dir: as in every flow. Masks are written as they are after the warp, with
                `_mask` after the name of the image: integer masks as PNG, others as `.npy`.
            target_size: None, or two ints, (height, width), to which images and masks are resized
                before they are transformed.
            mask_fill_mode: None for the generator's `fill_mode`, or `"nearest"`, `"constant"`,
                `"reflect"` or `"wrap"`: how to fill what the warp leaves empty in masks.
            mask_cval: number, the value that `"constant"` fills masks with.
            num_classes: None, or an int: masks of the integers 0 to `num_classes - 1` become
                one-hot, with a channel axis and the generator's dtype. Or these in `y`'s structure.
            mask_preprocessing_function: None, or a function that is called with each mask after
                the warp and before `num_classes`, and returns the mask that is checked and used.
            All others are shared by several flows; the docstring of the class explains them.

        `x`, `y` and `sample_weight` may be anything with `shape`, `dtype`, a length and item
        access: an array in memory, a `np.memmap`, an h5py or zarr data set. Samples are read one
        by one; arrays are not copied or cast as a whole, and never written to.

        Returns:
            A flow, whose batches are `(images, masks)` or `(images, masks, weights)`: images of the
            generator's dtype, masks in the structure, rank and dtype of `y`, weights of the shape
            `(batch_size, 1, 1)` or `(batch_size, height, width)`, with which Keras multiplies the
            losses of pixels. Further inputs make `images` a tuple. For masks of several outputs,
            prefer a dict or a tuple: `fit` on TensorFlow accepts no lists.

        Raises:
            TypeError: if an array has no `shape`, `dtype`, length or item access, or holds objects.
            ValueError: if lengths, ranks or sizes do not fit; if `subset` is empty; if masks hold
                NaN, infinity or values outside `num_classes`, or weights are negative or infinite
                (found at once in memory, else when read); if another argument has a wrong value.

        Example:
        >>> import numpy as np
        >>> from multiflow import MultiDirImageDataGenerator
        >>> images = np.random.default_rng(0).random((10, 32, 48, 3))
        >>> masks = (images[..., 0] > 0.5).astype("uint8")
        >>> generator = MultiDirImageDataGenerator(rotation_range=30, horizontal_flip=True)
        >>> flow = generator.flow_segmentation(images, masks, batch_size=4, seed=1)
        >>> image_batch, mask_batch = next(flow)
        >>> image_batch.shape, mask_batch.shape, np.unique(mask_batch).tolist()
        ((4, 32, 48, 3), (4, 32, 48), [0, 1])
        """
        return SegmentationIterator(
            x, y, self,
            sample_weight=sample_weight, subset=subset,
            target_size=target_size, interpolation=interpolation,
            masks=MaskOptions(mask_fill_mode, mask_cval, num_classes, mask_preprocessing_function),
            batching=Batching(batch_size, shuffle, seed),
            saving=Saving(save_to_dir, save_prefix, save_format),
            workers=Workers(workers, use_multiprocessing, max_queue_size),
        )  # fmt: skip

    def flow_segmentation_from_directories(
        self, image_directories: Any, mask_directories: Any,
        target_size: tuple[int, int] | None = (256, 256), color_mode: str = "rgb",
        batch_size: int = 32, shuffle: bool = True, seed: int | None = None,
        save_to_dir: Any = None, save_prefix: str = "", save_format: str = "png",
        follow_links: bool = False, subset: str | None = None,
        interpolation: str = "nearest", keep_aspect_ratio: bool = False,
        *,
        cache: Any = "auto",
        mask_path: Callable[[str], str] | None = None,
        mask_colors: Mapping[tuple[int, int, int], int] | None = None,
        mask_fill_mode: str | None = None, mask_cval: Any = 0, num_classes: int | None = None,
        mask_preprocessing_function: Callable[[np.ndarray], np.ndarray] | None = None,
        workers: int = 1, use_multiprocessing: bool = False, max_queue_size: int = 10,
    ) -> SegmentationDirectoryIterator:  # fmt: skip
        """Batches of images and masks, transformed together, from files in several folders.

        Both are transformed as in `flow_segmentation`. The n-th folder of images belongs to the
        n-th folder of masks, and an image to the mask with the same path below its folder, except
        for the extension:

        ```
        clinic_a/images/        clinic_a/masks/
            patient_1/              patient_1/
                01.jpg                  01.png
                02.jpg                  02.png
        ```

        The pairs are ordered by root, as given, then by the path of the image.

        Args:
            image_directories: the roots of the images: a sequence of paths (str or PathLike), or a
                mapping from source name to path.
            mask_directories: as many roots of masks, or a mapping with the same names.
            target_size: two ints, (height, width), to which images and masks are resized; or None
                if all images are of one size.
            save_to_dir: as in `flow_segmentation`.
            mask_path: None, or a function from the path of an image, relative to its root, to the
                path of its mask, relative to the root of the masks.
            mask_colors: None, or a dict from colours to class numbers, such as
                `{(0, 0, 0): 0, (128, 0, 0): 1}`, for masks that are coded in colours.
            mask_fill_mode, mask_cval, num_classes: as in `flow_segmentation`.
            mask_preprocessing_function: as in `flow_segmentation`.
            All others are shared by several flows; the docstring of the class explains them.

        Images are read as Keras reads them. Masks keep the values of their files; those that Pillow
        would scale, cut or invert, and files of several pages, are refused, as is a file that gets
        another size or kind after the flow was made. An `.npy` file holds one image or mask, of
        shape `(height, width)` or with channels in the generator's `data_format`; `color_mode` and
        `mask_colors` do not apply to it, and pickled objects are refused.

        Returns:
            A flow, whose batches are `(images, masks)`; masks have the shape
            `(batch_size, height, width)`, or with channels if their files have them. It has the
            attributes `filepaths`, `mask_filepaths`, `source_indices`, `source_names`,
            `image_directories`, `mask_directories` and `samples`.

        Raises:
            TypeError: if the folders are a single path or no paths, or `mask_path` returns no path.
            FileNotFoundError, NotADirectoryError: if a root or `save_to_dir` is no folder.
            ValueError: if roots overlap; if images lack masks, masks lack images, a file cannot be
                read, or pairs differ in size or orientation (one error names the first ten paths of
                each kind); if a mask holds NaN, infinity, a colour not in `mask_colors` or a value
                outside `num_classes`; if masks fit no common dtype; if another argument is wrong.

        Warns:
            UserWarning: if masks are compressed with loss, mix bits, grey levels and palettes, or
                lack the EXIF orientation of images; if files are left out, or all of a root.

        Example:
        >>> import tempfile
        >>> from multiflow import MultiDirImageDataGenerator
        >>> from multiflow.samples import write_segmentation_samples
        >>> folder = tempfile.TemporaryDirectory()
        >>> images, masks = write_segmentation_samples(folder.name)
        >>> generator = MultiDirImageDataGenerator(rotation_range=30, rescale=1 / 255)
        >>> flow = generator.flow_segmentation_from_directories(
        ...     images, masks, target_size=(64, 64), num_classes=4, seed=1
        ... )
        Found 150 pairs of images and masks in 2 directories.
        >>> [part.shape for part in next(flow)]
        [(32, 64, 64, 3), (32, 64, 64, 4)]
        >>> folder.cleanup()
        """
        return SegmentationDirectoryIterator(
            image_directories, mask_directories, self,
            follow_links=follow_links, subset=subset,
            mask_path=mask_path, mask_colors=mask_colors,
            reading=Reading(target_size, color_mode, interpolation, keep_aspect_ratio, cache),
            masks=MaskOptions(mask_fill_mode, mask_cval, num_classes, mask_preprocessing_function),
            batching=Batching(batch_size, shuffle, seed),
            saving=Saving(save_to_dir, save_prefix, save_format),
            workers=Workers(workers, use_multiprocessing, max_queue_size),
        )  # fmt: skip
