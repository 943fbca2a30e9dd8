"""What a listing leaves out or finds twice, noted, so that a warning of each kind tells of it."""

from __future__ import annotations

import itertools
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import TypeAlias

from multiflow import _checks

Entry: TypeAlias = tuple[str, list[str], list[str]]  # as `os.walk` yields them

# Endings of images and arrays, if a flow does not read them. Other files that lie beside images,
# such as notes and lists, are not meant to be read.
_ENDINGS = {
    ".jpe", ".jfif", ".jif", ".jp2", ".j2k", ".j2c", ".jpc", ".jpf", ".jpx", ".jxl", ".mpo",
    ".dib", ".pgm", ".pbm", ".pnm", ".pfm", ".btf", ".apng", ".webp", ".gif", ".heic", ".heif",
    ".avif", ".qoi", ".svg", ".ico", ".icns", ".cur", ".tga", ".dds", ".pcx", ".psd", ".sgi",
    ".ras", ".xbm", ".xpm", ".exr", ".hdr", ".dng", ".cr2", ".cr3", ".nef", ".arw", ".orf", ".raf",
    ".rw2", ".npy", ".npz", ".dcm", ".dicom", ".nii", ".mha", ".mhd", ".nrrd", ".fit",
    ".fits", ".czi", ".lif", ".lsm", ".nd2", ".oib", ".oif", ".svs", ".ndpi", ".scn", ".mrxs",
    ".bif",
}  # fmt: skip


class LeftOut:
    """Notes of what was left out of one or several listings, or found twice."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()  # of files, by their ending
        self._examples: dict[str, str] = {}
        self._links_back: list[str] = []
        self._doubles: list[str] = []
        self._first_paths: dict[str, str] = {}  # of each folder, by its real path

    def note_files(self, folder: str, subfolder: str, names: Iterable[str]) -> None:
        """Notes those of the files in a subfolder that look like images, unless they are hidden."""
        for name in names:
            plain = name.lower().removesuffix(".gz")
            ending = plain[plain.rfind(".") :]
            if ending in _ENDINGS:
                path = os.path.join(subfolder, name)
                if f"{os.sep}." not in os.sep + path:
                    self._counts[ending] += 1
                    self._examples.setdefault(ending, os.path.join(folder, path))

    def watch(self, folder: str, walk: Iterable[Entry], *, may_repeat: bool) -> Iterator[Entry]:
        """Passes on what `os.walk(folder)` yields, but for links that lead back.

        Args:
            folder: the folder that is walked.
            walk: what `os.walk` yields for it.
            may_repeat: whether folders may be found twice, here or in another listing.
        """
        real_paths: dict[str, str] = {}  # of the folders that were entered, by the path below
        doubles: set[str] = set()
        for path, folders, names in walk:
            folders.sort()
            below = path.removeprefix(folder).lstrip(os.sep)
            *parents, name = below.split(os.sep)
            above = list(itertools.accumulate(parents, os.path.join, initial=""))
            if not below or os.path.islink(path):
                real_path = os.path.realpath(path)
                if below and any(_is_within(real_paths[place], real_path) for place in above):
                    self._links_back.append(path)
                    folders.clear()
                    continue
            else:
                real_path = os.path.join(real_paths[above[-1]], name)
            real_paths[below] = real_path
            if not may_repeat and self._first_paths.setdefault(real_path, path) != path:
                if not doubles.intersection(above):
                    self._doubles.append(f"{path!r} is {self._first_paths[real_path]!r}")
                doubles.add(below)
            yield path, folders, names

    def warn(self, formats: Sequence[str]) -> None:
        """Gives a warning for each kind of what was noted.

        Args:
            formats: the endings of files that were listed.
        """
        if self._counts:
            counts = ", ".join(
                f"{count} {ending} (such as {self._examples[ending]!r})"
                for ending, count in sorted(self._counts.items(), key=lambda item: (-item[1], item))
            )
            _checks.warn(
                f"Files were left out for their extension: {counts}. Files are read that end in "
                f"{', '.join(formats)}. Convert the others, or move them elsewhere."
            )
        if self._links_back:
            _checks.warn(
                "Links that lead back to a folder that they lie in were not followed: "
                f"{_checks.listed(map(repr, self._links_back))}. Remove them, or set "
                "`follow_links=False`."
            )
        if self._doubles:
            _checks.warn(
                f"Folders are there more than once, by links: {_checks.listed(self._doubles)}. "
                "Their images count double and can be in both subsets, or under two labels. Remove "
                "the links."
            )


def _is_within(path: str, folder: str) -> bool:
    """True if a path is that of a folder, or of something in it."""
    return os.path.join(path, "").startswith(os.path.join(folder, ""))
