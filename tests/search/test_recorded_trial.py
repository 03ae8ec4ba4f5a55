"""The replies of a strong model in a recorded trial: read, replayed, compiled, verified and timed."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from qdkernel.core import Arm, Outcome, Provenance
from qdkernel.llm import Completion, Message
from qdkernel.mutators.llm import Assignment, Ending, Expect, converse
from qdkernel.runs import End, RunFolder
from tests.fake_runs import ask, new_run
from tests.model_runs import evolve
from tests.paths import TRIAL

FILES = sorted(TRIAL.glob("*.json"))
EXPECTED = {"edit": Expect.EDITS, "plan": Expect.PLAN}


def held(file: Path) -> tuple[Assignment, Completion, Ending]:
    """The conversation of a file: what was asked, what was answered, and what is read from it now."""
    recorded = json.loads(file.read_text(encoding="utf-8"))
    kind, request = recorded["kind"], recorded["request"]
    sources = re.findall(r"```c\n(.*?)```", request, re.DOTALL)
    assignment = Assignment(
        kind,
        (Message("user", request),),
        EXPECTED.get(kind, Expect.KERNEL),
        base=sources[0] if kind == "edit" else "",
        provenance=Provenance(Arm(kind, "trial")),
    )
    completion = Completion(recorded["reply"], "stop", 1000, 1000, 1, 0.0)
    return assignment, completion, converse(assignment, lambda _: completion, "dgemm", resamples=0)


def recorded_run(root: Path) -> RunFolder:
    """A run whose proposals are the trial's, none of them evaluated."""
    folder = new_run(root)
    for file in FILES:
        assignment, completion, ending = held(file)
        if ending.proposal is not None:
            number = ask(folder, assignment, "trial", completion)
            folder.conversations.end(number, End.PROPOSAL, proposal=ending.proposal)
    return folder


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_every_reply_is_read(file: Path) -> None:
    assignment, _, ending = held(file)
    assert ending.plan if assignment.expects is Expect.PLAN else ending.proposal, ending.reason


@pytest.mark.slow
@pytest.mark.isa("avx2", "fma")
def test_every_recorded_kernel_is_timed_when_the_run_is_replayed(tmp_path: Path) -> None:
    recorded, run = recorded_run(tmp_path / "recorded"), tmp_path / "run"
    recorded.close()
    evolve(run, "budget.minutes=null", "budget.evaluations=100", more=["--replay", str(recorded.path)])
    with RunFolder.open(run) as folder:
        outcomes = {record.proposal_id: record.evaluation.outcome for record in folder.evaluations.records()}
    assert len(outcomes) == 24
    assert set(outcomes.values()) <= {Outcome.OK, Outcome.DUPLICATE}
