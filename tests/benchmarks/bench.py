"""Measures multiflow beside Keras' own class in one run, after asserting equal results.

    python tests/benchmarks/bench.py [--quick] [--only SECTION ...] [--data DIR] [--threads N]
        [--without-extra] [--peers]

It draws its own pictures and photographs, and prints a table for Markdown: images per second where
nothing else is said, and how many times better multiflow is. Each figure is a median; the two sides
take turns, so that a noisy machine disturbs both alike.

With `--data`, it measures only what is about photographs, on those of a folder of class folders.

With `--peers`, which needs the extra `bench`, it also runs what others would use for the classic
augmentation. Their images are similar, not equal.
"""

from __future__ import annotations

import argparse
import os
import pathlib
import platform
import tempfile
from collections.abc import Callable, Iterator, Sequence

import keras
import numpy as np
import scipy
from operations import measure_operations
from pairs import measure_arrays, measure_files
from peers import measure_peers
from photographs import measure_photographs
from pictures import measure_pictures
from scale import measure_indexing, measure_memory
from scripts import measure_scripts, measure_startup
from serial import measure_serial
from sides import Setup
from timing import Row

from multiflow import extras

# The parts of the table, in its order.
SECTIONS: dict[str, Callable[[Setup], Iterator[Row]]] = {
    "pictures": measure_pictures,
    "photographs": measure_photographs,
    "scripts": measure_scripts,
    "arrays": measure_arrays,
    "pairs": measure_files,
    "operations": measure_operations,
    "serial": measure_serial,
    "startup": measure_startup,
    "indexing": measure_indexing,
    "memory": measure_memory,
    "peers": measure_peers,
}
OF_KERAS = tuple(section for section in SECTIONS if section != "peers")
OF_PHOTOGRAPHS = ("photographs", "scripts")


def print_rows(rows: Iterator[Row]) -> None:
    for row in rows:
        figures = (f"{figure:,.{0 if figure >= 100 else 2}f}" for figure in row[1:])
        print(f"| {row.work} | {' | '.join(figures)} | {row.ratio:.1f} |", flush=True)


def print_machine() -> None:
    versions = ", ".join(f"{module.__name__} {module.__version__}" for module in (keras, np, scipy))
    extra = "with" if extras.find("numba") and extras.find("simplejpeg") else "without"
    print(
        f"{len(os.sched_getaffinity(0))} cores, {platform.machine()}, {platform.system()}, Python "
        f"{platform.python_version()}, {versions}, {extra} the extra `fast`\n"
    )
    print("| | Keras | multiflow | ratio |\n|---|---|---|---|")


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer repetitions and files")
    parser.add_argument(
        "--only", nargs="+", choices=SECTIONS, metavar="SECTION", help=", ".join(SECTIONS)
    )
    parser.add_argument("--data", metavar="DIR", help="your photographs, in a folder per class")
    parser.add_argument("--peers", action="store_true", help="also other libraries")
    parser.add_argument(
        "--without-extra", action="store_true", help="as if the extra `fast` were missing"
    )
    parser.add_argument("--threads", type=int, help="of multiflow; by default one per core")
    parser.add_argument("--files", type=int, help="files in each of the two roots to list")
    parser.add_argument("--repetitions", type=int)
    options = parser.parse_args(arguments)
    if options.without_extra:
        extras.find = lambda name: None
    sections = options.only or (OF_PHOTOGRAPHS if options.data else OF_KERAS)
    if options.peers:
        sections = [*sections, "peers"]
    print_machine()
    with tempfile.TemporaryDirectory() as name:
        setup = Setup(
            pathlib.Path(name),
            repetitions=options.repetitions or (3 if options.quick else 9),
            threads=options.threads,
            num_files=options.files or (20_000 if options.quick else 100_000),
            data=options.data,
        )
        for section, measure in SECTIONS.items():
            if section in sections:
                print_rows(measure(setup))


if __name__ == "__main__":
    main()
