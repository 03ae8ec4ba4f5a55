"""Every problem with an oracle or a check written by hand, against the conformance tests."""

from __future__ import annotations

import pytest

from qdkernel.core import Problem
from qdkernel.problems import PROBLEMS
from tests.problems.conformance import ProblemConformance
from tests.problems.oracles import HAND_WRITTEN


class TestRegisteredProblems(ProblemConformance):
    @pytest.fixture(params=[PROBLEMS[name] for name in HAND_WRITTEN], ids=lambda problem: problem.name)
    def problem(self, request: pytest.FixtureRequest) -> Problem:
        registered: Problem = request.param
        return registered
