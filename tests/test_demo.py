from __future__ import annotations

import pathlib
import re
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from PIL import Image

from multiflow.demo import classification as demo
from multiflow.demo import segmentation as demo_segmentation


def test_with_its_own_samples(tmp_path: pathlib.Path, capsys: Any) -> None:
    assert demo.main(["--epochs", "2", "--output", str(tmp_path / "out")]) == 0
    printed = capsys.readouterr().out
    assert "Found 228 images belonging to 3 classes in 2 directories." in printed
    assert "triangle      48        16     64" in printed
    assert "Epoch 2/2" in printed
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


def test_segmentation_with_its_own_samples(tmp_path: pathlib.Path, capsys: Any) -> None:
    assert demo.main(["--segmentation", "--epochs", "1", "--output", str(tmp_path / "out")]) == 0
    printed = capsys.readouterr().out
    assert "Found 120 pairs of images and masks in 2 directories." in printed
    assert "Mask values: 0, 1, 2, 3" in printed
    assert "on 30 validation images" in printed
    for name in ("predictions.png", "segmentation_curve.png"):
        assert np.asarray(Image.open(tmp_path / "out" / name)).std() > 10


def test_segmentation_with_folders(tmp_path: pathlib.Path, capsys: Any) -> None:
    for kind in ("images", "masks"):
        (tmp_path / kind).mkdir()
        for number in range(10):
            square = np.zeros((40, 40), np.uint8)
            square[number : number + 20, 10:30] = 255
            Image.fromarray(square).save(tmp_path / kind / f"{number}.png")
    folders = [str(tmp_path / kind) for kind in ("images", "masks")]
    arguments = ["--epochs", "20", "--output", str(tmp_path / "out")]
    assert demo.main(["--segmentation", *folders, *arguments]) == 0
    printed = capsys.readouterr().out
    assert "Mask values: 0, 255" in printed
    [mean] = re.findall(r"mean +(\d\.\d+)   on 2 validation images", printed)
    assert float(mean) > 0.8


def test_overlap_is_that_of_each_value(capsys: Any) -> None:
    masks = np.array([[[0, 0, 1, 1]]])
    predictions = np.array([[[0, 1, 1, 1]]])
    demo_segmentation.print_overlap(np.array([0, 255]), masks, predictions)
    lines = capsys.readouterr().out.splitlines()[2:]
    assert [line.split()[:2] for line in lines] == [
        ["0", "0.50"],
        ["255", "0.67"],
        ["mean", "0.58"],
    ]


@pytest.mark.parametrize(
    ("mask", "message"),
    [
        (np.arange(1600).reshape(40, 40).astype(np.uint16), "masks hold 1600 values, more than 20"),
        (np.zeros((40, 40, 3), np.uint8), "the masks have channels"),
    ],
)
def test_masks_that_are_no_classes(
    tmp_path: pathlib.Path, capsys: Any, mask: np.ndarray, message: str
) -> None:
    for kind, pixels in [("images", np.zeros((40, 40), np.uint8)), ("masks", mask)]:
        (tmp_path / kind).mkdir()
        for number in range(5):
            Image.fromarray(pixels).save(tmp_path / kind / f"{number}.png")
    folders = [str(tmp_path / kind) for kind in ("images", "masks")]
    assert demo.main(["--segmentation", *folders, "--output", str(tmp_path / "out")]) == 2
    assert message in capsys.readouterr().err


def test_one_segmentation_folder(capsys: Any) -> None:
    with pytest.raises(SystemExit, match="2"):
        demo.main(["--segmentation", "images"])
    assert "takes a folder of images and a folder of masks" in capsys.readouterr().err


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
        (
            ["missing"],
            "multiflow.demo: `directories` names 'missing', which does not exist in ",
        ),
        (
            ["."],
            "multiflow.demo: the pictures would go to 'multiflow-demo', inside the folder '.'",
        ),
        (
            [".", "--output", "../out"],
            "multiflow.demo: None of the roots ['.'] holds a class folder",
        ),
        (
            ["--validation-split", "2"],
            "multiflow.demo: `validation_split` must be strictly",
        ),
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
    if "--validation-split" not in arguments:
        assert not list(tmp_path.iterdir())


def test_one_class(make_tree: Any, tmp_path: pathlib.Path, capsys: Any) -> None:
    root = make_tree("a", [f"x/{number}.png" for number in range(10)])
    assert demo.main([str(root), "--output", str(tmp_path / "out")]) == 2
    assert "hold the one class ['x']" in capsys.readouterr().err


def test_no_epoch(capsys: Any) -> None:
    with pytest.raises(SystemExit, match="2"):
        demo.main(["--epochs", "0"])
    assert "must be at least 1, not 0" in capsys.readouterr().err


def test_only_training_images_are_augmented(make_tree: Any) -> None:
    root = make_tree("a", [f"{name}/{n}.png" for name in "xy" for n in range(10)])
    training, validation = demo._index([str(root)], 0.2)
    assert (training.samples, validation.samples) == (16, 4)
    validation.index_array = training.index_array = np.arange(4)
    np.testing.assert_array_equal(validation[0][0], validation[0][0])
    assert not np.array_equal(training[0][0], training[0][0])
    assert 0.5 < validation[0][0].max() <= 1


def test_captions_name_class_and_source(make_tree: Any, monkeypatch: Any) -> None:
    """Each source has one grey level, each class another, so that images tell their captions."""
    drawn = {}
    monkeypatch.setattr(demo, "contact_sheet", lambda *sheet: drawn.update(sheet=sheet))
    roots = {}
    for source, name in enumerate(["dark", "light"]):
        root = make_tree(name, [])
        for label, class_name in enumerate(["ants", "bees"]):
            (root / class_name).mkdir()
            for number in range(5):
                image = Image.new("L", (8, 8), 100 * source + 50 * label)
                image.save(root / class_name / f"{number}.png")
        roots[name] = str(root)
    training, _ = demo._index(roots, 0.2)
    demo._draw_batch(training)
    images, captions = drawn["sheet"]
    expected = ["ants · dark", "bees · dark", "ants · light", "bees · light"]
    assert captions == [expected[round(image.mean() * 255 / 50)] for image in images]


def test_curves_are_named_after_their_values(monkeypatch: Any) -> None:
    drawn = {}
    monkeypatch.setattr(demo, "curves", lambda series, **_: drawn.update(series))
    demo._draw_history({"loss": [1], "val_loss": [2], "accuracy": [3], "val_accuracy": [4]})
    assert list(drawn.items()) == [
        ("training loss", [1]),
        ("validation loss", [2]),
        ("training accuracy", [3]),
        ("validation accuracy", [4]),
    ]
