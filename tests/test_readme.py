"""The README's code runs as printed, and does what is said beside it."""

from __future__ import annotations

import pathlib
import re
from typing import Any

import numpy as np
import pytest

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
    assert [len(blocks) for blocks in SECTIONS.values()] == [1, 1, 1, 8]


@pytest.mark.parametrize("section", SECTIONS)
@pytest.mark.filterwarnings("default:Images of .* pixels are not square")
def test_sections_run(section: str, tmp_path: pathlib.Path, monkeypatch: Any, capsys: Any) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    for block in SECTIONS[section]:
        run(block, names)
    printed = capsys.readouterr().out
    if section == "Many folders":
        assert "angular      96        44    140" in printed
        assert len(re.findall(r"(?:jpg|png): (?:round|angular), \d+%$", printed, re.M)) == 57


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
        assert flow.state_dict() == {"epoch": 3, "batch": 2}

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
