"""What makes two batches, or two states of NumPy's global generator, the same."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np

# Every random transform that Keras knows.
AUGMENT_ALL: dict[str, Any] = {
    "rotation_range": 30,
    "width_shift_range": 0.2,
    "height_shift_range": [-2, 1, 3],
    "shear_range": 10,
    "zoom_range": (0.7, 1.2),
    "channel_shift_range": 20.0,
    "brightness_range": (0.5, 1.5),
    "horizontal_flip": True,
    "vertical_flip": True,
}


def fingerprint(value: Any) -> Any:
    """Something that is equal for equal batches only: bytes, shapes, dtypes and structure."""
    if isinstance(value, (list, tuple)):
        return type(value), [fingerprint(part) for part in value]
    if value is None:
        return None
    return value.shape, value.dtype, hashlib.sha256(value.tobytes()).hexdigest()


def random_state() -> str:
    kind, keys, *rest = np.random.get_state()
    return hashlib.sha256(keys.tobytes() + repr((kind, *rest)).encode()).hexdigest()
