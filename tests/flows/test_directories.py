"""`flow_from_directories` against an independent listing, and its errors and warnings."""

from __future__ import annotations

import os
import pathlib
import re
import tempfile
from typing import Any

import numpy as np
import pytest
import reference
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from multiflow import MultiDirImageDataGenerator, _keras
from multiflow.show.summary import Summary


def flow(directories: Any, *, validation_split: float = 0.0, **arguments: Any) -> Any:
    generator = MultiDirImageDataGenerator(validation_split=validation_split)
    return generator.flow_from_directories(directories, **{"target_size": (8, 8), **arguments})


def listing(iterator: Any) -> list[tuple[str, int, int]]:
    return list(
        zip(
            iterator.filepaths,
            iterator.classes.tolist(),
            iterator.source_indices.tolist(),
            strict=True,
        )
    )


CLASS_NAMES = ["ants", "Bees", "été", "蜂", "a b", "x-y"]
FILE_NAMES = ["1.png", "2.JPG", "10.jpeg", "fakepng", ".hidden.bmp", "é.tif", "notes.txt", "x.ppm"]
FOLDERS = ["", "", "sub", "sub/deep", "sub-x", "sub.png"]
FILES = st.builds(
    os.path.join,
    st.sampled_from(CLASS_NAMES),
    st.sampled_from(FOLDERS),
    st.sampled_from(FILE_NAMES),
)
ROOTS = st.lists(
    st.tuples(st.sets(FILES, max_size=12), st.sets(st.sampled_from(CLASS_NAMES), max_size=2)),
    min_size=2,
    max_size=4,
)


def write_roots(folder: str, trees: Any) -> list[pathlib.Path]:
    """Roots with one certain image in all, so that there is always one to find."""
    roots = []
    for number, (files, empty_folders) in enumerate(trees):
        root = pathlib.Path(folder, f"nest_{number % 2}", f"root_{number}")
        for file in [*files, *(["ants/0.png", "ants/1.png"] if number == 0 else [])]:
            (root / file).parent.mkdir(parents=True, exist_ok=True)
            (root / file).touch()
        for name in empty_folders:
            (root / name).mkdir(parents=True, exist_ok=True)
        root.mkdir(parents=True, exist_ok=True)
        roots.append(root)
    linked = pathlib.Path(folder, "linked")
    linked.mkdir()
    (linked / "far.png").touch()
    (roots[0] / "ants" / "link").symlink_to(linked)
    (roots[0] / "ants" / "link.png").symlink_to(linked / "far.png")
    return roots


@pytest.mark.filterwarnings(
    "ignore:The root .* holds no image:UserWarning",
    "ignore:The subset takes none of the .* images of the root:UserWarning",
)
class TestAgainstReference:
    @settings(max_examples=60, deadline=None)
    @given(ROOTS, st.booleans(), st.sampled_from([None, "training", "validation"]))
    def test_all_classes(self, trees: Any, follow_links: bool, subset: str | None) -> None:
        with tempfile.TemporaryDirectory() as folder:
            roots = write_roots(folder, trees)
            classes = reference.union_of_classes(roots)
            expected = reference.list_roots(
                roots, classes, follow_links=follow_links, subset=subset, validation_split=0.5
            )
            iterator = flow(roots, validation_split=0.5, subset=subset, follow_links=follow_links)
        assert listing(iterator) == expected
        assert iterator.class_indices == {name: label for label, name in enumerate(classes)}
        assert iterator.directory == os.path.commonpath(roots)
        assert iterator.filenames == [
            os.path.relpath(path, iterator.directory) for path, _, _ in expected
        ]
        assert iterator.samples == iterator.n == len(expected)

    @settings(max_examples=30, deadline=None)
    @given(ROOTS, st.permutations(CLASS_NAMES), st.sampled_from(["training", "validation"]))
    def test_merged_classes(self, trees: Any, names: list[str], subset: str) -> None:
        merged = {"first": names[:2], "second": names[2:3], "third": names[3:]}
        with tempfile.TemporaryDirectory() as folder:
            roots = write_roots(folder, trees)
            for name in CLASS_NAMES:
                (roots[0] / name).mkdir(exist_ok=True)
            expected = reference.list_roots(roots, merged, subset=subset, validation_split=0.5)
            for classes in (merged, [names[:2], names[2], names[3:]]):
                iterator = flow(roots, validation_split=0.5, subset=subset, classes=classes)
                assert listing(iterator) == expected
        assert iterator.class_indices == {names[0]: 0, names[2]: 1, names[3]: 2}

    @settings(max_examples=30, deadline=None)
    @given(ROOTS)
    def test_subsets_part_the_whole(self, trees: Any) -> None:
        with tempfile.TemporaryDirectory() as folder:
            roots = write_roots(folder, trees)
            whole, training, validation = (
                set(listing(flow(roots, validation_split=0.5, subset=subset)))
                for subset in (None, "training", "validation")
            )
        assert training | validation == whole
        assert not training & validation


def test_batches_hold_the_pixels_and_labels_of_their_files(tmp_path: pathlib.Path) -> None:
    """The colour of each image tells its root and class, whatever the order."""
    for source, name in [(0, "ants"), (0, "bees"), (1, "bees"), (1, "cats")]:
        for number in range(3):
            path = tmp_path / str(source) / name / f"{number}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            label = ["ants", "bees", "cats"].index(name)
            Image.new("RGB", (8, 8), (source * 100, label * 50, number)).save(path)
    iterator = flow([tmp_path / "0", tmp_path / "1"], seed=1, batch_size=5)
    seen = []
    for _ in range(3 * len(iterator)):
        images, labels = next(iterator)
        assert (images[:, 0, 0, 1] == labels.argmax(axis=1) * 50).all()
        seen += images[:, 0, 0].astype(int).tolist()
    assert sorted(seen) == sorted(3 * [list(pixel) for pixel in sorted(set(map(tuple, seen)))])
    assert len(set(map(tuple, seen))) == 12
    iterator.on_epoch_end()
    images, _ = iterator[1]
    sources = iterator.source_indices[iterator.index_array[5:10]]
    assert (images[:, 0, 0, 0] == sources * 100).all()


@pytest.mark.parametrize(
    ("class_mode", "shape"),
    [("categorical", (4, 3)), ("sparse", (4,)), ("binary", (4,)), ("input", (4, 8, 8, 3))],
)
def test_class_modes(make_tree: Any, class_mode: str, shape: tuple[int, ...]) -> None:
    roots = [make_tree("a", ["x/1.png", "y/1.png"]), make_tree("b", ["y/1.png", "z/1.png"])]
    images, labels = flow(roots, class_mode=class_mode, shuffle=False)[0]
    assert images.shape == (4, 8, 8, 3)
    assert labels.shape == shape
    if class_mode == "categorical":
        labels = labels.argmax(axis=1)
    if class_mode != "input":
        assert labels.tolist() == [0, 1, 1, 2]
    assert flow(roots, class_mode=None)[0].shape == (4, 8, 8, 3)


class TestSources:
    @pytest.fixture
    def roots(self, make_tree: Any) -> list[pathlib.Path]:
        return [
            make_tree("north/train", ["ants/1.png", "ants/2.png", "bees/1.png"]),
            make_tree("south/train", ["bees/1.png", "wasps/1.png", "wasps/2.png"]),
        ]

    def test_attributes(self, roots: Any, tmp_path: pathlib.Path) -> None:
        iterator = flow(roots)
        assert iterator.directory == str(tmp_path)
        assert iterator.directories == roots
        assert iterator.source_names == ["north/train", "south/train"]
        assert iterator.source_indices.tolist() == [0, 0, 0, 1, 1, 1]
        assert iterator.source_indices.dtype == iterator.classes.dtype == np.int32
        assert iterator.filenames[2:4] == ["north/train/bees/1.png", "south/train/bees/1.png"]
        assert iterator.num_classes == 3
        assert all(map(os.path.isfile, iterator.filepaths))

    def test_names_from_a_mapping(self, roots: Any) -> None:
        iterator = flow({"first": str(roots[1]), "second": roots[0]})
        assert iterator.source_names == ["first", "second"]
        assert iterator.filenames[0] == "south/train/bees/1.png"

    def test_name_of_a_single_root(self, roots: Any) -> None:
        assert flow([f"{roots[0]}/"]).source_names == ["train"]
        assert flow({"one": roots[0]}).source_names == ["one"]

    def test_relative_roots_are_made_absolute(self, roots: Any, monkeypatch: Any) -> None:
        monkeypatch.chdir(roots[0].parent)
        iterator = flow(["train", "../south/train"])
        monkeypatch.chdir("/")
        assert iterator.filepaths == flow(roots).filepaths
        assert iterator[0][0].shape == (6, 8, 8, 3)

    def test_parent_of_a_linked_folder(self, roots: Any, tmp_path: pathlib.Path) -> None:
        """`link/..` is the parent of what the link points to."""
        (tmp_path / "link").symlink_to(roots[0])
        iterator = flow([tmp_path / "link" / ".." / "train", roots[1]])
        assert iterator.filepaths == flow(roots).filepaths

    def test_roots_without_common_parent(self, roots: Any, monkeypatch: Any) -> None:
        """As on two drives of Windows, where `commonpath` refuses."""
        expected = flow(roots).filepaths

        def refuse(paths: Any) -> str:
            raise ValueError("Paths don't have the same drive")

        monkeypatch.setattr(os.path, "commonpath", refuse)
        iterator = flow(roots)
        assert iterator.filenames == iterator.filepaths == expected

    def test_class_weight(self, roots: Any) -> None:
        iterator = flow(roots)
        assert iterator.class_weight == {0: 1.0, 1: 1.0, 2: 1.0}
        assert flow([roots[0]]).class_weight == {0: 3 / (2 * 2), 1: 3 / (2 * 1)}

    def test_class_weight_without_images(self, roots: Any) -> None:
        (roots[0] / "zebras").mkdir()
        iterator = flow(roots)
        assert iterator.num_classes == 4
        assert iterator.class_weight == {0: 1.0, 1: 1.0, 2: 1.0}
        uneven = flow([roots[0]])
        assert uneven.num_classes == 3
        weights = [uneven.class_weight[label] for label in uneven.classes]
        assert np.mean(weights) == 1

    def test_summary(self, roots: Any) -> None:
        summary = flow({"north": roots[0], "south": roots[1]}).summary()
        assert summary.counts.tolist() == [[2, 0], [1, 1], [0, 2]]
        assert str(summary).splitlines() == [
            "class  north  south  total",
            "ants       2      0      2",
            "bees       1      1      2",
            "wasps      0      2      2",
            "total      3      3      6",
        ]

    def test_printed_line(self, roots: Any, capsys: Any) -> None:
        flow(roots)
        assert capsys.readouterr().out == (
            "Found 6 images belonging to 3 classes in 2 directories.\n"
        )
        flow(roots[:1])
        assert capsys.readouterr().out == "Found 3 images belonging to 2 classes.\n"

    def test_every_source_is_in_both_subsets(self, make_tree: Any) -> None:
        files = [f"ants/{number}.png" for number in range(5)]
        roots = [make_tree(name, files) for name in "abc"]
        for subset, count in [("training", 4), ("validation", 1)]:
            iterator = flow(roots, validation_split=0.2, subset=subset)
            assert np.bincount(iterator.source_indices).tolist() == [count] * 3


def test_summary_in_a_notebook() -> None:
    summary = Summary(["a<b"], ["home", "web"], np.array([[2, 10]]))
    assert summary._repr_html_() == (
        "<table><tr><th>class</th><th>home</th><th>web</th><th>total</th></tr>"
        "<tr><th>a&lt;b</th><td>2</td><td>10</td><td>12</td></tr>"
        "<tr><th>total</th><td>2</td><td>10</td><td>12</td></tr></table>"
    )


class TestErrors:
    @pytest.fixture
    def root(self, make_tree: Any) -> pathlib.Path:
        return make_tree("root", ["ants/1.png", "bees/1.png"])

    @pytest.mark.parametrize("spelling", [str, pathlib.Path])
    def test_single_path(self, root: Any, spelling: Any) -> None:
        message = re.escape(f"Received the single folder {str(root)!r}. Pass [{str(root)!r}]")
        with pytest.raises(TypeError, match=message):
            flow(spelling(root))

    @pytest.mark.parametrize(
        ("directories", "message"),
        [
            (None, "Received NoneType"),
            ({"/a", "/b"}, "Received set. Pass a list"),
            (b"/a", "Received bytes"),
            (iter(["/a"]), "Received list_iterator. Pass a list"),
            ([3], "Received among them: 3"),
            ([b"/a"], "Received among them: b'/a'"),
            ([["/a"]], "Received among them: ['/a']"),
            ({1: "/a"}, "Received the source name 1"),
        ],
    )
    def test_types(self, directories: Any, message: str) -> None:
        with pytest.raises(TypeError, match=re.escape(message)):
            flow(directories)

    @pytest.mark.parametrize("directories", [[], (), {}])
    def test_no_root(self, directories: Any) -> None:
        with pytest.raises(ValueError, match=r"sequence of folders .* Received none"):
            flow(directories)

    def test_missing_root(self, root: Any) -> None:
        missing = str(root.parent / "nowhere")
        with pytest.raises(FileNotFoundError, match=re.escape(repr(missing))):
            flow([root, missing])

    def test_missing_relative_root_tells_where_it_looked(self, root: Any, monkeypatch: Any) -> None:
        monkeypatch.chdir(root)
        with pytest.raises(FileNotFoundError, match=re.escape(f"not exist in {str(root)!r}")):
            flow(["nowhere"])

    def test_file_as_root(self, root: Any) -> None:
        file = root / "ants" / "1.png"
        with pytest.raises(NotADirectoryError, match=re.escape(repr(str(file)))):
            flow([root, file])

    @pytest.mark.parametrize("again", ["{}", "{}/", "{}/../root", "{}/../link"])
    def test_same_root_twice(self, root: Any, again: str) -> None:
        (root.parent / "link").symlink_to(root)
        with pytest.raises(ValueError, match="is the same folder as"):
            flow([root, again.format(root)])

    @pytest.mark.parametrize("order", [1, -1])
    def test_root_inside_another(self, root: Any, make_tree: Any, order: int) -> None:
        sibling = make_tree("root-b", ["ants/1.png"])
        roots = [root, sibling, root / "ants"][::order]
        message = f"{str(root / 'ants')!r}, which lies inside {str(root)!r}"
        with pytest.raises(ValueError, match=re.escape(message)):
            flow(roots)

    def test_no_images(self, root: Any, make_tree: Any) -> None:
        other = make_tree("other", ["ants/1.png"])
        for path in [*root.rglob("*.png"), *other.rglob("*.png")]:
            path.rename(path.with_suffix(".txt"))
        message = f"{[str(root), str(other)]} holds an image of the classes ['ants', 'bees']"
        with pytest.raises(ValueError, match=re.escape(message) + ".* png, jpg, .*tiff"):
            flow([root, other])

    def test_no_class_folder(self, root: Any) -> None:
        with pytest.raises(ValueError, match=r"None of the roots .*ants'\] holds a class folder\."):
            flow([root / "ants"])

    @pytest.mark.parametrize("validation_split", [0.0, 0.4])
    def test_empty_subset(self, root: Any, validation_split: float) -> None:
        message = f"takes none of the 2 samples. validation_split={validation_split} is rounded"
        with pytest.raises(ValueError, match=message):
            flow([root], validation_split=validation_split, subset="validation")

    @pytest.mark.parametrize(
        ("classes", "error", "message"),
        [
            ("ants", TypeError, "Received: 'ants'"),
            ({"ants", "bees"}, TypeError, "Received: {"),
            (3, TypeError, "Received: 3"),
            (["ants", 3], TypeError, "Received: ['ants', 3]"),
            ([["ants", 3]], TypeError, "Received: [['ants', 3]]"),
            ([{"ants": 1}], TypeError, "Received"),
            ({1: ["ants"]}, TypeError, "Received: {1: ['ants']}"),
            ([["ants"], []], ValueError, "a class without any folder"),
            ({"insects": []}, ValueError, "a class without any folder"),
            (["ants", "bees", "ants"], ValueError, "'ants' more than once"),
            ([["ants", "bees"], "bees"], ValueError, "'bees' more than once"),
            (["bees/hive"], ValueError, "'bees/hive'; a class must be a folder directly inside"),
            ([".."], ValueError, "'..'; a class must be"),
            ([""], ValueError, "''; a class must be"),
            ([".", "ants"], ValueError, "'.', which is the whole root"),
        ],
    )
    def test_classes(self, root: Any, classes: Any, error: Any, message: str) -> None:
        with pytest.raises(error, match=re.escape(message)):
            flow([root], classes=classes)

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            ({"target_size": (8,)}, "`target_size` must be .* Received: (8,)"),
            ({"target_size": (8, 0)}, "`target_size` must be .* Received: (8, 0)"),
            ({"target_size": (8, 8.5)}, "`target_size` must be .* Received: (8, 8.5)"),
            ({"target_size": None}, "`target_size` must be .* Received: None"),
            ({"interpolation": "cubic"}, "`interpolation` must be one of .* Received: 'cubic'"),
            ({"batch_size": 0}, "`batch_size` must be .* Received: 0"),
            ({"batch_size": "8"}, "`batch_size` must be .* Received: '8'"),
            ({"seed": -1}, "`seed` must be .* Received: -1"),
            ({"seed": 2**32}, "`seed` must be .* Received: 4294967296"),
            ({"save_to_dir": ".", "save_format": "pgn"}, "`save_format` must be .* 'pgn'"),
            ({"seed": 1.5}, "`seed` must be .* Received: 1.5"),
            ({"color_mode": "cmyk"}, "`color_mode` must be one of .* Received: 'cmyk'"),
            ({"class_mode": "raw"}, "`class_mode` must be one of .* Received: 'raw'"),
            ({"subset": "test"}, "`subset` must be None, .* Received: 'test'"),
        ],
    )
    def test_other_arguments(self, root: Any, arguments: Any, message: str) -> None:
        pattern = re.escape(message).replace(r"\.\*", ".*")
        with pytest.raises(ValueError, match=pattern):
            flow([root], **arguments)

    def test_missing_folder_to_save_to(self, root: Any) -> None:
        with pytest.raises(FileNotFoundError, match=r"`save_to_dir` must be .*nowhere"):
            flow([root], save_to_dir=root / "nowhere")

    def test_labels_that_the_dtype_cannot_hold(self, make_tree: Any) -> None:
        root = make_tree("many", [])
        for number in range(257):
            (root / f"{number:03d}").mkdir()
        (root / "000" / "1.png").touch()
        generator = MultiDirImageDataGenerator(dtype="uint8")
        with pytest.raises(ValueError, match=r"uint8, which cannot hold those of 257 classes"):
            generator.flow_from_directories([root], class_mode="sparse")

    def test_fill_values_that_the_dtype_cannot_hold(self, root: Any) -> None:
        """Keras wraps 300 to 44; its own flow goes on to."""
        generator = MultiDirImageDataGenerator(dtype="uint8", fill_mode="constant", cval=300)
        with pytest.raises(ValueError, match=r"generator's dtype, uint8, can hold. Received: 300"):
            generator.flow_from_directories([root])
        generator.flow_from_directory(root)

    def test_numpy_values_are_accepted(self, root: Any) -> None:
        arguments = {"target_size": np.array([8, 8]), "classes": np.array(["bees", "ants"])}
        iterator = flow([root], batch_size=np.int64(1), seed=np.int64(1), **arguments)
        assert iterator[0][0].shape == (1, 8, 8, 3)
        assert iterator.class_indices == {"bees": 0, "ants": 1}


class TestBlame:
    """Errors name a file if they come from it, and only then."""

    @pytest.mark.parametrize(
        "options",
        [
            {"interpolation": "foo"},
            {"target_size": (0, 3)},
            {"target_size": (3, 0), "keep_aspect_ratio": True},
            {"target_size": (3, -1), "interpolation": "bilinear"},
        ],
    )
    @pytest.mark.parametrize("ending", [".jpg", ".png"])
    def test_arguments_are_not_blamed_on_files(
        self, make_tree: Any, ending: str, options: Any
    ) -> None:
        root = make_tree("root", [f"class/1{ending}"])
        options = {"target_size": (3, 4), "shuffle": False, **options}
        errors = []
        for cls in (_keras.ImageDataGenerator, MultiDirImageDataGenerator):
            iterator = cls().flow_from_directory(root, **options)
            with pytest.raises(Exception) as caught:  # noqa: PT011
                next(iterator)
            errors.append((caught.type, str(caught.value)))
        assert errors[0] == errors[1]

    def test_pipes_do_not_block(self, make_tree: Any) -> None:
        root = make_tree("root", ["class/1.png"])
        os.mkfifo(root / "class" / "2.png")
        message = r"2.png' cannot be read: it is no regular file"
        with pytest.raises(OSError, match=message):
            next(flow([root]))


class TestWarnings:
    def test_folder_in_no_root(self, make_tree: Any) -> None:
        roots = [make_tree("a", ["ants/1.png"]), make_tree("b", ["bees/1.png"])]
        with pytest.warns(UserWarning, match="folder 'wasps', which is in none of the roots"):
            iterator = flow(roots, classes=["ants", ["bees", "wasps"]])
        assert iterator.class_indices == {"ants": 0, "bees": 1}

    def test_hidden_class_folder(self, make_tree: Any) -> None:
        root = make_tree("a", ["ants/1.png", ".ipynb_checkpoints/1.png"])
        hidden = re.escape(repr(str(root / ".ipynb_checkpoints")))
        with pytest.warns(UserWarning, match=f"hidden folder {hidden} became a class"):
            flow([make_tree("b", ["ants/1.png"]), root])

    def test_hidden_class_folder_that_is_named(self, make_tree: Any) -> None:
        root = make_tree("a", [".thumbs/1.png"])
        assert flow([root], classes=[".thumbs"]).samples == 1

    def test_root_without_images(self, make_tree: Any) -> None:
        roots = [make_tree("a", ["ants/1.png"]), make_tree("b", [])]
        with pytest.warns(UserWarning, match=f"The root {str(roots[1])!r} holds no image"):
            flow(roots)

    @pytest.mark.usefixtures("secret_folders")
    def test_unreadable_folder(self, make_tree: Any) -> None:
        root = make_tree("a", ["ants/1.png", "ants/secret/2.png"])
        with pytest.warns(UserWarning, match=r"ants/secret' was left out.*: Permission denied"):
            assert flow([root]).samples == 1
        (root / "ants" / "1.png").unlink()
        with (
            pytest.warns(UserWarning, match=r"ants/secret' was left out"),
            pytest.raises(ValueError, match="holds an image of the classes"),
        ):
            flow([root])

    def test_source_without_a_part_in_the_subset(self, make_tree: Any) -> None:
        roots = [
            make_tree(name, [f"ants/{number}.png" for number in range(count)])
            for name, count in [("a", 10), ("b", 4)]
        ]
        message = f"takes none of the 4 images of the root {str(roots[1])!r}"
        with pytest.warns(UserWarning, match=message):
            flow(roots, validation_split=0.2, subset="validation")

    def test_code_without_a_name(self, make_tree: Any) -> None:
        roots = [make_tree("a", ["ants/1.png"]), make_tree("b", [])]
        with pytest.warns(UserWarning, match="holds no image"):
            exec("flow(roots)", {"flow": flow, "roots": roots})

    def test_place(self, make_tree: Any) -> None:
        roots = [make_tree("a", ["ants/1.png"]), make_tree("b", [])]
        with pytest.warns(UserWarning, match="holds no image") as caught:
            MultiDirImageDataGenerator().flow_from_directories(roots)
        assert caught[0].filename == __file__
