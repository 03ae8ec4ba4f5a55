"""Proposals and evaluations that are committed together."""

from __future__ import annotations

from pathlib import Path

from qdkernel.core import Evaluation
from qdkernel.evaluators.pipeline import EvaluationTask
from qdkernel.runs import RunFolder
from tests.fake_runs import new_run
from tests.search.offline import configured, hashed, search


def test_of_several_proposals_each_is_committed_before_its_evaluation_begins(tmp_path: Path) -> None:
    in_flight: list[int] = []
    with new_run(tmp_path) as folder, RunFolder.open(folder.path) as reader:

        def work(task: EvaluationTask) -> Evaluation:
            committed = {proposal.kernel.id for _, proposal in reader.evaluations.unfinished()}
            assert task.kernel.id in committed
            in_flight.append(len(committed))
            return hashed(task)

        with search(configured(20), folder, work) as run:
            run.evolution.run()
        assert max(in_flight) == 3  # as many as are under way at once
        assert folder.evaluations.count() == 20
