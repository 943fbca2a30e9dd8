"""How much memory is free, for this process in its container; and numbers of bytes in words."""

from __future__ import annotations

import math
import os
import pathlib
from collections.abc import Iterator

from multiflow import extras

PROC, CGROUPS = pathlib.Path("/proc"), pathlib.Path("/sys/fs/cgroup")
_PAGES_OF_FILES = ("active_file", "inactive_file")


def available() -> int:
    """The bytes of memory that this process can take: those of the system, and of its container.

    On Linux, both are what the kernel says; memory by which it only speeds up files counts as free.

    Raises:
        ImportError: without psutil, if the kernel does not say it.
    """
    try:
        lines = (PROC / "meminfo").read_text().splitlines()
        kilobytes = next(line.split()[1] for line in lines if line.startswith("MemAvailable:"))
    except (OSError, StopIteration):  # of other systems, old kernels, and what looks like Linux
        return extras.require("psutil", user="`cache`", extra="fast").virtual_memory().available
    return max(0, min([1024 * int(kilobytes), *_available_in_containers()]))


def _available_in_containers() -> Iterator[int]:
    """What the limit of each control group leaves that this process is in, and those above it."""
    for folder, limit, usage in _control_groups():
        try:
            allowed = int((folder / limit).read_text())
            used = int((folder / usage).read_text())
            lines = (folder / "memory.stat").read_text().splitlines()
        except (OSError, ValueError):  # there is no such group in this container, or no limit
            continue
        counts = dict(line.split()[:2] for line in lines)
        # Version 1 has these with the groups below it, and without.
        files = (counts.get(f"total_{name}", counts.get(name, 0)) for name in _PAGES_OF_FILES)
        yield allowed - used + sum(map(int, files))


def _control_groups() -> Iterator[tuple[pathlib.Path, str, str]]:
    """The folder of each control group for memory, and the names of its limit and its usage."""
    try:
        lines = (PROC / "self" / "cgroup").read_text().splitlines()
    except OSError:
        return
    for line in lines:
        _, controllers, group = line.split(":", 2)
        if not controllers:  # version 2
            top, names = CGROUPS, ("memory.max", "memory.current")
        elif "memory" in controllers.split(","):
            top, names = CGROUPS / "memory", ("memory.limit_in_bytes", "memory.usage_in_bytes")
        else:
            continue
        # A container may see the path of its group from outside, and only the group's own folder.
        path = pathlib.PurePosixPath(os.path.normpath("/" + group.lstrip("/"))).relative_to("/")
        for folder in (path, *path.parents):
            yield (top / folder, *names)


def readable(num_bytes: float) -> str:
    """A number of bytes in a unit of a fitting size.

    Example:
    >>> readable(3_020_000_000)
    '3.0 GB'
    """
    power = min(4, max(1, int(math.log10(max(num_bytes, 1)) // 3)))
    return f"{num_bytes / 1000**power:.1f} {' kMGT'[power]}B"
