"""Decides what is evaluated next: seeds, models' proposals that wait, sweeps, or a built-in operator."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np

from qdkernel.core import (
    Cell,
    Evaluation,
    Kernel,
    KernelId,
    Placement,
    Proposal,
    RunStatus,
    Stage,
    StopReason,
    cell_name,
    parse_cell,
)
from qdkernel.evaluators.pipeline import Accept
from qdkernel.mutators import MUTATORS, Brief, Elite, Mutator
from qdkernel.mutators.schedule import tunables
from qdkernel.runs import RunFolder
from qdkernel.search.bandit import Arm, Bandit
from qdkernel.search.environment import RunEnvironment, seed_files
from qdkernel.search.history import SearchHistory
from qdkernel.search.llm_session import LLMSession, arm_of
from qdkernel.search.parents import ParentStats
from qdkernel.search.policies import Choice, Selector
from qdkernel.search.stages import StageSchedule, plan_of

_TRIES = 32  # draws, all of them of kernels seen before, after which an operator is taken to have nothing new


@dataclass(frozen=True)
class Offer:
    """A proposal to evaluate; ``number`` when the run's folder holds it already, ``accept`` from its stage."""

    number: int | None
    proposal: Proposal
    accept: Accept | None = None


class Source(Protocol):
    """Where the loop gets its proposals from."""

    def next(self) -> Offer | None:
        """The next proposal; ``None`` when there is none just now."""

    @property
    def waiting(self) -> bool:
        """Whether one may still come, e.g. from a model that has been asked."""

    @property
    def ending(self) -> StopReason:
        """Why the run ends when there is none and none may come."""

    def evaluated(
        self, number: int, proposal: Proposal, evaluation: Evaluation, placement: Placement, gain: float, cost: float
    ) -> None:
        """What became of a proposal, this session's or (with no cost) an earlier one's."""

    def update_status(self, status: RunStatus) -> None:
        """Adds what it knows to the standing."""

    def state(self) -> dict[str, Any]:  # Any: JSON
        """What is committed with each evaluation, for ``restore``."""

    def restore(self) -> None:
        """Goes on where an earlier session stopped."""


class Proposer:
    """Proposals of the configured operators, built in and models'.

    Args:
        environment: the configuration on this machine.
        folder: of the run.
        history: what operators are told of the run.
        bandit: shares the evaluators out among the operators.
        reachable: cells this machine can fill.
        rng: of all proposals.
    """

    def __init__(
        self,
        environment: RunEnvironment,
        folder: RunFolder,
        history: SearchHistory,
        bandit: Bandit,
        reachable: frozenset[Cell],
        rng: np.random.Generator,
    ) -> None:
        config = environment.config
        self._place = environment
        self._folder = folder
        self._chronicle = history
        self._portfolio = bandit
        self._rng = rng
        self._selector = Selector(reachable, config.selection.explore, config.selection.improve)
        self._parents = ParentStats()
        self._mutators: dict[Arm, Mutator] = {
            (m.name, ""): MUTATORS[m.name]() for m in config.mutators if m.name in MUTATORS
        }
        plan = plan_of(config.stages, config.stage_order)
        self._stages = StageSchedule(plan, reachable) if plan else None
        self._advancing = config.stage_order == "advance"
        self._seen: set[KernelId] = set()
        self._first: Iterator[Offer] = iter(())
        self._sweeps: deque[Brief] = deque()
        self.session: LLMSession | None = None  # set once the desk stands; it needs this object's briefs

    # -- the loop's side ------------------------------------------------------------------------------------------

    @property
    def waiting(self) -> bool:
        """Whether a model may still answer."""
        return self.session is not None and self.session.hopeful

    @property
    def ending(self) -> StopReason:
        """No operator has anything to propose, or nobody is left who could."""
        deaf = self.session is not None and not self.session.alive
        return StopReason.NO_MODEL if deaf and not self._mutators else StopReason.EXHAUSTED

    def next(self) -> Offer | None:
        """First what a killed session left, then the seeds, then what the portfolio chooses."""
        if self.session:
            self.session.poll()
            self.session.ask(least_ready=self._place.workers + 1)
        offer = next(self._first, None) or self._sweep() or self._play()
        if offer is not None:
            self._seen.add(offer.proposal.kernel.id)
        return offer

    def evaluated(
        self, number: int, proposal: Proposal, evaluation: Evaluation, placement: Placement, gain: float, cost: float
    ) -> None:
        """Tells everybody concerned: portfolio, parents, stages, chronicle, models."""
        self._seen.add(evaluation.kernel_id)
        self._chronicle.record(proposal, evaluation, placement, gain)
        if cost <= 0:
            return  # an earlier session's: the saved state knows of it already
        if self._stages and "stage" in proposal.notes:
            begun = self._stages.record(proposal.notes["stage"], placement.placed, self._chronicle.elites)
            if begun:
                self._folder.add_event("stage", f"stage {begun.name} begins")
        if "arm" in proposal.notes:
            paid = self.session.paid(number) if self.session else 0.0
            self._portfolio.settle(arm_of(proposal.notes), gain, cost + paid)
        if "from" in proposal.notes:
            self._parents.settle(Cell(*proposal.notes["from"]), gain)
        if self.session:
            self.session.evaluated(number, proposal, evaluation, gain)
        if placement.placed:
            self._plan_sweep(proposal, evaluation)

    def update_status(self, status: RunStatus) -> None:
        """Stage and models."""
        if self._stages:
            status.stage = f"stage {self._stages.to_json()['stage']}" if self._advancing else ""
        if self.session:
            status.models = self.session.describe()

    def state(self) -> dict[str, Any]:  # Any: JSON
        """Random generator, aims, portfolio, parents, stages, and the models' side."""
        state = {
            "rng": self._rng.bit_generator.state,
            "aimed": {cell_name(cell): count for cell, count in self._selector.aimed.items()},
            "portfolio": self._portfolio.to_json(),
            "parents": self._parents.to_json(),
        }
        if self._stages:
            state["stages"] = self._stages.to_json()
        return state | (self.session.state() if self.session else {})

    def restore(self) -> None:
        """Goes on where the run's folder says; for a new run nothing but the seeds is there yet."""
        folder = self._folder
        if (rng := folder.get_state("rng")) is not None:
            self._rng.bit_generator.state = rng
        for name, count in folder.get_state("aimed", {}).items():
            self._selector.aimed[parse_cell(name)] = count
        parts: list[tuple[str, Bandit | ParentStats | StageSchedule | None]] = [
            ("portfolio", self._portfolio),
            ("parents", self._parents),
            ("stages", self._stages),
        ]
        for key, part in parts:
            if part is not None and (state := folder.get_state(key)) is not None:
                part.restore(state)
        if self.session:
            self.session.restore()
            self.session.resume()
        self._first = self._beginnings()

    # -- where offers come from -----------------------------------------------------------------------------------

    def _beginnings(self) -> Iterator[Offer]:
        for number, proposal in self._folder.unfinished():
            if "arm" in proposal.notes:
                self._portfolio.begin(arm_of(proposal.notes))
            yield Offer(number, proposal, self._admit(proposal))
        for file in seed_files(self._place.config, self._place.problem):
            kernel = Kernel(file.read_bytes().decode("utf-8", "surrogateescape"))
            if kernel.id not in self._seen:
                yield Offer(None, Proposal(kernel, "seed", f"seed kernel {file.name}"))

    def _sweep(self) -> Offer | None:
        """Another set of values for the tunable constants of a model's new elite."""
        while self._sweeps:
            brief = self._sweeps.popleft()
            proposal = MUTATORS["tune"]().propose(brief, self._rng)
            if proposal is not None and proposal.kernel.id not in self._seen:
                self._portfolio.begin(("tune", ""))
                return self._offer(proposal, ("tune", ""), brief)
        return None

    def _plan_sweep(self, proposal: Proposal, evaluation: Evaluation) -> None:
        from_a_model = "arm" in proposal.notes and arm_of(proposal.notes)[1]
        if from_a_model and evaluation.cell is not None and tunables(proposal.kernel.source):
            parent = self._chronicle.elites[evaluation.cell]
            brief = self._with_stage(Choice(parent, evaluation.cell), self._stage_of(proposal))
            self._sweeps.extend([brief] * self._place.config.llm.sweep)

    def _play(self) -> Offer | None:
        """What the portfolio chooses among the built-in operators and the models' proposals that wait."""
        ready = self.session.ready_arms() if self.session else []
        arms = [*self._mutators, *ready]
        while arms:
            arm = self._portfolio.choose(arms, self._rng)
            if self.session and arm in ready:
                waiting = self.session.pop(arm)
                return Offer(waiting.number, waiting.proposal, self._admit(waiting.proposal))
            offer = self._propose(arm)
            if offer is not None:
                return offer
            arms.remove(arm)
        return None

    def _propose(self, arm: Arm) -> Offer | None:
        """A kernel not seen before, if the operator can think of one."""
        for _ in range(_TRIES):
            brief = self.brief()
            proposal = self._mutators[arm].propose(brief, self._rng)
            if proposal is not None and proposal.kernel.id not in self._seen:
                self._portfolio.begin(arm)
                return self._offer(proposal, arm, brief)
        return None

    def _offer(self, proposal: Proposal, arm: Arm, brief: Brief) -> Offer:
        notes: dict[str, Any] = {**proposal.notes, "arm": list(arm)}  # Any: JSON
        if brief.stage:
            notes["stage"] = brief.stage
        if brief.parent is not None:
            notes["from"] = list(brief.parent.cell)
            self._parents.begin(brief.parent.cell)
        proposal = replace(proposal, notes=notes)
        return Offer(None, proposal, self._admit(proposal))

    # -- parents, targets, stages ---------------------------------------------------------------------------------

    def brief(self) -> Brief:
        """For one proposal: parent, target and stage are chosen."""
        stage = self._stages.current(self._rng) if self._stages else None
        return self._with_stage(self._choose(self._permitted(stage)), stage)

    def brief_on(self, parent: Elite | None, stage: str) -> Brief:
        """For a parent that somebody else chose, in the stage of this name (or none)."""
        return self._with_stage(Choice(parent, None), self._stages.stage(stage) if self._stages else None)

    def _with_stage(self, choice: Choice, stage: Stage | None) -> Brief:
        return self._chronicle.brief(choice, stage.name if stage else "", self._permitted(stage))

    def _permitted(self, stage: Stage | None) -> frozenset[Cell] | None:
        return self._stages.cells(stage) if self._stages and stage else None

    def _choose(self, permitted: frozenset[Cell] | None) -> Choice:
        history, search = self._chronicle, self._place.config.search
        if search == "map-elites":
            return self._selector.choose(history.elites, self._rng, permitted, self._parents.factor)
        pool = history.seeds if search == "best-of-n" else history.correct
        return Choice(pool[int(self._rng.integers(len(pool)))] if pool else None, None)

    def _stage_of(self, proposal: Proposal) -> Stage | None:
        name = proposal.notes.get("stage")
        return self._stages.stage(name) if self._stages and name else None

    def _admit(self, proposal: Proposal) -> Accept | None:
        stage = self._stage_of(proposal)
        return stage.refusal if stage else None
