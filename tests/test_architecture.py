"""Imports run one way, from stage to stage, and one module alone knows Keras' private modules."""

from __future__ import annotations

import ast
import graphlib
import pathlib
import re

import pytest

import multiflow

PACKAGE = pathlib.Path(multiflow.__file__).parent
MODULES = {
    ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(".__init__"): path
    for path in PACKAGE.rglob("*.py")
}


def stage_of(package: str) -> int | None:
    """The number that the docstring of a folder gives it, if it is a stage."""
    text = (PACKAGE / package / "__init__.py").read_text()
    match = re.match(r'"""(?:Stage (\d)|Beside the stages): .*\."""$', text.strip())
    assert match, f"{package} says in one sentence what it is for: {text}"
    return int(match[1]) if match[1] else None


STAGES = {path.parent.name: stage_of(path.parent.name) for path in PACKAGE.glob("*/__init__.py")}


def imported_names(module: str) -> set[str]:
    """The full names of all that a module imports: modules, or what is taken from them."""
    names = set()
    for node in ast.walk(ast.parse(MODULES[module].read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Call) and ast.unparse(node.func) == "extras.find":
            names |= {str(argument.value) for argument in node.args if hasattr(argument, "value")}
    return names


def imported_modules(module: str) -> set[str]:
    """The own modules that a module imports; what is no module comes by way of its package."""
    own = {name for name in imported_names(module) if name.split(".")[0] == "multiflow"}
    return {name if name in MODULES else name.rpartition(".")[0] for name in own} - {module}


def room_of(module: str) -> str:
    """The folder that a module is in, or, of a module beside the folders, its own name."""
    return module.split(".")[1] if "." in module else "__init__"


def test_stages_are_numbered() -> None:
    numbers = sorted(number for number in STAGES.values() if number)
    assert numbers == list(range(1, len(numbers) + 1))


def test_imports_run_one_way() -> None:
    graph: dict[str, set[str]] = {module: imported_modules(module) for module in MODULES}
    rooms: dict[str, set[str]] = {}
    for module, imported in graph.items():
        rooms.setdefault(room_of(module), set()).update(map(room_of, imported))
    for each in (graph, {room: others - {room} for room, others in rooms.items()}):
        graphlib.TopologicalSorter(each).prepare()  # raises an error that names a circle
    reachable: dict[str, set[str]] = {}
    for room in graphlib.TopologicalSorter(
        {room: others - {room} for room, others in rooms.items()}
    ).static_order():
        direct = rooms[room] - {room}
        reachable[room] = direct.union(*(reachable[other] for other in direct))
    for room, stage in STAGES.items():
        later = {name for name, number in STAGES.items() if stage and number and number > stage}
        assert not reachable[room] & later, f"{room} imports of a later stage"


def test_the_guide_for_contributors_names_every_room() -> None:
    guide = (PACKAGE.parent / "CONTRIBUTING.md").read_text()
    rooms = {room_of(module) for module in MODULES} - {"__init__"}
    assert not [room for room in sorted(rooms) if f"`{room}`" not in guide.replace("/`", "`")]


def test_packages_only_say_what_they_are_for() -> None:
    for package in STAGES:
        assert not imported_names(f"multiflow.{package}")


@pytest.mark.parametrize("module", sorted(set(MODULES) - {"multiflow._keras"}))
def test_private_keras_stays_behind_one_door(module: str) -> None:
    private = ("keras.src", "keras._", "tensorflow")
    assert not [name for name in imported_names(module) if name.startswith(private)]
