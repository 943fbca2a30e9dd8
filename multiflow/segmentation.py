"""Images and masks together: one draw per pair, applied to both."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
from keras.utils import PyDataset

from multiflow import _array_checks, _checks, _keras
from multiflow.index import subset_range
from multiflow.iterators import PortableIterator
from multiflow.masks import MaskSource, mask_sources, weight_sources
from multiflow.resize import Resized
from multiflow.structures import rebuild
from multiflow.transforms import source_positions, transform_image


class SegmentationIterator(PortableIterator):
    """Batches of images and masks; `flow_segmentation` makes it and explains its arguments."""

    def __init__(
        self,
        x: Any,
        y: Any,
        image_data_generator: _keras.ImageDataGenerator,
        *,
        batch_size: int,
        shuffle: bool,
        sample_weight: Any,
        seed: int | None,
        save_to_dir: Any,
        save_prefix: str,
        save_format: str,
        subset: str | None,
        target_size: tuple[int, int] | None,
        interpolation: str,
        mask_fill_mode: str | None,
        mask_cval: Any,
        num_classes: Any,
        mask_preprocessing_function: Callable[[np.ndarray], np.ndarray] | None,
        workers: int = 1,
        use_multiprocessing: bool = False,
        max_queue_size: int = 10,
    ) -> None:
        self.image_data_generator = image_data_generator
        self.data_format = image_data_generator.data_format
        self.dtype = image_data_generator.dtype
        self.save_to_dir = save_to_dir
        self.save_prefix = save_prefix
        self.save_format = save_format
        self.mask_fill_mode = mask_fill_mode or image_data_generator.fill_mode
        # Where an image or a mask was made up, its loss does not count.
        made_up = "constant" in (image_data_generator.fill_mode, self.mask_fill_mode)
        self._weight_fill_mode = "constant" if made_up else self.mask_fill_mode
        self.y = y
        self.sample_weight = sample_weight
        _checks.check_batch_arguments(
            target_size=target_size,
            optional_size=True,
            interpolation=interpolation,
            batch_size=batch_size,
            seed=seed,
            save_to_dir=save_to_dir,
            save_format=save_format,
        )
        _array_checks.check_fill_mode(self.mask_fill_mode)
        _array_checks.check_function(mask_preprocessing_function)
        images, self.x_misc = _array_checks.split_inputs(x)
        _array_checks.check_images(images, image_data_generator, save_to_dir)
        channels_first = self.data_format == "channels_first"

        def resized(array: Any, interpolation: str = "nearest") -> Any:
            if target_size is None:
                return array
            return Resized(array, target_size, interpolation, channels_first=channels_first)

        self.x = resized(images, interpolation)
        self._size = _array_checks.image_size(self.x.shape, channels_first)
        self._masks = mask_sources(
            y,
            images,
            resized,
            fill_mode=self.mask_fill_mode,
            cval=mask_cval,
            num_classes=num_classes,
            channels_first=channels_first,
            function=mask_preprocessing_function,
            dtype=self.dtype,
        )
        self._weights = (
            weight_sources(sample_weight, y, images, resized, channels_first=channels_first)
            if sample_weight is not None
            else []
        )
        if save_to_dir:
            _array_checks.check_distinct([masks.suffix for masks in self._masks])
        self._samples = self._subset(subset)
        _keras.Iterator.__init__(self, len(self._samples), batch_size, shuffle, seed)
        PyDataset.__init__(self, workers, use_multiprocessing, max_queue_size)

    def __getitem__(self, idx: int) -> tuple[Any, ...]:
        """The batch at a position of the epoch; negative ones count from its end."""
        if idx < -len(self):
            raise ValueError(f"There is no batch {idx}; an epoch has {len(self)}.")
        return super().__getitem__(idx + len(self) if idx < 0 else idx)

    def _subset(self, subset: str | None) -> range:
        self.subset = subset
        _array_checks.check_subset(subset)
        validation_split = self.image_data_generator._validation_split
        samples = subset_range(len(self.x), subset, validation_split)
        _array_checks.check_not_empty(len(samples), len(self.x), subset, validation_split)
        return samples

    def _get_batches_of_transformed_samples(self, index_array: np.ndarray) -> tuple[Any, ...]:
        samples = [self._samples[index] for index in index_array]
        images, draws = self._transform_images(samples)
        positions = self._positions(draws, self.mask_fill_mode)
        warped = [masks.warp(samples, positions) for masks in self._masks]
        if self.save_to_dir:
            self._save(images, warped, index_array)
        inputs = (images, *(_take(extra, samples) for extra in self.x_misc))
        # Last, so that what a `mask_preprocessing_function` draws leaves the images alone.
        targets = map(MaskSource.deliver, self._masks, warped, itertools.repeat(samples))
        batch = (inputs if self.x_misc else images, rebuild(self.y, targets))
        if self.sample_weight is None:
            return batch
        if self._weight_fill_mode != self.mask_fill_mode:
            positions = self._positions(draws, self._weight_fill_mode)
        weights = (weights.deliver(samples, positions) for weights in self._weights)
        return (*batch, rebuild(self.sample_weight, weights))

    def _transform_images(self, samples: Sequence[int]) -> tuple[np.ndarray, list[dict[str, Any]]]:
        """The images of a batch, and what was drawn for each, in Keras' order of draws."""
        images = np.zeros((len(samples), *self.x.shape[1:]), self.dtype)
        draws = []
        for position, sample in enumerate(samples):
            image = np.asarray(self.x[sample])
            draws.append(self.image_data_generator.get_random_transform(image.shape))
            images[position] = transform_image(self.image_data_generator, image, draws[-1])
        return images, draws

    def _positions(self, draws: Sequence[dict[str, Any]], fill_mode: str) -> list[np.ndarray]:
        return [
            source_positions(self.image_data_generator, self._size, parameters, fill_mode)
            for parameters in draws
        ]

    def _save(
        self,
        images: np.ndarray,
        warped: Sequence[Sequence[np.ndarray]],
        index_array: np.ndarray,
    ) -> None:
        """Saves images as Keras does, and masks under the same names."""
        for position, index in enumerate(index_array):
            name = f"{self.save_prefix}_{index}_{np.random.randint(10_000)}"
            stem = os.path.join(self.save_to_dir, name)
            picture = keras.utils.array_to_img(images[position], self.data_format, scale=True)
            picture.save(f"{stem}.{self.save_format}")
            for source, masks in zip(self._masks, warped, strict=True):
                source.save(masks[position], f"{stem}_mask{source.suffix}")


def _take(array: Any, samples: Sequence[int]) -> np.ndarray:
    return np.stack([np.asarray(array[sample]) for sample in samples])
