"""Odd folder trees, against what `os.walk` finds in them."""

from __future__ import annotations

import collections
import functools
import io
import os
import pathlib
from collections.abc import Iterator
from typing import Any

from PIL import Image

from multiflow import MultiDirImageDataGenerator, _keras

from .frame import Case, Outcome, names, observe

FORMATS = ("png", "jpg", "jpeg", "bmp", "ppm", "tif", "tiff")
LEFT_OUT = (".webp", ".gif", ".heic")
NAMES = (
    "a", "b", "c", "10", "9", "two words", "Grüße", "日本", ".hidden", "dot.ted", "A", "%", "[x]",
    "p1_1", "p1_2", "p2_1", "p2_2", "-", "\udcff", "new\nline",
)  # fmt: skip
CLASSES = ("ants", "bees", "Käfer", "two words", ".ipynb_checkpoints", "1", "10", "9")
ENDINGS = (".png", ".png", ".png", ".PNG", ".jpg", ".tiff", "png", ".Bmp")


def folders(case: Case) -> str:
    """Every image once, with the label of its folder and the source of its root, in any roots."""
    roots, links = _roots(case), []
    for root in roots:
        links += _grow(case, root)
    options: dict[str, Any] = {"follow_links": case.happens(0.5), "class_mode": "sparse"}
    case.rng.shuffle(roots)
    case.note([root.name for root in roots], options)
    case.note(*(f"\n  {path!r}" for path in sorted(map(str, case.folder.rglob("*")))[:60]))
    given = {f"source {n}": root for n, root in enumerate(roots)} if case.happens(0.5) else roots
    loops = links if options["follow_links"] else []
    if loops:
        case.is_risky()  # two loops make paths without end
    received = _flow(given, **options)
    told = any(received.names(path) for path in [*roots, *links])
    assert told or not received.error, f"Neither roots nor links are named: {received.error!r}"
    if loops:
        told_of_loop = any(received.names(link) for link in loops)
        assert told_of_loop, "A loop of links is followed without a word."
        return "loop"
    classes = sorted({path.name for root in roots for path in root.iterdir() if path.is_dir()})
    expected = collections.Counter(
        (path, label, source)
        for source, root in enumerate(roots)
        for label, name in enumerate(classes)
        for path in _walk(root / name, follow_links=options["follow_links"])
    )
    if received.error:
        assert not expected, f"There are images: {received.error!r}"
        return "error"
    flow = received.value
    found = collections.Counter(
        zip(flow.filepaths, flow.classes.tolist(), flow.source_indices.tolist(), strict=True)
    )
    assert found == expected, _difference(found, expected)
    assert flow.class_indices == {name: label for label, name in enumerate(classes)}
    assert len(set(flow.filenames)) == len(flow.filenames), "Names come twice."
    joined = [os.path.join(flow.directory, name) for name in flow.filenames]
    assert list(map(os.path.abspath, joined)) == list(map(os.path.abspath, flow.filepaths))
    if len(roots) == 1:
        keras = observe(_keras.ImageDataGenerator().flow_from_directory, roots[0], **options).value
        assert keras.filenames == flow.filenames, "The order is not Keras'."
        assert keras.classes.tolist() == flow.classes.tolist(), "The labels are not Keras'."
    _assert_told_of_others(received, [root / name for root in roots for name in classes])
    return "equal"


def splits(case: Case) -> str:
    """Two subsets have every file once and share no group, whatever the order of the roots."""
    roots = _roots(case)
    for root in roots:
        _grow(case, root, with_links=False)
    grouping = case.choose(None, _by_patient, _by_folder, _by_name)
    options = {
        "validation_split": case.choose(0.1, 0.25, 0.5, 0.9),
        "split_seed": case.choose(None, 0, 7),
        "split_groups": grouping,
    }
    case.note(options, f"{len(roots)} roots")
    case.note(*(f"\n  {path!r}" for path in sorted(map(str, case.folder.rglob("*")))[:60]))
    own: dict[str, Any] = {}
    if case.happens(0.2):
        own["classes"] = sorted({path.name for path in roots[0].iterdir() if path.is_dir()})[:2]
        case.note("validation:", own)
    training = _flow(roots, options, subset="training")
    case.rng.shuffle(roots)
    validation = _flow(roots, options, subset="validation", **own)
    whole = _flow(roots)
    if training.error or validation.error or whole.error:
        for outcome in (training, validation, whole):
            reasons = ("subset", "split", "classes", *map(str, roots))
            is_told = not outcome.error or any(names(outcome.told, reason) for reason in reasons)
            assert is_told, f"{outcome.error!r}"
        return "error"
    first, second = (
        collections.Counter(map(os.path.abspath, of.value.filepaths))
        for of in (training, validation)
    )
    if own:
        leak = set(first) & set(second)
        if grouping:
            leak |= {grouping(path) for path in first} & {grouping(path) for path in second}
        told = "split_groups" in training.told + validation.told or "classes" in validation.told
        assert told or not leak, f"Both subsets have {sorted(leak)[:3]}, as `classes` differ."
        return "classes"
    both = set(first) & set(second)
    assert not both, f"Both subsets have {sorted(both)[:3]}."
    if grouping:
        groups = {grouping(path) for path in first} & {grouping(path) for path in second}
        assert not groups, f"Both subsets have files of the groups {sorted(groups)[:3]}."
    everything = collections.Counter(map(os.path.abspath, whole.value.filepaths))
    assert first + second == everything, _difference(first + second, everything)
    return "equal"


def pairs(case: Case) -> str:
    """Every image has the mask of its path; what has no partner is named."""
    images, masks = case.folder / "images", case.folder / "masks"
    stems = {case.choose("", "x/", "x/y/", "é/") + case.choose(*NAMES) for _ in range(8)}
    for stem in stems:
        for root in (images, masks):
            for _ in range(case.choose(*[1] * 30, 2) if root == masks else 1):
                if not case.happens(0.02):
                    ending = case.choose(
                        *[".png"] * 20, ".PNG", ".bmp", *(LEFT_OUT * case.happens(0.2))
                    )
                    _write(root / f"{stem}{ending}")
    for root in (images, masks):
        root.mkdir(exist_ok=True)
    case.note(*(f"\n  {path!r}" for path in sorted(map(str, case.folder.rglob("*")))[:60]))
    flow = MultiDirImageDataGenerator().flow_segmentation_from_directories
    received = observe(flow, [images], [masks], target_size=None, shuffle=False)
    listed = [
        collections.Counter(
            os.path.splitext(os.path.relpath(path, root))[0] for path in _walk(root)
        )
        for root in (images, masks)
    ]
    wrong = {key for key in listed[0] | listed[1] if not listed[0][key] == listed[1][key] == 1}
    if received.error:
        assert wrong or not listed[0], f"{received.error!r}"
        unnamed = [stem for stem in wrong if not received.names(stem)]
        assert not unnamed or len(wrong) > 10, f"It does not name {unnamed}: {received.error}"
        return "error"
    assert not wrong, f"It says nothing of {sorted(wrong)}."
    found = list(zip(received.value.filepaths, received.value.mask_filepaths, strict=True))
    keys = [
        tuple(
            os.path.splitext(os.path.relpath(path, root))[0]
            for path, root in zip(pair, (images, masks), strict=True)
        )
        for pair in found
    ]
    assert all(image == mask for image, mask in keys), f"Pairs do not belong together: {keys}"
    assert collections.Counter(image for image, _ in keys) == listed[0], "Pairs are lost."
    _assert_told_of_others(received, [images, masks])
    return "equal"


ATTACKS = (folders, splits, pairs)


def _roots(case: Case) -> list[pathlib.Path]:
    count = case.choose(1, 2, 3)
    kind = case.choose("siblings", "apart")
    return [
        case.folder / (f"root {n}" if kind == "siblings" else f"{'deep/' * n}{chr(120 - n)}/é")
        for n in range(count)
    ]


def _grow(case: Case, root: pathlib.Path, *, with_links: bool = True) -> list[pathlib.Path]:
    """Makes a tree of class folders; returns the links that lead back into it."""
    root.mkdir(parents=True)
    loops: list[pathlib.Path] = []
    for name in case.rng.choice(CLASSES, case.choose(1, 2, 3), replace=False):
        folder = root / str(name)
        folder.mkdir()
        for _ in range(case.choose(0, 1, 5, 9)):
            path = folder / case.choose("", "", "x", "x/y", ".z") / case.choose(*NAMES)
            ending = case.choose(*ENDINGS, *(LEFT_OUT * case.happens(0.05)), ".txt")
            _write(path.with_name(path.name + ending))
        if with_links and case.happens(0.2):
            link = folder / "loop"
            link.symlink_to(case.choose(folder, root))
            loops.append(link)
        if with_links and case.happens(0.2):
            far = case.folder / "far" / f"{len(list(case.folder.iterdir()))}"
            _write(far / "far.png")
            (folder / "far").symlink_to(far)
            (folder / "link.png").symlink_to(far / "far.png")
    if case.happens(0.3):
        _write(root / "beside.png")
    return loops


@functools.cache
def _image() -> bytes:
    file = io.BytesIO()
    Image.new("L", (2, 2), 1).save(file, "PNG")
    return file.getvalue()


def _write(path: pathlib.Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(_image())


def _walk(folder: pathlib.Path, *, follow_links: bool = False) -> Iterator[str]:
    """The images below a folder, by the endings that Keras accepts."""
    for parent, _, files in os.walk(folder, followlinks=follow_links):
        yield from (os.path.join(parent, name) for name in files if name.lower().endswith(FORMATS))


def _flow(roots: Any, generator: Any = None, **options: Any) -> Outcome:
    return observe(
        MultiDirImageDataGenerator(**(generator or {})).flow_from_directories, roots, **options
    )


def _assert_told_of_others(received: Outcome, folders: list[pathlib.Path]) -> None:
    left_out = {
        ending
        for folder in folders
        for path, _, files in os.walk(folder)
        if "/." not in path.removeprefix(str(folder))  # hidden files are seldom meant
        for ending in LEFT_OUT
        if any(name.endswith(ending) and not name.startswith(".") for name in files)
    }
    silent = [ending for ending in left_out if ending.strip(".") not in received.told]
    assert not silent, f"Files that end in {silent} are left out in silence."


def _difference(found: collections.Counter[Any], expected: collections.Counter[Any]) -> str:
    return f"Too many: {list(found - expected)[:3]}, missing: {list(expected - found)[:3]}"


def _by_patient(path: str) -> str:
    return os.path.basename(path).split("_")[0].split(".")[0]


def _by_folder(path: str) -> str:
    return os.path.basename(os.path.dirname(path))


def _by_name(path: str) -> str:
    return os.path.basename(path)
