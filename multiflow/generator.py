"""The public class: Keras' `ImageDataGenerator`, and flows over several folders."""

from __future__ import annotations

from typing import Any

from multiflow import _keras
from multiflow.iterators import (
    ArrayIterator,
    DataFrameIterator,
    DirectoryIterator,
    MultiDirectoryIterator,
)


class MultiDirImageDataGenerator(_keras.ImageDataGenerator):
    """Keras' `ImageDataGenerator`, which also reads several folders as one data set.

    Use it in the place of Keras' class; for the same arguments and seeds it gives the same batches:

    ```python
    from multiflow import MultiDirImageDataGenerator as ImageDataGenerator
    ```

    `flow_from_directories` reads many folders; `flow`, `flow_from_directory` and
    `flow_from_dataframe` are Keras' own. All of them return a `keras.utils.PyDataset` for `fit`,
    `evaluate` and `predict`, which can also be iterated, indexed, pickled and deep-copied, and all
    take `workers`, `use_multiprocessing` and `max_queue_size`, by keyword, for it. With more than
    one worker, draws are not reproducible, and forked processes may repeat each other's, as in
    Keras.

    The arguments are Keras', with Keras' defaults. Images are transformed in this order: rotation,
    shifts, shear and zoom in one warp, channel shift, flips, brightness; then they are
    standardised: `preprocessing_function`, `rescale`, samplewise, featurewise, whitening.

    Args:
        featurewise_center: bool, subtract the mean that `fit` found for each channel.
        samplewise_center: bool, subtract from each image its own mean.
        featurewise_std_normalization: bool, divide by the standard deviation that `fit` found for
            each channel.
        samplewise_std_normalization: bool, divide each image by its own standard deviation.
        zca_whitening: bool, apply the ZCA whitening that `fit` found.
        zca_epsilon: float, added to the singular values in the whitening. Defaults to `1e-6`.
        rotation_range: number, largest rotation to either side, in degrees.
        width_shift_range: largest shift to either side: a float below 1 is a fraction of the size,
            a larger one pixels, an integer `n` draws from `range(n)` pixels, a list names the
            pixels to draw from, both with a random sign. Keras applies it to the other axis than
            the name says.
        height_shift_range: as `width_shift_range`.
        brightness_range: None, or two floats between which a factor for the brightness is drawn.
            Meant for images in 0 to 255.
        shear_range: number, largest shear angle to either side, in degrees.
        zoom_range: float `z`, for factors from `1 - z` to `1 + z`, or two floats, the smallest and
            the largest factor. Values below 1 enlarge. Each axis draws its own.
        channel_shift_range: number, the most that is added to or taken from all values.
        fill_mode: how to fill what the warp leaves empty: `"nearest"` (the default), `"constant"`
            (with `cval`), `"reflect"` or `"wrap"`.
        cval: number, the fill value of `fill_mode="constant"`.
        horizontal_flip: bool, mirror left and right in half of the draws.
        vertical_flip: bool, mirror top and bottom in half of the draws.
        rescale: None, or a factor for all values, such as `1 / 255`.
        preprocessing_function: None, or a function from an image, an array of shape
            `(height, width, channels)`, to one of the same shape; called after the transform.
        data_format: `"channels_last"` or `"channels_first"`; by default Keras' setting.
        validation_split: float below 1, the fraction of images in `subset="validation"`; 0 for no
            split.
        interpolation_order: int from 0 to 5, the order of the warp's spline.
        dtype: the dtype of batches; by default Keras' `floatx`, `"float32"`.

    Raises:
        ValueError: as in Keras, if `data_format`, `validation_split`, `zoom_range` or
            `brightness_range` is not of the form above.

    Example:
    >>> import pathlib, tempfile
    >>> from multiflow import MultiDirImageDataGenerator
    >>> from multiflow.samples import write_samples
    >>> folder = tempfile.TemporaryDirectory()
    >>> roots = write_samples(folder.name)
    >>> generator = MultiDirImageDataGenerator(rescale=1 / 255, validation_split=0.2)
    >>> train = generator.flow_from_directories(roots, target_size=(64, 64), subset="training")
    Found 228 images belonging to 3 classes in 2 directories.
    >>> images, labels = train[0]
    >>> images.shape, labels.shape
    ((32, 64, 64, 3), (32, 3))
    >>> folder.cleanup()

    Source: the behaviour of `keras.src.legacy.preprocessing.image`, Keras 3.0 and later.
    """

    def flow(
        self,
        x: Any,
        y: Any = None,
        batch_size: int = 32,
        shuffle: bool = True,
        sample_weight: Any = None,
        seed: int | None = None,
        save_to_dir: Any = None,
        save_prefix: str = "",
        save_format: str = "png",
        ignore_class_split: bool = False,
        subset: str | None = None,
        *,
        workers: int = 1,
        use_multiprocessing: bool = False,
        max_queue_size: int = 10,
    ) -> ArrayIterator:
        """Batches of transformed images from arrays, as Keras' `flow` gives them.

        Args:
            x: array of shape `(num_samples, height, width, channels)` (channels second with
                `data_format="channels_first"`), or a list of such an array and further inputs.
            y: None, or an array of `num_samples` labels.
            batch_size: int, the most samples in a batch.
            shuffle: bool, whether to shuffle the samples in each epoch.
            sample_weight: None, or an array of `num_samples` weights.
            seed: None, or the int from which NumPy's global generator is seeded for each batch.
            save_to_dir: None, or an existing folder to which the transformed images are written.
            save_prefix: str, the beginning of the names of these files.
            save_format: str, the format of these files.
            ignore_class_split: bool, whether a split may put classes into one subset only.
            subset: None, `"training"` or `"validation"`: the first `validation_split` of the
                samples are for validation.
            workers: int, how many threads or processes `fit` uses to fetch batches.
            use_multiprocessing: bool, whether these are processes.
            max_queue_size: int, how many batches `fit` keeps ready.

        Returns:
            An iterator, an instance of Keras' `NumpyArrayIterator`. A batch is `images`,
            `(images, labels)` or `(images, labels, weights)`; the images have the generator's
            dtype and the shape `(batch_size, height, width, channels)`.

        Raises:
            ValueError: as in Keras, if lengths differ, `x` is not of rank 4, or `subset` is
                unknown or divides the classes.
        """
        iterator = super().flow(
            x,
            y=y,
            batch_size=batch_size,
            shuffle=shuffle,
            sample_weight=sample_weight,
            seed=seed,
            save_to_dir=save_to_dir,
            save_prefix=save_prefix,
            save_format=save_format,
            ignore_class_split=ignore_class_split,
            subset=subset,
        )
        return ArrayIterator.from_keras(
            iterator,
            workers=workers,
            use_multiprocessing=use_multiprocessing,
            max_queue_size=max_queue_size,
        )

    def flow_from_directory(
        self,
        directory: Any,
        target_size: tuple[int, int] = (256, 256),
        color_mode: str = "rgb",
        classes: Any = None,
        class_mode: str | None = "categorical",
        batch_size: int = 32,
        shuffle: bool = True,
        seed: int | None = None,
        save_to_dir: Any = None,
        save_prefix: str = "",
        save_format: str = "png",
        follow_links: bool = False,
        subset: str | None = None,
        interpolation: str = "nearest",
        keep_aspect_ratio: bool = False,
        *,
        workers: int = 1,
        use_multiprocessing: bool = False,
        max_queue_size: int = 10,
    ) -> DirectoryIterator:
        """Batches of transformed images from one folder, as Keras' `flow_from_directory` does.

        For several folders, or for checks that Keras leaves out, see `flow_from_directories`,
        which explains the arguments.

        Args:
            directory: the root, which holds one folder per class.
            target_size: two ints, (height, width).
            color_mode: `"rgb"`, `"rgba"` or `"grayscale"`.
            classes: None, or a list of class folders in the order of their labels.
            class_mode: `"categorical"`, `"binary"`, `"sparse"`, `"input"` or None.
            batch_size: int, the most images in a batch.
            shuffle: bool, whether to shuffle the images in each epoch.
            seed: None, or the int from which NumPy's global generator is seeded for each batch.
            save_to_dir: None, or an existing folder to which the transformed images are written.
            save_prefix: str, the beginning of the names of these files.
            save_format: str, the format of these files.
            follow_links: bool, whether to enter links to folders inside class folders.
            subset: None, `"training"` or `"validation"`.
            interpolation: str, how images are resized.
            keep_aspect_ratio: bool, whether images are cropped to the target's ratio first.
            workers: int, how many threads or processes `fit` uses to fetch batches.
            use_multiprocessing: bool, whether these are processes.
            max_queue_size: int, how many batches `fit` keeps ready.

        Returns:
            An iterator, an instance of Keras' `DirectoryIterator`.

        Raises:
            ValueError: as in Keras, if `color_mode`, `class_mode` or `subset` is unknown.
            FileNotFoundError: as in Keras, if `directory` is missing and `classes` is None.
        """
        return DirectoryIterator(
            directory,
            self,
            target_size=target_size,
            color_mode=color_mode,
            classes=classes,
            class_mode=class_mode,
            data_format=self.data_format,
            batch_size=batch_size,
            shuffle=shuffle,
            seed=seed,
            save_to_dir=save_to_dir,
            save_prefix=save_prefix,
            save_format=save_format,
            follow_links=follow_links,
            subset=subset,
            interpolation=interpolation,
            keep_aspect_ratio=keep_aspect_ratio,
            dtype=self.dtype,
            workers=workers,
            use_multiprocessing=use_multiprocessing,
            max_queue_size=max_queue_size,
        )

    def flow_from_directories(
        self,
        directories: Any,
        target_size: tuple[int, int] = (256, 256),
        color_mode: str = "rgb",
        classes: Any = None,
        class_mode: str | None = "categorical",
        batch_size: int = 32,
        shuffle: bool = True,
        seed: int | None = None,
        save_to_dir: Any = None,
        save_prefix: str = "",
        save_format: str = "png",
        follow_links: bool = False,
        subset: str | None = None,
        interpolation: str = "nearest",
        keep_aspect_ratio: bool = False,
        *,
        workers: int = 1,
        use_multiprocessing: bool = False,
        max_queue_size: int = 10,
    ) -> MultiDirectoryIterator:
        """Batches of transformed images from several folders, read as one data set.

        Use it when images of the same classes come from several places; nothing is copied or
        moved:

        ```
        clinic_a/            clinic_b/
            benign/              benign/
                1.png                1.png
                2.png            unclear/
            malignant/               7.png
                3.png
        ```

        The classes of these two roots are benign, malignant and unclear, with the labels 0, 1 and
        2 in both. The images are ordered by root, as given, then by class, then by path, and each
        root is listed as Keras lists it. With one root, everything equals `flow_from_directory`,
        but for the checks.

        Args:
            directories: the roots: a sequence of paths (str or PathLike), or a mapping from source
                name to path. Each root holds one folder per class; no root needs all of them.
            target_size: two ints, (height, width), to which the images are resized.
            color_mode: `"rgb"`, `"rgba"` or `"grayscale"`: how the images are read, as 3, 4 or 1
                channels.
            classes: None for the sorted union of the class folders of all roots, or a list of
                folder names in the order of their labels. An entry of the list may be a list of
                folders that share one label, named after the first:
                `[["dogs", "wolves"], "cats"]`. Or a mapping from class name to folders:
                `{"canine": ["dogs", "wolves"], "feline": ["cats", "Katzen"]}`. The images of
                merged folders are ordered as their folders are given.
            class_mode: the labels of a batch: `"categorical"` one-hot, shape
                `(batch_size, num_classes)`; `"sparse"` or `"binary"` numbers, shape
                `(batch_size,)`; `"input"` the images themselves; None no labels at all.
            batch_size: int, the most images in a batch; the last of an epoch may be smaller.
            shuffle: bool, whether to shuffle the images in each epoch.
            seed: None, or the int from which NumPy's global generator is seeded for each batch.
            save_to_dir: None, or an existing folder to which the transformed images are written.
            save_prefix: str, the beginning of the names of these files.
            save_format: str, the format of these files.
            follow_links: bool, whether to enter symbolic links to folders inside class folders.
                Links to files, and links in the place of class folders, are always followed.
            subset: None for all images, or `"training"` or `"validation"`. The first
                `validation_split` of the images of each class folder in each root, rounded down,
                are for validation, so that every source is in both subsets, unless all of its
                class folders are too small, which is a warning.
            interpolation: str, how images are resized: `"nearest"`, `"bilinear"`, `"bicubic"`,
                `"hamming"`, `"box"` or `"lanczos"`.
            keep_aspect_ratio: bool, whether images are cropped in their centre to the ratio of
                `target_size` before they are resized.
            workers: int, how many threads or processes `fit` uses to fetch batches.
            use_multiprocessing: bool, whether these are processes.
            max_queue_size: int, how many batches `fit` keeps ready.

        Returns:
            An iterator, an instance of Keras' `DirectoryIterator`, whose batches are `images` or
            `(images, labels)`; images have the generator's dtype and the shape
            `(batch_size, height, width, channels)`. It has Keras' attributes, with `directory` the
            deepest common parent of the roots and `filenames` relative to it. A single root is
            kept as given; several are made absolute. New are:

            - `directories`, `source_names`: the roots and their names; a root without a given
              name is named by its path below the common parent;
            - `source_indices`: int32 array of shape `(samples,)`, the root of each image;
            - `class_weight`: dict that balances the classes, for `fit`;
            - `summary()`: a table, how many images of each class each source holds.

        Raises:
            TypeError: if `directories` is a single path, or it or `classes` has another form.
            FileNotFoundError: if a root or `save_to_dir` does not exist.
            NotADirectoryError: if a root is a file.
            ValueError: if there is no root, if one is given twice or lies in another, if no root
                holds an image of the classes, if `subset` is empty, if `classes` names a folder
                twice or with its path, or if another argument is none of the above.

        Warns:
            UserWarning: of a named folder that is in no root, of a hidden folder that became a
                class, of a root without any image, or without any in the subset, and of a folder
                that cannot be read.

        Example:
        >>> import pathlib, tempfile
        >>> from PIL import Image
        >>> folder = tempfile.TemporaryDirectory()
        >>> for name in ["a/cats/1.png", "a/dogs/1.png", "b/wolves/1.png"]:
        ...     path = pathlib.Path(folder.name, name)
        ...     path.parent.mkdir(parents=True, exist_ok=True)
        ...     Image.new("RGB", (8, 8)).save(path)
        >>> iterator = MultiDirImageDataGenerator().flow_from_directories(
        ...     [f"{folder.name}/a", f"{folder.name}/b"],
        ...     classes={"cat": ["cats"], "canine": ["dogs", "wolves"]},
        ...     target_size=(8, 8),
        ... )
        Found 3 images belonging to 2 classes in 2 directories.
        >>> iterator.filenames
        ['a/cats/1.png', 'a/dogs/1.png', 'b/wolves/1.png']
        >>> iterator.summary()
        class   a  b  total
        cat     1  0      1
        canine  1  1      2
        total   2  1      3
        >>> iterator.class_weight
        {0: 1.5, 1: 0.75}
        >>> folder.cleanup()
        """
        return MultiDirectoryIterator(
            directories,
            self,
            target_size=target_size,
            color_mode=color_mode,
            classes=classes,
            class_mode=class_mode,
            data_format=self.data_format,
            batch_size=batch_size,
            shuffle=shuffle,
            seed=seed,
            save_to_dir=save_to_dir,
            save_prefix=save_prefix,
            save_format=save_format,
            follow_links=follow_links,
            subset=subset,
            interpolation=interpolation,
            keep_aspect_ratio=keep_aspect_ratio,
            dtype=self.dtype,
            workers=workers,
            use_multiprocessing=use_multiprocessing,
            max_queue_size=max_queue_size,
        )

    def flow_from_dataframe(
        self,
        dataframe: Any,
        directory: Any = None,
        x_col: str = "filename",
        y_col: Any = "class",
        weight_col: str | None = None,
        target_size: tuple[int, int] = (256, 256),
        color_mode: str = "rgb",
        classes: Any = None,
        class_mode: str | None = "categorical",
        batch_size: int = 32,
        shuffle: bool = True,
        seed: int | None = None,
        save_to_dir: Any = None,
        save_prefix: str = "",
        save_format: str = "png",
        subset: str | None = None,
        interpolation: str = "nearest",
        validate_filenames: bool = True,
        *,
        workers: int = 1,
        use_multiprocessing: bool = False,
        max_queue_size: int = 10,
        **kwargs: Any,
    ) -> DataFrameIterator:
        """Batches of transformed images from files that a pandas dataframe names, as in Keras.

        Args:
            dataframe: pandas dataframe with one row per image.
            directory: None, or the folder to which the names in `x_col` are relative.
            x_col: str, the column of file names.
            y_col: str or list of str, the column or columns of labels.
            weight_col: None, or the column of sample weights.
            target_size: two ints, (height, width).
            color_mode: `"rgb"`, `"rgba"` or `"grayscale"`.
            classes: None, or a list of class names in the order of their labels.
            class_mode: `"categorical"`, `"binary"`, `"sparse"`, `"input"`, `"multi_output"`,
                `"raw"` or None.
            batch_size: int, the most images in a batch.
            shuffle: bool, whether to shuffle the images in each epoch.
            seed: None, or the int from which NumPy's global generator is seeded for each batch.
            save_to_dir: None, or an existing folder to which the transformed images are written.
            save_prefix: str, the beginning of the names of these files.
            save_format: str, the format of these files.
            subset: None, `"training"` or `"validation"`: the first `validation_split` of the rows
                are for validation.
            interpolation: str, how images are resized.
            validate_filenames: bool, whether to leave out, with a warning, rows without a file.
            workers: int, how many threads or processes `fit` uses to fetch batches.
            use_multiprocessing: bool, whether these are processes.
            max_queue_size: int, how many batches `fit` keeps ready.
            **kwargs: arguments that Keras knows as deprecated. Like Keras, it ignores others.

        Returns:
            An iterator, an instance of Keras' `DataFrameIterator`.

        Raises:
            ValueError: as in Keras, if `class_mode`, `color_mode` or `subset` is unknown.
            TypeError: as in Keras, if a column has another type than `class_mode` needs.
        """
        iterator = super().flow_from_dataframe(
            dataframe,
            directory=directory,
            x_col=x_col,
            y_col=y_col,
            weight_col=weight_col,
            target_size=target_size,
            color_mode=color_mode,
            classes=classes,
            class_mode=class_mode,
            batch_size=batch_size,
            shuffle=shuffle,
            seed=seed,
            save_to_dir=save_to_dir,
            save_prefix=save_prefix,
            save_format=save_format,
            subset=subset,
            interpolation=interpolation,
            validate_filenames=validate_filenames,
            **kwargs,
        )
        return DataFrameIterator.from_keras(
            iterator,
            workers=workers,
            use_multiprocessing=use_multiprocessing,
            max_queue_size=max_queue_size,
        )
