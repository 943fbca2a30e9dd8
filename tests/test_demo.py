from __future__ import annotations

import pathlib
import re
import sys
from typing import Any

import numpy as np
import pytest
from PIL import Image

from multiflow.demo import classification, command, segmentation
from multiflow.show.colours import PALETTE
from multiflow.show.figures import Picture


@pytest.fixture
def saved(monkeypatch: pytest.MonkeyPatch) -> dict[str, Picture]:
    """The figures that are saved, by the names of their files."""
    saved: dict[str, Picture] = {}
    savefig = Picture.savefig

    def watch(figure: Picture, path: pathlib.Path) -> None:
        saved[path.name] = figure
        savefig(figure, path)

    monkeypatch.setattr(Picture, "savefig", watch)
    return saved


def titles_of(figure: Picture) -> list[str]:
    return [axes.get_title() for axes in figure.axes]


def test_with_its_own_samples(
    tmp_path: pathlib.Path, capsys: Any, saved: dict[str, Picture]
) -> None:
    assert command.main(["--epochs", "2", "--output", str(tmp_path / "out")]) == 0
    printed = capsys.readouterr().out
    assert "Found 228 images belonging to 3 classes in 2 directories." in printed
    assert "triangle      48        16     64" in printed
    assert "Epoch 2/2" in printed
    assert "val_accuracy" in printed
    assert "all                      57" in printed
    names = ["augmented_batch.png", "training_curve.png"]
    assert printed.endswith(f"\nPictures in {tmp_path / 'out'}: {', '.join(names)}\n")
    assert list(saved) == names
    for name in names:
        assert np.asarray(Image.open(tmp_path / "out" / name)).std() > 10
    sheet, curves = saved.values()
    assert len(sheet.axes) == 16
    assert {caption.split(" · ")[1] for caption in titles_of(sheet)} == {"photos", "sketches"}
    assert curves.get_suptitle() == "Classification"
    assert sorted(titles_of(curves)) == ["accuracy", "loss"]
    assert [line.get_xdata().tolist() for line in curves.axes[0].lines] == [[1, 2]] * 2


def test_with_folders(tmp_path: pathlib.Path, make_tree: Any, capsys: Any) -> None:
    files = [f"{name}/{number}.png" for name in ("ants", "bees") for number in range(5)]
    roots = [str(make_tree(name, files)) for name in ("site_a", "site_b")]
    assert command.main([*roots, "--epochs", "1", "--output", str(tmp_path / "out")]) == 0
    assert "ants        4       4      8" in capsys.readouterr().out
    assert not (tmp_path / "out" / "samples").exists()


def test_segmentation_with_its_own_samples(
    tmp_path: pathlib.Path, capsys: Any, saved: dict[str, Picture]
) -> None:
    arguments = ["--epochs", "1", "--output", str(tmp_path / "out")]
    assert command.main(["--segmentation", *arguments]) == 0
    printed = capsys.readouterr().out
    assert "Found 120 pairs of images and masks in 2 directories." in printed
    assert "Mask values: 0, 1, 2, 3" in printed
    assert "on 30 validation images" in printed
    names = ["predictions.png", "segmentation_curve.png"]
    assert printed.endswith(f"\nPictures in {tmp_path / 'out'}: {', '.join(names)}\n")
    assert list(saved) == names
    for name in names:
        assert np.asarray(Image.open(tmp_path / "out" / name)).std() > 10
    sheet, curves = saved.values()
    assert titles_of(sheet) == ["image", "mask", "prediction"] * 6
    assert sheet.get_suptitle() == "Validation: 6 of 30 images"
    assert curves.get_suptitle() == "Segmentation"
    assert sorted(titles_of(curves)) == ["accuracy", "loss"]


def test_segmentation_with_folders(tmp_path: pathlib.Path, capsys: Any) -> None:
    for kind in ("images", "masks"):
        (tmp_path / kind).mkdir()
        for number in range(10):
            square = np.zeros((40, 40), np.uint8)
            square[number : number + 20, 10:30] = 255
            Image.fromarray(square).save(tmp_path / kind / f"{number}.png")
    folders = [str(tmp_path / kind) for kind in ("images", "masks")]
    arguments = ["--epochs", "10", "--output", str(tmp_path / "out")]
    assert command.main(["--segmentation", *folders, *arguments]) == 0
    printed = capsys.readouterr().out
    assert "Mask values: 0, 255" in printed
    [mean] = re.findall(r"mean +(\d\.\d+)   on 2 validation images", printed)
    assert float(mean) > 0.8


def test_overlap_is_that_of_each_value(capsys: Any) -> None:
    masks = np.array([[[0, 0, 1, 1]]])
    predictions = np.array([[[0, 1, 1, 1]]])
    segmentation.print_overlap(np.array([0, 255]), masks, predictions)
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
    assert command.main(["--segmentation", *folders, "--output", str(tmp_path / "out")]) == 2
    assert message in capsys.readouterr().err


def test_one_segmentation_folder(capsys: Any) -> None:
    with pytest.raises(SystemExit, match="2"):
        command.main(["--segmentation", "images"])
    assert "takes a folder of images and a folder of masks" in capsys.readouterr().err


def test_results_are_counted_per_class(capsys: Any) -> None:
    labels = np.eye(3)[[0, 0, 1, 1]]
    predictions = np.eye(3)[[0, 1, 1, 1]]
    classification.print_results(["ants", "bees", "cats"], labels, predictions)
    assert capsys.readouterr().out.split("\n")[2:6] == [
        "ants                   2        1       50%",
        "bees                   2        2      100%",
        "cats                   0        0         -",
        "all                    4        3       75%",
    ]


def test_time_limit(make_tree: Any) -> None:
    root = make_tree("a", [f"{name}/{n}.png" for name in "xy" for n in range(40)])
    training, _ = classification.index_images([str(root)], 0.2)
    history = classification.build_model(2).fit(
        training, epochs=50, verbose=0, callbacks=[command.TimeLimit(0)]
    )
    assert len(history.history["loss"]) == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["missing"],
            "`directories` names 'missing', which does not exist in ",
        ),
        (
            ["."],
            "the pictures would go to 'multiflow-demo', inside the folder '.'",
        ),
        (
            [".", "--output", "../out"],
            "None of the roots ['.'] holds a class folder",
        ),
        (
            ["--validation-split", "2"],
            "`validation_split` must be strictly",
        ),
    ],
)
def test_wrong_arguments(
    tmp_path: pathlib.Path, monkeypatch: Any, capsys: Any, arguments: list[str], message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    assert command.main(arguments) == 2
    printed = capsys.readouterr()
    [line] = printed.err.splitlines()
    assert line.startswith(f"multiflow.demo: {message}")
    assert printed.out == ""
    if "--validation-split" not in arguments:
        assert not list(tmp_path.iterdir())


def test_training_without_matplotlib(
    tmp_path: pathlib.Path, make_tree: Any, monkeypatch: Any, capsys: Any
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    root = make_tree("a", [f"{name}/{n}.png" for name in "xy" for n in range(5)])
    assert command.main([str(root), "--epochs", "1", "--output", str(tmp_path / "out")]) == 0
    printed = capsys.readouterr().out
    assert "val_accuracy" in printed
    assert printed.splitlines()[-1] == (
        "There are no pictures. Drawing them needs matplotlib, which comes with multiflow's extra "
        "`notebooks`, or with: python -m pip install matplotlib"
    )
    assert not (tmp_path / "out").exists()


def test_one_class(make_tree: Any, tmp_path: pathlib.Path, capsys: Any) -> None:
    root = make_tree("a", [f"x/{number}.png" for number in range(10)])
    assert command.main([str(root), "--output", str(tmp_path / "out")]) == 2
    assert "hold the one class ['x']" in capsys.readouterr().err


def test_no_epoch(capsys: Any) -> None:
    with pytest.raises(SystemExit, match="2"):
        command.main(["--epochs", "0"])
    assert "must be at least 1, not 0" in capsys.readouterr().err


def test_only_training_images_are_augmented(make_tree: Any) -> None:
    root = make_tree("a", [f"{name}/{n}.png" for name in "xy" for n in range(10)])
    training, validation = classification.index_images([str(root)], 0.2)
    assert (training.samples, validation.samples) == (16, 4)
    validation.index_array = training.index_array = np.arange(4)
    np.testing.assert_array_equal(validation[0][0], validation[0][0])
    assert not np.array_equal(training[0][0], training[0][0])
    assert 0.5 < validation[0][0].max() <= 1


def test_captions_name_class_and_source(make_tree: Any) -> None:
    """Each source has one grey level, each class another, so that images tell their captions."""
    roots = {}
    for source, name in enumerate(["dark", "light"]):
        root = make_tree(name, [])
        for label, class_name in enumerate(["ants", "bees"]):
            (root / class_name).mkdir()
            for number in range(5):
                image = Image.new("L", (8, 8), 100 * source + 50 * label)
                image.save(root / class_name / f"{number}.png")
        roots[name] = str(root)
    training, _ = classification.index_images(roots, 0.2)
    figure = training.show()
    images = [axes.images[0].get_array() for axes in figure.axes]
    expected = ["ants · dark", "bees · dark", "ants · light", "bees · light"]
    assert titles_of(figure) == [expected[round(image.mean() * 255 / 50)] for image in images]


def test_predictions_are_beside_their_images_and_masks() -> None:
    """Each value but 0 is in its own colour where the mask, or the prediction, has it."""
    rng = np.random.default_rng(0)
    images = rng.uniform(-0.1, 1.1, (7, 8, 8, 3))
    masks, predicted = rng.choice([0, 2, 255], (2, 7, 8, 8))
    figure = segmentation.Predictions(images, masks, predicted).draw()
    assert titles_of(figure) == ["image", "mask", "prediction"] * 6
    assert figure.get_suptitle() == "Validation: 6 of 7 images"
    legend = [text.get_text() for text in figure.legends[0].get_texts()]
    assert legend == ["mask value 2", "mask value 255"]
    for number, axes in enumerate(figure.axes):
        sample, part = divmod(number, 3)
        image = images[sample] if part == 0 else images[sample].mean(axis=-1, keepdims=True)
        shown = np.broadcast_to(image.clip(0, 1), (8, 8, 3))
        np.testing.assert_allclose(axes.images[0].get_array(), shown, atol=1e-9)
        values = [None, masks, predicted][part]
        assert len(axes.images) == (1 if values is None else 3)
        for value, area in zip([2, 255], axes.images[1:], strict=False):
            colours = area.get_array()
            np.testing.assert_array_equal(colours[..., 3] > 0, values[sample] == value)
            place = (value - 1) % len(PALETTE)
            assert (colours[values[sample] == value, :3] == PALETTE[place]).all()


def test_classes_of_a_mask_without_0_are_all_coloured() -> None:
    masks = np.kron([[1, 2], [2, 1]], np.ones((4, 4), int))[np.newaxis]
    figure = segmentation.Predictions(np.zeros((1, 8, 8, 3)), masks, masks).draw()
    assert [len(axes.images) - 1 for axes in figure.axes] == [0, 2, 2]
