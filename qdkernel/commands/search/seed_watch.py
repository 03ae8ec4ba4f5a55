"""Whether the problem's own seeds pass in a run; where none does, the fault lies in the set-up."""

from __future__ import annotations

from qdkernel.core import Evaluation, Kernel, Outcome, Problem, one_line
from qdkernel.runs import RunFolder

_INNOCENT = (Outcome.OK, Outcome.DUPLICATE, Outcome.OUTSIDE_STAGE, Outcome.LOST)
"""Outcomes of a seed that say nothing against the set-up."""


class SeedWatch:
    """Looks into a run's folder until the problem's own seeds are evaluated.

    Attributes:
        complaint: what is wrong and how to put it right; empty as long as nothing is.
    """

    def __init__(self, folder: RunFolder, problem: Problem) -> None:
        self.complaint = ""
        self._folder, self._problem = folder, problem
        self._names = {Kernel(problem.seed_source(name)).id: name for name in problem.seeds}
        self._done = False

    def look(self) -> bool:
        """Whether the run must stop now, as all own seeds have failed."""
        if self._done:
            return False
        found = {
            record.proposal.kernel.id: record.evaluation
            for record in self._folder.evaluations.records()
            if record.proposal.kernel.id in self._names
        }
        passed = any(evaluation.outcome in _INNOCENT for evaluation in found.values())
        self._done = passed or len(found) == len(self._names)
        if self._done and not passed:
            self.complaint = "; ".join(self._tell(evaluation) for evaluation in found.values())
            self.complaint += (
                ": the problem's own seeds are right, so no kernel would pass; choose smaller sizes, raise "
                "limits.run_s, or correct compiler.flags"
            )
        return bool(self.complaint)

    def _tell(self, evaluation: Evaluation) -> str:
        name, detail = self._names[evaluation.kernel_id], one_line(evaluation.detail)[:300]
        return f"the seed {name} ended as {evaluation.outcome.value} ({detail})"
