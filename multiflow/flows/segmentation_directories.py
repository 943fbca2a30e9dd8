"""Folders of images and masks, as arrays that `SegmentationIterator` reads."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from numbers import Integral
from typing import Any

import numpy as np

from multiflow import _checks, _keras
from multiflow.augment.steps import Transformer
from multiflow.flows.segmentation import SegmentationIterator
from multiflow.images.cache import cache_files
from multiflow.images.decoding import NUM_CHANNELS
from multiflow.images.files import ImageAndArrayFiles, MaskFiles, Size
from multiflow.images.headers import (
    common_image_channels,
    common_mask_form,
    common_size,
    read_headers,
    warn_of_doubtful_masks,
)
from multiflow.index.pairs import Pair, Problems, pair_files, resolve_roots
from multiflow.index.splitting import Split, choose_subset


class SegmentationDirectoryIterator(SegmentationIterator):
    """Batches of image and mask files; `flow_segmentation_from_directories` makes it.

    Attributes:
        directory: the deepest common parent of the roots of the images.
        image_directories: list of the roots of the images, as given.
        mask_directories: list of the roots of the masks.
        source_names: list of the names of the sources.
        source_indices: int32 array of shape `(samples,)`, the position of each image's root.
        filepaths: list of the paths of the images.
        mask_filepaths: list of the paths of the masks.
        samples: the number of pairs.
    """

    def __init__(
        self,
        image_directories: Any,
        mask_directories: Any,
        image_data_generator: Transformer,
        *,
        target_size: Size | None,
        color_mode: str,
        follow_links: bool,
        subset: str | None,
        interpolation: str,
        keep_aspect_ratio: bool,
        mask_path: Callable[[str], str] | None,
        mask_colors: Mapping[tuple[int, int, int], int] | None,
        cache: Any,
        **arguments: Any,
    ) -> None:
        _checks.check_batch_arguments(
            target_size=target_size,
            interpolation=interpolation,
            optional_size=True,
            **arguments,
        )
        _checks.check_subset(subset)
        check_color_mode(color_mode)
        check_mask_colors(mask_colors, arguments["num_classes"])
        if not (mask_path is None or callable(mask_path)):
            raise TypeError(f"`mask_path` must be None or a function. Received: {mask_path!r}")
        channels_first = image_data_generator.data_format == "channels_first"
        problems = Problems()
        pairs = self._pair(image_directories, mask_directories, problems, mask_path, follow_links)
        image_headers, mask_headers = read_headers(pairs, problems, channels_first=channels_first)
        problems.raise_if_any(self._pairing_rule(mask_path))
        warn_of_doubtful_masks(pairs, mask_headers)
        split = Split.of(image_data_generator)
        chosen = take_subset(pairs, subset, split)
        _checks.check_not_empty(subset, len(chosen), len(pairs), split.reason)
        num_found, num_taken = (
            np.bincount([pair.source for pair in of], minlength=len(self.source_names))
            for of in (pairs, chosen)
        )
        _checks.warn_of_missing_sources(self.image_directories, num_found, num_taken, split.reason)
        self.filepaths = [pair.image for pair in chosen]
        self.mask_filepaths = [pair.mask for pair in chosen]
        self.source_indices = np.array([pair.source for pair in chosen], np.int32)
        self.samples = len(chosen)
        options: dict[str, Any] = {
            "size": target_size or common_size(pairs, image_headers),
            "keep_aspect_ratio": keep_aspect_ratio,
            "channels_first": channels_first,
        }
        images = ImageAndArrayFiles(
            self.filepaths,
            num_channels=common_image_channels(pairs, image_headers, color_mode),
            color_mode=color_mode,
            interpolation=interpolation,
            **options,
        )
        num_channels, dtype = common_mask_form(pairs, mask_headers, mask_colors)
        masks = MaskFiles(
            self.mask_filepaths,
            num_channels=num_channels,
            dtype=dtype,
            colors=mask_colors,
            **options,
        )
        _checks.check_cache(cache, [*self.image_directories, *self.mask_directories])
        super().__init__(
            cache_files(images, cache, image_data_generator.threads),
            cache_files(masks, cache, image_data_generator.threads),
            image_data_generator,
            subset=None,
            target_size=None,
            interpolation=interpolation,
            sample_weight=None,
            **arguments,
        )
        self.subset = subset
        several = f" in {len(mask_directories)} directories" if len(mask_directories) > 1 else ""
        _keras.print_msg(f"Found {self.samples} pairs of images and masks{several}.")

    def caption(self, index: int) -> str:
        """The file and the source of the image at a position."""
        source = self.source_names[self.source_indices[index]]
        return f"{os.path.basename(self.filepaths[index])} · {source}"

    def _pair(
        self,
        image_directories: Any,
        mask_directories: Any,
        problems: Problems,
        mask_path: Callable[[str], str] | None,
        follow_links: bool,
    ) -> list[Pair]:
        self.directory, sources, self.mask_directories = resolve_roots(
            image_directories, mask_directories
        )
        self.image_directories = [source.root for source in sources]
        self.source_names = [source.name for source in sources]
        pairs = pair_files(
            sources,
            self.mask_directories,
            problems,
            formats=(*self.white_list_formats, ".npy"),
            follow_links=follow_links,
            mask_path=mask_path,
        )
        if not pairs and not problems.found:
            raise ValueError(
                f"None of the roots {list(map(str, self.image_directories))} holds an image. "
                + self._pairing_rule(mask_path)
            )
        return pairs

    def _pairing_rule(self, mask_path: Any) -> str:
        rule = (
            "their path below the root, without the extension (or by `mask_path`)"
            if mask_path is None
            else "what `mask_path` gives, relative to the root of the masks, with the extension"
        )
        return (
            f"Images and masks pair by {rule}; read are files that end in "
            f"{', '.join(self.white_list_formats)}, .npy."
        )


def check_color_mode(color_mode: Any) -> None:
    """Refuses an unknown `color_mode`."""
    if color_mode not in NUM_CHANNELS:
        raise ValueError(
            f"`color_mode` must be one of {list(NUM_CHANNELS)}. Received: {color_mode!r}"
        )


def check_mask_colors(mask_colors: Any, num_classes: Any) -> None:
    """Refuses what is no mapping from (red, green, blue) to a class number."""
    if mask_colors is None:
        return
    if not (
        isinstance(mask_colors, Mapping)
        and mask_colors
        and all(isinstance(number, Integral) for number in mask_colors.values())
        and all(
            isinstance(color, Sequence)
            and len(color) == 3
            and all(isinstance(level, Integral) and 0 <= int(level) < 256 for level in color)
            for color in mask_colors
        )
    ):
        raise ValueError(
            "`mask_colors` must map colours, three integers from 0 to 255, to class numbers, as in "
            f"{{(128, 0, 0): 1}}. Received: {mask_colors!r}"
        )
    numbers = sorted(mask_colors.values())
    if isinstance(num_classes, Integral) and not 0 <= numbers[0] <= numbers[-1] < int(num_classes):
        raise ValueError(
            f"`mask_colors` gives the class numbers {numbers}, but num_classes={num_classes} "
            f"allows 0 to {int(num_classes) - 1}."
        )


def take_subset(pairs: Sequence[Pair], subset: str | None, split: Split) -> list[Pair]:
    """The pairs of a subset, of which every root has its part."""
    positions = choose_subset(
        split,
        subset,
        len(pairs),
        strata=np.array([pair.source for pair in pairs], int),
        names=lambda: (pair.name for pair in pairs),
        paths=[pair.image for pair in pairs],
    )
    return [pairs[position] for position in positions]
