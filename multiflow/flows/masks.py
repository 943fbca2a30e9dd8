"""Masks and weights of a sample: how they are checked, warped with the image and delivered."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from PIL import Image

from multiflow import _checks
from multiflow.augment.draws import Samples
from multiflow.augment.steps import one_hot, take_pixels
from multiflow.flows import _array_checks
from multiflow.parallel import is_in_memory, reads_in_threads
from multiflow.structures import leaves, spread


class _Source:
    """An array of masks or weights, whose samples are checked when they are read."""

    def __init__(self, name: str, array: Any) -> None:
        self.name = name
        self.array = array

    @property
    def reads_in_threads(self) -> bool:
        """Whether several samples can be read at once."""
        return reads_in_threads(self.array)

    def __getitem__(self, index: int) -> np.ndarray:
        raise NotImplementedError

    def move(self, sample: np.ndarray, positions: Any) -> np.ndarray:
        """A sample with the pixels at `positions`."""
        raise NotImplementedError

    def _can_be_wrong(self) -> bool:
        """Whether reading a sample can show an error that shape and dtype do not."""
        return self.array.dtype.kind == "f"

    def check_all(self) -> None:
        """Reads all samples for their errors; for arrays in memory, where this is fast."""
        if self._can_be_wrong():
            for index in range(len(self.array)):
                self[index]


class MaskSource(_Source):
    """One array of masks, from the user's array to the batch.

    Args:
        name: what errors call the array, such as `y` or `y['cell']`.
        array: masks of shape `(num_samples, height, width)`, or with a channel axis.
        cval: the value of pixels outside the image.
        num_classes: None, or the number of classes for one-hot masks.
        function: None, or what is called with each warped mask.
        channels_first: whether a channel axis comes before the rows.
        dtype: the dtype of one-hot masks.
    """

    def __init__(
        self,
        name: str,
        array: Any,
        *,
        cval: Any,
        num_classes: int | None,
        function: Callable[[np.ndarray], np.ndarray] | None,
        channels_first: bool,
        dtype: Any,
    ) -> None:
        super().__init__(name, array)
        self.suffix = re.sub(r"\W+", "_", name.removeprefix("y")).rstrip("_")
        self._cval = cval
        self._num_classes = num_classes
        self._function = function
        self._channels_first = channels_first
        self._dtype = dtype

    def __getitem__(self, index: int) -> np.ndarray:
        """The mask of one sample, checked; errors name the sample."""
        mask = np.asarray(self.array[index])
        if mask.dtype.kind == "f" and np.isnan(mask).any():
            raise ValueError(
                f"`{self.name}` holds NaN in {self._where(index)}. Masks must be numbers; replace "
                "NaN, or leave the pixels out of the loss with a `sample_weight` of 0."
            )
        if not self._function:
            self._check_classes(mask, index)
        return mask

    def _can_be_wrong(self) -> bool:
        return super()._can_be_wrong() or bool(self._num_classes)

    def move(self, sample: np.ndarray, positions: Any) -> np.ndarray:
        """A mask with the pixels at `positions`; outside, `cval`."""
        return take_pixels(sample, positions, self._cval, channels_first=self._channels_first)

    def deliver(self, warped: Sequence[np.ndarray], samples: Samples) -> np.ndarray:
        """The warped masks of some samples as the batch that the model gets."""
        return np.stack([self._finish(*pair) for pair in zip(warped, samples, strict=True)])

    def save(self, mask: np.ndarray, path: str) -> None:
        """Writes a warped mask without loss: as PNG if that holds its values, else as `.npy`.

        Args:
            mask: the mask.
            path: the file to write, without its extension.
        """
        channel_axis = 0 if self._channels_first else 2
        is_plane = mask.ndim == 2 or mask.shape[channel_axis] == 1
        if is_plane and mask.dtype.kind in "biu" and 0 <= mask.min() <= mask.max() < 2**16:
            plane = mask.squeeze(channel_axis) if mask.ndim == 3 else mask
            if mask.dtype.kind != "b":
                plane = plane.astype(np.uint8 if mask.max() < 2**8 else np.uint16)
            Image.fromarray(plane).save(f"{path}.png")
        else:
            np.save(f"{path}.npy", mask)

    def _finish(self, mask: np.ndarray, index: int) -> np.ndarray:
        if self._function:
            mask = np.asarray(self._function(mask))
            if mask.dtype.kind not in "biuf":
                raise TypeError(
                    "`mask_preprocessing_function` must return an array of numbers. It returned "
                    f"dtype {mask.dtype}; does it end with `return`?"
                )
            self._check_classes(mask, index)
        if self._num_classes is None:
            return mask
        return one_hot(
            mask.astype(np.intp),
            self._num_classes,
            self._dtype,
            channels_first=self._channels_first,
        )

    def _where(self, index: int) -> str:
        paths = getattr(self.array, "paths", None)
        return f"sample {index}" if paths is None else repr(paths[index])

    def _check_classes(self, mask: np.ndarray, index: int) -> None:
        if self._num_classes is None:
            return
        if mask.ndim == 3 and mask.shape[0 if self._channels_first else 2] != 1:
            raise ValueError(
                "`num_classes` makes a channel of each class and needs masks without channels. "
                f"`{self.name}` has, as the model would get it, the shape {mask.shape}."
            )
        wrong = mask[(mask < 0) | (mask >= self._num_classes) | (mask % 1 != 0)]
        if wrong.size:
            raise ValueError(
                f"`{self.name}` holds the value {wrong.flat[0]} in {self._where(index)}, but "
                f"num_classes={self._num_classes} allows the integers 0 to "
                f"{self._num_classes - 1}. Map the values, for example with "
                "`mask_preprocessing_function`."
            )


class WeightSource(_Source):
    """One array of weights: a number per sample, or a map per sample that is warped like a mask.

    Args:
        name: what errors call the array.
        array: weights of shape `(num_samples,)` or `(num_samples, height, width)`.
    """

    def __init__(self, name: str, array: Any) -> None:
        super().__init__(name, array)
        self.is_map = len(array.shape) == 3

    def __getitem__(self, index: int) -> np.ndarray:
        """The weights of one sample, checked."""
        weights = np.asarray(self.array[index])
        if weights.dtype.kind == "f" and np.isnan(weights).any():
            raise ValueError(f"`{self.name}` holds NaN in sample {index}. Replace it with 0.")
        return weights

    def move(self, sample: np.ndarray, positions: Any) -> np.ndarray:
        """A map with the pixels at `positions`; a number, which needs none, of shape `(1, 1)`."""
        if self.is_map:
            return take_pixels(sample, positions, 0)
        # Keras multiplies weights with losses of shape (batch, height, width).
        return sample.reshape(1, 1)


def mask_sources(
    y: Any,
    images: Any,
    resized: Callable[[Any], Any],
    *,
    fill_mode: str,
    cval: Any,
    num_classes: Any,
    channels_first: bool,
    **options: Any,
) -> list[MaskSource]:
    """The arrays of masks in `y`, checked against the images.

    Args:
        y: an array of masks, or a list, tuple or dict of them.
        images: the array of images.
        resized: what gives an array its target size.
        fill_mode: how masks are filled.
        cval: the value of pixels outside the image.
        num_classes: None, or the number of classes, or a structure of these like `y`.
        channels_first: whether a channel axis comes before the rows.
        options: the other arguments of `MaskSource`.
    """
    sources = []
    named = leaves(y, "y")
    if not named:
        raise ValueError(f"`y` must hold masks. Received: {y!r}")
    for (name, masks), classes in zip(named, spread(num_classes, y, "num_classes"), strict=True):
        _array_checks.check_masks(name, masks, images, channels_first=channels_first)
        _array_checks.check_fill_value(name, masks, cval)
        if classes is not None:
            _checks.check_positive("num_classes", classes)
            if fill_mode == "constant" and not options["function"]:
                _array_checks.check_fill_class(cval, classes)
        source = MaskSource(
            name,
            masks,
            cval=cval,
            num_classes=classes,
            channels_first=channels_first,
            **options,
        )
        if is_in_memory(masks):
            source.check_all()
        source.array = resized(masks)
        sources.append(source)
    return sources


def weight_sources(
    sample_weight: Any,
    y: Any,
    images: Any,
    resized: Callable[[Any], Any],
    *,
    channels_first: bool,
) -> list[WeightSource]:
    """The arrays of weights in `sample_weight`, checked against the images and the form of `y`."""
    spread(sample_weight, y, "sample_weight")
    sources = []
    for name, weights in leaves(sample_weight, "sample_weight"):
        _array_checks.check_weights(name, weights, images, channels_first=channels_first)
        source = WeightSource(name, weights)
        if is_in_memory(weights):
            source.check_all()
        if source.is_map:
            source.array = resized(weights)
        sources.append(source)
    return sources
