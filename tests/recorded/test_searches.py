"""Whole searches over the recorded space: the real loop, nothing compiled or measured."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from qdkernel.core import Outcome
from qdkernel.runs import Record, RunFolder
from qdkernel.search import assemble
from tests.fake_runs import new_run
from tests.recorded.spaces import recorded_space
from tests.search.offline import configured


def searched(folder: RunFolder, evaluations: int, **settings: Any) -> list[Record]:  # Any: fields of a configuration
    config = configured(evaluations, evaluators={"backend": "serial"}, **settings)
    with recorded_space().environment(config) as place:
        run = assemble(place, folder, lambda status: None, lambda text: None)
        run.evolution.run()
        run.close()
    return list(folder.evaluations.records())


def kernels(records: list[Record]) -> list[str]:
    return [record.proposal.kernel.id for record in records]


@pytest.mark.slow
def test_a_search_proposes_recorded_kernels_only_and_each_has_its_recorded_objective(tmp_path: Path) -> None:
    with new_run(tmp_path) as folder:
        seed, *records = searched(folder, 30)
    assert (seed.evaluation.outcome, seed.evaluation.detail) == (Outcome.LOST, "this kernel was not recorded")
    for record in records:
        known = recorded_space().kernels[record.proposal.kernel.id]
        assert record.evaluation.outcome is Outcome.OK
        assert (record.evaluation.objective, record.evaluation.cell) == (known.timing.gflops, known.cell)


@pytest.mark.slow
def test_a_search_that_times_nothing_does_not_take_the_lock_of_the_cores(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with new_run(tmp_path) as folder:
        searched(folder, 10)
    assert [path.name for path in tmp_path.glob("*.lock")] == []


@pytest.mark.slow
def test_the_archive_of_a_search_is_filled_for_one_thread_and_each_elite_is_nearly_the_fastest_evaluated(
    tmp_path: Path,
) -> None:
    with new_run(tmp_path) as folder:
        records = searched(folder, 120)
        held = {record.evaluation.cell: record for record in records if record.placed}
    # on one thread no threaded cell is aimed at: 3 SIMD widths by 4 kinds of prefetch, and what strays
    assert sum(cell is not None and cell.threading == 0 for cell in held) == 12
    for record in records:
        if record.evaluation.objective:
            elite = held[record.evaluation.cell].evaluation.objective
            assert elite is not None
            assert record.evaluation.objective <= 1.015 * elite  # the tie width: less is not won


@pytest.mark.slow
def test_the_same_seed_proposes_the_same_kernels_and_another_seed_others(tmp_path: Path) -> None:
    logs = []
    for number, seed in enumerate((3, 3, 4)):
        with new_run(tmp_path / str(number)) as folder:
            logs.append(kernels(searched(folder, 20, seed=seed)))
    assert logs[0] == logs[1] != logs[2]


@pytest.mark.slow
def test_a_resumed_search_goes_on_where_it_stopped(tmp_path: Path) -> None:
    with new_run(tmp_path) as folder:
        first = searched(folder, 20)
        records = searched(folder, 40)
    assert kernels(records)[:20] == kernels(first)
    assert len(set(kernels(records))) == 40
    assert [record.proposal.operator for record in records].count("seed") == 1


@pytest.mark.slow
def test_screened_searches_come_near_the_best_sooner_than_those_that_evaluate_every_draw(tmp_path: Path) -> None:
    def evaluations_to_95_per_cent(screened: int, seed: int) -> int:
        with new_run(tmp_path / f"{screened}-{seed}") as folder:
            records = searched(folder, 100, seed=seed, selection={"screened": screened})
        goal = 0.95 * recorded_space().recording.best
        return next((n for n, each in enumerate(records, 1) if (each.evaluation.objective or 0.0) >= goal), 101)

    needed = {screened: sorted(evaluations_to_95_per_cent(screened, seed) for seed in range(3)) for screened in (1, 32)}
    assert needed[32][1] < needed[1][1]
