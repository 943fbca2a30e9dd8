"""Imports run one way, and one module alone knows Keras' private modules."""

from __future__ import annotations

import ast
import pathlib
import re

import pytest

import multiflow

PACKAGE = pathlib.Path(multiflow.__file__).parent
# Each module may import those that stand in lines below its own.
LAYERS = [
    ["demo"],
    ["demo_segmentation"],
    ["__init__"],
    ["generator"],
    ["segmentation_files"],
    ["moments", "segmentation"],
    ["iterators"],
    ["presenting"],
    ["epochs"],
    ["batches", "cache", "pairs", "masks"],
    ["index", "files", "showing", "splitting"],
    ["decoding", "transforms"],
    ["_checks", "_array_checks"],
    ["brightness", "drawing", "kernels", "resize", "warp"],
    [
        "_keras",
        "affine",
        "extras",
        "parallel",
        "paths",
        "pictures",
        "progress",
        "samples",
        "structures",
    ],
    ["summary"],
]
MODULES = sorted(path.stem for path in PACKAGE.glob("*.py"))


def imported_names(module: str) -> set[str]:
    """The full names of all that a module imports: modules, or what is taken from them."""
    names = set()
    for node in ast.walk(ast.parse((PACKAGE / f"{module}.py").read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def test_every_module_has_a_layer() -> None:
    assert sorted(module for layer in LAYERS for module in layer) == MODULES


def test_the_map_for_contributors_names_every_module() -> None:
    guide = (PACKAGE.parent / "CONTRIBUTING.md").read_text()
    rows = re.findall(r"^\| [a-z].*? \| (.*) \|$", guide, re.MULTILINE)
    named = re.findall(r"`(\w+)`", " ".join(rows).replace("`show`", "").replace("`fit`", ""))
    assert sorted(named) == sorted(set(MODULES) - {"__init__"})


@pytest.mark.parametrize("module", MODULES)
def test_imports_run_one_way(module: str) -> None:
    depth = next(number for number, layer in enumerate(LAYERS) if module in layer)
    allowed = {name for layer in LAYERS[depth + 1 :] for name in layer}
    own_names = [name.split(".") for name in imported_names(module) if "multiflow" in name]
    # What is taken from the package itself, and is no module, comes by way of `__init__`.
    imported = {parts[1] if parts[1] in MODULES else "__init__" for parts in own_names}
    assert imported <= allowed


@pytest.mark.parametrize("module", sorted(set(MODULES) - {"_keras"}))
def test_private_keras_stays_behind_one_door(module: str) -> None:
    private = ("keras.src", "keras._", "tensorflow")
    assert not [name for name in imported_names(module) if name.startswith(private)]
