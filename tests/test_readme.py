"""The README's code runs as printed, and does what is said beside it."""

from __future__ import annotations

import pathlib
import re
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from PIL import Image

from multiflow import MultiDirImageDataGenerator

README = (pathlib.Path(__file__).parent.parent / "README.md").read_text()
# The blocks of a section run one after the other.
SECTIONS = {
    section.partition("\n")[0]: blocks
    for section in re.split(r"^## ", README, flags=re.MULTILINE)
    if (blocks := re.findall(r"```python\n(.*?)```", section, re.DOTALL))
}
SURPRISES = "What Keras does that may surprise you, and the switch for it"


def run(block: str, names: dict[str, Any]) -> None:
    exec(compile(block, "README.md", "exec"), names)


def test_there_are_blocks() -> None:
    assert [len(blocks) for blocks in SECTIONS.values()] == [1, 1, 1, 1, 8, 1]


def test_the_first_command_installs_what_the_demo_draws_with() -> None:
    first = re.findall(r"```sh\n(.*?)\n```", README, re.DOTALL)[0]
    assert first == "python -m pip install '.[fast]' matplotlib && python -m multiflow.demo"


@pytest.mark.parametrize("section", SECTIONS)
@pytest.mark.filterwarnings("default:Images of .* pixels are not square")
def test_sections_run(section: str, tmp_path: pathlib.Path, monkeypatch: Any, capsys: Any) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    for block in SECTIONS[section]:
        run(block, names)
    printed = capsys.readouterr().out
    if section == "Look before you train":
        assert printed.strip().splitlines()[-1] in " ".join(README.split())
        pictures = [path.name for path in tmp_path.glob("*.png")]
        assert sorted(pictures) == ["batch.png", "draws.png"]
    if section == "Many folders":
        assert "angular      96        44    140" in printed
        [count] = re.findall(r"^(\d+) of 57 images are taken for another class:$", printed, re.M)
        assert len(re.findall(r"(?:jpg|png) for (?:round|angular)$", printed, re.M)) == int(count)


class TestSurprises:
    """Each example has two lines, and the effect that its comment tells."""

    @pytest.fixture
    def after(self) -> Any:
        first, *examples = SECTIONS[SURPRISES]

        def names_after(word: str) -> dict[str, Any]:
            [example] = [example for example in examples if word in example]
            assert example.count("\n") == 2
            names: dict[str, Any] = {}
            run(first, names)
            run(example, names)
            return names

        return names_after

    def test_augment_validation(self, after: Any) -> None:
        names = after("augment_validation=False")
        np.testing.assert_array_equal(names["validation"][0], names["images"][:20])

    def test_split_seed(self, after: Any) -> None:
        names = after("0.2, split_seed=1)\nvalidation")
        assert np.bincount(names["validation"].y).tolist() == [9, 11]
        theirs = names["ImageDataGenerator"](validation_split=0.2)
        with pytest.raises(ValueError, match="different number of classes"):
            theirs.flow(names["images"], names["labels"], subset="validation")

    def test_split_groups(self, after: Any) -> None:
        names = after("split_groups")
        images, taken = names["images"], names["validation"].x
        rows = {
            image.tobytes(): patient
            for image, patient in zip(images, names["patients"], strict=True)
        }
        chosen = [rows[image.astype("uint8").tobytes()] for image in taken]
        assert len(chosen) == 20
        assert len(set(chosen)) == 4

    def test_per_sample(self, after: Any) -> None:
        names = after("per_sample")
        flow = names["flow"]
        assert flow.workers == 4
        assert flow.state_dict() == {"epoch": 3, "batch": 2, "batch_size": 32}

    def test_corrected_geometry(self, after: Any) -> None:
        names = after("theta")
        np.testing.assert_array_equal(names["upside_down"], names["images"][0][::-1, ::-1])

    def test_corrected_brightness(self, after: Any) -> None:
        names = after("brightness_range")
        expected = names["images"][:32] / 510
        np.testing.assert_allclose(names["darker"], expected, rtol=1e-6)

    def test_fit(self, after: Any, capsys: Any) -> None:
        names = after("featurewise_center")
        training = names["generator"].flow(names["images"], subset="training")
        np.testing.assert_allclose(names["generator"].mean, training.x.mean((0, 1, 2))[None, None])


class TestErrors:
    """Each message in the table comes of the mistake that is told beside it."""

    TABLE = README.partition("| Message |")[2].partition("\n\n")[0]
    MESSAGES = re.findall(r"^\| (`{1,2})(.*?)\1 \| ", TABLE, re.MULTILINE)

    @pytest.fixture
    def mistakes(self, tmp_path: pathlib.Path, monkeypatch: Any) -> dict[str, Callable[[], Any]]:
        """What to do wrong, by a word of the message that it leads to."""
        monkeypatch.chdir(tmp_path)
        rng = np.random.default_rng(0)
        several = [f"many/{label}/{n}.png" for label in "abc" for n in range(5)]
        for name in ("root/ants/1.png", "root/.ipynb_checkpoints/1.png", "masks/1.png", *several):
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(rng.integers(0, 256, (6, 8, 3), dtype=np.uint8)).save(path)
        for name in ("mixed/ants/2.webp", "loose/1.png", "loose/ants/1.png"):
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).touch()
        pathlib.Path("damaged/ants").mkdir(parents=True)
        pathlib.Path("damaged/ants/1.png").write_bytes(b"no image")
        generator = MultiDirImageDataGenerator(rotation_range=30, brightness_range=(0.5, 1))
        split = {"validation_split": 0.2}
        images, masks = rng.random((5, 6, 8, 3)), np.full((5, 6, 8), 255)
        folders, pairs = (
            generator.flow_from_directories,
            generator.flow_segmentation_from_directories,
        )

        def without_matplotlib() -> Any:
            monkeypatch.setitem(sys.modules, "matplotlib", None)
            generator.flow(images).show()

        def one_group() -> Any:
            of_one = MultiDirImageDataGenerator(**split, split_groups=["one"] * 5)
            return of_one.flow(images, subset="training")

        def part_of_the_classes() -> Any:
            grouped = MultiDirImageDataGenerator(**split, split_groups=str)
            grouped.flow_from_directory("many", classes=["a", "b"], subset="training")

        return {
            "single folder": lambda: folders("root"),
            "does not exist": lambda: folders(["missing"]),
            "None of the roots": lambda: folders(["root/ants"]),
            "count double": lambda: folders(["root", "root/ants"]),
            "hidden folder": lambda: folders(["root"]),
            "in none of the roots": lambda: folders(["root"], classes=["ants", "aunts"]),
            "takes none": lambda: MultiDirImageDataGenerator(**split).flow_from_directories(
                ["root"], classes=["ants"], subset="validation"
            ),
            "do not fit": lambda: pairs(["root"], ["masks"]),
            "colour": lambda: next(pairs(["root/ants"], ["masks"], mask_colors={(0, 0, 0): 0})),
            "holds the value": lambda: generator.flow_segmentation(images, masks, num_classes=2),
            "extension": lambda: folders(["mixed"]),
            "directly in": lambda: folders(["loose"]),
            "take part": part_of_the_classes,
            "one group": one_group,
            "not square": lambda: next(generator.flow(images * 255)),
            "makes it black": lambda: generator.apply_transform(images[0], {"brightness": 0.5}),
            "cannot be read": lambda: next(folders(["damaged"])),
            "extra": without_matplotlib,
        }

    def test_all_are_tried(self, mistakes: Any) -> None:
        for _, message in self.MESSAGES:
            assert sum(word in message for word in mistakes) == 1
        assert len(self.MESSAGES) == len(mistakes)

    @pytest.mark.filterwarnings("error:Images of .* pixels are not square")
    @pytest.mark.parametrize("message", [message for _, message in MESSAGES])
    def test_messages(self, mistakes: Any, message: str) -> None:
        [mistake] = [mistake for word, mistake in mistakes.items() if word in message]
        pattern = re.escape(message).replace("…", r"(.|\n)*")
        with pytest.raises((Exception, Warning), match=pattern):
            mistake()
