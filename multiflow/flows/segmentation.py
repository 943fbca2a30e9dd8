"""Images and masks together: one draw per pair, applied to both."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from multiflow import _checks
from multiflow.augment.draws import Parameters, Samples
from multiflow.augment.steps import Transformer, is_overridden, source_positions
from multiflow.flows import _array_checks
from multiflow.flows.batch import save_images, useful_threads
from multiflow.flows.masks import MaskSource, mask_sources, weight_sources
from multiflow.flows.presenting import PresentableIterator
from multiflow.images.resize import Resized
from multiflow.index.splitting import Split, choose_subset
from multiflow.parallel import read_all, run_all
from multiflow.structures import leaves, rebuild


class SegmentationIterator(PresentableIterator):
    """Batches of images and masks; `flow_segmentation` makes it and explains its arguments."""

    def __init__(
        self,
        x: Any,
        y: Any,
        image_data_generator: Transformer,
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
        **parallelism: Any,
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
        super().__init__(len(self._samples), batch_size, shuffle, seed, **parallelism)

    def __getitem__(self, idx: int) -> tuple[Any, ...]:
        """The batch at a position of the epoch; negative ones count from its end."""
        if idx < -len(self):
            raise ValueError(f"There is no batch {idx}; an epoch has {len(self)}.")
        return super().__getitem__(idx + len(self) if idx < 0 else idx)

    def _subset(self, subset: str | None) -> np.ndarray:
        self.subset = subset
        split = Split.of(self.image_data_generator)
        samples = choose_subset(split, subset, len(self.x))
        _checks.check_not_empty(subset, len(samples), len(self.x), split.reason)
        return samples

    def _batch(self, index_array: np.ndarray, epoch: int) -> tuple[Any, ...]:
        _, samples = self._images_at(index_array)
        images, drawn = self._transform(index_array, epoch, self.dtype)
        moved = self._move(samples, drawn)
        masks, weights = moved[: len(self._masks)], moved[len(self._masks) :]
        if self.save_to_dir:
            self._save(images, masks, index_array, epoch)
        inputs = (images, *(_take(extra, samples) for extra in self.x_misc))
        # Last, so that what a `mask_preprocessing_function` draws leaves the images alone.
        targets = map(MaskSource.deliver, self._masks, masks, itertools.repeat(samples))
        batch = (inputs if self.x_misc else images, rebuild(self.y, targets))
        if self.sample_weight is None:
            return batch
        return (*batch, rebuild(self.sample_weight, map(np.stack, weights)))

    def _images_at(self, index_array: np.ndarray) -> tuple[Any, Samples]:
        return self.x, self._samples[index_array].tolist()

    def _contents(self) -> list[str]:
        masks = "masks" if len(self._masks) == 1 else f"{len(self._masks)} masks each"
        return [*super()._contents(), masks]

    def caption(self, index: int) -> str:
        """The position of the sample in `x` and `y`."""
        return f"sample {self._samples[index]}"

    def _masks_in(self, batch: Any) -> list[tuple[str, np.ndarray]]:
        masks = (array for _, array in leaves(batch[1], "y"))
        kinds = (source.suffix.strip("_") for source in self._masks)
        return list(zip(kinds, masks, strict=True))

    def _move(self, samples: Samples, drawn: Sequence[Parameters | None]) -> list[list[np.ndarray]]:
        """The masks and weights of a batch, moved as their images; a list of them per source."""
        sources = [*self._masks, *self._weights]
        fill_modes = [self.mask_fill_mode for _ in self._masks] + [
            self._weight_fill_mode if weights.is_map else None for weights in self._weights
        ]
        threads = useful_threads(self.image_data_generator, self.x, drawn)
        still = [read_all(source, samples, threads) for source in sources]

        def move(position: int) -> list[np.ndarray]:
            positions = {
                fill_mode: source_positions(
                    self.image_data_generator, self._size, drawn[position], fill_mode
                )
                for fill_mode in set(fill_modes) - {None}
            }
            return [
                source.move(arrays[position], positions.get(fill_mode))
                for source, arrays, fill_mode in zip(sources, still, fill_modes, strict=True)
            ]

        # An overridden `apply_transform` may not be safe in threads.
        in_threads = not is_overridden(self.image_data_generator, "apply_transform")
        moved = run_all(move, range(len(samples)), threads if in_threads else 1)
        return [list(arrays) for arrays in zip(*moved, strict=True)]

    def _save(
        self,
        images: np.ndarray,
        masks: Sequence[Sequence[np.ndarray]],
        index_array: np.ndarray,
        epoch: int,
    ) -> None:
        """Saves images as Keras does, and masks under the same names."""
        stems = save_images(self, images, index_array, self._file_numbers(epoch, 10_000))
        for source, of_source in zip(self._masks, masks, strict=True):
            for mask, stem in zip(of_source, stems, strict=True):
                source.save(mask, f"{stem}_mask{source.suffix}")


def _take(array: Any, samples: Samples) -> np.ndarray:
    return np.stack([np.asarray(array[sample]) for sample in samples])
