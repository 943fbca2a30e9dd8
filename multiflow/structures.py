"""Lists, tuples and dicts of arrays: taken apart into named arrays, and put together again."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any


def leaves(structure: Any, name: str) -> list[tuple[str, Any]]:
    """The arrays in a structure, each with the expression that names it.

    Example:
    >>> leaves({"cell": 1, "edge": [2, 3]}, "y")
    [("y['cell']", 1), ("y['edge'][0]", 2), ("y['edge'][1]", 3)]
    """
    if isinstance(structure, Mapping):
        items: Iterable[tuple[Any, Any]] = structure.items()
    elif isinstance(structure, (list, tuple)):
        items = enumerate(structure)
    else:
        return [(name, structure)]
    return [leaf for key, part in items for leaf in leaves(part, f"{name}[{key!r}]")]


def rebuild(structure: Any, values: Iterator[Any]) -> Any:
    """A structure of the same form, with `values` in the place of its leaves.

    Example:
    >>> rebuild({"cell": 1, "edge": [2, 3]}, iter("abc"))
    {'cell': 'a', 'edge': ['b', 'c']}
    """
    if isinstance(structure, Mapping):
        return {key: rebuild(part, values) for key, part in structure.items()}
    if isinstance(structure, (list, tuple)):
        parts = [rebuild(part, values) for part in structure]
        # A named tuple takes its parts one by one.
        return type(structure)(*parts) if hasattr(structure, "_fields") else type(structure)(parts)
    return next(values)


def spread(value: Any, structure: Any, name: str) -> list[Any]:
    """One value for each leaf of a structure: `value` for all of them, or the leaves of `value`.

    Raises:
        ValueError: if `value` is a structure of another form.

    Example:
    >>> spread(7, {"cell": 1, "edge": 2}, "num_classes")
    [7, 7]
    """
    expected = [path for path, _ in leaves(structure, name)]
    found = dict(leaves(value, name))
    if name in found:
        return [value] * len(expected)
    if found.keys() != set(expected):
        raise ValueError(
            f"`{name}` must be one value or have the structure of `y`: {expected}. "
            f"Received: {list(found)}"
        )
    return [found[path] for path in expected]
