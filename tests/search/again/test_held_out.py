"""Elites at sizes that were never scored."""

from __future__ import annotations

from pathlib import Path

import pytest

from qdkernel.core import Outcome, Placement, Proposal, parse_cell
from qdkernel.runs import RunFolder
from qdkernel.search import draw_sizes
from tests.fake_runs import kernel, new_run, ok

CELL = parse_cell("packed/512/static/near")


def test_held_out_sizes_lie_around_the_scored_ones_and_are_none_of_them() -> None:
    scored = ({"m": 64, "n": 2048, "k": 512}, {"m": 384, "n": 384, "k": 384})
    drawn = draw_sizes(scored, 3, seed=7)
    assert len(drawn) == 6
    assert all(other not in scored for other in drawn)
    for other, size in zip(drawn, (*[scored[0]] * 3, *[scored[1]] * 3), strict=True):
        assert all(0.49 * size[name] <= extent <= 1.26 * size[name] for name, extent in other.items())
    assert drawn == draw_sizes(scored, 3, seed=7)
    assert drawn != draw_sizes(scored, 3, seed=8)


def test_a_scored_size_of_one_element_leaves_none_to_hold_out() -> None:
    assert draw_sizes(({"n": 1},), 2, seed=0) == ()
    assert draw_sizes(({"n": 100},), 0, seed=0) == ()


def test_held_out_timings_are_kept_beside_the_measurements_and_count_nowhere(tmp_path: Path) -> None:
    with new_run(tmp_path) as folder:
        own, elsewhere = ok(kernel("a"), CELL, 50.0), ok(kernel("a"), CELL, 20.0)
        number = folder.evaluations.add(
            folder.evaluations.add_proposal(Proposal(kernel("a"), "s", "")), own, Placement.NEW, {}
        )
        folder.evaluations.add_held_out(number, ok(kernel("a"), CELL, 30.0))
        folder.evaluations.add_held_out(number, elsewhere)
        with pytest.raises(ValueError, match="is of kernel"):
            folder.evaluations.add_held_out(number, ok(kernel("b"), CELL, 30.0))
    with RunFolder.open(folder.path) as reader:
        [record] = reader.evaluations.records()
    assert record.evaluation == own
    assert record.num_measurements == 1
    assert record.held_out == elsewhere.timings
    assert record.evaluation.outcome is Outcome.OK
