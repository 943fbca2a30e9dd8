"""What users call is documented whole; the examples run as doctests."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from typing import Any

import pytest

from multiflow import MultiDirImageDataGenerator, samples
from multiflow.flows.arrays import ArrayIterator
from multiflow.flows.directories import MultiDirectoryIterator

METHODS = [
    method
    for name, method in inspect.getmembers(MultiDirImageDataGenerator, inspect.isfunction)
    if method.__module__.startswith("multiflow") and not name.startswith("_")
]
FUNCTIONS = [
    *METHODS,
    ArrayIterator.show,
    ArrayIterator.show_augmentations,
    ArrayIterator.state_dict,
    ArrayIterator.load_state_dict,
    ArrayIterator.repeat,
    MultiDirectoryIterator.summary,
    samples.write_samples,
    samples.write_segmentation_samples,
]


def test_only_what_users_call_is_public() -> None:
    flows = {"directories", "directory", "dataframe"}
    assert {method.__name__ for method in METHODS} == {
        *(f"flow_from_{name}" for name in flows),
        "flow",
        "flow_segmentation",
        "flow_segmentation_from_directories",
        "fit",
        "apply_transform",
        "get_random_transform",
    }


def names_in(section: str) -> list[str]:
    """The arguments that a section documents; several may share a line."""
    lines = re.findall(r"^    ([\w*]+(?:, [\w*]+)*):", section, re.MULTILINE)
    return [name for line in lines for name in line.split(", ")]


def shared_arguments() -> set[str]:
    """The arguments that the class explains for all flows."""
    text = inspect.getdoc(MultiDirImageDataGenerator) or ""
    lines = re.findall(r"^- ((?:`\w+`(?:, )?)+): ", text, re.MULTILINE)
    return {name for line in lines for name in re.findall(r"\w+", line)}


def check(documented: Any, signature: inspect.Signature, shared: Any = ()) -> str:
    """The docstring, if it names all arguments in their order, but for those that flows share."""
    text = inspect.getdoc(documented)
    assert text is not None
    assert text.partition("\n")[0].endswith((".", ":"))
    names = [
        f"**{name}" if argument.kind is argument.VAR_KEYWORD else name
        for name, argument in signature.parameters.items()
        if name != "self"
    ]
    [arguments] = re.findall(r"^Args:\n((?:    .*\n|\n)*)", text, re.MULTILINE) if names else [""]
    own = names_in(arguments)
    assert own == [name for name in names if name in own or name not in shared]
    refers = arguments.rstrip().endswith("the docstring of the class explains them.")
    assert refers == (len(own) < len(names))
    assert re.search(r"^Example:\n>>> ", text, re.MULTILINE)
    return text


def test_the_class_explains_what_flows_share() -> None:
    flows = [method for method in METHODS if method.__name__.startswith("flow")]
    assert len(flows) == 6
    for name in shared_arguments():
        takers = [flow for flow in flows if name in inspect.signature(flow).parameters]
        assert len(takers) > 1, name
    assert {"batch_size", "seed", "cache", "workers"} < shared_arguments()


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda function: function.__qualname__)
def test_functions(function: Callable[..., Any]) -> None:
    signature = inspect.signature(function)
    is_flow = function.__name__.startswith("flow")
    text = check(function, signature, shared_arguments() if is_flow else ())
    has_result = signature.return_annotation != "None"
    assert bool(re.search(r"^Returns:", text, re.MULTILINE)) == has_result


def test_the_class() -> None:
    check(MultiDirImageDataGenerator, inspect.signature(MultiDirImageDataGenerator.__init__))
