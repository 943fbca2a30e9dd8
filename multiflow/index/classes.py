"""The class folders of the roots, and the labels that they share."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from multiflow import _checks
from multiflow.index.roots import Source


def class_folders_in(root: Any) -> list[str]:
    """The names of the folders in `root`, sorted."""
    return sorted(name for name in os.listdir(root) if os.path.isdir(os.path.join(root, name)))


def left_out_folders(
    roots: Iterable[Any], folders: Iterable[str], formats: tuple[str, ...]
) -> list[str]:
    """The class folders of the roots, sorted, that are not among `folders` and hold an image.

    Hidden folders do not count; they are seldom meant to be classes.
    """
    named = {os.path.normpath(folder).split(os.sep)[0] for folder in folders}
    return sorted(
        {
            folder
            for root in ([] if os.curdir in named else roots)
            for folder in class_folders_in(root)
            if not (folder in named or folder.startswith("."))
            and _holds_image(os.path.join(root, folder), formats)
        }
    )


def _holds_image(folder: str, formats: tuple[str, ...]) -> bool:
    return any(name.lower().endswith(formats) for _, _, names in os.walk(folder) for name in names)


def resolve_classes(
    classes: Any, sources: Sequence[Source], formats: tuple[str, ...]
) -> dict[str, list[str]]:
    """The folders of each class, in the order of the labels.

    Without `classes`, the sorted union of the class folders over all roots. Warns of a named
    folder that is in no root; and, without `classes`, of a hidden folder that became a class, and
    of images, files that end in one of the `formats`, beside the class folders.
    """
    roots = [os.fspath(source.root) for source in sources]
    class_folders = check_classes(classes)
    if class_folders:
        for folder in (folder for folders in class_folders.values() for folder in folders):
            if not any(os.path.isdir(os.path.join(root, folder)) for root in roots):
                _checks.warn(
                    f"`classes` names the folder {folder!r}, which is in none of the roots "
                    f"{roots}: its class gets no image from it. Check the spelling."
                )
        return class_folders
    folders_by_root = {root: class_folders_in(root) for root in roots}
    union = sorted(set().union(*folders_by_root.values()))
    for folder in union:
        if folder.startswith("."):
            holder = next(root for root in roots if folder in folders_by_root[root])
            _checks.warn(
                f"The hidden folder {os.path.join(holder, folder)!r} became a class. "
                "Delete it, or name the wanted classes with `classes`."
            )
    if union:
        _warn_of_loose_images(folders_by_root, formats)
    return {folder: [folder] for folder in union}


def _warn_of_loose_images(
    folders_by_root: Mapping[str, Sequence[str]], formats: tuple[str, ...]
) -> None:
    places = []
    for root, folders in folders_by_root.items():
        names = [name for name in os.listdir(root) if name.lower().endswith(formats)]
        loose = {name for name in names if not name.startswith(".")}.difference(folders)
        if loose:
            places.append(f"{len(loose)} in {root!r} (such as {min(loose)!r})")
    if places:
        _checks.warn(
            "Images that lie directly in a root belong to no class and were left out: "
            f"{', '.join(places)}. Move them into a class folder, or name the wanted folders with "
            "`classes`."
        )


def check_classes(classes: Any) -> dict[str, list[str]]:
    """The folders of each class, from any form of `classes`; None gives no class.

    Raises:
        TypeError: if `classes` is not built of strings as documented.
        ValueError: if a class has no folder, or a folder serves twice or is not a plain name.
    """
    expected = (
        "`classes` must be a list of folder names, in which folders that share one label are a "
        "list of their own, or a mapping from class name to folder names."
    )
    if classes is None:
        return {}
    if isinstance(classes, np.ndarray):
        classes = classes.tolist()
    if not isinstance(classes, Collection) or isinstance(classes, (str, bytes, set, frozenset)):
        raise TypeError(f"{expected} Received: {classes!r}")
    pairs = (
        list(classes.items())
        if isinstance(classes, Mapping)
        else [(None, entry) for entry in classes]
    )
    pairs = [(name, [entry] if isinstance(entry, str) else entry) for name, entry in pairs]
    for name, folders in pairs:
        if not (
            isinstance(folders, Sequence)
            and all(isinstance(folder, str) for folder in folders)
            and (name is None or isinstance(name, str))
        ):
            raise TypeError(f"{expected} Received: {classes!r}")
        if not folders:
            raise ValueError(f"{expected} Received a class without any folder: {classes!r}")
    _check_class_folders([folder for _, folders in pairs for folder in folders])
    return {folders[0] if name is None else name: list(folders) for name, folders in pairs}


def _check_class_folders(folders: Sequence[str]) -> None:
    for folder in folders:
        if folders.count(folder) > 1:
            raise ValueError(
                f"`classes` names the folder {folder!r} more than once; its images can have "
                "only one label. Name it once."
            )
        if folder != os.path.basename(folder) or folder in ("", os.pardir):
            raise ValueError(
                f"`classes` names {folder!r}; a class must be a folder directly inside the roots, "
                "named without its path."
            )
    if os.curdir in folders and len(folders) > 1:
        raise ValueError(
            "`classes` names '.', which is the whole root, beside other folders; their images "
            f"would count double. Received the folders: {list(folders)}"
        )
