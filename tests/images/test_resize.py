"""Nearest neighbours by index are those of Pillow, with and without compiled loops."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from PIL import Image

from multiflow.images.resize import centred_box, resize


@pytest.mark.parametrize("is_installed", [True, False])
@pytest.mark.parametrize("channels", [(), (1,), (3,), (4,)])
@pytest.mark.parametrize("size", [(1, 1), (7, 90), (64, 64), (131, 3)])
@pytest.mark.parametrize("is_cropped", [True, False])
def test_equals_pillow(
    use_extra: Any, is_installed: bool, channels: Any, size: tuple[int, int], is_cropped: bool
) -> None:
    use_extra(is_installed)
    image = np.random.default_rng(0).integers(0, 256, (41, 67, *channels), dtype=np.uint8)
    box = centred_box((41, 67), size) if is_cropped else (0, 0, 41, 67)
    picture = Image.fromarray(image.squeeze(2) if channels == (1,) else image)
    expected = picture.resize(
        size[::-1], Image.Resampling.NEAREST, (box[1], box[0], box[3], box[2])
    )
    for array in (image, np.asfortranarray(image), image.astype(np.int32)):
        resized = resize(array, size, "nearest", channels_first=False, box=box)
        assert resized.dtype == array.dtype
        np.testing.assert_array_equal(resized, np.asarray(expected).reshape(resized.shape))
