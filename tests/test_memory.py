"""How much memory is free, by what the kernel says of the system and its control groups."""

from __future__ import annotations

import pathlib
import sys
from types import SimpleNamespace

import psutil
import pytest

from multiflow import memory

GB = 10**9


@pytest.fixture
def system(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> pathlib.Path:
    """A folder with the files of a system of 8 GB, of which 4 are free, without control groups."""
    for name in ("PROC", "CGROUPS"):
        monkeypatch.setattr(memory, name, tmp_path / name)
    write(
        tmp_path / "PROC/meminfo", "MemTotal: 7812500 kB\nMemFree: 9 kB\nMemAvailable: 3906250 kB\n"
    )
    return tmp_path


def write(path: pathlib.Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def write_group(folder: pathlib.Path, version: int, limit: int | str, used: int) -> None:
    """A group of which a tenth of a GB each are active and inactive pages of files."""
    limit_name, usage_name, prefix = {
        1: ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_"),
        2: ("memory.max", "memory.current", ""),
    }[version]
    write(folder / limit_name, f"{limit}\n")
    write(folder / usage_name, f"{used}\n")
    pages = "".join(f"{prefix}{name}_file {GB // 10}\n" for name in ("active", "inactive"))
    write(folder / "memory.stat", f"anon 5\n{pages}")


def test_of_a_system_without_groups(system: pathlib.Path) -> None:
    assert memory.available() == 4 * GB


@pytest.mark.parametrize(
    ("limits", "expected"),
    [
        ({"user/job": 2 * GB}, GB + GB // 5),
        ({"user/job": "max"}, 4 * GB),
        ({"user": 2 * GB, "user/job": 9 * GB}, GB + GB // 5),
        ({"": GB // 2}, 0),
        ({}, 4 * GB),
    ],
    ids=["own limit", "no limit", "limit of a group above", "limit exceeded", "no files"],
)
@pytest.mark.parametrize("version", [1, 2])
def test_of_a_group(system: pathlib.Path, version: int, limits: dict, expected: int) -> None:
    line = {1: "4:cpu,memory:/user/job", 2: "0::/user/job"}[version]
    write(system / "PROC/self/cgroup", f"9:name=systemd:/other\n{line}\n")
    top = system / "CGROUPS" / {1: "memory", 2: ""}[version]
    for name, limit in limits.items():
        write_group(top / name, version, limit, GB)
    assert memory.available() == expected


@pytest.mark.parametrize("version", [1, 2])
def test_in_a_container_that_sees_its_path_from_outside(system: pathlib.Path, version: int) -> None:
    line = {1: "4:memory:/docker/0123abc", 2: "0::/../docker/0123abc"}[version]
    write(system / "PROC/self/cgroup", f"{line}\n")
    write_group(system / "CGROUPS" / {1: "memory", 2: ""}[version], version, 3 * GB, GB)
    assert memory.available() == 2 * GB + GB // 5


@pytest.mark.parametrize("has_old_kernel", [False, True])
def test_of_another_system(
    system: pathlib.Path, monkeypatch: pytest.MonkeyPatch, has_old_kernel: bool
) -> None:
    (system / "PROC/meminfo").unlink()
    if has_old_kernel:
        write(system / "PROC/meminfo", "MemTotal: 7812500 kB\nMemFree: 9 kB\n")
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(available=123))
    assert memory.available() == 123
    monkeypatch.setitem(sys.modules, "psutil", None)
    with pytest.raises(ImportError, match=r"`cache` needs psutil, .* extra `fast`"):
        memory.available()


@pytest.mark.skipif(sys.platform != "linux", reason="other systems are asked by psutil")
def test_of_this_machine() -> None:
    assert 0 < memory.available() <= psutil.virtual_memory().total
