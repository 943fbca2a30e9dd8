"""What a flow holds of its samples, and what is left of it when some of them are taken."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest
from comparison import fingerprint
from conftest import COUNT

from multiflow.augment.draws import NoDraws, SampleDraws, Stream
from multiflow.flows.columns import Column, take_columns
from multiflow.picks import Picks

POSITIONS = np.array([7, 0, 3, 10])


def batch_at(flow: Any, positions: Any) -> Any:
    return flow._make_batch(Picks.once(np.asarray(positions)), NoDraws()).as_keras()


@pytest.fixture
def flow(make_flow: Any, kind: str) -> Any:
    return make_flow(kind, {"rotation_range": 30})


class TestTake:
    def test_gives_the_batches_of_the_samples(self, flow: Any) -> None:
        expected = fingerprint(batch_at(flow, POSITIONS))
        of_two = fingerprint(batch_at(flow, POSITIONS[[2, 1]]))
        flow._take(POSITIONS)
        assert flow.n == len(POSITIONS)
        assert fingerprint(batch_at(flow, range(4))) == expected
        flow._take(np.array([2, 1]))
        assert len(flow) == 1
        assert fingerprint(batch_at(flow, range(2))) == of_two

    def test_captions_follow(self, flow: Any) -> None:
        captions = [flow.caption(position) for position in POSITIONS]
        flow._take(POSITIONS)
        assert [flow.caption(number) for number in range(4)] == captions

    def test_a_copy_leaves_the_flow_as_it_was(self, flow: Any) -> None:
        before = fingerprint(batch_at(flow, range(COUNT)))
        copied = copy.copy(flow)
        copied._take(POSITIONS)
        assert flow.n == COUNT
        assert fingerprint(batch_at(flow, range(COUNT))) == before

    def test_what_is_set_on_a_copy_is_its_own(self, make_flow: Any) -> None:
        flow = make_flow("directory", {"split_groups": str})
        copied = copy.copy(flow)
        copied.classes = np.zeros(COUNT, int)
        assert flow.classes.any()
        assert copied.image_data_generator is flow.image_data_generator
        assert copied.lock is not flow.lock

    def test_attributes_follow(self, flow: Any) -> None:
        names = ("filenames", "filepaths", "mask_filepaths", "classes", "source_indices")
        before = {name: getattr(flow, name) for name in names if hasattr(flow, name)}
        flow._take(POSITIONS)
        for name, values in before.items():
            assert list(getattr(flow, name)) == [values[position] for position in POSITIONS]
        assert getattr(flow, "samples", 4) == 4

    def test_changes_of_the_user_follow(self, make_flow: Any) -> None:
        flow = make_flow("directory", {})
        flow.filepaths.reverse()
        expected = fingerprint(batch_at(flow, POSITIONS)[0])
        flow._take(POSITIONS)
        assert fingerprint(batch_at(flow, range(4))[0]) == expected

    @pytest.mark.parametrize("name", ["directory", "dataframe", "mask folders"])
    def test_the_cache_is_taken_along(self, make_flow: Any, name: str) -> None:
        flow = make_flow(name, {}, cache="memory")
        expected = fingerprint(batch_at(flow, POSITIONS))
        flow._take(POSITIONS)
        assert fingerprint(batch_at(flow, range(4))) == expected

    def test_arrays_are_shared(self, make_flow: Any) -> None:
        for name in ("arrays", "masks"):
            flow = make_flow(name, {})
            whole = flow._contents.images.in_memory
            flow._take(POSITIONS)
            assert flow._contents.images.in_memory is whole


class Owner:
    plain = Column()
    made = Column(lambda owner: [0, 1, 2])

    def __init__(self) -> None:
        self._columns: dict[str, Any] = {}


class TestColumns:
    def test_are_attributes(self) -> None:
        owner = Owner()
        with pytest.raises(AttributeError, match="'Owner' object has no attribute 'plain'"):
            _ = owner.plain
        owner.plain = [1]
        assert owner.plain == [1]
        assert isinstance(Owner.plain, Column)

    def test_are_made_once_when_asked_for(self) -> None:
        owner = Owner()
        assert "made" not in owner._columns
        owner.made.append(3)
        assert owner.made == [0, 1, 2, 3]

    def test_of_every_form(self) -> None:
        columns = {
            "array": np.arange(6) * 10,
            "list": list("abcdef"),
            "none": None,
            "outputs": [np.arange(6), np.arange(6.0)],
            "classes": [[0, 1], 2, 3, 4, 5, 6],
            "empty": np.zeros((6, 0)),
        }
        taken = take_columns(columns, np.array([4, 0]))
        assert taken["array"].tolist() == [40, 0]
        assert taken["list"] == ["e", "a"]
        assert taken["none"] is None
        assert [output.tolist() for output in taken["outputs"]] == [[4, 0], [4.0, 0.0]]
        assert taken["classes"] == [5, [0, 1]]
        assert taken["empty"].shape == (2, 0)
        assert columns["list"] == list("abcdef")


class TestKeys:
    """Random numbers stay with the samples, and a repeated sample has others."""

    class Wide:
        rotation_range, shear_range, channel_shift_range = 90, 0, 0
        height_shift_range = width_shift_range = 0
        zoom_range, brightness_range = (1, 1), None
        horizontal_flip = vertical_flip = False
        row_axis, col_axis = 1, 2

    def angles(self, draws: SampleDraws, picks: Picks) -> list[float]:
        return [drawn["theta"] for drawn in draws.draw(self.Wide, (8, 8, 3), picks)]

    def test_keys_stand_for_samples(self) -> None:
        whole = self.angles(SampleDraws(5, Stream()), Picks.once(np.array([7, 0, 3])))
        taken = SampleDraws(5, Stream(), keys=np.array([7, 0, 3]))
        assert self.angles(taken, Picks.once(np.arange(3))) == whole

    def test_repeats_are_drawn_anew(self) -> None:
        draws = SampleDraws(5, Stream())
        first, again, third = self.angles(draws, Picks(np.array([2, 2, 2]), np.arange(3)))
        assert len({first, again, third}) == 3
        assert self.angles(draws, Picks(np.array([2]), np.array([1]))) == [again]
        assert self.angles(draws, Picks.once(np.array([2]))) == [first]
