"""Runs whose elites are given kernels, with made-up timings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from qdkernel.core import Behaviour, Kernel, Placement, Proposal, parse_cell
from qdkernel.problems import find_problem
from qdkernel.runs import MachineRecord, RunFolder
from tests.fake_runs import MACHINE, ok, timed_as, timing

STATIC = "no: 64 bytes of writable static data; one call at a time in a process"
NO_STATIC = "yes: no writable static data; threads may call it at the same time"


@dataclass(frozen=True)
class Elite:
    """A kernel that holds a cell: its speed relative to the baseline by the number of the size."""

    source: str
    ratios: Mapping[int, float]
    cell: str
    reentrancy: str = NO_STATIC


def made_run(root: Path, problem_name: str, elites: Sequence[Elite], **machine: Any) -> Path:  # Any: JSON values
    """A run folder with these elites.

    Args:
        root: where to.
        problem_name: of the library, or the path of a folder.
        elites: its elites.
        machine: entries of ``machine.json`` other than those of ``MACHINE``.
    """
    problem = find_problem(problem_name)
    sizes = [problem.size_from_int(number) for number in elites[0].ratios]
    baseline = {"name": "OpenBLAS 0.3.34", "gflops": [{"size": size, "gflops": 10.0} for size in sizes]}
    facts = {**MACHINE, "problem": problem_name, "dtype": problem.dtype.name, "baseline": baseline, **machine}
    config = f"problem: {problem_name}\nbudget:\n  evaluations: 400\n"
    with RunFolder.create(root, problem.name, config, MachineRecord.model_validate(facts)) as folder:
        for elite in elites:
            made, cell = Kernel(elite.source), parse_cell(elite.cell)
            evaluation = timed_as(ok(made, cell, 10.0), tuple(
                replace(timing({"m": 1, "n": 1, "k": 1}, 10.0 * ratio, 10.0), size=problem.size_from_int(number))
                for number, ratio in elite.ratios.items()
            ))  # fmt: skip
            evidence = Behaviour(cell, {"re-entrancy": elite.reentrancy})
            number = folder.evaluations.add_proposal(Proposal(made, "schedule", "made by hand", target=cell))
            folder.evaluations.add(number, replace(evaluation, behaviour=evidence), Placement.NEW, {})
        return folder.path


def naive_run(root: Path, problem_name: str, **machine: Any) -> Path:  # Any: JSON values
    """A run whose only elite is the problem's last seed kernel."""
    problem = find_problem(problem_name)
    source = problem.seed_source(problem.seeds[-1])
    return made_run(root, problem_name, [Elite(source, {64: 1.0}, "none/scalar/serial/none")], **machine)
