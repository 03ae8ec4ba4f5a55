"""Kernels that cheat at the problems beside GEMM, and honest ones that look as if they did.

The files are in ``tests/cheats/<problem>`` and ``tests/honest/<problem>``, with the headers of those for GEMM.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from qdkernel.core import Kernel, Outcome
from qdkernel.evaluators.pipeline import EvaluationContext, evaluate
from tests.conftest import make_spec
from tests.paths import TESTS

PROBLEMS = ("daxpy", "stencil3d7")
CHEATS = sorted(path for problem in PROBLEMS for path in (TESTS / "cheats" / problem).glob("*.c"))
HONEST = sorted(path for problem in PROBLEMS for path in (TESTS / "honest" / problem).glob("*.c"))
HEADER = re.compile(r"/\* Tries: .+?\n   Stopped by: .+?\n   Expect: (\w+) \*/\n")
SIZE = 72
"""The scored extent; no verification case has it."""


@pytest.fixture(scope="module")
def contexts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, EvaluationContext]]:
    made = {name: EvaluationContext(make_spec(tmp_path_factory.mktemp(name), name, SIZE)) for name in PROBLEMS}
    yield made
    for context in made.values():
        context.close()


def name(path: Path) -> str:
    return f"{path.parent.name}-{path.stem}"


@pytest.mark.slow
@pytest.mark.parametrize("path", CHEATS, ids=name)
def test_a_cheat_is_stopped_as_its_header_says(path: Path, contexts: dict[str, EvaluationContext]) -> None:
    header = HEADER.match(path.read_text())
    assert header is not None, f"{path.name} must open with Tries, Stopped by and Expect"
    found = evaluate(contexts[path.parent.name], Kernel(path.read_text()))
    assert found.outcome is Outcome(header[1]), f"{found.outcome}: {found.detail}"
    assert found.outcome is not Outcome.OK
    assert found.detail
    assert ("timed call" in found.detail) == path.stem.endswith("_scored") or path.stem.startswith("stale")


@pytest.mark.parametrize("path", HONEST, ids=name)
def test_an_honest_kernel_that_looks_odd_is_ok(path: Path, contexts: dict[str, EvaluationContext]) -> None:
    found = evaluate(contexts[path.parent.name], Kernel(path.read_text()))
    assert found.outcome is Outcome.OK, f"{found.outcome}: {found.detail}"


def test_each_problem_has_the_cheats_that_every_problem_needs() -> None:
    for problem in PROBLEMS:
        cheats = {path.stem for path in CHEATS if path.parent.name == problem}
        assert {"does_nothing", "float", "float_scored", "assumes_even"} <= cheats
        assert any(stem.startswith("skip_last") for stem in cheats)
        assert any(stem.startswith("stale") for stem in cheats)
        assert any(path.parent.name == problem for path in HONEST)
