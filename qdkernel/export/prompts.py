"""Prompts for kernels that no model wrote, from the templates of the language-model operators."""

from __future__ import annotations

import json
from collections.abc import Sequence

import numpy as np

from qdkernel.config import Config, load_config
from qdkernel.core import (
    AXES,
    Cell,
    Kernel,
    Problem,
    Stage,
    Timing,
    cell_name,
    geometric_mean_or_none,
    parse_cell,
    reachable_cells,
    size_text,
)
from qdkernel.errors import QdkernelError, RunFolderError
from qdkernel.export.record import ExportRecord
from qdkernel.mutators import Brief, Elite
from qdkernel.mutators.llm.prompts import PromptPool, compose, compose_next, fenced
from qdkernel.problems import find_problem
from qdkernel.runs import MachineFacts, RunFolder
from qdkernel.search import naive_elite, plan_of, recorded_reference_speeds

Messages = list[dict[str, str]]


class PromptMaker:
    """Prompts of one run: each asks for a whole kernel in a target cell, starting from the problem's naive kernel.

    The prompt depends on problem, machine, stage and target only, so kernels of equal ones share it and can be paired.
    A problem that this installation does not have gives a plain sentence instead of the templates.
    """

    def __init__(self, folder: RunFolder, stages: Sequence[Stage] | None = None) -> None:
        self._facts = folder.facts
        self._machine = folder.machine.machine
        self._problem = _problem(self._facts)
        config = _config(folder)
        self._stages = {stage.name: stage for stage in (stages if stages is not None else _stages(config))}
        self._prompt_tokens = config.llm.prompt_tokens if config else Brief.prompt_tokens
        self._reachable = sorted(reachable_cells(self._facts.simd_widths))
        self._made: dict[tuple[str, Cell | None], Messages] = {}

    def permitted(self, stage: str) -> list[Cell]:
        """The reachable cells that a stage permits; all of them for a name that the configuration does not have."""
        known = self._stages.get(stage)
        return sorted(known.cells(self._reachable)) if known else self._reachable

    def permitted_levels(self, stage: str) -> str:
        """The levels of each axis that a stage permits, as text; empty for a name that the configuration lacks."""
        if stage not in self._stages:
            return ""
        levels = zip(AXES, zip(*self.permitted(stage), strict=True), strict=True)
        return "; ".join(
            f"{axis.name}: {', '.join(axis.levels[at] for at in sorted(set(met)))}" for axis, met in levels
        )

    def prompt(self, stage: str, target: Cell | None) -> Messages:
        """The messages for a stage (empty for none) and a target cell; equal arguments give the same list."""
        key = (stage, target)
        if key not in self._made:
            self._made[key] = self._composed(stage, target)
        return self._made[key]

    def improvement(self, parent: ExportRecord, stage: str, target: Cell | None) -> Messages:
        """The messages that ask for an improvement of a correct kernel, with its speed and behaviour."""
        return self._composed(stage, target, parent)

    def next_turn(self, kernel: ExportRecord, stage: str, target: Cell | None) -> str:
        """The user's answer to a reply with a correct kernel: its speed and behaviour, and where to go from it."""
        if self._problem is None:
            return f"Correct: {kernel.timing.gflops:.3g} GFLOP/s as {kernel.cell}. Improve it."
        elite = elite_of_record(kernel)
        return compose_next(self._brief(self._problem, elite, stage, target), elite, target).content

    def _composed(self, stage: str, target: Cell | None, parent: ExportRecord | None = None) -> Messages:
        if self._problem is None:
            aim = f" It should behave as {cell_name(target)}." if target else ""
            text = f"Write a fast C kernel for the problem {self._facts.problem} on {self._facts.cpu}.{aim}"
            start = f"\n\nStart from this one:\n\n{fenced(parent.source)}" if parent else ""
            return [{"role": "user", "content": text + start}]
        rng = np.random.default_rng(0)
        elite = elite_of_record(parent) if parent else naive_elite(self._problem)
        brief = self._brief(self._problem, elite, stage, target)
        assignment = compose("rewrite", brief, PromptPool().choose(rng), 1, rng)
        assert assignment is not None  # it has a parent
        return [{"role": message.role, "content": message.content} for message in assignment.messages]

    def _brief(self, problem: Problem, parent: Elite, stage: str, target: Cell | None) -> Brief:
        facts = self._facts
        return Brief(
            problem,
            self._machine,
            facts.threads,
            tuple(speed.size for speed in facts.baseline),
            {parent.cell: parent},
            parent,
            target,
            stage=stage,
            permitted=frozenset(self.permitted(stage)) if stage in self._stages else None,
            reference_speeds=recorded_reference_speeds(facts),
            prompt_tokens=self._prompt_tokens,
        )


def elite_of_record(record: ExportRecord) -> Elite:
    """A correct kernel as the templates take it."""
    names = record.size_names.split()
    timings = tuple(
        Timing(
            dict(zip(names, size["size"], strict=True)),
            size["flops"],
            size["bytes"],
            size["block_calls"],
            (),
            (),
            size["ratio_median"],
            size["ratio_low"],
            size["ratio_high"],
            size["gflops"],
            size["quiet"],
        )
        for size in json.loads(record.timing.per_size)
    )
    evidence = {axis: why for axis, why in record.evidence.model_dump().items() if why}
    cell = parse_cell(record.cell)
    return Elite(Kernel(record.source), cell, record.timing.gflops, record.operator, record.idea, {}, timings, evidence)


def speed_tag(record: ExportRecord, facts: MachineFacts) -> str:
    """How fast a correct kernel is, as a sentence for its prompt; empty where the machine's peaks are not known.

    A share of the measured peak; for problems that memory bounds, of the measured STREAM triad.
    """
    if facts.bandwidth_bound:
        rates = [size["gbytes_per_s"] for size in json.loads(record.timing.per_size)]
        limit, rate, what = facts.triad_gbytes_per_s, geometric_mean_or_none(rates), "memory bandwidth"
    else:
        limit, rate, what = facts.peak_gflops, record.timing.gflops, "peak"
    if not limit or not rate or rate < 0:
        return ""
    share = 100 * rate / limit
    return f"The kernel reaches {share:.{0 if share >= 10 else 1}f} % of this machine's measured {what}."


def completion_of(source: str, idea: str) -> str:
    """A kernel as the reply that the templates ask for: the idea on one line, then the code."""
    return f"IDEA: {idea}\n```c\n{source.rstrip()}\n```\n"


def _problem(facts: MachineFacts) -> Problem | None:
    try:
        problem = find_problem(facts.problem, facts.accuracy)
    except QdkernelError:
        return None
    for speed in facts.baseline:
        if set(speed.size) != set(problem.size_names):
            raise RunFolderError(
                f"machine.json: expected sizes of {problem.name} ({', '.join(problem.size_names)}) for the baseline, "
                f"got {size_text(speed.size)}; put back the file that the run wrote"
            )
    return problem


def _config(folder: RunFolder) -> Config | None:
    try:
        return load_config(folder.path / "config.yaml", files_must_exist=False)
    except QdkernelError:
        return None


def _stages(config: Config | None) -> Sequence[Stage]:
    plan = plan_of(config.stages, config.stage_order) if config else None
    return plan.stages if plan else ()
