"""The flow of arrays of images and masks; both are transformed with the same parameters."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import keras

from multiflow.augment.transformer import Transformer, check_fill_value
from multiflow.flows.batch import Contents
from multiflow.flows.flow import Flow
from multiflow.flows.masks import MaskOptions, check_distinct, masks_of
from multiflow.flows.options import Batching, Saving, Workers
from multiflow.flows.targets import Items, Target
from multiflow.flows.weights import weights_of
from multiflow.images.arrays import (
    LazyArray,
    as_lazy,
    check_array,
    check_length,
    check_unmasked,
)
from multiflow.images.reading import check_interpolation, check_target_size
from multiflow.images.resize import Resized
from multiflow.index.splitting import Split, check_not_empty, choose_subset
from multiflow.structures import leaves


class SegmentationIterator(Flow):
    """Batches of images and masks; `flow_segmentation` makes it and explains its arguments."""

    def __init__(
        self,
        x: Any,
        y: Any,
        image_data_generator: Transformer,
        *,
        sample_weight: Any,
        subset: str | None,
        target_size: Any,
        interpolation: Any,
        masks: MaskOptions,
        batching: Batching,
        saving: Saving,
        workers: Workers,
    ) -> None:
        self.image_data_generator = image_data_generator
        self.data_format = image_data_generator.data_format
        self.dtype = image_data_generator.dtype
        self.save_to_dir = saving.save_to_dir
        self.save_prefix = saving.save_prefix
        self.save_format = saving.save_format
        self.y = y
        self.sample_weight = sample_weight
        if target_size is not None:
            check_target_size(target_size)
        check_interpolation(interpolation)
        batching.check()
        saving.check()
        if masks.fill_mode is None:
            masks = replace(masks, fill_mode=image_data_generator.fill_mode)
        masks.check()
        check_fill_value(image_data_generator)
        self.mask_fill_mode = masks.fill_mode
        images, self.x_misc = split_inputs(x)
        check_images(images, image_data_generator, saving.save_to_dir)
        channels_first = self.data_format == "channels_first"

        def resize(array: LazyArray, interpolation: str = "nearest") -> LazyArray:
            if target_size is None:
                return array
            return Resized(array, target_size, interpolation, channels_first=channels_first)

        self.x = images if target_size is None else resize(as_lazy(images), interpolation)
        self._masks = masks_of(
            y,
            images,
            resize,
            masks,
            channels_first=channels_first,
            one_hot_dtype=self.dtype,
        )
        if sample_weight is not None:
            # Where a constant fills the image or the mask, the weight is 0.
            has_constant = "constant" in (image_data_generator.fill_mode, masks.fill_mode)
            fill_mode = "constant" if has_constant else masks.fill_mode
            self._weights = weights_of(
                sample_weight, y, images, resize, fill_mode, channels_first=channels_first
            )
        if saving.save_to_dir:
            check_distinct(self._masks)
        self.n = len(images)
        self._take_subset(subset)
        super().__init__(self.n, batching, workers)

    @property
    def _contents(self) -> Contents:
        targets: list[Target] = [self._masks.with_fill_mode(self.mask_fill_mode)]
        if self.sample_weight is not None:
            targets.append(self._weights)
        extras = [Items(as_lazy(extra)) for extra in self.x_misc]
        contents = Contents(as_lazy(self.x), targets, extras, tuple)
        return contents if self._rows is None else contents.take(self._rows)

    def _take_subset(self, subset: str | None) -> None:
        """Keeps the samples of the subset."""
        self.subset = subset
        split = Split.of(self.image_data_generator)
        positions = choose_subset(split, subset, self.n)
        check_not_empty(subset, len(positions), self.n, split.reason)
        if subset is not None:
            self._take(positions)

    def _described(self) -> list[str]:
        num_masks = len(self._masks.arrays)
        return [*super()._described(), "masks" if num_masks == 1 else f"{num_masks} masks each"]


def split_inputs(x: Any) -> tuple[Any, list[Any]]:
    """Splits `x`, an array, list or tuple, into the images and the further inputs."""
    if not isinstance(x, (list, tuple)):
        return x, []
    if not x or len(getattr(x[0], "shape", ())) != 4:
        raise ValueError(
            "A list in `x` must be the images, an array of rank 4, followed by further inputs. "
            f"Received a list of {len(x)} items. Stack a list of images with np.stack."
        )
    extras = [(f"x[{n}]", part) for n, part in enumerate(x) if n]
    extras = [leaf for name, part in extras for leaf in leaves(part, name)]
    for name, extra in extras:
        if not all(hasattr(extra, part) for part in ("shape", "__len__", "__getitem__")):
            raise TypeError(
                "The further inputs in `x` must be arrays with one item per image. Received "
                f"{type(extra).__name__} as `{name}`."
            )
        check_unmasked(f"`{name}`", extra)
        check_length(name, extra, len(x[0]))
    return x[0], [extra for _, extra in extras]


def check_images(images: Any, generator: Transformer, save_to_dir: Any) -> None:
    """Refuses images that the generator cannot transform, or that `save_to_dir` cannot save."""
    channels_first = generator.data_format == "channels_first"
    form = "channels, height, width" if channels_first else "height, width, channels"
    check_array("x", images, {4: f"(num_samples, {form})"})
    num_channels = images.shape[generator.channel_axis]
    if save_to_dir and num_channels not in (1, 3, 4):
        raise ValueError(
            "`save_to_dir` saves images of 1, 3 or 4 channels, as image files hold. "
            f"Received {num_channels} channels. Leave `save_to_dir` out."
        )
    brightens_as_keras = generator.brightness_range is not None and not generator.corrected
    if brightens_as_keras and (
        num_channels not in (1, 3, 4) or generator.data_format != keras.config.image_data_format()
    ):
        raise ValueError(
            "`brightness_range` needs images of 1, 3 or 4 channels in Keras' default data format, "
            f"{keras.config.image_data_format()!r}. Received {num_channels} channels in "
            f"{generator.data_format!r}. Set corrected=True in the generator."
        )
