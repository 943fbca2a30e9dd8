"""Keras' ImageDataGenerator for many folders, faster and with the same batches."""

from multiflow.generator import MultiDirImageDataGenerator

__all__ = ["MultiDirImageDataGenerator"]
