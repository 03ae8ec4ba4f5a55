"""Which skills go into a prompt: those for its target, the likelier the more they have earned in this run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from qdkernel.core import Cell
from qdkernel.mutators.skills.library import Skill

PREFIX = "skill/"
"""Before a skill's name among the sections that a proposal's provenance lists."""

_PRIOR = 4.0  # tries that the prior of a skill is worth; heuristic
_DROP_AFTER = 12.0  # tries without any gain after which a skill is shown no more; heuristic


class SkillPool:
    """The skills of a run and what the kernels written with them earned.

    A skill is drawn in proportion to its mean earning, shrunk towards the mean of all by pseudo-counts.

    Args:
        skills: of the library.
    """

    def __init__(self, skills: Sequence[Skill] = ()) -> None:
        self._skills = tuple(skills)
        self._tries: dict[str, float] = {}
        self._earned: dict[str, float] = {}

    def choose(
        self, problem: str, parent: Cell, target: Cell | None, most: int, rng: np.random.Generator
    ) -> tuple[Skill, ...]:
        """At most so many skills for a target; those that do not apply to the parent's cell are likelier."""
        aimed = target or parent
        fitting = [skill for skill in self._skills if skill.applies(problem, aimed) and not self._dropped(skill.name)]
        weights = np.array([self._worth(s.name) * (1.0 if s.applies(problem, parent) else 3.0) for s in fitting])
        count = min(most, len(fitting))
        if not count:
            return ()
        drawn = rng.choice(len(fitting), size=count, replace=False, p=weights / weights.sum())
        return tuple(fitting[int(at)] for at in drawn)

    def credit(self, sections: Mapping[str, int], earned: float) -> None:
        """Notes what a kernel earned with the skills of its prompt; 0 for nothing."""
        for name in sections:
            if name.startswith(PREFIX):
                skill = name.removeprefix(PREFIX)
                self._tries[skill] = self._tries.get(skill, 0.0) + 1
                self._earned[skill] = self._earned.get(skill, 0.0) + min(1.0, max(0.0, earned))

    def to_json(self) -> dict[str, Any]:  # Any: JSON
        """Tries and earnings by name, as stored with a run."""
        return {name: [tries, self._earned[name]] for name, tries in self._tries.items()}

    def restore(self, data: Mapping[str, Any]) -> None:  # Any: JSON
        """The inverse of ``to_json``."""
        self._tries = {name: float(tries) for name, (tries, _) in data.items()}
        self._earned = {name: float(earned) for name, (_, earned) in data.items()}

    def _dropped(self, name: str) -> bool:
        return self._tries.get(name, 0.0) >= _DROP_AFTER and not self._earned.get(name)

    def _worth(self, name: str) -> float:
        tries, earned = sum(self._tries.values()), sum(self._earned.values())
        mean = (earned + 1.0) / (tries + 1.0)
        return (_PRIOR * mean + self._earned.get(name, 0.0)) / (_PRIOR + self._tries.get(name, 0.0))
