"""The command that lists caches and deletes stale ones, and nothing else."""

from __future__ import annotations

import os
import pathlib
import re
import subprocess
import sys
from typing import Any

import filelock
import numpy as np
import pytest
from PIL import Image

from multiflow import MultiDirImageDataGenerator, caches
from multiflow.images import cachefile

OLD_KEY = "0123456789abcdef" * 2
OF_USERS = {"notes.cache", f"{OLD_KEY}.cache", f"{OLD_KEY}.npy.partial", f"{OLD_KEY}.npy"}


@pytest.fixture
def folder(three_classes: Any, tmp_path: pathlib.Path, silent_keras: None) -> pathlib.Path:
    """A folder that holds the cache of a flow, and files of users."""
    folder = tmp_path / "cache"
    fill(three_classes, folder)
    (folder / "notes.cache").write_text("mine")
    (folder / f"{OLD_KEY}.cache").write_text("mine")
    (folder / f"{OLD_KEY}.npy.partial").mkdir()
    np.save(folder / f"{OLD_KEY}.npy", np.zeros(3))
    return folder


def fill(root: Any, folder: Any, size: Any = (9, 7)) -> None:
    MultiDirImageDataGenerator().flow_from_directory(root, target_size=size, cache=folder)


def the_cache(folder: pathlib.Path) -> pathlib.Path:
    [path] = [path for path in folder.glob("*.cache") if path.stat().st_size > 10]
    return path


def run(capsys: Any, *arguments: Any) -> str:
    capsys.readouterr()
    assert caches.main([str(argument) for argument in arguments]) == 0
    return capsys.readouterr().out


def test_lists_what_fits(folder: pathlib.Path, three_classes: Any, capsys: Any) -> None:
    path = the_cache(folder)
    size = f"{path.stat().st_size / 1000:.1f} kB"
    out = run(capsys, folder)
    pattern = (
        rf"{path.name}: 12 images of 9 × 7 × 3, {size}, written \d{{4}}-\d\d-\d\d \d\d:\d\d, of "
        rf"files in '{three_classes}'\n    fits its files\n"
    )
    assert re.fullmatch(pattern, out)
    before = sorted(os.listdir(folder))
    assert run(capsys, folder, "--delete-stale") == f"{out}Deleted 0.0 kB.\n"
    assert sorted(os.listdir(folder)) == before


def change_file(root: pathlib.Path, path: pathlib.Path, monkeypatch: Any) -> None:
    (root / "ants/0.png").touch()


def delete_files(root: pathlib.Path, path: pathlib.Path, monkeypatch: Any) -> None:
    (root / "ants/0.png").unlink()
    (root / "cats/10.jpg").unlink()


def other_pillow(root: pathlib.Path, path: pathlib.Path, monkeypatch: Any) -> None:
    monkeypatch.setattr(cachefile, "software", lambda: "Pillow 99")


def flip(path: pathlib.Path, position: int) -> None:
    data = bytearray(path.read_bytes())
    data[position] ^= 1
    path.write_bytes(data)


def other_version(root: pathlib.Path, path: pathlib.Path, monkeypatch: Any) -> None:
    flip(path, len(cachefile.MAGIC))


def damage_pixels(root: pathlib.Path, path: pathlib.Path, monkeypatch: Any) -> None:
    flip(path, 1000)


def damage_manifest(root: pathlib.Path, path: pathlib.Path, monkeypatch: Any) -> None:
    flip(path, path.stat().st_size - 1)


def truncate(root: pathlib.Path, path: pathlib.Path, monkeypatch: Any) -> None:
    os.truncate(path, 20)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (change_file, "1 of its 12 files were changed, moved or copied, such as .*0.png'"),
        (delete_files, "2 of its 12 files are gone, such as .*0.png'"),
        (other_pillow, "'Pillow .*Keras .*' made it, and not 'Pillow 99'"),
        (other_version, "another version of multiflow wrote it"),
        (damage_pixels, "the checksum of an image is wrong"),
        (damage_manifest, "the checksum of its manifest is wrong"),
        (truncate, "its size is wrong"),
    ],
)
def test_deletes_what_is_stale(
    folder: pathlib.Path,
    three_classes: Any,
    capsys: Any,
    monkeypatch: Any,
    change: Any,
    reason: str,
) -> None:
    path = the_cache(folder)
    change(three_classes, path, monkeypatch)
    size = path.stat().st_size
    out = run(capsys, folder)
    assert re.search(rf"^{path.name}: .*\n    stale: {reason}\n$", out)
    assert path.exists()
    deleted = f"    deleted {path.name}\nDeleted {size / 1000:.1f} kB.\n"
    assert run(capsys, folder, "--delete-stale") == out + deleted
    assert set(os.listdir(folder)) == OF_USERS


def test_deletes_what_killed_builds_left(folder: pathlib.Path, capsys: Any) -> None:
    path = the_cache(folder)
    partial = pathlib.Path(f"{path}.0123456789abcdef.partial")
    partial.write_bytes(cachefile.MAGIC + bytes(100))
    pathlib.Path(f"{path}.0123456789abcdee.partial").write_bytes(b"no cache")
    pathlib.Path(f"{path}.0123456789abcdec.partial").symlink_to(partial)
    kept = set(os.listdir(folder)) - {partial.name}
    with filelock.FileLock(f"{path}.lock"):
        assert "not deleted: it is being written" in run(capsys, folder, "--delete-stale")
    assert partial.exists()
    assert f"deleted {partial.name}" in run(capsys, folder, "--delete-stale")
    assert set(os.listdir(folder)) == kept


def test_deletes_caches_of_the_first_version(folder: pathlib.Path, capsys: Any) -> None:
    old = folder / f"{OLD_KEY[::-1]}.npy"
    np.save(old, np.zeros(3))
    pathlib.Path(f"{old}.lock").touch()
    assert "an older version" in run(capsys, folder)
    run(capsys, folder, "--delete-stale")
    assert set(os.listdir(folder)) - OF_USERS == {
        the_cache(folder).name,
        f"{the_cache(folder).name}.lock",
    }


def test_follows_no_link(folder: pathlib.Path, three_classes: Any, capsys: Any) -> None:
    path = the_cache(folder)
    elsewhere = folder.with_name("elsewhere")
    path.rename(elsewhere)
    path.symlink_to(elsewhere)
    os.mkfifo(folder / f"{OLD_KEY[::-1]}.cache")
    (three_classes / "ants/0.png").unlink()
    assert run(capsys, folder, "--delete-stale") == "Deleted 0.0 kB.\n"
    assert path.is_symlink()
    assert elsewhere.exists()


def test_deletes_nothing_that_cannot_be_compared(
    folder: pathlib.Path, capsys: Any, monkeypatch: Any
) -> None:
    def refuse(path: str) -> Any:
        raise PermissionError(13, "Permission denied", path)

    monkeypatch.setattr(cachefile, "file_facts", refuse)
    assert "cannot be compared: [Errno 13]" in run(capsys, folder, "--delete-stale")
    assert the_cache(folder)


def test_goes_on_where_something_cannot_be_deleted(
    folder: pathlib.Path, three_classes: Any, capsys: Any
) -> None:
    fill(three_classes, folder, (3, 4))
    (three_classes / "ants/0.png").unlink()
    locks = sorted(folder.glob("*.lock"))
    locks[0].unlink()
    locks[0].symlink_to("elsewhere")
    out = run(capsys, folder, "--delete-stale")
    assert out.count("    not deleted: ") == out.count("    deleted ") == 1


def test_many_caches(folder: pathlib.Path, three_classes: Any, capsys: Any) -> None:
    for size in ((3, 4), (5, 6)):
        fill(three_classes, folder, size)
    out = run(capsys, folder)
    assert out.count("fits its files") == 3
    assert "3 × 4 × 3" in out


def test_one_image(tmp_path: pathlib.Path, silent_keras: None, capsys: Any) -> None:
    (tmp_path / "root/class").mkdir(parents=True)
    Image.new("RGB", (5, 5)).save(tmp_path / "root/class/0.png")
    fill(tmp_path / "root", tmp_path / "cache")
    assert f"of files in '{tmp_path}/root/class'" in run(capsys, tmp_path / "cache")


def test_errors(tmp_path: pathlib.Path, capsys: Any) -> None:
    assert caches.main([str(tmp_path / "missing")]) == 2
    assert "missing" in capsys.readouterr().err


def test_the_command(folder: pathlib.Path) -> None:
    command = [sys.executable, "-m", "multiflow.caches", str(folder)]
    assert (
        "fits its files"
        in subprocess.run(command, check=True, capture_output=True, text=True).stdout
    )
