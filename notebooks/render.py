"""Runs the notebooks, tidies their outputs, and saves the README's pictures.

`python notebooks/render.py` renders all, `python notebooks/render.py NOTEBOOK …` some.
"""

from __future__ import annotations

import base64
import io
import pathlib
import re
import sys
from typing import Any

import nbformat
from nbclient import NotebookClient
from PIL import Image

HERE = pathlib.Path(__file__).parent
# A cell with a tag that begins like this draws a picture of the README.
PICTURE = "picture:"


def main(names: list[str]) -> None:
    """Renders the notebooks of these names, or all."""
    for path in map(pathlib.Path, names) if names else sorted(HERE.glob("*.ipynb")):
        notebook = nbformat.read(path, as_version=4)
        NotebookClient(notebook, resources={"metadata": {"path": str(HERE)}}).execute()
        for cell in notebook.cells:
            if cell.cell_type == "code":
                cell.outputs = tidy(cell.outputs)
                cell.metadata.pop("execution", None)
            for tag in cell.metadata.get("tags", []):
                if tag.startswith(PICTURE):
                    save_picture(cell.outputs, tag.removeprefix(PICTURE))
        kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
        notebook.metadata = {"kernelspec": kernel, "language_info": {"name": "python"}}
        nbformat.write(notebook, path)
        print(f"{path.name}: {path.stat().st_size / 1000:.0f} kB")


def tidy(outputs: list[Any]) -> list[Any]:
    """Outputs without TensorFlow's log, steps of progress bars, and most bytes of pictures."""
    kept: list[Any] = []
    for output in outputs:
        if output.output_type == "stream":
            if output.name == "stderr":
                continue
            if kept and kept[-1].output_type == "stream":
                kept[-1].text += output.text
                continue
        elif "image/png" in output.get("data", {}):
            output.data["image/png"] = shrink(output.data["image/png"])
            output.metadata = {}
        kept.append(output)
    for output in kept:
        if output.output_type == "stream":
            colourless = re.sub(r"\x1b\[\d*m", "", output.text)
            last_steps = re.sub(r"^.*[\b\r]+(?=.)", "", colourless, flags=re.MULTILINE)
            output.text = re.sub(r"[\b\r]", "", last_steps)
    return kept


def shrink(png: str) -> str:
    """A picture in 256 colours, in base64 as it came."""
    picture = Image.open(io.BytesIO(base64.b64decode(png))).convert("RGB")
    buffer = io.BytesIO()
    picture.quantize(256, kmeans=1).save(buffer, "PNG", optimize=True)
    return base64.b64encode(buffer.getvalue()).decode()


def save_picture(outputs: list[Any], name: str) -> None:
    """Writes the picture among the outputs of a cell."""
    [png] = [
        output.data["image/png"] for output in outputs if "image/png" in output.get("data", {})
    ]
    folder = HERE / "pictures"
    folder.mkdir(exist_ok=True)
    (folder / f"{name}.png").write_bytes(base64.b64decode(png))


if __name__ == "__main__":
    main(sys.argv[1:])
