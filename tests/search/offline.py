"""Whole searches without a compiler: the real proposer and loop, and evaluations made up from a hash of the source."""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar
from unittest import mock

from qdkernel.backends.serial import SerialBackend
from qdkernel.config import Config
from qdkernel.core import Duel, Evaluation, Outcome, reachable_cells, worth_a_duel
from qdkernel.evaluators.measurement import MachinePeaks, Peak, Triad
from qdkernel.evaluators.pipeline import CompileSpec, EvaluationSpec, EvaluationTask, SharedScratch, TimingSpec
from qdkernel.evaluators.toolchain import Toolchain
from qdkernel.problems import find_problem
from qdkernel.runs import RunFolder
from qdkernel.search import Assembled, RunEnvironment, assemble
from tests.fake_runs import ok
from tests.mutators.briefs import MACHINE

PEAKS = MachinePeaks(
    tuple(
        Peak("float64", simd, threads, 20.0 * threads) for threads in (1, 2) for simd in ("scalar", "128", "256", "512")
    ),
    (Triad(1, 12.0, 12.0), Triad(2, 24.0, 24.0)),
)
CELLS = sorted(reachable_cells(MACHINE.simd_widths))

Work = Callable[[EvaluationTask], Evaluation]
Task = TypeVar("Task")
Result = TypeVar("Result")


class InTurn(SerialBackend[Task, Result]):
    """A serial backend with three tasks under way at once."""

    capacity = 3


def hashed(task: EvaluationTask) -> Evaluation:
    """An evaluation that depends on nothing but the source, and on who holds the cell: fails one time in eight."""
    kernel = task.kernel
    draw = hashlib.sha256(kernel.source.encode("utf-8", "surrogateescape")).digest()
    if draw[0] < 32:
        return Evaluation(kernel.id, Outcome.COMPILE_ERROR, "made up")
    cell = CELLS[int.from_bytes(draw[1:3], "big") % len(CELLS)]
    made = ok(kernel, cell, 1.0 + int.from_bytes(draw[3:5], "big") / 1000)
    if task.accept and (refusal := task.accept(cell, made.evidence)):
        return Evaluation(kernel.id, Outcome.OUTSIDE_STAGE, refusal, made.behaviour)
    incumbent = SharedScratch(Path(task.spec.scratch)).incumbent(cell)
    measured = made.measured
    assert measured is not None
    if incumbent is None or not worth_a_duel(measured.objective, measured.timings, incumbent.objective):
        return made
    ratio = measured.objective / incumbent.objective
    duel = Duel(incumbent.kernel_id, ratio, 0.99 * ratio, 1.01 * ratio)
    return replace(made, measured=replace(measured, duel=duel))


@contextlib.contextmanager
def environment(config: Config, work: Work = hashed) -> Iterator[RunEnvironment]:
    """A made-up machine that is the same everywhere."""
    problem, scratch = find_problem(config.problem), SharedScratch.make()
    try:
        spec = EvaluationSpec(
            problem=problem.name,
            scratch=str(scratch.folder),
            compile=CompileSpec("gcc", config.compiler.flags),
            timing=TimingSpec(
                sizes=(problem.size_from_int(512),),
                threads=2,
                peak_gflops=40.0,
                triad_gbytes_per_s=24.0,
                llc_bytes=32 << 20,
                baseline_gflops=(30.0,),
            ),
        )
        toolchain = Toolchain("/usr/bin/gcc", "/usr/bin/as", "/usr/bin/ld", "gcc 12.2.0", config.compiler.flags)
        yield RunEnvironment(
            config=config,
            problem=problem,
            machine=MACHINE,
            peaks=PEAKS,
            toolchain=toolchain,
            spec=spec,
            scratch=scratch,
            baseline="OpenBLAS",
            workers=2,
            reachable=frozenset(CELLS),
            evaluate=work,
            times=False,
        )
    finally:
        scratch.remove()


@contextlib.contextmanager
def search(
    config: Config, folder: RunFolder, work: Work = hashed, recorded: RunFolder | None = None
) -> Iterator[Assembled]:
    """A run about to begin, whose kernels ``work`` evaluates in this process; of ``recorded`` a replay."""
    with (
        environment(config, work) as place,
        mock.patch.dict("qdkernel.backends.registry.BACKENDS", {"local": InTurn}),
    ):
        run = assemble(place, folder, lambda status: None, lambda text: None, recorded)
        try:
            yield run
        finally:
            run.close(patience_s=0.0)


def configured(evaluations: int, **more: Any) -> Config:  # Any: fields of a configuration
    """Without models and without timing elites again."""
    fields: Mapping[str, Any] = {
        "problem": "dgemm",
        "budget": {"evaluations": evaluations},
        "mutators": [{"name": "schedule", "weight": 4.0}, {"name": "tune"}],
        "workers": 2,
        "timing": {"remeasure": False},
        **more,
    }
    return Config.model_validate_json(json.dumps(fields))
