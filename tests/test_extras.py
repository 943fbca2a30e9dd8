"""An interpreter without the optional libraries, and what is said of those that are missing."""

from __future__ import annotations

import gc
import importlib.util
import pathlib
import re
import subprocess
import sys

import pytest

from multiflow import extras

# pandas is no part of an extra: who has a dataframe has it.
OPTIONAL = ["numba", "simplejpeg", "filelock", "psutil", "matplotlib", "IPython", "cv2"]
EVERY_FLOW = """
import sys
import threading
sys.modules.update(dict.fromkeys({optional}))

import numpy as np
import pandas as pd
from multiflow import MultiDirImageDataGenerator, parallel
print(f"{{threading.active_count()}} thread, {{parallel._pool.cache_info().currsize}} pools")

from multiflow.samples import write_samples, write_segmentation_samples

roots, pairs = write_samples("samples"), write_segmentation_samples("pairs")
frame = pd.DataFrame({{"filename": ["circle/circle_000.jpg"], "class": ["circle"]}})
images, labels = np.random.default_rng(0).random((5, 8, 9, 3)), np.arange(5)
generator = MultiDirImageDataGenerator(rotation_range=30, channel_shift_range=0.1)
flows = [
    generator.flow(images, labels),
    generator.flow_from_directory(roots["photos"]),
    generator.flow_from_directories(roots),
    generator.flow_from_dataframe(frame, roots["photos"]),
    generator.flow_segmentation(images, images > 0.5),
    generator.flow_segmentation_from_directories(*pairs),
]
for flow in flows:
    batch = next(flow)
    print(f"{{len(batch[0])}} images, {{len(batch[1])}} targets")
generator.fit(flows[0])
print(flows[2].summary())
try:
    flows[0].show()
except ImportError as error:
    print(error)

import runpy
sys.argv = ["multiflow.demo", "missing"]
runpy.run_module("multiflow.demo", run_name="__main__")
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> subprocess.CompletedProcess[str]:
    """One interpreter for all tests, as its imports take seconds."""
    return subprocess.run(
        [sys.executable, "-c", EVERY_FLOW.format(optional=OPTIONAL)],
        cwd=tmp_path_factory.mktemp("run"),
        env={"PYTHONPATH": str(pathlib.Path(extras.__file__).parent.parent)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_import_starts_no_thread(run: subprocess.CompletedProcess[str]) -> None:
    assert run.stdout.startswith("1 thread, 0 pools\n")


def test_every_flow_runs_without_them(run: subprocess.CompletedProcess[str]) -> None:
    counts = re.findall(r"^(\d+) images, (\d+) targets$", run.stdout, re.MULTILINE)
    assert counts == [("5", "5"), ("32", "32"), ("32", "32"), ("1", "1"), ("5", "5"), ("32", "32")]
    assert "total        180       105    285" in run.stdout
    assert run.stdout.splitlines()[-1] == (
        "Showing a flow needs matplotlib, which comes with multiflow's extra `notebooks`, or with: "
        "python -m pip install matplotlib"
    )


def test_the_demo_begins_without_them(run: subprocess.CompletedProcess[str]) -> None:
    """As a program, which ends with the code of `main`."""
    assert run.returncode == 2
    assert "\nmultiflow.demo: `directories` names 'missing'" in f"\n{run.stderr}"
    assert "Traceback" not in run.stderr


def test_what_is_there_is_returned() -> None:
    assert extras.require("re", user="It", extra="fast") is re


def test_a_missing_part_of_a_library_names_the_library() -> None:
    message = "It needs nowhere, which comes with multiflow's extra `fast`, .* pip install nowhere$"
    with pytest.raises(ImportError, match=message):
        extras.require("nowhere.to.be.found", user="It", extra="fast")


def test_older_numba_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    numba = pytest.importorskip("numba")
    monkeypatch.setattr(numba, "__version__", "0.60.1")
    spec = importlib.util.find_spec("multiflow.compiling")
    assert spec
    assert spec.loader
    with pytest.raises(ImportError, match="Older versions of numba"):
        spec.loader.exec_module(importlib.util.module_from_spec(spec))


@pytest.mark.parametrize("collects", [True, False])
def test_garbage_waits_for_imports_alone(collects: bool) -> None:
    was_enabled = gc.isenabled()
    try:
        (gc.enable if collects else gc.disable)()
        with extras.first_use():
            with extras.first_use():
                assert not gc.isenabled()
            assert not gc.isenabled()
        assert gc.isenabled() == collects
    finally:
        (gc.enable if was_enabled else gc.disable)()
