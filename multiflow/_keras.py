"""The only imports from Keras' private modules: one place to change when Keras moves them."""

from keras.src.legacy.preprocessing.image import (
    BatchFromFilesMixin,
    DataFrameIterator,
    DirectoryIterator,
    ImageDataGenerator,
    Iterator,
    NumpyArrayIterator,
    apply_affine_transform,
    apply_brightness_shift,
    apply_channel_shift,
)
from keras.src.utils.image_utils import PIL_INTERPOLATION_METHODS
from keras.src.utils.io_utils import print_msg

__all__ = [
    "PIL_INTERPOLATION_METHODS",
    "BatchFromFilesMixin",
    "DataFrameIterator",
    "DirectoryIterator",
    "ImageDataGenerator",
    "Iterator",
    "NumpyArrayIterator",
    "apply_affine_transform",
    "apply_brightness_shift",
    "apply_channel_shift",
    "print_msg",
]
