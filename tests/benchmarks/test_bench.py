from __future__ import annotations

import contextlib
import io
import pathlib
from collections.abc import Iterator

import bench
import data
import pytest
import scripts
import sides
from timing import RateRow, Row, medians

from multiflow import MultiDirImageDataGenerator

# Those that write gigabytes, or need other libraries.
LARGE = ("memory", "peers")


@pytest.fixture(autouse=True)
def in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files are not waited for, and scripts run here, where the imports are done."""

    def run(script: str, compiled: str | None = None) -> list[str]:
        with contextlib.redirect_stdout(io.StringIO()) as printed:
            exec(script, {})
        return printed.getvalue().splitlines()[-1].split()

    monkeypatch.setattr(data, "SECONDS_UNTIL_OLD", 0)
    monkeypatch.setattr(scripts, "run_script", run)


@pytest.fixture(scope="module")
def photographs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(data, "SECONDS_UNTIL_OLD", 0)
        yield data.write_photographs(tmp_path_factory.mktemp("photographs"), 3)


@pytest.mark.parametrize("section", [name for name in bench.SECTIONS if name not in LARGE])
def test_all_rows_have_figures(section: str, photographs: str, tmp_path: pathlib.Path) -> None:
    setup = sides.Setup(
        tmp_path,
        repetitions=1,
        num_images=4,
        num_pairs=2,
        num_draws=2,
        num_files=100,
        num_epochs=2,
        data=photographs,
    )
    rows = list(bench.SECTIONS[section](setup))
    assert rows
    for row in rows:
        assert row.theirs > 0
        assert row.ours > 0


@pytest.mark.parametrize("section", ["photographs", "scripts", "arrays", "pairs"])
def test_unequal_batches_are_not_timed(
    section: str, photographs: str, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sides.Setup, "generator", lambda _, settings: MultiDirImageDataGenerator())
    setup = sides.Setup(tmp_path, repetitions=0, num_images=2, num_pairs=2, data=photographs)
    with pytest.raises(AssertionError):
        next(bench.SECTIONS[section](setup))


def test_sections_and_data_of_ones_own(photographs: str, capsys: pytest.CaptureFixture) -> None:
    bench.main(["--only", "startup", "--data", photographs, "--repetitions", "1"])
    works = [line.split("|")[1].strip() for line in capsys.readouterr().out.splitlines()[4:]]
    assert works == ["first batch of a process, s", "first batch ever, s"]


def test_drawn_photographs_have_the_size_of_real_ones(photographs: str) -> None:
    sizes = [path.stat().st_size for path in pathlib.Path(photographs).rglob("*.jpg")]
    assert len(sizes) == 3
    assert all(70_000 < size < 160_000 for size in sizes)


def test_scripts_must_agree(monkeypatch: pytest.MonkeyPatch) -> None:
    runs = [lambda: ["2.0", "1"], lambda: ["1.0", "1"]]
    assert scripts.compare_scripts("work", runs, 3) == Row("work", 2.0, 1.0)
    with pytest.raises(AssertionError):
        scripts.compare_scripts("work", [runs[0], lambda: ["1.0", "3"]], 3)


def test_ratios_say_how_many_times_better_ours_is() -> None:
    assert Row("s", 6.0, 2.0).ratio == 3
    assert RateRow("images per second", 2.0, 6.0).ratio == 3
    assert Row.of_images("work", [6.0, 2.0], 12) == RateRow("work", 2.0, 6.0)


def test_medians_of_sides_that_take_turns() -> None:
    turns: list[int] = []
    measures = [lambda: turns.append(0) or len(turns), lambda: turns.append(1) or 10.0]
    assert medians(measures, 3) == [3, 10]
    assert turns == [0, 1, 0, 1, 0, 1]
