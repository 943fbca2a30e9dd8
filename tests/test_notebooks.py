"""The notebooks are committed as they ran, and small; pytest runs them anew with nbmake."""

from __future__ import annotations

import base64
import importlib.util
import io
import pathlib
import re
from typing import Any

import matplotlib.pyplot as plt
import nbformat
import numpy as np
import pytest
from nbformat.v4 import new_output
from PIL import Image

FOLDER = pathlib.Path(__file__).parent.parent / "notebooks"
NOTEBOOKS = {path.stem: nbformat.read(path, as_version=4) for path in FOLDER.glob("*.ipynb")}
each_notebook = pytest.mark.parametrize("name", sorted(NOTEBOOKS))

spec = importlib.util.spec_from_file_location("render", FOLDER / "render.py")
render: Any = importlib.util.module_from_spec(spec)
spec.loader.exec_module(render)


def outputs_of(name: str) -> list[Any]:
    return [output for cell in NOTEBOOKS[name].cells for output in cell.get("outputs", [])]


def test_there_are_notebooks() -> None:
    assert sorted(NOTEBOOKS) == ["many_folders", "segmentation", "swap_in"]


@each_notebook
def test_ran_from_top_to_bottom(name: str) -> None:
    counts = [cell.execution_count for cell in NOTEBOOKS[name].cells if cell.cell_type == "code"]
    assert counts == list(range(1, len(counts) + 1))


@each_notebook
def test_outputs_are_those_for_readers(name: str) -> None:
    kinds = {(output.output_type, output.get("name")) for output in outputs_of(name)}
    assert kinds <= {("stream", "stdout"), ("execute_result", None), ("display_data", None)}
    texts = "".join(output.get("text", "") for output in outputs_of(name))
    assert not re.search(r"[\b\r\x1b]", texts)
    assert (FOLDER / f"{name}.ipynb").stat().st_size < 500_000


@each_notebook
def test_samples_are_made_in_the_first_cell(name: str) -> None:
    first = next(cell for cell in NOTEBOOKS[name].cells if cell.cell_type == "code")
    assert "write_" in first.source
    assert re.search(r"^# .* = .* # your own", first.source, re.MULTILINE)


def test_pictures_of_the_readme_are_outputs() -> None:
    readme = (FOLDER.parent / "README.md").read_text()
    shown = set(re.findall(r"\(notebooks/pictures/(\w+\.png)\)", readme))
    pictures = {path.name: path.read_bytes() for path in (FOLDER / "pictures").iterdir()}
    assert shown == pictures.keys() == {"many_folders.png", "segmentation.png"}
    drawn = {
        base64.b64decode(output.data["image/png"])
        for name in NOTEBOOKS
        for output in outputs_of(name)
        if "image/png" in output.get("data", {})
    }
    assert set(pictures.values()) <= drawn


@pytest.mark.parametrize("num_classes", [2, 4, 12, 300])
def test_the_palette_of_segmentation_is_long_enough(num_classes: int) -> None:
    [cell] = [cell.source for cell in NOTEBOOKS["segmentation"].cells if "palette =" in cell.source]
    names: dict[str, Any] = {"np": np, "plt": plt, "num_classes": num_classes}
    exec(cell.partition("legend =")[0], names)
    assert len(names["palette"]) == num_classes
    assert len(np.unique(names["palette"], axis=0)) == min(num_classes, 51)


class TestTidy:
    def test_streams(self) -> None:
        outputs = [
            new_output("stream", name="stdout", text="\x1b[1m1/2\x1b[0m ==\b\b\b"),
            new_output("stream", name="stderr", text="I0000 log of TensorFlow"),
            new_output("stream", name="stdout", text="\r2/2 done\nnext line\n"),
        ]
        [output] = render.tidy(outputs)
        assert (output.name, output.text) == ("stdout", "2/2 done\nnext line\n")

    def test_pictures(self) -> None:
        pixels = np.random.default_rng(0).integers(0, 256, (40, 50, 3), dtype=np.uint8)
        buffer = io.BytesIO()
        Image.fromarray(pixels).save(buffer, "PNG")
        png = base64.b64encode(buffer.getvalue()).decode()
        output = new_output("display_data", {"image/png": png}, metadata={"needs": "nothing"})
        [tidied] = render.tidy([output])
        assert len(tidied.data["image/png"]) < len(png) / 2
        assert tidied.metadata == {}
        shrunk = Image.open(io.BytesIO(base64.b64decode(tidied.data["image/png"])))
        assert np.abs(np.asarray(shrunk.convert("RGB")) - pixels.astype(float)).mean() < 30
