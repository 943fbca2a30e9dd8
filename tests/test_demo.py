from __future__ import annotations

import pathlib
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from PIL import Image

from multiflow import demo


def test_with_its_own_samples(tmp_path: pathlib.Path, capsys: Any) -> None:
    assert demo.main(["--epochs", "1", "--output", str(tmp_path / "out")]) == 0
    printed = capsys.readouterr().out
    assert "Found 228 images belonging to 3 classes in 2 directories." in printed
    assert "triangle      48        16     64" in printed
    assert "val_accuracy" in printed
    assert "all                      57" in printed
    assert f"Pictures in {tmp_path / 'out'}" in printed
    for name in ("augmented_batch.png", "training_curve.png"):
        assert np.asarray(Image.open(tmp_path / "out" / name)).std() > 10


def test_with_folders(tmp_path: pathlib.Path, make_tree: Any, capsys: Any) -> None:
    files = [f"{name}/{number}.png" for name in ("ants", "bees") for number in range(5)]
    roots = [str(make_tree(name, files)) for name in ("site_a", "site_b")]
    assert demo.main([*roots, "--epochs", "1", "--output", str(tmp_path / "out")]) == 0
    assert "ants        4       4      8" in capsys.readouterr().out
    assert not (tmp_path / "out" / "samples").exists()


def test_results_are_counted_per_class(capsys: Any) -> None:
    labels = np.eye(3)[[0, 0, 1, 1]]
    predictions = np.eye(3)[[0, 1, 1, 1]]
    demo._print_results(["ants", "bees", "cats"], labels, predictions)
    assert capsys.readouterr().out.split("\n")[2:6] == [
        "ants                   2        1       50%",
        "bees                   2        2      100%",
        "cats                   0        0         -",
        "all                    4        3       75%",
    ]


def test_time_limit(make_tree: Any) -> None:
    root = make_tree("a", [f"{name}/{n}.png" for name in "xy" for n in range(40)])
    training, _ = demo._index([str(root)], 0.2)
    history = demo._build_model(2).fit(
        training, epochs=50, verbose=0, callbacks=[demo.TimeLimit(0)]
    )
    assert len(history.history["loss"]) == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["missing"], "multiflow.demo: `directories` names 'missing', which does not exist in "),
        (["."], "multiflow.demo: None of the roots ['.'] holds an image"),
        (["--validation-split", "2"], "multiflow.demo: `validation_split` must be strictly"),
    ],
)
def test_wrong_arguments(tmp_path: pathlib.Path, arguments: list[str], message: str) -> None:
    run = subprocess.run(
        [sys.executable, "-m", "multiflow.demo", *arguments],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 2
    own_lines = [line for line in run.stderr.splitlines() if line.startswith("multiflow.demo: ")]
    assert len(own_lines) == 1
    assert own_lines[0].startswith(message)
    assert "Traceback" not in run.stderr
    assert run.stdout == ""
