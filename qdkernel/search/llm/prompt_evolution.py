"""Lessons and prompt sections, which change during a run."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from qdkernel.config import LlmConfig
from qdkernel.core import Proposal
from qdkernel.mutators import BUILT_IN, Brief
from qdkernel.mutators.llm import Assignment
from qdkernel.mutators.llm.prompts import LogLine, PromptPool, compose_reflect, compose_revise
from qdkernel.mutators.llm.prompts.pool import Section
from qdkernel.mutators.skills import BUILT_IN_SKILLS, Skill, SkillPool, read_skills
from qdkernel.runs import RunFolder
from qdkernel.search.briefs import BriefFactory
from qdkernel.search.history import SearchHistory
from qdkernel.search.state import PromptState, load_state

_LEAST_LOG = 8  # evaluations before there is anything to reflect on


class PromptEvolution:
    """The lessons, prompt sections and skills of a run, and when a model is asked for better ones.

    Args:
        config: the ``llm`` section; ``reflect_every`` and ``revise_every`` count evaluations.
        history: keeps the lessons, and the log that models look back on.
        briefs: of reflections.
    """

    def __init__(self, config: LlmConfig, history: SearchHistory, briefs: BriefFactory) -> None:
        self._config = config
        self._history = history
        self._briefs = briefs
        self._pool = PromptPool()
        self._skills = SkillPool(read_skills((BUILT_IN_SKILLS, *config.skill_folders)))
        self._since_reflection = 0
        self._since_revision = 0

    def sections(self, rng: np.random.Generator) -> tuple[Section, ...]:
        """A version of each section, for one prompt."""
        return self._pool.choose(rng)

    def skills(self, brief: Brief, rng: np.random.Generator) -> tuple[Skill, ...]:
        """Techniques for a brief's target."""
        if brief.parent is None:
            return ()
        return self._skills.choose(brief.problem.name, brief.parent.cell, brief.target, self._config.skills, rng)

    def evaluated(self, proposal: Proposal, gain: float) -> None:
        """Counts an evaluation, and credits the sections that the proposal was written with."""
        self._since_reflection += 1
        self._since_revision += 1
        self._pool.credit(proposal.provenance.sections, gain)
        self._skills.credit(proposal.provenance.sections, gain)

    def due(self, rng: np.random.Generator) -> Assignment | None:
        """A reflection or a revision, when one is due; its counter starts again."""
        config, log = self._config, self._history.log
        if config.reflect_every and self._since_reflection >= config.reflect_every and len(log) >= _LEAST_LOG:
            self._since_reflection = 0
            lines = informative(tuple(log)[-config.reflect_every :])
            return compose_reflect(self._briefs.brief_on(None, ""), lines, self._history.lessons)
        if config.revise_every and self._since_revision >= config.revise_every and len(log) >= _LEAST_LOG:
            self._since_revision = 0
            section = self._pool.choose_for_revision(rng)
            lines = tuple(line for line in log if line.operator not in BUILT_IN)
            if lines:
                return compose_revise(section, lines[-config.revise_every :], rng)
        return None

    def accept(self, assignment: Assignment, text: str) -> None:
        """Takes in the text that a reflection or revision brought."""
        if assignment.operator == "reflect":
            self._history.lessons = text
        else:
            self._pool.add(assignment.notes["section"], text, assignment.notes["version"])

    def state(self) -> PromptState:
        """Lessons, sections and counters."""
        return PromptState(
            lessons=self._history.lessons,
            sections=self._pool.to_json(),
            since_reflection=self._since_reflection,
            since_revision=self._since_revision,
            skills=self._skills.to_json(),
        )

    def restore(self, folder: RunFolder) -> None:
        """Continues from the state in a run's folder.

        Raises:
            RunFolderError: the state is of another version.
        """
        state = load_state(folder, PromptState)
        if state is not None:
            self._history.lessons = state.lessons
            self._pool = PromptPool.from_json(state.sections)
            self._skills.restore(state.skills)
            self._since_reflection, self._since_revision = state.since_reflection, state.since_revision


def informative(log: Sequence[LogLine]) -> tuple[LogLine, ...]:
    """The lines that models learn from: all of models' proposals, and of the built-in operators' those that gained."""
    return tuple(line for line in log if line.operator not in BUILT_IN or (line.gain or 0.0) > 0)


def recorded_lessons(folder: RunFolder) -> str:
    """What a run has learned so far, in a model's words; empty at first.

    Raises:
        RunFolderError: the state is of another version.
    """
    state = load_state(folder, PromptState)
    return state.lessons if state else ""
