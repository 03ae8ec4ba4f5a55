"""A replayed run: the same proposals, in the same order, whatever the number of free workers."""

from __future__ import annotations

from pathlib import Path

from qdkernel.core import parse_cell
from tests.fake_runs import add_by_model, add_elite, new_run
from tests.model_runs import proposals
from tests.search.offline import configured, search

CELL = parse_cell("packed/512/static/near")


def test_proposals_of_models_and_of_operators_keep_their_order(tmp_path: Path) -> None:
    with new_run(tmp_path / "first") as first, new_run(tmp_path / "second") as second:
        for number in range(4):  # more than there are workers
            add_elite(first, CELL, 10.0 + number)
            add_by_model(first, CELL, 20.0 + number)
        with search(configured(100), second, recorded=first) as run:
            run.evolution.run()
        kernels = [[proposal.kernel.id for proposal in proposals(folder.path)] for folder in (first, second)]
        assert kernels[0] == kernels[1]
