"""Processes that are killed, fork, or find a cache that somebody has touched."""

from __future__ import annotations

import contextlib
import io
import os
import pathlib
import threading
import time
import warnings
from typing import Any

import numpy as np
from comparison import fingerprint
from PIL import Image

from multiflow import MultiDirImageDataGenerator

from . import frame
from .frame import Case, Result, observe

SIDE = 64


def builds(case: Case) -> str:
    """After a kill in the middle of a cache's building, other processes give the right batches."""
    root = _write_images(case, 40)
    cache = case.folder / "cache"
    expected = fingerprint(_epoch(root, cache=None))
    for _ in range(case.choose(1, 2)):
        process, _ = frame.start_child(_epoch, root, cache=cache)
        seconds = float(case.rng.uniform(0, 0.3))
        case.note(f"kill after {seconds:.3f} s")
        time.sleep(seconds)
        process.kill()
        process.join()
    again = frame.run_in_child(_digest, root, cache)
    assert again.outcome == str(expected), f"After a kill: {again}"
    assert fingerprint(_epoch(root, cache=cache)) == expected, "Batches differ after a kill."
    return "equal"


def touched_caches(case: Case) -> str:
    """A cache folder that somebody has touched gives right batches, or an error that names it."""
    case.is_risky()
    root = _write_images(case, 5)
    cache = case.folder / "cache"
    expected = fingerprint(_epoch(root, cache=None))
    assert fingerprint(_epoch(root, cache=cache)) == expected
    files = sorted(path for path in cache.rglob("*") if path.is_file())
    path = files[case.rng.integers(len(files))]
    touch = case.choose(
        _flip,
        _flip,
        _edit_header,
        _cut,
        _grow,
        _swap_format,
        _link_beside,
        _fifo_beside,
        _fifo,
        _directory,
        _link_away,
    )
    case.note(touch.__name__, path.name.replace(path.stem, "KEY"))
    victim = case.folder / "victim"
    victim.write_bytes(b"untouched")
    touch(case, path, victim)
    received = observe(_epoch, root, cache=cache)
    assert victim.read_bytes() == b"untouched", "A file outside of the cache is overwritten."
    if received.error:
        assert frame.names(str(received.error), cache), f"Not named: {received.error!r}"
        return "error"
    assert fingerprint(received.value) == expected, "Batches differ."
    return "equal"


def forks(case: Case) -> str:
    """Children forked while threads run give batches."""
    case.is_risky()
    root = _write_images(case, 12)
    generator = MultiDirImageDataGenerator(rotation_range=20, threads=case.choose(None, 1, 3))
    options = {"target_size": (20, 20), "batch_size": 4, "class_mode": None}
    cache = case.choose({}, {"cache": None}, {"cache": "memory"}, {"cache": case.folder / "cache"})
    case.note(cache, generator.threads)
    flow = generator.flow_from_directories([root], **options, **cache)
    next(flow)  # numba compiles before the first warp, under a lock of its own
    is_over = threading.Event()

    def iterate() -> None:
        while not is_over.is_set():
            next(flow)

    threads = [threading.Thread(target=iterate, daemon=True) for _ in range(4)]
    for thread in threads:
        thread.start()
    warnings.simplefilter("ignore", DeprecationWarning)  # forking is what this is about
    children = []
    for _ in range(8):
        time.sleep(float(case.rng.uniform(0, 0.02)))
        child = os.fork()
        if not child:
            code = 1
            with contextlib.suppress(Exception):
                next(flow)
                flow[0]
                code = 0
            os._exit(code)
        children.append(child)
    end = time.monotonic() + 8
    codes: list[Any] = [None] * len(children)
    while None in codes and time.monotonic() < end:
        time.sleep(0.01)
        for number, child in enumerate(children):
            if codes[number] is None:
                ended, status = os.waitpid(child, os.WNOHANG)
                codes[number] = os.waitstatus_to_exitcode(status) if ended else None
    hung = [child for child, code in zip(children, codes, strict=True) if code is None]
    for child in hung:
        os.kill(child, 9)
    is_over.set()
    assert not hung, f"{len(hung)} of {len(children)} children hang."
    assert not any(codes), f"Children fail: exit codes {codes}."
    return "held"


ATTACKS = (builds, touched_caches, forks)


def _write_images(case: Case, count: int) -> pathlib.Path:
    root = case.folder / "root"
    (root / "class").mkdir(parents=True)
    for number in range(count):
        pixels = case.rng.integers(0, 256, (SIDE, SIDE, 3), np.uint8)
        Image.fromarray(pixels).save(root / "class" / f"{number}.bmp")
    return root


def _epoch(root: pathlib.Path, **options: Any) -> list[Any]:
    flow = observe(
        MultiDirImageDataGenerator().flow_from_directories,
        [root], target_size=(SIDE, SIDE), shuffle=False, class_mode=None, **options,
    )  # fmt: skip
    if flow.error:
        raise flow.error
    return [next(flow.value) for _ in range(len(flow.value))]


def _digest(root: pathlib.Path, cache: pathlib.Path) -> Result:
    return Result(str(fingerprint(_epoch(root, cache=cache))))


def _flip(case: Case, path: pathlib.Path, victim: pathlib.Path) -> None:
    data = bytearray(path.read_bytes())
    if data:
        data[case.rng.integers(len(data))] ^= 1 << case.rng.integers(8)
    path.write_bytes(data)


def _edit_header(case: Case, path: pathlib.Path, victim: pathlib.Path) -> None:
    old, new = case.choose(
        (b"|u1", b"|i1"), (b"False", b"True "), (b"|u1", b"<u1"), (b"NUMPY", b"numpy")
    )
    path.write_bytes(path.read_bytes().replace(old, new, 1))


def _cut(case: Case, path: pathlib.Path, victim: pathlib.Path) -> None:
    data = path.read_bytes()
    path.write_bytes(data[: case.rng.integers(len(data) + 1)])


def _grow(case: Case, path: pathlib.Path, victim: pathlib.Path) -> None:
    path.write_bytes(path.read_bytes() + case.rng.bytes(9))


def _swap_format(case: Case, path: pathlib.Path, victim: pathlib.Path) -> None:
    file = io.BytesIO()
    np.savez(file, np.zeros((5, SIDE, SIDE, 3), np.uint8))
    path.write_bytes(case.choose(file.getvalue(), b"", b"\x80\x04N.", case.rng.bytes(99)))


def _link_beside(case: Case, path: pathlib.Path, victim: pathlib.Path) -> None:
    """A link where a temporary file of a new build may be."""
    path.unlink()
    for ending in (".partial", ".tmp"):
        path.with_name(path.name + ending).symlink_to(victim)


def _fifo_beside(case: Case, path: pathlib.Path, victim: pathlib.Path) -> None:
    path.unlink()
    os.mkfifo(path.with_name(path.name + ".partial"))


def _fifo(case: Case, path: pathlib.Path, victim: pathlib.Path) -> None:
    path.unlink()
    os.mkfifo(path)


def _directory(case: Case, path: pathlib.Path, victim: pathlib.Path) -> None:
    path.unlink()
    path.mkdir()


def _link_away(case: Case, path: pathlib.Path, victim: pathlib.Path) -> None:
    path.unlink()
    path.symlink_to(victim)
