"""The example of docs/add-a-problem.md, read from the page, built, and held to the conformance tests."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from qdkernel.core import Kernel, Outcome, Problem
from qdkernel.evaluators.pipeline import EvaluationContext, evaluate
from qdkernel.problems import PROBLEMS
from tests.conftest import make_spec
from tests.paths import ROOT
from tests.problems.conformance import ProblemConformance

PAGE = ROOT / "docs" / "add-a-problem.md"
BLOCK = re.compile(r"^`qdkernel/problems/blas1/(\S+)`[^\n]*:\n\n```\w+\n(.*?)^```$", re.DOTALL | re.MULTILINE)


@pytest.fixture(scope="module")
def example(tmp_path_factory: pytest.TempPathFactory) -> Problem:
    """The problem of the page, from files with the names it gives them."""
    folder = tmp_path_factory.mktemp("blas1")
    (folder / "seeds").mkdir()
    files = dict(BLOCK.findall(PAGE.read_text(encoding="utf-8")))
    assert list(files) == ["ddot.py", "seeds/ddot_naive.c", "seeds/ddot_cblas.c"]
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")
    spec = importlib.util.spec_from_file_location("ddot", folder / "ddot.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    problem: Problem = module.DDOT
    return problem


@pytest.fixture
def problem(example: Problem, monkeypatch: pytest.MonkeyPatch) -> Problem:
    """The same, in the registry."""
    monkeypatch.setitem(PROBLEMS, example.name, example)
    return example


class TestExampleOfThePage(ProblemConformance):
    """Its fixture is the module's."""


@pytest.fixture
def context(problem: Problem, tmp_path: Path) -> Iterator[EvaluationContext]:
    made = EvaluationContext(make_spec(tmp_path, problem.name, 1003))
    yield made
    made.close()


def test_the_naive_kernel_of_the_page_is_timed_beside_its_baseline(context: EvaluationContext) -> None:
    found = evaluate(context, Kernel(context.problem.seed_source("ddot_naive.c")))
    assert found.outcome is Outcome.OK, found.detail
    [timing] = found.timings
    assert len(timing.kernel_ns) == len(timing.reference_ns) > 1
    assert min(timing.reference_ns) > 0


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ("i < n", "i < n - 1", r"result is \S+ and should be \S+"),
        ("*result = sum", "if (n > 0) *result = sum", "result is nan and should be 0"),
        ("double sum", "float sum", r"result is \S+ and should be \S+"),
        ("*result = sum", "result[n == 8] = sum", "memory beside result|killed by SIGSEGV|result is nan"),
    ],
)
def test_a_wrong_kernel_is_told_what_is_wrong(before: str, after: str, said: str, context: EvaluationContext) -> None:
    source = context.problem.seed_source("ddot_naive.c")
    assert before in source
    found = evaluate(context, Kernel(source.replace(before, after)))
    assert found.outcome in (Outcome.WRONG, Outcome.CRASHED)
    assert re.search(said, found.detail), found.detail
