"""The declared problems pass the checks that a user's own must pass: seeds, baseline, inputs, wrong results."""

from __future__ import annotations

from pathlib import Path

import pytest

from qdkernel.evaluators.pipeline import EvaluationContext
from qdkernel.evaluators.registration import check_problem
from qdkernel.problems import PROBLEMS
from qdkernel.problems.registry import LIBRARY
from tests.conftest import make_spec

DECLARED = sorted(LIBRARY.glob("*/*/problem.yaml"))


def one_precision(at: int, file: Path) -> str:
    """The problem in double and in single precision by turns where there are both, as they share their C."""
    names = [name for name, problem in PROBLEMS.items() if problem.folder == file.parent]
    return names[at % len(names)]


@pytest.mark.slow
@pytest.mark.parametrize("name", [one_precision(at, file) for at, file in enumerate(DECLARED)])
def test_a_declared_problem_can_be_trusted(name: str, tmp_path: Path) -> None:
    (tmp_path / "scratch").mkdir()
    context = EvaluationContext(make_spec(tmp_path / "scratch", name, 40))
    try:
        findings = list(check_problem(context.problem, context, tmp_path))
        assert [finding for finding in findings if finding.advice] == []
    finally:
        context.close()


def test_the_registry_lists_every_declaration() -> None:
    declared = {file.parent for file in DECLARED}
    assert {problem.folder for problem in PROBLEMS.values() if problem.folder in declared} == declared
