"""Imports run one way, and one module alone knows Keras' private modules."""

from __future__ import annotations

import ast
import pathlib

import pytest

import multiflow

PACKAGE = pathlib.Path(multiflow.__file__).parent
# Each module may import those that stand in lines below its own.
LAYERS = [
    ["demo"],
    ["__init__"],
    ["generator"],
    ["segmentation_files"],
    ["segmentation"],
    ["iterators"],
    ["pairs", "masks"],
    ["index", "files"],
    ["_checks", "_array_checks", "resize", "transforms"],
    ["_keras", "paths", "structures", "summary", "samples", "pictures"],
]
MODULES = sorted(path.stem for path in PACKAGE.glob("*.py"))


def imported_modules(module: str) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse((PACKAGE / f"{module}.py").read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            names |= {node.module or ""} | {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def test_every_module_has_a_layer() -> None:
    assert sorted(module for layer in LAYERS for module in layer) == MODULES


@pytest.mark.parametrize("module", MODULES)
def test_imports_run_one_way(module: str) -> None:
    depth = next(number for number, layer in enumerate(LAYERS) if module in layer)
    allowed = {name for layer in LAYERS[depth + 1 :] for name in layer}
    inside = {
        name.removeprefix("multiflow.") if "." in name else "__init__"
        for name in imported_modules(module)
        if name.split(".")[0] == "multiflow"
    }
    inside = {name for name in inside if name in MODULES}
    if module != "demo":
        inside.discard("__init__")
    assert inside <= allowed


@pytest.mark.parametrize("module", sorted(set(MODULES) - {"_keras"}))
def test_private_keras_stays_behind_one_door(module: str) -> None:
    private = ("keras.src", "keras._", "tensorflow")
    assert not [name for name in imported_modules(module) if name.startswith(private)]
