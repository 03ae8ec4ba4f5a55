"""The record of a run's machine: what was written comes back, and anything else is refused with its place."""

from __future__ import annotations

import json

import pytest

from qdkernel.runs import read_machine_record, write_machine_record
from tests.fake_runs import MACHINE, RECORD


def test_a_written_record_comes_back_equal() -> None:
    text = write_machine_record(RECORD)
    assert json.loads(text)["schema_version"] == 1
    assert read_machine_record(text) == RECORD


def test_a_record_without_a_version_of_the_behaviour_is_of_the_first() -> None:
    older = {name: value for name, value in MACHINE.items() if name != "behaviour"}
    assert read_machine_record(json.dumps(older)).behaviour == "behaviour/1"
    assert RECORD.behaviour == "behaviour/2"


def test_every_mistake_is_named_with_its_place_and_what_came() -> None:
    foreign = {**MACHINE, "threads": 0, "schema_version": 2, "owner": "me"}
    with pytest.raises(ValueError, match=r"threads: Input should be greater than 0, got 0") as caught:
        read_machine_record(json.dumps(foreign))
    assert "schema_version: Input should be 1, got 2" in str(caught.value)
    assert "owner: Extra inputs are not permitted, got 'me'" in str(caught.value)


def test_a_file_cut_short_is_refused() -> None:
    with pytest.raises(ValueError, match=r"the file: Invalid JSON: EOF while parsing"):
        read_machine_record(write_machine_record(RECORD)[:100])


@pytest.mark.parametrize("speed", ["1e999", 1e300, 1e-300, 0.0, -1.0])
def test_a_speed_that_no_machine_has_is_refused(speed: float | str) -> None:
    peaks = {**MACHINE["peaks"], "triad_gbytes_per_s": {"2": speed}}
    with pytest.raises(ValueError, match=r"peaks.triad_gbytes_per_s.2: .*expected a positive number, got"):
        read_machine_record(json.dumps({**MACHINE, "peaks": peaks}))
