"""Rows of scripts of which the import alone is changed, each run in a process of its own.

They measure themselves, from after their imports to the end of their last batch.
"""

from __future__ import annotations

import os
import pathlib
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

from photographs import assert_equal_flows
from sides import CLASSIC, REFLECT, Setup
from timing import Row, medians

import multiflow
from multiflow import extras

THEIR_IMPORT = "from keras.src.legacy.preprocessing.image import ImageDataGenerator"
OUR_IMPORT = "from multiflow import MultiDirImageDataGenerator as ImageDataGenerator"
WITHOUT_EXTRA = "\nfrom multiflow import extras\nextras.find = lambda name: None"
SCRIPT = """
import time
import zlib
{its_import}

start = time.perf_counter()
generator = ImageDataGenerator({settings})
flow = generator.flow_from_directory({folder!r}, target_size=(224, 224), seed=1)
for _ in range({num_batches}):
    images, labels = next(flow)
seconds = time.perf_counter() - start

print(seconds, zlib.crc32(images), zlib.crc32(labels))
"""


def measure_scripts(setup: Setup) -> Iterator[Row]:
    for mode, settings in (("classic", CLASSIC), ('"reflect"', REFLECT)):
        assert_equal_flows(setup, settings, 2)
        scripts = scripts_of(setup, settings, f"{setup.num_epochs} * len(flow)")
        runs = [partial(run_script, script) for script in scripts]
        work = f"photographs, {mode}, {setup.num_epochs} epochs of an unchanged script, s"
        yield compare_scripts(work, runs, setup.long_repetitions)


def measure_startup(setup: Setup) -> Iterator[Row]:
    """First batches, with and without what numba has compiled before for another process."""
    theirs, ours = scripts_of(setup, CLASSIC, "1")
    with tempfile.TemporaryDirectory() as compiled:
        run_script(ours, compiled)
        runs = [partial(run_script, theirs), partial(run_script, ours, compiled)]
        yield compare_scripts("first batch of a process, s", runs, setup.repetitions)

    def run_first() -> list[str]:
        with tempfile.TemporaryDirectory() as empty:
            return run_script(ours, empty)

    runs = [partial(run_script, theirs), run_first]
    yield compare_scripts("first batch ever, s", runs, setup.long_repetitions)


def scripts_of(setup: Setup, settings: dict[str, Any], num_batches: str) -> tuple[str, str]:
    """The same script with Keras' class and with multiflow's."""
    our_import = OUR_IMPORT if extras.find("numba") else OUR_IMPORT + WITHOUT_EXTRA
    own = {} if setup.threads is None else {"threads": setup.threads}

    def script(its_import: str, settings: dict[str, Any]) -> str:
        return SCRIPT.format(
            its_import=its_import,
            settings=", ".join(f"{name}={value!r}" for name, value in settings.items()),
            folder=setup.photographs,
            num_batches=num_batches,
        )

    return script(THEIR_IMPORT, settings), script(our_import, settings | own)


def compare_scripts(work: str, runs: Sequence[Callable[[], list[str]]], repetitions: int) -> Row:
    """A row of the seconds that scripts print, whose last batches must be equal."""
    last_batches = set()

    def seconds_of(run: Callable[[], list[str]]) -> float:
        seconds, *checksums = run()
        last_batches.add(tuple(checksums))
        assert len(last_batches) == 1
        return float(seconds)

    return Row(work, *medians([partial(seconds_of, run) for run in runs], repetitions))


def run_script(script: str, compiled: str | None = None) -> list[str]:
    """Runs a script in a process of its own and returns the words that it prints last.

    Args:
        script: its text.
        compiled: the folder in which numba keeps what it has compiled; None for its own.
    """
    package = pathlib.Path(multiflow.__file__).parents[1]
    paths = [str(package), os.environ.get("PYTHONPATH", "")]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, paths))}
    if compiled is not None:
        environment["NUMBA_CACHE_DIR"] = compiled
    command = [sys.executable, "-c", script]
    process = subprocess.run(command, env=environment, capture_output=True, text=True)
    if process.returncode:
        raise RuntimeError(process.stderr)
    return process.stdout.splitlines()[-1].split()
