"""Prompts for kernels that no model wrote, from the templates of the language-model operators."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from qdkernel.config import Config, load_config
from qdkernel.core import Cell, Problem, Stage, cell_name, reachable_cells
from qdkernel.errors import QdkernelError
from qdkernel.machine import Machine
from qdkernel.mutators import Brief
from qdkernel.mutators.llm.prompts import PromptPool, compose
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

    def prompt(self, stage: str, target: Cell | None) -> Messages:
        """The messages for a stage (empty for none) and a target cell; equal arguments give the same list."""
        key = (stage, target)
        if key not in self._made:
            self._made[key] = self._composed(stage, target)
        return self._made[key]

    def _composed(self, stage: str, target: Cell | None) -> Messages:
        if self._problem is None:
            aim = f" It should behave as {cell_name(target)}." if target else ""
            text = f"Write a fast C kernel for the problem {self._facts.problem} on {self._facts.cpu}.{aim}"
            return [{"role": "user", "content": text}]
        rng = np.random.default_rng(0)
        assignment = compose(
            "rewrite", self._brief(self._problem, self._machine, stage, target), PromptPool().choose(rng), 1, rng
        )
        assert assignment is not None  # it has a parent
        return [{"role": message.role, "content": message.content} for message in assignment.messages]

    def _brief(self, problem: Problem, machine: Machine, stage: str, target: Cell | None) -> Brief:
        facts = self._facts
        parent = naive_elite(problem)
        return Brief(
            problem,
            machine,
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


def completion_of(source: str, idea: str) -> str:
    """A kernel as the reply that the templates ask for: the idea on one line, then the code."""
    return f"IDEA: {idea}\n```c\n{source.rstrip()}\n```\n"


def _problem(facts: MachineFacts) -> Problem | None:
    try:
        return find_problem(facts.problem, facts.accuracy)
    except QdkernelError:
        return None


def _config(folder: RunFolder) -> Config | None:
    try:
        return load_config(folder.path / "config.yaml", files_must_exist=False)
    except QdkernelError:
        return None


def _stages(config: Config | None) -> Sequence[Stage]:
    plan = plan_of(config.stages, config.stage_order) if config else None
    return plan.stages if plan else ()
