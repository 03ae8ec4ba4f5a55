"""Every registered problem, and those judged by their looser rule, against the conformance tests."""

from __future__ import annotations

import pytest

from qdkernel.core import Problem
from qdkernel.problems.registry import PROBLEMS
from tests.problems.conformance import ProblemConformance


class TestRegisteredProblems(ProblemConformance):
    @pytest.fixture(params=PROBLEMS.values(), ids=lambda problem: problem.name)
    def problem(self, request: pytest.FixtureRequest) -> Problem:
        registered: Problem = request.param
        return registered
