from __future__ import annotations

import numpy as np

from multiflow.demo.pictures import COLOURS, PAPER, contact_sheet, curves


def test_contact_sheet_shows_each_image_in_its_place() -> None:
    grey_levels = [0.2, 0.4, 0.6, 0.8, 1.0]
    images = [np.full((5, 9, 3), level) for level in grey_levels]
    captions = ["short", *["long " * 20] * 4]
    sheet = np.asarray(contact_sheet(images, captions, columns=2, cell=40))
    assert sheet.shape == (12 + 3 * (40 + 24 + 12), 12 + 2 * 52, 3)
    for position, level in enumerate(grey_levels):
        row, column = divmod(position, 2)
        pixel = sheet[12 + row * 76 + 20, 12 + column * 52 + 20]
        assert (pixel == round(level * 255)).all()
    assert (sheet[12 + 2 * 76 + 20, 12 + 52 + 20] == PAPER).all()


def test_curves_draw_every_series_at_its_height() -> None:
    picture = np.asarray(curves({"low": [0.0, 0.0], "high": [1.0, 1.0]}, title="T"))
    heights = []
    for colour in COLOURS[:2]:
        rows, _ = np.nonzero((picture[:, 300:400] == colour).all(axis=-1))
        heights.append(np.median(rows))
    assert heights[1] < heights[0]
    assert np.isclose(heights, [350, 60], atol=2).all()


def test_a_single_epoch_can_be_drawn() -> None:
    picture = np.asarray(curves({"loss": [2.0]}, title="T"))
    assert (picture == COLOURS[0]).all(axis=-1).sum() > 100
