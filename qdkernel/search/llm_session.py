"""What a run says to models and what comes back: proposals, plans, repairs, lessons, better prompts."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np

from qdkernel.config import LlmConfig
from qdkernel.core import Arm, Evaluation, Proposal, parse_cell
from qdkernel.llm import FailureKind, Message
from qdkernel.mutators import Brief, Elite
from qdkernel.mutators.llm import Assignment, Strategy
from qdkernel.mutators.llm.prompts import (
    LogLine,
    PromptPool,
    compose,
    compose_program,
    compose_reflect,
    compose_repair,
    compose_revise,
)
from qdkernel.runs import RunFolder, StoredCall
from qdkernel.search.history import REPAIRABLE, SearchHistory
from qdkernel.search.llm_dispatcher import FinishedConversation, LLMDispatcher
from qdkernel.search.plays import Play, PlayLedger

BUILT_IN = frozenset({"seed", "schedule", "tune"})
_LEAST_LOG = 8  # evaluations before there is anything to reflect on


class Briefs(Protocol):
    """Makes the briefs that prompts are composed from."""

    def brief(self) -> Brief:
        """For one proposal: parent, target and stage are chosen."""

    def brief_on(self, parent: Elite | None, stage: str) -> Brief:
        """For a parent that somebody else chose, in the stage of this name (or none)."""


@dataclass(frozen=True)
class Ready:
    """A model's proposal, committed under ``number``, that waits for an evaluator.

    Attributes:
        number: of the proposal.
        proposal: the kernel with its origin.
        play: held until the proposal is evaluated.
        cost: of its conversation, as a share of the budget.
    """

    number: int
    proposal: Proposal
    play: Play
    cost: float


class LLMSession:
    """The run's side of every conversation; its threads are the desk's.

    Args:
        config: the ``llm`` section.
        dispatcher: holds the conversations.
        folder: of the run.
        history: what proposals want to know.
        plays: choose operator and model, and are told what became of them.
        arms: the model operators of the configuration, each with each model.
        briefs: parents, targets and stages of the prompts.
        cost_of: what a conversation cost as a share of the budget.
        rng: of the proposals.
    """

    def __init__(
        self,
        config: LlmConfig,
        dispatcher: LLMDispatcher,
        folder: RunFolder,
        history: SearchHistory,
        plays: PlayLedger,
        arms: tuple[Arm, ...],
        briefs: Briefs,
        cost_of: Callable[[FinishedConversation], float],
        rng: np.random.Generator,
    ) -> None:
        self._config = config
        self._desk = dispatcher
        self._folder = folder
        self._chronicle = history
        self._plays = plays
        self._under_way: dict[int, Play] = {}  # by conversation
        self._arms = arms
        self._briefs = briefs
        self._cost_of = cost_of
        self._rng = rng
        self._pool = PromptPool()
        self._repairs: deque[tuple[str, Assignment]] = deque()
        self._ready: dict[Arm, deque[Ready]] = {}
        self._since_reflection = 0
        self._since_revision = 0

    # -- proposals ------------------------------------------------------------------------------------------------

    @property
    def num_ready(self) -> int:
        """Proposals that wait for an evaluator."""
        return sum(map(len, self._ready.values()))

    @property
    def hopeful(self) -> bool:
        """Whether a proposal waits or may still come."""
        return bool(self.num_ready or self._desk.under_way or self._desk.asleep)

    @property
    def alive(self) -> bool:
        """Whether any model may still answer, now or after a rest."""
        return self._desk.alive

    def describe(self) -> str:
        """The models' use in a few words."""
        return self._desk.describe() + (f", {self.num_ready} proposals waiting" if self.num_ready else "")

    def ready_arms(self) -> list[Arm]:
        """Arms that have a proposal waiting."""
        return [arm for arm, waiting in self._ready.items() if waiting]

    def pop(self, arm: Arm) -> Ready:
        """The arm's oldest waiting proposal, to be evaluated."""
        ready = self._ready[arm].popleft()
        ready.play.release()
        return ready

    def poll(self) -> None:
        """Takes what has come back since the last time."""
        for held in self._desk.collect():
            self._end(held)

    def ask(self, least_ready: int) -> None:
        """Fills the free request slots: repairs first, then reflection, then what the portfolio chooses.

        Nothing is asked while as many proposals wait as there are slots, and ``least_ready`` at least: replies that
        nobody evaluates are wasted money, yet replies come in bursts.
        """
        most_ready = max(least_ready, self._desk.slots)
        while free := self._desk.free():
            if self._ask_repair(free) or self._ask_about_the_run(free):
                continue
            if self.num_ready >= most_ready or not self._ask_proposal(free):
                return

    def resume(self) -> None:
        """Takes up the conversations that a killed session left."""
        for stored in self._folder.unended_conversations():
            if stored.model in self._desk.models:
                self._hold(stored.id, stored.model, stored.assignment, stored.calls)
            else:
                self._folder.end_conversation(stored.id, "cancelled", f"no model {stored.model} any more")

    def evaluated(self, number: int, proposal: Proposal, evaluation: Evaluation, earned: float) -> None:
        """What became of a proposal, whoever made it."""
        self._since_reflection += 1
        self._since_revision += 1
        provenance = proposal.provenance
        self._pool.credit(provenance.sections, earned)
        turn = provenance.repairs + 1
        if provenance.arm is None or evaluation.outcome not in REPAIRABLE or turn > self._config.repairs:
            return
        said = self._said(number)
        model = provenance.arm.model
        if said and model in self._desk.models:
            repair = compose_repair(
                said,
                proposal.kernel.source,
                evaluation.outcome,
                evaluation.detail,
                turn,
                replace(provenance, repairs=turn, repair_of=proposal.kernel.id),
                proposal.parents,
                proposal.target,
            )
            self._repairs.append((model, repair))

    @property
    def under_way(self) -> int:
        """Conversations that have not ended."""
        return self._desk.under_way

    def close(self, patience_s: float) -> None:
        """Waits a little for what is on its way, commits it, and ends the rest."""
        for held in self._desk.drain(patience_s):
            self._end(held)
        self._desk.close()

    # -- asking ---------------------------------------------------------------------------------------------------

    def _ask_repair(self, free: list[str]) -> bool:
        for at, (model, repair) in enumerate(self._repairs):
            if model in free:
                del self._repairs[at]
                self._begin(repair)
                return True
        return False

    def _ask_about_the_run(self, free: list[str]) -> bool:
        """Lessons and prompt sections; not plays of the portfolio."""
        config, log = self._config, self._chronicle.log
        model = free[int(self._rng.integers(len(free)))]
        if config.reflect_every and self._since_reflection >= config.reflect_every and len(log) >= _LEAST_LOG:
            self._since_reflection = 0
            lines = telling(tuple(log)[-config.reflect_every :])
            brief = self._briefs.brief_on(None, "")
            self._begin(of_arm(Arm("reflect", model), compose_reflect(brief, lines, self._chronicle.lessons)))
            return True
        if config.revise_every and self._since_revision >= config.revise_every and len(log) >= _LEAST_LOG:
            self._since_revision = 0
            section = self._pool.choose_for_revision(self._rng)
            lines = tuple(line for line in log if line.operator not in BUILT_IN)
            if lines:
                revision = compose_revise(section, lines[-config.revise_every :], self._rng)
                self._begin(of_arm(Arm("revise", model), revision))
                return True
        return False

    def _ask_proposal(self, free: list[str]) -> bool:
        arms = [arm for arm in self._arms if arm.model in free]
        while arms:
            arm = self._plays.choose(arms, self._rng)
            assignment = self._compose(arm.operator, self._briefs.brief())
            if assignment is not None:
                self._begin(of_arm(arm, assignment))
                return True
            arms.remove(arm)
        return False

    def _compose(self, operator: str, brief: Brief) -> Assignment | None:
        sections = self._pool.choose(self._rng)
        assignment = compose(operator, brief, sections, self._config.programmers, self._rng)
        if assignment is None or brief.parent is None or operator == "plan":
            return assignment
        return replace(assignment, provenance=replace(assignment.provenance, parent_cell=brief.parent.cell))

    def _begin(self, assignment: Assignment) -> None:
        arm = assignment.provenance.arm
        assert arm is not None
        self._hold(self._folder.add_conversation(assignment, arm.model), arm.model, assignment)

    def _hold(self, number: int, model: str, assignment: Assignment, calls: tuple[StoredCall, ...] = ()) -> None:
        arm, parent = assignment.provenance.arm, assignment.provenance.parent_cell
        assert arm is not None
        self._under_way[number] = self._plays.begin(arm, parent)
        self._desk.begin(number, model, assignment, calls)

    # -- what came back -------------------------------------------------------------------------------------------

    def _end(self, held: FinishedConversation) -> None:
        play, ending, notes = self._under_way.pop(held.number), held.ending, held.assignment.notes
        if ending.proposal is None or held.failure is not None:
            play.abandon(self._cost_of(held))
        if held.failure is FailureKind.CANCELLED:
            # Stays open in the folder, for a resume to ask what was not answered; unless nothing was asked at all.
            if not self._folder.conversation(held.number).calls:
                self._folder.end_conversation(held.number, "cancelled", f"never asked: {ending.reason}")
            return
        if held.failure is not None:
            self._folder.end_conversation(held.number, "failed", f"{held.failure.value}: {ending.reason}")
        elif ending.proposal is not None:
            ended = self._folder.end_conversation(held.number, "proposal", proposal=ending.proposal)
            assert ended.proposal_number is not None
            play.hold()
            ready = Ready(ended.proposal_number, ending.proposal, play, self._cost_of(held))
            self._ready.setdefault(play.arm, deque()).append(ready)
        elif ending.plan:
            self._hand_out(held, play.arm, ending.plan)
        elif ending.text:
            self._take_text(held.assignment.operator, notes, ending.text)
            self._folder.end_conversation(held.number, "text", state=self.state())
        else:
            self._folder.end_conversation(held.number, "nothing", ending.reason)

    def _hand_out(self, held: FinishedConversation, arm: Arm, plan: tuple[Strategy, ...]) -> None:
        """A programmer's conversation for each strategy, committed together with the plan."""
        kernels = held.assignment.notes["kernels"]
        tasks = []
        for strategy in plan[: self._config.programmers]:
            parent = self._numbered(kernels, strategy.parent)
            brief = self._briefs.brief_on(parent, held.assignment.provenance.stage)
            task = compose_program(brief, self._pool.choose(self._rng), strategy, self._rng)
            tasks.append(replace(task, provenance=replace(task.provenance, arm=arm, parent_cell=parent.cell)))
        ended = self._folder.end_conversation(held.number, "plan", next_ones=[(task, held.model) for task in tasks])
        for number, task in zip(ended.conversations, tasks, strict=True):
            self._hold(number, held.model, task)

    def _numbered(self, kernels: Sequence[Mapping[str, str]], number: int) -> Elite:
        """The kernel a manager meant by its number; the cell's holder of today, or the best for a number not shown."""
        shown = kernels[number - 1] if 1 <= number <= len(kernels) else kernels[0]
        return self._chronicle.elites.get(parse_cell(shown["cell"])) or self._chronicle.best

    def _take_text(self, operator: str, notes: Mapping[str, Any], text: str) -> None:  # Any: JSON
        if operator == "reflect":
            self._chronicle.lessons = text
        else:
            self._pool.add(notes["section"], text, notes["version"])

    def _said(self, number: int) -> tuple[Message, ...]:
        """Everything said in the conversation that a proposal came from, the last reply included."""
        stored = self._folder.conversation_of(number)
        if stored is None or not stored.calls or stored.calls[-1].reply is None:
            return ()
        last = stored.calls[-1]
        return (*last.messages, Message("assistant", last.reply or ""))

    # -- going on after a stop ------------------------------------------------------------------------------------

    def state(self) -> dict[str, Any]:  # Any: JSON
        """What a resume needs and the conversations do not tell."""
        return {
            "lessons": self._chronicle.lessons,
            "prompts": self._pool.to_json(),
            "since": [self._since_reflection, self._since_revision],
        }

    def restore(self) -> None:
        """The inverse of ``state``, from the run's folder."""
        self._chronicle.lessons = self._folder.get_state("lessons", "")
        prompts = self._folder.get_state("prompts")
        if prompts is not None:
            self._pool = PromptPool.from_json(prompts)
        self._since_reflection, self._since_revision = self._folder.get_state("since", [0, 0])


def telling(log: Sequence[LogLine]) -> tuple[LogLine, ...]:
    """The lines that teach something: all of models, and of the many of built-in operators those that gained."""
    return tuple(line for line in log if line.operator not in BUILT_IN or (line.gain or 0.0) > 0)


def of_arm(arm: Arm, assignment: Assignment) -> Assignment:
    """The assignment as a play of an arm."""
    return replace(assignment, provenance=replace(assignment.provenance, arm=arm))
