"""Decides what is evaluated next: seeds, models' proposals that wait, sweeps, or a built-in operator."""

from __future__ import annotations

import itertools
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from qdkernel.config import AGENT
from qdkernel.core import (
    Arm,
    Evaluation,
    KernelId,
    Placement,
    Proposal,
    Provenance,
    RunStatus,
    StopReason,
)
from qdkernel.evaluators.pipeline import Accept
from qdkernel.mutators import Brief, Draft, Drafter, drafter_of
from qdkernel.runs import EventKind, RunFolder
from qdkernel.search.agents import AgentSessions
from qdkernel.search.briefs import BriefFactory
from qdkernel.search.credit import PlayLedger
from qdkernel.search.environment import RunEnvironment, seed_kernels
from qdkernel.search.history import SearchHistory
from qdkernel.search.llm import LLMSession
from qdkernel.search.policies import MapElites, SelectionPolicy
from qdkernel.search.screening import Screening
from qdkernel.search.source import PendingProposal
from qdkernel.search.stages import StageSchedule
from qdkernel.search.state import AgentState, PolicyState, SearchState, load_state, stored
from qdkernel.search.sweeps import Sweeps

# Draws times workers, at most: 32 draws for up to 8 workers, 4 for 64. A draw takes 0.2 ms of this process, screening
# itself 2 ms of an evaluation, for which more than 64 workers leave no time (benchmarks/cluster.py).
_DRAWS_OF_WORKERS = 256
_SCREENED_WORKERS = 64
_ROUNDS = 3  # of draws for a proposal without a target, for up to 8 workers; chosen by trials, see docs/search.md
_TRIES = 32  # draws, all of them of kernels seen before, after which an operator is taken to have nothing new
_PRINTED = 10_000  # drafts that are known to be printed; others are printed once more to find out


class Proposer:
    """Proposals of the configured operators, built-in and models'.

    Args:
        environment: the configuration on this machine.
        folder: of the run.
        history: of the run.
        policy: chooses parents and targets.
        plays: choose among the operators and record what their proposals gained.
        stages: the schedule of stages; ``None`` without stages.
        briefs: for the built-in operators.
        session: the conversations with models; ``None`` without models.
        rng: of all proposals.
        agent: the sessions of an agent; ``None`` without one.
    """

    together = 16  # the first workers of a run wait for so many draws

    def __init__(
        self,
        environment: RunEnvironment,
        folder: RunFolder,
        history: SearchHistory,
        policy: SelectionPolicy,
        plays: PlayLedger,
        stages: StageSchedule | None,
        briefs: BriefFactory,
        session: LLMSession | None,
        rng: np.random.Generator,
        agent: AgentSessions | None = None,
    ) -> None:
        config = environment.config
        self._environment = environment
        self._folder = folder
        self._history = history
        self._policy = policy
        self._plays = plays
        self._stages = stages
        self._briefs = briefs
        self._session = session
        self._agent = agent
        self._rng = rng
        self._screening = Screening()
        # The other policies are there to be compared with: nothing but their choice of parents decides.
        screens = policy.name == MapElites.name and environment.workers <= _SCREENED_WORKERS
        most = _DRAWS_OF_WORKERS // environment.workers if screens else 1
        self._screened = min(config.selection.screened, most)
        self._rounds = _ROUNDS if 1 < config.selection.screened <= most else 1
        self._sweeps = Sweeps(briefs, config.llm.sweep)
        self._drafters: dict[Arm, Drafter] = {
            Arm(mutator.name): drafter_of(environment.mutators[mutator.name])
            for mutator in config.mutators
            if mutator.name in environment.mutators
        }
        self._seen: set[KernelId] = set()
        self._printed: dict[Hashable, None] = {}  # the latest drafts that were; their kernels are among those seen
        self._first: Iterator[PendingProposal] = iter(())

    @property
    def waiting(self) -> bool:
        """Whether a model may still answer, or an agent is at work."""
        if self._agent is not None and self._agent.under_way:
            return True
        return self._session is not None and self._session.may_propose

    @property
    def ending(self) -> StopReason:
        """No operator has anything to propose, or no model answers and there is no other operator."""
        unavailable = self._session is not None and not self._session.available
        return StopReason.NO_MODEL if unavailable and not self._drafters else StopReason.EXHAUSTED

    def next(self) -> PendingProposal | None:
        """First what a killed session left, then the seeds, then sweeps, then what the bandit chooses."""
        if self._session:
            self._session.poll()
            self._session.ask(least_ready=self._environment.workers + 1)
        if self._agent:
            self._agent.poll(self._briefs.brief)
        pending = next(self._first, None) or self._sweep() or self._play()
        if pending is not None:
            self._seen.add(pending.proposal.kernel.id)
        return pending

    def recorded(self, proposal: Proposal, evaluation: Evaluation, placement: Placement) -> None:
        """Adds an evaluation of an earlier session to the history."""
        self._record(proposal, evaluation, placement, 0.0)

    def parked(self, proposal: Proposal, evaluation: Evaluation) -> None:
        """The kernel is shown as not timed yet."""
        self._history.waits(proposal)

    def evaluated(
        self,
        number: int,
        pending: PendingProposal,
        evaluation: Evaluation,
        placement: Placement,
        gain: float,
        cost: float,
    ) -> None:
        """Settles the play and updates history, stages and models."""
        proposal = pending.proposal
        self._record(proposal, evaluation, placement, gain)
        if self._stages and proposal.provenance.stage:
            begun = self._stages.record(proposal.provenance.stage, placement.placed, self._history.elites)
            if begun:
                self._folder.events.add(EventKind.STAGE, f"stage {begun.name} begins")
        if pending.play:
            pending.play.settle(gain, cost + pending.cost)
        if self._session:
            self._session.evaluated(number, proposal, evaluation, gain)
        if placement.placed and evaluation.cell is not None:
            self._sweeps.plan(proposal, self._history.elites[evaluation.cell], evaluation.cell)

    def update_status(self, status: RunStatus) -> None:
        """Adds stage and models."""
        if self._stages:
            status.stage = f"stage {self._stages.state().stage}" if self._stages.advancing else ""
        if self._session:
            status.models = self._session.describe()

    def state(self) -> dict[str, Any]:  # Any: JSON
        """Random generator, policy, plays, stage, lessons and prompt sections."""
        state = SearchState(
            rng=dict(self._rng.bit_generator.state),
            policy=PolicyState(name=self._policy.name, state=self._policy.to_json()),
            plays=self._plays.state(),
            stage=self._stages.state() if self._stages else None,
        )
        models = stored(self._session.prompts.state()) if self._session else {}
        return stored(state) | models | (stored(self._agent.state()) if self._agent else {})

    def restore(self) -> None:
        """Continues from the state in the run's folder; a new run starts with its seeds.

        Raises:
            RunFolderError: the state is of another version.
        """
        state = load_state(self._folder, SearchState)
        if state is not None:
            self._rng.bit_generator.state = state.rng
            if state.policy.name == self._policy.name:
                self._policy.restore(state.policy.state)
            self._plays.restore(state.plays)
            if self._stages and state.stage:
                self._stages.restore(state.stage)
        if self._session:
            self._session.resume()
        if self._agent and (agents := load_state(self._folder, AgentState)) is not None:
            self._agent.restore(agents)
        self._first = itertools.chain(self._left_over(), self._seeds())

    def _record(self, proposal: Proposal, evaluation: Evaluation, placement: Placement, gain: float) -> None:
        self._seen.add(evaluation.kernel_id)
        if self._screened > 1:
            self._screening.observe(proposal, evaluation)
        elite = self._history.record(proposal, evaluation, placement, gain)
        if elite is not None:
            self._policy.observe(elite)

    def _left_over(self) -> list[PendingProposal]:
        """Proposals that a killed session left; their plays are in flight again."""
        pending = []
        for number, proposal in self._folder.evaluations.unfinished():
            origin = proposal.provenance
            play = self._plays.begin(origin.arm, origin.parent_cell) if origin.arm else None
            pending.append(PendingProposal(proposal, number, self._accept(proposal), play))
        return pending

    def _seeds(self) -> Iterator[PendingProposal]:
        for origin, kernel in seed_kernels(self._environment.config, self._environment.problem):
            if kernel.id not in self._seen:
                yield PendingProposal(Proposal(kernel, "seed", origin))

    def _sweep(self) -> PendingProposal | None:
        """The next kernel of the planned sweeps that was not seen before."""
        while (swept := self._sweeps.next(self._rng)) is not None:
            proposal, brief = swept
            if proposal.kernel.id not in self._seen:
                return self._begin(proposal, Arm("tune"), brief)
        return None

    def _play(self) -> PendingProposal | None:
        """What the bandit chooses among the built-in operators and the models' proposals that wait."""
        ready = self._session.ready_arms() if self._session else []
        agents = [Arm(AGENT)] if self._agent and self._agent.ready else []
        arms = [*self._drafters, *ready, *agents]
        while arms:
            arm = self._plays.choose(arms, self._rng)
            if self._session and arm in ready:
                waiting = self._session.pop(arm)
                return replace(waiting, accept=self._accept(waiting.proposal))
            if self._agent and arm in agents:
                proposal = self._agent.pop()
                play = self._plays.begin(arm, proposal.provenance.parent_cell)
                return PendingProposal(proposal, accept=self._accept(proposal), play=play)
            pending = self._propose(arm)
            if pending is not None:
                return pending
            arms.remove(arm)
        return None

    def _propose(self, arm: Arm) -> PendingProposal | None:
        """The best by screening of several drafts of kernels not seen before; ``None`` when the operator draws none."""
        for _ in range(_TRIES):
            brief = self._briefs.brief()
            count = self._screened if self._screening.ready else 1
            drafts = self._drafters[arm].drafts(brief, count, self._rng)
            for draft in self._ranked(drafts, arm, brief):
                proposal = self._print(draft)
                if proposal.kernel.id not in self._seen:
                    return self._begin(proposal, arm, brief)
            if brief.parent is None and not drafts:
                return None  # it needs a parent
        return None

    def _ranked(self, drafts: Sequence[Draft], arm: Arm, brief: Brief) -> Sequence[Draft]:
        """New drafts, the most promising first; without a target also some drawn further from the best, in rounds."""
        ranked = self._rank(drafts, brief)
        for _ in range(self._rounds - 1 if self._screening.ready and brief.target is None else 0):
            if not ranked:
                break
            further = self._drafters[arm].further(ranked[0], brief, self._screened, self._rng)
            ranked = self._rank([*ranked, *further], brief)
        return ranked

    def _rank(self, drafts: Sequence[Draft], brief: Brief) -> Sequence[Draft]:
        new: dict[Hashable, Draft] = {}
        for draft in drafts:
            if draft.key not in self._printed:
                new.setdefault(draft.key, draft)
        return self._screening.ranked(list(new.values()), brief.target, self._history.elites)

    def _print(self, draft: Draft) -> Proposal:
        self._printed[draft.key] = None
        if len(self._printed) > _PRINTED:
            del self._printed[next(iter(self._printed))]
        return draft.proposal()

    def _begin(self, proposal: Proposal, arm: Arm, brief: Brief) -> PendingProposal:
        parent = brief.parent.cell if brief.parent else None
        proposal = replace(proposal, provenance=Provenance(arm, parent, brief.stage))
        return PendingProposal(proposal, accept=self._accept(proposal), play=self._plays.begin(arm, parent))

    def _accept(self, proposal: Proposal) -> Accept | None:
        name = proposal.provenance.stage
        stage = self._stages.stage(name) if self._stages and name else None
        return stage.refusal if stage else None
