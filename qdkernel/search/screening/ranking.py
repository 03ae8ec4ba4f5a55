"""Which of several drafts is evaluated: the one that is expected to add most to the archive.

Expected improvement over the elite of the cell that a proposal aims at, by a model of the objective: the acquisition of
surrogate-assisted illumination (Gaier, Asteroth and Mouret 2018, arXiv 1806.05865; Kent and Branke 2020, arXiv
2005.04320, "BOP-Elites").
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from qdkernel.core import Array, Cell, Evaluation, Proposal
from qdkernel.mutators import Draft, Elite
from qdkernel.search.screening.surrogate import Surrogate

# Improvements that differ by less, as a share of the speed, are equal: those of genomes that differ in an irrelevant
# feature alone differ by the rounding errors of the BLAS, and the same seed has to propose the same on any machine.
_EQUAL = 1e-7
_LEAST = 8  # observations; heuristic: fewer say little about a dozen choices


class Screening:
    """Learns from evaluations and ranks drafts that have a genome."""

    def __init__(self) -> None:
        self._surrogate = Surrogate()

    @property
    def ready(self) -> bool:
        """Whether enough kernels with a genome were measured."""
        return len(self._surrogate) >= _LEAST

    def observe(self, proposal: Proposal, evaluation: Evaluation) -> None:
        """Takes in an evaluation; only kernels with a genome that were timed count."""
        genome = proposal.notes.get("genome")
        if isinstance(genome, Mapping) and evaluation.objective:
            self._surrogate.add(genome, evaluation.objective)

    def ranked(self, drafts: Sequence[Draft], target: Cell | None, elites: Mapping[Cell, Elite]) -> Sequence[Draft]:
        """The drafts by expected improvement, the highest first; as they come where there is none to rank them by.

        Args:
            drafts: those with a genome are ranked when all have one.
            target: the cell that they aim at; ``None`` to improve on the fastest kernel of all.
            elites: the archive by cell.
        """
        genomes = [draft.genome for draft in drafts if draft.genome is not None]
        if len(drafts) < 2 or not self.ready or len(genomes) < len(drafts):
            return drafts
        held = _held(target, elites)
        improvements = expected_improvement(*self._surrogate.predict(genomes), held)
        steps = np.round(improvements / (_EQUAL * max(held, float(improvements.max()))))
        return [drafts[index] for index in np.argsort(-steps, kind="stable")]


def _held(target: Cell | None, elites: Mapping[Cell, Elite]) -> float:
    if target is None:
        return max((elite.objective for elite in elites.values()), default=0.0)
    return elites[target].objective if target in elites else 0.0


def expected_improvement(means: Array, deviations: Array, held: float) -> Array:
    """``E[max(0, exp(Z) - held)]`` for normal ``Z``: the expected gain of an objective whose logarithm is ``Z``.

    Args:
        means: of ``Z``.
        deviations: standard deviations of ``Z``, above 0.
        held: what must be beaten, 0 for nothing.
    """
    expected = np.exp(means + deviations**2 / 2)
    if held <= 0:
        return expected
    above = (means - math.log(held)) / deviations
    return expected * _normal_cdf(above + deviations) - held * _normal_cdf(above)


def _normal_cdf(values: Array) -> Array:
    return np.array([0.5 * math.erfc(-value / math.sqrt(2)) for value in values])
