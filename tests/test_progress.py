from __future__ import annotations

import pathlib
from types import SimpleNamespace
from typing import Any

import keras
import pytest

from multiflow import MultiDirImageDataGenerator, progress
from multiflow.progress import with_progress
from multiflow.samples import write_segmentation_samples


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A clock by which each look at it takes as many seconds as one sets."""
    clock = SimpleNamespace(now=0.0, step=0.0)

    def monotonic() -> float:
        clock.now += clock.step
        return clock.now

    monkeypatch.setattr(progress.time, "monotonic", monotonic)
    return clock


def test_items_pass_through(capsys: Any) -> None:
    assert list(with_progress("abc", 3, "letter")) == ["a", "b", "c"]
    assert "3/3" in capsys.readouterr().out


def test_says_nothing_to_the_log_either(
    silent_keras: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    bars = []

    class Watched(keras.utils.Progbar):
        def __init__(self, *arguments: Any, **options: Any) -> None:
            super().__init__(*arguments, **options)
            bars.append(self.verbose)

    monkeypatch.setattr(keras.utils, "Progbar", Watched)
    list(with_progress("abc", 3, "letter"))
    assert bars == [0]


def test_is_silent_when_keras_is(silent_keras: None, capsys: Any) -> None:
    assert list(with_progress("abc", 3, "letter")) == ["a", "b", "c"]
    assert capsys.readouterr().out == ""


def test_waits_for_its_patience(clock: Any, capsys: Any) -> None:
    clock.step = 1
    passed = with_progress("abcde", 5, "letter", patience=3)
    for _ in range(3):  # two have been worked on
        next(passed)
    assert capsys.readouterr().out == ""
    next(passed)
    assert "3/5" in capsys.readouterr().out


class TestIndexing:
    """Listing folders and reading headers shows a bar once it has taken a few seconds."""

    def test_folders(self, three_classes: pathlib.Path, clock: Any, capsys: Any) -> None:
        generator = MultiDirImageDataGenerator()
        generator.flow_from_directories([three_classes])
        assert capsys.readouterr().out == "Found 12 images belonging to 3 classes.\n"
        clock.step = 2
        generator.flow_from_directories([three_classes])
        printed = capsys.readouterr().out
        assert "2/3" in printed
        assert "3/3" in printed
        assert "1/3" not in printed

    def test_pairs(self, tmp_path: pathlib.Path, clock: Any, capsys: Any) -> None:
        folders = write_segmentation_samples(tmp_path)
        generator = MultiDirImageDataGenerator()
        generator.flow_segmentation_from_directories(*folders)
        printed = capsys.readouterr().out
        assert printed == "Found 150 pairs of images and masks in 2 directories.\n"
        clock.step = 2
        generator.flow_segmentation_from_directories(*folders)
        assert "150/150" in capsys.readouterr().out
