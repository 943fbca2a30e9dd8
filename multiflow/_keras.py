"""The only door to Keras' private modules: one place to mend when Keras moves them."""

from keras.src.legacy.preprocessing.image import (
    DataFrameIterator,
    DirectoryIterator,
    ImageDataGenerator,
    Iterator,
    NumpyArrayIterator,
)
from keras.src.utils.image_utils import PIL_INTERPOLATION_METHODS
from keras.src.utils.io_utils import print_msg

__all__ = [
    "PIL_INTERPOLATION_METHODS",
    "DataFrameIterator",
    "DirectoryIterator",
    "ImageDataGenerator",
    "Iterator",
    "NumpyArrayIterator",
    "print_msg",
]
