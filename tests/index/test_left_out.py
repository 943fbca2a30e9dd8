"""What a listing leaves out, or counts twice, is told once; Keras' own flows stay silent."""

from __future__ import annotations

import os
import pathlib
import re
import shutil
import warnings
from collections.abc import Callable
from typing import Any

import pytest

from multiflow import MultiDirImageDataGenerator

COMPANIONS = ["Thumbs.db", ".DS_Store", "notes.txt", "labels.json", "list.csv", "LICENSE", "x.md"]
COMPANIONS += ["._1.webp", ".thumbs/2.gif", "clip.mp4", "weights.h5", "old.zip", "webp", "a.png~"]


def messages_of(make: Callable[[], Any]) -> list[str]:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        make()
    return [str(warning.message) for warning in caught]


def directories(*roots: pathlib.Path, **options: Any) -> Any:
    return MultiDirImageDataGenerator().flow_from_directories(roots, **options)


def pairs(images: pathlib.Path, masks: pathlib.Path, **options: Any) -> Any:
    generator = MultiDirImageDataGenerator()
    return generator.flow_segmentation_from_directories([images], [masks], **options)


def touch(root: pathlib.Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()


class TestExtensions:
    def test_directories(self, make_tree: Any) -> None:
        roots = [make_tree("a", ["x/1.png", "y/1.png"]), make_tree("b", ["x/1.png"])]
        touch(roots[0], "x/1.gif", "x/2.WebP", "y/deep/3.webp", "y/1.npy")
        touch(roots[1], "x/0.webp", "z/1.heic", "z/2.nii.gz")
        [message] = messages_of(lambda: directories(*roots))
        assert message == (
            "Files were left out for their extension: "
            f"3 .webp (such as {str(roots[0] / 'x/2.WebP')!r}), "
            f"1 .gif (such as {str(roots[0] / 'x/1.gif')!r}), "
            f"1 .heic (such as {str(roots[1] / 'z/1.heic')!r}), "
            f"1 .nii (such as {str(roots[1] / 'z/2.nii.gz')!r}), "
            f"1 .npy (such as {str(roots[0] / 'y/1.npy')!r}). "
            "Files are read that end in png, jpg, jpeg, bmp, ppm, tif, tiff. Convert the others, "
            "or move them elsewhere."
        )
        [message] = messages_of(lambda: directories(roots[0], classes=["x"], subset="training"))
        assert ": 1 .gif (such as " in message
        assert "), 1 .webp (such as " in message

    def test_companions_are_no_images(self, make_tree: Any) -> None:
        root = make_tree("a", ["x/1.png", "y/.thumbs/1.png", "masks/1.png"], side=(4, 5))
        touch(root / "x", *COMPANIONS)
        touch(root, *COMPANIONS)
        shutil.rmtree(root / ".thumbs")
        assert directories(root).samples == 3
        assert pairs(root / "x", root / "masks").samples == 1

    def test_the_place_is_the_users(self, make_tree: Any) -> None:
        root = make_tree("a", ["x/1.png"])
        touch(root, "x/1.gif")
        with pytest.warns(UserWarning, match="left out for their extension") as caught:
            MultiDirImageDataGenerator().flow_from_directories([root])
        assert [warning.filename for warning in caught] == [__file__]

    def test_kerass_own_flow_is_silent(self, make_tree: Any) -> None:
        root = make_tree("a", ["x/1.png"])
        touch(root, "x/1.gif", "loose.png")
        assert MultiDirImageDataGenerator().flow_from_directory(root).samples == 1

    def test_without_any_image_an_error_follows(self, tmp_path: pathlib.Path) -> None:
        touch(tmp_path, "x/1.gif")

        def make() -> None:
            with pytest.raises(ValueError, match="holds an image of the classes"):
                directories(tmp_path)

        [message] = messages_of(make)
        assert ": 1 .gif (such as " in message

    def test_pairs(self, make_tree: Any) -> None:
        images = make_tree("images", ["a/1.png"], side=(4, 5))
        masks = make_tree("masks", ["a/1.png"], side=(4, 5))
        touch(images, "a/2.webp")
        touch(masks, "a/2.webp", "3.GIF")
        [message] = messages_of(lambda: pairs(images, masks))
        assert message.startswith(
            "Files were left out for their extension: "
            f"2 .webp (such as {str(images / 'a/2.webp')!r}), "
            f"1 .gif (such as {str(masks / '3.GIF')!r}). Files are read that end in png,"
        )
        assert "tiff, .npy." in message

    def test_masks_of_another_kind(self, make_tree: Any) -> None:
        """As in a well-known contest: the error alone does not say why masks are missing."""
        images = make_tree("images", ["1.png", "2.png"])
        masks = make_tree("masks", [])
        touch(masks, "1.gif", "2.gif")

        def make() -> None:
            with pytest.raises(ValueError, match="2 images without a mask"):
                pairs(images, masks)

        [message] = messages_of(make)
        assert ": 2 .gif (such as " in message


class TestImagesBesideClassFolders:
    def test_they_are_named(self, make_tree: Any) -> None:
        roots = [make_tree(name, ["x/1.png", "2.png", "1.JPG", "._3.png"]) for name in "ab"]
        roots.append(make_tree("c", ["x/1.png"]))
        touch(roots[2], "notes.txt")
        [message] = messages_of(lambda: directories(*roots))
        assert message == (
            "Images that lie directly in a root belong to no class and were left out: "
            f"2 in {str(roots[0])!r} (such as '1.JPG'), 2 in {str(roots[1])!r} (such as '1.JPG'). "
            "Move them into a class folder, or name the wanted folders with `classes`."
        )

    def test_with_classes_they_are_left_out_on_purpose(self, make_tree: Any) -> None:
        root = make_tree("a", ["x/1.png", "2.png", "folder.png/1.png"])
        assert directories(root, classes=["x"]).samples == 1
        assert directories(root, classes=["."]).samples == 3
        (root / "2.png").unlink()
        assert directories(root).num_classes == 2


class TestLinks:
    def test_a_link_back_is_not_entered(self, make_tree: Any) -> None:
        """Keras enters such a link forty times."""
        root = make_tree("root", [f"x/{n}.png" for n in range(4)])
        (root / "x" / "up").symlink_to(root / "x")
        assert MultiDirImageDataGenerator().flow_from_directory(root, follow_links=True).samples > 4
        assert directories(root).samples == 4
        [message] = messages_of(lambda: directories(root, follow_links=True))
        link = str(root / "x" / "up")
        assert message == (
            "Links that lead back to a folder that they lie in were not followed: "
            f"{link!r}. Remove them, or set `follow_links=False`."
        )
        with pytest.warns(UserWarning, match="Links that lead back"):
            assert directories(root, follow_links=True).samples == 4

    @pytest.mark.parametrize("target", ["..", "../..", "../deep", ".", "../../../root/x"])
    def test_links_back_of_all_kinds(self, make_tree: Any, target: str) -> None:
        root = make_tree("root", ["x/deep/1.png", "y/1.png"])
        (root / "x" / "deep" / "back").symlink_to(target)
        with pytest.warns(UserWarning, match=re.escape(repr(str(root / "x" / "deep" / "back")))):
            assert directories(root, follow_links=True).samples == 2

    def test_a_circle_of_two_links(self, make_tree: Any) -> None:
        root = make_tree("root", ["x/1.png"])
        far = make_tree("far", ["1.png"])
        (root / "x" / "far").symlink_to(far)
        (far / "back").symlink_to(root / "x")
        back = re.escape(repr(str(root / "x" / "far" / "back")))
        with pytest.warns(UserWarning, match=f"not followed: {back}"):
            assert directories(root, follow_links=True).samples == 2

    def test_links_elsewhere_are_followed_in_silence(self, make_tree: Any) -> None:
        root = make_tree("root", ["x/1.png", "xx/1.png"])
        far = make_tree("far", ["1.png", "deep/2.png"])
        (root / "x" / "far").symlink_to(far / "deep")
        (root / "y").symlink_to(make_tree("root-b", ["1.png", "2.png"]))
        (root / "x" / "near").symlink_to(make_tree("roo", ["1.png"]))
        assert directories(root, follow_links=True).samples == 6

    def test_folders_that_are_there_twice(self, make_tree: Any) -> None:
        root = make_tree("root", ["x/1.png", "x/deep/er/2.png", "y/1.png"])
        other = make_tree("other", ["y/1.png"])
        (root / "y" / "again").symlink_to(root / "x" / "deep")
        (other / "x").symlink_to(root / "x")
        [message] = messages_of(lambda: directories(root, other, follow_links=True))
        first, second = root / "y" / "again", other / "x"
        assert message == (
            "Folders are there more than once, by links: "
            f"{str(first)!r} is {str(root / 'x' / 'deep')!r}, "
            f"{str(second)!r} is {str(root / 'x')!r}. Their images count double and can be in both "
            "subsets, or under two labels. Remove the links."
        )
        with pytest.warns(UserWarning, match="Folders are there more than once"):
            assert directories(root, other, follow_links=True).samples == 7
        with pytest.warns(UserWarning, match="Folders are there more than once"):
            assert directories(root, other).samples == 6  # class folders that are links count
        assert directories(root).samples == 3

    def test_many_links_are_counted(self, make_tree: Any) -> None:
        root = make_tree("root", ["x/1.png"])
        for number in range(12):
            (root / "x" / f"{number:02d}").symlink_to(root / "x")
        [message] = messages_of(lambda: directories(root, follow_links=True))
        assert message.count("root/x/") == 10
        assert "/09', …. Remove" in message

    def test_pairs(self, make_tree: Any) -> None:
        sides = [make_tree(name, ["a/1.png"], side=(4, 5)) for name in ("images", "masks")]
        for side in sides:
            (side / "a" / "back").symlink_to(side)
        [message] = messages_of(lambda: pairs(*sides, follow_links=True))
        assert message.startswith("Links that lead back to a folder that they lie in were not")
        assert all(repr(str(side / "a" / "back")) in message for side in sides)

    def test_images_may_share_a_folder_of_masks(self, make_tree: Any) -> None:
        images = make_tree("images", ["day/1.png", "night/1.png"], side=(4, 5))
        masks = make_tree("masks", ["day/1.png"], side=(4, 5))
        (masks / "night").symlink_to(masks / "day")
        assert pairs(f"{images}/", f"{masks}/", follow_links=True).samples == 2
        shutil.rmtree(images / "night")
        (images / "night").symlink_to(images / "day")
        with pytest.warns(UserWarning, match="Folders are there more than once"):
            assert pairs(images, masks, follow_links=True).samples == 2


def test_left_out_files_of_a_folder_whose_path_is_hidden(tmp_path: pathlib.Path) -> None:
    root = tmp_path / ".cache" / "set"
    touch(root, "x/1.png", "x/2.webp")
    with pytest.warns(UserWarning, match=r": 1 \.webp"):
        MultiDirImageDataGenerator().flow_from_directories([os.path.join(root, "")])
