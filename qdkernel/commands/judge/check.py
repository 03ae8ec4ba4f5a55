"""``qdkernel check``: one file through the eight steps, with an account of each."""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from qdkernel.commands.judge.kernel_file import problem_config, read_kernel
from qdkernel.config import Config
from qdkernel.core import AXES, Evaluation, Outcome, cell_name, one_line, printable
from qdkernel.errors import ToolchainError
from qdkernel.evaluators.pipeline import EvaluationTask, RaceChecks, perform
from qdkernel.evaluators.races import lacking_race_runtime
from qdkernel.evaluators.toolchain import find_toolchain
from qdkernel.reports import format_verification
from qdkernel.search import BUSY_HOST, RunEnvironment, open_environment


def check(
    path: Path, problem: str, overrides: Sequence[str], as_json: bool, races: bool = False, thorough: bool = False
) -> int:
    """Evaluates a kernel file; exit code 0 when it is a correct kernel, 1 otherwise.

    Args:
        path: the file.
        problem: whose function it defines.
        overrides: ``--set`` values.
        as_json: machine-readable output.
        races: whether a kernel with threads is watched for races.
        thorough: whether it is also called far beyond the scored sizes.

    Raises:
        QdkernelError: the file cannot be read, or kernels cannot be watched for races here.
    """
    kernel, config = read_kernel(path), problem_config(problem, overrides)
    if races:
        _need_race_runtime(config)
    with open_environment(config, lambda _: None) as environment:
        if environment.busy:
            print(f"qdkernel: {BUSY_HOST}", file=sys.stderr)
        spec = dataclasses.replace(environment.spec, timing=environment.timing.for_every_kernel(), explain=True)
        spec = dataclasses.replace(spec, thorough=thorough)
        if races:
            spec = dataclasses.replace(spec, races=RaceChecks.ALWAYS)
        evaluation = perform(EvaluationTask(spec, kernel))
        if as_json:
            print(json.dumps(dataclasses.asdict(evaluation), indent=2))
        else:
            _explain(path, environment, evaluation)
    return 0 if evaluation.outcome is Outcome.OK else 1


def _need_race_runtime(config: Config) -> None:
    if lacking := lacking_race_runtime(find_toolchain(config.compiler.command, config.compiler.flags)):
        raise ToolchainError(f"--races: kernels cannot be watched for races here: {lacking}")


def _explain(path: Path, environment: RunEnvironment, evaluation: Evaluation) -> None:
    detail = printable(evaluation.detail, keep="\n\t")
    print(f"{path}: {evaluation.outcome.value}" + (f"\n{detail}" if detail else ""))
    for step, seconds in evaluation.step_s.items():
        print(f"  {step:14} {1e3 * seconds:8.1f} ms")
    if evaluation.verification and evaluation.outcome is not Outcome.WRONG:
        print(f"verified: {format_verification(evaluation.verification)}")
    if evaluation.cell is not None:
        print(f"behaviour: {cell_name(evaluation.cell)}")
        for axis, level in zip(AXES, evaluation.cell, strict=True):
            print(f"  {axis.name:10} {axis.levels[level]:15} {one_line(evaluation.evidence.get(axis.name, ''))}")
        for name, text in evaluation.further_evidence.items():
            print(f"  {one_line(name)}: {one_line(text)}")
    for timing in evaluation.timings:
        size = ", ".join(f"{name}={value}" for name, value in timing.size.items())
        share = timing.gflops / environment.timing.peak_gflops
        line = f"{size}: {timing.gflops:.1f} GFLOP/s, {share:.0%} of peak"
        if environment.problem.bandwidth_bound:
            triad = environment.timing.triad_gbytes_per_s
            line += f", {timing.gbytes_per_s:.1f} GB/s, {timing.gbytes_per_s / triad:.0%} of triad"
        print(f"{line}; {timing.ratio:.3f} [{timing.ratio_low:.3f}, {timing.ratio_high:.3f}] of {environment.baseline}")
