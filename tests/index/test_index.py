"""The listing against Keras' own, where a tree is out of the ordinary."""

from __future__ import annotations

import os
import pathlib

import pytest

from multiflow import MultiDirImageDataGenerator, _keras


def assert_same_listing(root: pathlib.Path) -> list[str]:
    for follow_links in (False, True):
        theirs = _keras.ImageDataGenerator().flow_from_directory(root, follow_links=follow_links)
        ours = MultiDirImageDataGenerator().flow_from_directory(root, follow_links=follow_links)
        assert ours.filenames == theirs.filenames
        assert ours.filepaths == theirs.filepaths
        assert ours.classes.tolist() == theirs.classes.tolist()
        assert ours.class_indices == theirs.class_indices
    return ours.filenames


def touch(path: pathlib.Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()


@pytest.mark.filterwarnings('ignore:Using ".tiff" files:UserWarning')
def test_names_and_endings(tmp_path: pathlib.Path) -> None:
    names = ["b.png", "B.PNG", "a.JpEg", "fakepng", "png", ".png", "x.tiff", "x.TIF", "c.png.txt"]
    names += ["no", "ü.bmp", "İ.PPM", "white space.jpg", "new\nline.jpg", "%.jpg", "jpg"]
    for name in names:
        touch(tmp_path / "class" / name)
    touch(tmp_path / os.fsdecode(b"latin-\xe9") / os.fsdecode(b"\xff.png"))
    touch(tmp_path / "loose.png")
    listed = assert_same_listing(tmp_path)
    assert len(listed) == 15


def test_nested_folders(tmp_path: pathlib.Path) -> None:
    for folder in ["", "b", "b/c", "b-c", "b.png", "a", ".hidden"]:
        for number in range(2):
            touch(tmp_path / "class" / folder / f"{number}.png")
    (tmp_path / "class" / "empty" / "deep").mkdir(parents=True)
    assert len(assert_same_listing(tmp_path)) == 14


def test_links(tmp_path: pathlib.Path) -> None:
    root = tmp_path / "root"
    touch(root / "class" / "1.png")
    touch(tmp_path / "far" / "deep" / "2.png")
    (root / "class" / "folder").symlink_to(tmp_path / "far")
    (root / "class" / "folder.png").symlink_to(tmp_path / "far")
    (root / "class" / "file.png").symlink_to(tmp_path / "far" / "deep" / "2.png")
    (root / "class" / "broken.png").symlink_to(tmp_path / "nowhere")
    (root / "linked_class").symlink_to(tmp_path / "far")
    (root / "broken_class").symlink_to(tmp_path / "nowhere")
    assert len(assert_same_listing(root)) == 6


def test_circular_links(tmp_path: pathlib.Path) -> None:
    touch(tmp_path / "class" / "1.png")
    (tmp_path / "class" / "up").symlink_to(tmp_path / "class")
    (tmp_path / "class" / "self.png").symlink_to("self.png")
    assert "class/up/up/1.png" in assert_same_listing(tmp_path)


def test_special_files(tmp_path: pathlib.Path) -> None:
    touch(tmp_path / "class" / "1.png")
    os.mkfifo(tmp_path / "class" / "pipe.png")
    assert len(assert_same_listing(tmp_path)) == 2


@pytest.mark.usefixtures("secret_folders")
def test_unreadable_folders(tmp_path: pathlib.Path) -> None:
    touch(tmp_path / "class" / "1.png")
    touch(tmp_path / "class" / "secret" / "2.png")
    touch(tmp_path / "secret" / "3.png")
    assert assert_same_listing(tmp_path) == ["class/1.png"]
