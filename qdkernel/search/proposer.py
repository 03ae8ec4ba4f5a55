"""Decides what is evaluated next: seeds, models' proposals that wait, sweeps, or a built-in operator."""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np

from qdkernel.core import (
    Arm,
    Cell,
    Evaluation,
    Kernel,
    KernelId,
    Placement,
    Proposal,
    Provenance,
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
from qdkernel.search.environment import RunEnvironment, seed_files
from qdkernel.search.history import SearchHistory
from qdkernel.search.llm_session import LLMSession
from qdkernel.search.plays import Play, PlayLedger
from qdkernel.search.policies import Choice, Selector
from qdkernel.search.stages import StageSchedule, plan_of

_TRIES = 32  # draws, all of them of kernels seen before, after which an operator is taken to have nothing new


@dataclass(frozen=True)
class Offer:
    """A proposal to evaluate.

    Attributes:
        number: when the run's folder holds it already.
        proposal: the kernel with its origin.
        accept: its stage's.
        play: settled by its evaluation; ``None`` for seeds.
        cost: of the conversation that brought it, as a share of the budget.
    """

    number: int | None
    proposal: Proposal
    accept: Accept | None = None
    play: Play | None = None
    cost: float = 0.0


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
        self, number: int, offer: Offer, evaluation: Evaluation, placement: Placement, gain: float, cost: float
    ) -> None:
        """What became of a proposal of this session.

        Args:
            number: of the proposal.
            offer: from ``next``.
            evaluation: of its kernel.
            placement: what the archive did with it.
            gain: what it added to the QD score, in units of the best objective.
            cost: of the evaluation, as a share of the budget.
        """

    def recorded(self, proposal: Proposal, evaluation: Evaluation, placement: Placement) -> None:
        """What became of a proposal of an earlier session; its gain and cost are in the saved state."""

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
        plays: share the evaluators out among the operators.
        reachable: cells this machine can fill.
        rng: of all proposals.
    """

    def __init__(
        self,
        environment: RunEnvironment,
        folder: RunFolder,
        history: SearchHistory,
        plays: PlayLedger,
        reachable: frozenset[Cell],
        rng: np.random.Generator,
    ) -> None:
        config = environment.config
        self._place = environment
        self._folder = folder
        self._chronicle = history
        self._plays = plays
        self._rng = rng
        self._selector = Selector(reachable, config.selection.explore, config.selection.improve)
        self._mutators: dict[Arm, Mutator] = {
            Arm(m.name): MUTATORS[m.name]() for m in config.mutators if m.name in MUTATORS
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

    def recorded(self, proposal: Proposal, evaluation: Evaluation, placement: Placement) -> None:
        """Adds an evaluation of an earlier session to the history."""
        self._seen.add(evaluation.kernel_id)
        self._chronicle.record(proposal, evaluation, placement, 0.0)

    def evaluated(
        self, number: int, offer: Offer, evaluation: Evaluation, placement: Placement, gain: float, cost: float
    ) -> None:
        """Settles the play and tells stages, history and models."""
        proposal = offer.proposal
        self._seen.add(evaluation.kernel_id)
        self._chronicle.record(proposal, evaluation, placement, gain)
        if self._stages and proposal.provenance.stage:
            begun = self._stages.record(proposal.provenance.stage, placement.placed, self._chronicle.elites)
            if begun:
                self._folder.add_event("stage", f"stage {begun.name} begins")
        if offer.play:
            offer.play.settle(gain, cost + offer.cost)
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
            "plays": self._plays.to_json(),
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
        parts: list[tuple[str, PlayLedger | StageSchedule | None]] = [("plays", self._plays), ("stages", self._stages)]
        for key, part in parts:
            if part is not None and (state := folder.get_state(key)) is not None:
                part.restore(state)
        if self.session:
            self.session.restore()
            self.session.resume()
        self._first = itertools.chain(self._left_over(), self._seeds())

    # -- where offers come from -----------------------------------------------------------------------------------

    def _left_over(self) -> list[Offer]:
        """Proposals that a killed session left; their plays are in flight again."""
        offers = []
        for number, proposal in self._folder.unfinished():
            play = None
            if proposal.provenance.arm is not None:
                play = self._plays.begin(proposal.provenance.arm, proposal.provenance.parent_cell)
            offers.append(Offer(number, proposal, self._admit(proposal), play))
        return offers

    def _seeds(self) -> Iterator[Offer]:
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
                return self._offer(proposal, Arm("tune"), brief)
        return None

    def _plan_sweep(self, proposal: Proposal, evaluation: Evaluation) -> None:
        arm = proposal.provenance.arm
        if arm is not None and arm.model and evaluation.cell is not None and tunables(proposal.kernel.source):
            parent = self._chronicle.elites[evaluation.cell]
            brief = self._with_stage(Choice(parent, evaluation.cell), self._stage_of(proposal))
            self._sweeps.extend([brief] * self._place.config.llm.sweep)

    def _play(self) -> Offer | None:
        """What the portfolio chooses among the built-in operators and the models' proposals that wait."""
        ready = self.session.ready_arms() if self.session else []
        arms = [*self._mutators, *ready]
        while arms:
            arm = self._plays.choose(arms, self._rng)
            if self.session and arm in ready:
                waiting = self.session.pop(arm)
                accept = self._admit(waiting.proposal)
                return Offer(waiting.number, waiting.proposal, accept, waiting.play, waiting.cost)
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
                return self._offer(proposal, arm, brief)
        return None

    def _offer(self, proposal: Proposal, arm: Arm, brief: Brief) -> Offer:
        parent = brief.parent.cell if brief.parent else None
        proposal = replace(proposal, provenance=Provenance(arm, parent, brief.stage))
        return Offer(None, proposal, self._admit(proposal), self._plays.begin(arm, parent))

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
            return self._selector.choose(history.elites, self._rng, permitted, self._plays.parent_factor)
        pool = history.seeds if search == "best-of-n" else history.correct
        return Choice(pool[int(self._rng.integers(len(pool)))] if pool else None, None)

    def _stage_of(self, proposal: Proposal) -> Stage | None:
        name = proposal.provenance.stage
        return self._stages.stage(name) if self._stages and name else None

    def _admit(self, proposal: Proposal) -> Accept | None:
        stage = self._stage_of(proposal)
        return stage.refusal if stage else None
