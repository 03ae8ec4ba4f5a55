"""The state of a search: what is committed continues it, and a state of another version is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from qdkernel.core import Evaluation, Outcome, Placement, Proposal
from qdkernel.errors import RunFolderError
from qdkernel.runs import RunFolder
from qdkernel.search.state import PromptState, SearchState, load_state
from tests.fake_runs import CONFIG, RECORD, kernel, new_run
from tests.search.offline import configured, search
from tests.search.test_determinism import STAGES, proposed


@pytest.fixture
def folder(tmp_path: Path) -> Any:
    """A run of twelve evaluations with stages."""
    with new_run(tmp_path) as made:
        with search(configured(12, stages=STAGES), made) as run:
            run.evolution.run()
        yield made


def changed(folder: RunFolder, **values: Any) -> None:
    """A further evaluation commits the state with other values."""
    other = kernel("another")
    number = folder.evaluations.add_proposal(Proposal(other, "tune", ""))
    state = {"search": {**folder.get_state("search"), **values}}
    folder.evaluations.add(number, Evaluation(other.id, Outcome.LOST), Placement.NONE, state)


def test_the_state_is_committed_with_every_evaluation(folder: RunFolder) -> None:
    state = load_state(folder, SearchState)
    assert state is not None
    assert state.policy.name == "map-elites"
    assert sum(arm.total_plays for arm in state.plays.arms) == 11  # all but the seed
    assert state.stage is not None
    assert (state.stage.stage, state.stage.evaluations) == ("one thread", 11)
    assert state.rng["bit_generator"] == "PCG64"
    assert load_state(folder, PromptState) is None


@pytest.mark.slow
def test_a_resume_from_the_same_log_and_state_proposes_the_same(tmp_path: Path, folder: RunFolder) -> None:
    logs = []
    for name in ("one", "other"):
        with RunFolder.create(tmp_path / name, "dgemm", CONFIG, RECORD) as copy:
            for record in folder.evaluations.records():
                number = copy.evaluations.add_proposal(record.proposal)
                state = {"search": folder.get_state("search")}
                copy.evaluations.add(number, record.evaluation, record.placement, state)
            with search(configured(40, stages=STAGES), copy) as run:
                run.evolution.run()
            logs.append(proposed(copy))
    assert len(logs[0]) == 40
    assert logs[0] == logs[1]


@pytest.mark.parametrize("version", [0, 2, None])
def test_a_state_of_another_version_is_refused(folder: RunFolder, version: int | None) -> None:
    changed(folder, version=version)
    with (
        pytest.raises(
            RunFolderError, match=rf"expected the state 'search' in version 1, got version {version}; resume"
        ),
        search(configured(20), folder) as run,
    ):
        run.evolution.run()


def test_a_state_that_is_not_one_is_refused(folder: RunFolder) -> None:
    changed(folder, plays={"arms": "none"})
    with pytest.raises(RunFolderError, match=r"the state 'search' cannot be read: .* validation errors"):
        load_state(folder, SearchState)


def test_a_resume_with_another_policy_begins_that_policy_without_state(folder: RunFolder) -> None:
    with search(configured(20, search="softmax"), folder) as run:
        run.evolution.run()
    state = load_state(folder, SearchState)
    assert state is not None
    assert (state.policy.name, state.policy.state) == ("softmax", {})
