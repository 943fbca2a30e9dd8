from __future__ import annotations

import os
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from multiflow.index.paths import CompactPaths

NAMES = st.text(st.characters(exclude_characters="\0/", exclude_categories=["Cs"]), min_size=1)
GROUPS = st.lists(st.tuples(NAMES, st.lists(NAMES, max_size=4)), max_size=4)


def build(groups: list[tuple[str, list[str]]]) -> CompactPaths:
    paths = CompactPaths()
    for folder, names in groups:
        paths.extend(folder, names)
    return paths


@given(GROUPS)
def test_equals_the_list_of_joined_paths(groups: list[tuple[str, list[str]]]) -> None:
    expected = [os.path.join(folder, name) for folder, names in groups for name in names]
    paths = build(groups)
    assert list(paths) == expected
    assert len(paths) == len(expected)
    assert paths[1:-1] == expected[1:-1]
    assert [paths[-position] for position in range(1, len(paths) + 1)] == expected[::-1]
    assert list(pickle.loads(pickle.dumps(paths))) == expected


def test_count_ending() -> None:
    paths = build([("a.tiff", ["b.tiff", "c.TIFF", "tiff", "d.tiff.png"]), ("e", [".Tiff"])])
    assert paths.count_ending(".tiff") == 3


def test_index_out_of_range() -> None:
    paths = build([("folder", ["file"])])
    for index in (1, -2):
        with pytest.raises(IndexError):
            paths[index]


def test_names_that_are_no_text() -> None:
    name = os.fsdecode(b"\xff\xfe.png")
    assert build([("folder", [name])])[0] == f"folder/{name}"
