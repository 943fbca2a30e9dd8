"""A slow and obvious listing of several roots, by the rules of the documentation alone."""

from __future__ import annotations

import os
import pathlib
from collections.abc import Sequence

ENDINGS = ("png", "jpg", "jpeg", "bmp", "ppm", "tif", "tiff")


def list_roots(
    roots: Sequence[pathlib.Path],
    class_folders: dict[str, list[str]],
    *,
    follow_links: bool = False,
    subset: str | None = None,
    validation_split: float = 0.0,
) -> list[tuple[str, int, int]]:
    """The path, label and source of each image, in order."""
    images = []
    for source, root in enumerate(roots):
        for label, folders in enumerate(class_folders.values()):
            for folder in folders:
                paths = list_folder(root / folder, follow_links=follow_links)
                num_validation = int(validation_split * len(paths))
                if subset == "validation":
                    paths = paths[:num_validation]
                elif subset == "training":
                    paths = paths[num_validation:]
                images += [(path, label, source) for path in paths]
    return images


def list_folder(folder: pathlib.Path, *, follow_links: bool) -> list[str]:
    found = []

    def visit(current: str) -> None:
        for name in os.listdir(current):
            path = f"{current}/{name}"
            if os.path.isdir(path):
                if follow_links or not os.path.islink(path):
                    visit(path)
            elif name.lower().endswith(ENDINGS):
                found.append((current, name))

    if folder.is_dir():
        visit(str(folder))
    return [f"{parent}/{name}" for parent, name in sorted(found)]


def union_of_classes(roots: Sequence[pathlib.Path]) -> dict[str, list[str]]:
    names = {path.name for root in roots for path in root.iterdir() if path.is_dir()}
    return {name: [name] for name in sorted(names)}
