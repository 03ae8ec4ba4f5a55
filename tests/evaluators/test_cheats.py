"""Kernels that cheat, and honest ones that look as if they did, through the same evaluation as ``qdkernel check``.

Every file in ``tests/cheats`` opens with a comment that says what it tries, what must stop it, and with which outcomes
that may end. Those in ``tests/cheats/cells`` are right, and try to get into a cell that they do not deserve; it names
the one they belong to (``any``: the width is the compiler's choice; ``vector``: any but scalar). Every file in
``tests/honest`` is a correct kernel in an unusual dress.
"""

from __future__ import annotations

import dataclasses
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from qdkernel.core import Kernel, Outcome, cell_name
from qdkernel.evaluators.measurement import TimingRule
from qdkernel.evaluators.pipeline import EvaluationSpec, EvaluationTask, SharedScratch, perform
from qdkernel.evaluators.pipeline.worker import _drop_context
from qdkernel.evaluators.toolchain import CompileLimits
from tests.conftest import compiled_with, make_spec, run_with, timed_with
from tests.paths import TESTS

CHEATS = sorted((TESTS / "cheats").glob("*.c"))
CELLS = sorted((TESTS / "cheats" / "cells").glob("*.c"))
HONEST = sorted((TESTS / "honest").glob("*.c"))
HEADER = re.compile(r"/\* Tries: .+?\n   Stopped by: .+?\n   Expect: ([a-z_, ]+) \*/\n", re.DOTALL)
CELL_HEADER = re.compile(r"/\* Tries: .+?\n   Stopped by: .+?\n   Expect: (\S+) \*/\n", re.DOTALL)
LIMITS = CompileLimits(wall_s=4.0, memory_mb=1024, file_mb=16)
FEW_SECONDS = dataclasses.replace(LIMITS, wall_s=1.5)  # for sources on which the compiler works until it is stopped


@pytest.fixture(scope="module")
def spec(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EvaluationSpec]:
    """A small scored size that no verification case has, short deadlines; nothing may be left running at the end."""
    before = psutil.Process().children(recursive=True)
    made = make_spec(tmp_path_factory.mktemp("scratch"), size=72, threads=min(2, os.cpu_count() or 1))
    yield compiled_with(run_with(made, run_s=1.5), limits=LIMITS)
    _drop_context()
    assert [child for child in psutil.Process().children(recursive=True) if child not in before] == []


def source(path: Path) -> str:
    """The text as ``qdkernel check`` reads it."""
    return path.read_bytes().decode("utf-8", "surrogateescape")


def expected(path: Path) -> set[Outcome]:
    header = HEADER.match(source(path))
    assert header is not None, f"{path.name} must open with Tries, Stopped by and Expect"
    return {Outcome(word) for word in header[1].split(", ")}


SPARE_CORE = {"forge_late_arming_in_part", "forge_late_arming_repaired"} if (os.cpu_count() or 1) > 1 else set()
"""Cheats that wake nobody, so they gain nothing from a parent that sleeps; it spins where a core is left to it."""


def cheat(path: Path) -> Any:  # Any: pytest's parameter sets have no public type
    """A cheat as a parameter; one that may run until a time limit ends it is slow."""
    return pytest.param(path, id=path.stem, marks=pytest.mark.slow if Outcome.TIMEOUT in expected(path) else ())


@pytest.mark.slow
@pytest.mark.parametrize("path", [cheat(path) for path in CHEATS])
def test_a_cheat_is_stopped_as_its_header_says(path: Path, spec: EvaluationSpec) -> None:
    if path.stem in SPARE_CORE:
        sizes = ({"m": 120, "n": 120, "k": 120},)  # blocks of a millisecond and more
        spec = timed_with(spec, threads=1, sizes=sizes, first_rounds=None, rule=TimingRule())
    if path.stem.startswith("bomb_"):
        spec = compiled_with(spec, limits=FEW_SECONDS)
    found = perform(EvaluationTask(spec, Kernel(source(path))))
    assert found.outcome in expected(path), f"{found.outcome}: {found.detail}"
    assert found.objective is None
    assert found.detail


@pytest.mark.slow
@pytest.mark.isa("avx2")
@pytest.mark.parametrize("path", CELLS, ids=lambda path: path.stem)
def test_a_level_counts_only_when_it_runs(path: Path, spec: EvaluationSpec) -> None:
    header = CELL_HEADER.match(source(path))
    assert header is not None, f"{path.name} must open with Tries, Stopped by and Expect"
    found = perform(EvaluationTask(spec, Kernel(source(path))))
    assert found.outcome is Outcome.OK, found.detail
    assert found.cell is not None
    levels = cell_name(found.cell).split("/")
    for wanted, level in zip(header[1].split("/"), levels, strict=True):
        assert wanted in (level, "any") or (wanted == "vector" and level != "scalar"), dict(found.evidence)
    assert found.evidence["as run"]


@pytest.mark.parametrize("name", ["crashes_as_incumbent", "hangs_as_incumbent"])
def test_an_incumbent_cannot_tell_its_duel_from_its_evaluation(name: str, spec: EvaluationSpec) -> None:
    sizes = tuple({"m": size, "n": size, "k": size} for size in (72, 80))
    spec = timed_with(spec, sizes=sizes, baseline_gflops=(1e-3, 1e-3), threads=1)
    incumbent = Kernel(source(TESTS / "evaluators" / "duels" / f"{name}.c"))
    found = perform(EvaluationTask(spec, incumbent))
    assert found.outcome is Outcome.OK, found.detail
    assert found.cell is not None
    scratch = SharedScratch(Path(spec.scratch))
    scratch.set_incumbent(found.cell, incumbent, 1e-9)
    try:
        challenger = perform(EvaluationTask(spec, Kernel(incumbent.source + "/* again */")))
    finally:
        scratch.remove_incumbent(found.cell)
    assert challenger.outcome is Outcome.OK, challenger.detail
    assert challenger.duel is not None
    assert challenger.duel.fault is None


FAST_ALGORITHMS = {"strassen", "strassen_equilibrated_scored", "strassen_scored"}
UNJUDGED = {"drops_nan", "skips_zero_factors"}
"""The normwise rule does not follow NaN and infinities."""
NUMERIC = ("flush_", "float_", "skip", "strassen", "ignores_", "assumes_", "drops_")


@pytest.mark.slow
@pytest.mark.parametrize("path", [p for p in CHEATS if p.stem.startswith(NUMERIC)], ids=lambda path: path.stem)
def test_the_normwise_rule_admits_fast_algorithms_and_nothing_else(path: Path, spec: EvaluationSpec) -> None:
    found = perform(EvaluationTask(dataclasses.replace(spec, accuracy="normwise"), Kernel(source(path))))
    if path.stem in FAST_ALGORITHMS | UNJUDGED:
        assert found.outcome is Outcome.OK, found.detail
    else:
        assert found.outcome in expected(path), f"{found.outcome}: {found.detail}"


@pytest.mark.slow
@pytest.mark.isa_dependent
@pytest.mark.parametrize("path", HONEST, ids=lambda path: path.stem)
def test_an_honest_kernel_that_looks_odd_is_ok(path: Path, spec: EvaluationSpec) -> None:
    found = perform(EvaluationTask(spec, Kernel(source(path))))
    assert found.outcome is Outcome.OK, f"{found.outcome}: {found.detail}"
    assert found.objective is not None


def test_no_header_expects_a_cheat_to_pass_or_to_be_lost() -> None:
    assert len(CHEATS) >= 50
    assert len(HONEST) >= 30
    forbidden = {Outcome.OK, Outcome.DUPLICATE, Outcome.LOST, Outcome.OUTSIDE_STAGE}
    assert [path.name for path in CHEATS if expected(path) & forbidden] == []
