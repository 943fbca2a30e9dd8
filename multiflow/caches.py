"""The command `python -m multiflow.caches FOLDER`, which lists caches and deletes stale ones."""

from __future__ import annotations

import argparse
import datetime
import os
import re
import sys
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from multiflow.images import cachefile
from multiflow.images.cache import CHUNK
from multiflow.images.cachefile import LOCK, MAGIC, PARTIAL, SUFFIX, CacheFile
from multiflow.images.opening import open_regular
from multiflow.memory import readable
from multiflow.parallel import run_all
from multiflow.progress import PATIENCE, with_progress

# The names of a cache, as it is now and as it was in `OLD` times, and of what belongs to it.
OLD, OLD_MAGIC = ".npy", b"\x93NUMPY"
NAMES = re.compile(
    rf"([0-9a-f]{{32}}(?:{re.escape(SUFFIX)}|{re.escape(OLD)}))(?:\..*)?", flags=re.DOTALL
)


class Report(NamedTuple):
    """What there is to say of a file.

    Attributes:
        path: the file.
        num_bytes: its size.
        content: what it holds.
        state: whether flows can use it, or why not.
        is_stale: whether it can be deleted.
    """

    path: str
    num_bytes: int
    content: str
    state: str
    is_stale: bool


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command with the arguments of a command line; returns its exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m multiflow.caches",
        description="Lists the caches in a folder. Those are stale that no flow will use: their "
        "files have changed or are gone, other versions of libraries made them, or they are "
        "damaged or unfinished. All of each cache is read.",
    )
    parser.add_argument("folder", metavar="FOLDER", help="a folder that flows got as `cache`")
    parser.add_argument("--delete-stale", action="store_true", help="delete those that are stale")
    options = parser.parse_args(arguments)
    folder = os.path.abspath(options.folder)
    num_deleted, exit_code = 0, 0
    try:
        matches = list(filter(None, map(NAMES.fullmatch, sorted(os.listdir(folder)))))
        for path in dict.fromkeys(os.path.join(folder, match[1]) for match in matches):
            reports = list(look_at(path))
            for report in reports:
                print(f"{os.path.basename(report.path)}: {report.content}\n    {report.state}")
            if options.delete_stale and any(report.is_stale for report in reports):
                num_deleted += _delete(path)
    except (OSError, ImportError) as error:
        print(f"multiflow.caches: {error}", file=sys.stderr)
        exit_code = 2
    if options.delete_stale:
        print(f"Deleted {readable(num_deleted)}.")
    return exit_code


def look_at(path: str) -> Iterator[Report]:
    """What there is to say of a cache, and of what was left when it was being written.

    Files that are no caches are passed over; links are not followed.

    Args:
        path: the file of the cache, which need not be there.
    """
    if path.endswith(OLD):
        # Other arrays may have such a name, too; but then nobody has locked them.
        for old in (path, f"{path}{PARTIAL}"):
            if _begins_with(old, OLD_MAGIC) and _begins_with(f"{path}{LOCK}", b""):
                size = os.lstat(old).st_size
                state = "stale: an older version of multiflow wrote it"
                yield Report(old, size, readable(size), state, is_stale=True)
        return
    report = _look_at_cache(path)
    if report:
        yield report
    for partial in cachefile.partial_files(path):
        size = os.lstat(partial).st_size
        if not size or _begins_with(partial, MAGIC):
            state = "stale, or just being written: it is unfinished"
            yield Report(partial, size, readable(size), state, is_stale=True)


def _look_at_cache(path: str) -> Report | None:
    try:
        file = CacheFile(path)
    except OSError:
        return None
    except ValueError as error:
        size = os.lstat(path).st_size
        return Report(path, size, readable(size), f"stale: {error}", is_stale=True)
    count, *shape = file.shape
    written = datetime.datetime.fromtimestamp(file.modified)
    content = (
        f"{count:,} images of {' × '.join(map(str, shape))}, {readable(file.num_bytes)}, written "
        f"{written:%Y-%m-%d %H:%M}"
    )
    try:
        paths, facts = file.sources()
        content += f", of files in {_common_folder(paths)}"
        reason = _reason(file, paths, facts)
    except ValueError as error:
        reason = str(error)
    except OSError as error:
        return Report(path, file.num_bytes, content, f"cannot be compared: {error}", False)
    state = "fits its files" if reason is None else f"stale: {reason}"
    return Report(path, file.num_bytes, content, state, is_stale=reason is not None)


def _common_folder(paths: Sequence[str]) -> str:
    # What the first and the last in the order of texts have in common, all have.
    try:
        return repr(
            os.path.commonpath([os.path.dirname(path) for path in (min(paths), max(paths))])
        )
    except ValueError:  # two drives of Windows have no common parent
        return "several drives"


def _reason(file: CacheFile, paths: Sequence[str], facts: np.ndarray) -> str | None:
    """Why no flow will use a cache; None if flows can.

    Raises:
        OSError: if files cannot be compared.
        ValueError: if an image is damaged.
    """
    if file.software != cachefile.software():
        return f"{file.software!r} made it, and not {cachefile.software()!r}"
    gone, changed = [], []
    for path, known in zip(paths, facts.tolist(), strict=True):
        try:
            if cachefile.file_facts(path) != known:
                changed.append(path)
        except (FileNotFoundError, NotADirectoryError):
            gone.append(path)
    for what, found in (("are gone", gone), ("were changed, moved or copied", changed)):
        if found:
            return f"{len(found):,} of its {len(paths):,} files {what}, such as {found[0]!r}"
    for _ in with_progress(_compared(file), len(paths), "image", patience=PATIENCE):
        pass
    return None


def _compared(file: CacheFile) -> Iterator[None]:
    """Reads all images, some at a time, so that their checksums are compared."""

    def read(place: int) -> None:
        file.read(place)

    places = range(file.shape[0])
    for start in places[::CHUNK]:
        yield from run_all(read, places[start : start + CHUNK], None)


def _delete(path: str) -> int:
    """Deletes what is stale of a cache, unless it is being written; returns the number of bytes."""
    num_bytes = 0
    try:
        with cachefile.locked(path, waits=False):
            for report in look_at(path):  # again, for it may just have been written
                if report.is_stale:
                    os.remove(report.path)
                    print(f"    deleted {os.path.basename(report.path)}")
                    num_bytes += report.num_bytes
            if not os.path.lexists(path):
                os.remove(f"{path}{LOCK}")
    except TimeoutError:
        print("    not deleted: it is being written")
    except OSError as error:
        print(f"    not deleted: {error}")
    return num_bytes


def _begins_with(path: str, magic: bytes) -> bool:
    """True if a path is that of a regular file, no link, which begins with some bytes."""
    try:
        with open(open_regular(path, follow_links=False), "rb") as file:
            return file.read(len(magic)) == magic
    except OSError:
        return False


if __name__ == "__main__":
    sys.exit(main())
