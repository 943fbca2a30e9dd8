"""The flow of folders of images and masks: lazy arrays of files for `SegmentationIterator`."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from multiflow import _checks, _keras
from multiflow.augment.transformer import Transformer
from multiflow.flows.columns import Column
from multiflow.flows.masks import MaskOptions
from multiflow.flows.options import Batching, Saving, Workers
from multiflow.flows.segmentation import SegmentationIterator
from multiflow.images.cache import cache_files, check_cache
from multiflow.images.common import (
    common_image_channels,
    common_mask_form,
    common_size,
    read_headers,
    warn_of_doubtful_pairs,
)
from multiflow.images.files import Decoding, ImageAndArrayFiles, MaskFiles, check_mask_colors
from multiflow.images.reading import Reading
from multiflow.index.pairs import Pair, Problems, pair_files
from multiflow.index.roots import resolve_roots, warn_of_missing_sources
from multiflow.index.splitting import Split, check_not_empty, check_subset, choose_subset


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

    filepaths = Column()
    mask_filepaths = Column()
    source_indices = Column()

    def __init__(
        self,
        image_directories: Any,
        mask_directories: Any,
        image_data_generator: Transformer,
        *,
        follow_links: bool,
        subset: str | None,
        mask_path: Callable[[str], str] | None,
        mask_colors: Mapping[tuple[int, int, int], int] | None,
        reading: Reading,
        masks: MaskOptions,
        batching: Batching,
        saving: Saving,
        workers: Workers,
    ) -> None:
        reading.check(needs_size=False)
        batching.check()
        saving.check()
        check_subset(subset)
        _checks.check_flag("follow_links", follow_links)
        check_mask_colors(mask_colors, masks.num_classes)
        if not (mask_path is None or callable(mask_path)):
            raise TypeError(f"`mask_path` must be None or a function. Received: {mask_path!r}")
        channels_first = image_data_generator.data_format == "channels_first"
        problems = Problems()
        pairs = self._pair(image_directories, mask_directories, problems, mask_path, follow_links)
        image_headers, mask_headers = read_headers(
            pairs, problems, channels_first=channels_first, has_colors=mask_colors is not None
        )
        problems.raise_if_any(self._pairing_rule(mask_path))
        warn_of_doubtful_pairs(pairs, image_headers, mask_headers, mask_colors)
        positions = self._choose(pairs, subset, Split.of(image_data_generator))
        self.filepaths = [pairs[position].image for position in positions]
        self.mask_filepaths = [pairs[position].mask for position in positions]
        self.source_indices = np.array([pairs[position].source for position in positions], np.int32)
        size = reading.target_size
        decoding = Decoding(
            common_size(pairs, image_headers) if size is None else tuple(size),
            reading.color_mode,
            reading.interpolation,
            reading.keep_aspect_ratio,
            channels_first,
        )
        image_files = ImageAndArrayFiles(
            self.filepaths,
            decoding,
            common_image_channels(pairs, image_headers, reading.color_mode),
            {pairs[position].image: image_headers[position] for position in positions},
        )
        mask_files = MaskFiles(
            self.mask_filepaths,
            replace(decoding, color_mode=None, interpolation="nearest"),
            *common_mask_form(pairs, mask_headers, mask_colors),
            {pairs[position].mask: mask_headers[position] for position in positions},
            mask_colors,
        )
        check_cache(reading.cache, [*self.image_directories, *self.mask_directories])
        super().__init__(
            cache_files(image_files, reading.cache, image_data_generator.threads),
            cache_files(mask_files, reading.cache, image_data_generator.threads),
            image_data_generator,
            sample_weight=None,
            subset=None,
            target_size=None,
            interpolation=reading.interpolation,
            masks=masks,
            batching=batching,
            saving=saving,
            workers=workers,
        )
        self.subset = subset
        several = f" in {len(mask_directories)} directories" if len(mask_directories) > 1 else ""
        _keras.print_msg(f"Found {self.samples} pairs of images and masks{several}.")

    def _choose(self, pairs: Sequence[Pair], subset: str | None, split: Split) -> np.ndarray:
        """The positions of the pairs of a subset; each root is split by itself."""
        sources = np.array([pair.source for pair in pairs], int)
        positions = choose_subset(
            split,
            subset,
            len(pairs),
            strata=np.array([pair.stratum for pair in pairs], int),
            names=lambda: (pair.name for pair in pairs),
            paths=[pair.image for pair in pairs],
        )
        check_not_empty(subset, len(positions), len(pairs), split.reason)
        num_found, num_taken = (
            np.bincount(of, minlength=len(self.source_names))
            for of in (sources, sources[positions])
        )
        warn_of_missing_sources(self.image_directories, num_found, num_taken, split.reason)
        return positions

    @property
    def samples(self) -> int:
        """The number of pairs."""
        return self.n

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
            else "the path that `mask_path` returns, relative to the root of the masks, with the "
            "extension"
        )
        return (
            f"Images and masks pair by {rule}; only files are read that end in "
            f"{', '.join(self.white_list_formats)}, .npy."
        )
