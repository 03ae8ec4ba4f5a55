"""Sums of millions of numbers in single precision: seeds and printed kernels are as accurate as the bound asks.

One float to which all are added keeps too few digits: beyond 2^24 it does not change any more.
"""

from __future__ import annotations

import contextlib
import shutil
from pathlib import Path

import pytest

from qdkernel.evaluators.pipeline import CompileSpec, EvaluationContext, EvaluationSpec
from qdkernel.evaluators.pipeline.beyond import verify_beyond
from qdkernel.mutators.schedule import TEMPLATES
from qdkernel.problems import find_problem
from tests.conftest import FLAGS
from tests.mutators.briefs import sized_brief
from tests.mutators.schedule.conformance import genomes_of

pytestmark = [pytest.mark.slow, pytest.mark.skipif(shutil.which("gcc") is None, reason="needs gcc")]


def sources(name: str) -> dict[str, str]:
    """The problem's seeds and a kernel of its template."""
    problem, template = find_problem(name), TEMPLATES[name]
    (genome,) = genomes_of(template, sized_brief(name, problem.default_sizes(32 << 20)[-1]), 1)
    seeds = {seed: problem.seed_source(seed) for seed in problem.seeds}
    return {**seeds, "template": template.print(genome)}


@pytest.mark.parametrize("increment", [1, 2])
@pytest.mark.parametrize("name", ["snrm2", "sasum"])
def test_a_sum_of_millions_is_accurate_whatever_the_increment(
    name: str, increment: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "qdkernel.evaluators.pipeline.beyond.calls.respelled_case", lambda _, size, __: {**size, "incx": increment}
    )
    spec = EvaluationSpec(name, str(tmp_path), CompileSpec("gcc", FLAGS))
    with contextlib.closing(EvaluationContext(spec)) as context:
        for source in sources(name).values():
            with context.build_folder() as folder:
                verify_beyond(context, context.compile(source, Path(folder)), [{"n": 1 << 24}])
