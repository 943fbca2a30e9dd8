"""The subset of a file does not depend on how its roots and classes are given."""

from __future__ import annotations

import itertools
import os
import pathlib
import random
import tempfile
from collections.abc import Callable, Hashable
from typing import Any

import pandas as pd
import pytest
from PIL import Image

from multiflow import MultiDirImageDataGenerator

SUBSETS = ("training", "validation")
UNEVEN = pytest.mark.filterwarnings(
    "ignore:The validation subset",
    "ignore:One of the subsets",
    "ignore:The subset takes none",
    "ignore:The root .* holds no image",
)
PIXEL = Image.new("L", (1, 1))


def group_functions(rng: random.Random) -> list[Callable[[str], Hashable]]:
    number = rng.randint(2, 9)
    return [
        lambda path: os.path.basename(path)[0],
        lambda path: os.path.basename(path),
        lambda path: sum(map(ord, os.path.basename(path))) % number,
        lambda path: pathlib.Path(path).parts[-2:],
        lambda path: path,
    ]


def write_random_roots(folder: pathlib.Path, rng: random.Random) -> list[pathlib.Path]:
    """Two to four roots with some of four classes, of few names, so that roots share them."""
    roots = [folder / name for name in rng.sample(["a", "b/x", "b-c", "z", "B", "y/a/k"], 4)]
    for root in roots[: rng.randint(2, 4)]:
        root.mkdir(parents=True)
        for name in rng.sample("klmn", rng.randint(1, 4)):
            for place in rng.sample(["", "deep", "deep-er"], rng.randint(1, 2)):
                (root / name / place).mkdir(parents=True, exist_ok=True)
                for stem in rng.sample(range(30), rng.randint(0, 6)):
                    (root / name / place / f"{stem:02d}.png").touch()
    return [root for root in roots if root.is_dir()]


def given_otherwise(roots: list[pathlib.Path], rng: random.Random) -> tuple[Any, Any]:
    """The same roots and classes in another order and form."""
    roots = rng.sample(roots, len(roots))
    names = sorted({path.name for root in roots for path in root.iterdir()})
    names = rng.sample(names, len(names))
    middle = rng.randint(1, len(names))
    merged = {"first": names[:middle]} | ({"second": names[middle:]} if names[middle:] else {})
    directories = rng.choice([roots, {f"{rng.random()}": root for root in roots}])
    return directories, rng.choice([None, names, merged])


@UNEVEN
@pytest.mark.parametrize("first_seed", [0, 40])
def test_roots_and_classes_in_any_order(first_seed: int) -> None:
    """Run with other seeds, this found 177 of 1,173 trees whose subsets shared files."""
    for seed in range(first_seed, first_seed + 40):
        rng = random.Random(seed)
        with tempfile.TemporaryDirectory() as folder:
            roots = write_random_roots(pathlib.Path(folder), rng)
            generator = MultiDirImageDataGenerator(
                validation_split=rng.choice([0.1, 0.25, 0.5, 0.7]),
                split_seed=rng.choice([None, None, 0, 5]),
                split_groups=rng.choice(group_functions(rng)),
            )
            files = {str(path) for root in roots for path in root.rglob("*.png")}
            if len(set(map(generator.split_groups, map(str, files)))) < 2:
                continue  # which is an error
            parts = [
                set(
                    generator.flow_from_directories(
                        directories, classes=classes, subset=subset
                    ).filepaths
                )
                for subset in SUBSETS
                for directories, classes in [given_otherwise(roots, rng) for _ in range(2)]
            ]
        assert parts[0] == parts[1], f"seed {seed}"
        assert parts[2] == parts[3], f"seed {seed}"
        assert not parts[0] & parts[2], f"seed {seed}"
        assert parts[0] | parts[2] == files, f"seed {seed}"


@UNEVEN
@pytest.mark.parametrize("seed", [None, 0, 1])
def test_the_order_of_classes_in_one_folder(three_classes: pathlib.Path, seed: int | None) -> None:
    generator = MultiDirImageDataGenerator(
        validation_split=0.4,
        split_seed=seed,
        split_groups=lambda path: os.path.basename(path)[0],
    )
    for subset in SUBSETS:
        found = {
            frozenset(
                generator.flow_from_directory(
                    three_classes, classes=list(classes), subset=subset
                ).filepaths
            )
            for classes in itertools.permutations(["ants", "bees", "cats"])
        }
        assert len(found) == 1


@UNEVEN
@pytest.mark.parametrize("seed", [None, 3])
def test_pairs_of_several_roots(
    tmp_path: pathlib.Path, seed: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for number in range(30):
        rng = random.Random(number)
        roots = list("dbca")
        for root in roots:
            for stem in rng.sample(range(12), rng.randint(1, 8)):
                for kind in ("images", "masks"):
                    path = tmp_path / str(number) / kind / root / f"{stem}.png"
                    path.parent.mkdir(parents=True, exist_ok=True)
                    PIXEL.save(path)
        generator = MultiDirImageDataGenerator(
            validation_split=0.3,
            split_seed=seed,
            split_groups=lambda path: int(pathlib.Path(path).stem) // 2,
        )
        parts = []
        for subset in SUBSETS:
            rng.shuffle(roots)
            starts = [rng.choice(["", ".", tmp_path]) for _ in roots]
            folders = [
                [
                    os.path.join(start, str(number), of, name)
                    for start, name in zip(starts, roots, strict=True)
                ]
                for of in ("images", "masks")
            ]
            flow = generator.flow_segmentation_from_directories(*folders, subset=subset)
            parts.append(set(map(os.path.abspath, flow.filepaths)))
        assert not parts[0] & parts[1]
        assert len(parts[0] | parts[1]) == len(
            list((tmp_path / str(number) / "images").rglob("*.png"))
        )


@UNEVEN
def test_rows_in_another_order_with_a_seed() -> None:
    """Without a seed, the first rows are for validation, as in Keras."""
    names = [f"{n % 7}/{n}.png" for n in range(60)]
    generator = MultiDirImageDataGenerator(
        validation_split=0.3, split_seed=1, split_groups=os.path.dirname
    )
    options: dict[str, Any] = {"class_mode": None, "validate_filenames": False}
    for seed in range(5):
        shuffled = random.Random(seed).sample(names, len(names))
        parts = [
            set(
                generator.flow_from_dataframe(
                    pd.DataFrame({"filename": rows}), subset=subset, **options
                ).filenames
            )
            for rows, subset in ((names, "training"), (shuffled, "validation"))
        ]
        assert not parts[0] & parts[1]
        assert parts[0] | parts[1] == set(names)


@UNEVEN
@pytest.mark.parametrize("seed", [None, 0])
def test_a_seed_divides_each_root_alike(make_tree: Any, seed: int | None) -> None:
    roots = [make_tree(name, [f"c/{n}.png" for n in range(9)]) for name in ("left", "right")]
    generator = MultiDirImageDataGenerator(validation_split=0.4, split_seed=seed)
    flows = [
        generator.flow_from_directories(order, subset="validation")
        for order in (roots, roots[::-1])
    ]
    names = [pathlib.Path(path).name for path in flows[0].filepaths]
    assert names[:3] == names[3:]
    assert set(flows[0].filepaths) == set(flows[1].filepaths)


class TestClassesLeftOut:
    """Other classes divide groups in another way."""

    @pytest.fixture
    def root(self, make_tree: Any) -> pathlib.Path:
        return make_tree(
            "root", [f"{c}/{n}.png" for c in ("ants", "bees", "cats") for n in range(6)]
        )

    @pytest.fixture
    def generator(self) -> MultiDirImageDataGenerator:
        return MultiDirImageDataGenerator(validation_split=0.5, split_groups=os.path.basename)

    def test_folders(self, root: pathlib.Path, generator: Any) -> None:
        message = "`classes` leaves out 'bees', 'cats'. .* pass the same ones for both subsets"
        for make in (
            lambda **options: generator.flow_from_directory(root, **options),
            lambda **options: generator.flow_from_directories([root], **options),
        ):
            for subset in SUBSETS:
                with pytest.warns(UserWarning, match=message):
                    make(classes=["ants"], subset=subset)

    def test_rows(self, root: pathlib.Path, generator: Any) -> None:
        # Relative, since a seeded split depends on the names.
        names = [str(path.relative_to(root)) for path in sorted(root.rglob("*.png"))]
        frame = pd.DataFrame(
            {"filename": names, "class": [name.split(os.sep)[-2] for name in names]}
        )
        frame["several"] = [[label] for label in frame["class"]]
        options: dict[str, Any] = {"subset": "training", "classes": ["cats", "bees"]}
        with pytest.warns(UserWarning, match="`classes` leaves out 'ants'"):
            generator.flow_from_dataframe(frame, root, **options)
        with pytest.warns(UserWarning, match="`classes` leaves out 'ants'"):
            generator.flow_from_dataframe(frame, root, y_col="several", **options)
        seeded = MultiDirImageDataGenerator(validation_split=0.5, split_seed=1)
        with pytest.warns(UserWarning, match="`classes` leaves out 'ants'"):
            seeded.flow_from_dataframe(frame, root, **options)
        keras_split = MultiDirImageDataGenerator(validation_split=0.5)
        assert keras_split.flow_from_dataframe(frame, root, **options).samples == 6
        options["classes"] = ["cats", "ants", "bees"]
        assert generator.flow_from_dataframe(frame, root, **options).samples == 9

    def test_what_changes_nothing_is_silent(self, root: pathlib.Path, generator: Any) -> None:
        (root / "empty" / "logs").mkdir(parents=True)
        (root / "empty" / "notes.txt").touch()
        (root / ".ipynb_checkpoints").mkdir()
        (root / ".ipynb_checkpoints" / "1.png").touch()
        names = ["ants", "bees", "cats"]
        for classes in (names, names[::-1], [names[:2], "cats"], {"all": names}, ["."]):
            flow = generator.flow_from_directories([root], classes=classes, subset="training")
            assert flow.samples
        assert generator.flow_from_directories([root], classes=["ants"]).samples == 6
        seeded = MultiDirImageDataGenerator(validation_split=0.5, split_seed=1)
        assert (
            seeded.flow_from_directories([root], classes=["ants"], subset="training").samples == 3
        )
        names = [str(path) for path in sorted(root.glob("[abc]*/*.png"))]
        frame = pd.DataFrame({"filename": [*names, "gone.png"], "class": [*"ab" * 9, "c"]})
        with pytest.warns(UserWarning, match="1 invalid image filename"):  # and no other
            seeded.flow_from_dataframe(frame, subset="training")
        whole = MultiDirImageDataGenerator(split_groups=os.path.basename)
        assert whole.flow_from_directories([root], classes=["ants"], subset="training").samples == 6
