"""The conversations of a run with its models: which are begun, and what those that have ended bring."""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from qdkernel.config import LlmConfig
from qdkernel.core import Arm, Cell, Evaluation, Proposal, parse_cell
from qdkernel.llm import FailureKind
from qdkernel.mutators import MODEL_OPERATORS, Brief, Elite, InFlight
from qdkernel.mutators.llm import Assignment, Expect, Strategy
from qdkernel.mutators.llm.prompts import compose, compose_program
from qdkernel.runs import End, RunFolder, StoredCall
from qdkernel.search.briefs import BriefFactory
from qdkernel.search.credit import Play, PlayLedger
from qdkernel.search.history import SearchHistory
from qdkernel.search.llm.dispatcher import FinishedConversation, LLMDispatcher
from qdkernel.search.llm.prompt_evolution import PromptEvolution
from qdkernel.search.llm.repairs import Repairs
from qdkernel.search.source import PendingProposal
from qdkernel.search.state import stored

_DRAWS = 12  # of briefs for one request: enough to find a free pair of parent and target among a few


class LLMSession:
    """Begins conversations and commits how they end; the dispatcher's threads hold them.

    Args:
        config: the ``llm`` section.
        dispatcher: holds the conversations.
        folder: of the run.
        history: of the run.
        plays: choose operator and model, and record how every conversation ended.
        arms: the model operators of the configuration, each with each model.
        briefs: parents, targets and stages of the prompts.
        prompts: lessons and prompt sections.
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
        briefs: BriefFactory,
        prompts: PromptEvolution,
        rng: np.random.Generator,
    ) -> None:
        self.prompts = prompts
        self._config = config
        self._dispatcher = dispatcher
        self._folder = folder
        self._history = history
        self._plays = plays
        self._arms = arms
        self._briefs = briefs
        self._rng = rng
        self._repairs = Repairs(folder, dispatcher.models, config.repairs)
        self._under_way: dict[int, Play] = {}  # by conversation
        self._in_flight: dict[int, InFlight] = {}  # by conversation
        self._asked: set[str] = set()  # digests of the prompts that are under way or brought something
        self._ready: dict[Arm, deque[PendingProposal]] = {}

    @property
    def num_ready(self) -> int:
        """Proposals that wait for an evaluator."""
        return sum(map(len, self._ready.values()))

    @property
    def may_propose(self) -> bool:
        """Whether a proposal waits or may still come."""
        return bool(self.num_ready or self._dispatcher.under_way or self._dispatcher.backing_off)

    @property
    def available(self) -> bool:
        """Whether any model may still answer, now or after its back-off."""
        return self._dispatcher.available

    @property
    def under_way(self) -> int:
        """Conversations that have not ended."""
        return self._dispatcher.under_way

    def describe(self) -> str:
        """The models' use in a few words."""
        return self._dispatcher.describe() + (f", {self.num_ready} proposals waiting" if self.num_ready else "")

    def ready_arms(self) -> list[Arm]:
        """Arms that have a proposal waiting."""
        return [arm for arm, waiting in self._ready.items() if waiting]

    def pop(self, arm: Arm) -> PendingProposal:
        """The arm's oldest waiting proposal, to be evaluated."""
        pending = self._ready[arm].popleft()
        assert pending.play is not None
        pending.play.release()
        return pending

    def poll(self) -> None:
        """Takes in the conversations that have ended since the last time."""
        for finished in self._dispatcher.collect():
            self._end(finished)

    def ask(self, least_ready: int) -> None:
        """Fills the free request slots: repairs first, then reflection or revision, then what the bandit chooses.

        Nothing is asked while as many proposals wait as there are slots, and ``least_ready`` at least: replies that
        are never evaluated are wasted money, yet replies come in bursts.
        """
        most_ready = max(least_ready, self._dispatcher.slots)
        while free := self._dispatcher.free():
            if repair := self._repairs.next(free):
                self._begin(repair)
            elif about_the_run := self._about_the_run(free):
                self._begin(about_the_run)
            elif self.num_ready >= most_ready or not self._ask_proposal(free):
                return

    def evaluated(self, number: int, proposal: Proposal, evaluation: Evaluation, gain: float) -> None:
        """What became of a proposal of any operator."""
        self.prompts.evaluated(proposal, gain)
        self._repairs.evaluated(number, proposal, evaluation)

    def resume(self) -> None:
        """Restores lessons and prompts, and continues the conversations that a killed session left.

        Raises:
            RunFolderError: the stored state is of another version.
        """
        self.prompts.restore(self._folder)
        self._asked = {
            _digest(held.assignment)
            for held in self._folder.conversations.all()
            if held.ended in (None, End.PROPOSAL, End.PLAN)
        }
        for left in self._folder.conversations.unended():
            if left.model in self._dispatcher.models:
                self._hold(left.id, left.assignment, left.calls)
            else:
                self._folder.conversations.end(left.id, End.CANCELLED, f"no model {left.model} any more")

    def close(self, patience_s: float) -> None:
        """Waits at most so many seconds for replies under way, commits them, and ends the rest."""
        for finished in self._dispatcher.drain(patience_s):
            self._end(finished)
        self._dispatcher.close()

    def _about_the_run(self, free: list[str]) -> Assignment | None:
        """A reflection or revision, when one is due; its arm has no weight, so its cost changes no other arm."""
        model = free[int(self._rng.integers(len(free)))]
        assignment = self.prompts.due(self._rng)
        return assignment and _of_play(assignment, Arm(assignment.operator, model))

    def _ask_proposal(self, free: list[str]) -> bool:
        arms = [arm for arm in self._arms if arm.model in free]
        while arms:
            arm = self._plays.choose(arms, self._rng)
            assignment = self._compose(arm)
            if assignment is not None:
                self._begin(assignment)
                return True
            arms.remove(arm)
        return False

    def _compose(self, arm: Arm) -> Assignment | None:
        """A prompt unlike every earlier one that brought something, on a parent and target that no other request has.

        Of the briefs drawn, the first that the operator suits; without one the first on a free parent and target, and
        without that the first that gives a new prompt.
        """
        operator, free, new = MODEL_OPERATORS[arm.operator], None, None
        aims = {(request.parents[:1], request.target) for request in self._in_flight.values()}
        for _ in range(_DRAWS):
            brief = self._for_model(self._briefs.brief())
            sections = self.prompts.sections(self._rng)
            assignment = compose(arm.operator, brief, sections, self._config.programmers, self._rng)
            if assignment is None or (brief.elites and _digest(assignment) in self._asked):
                continue
            # a plan's programs have parents, it has none
            parent = brief.parent.cell if brief.parent and arm.operator != "plan" else None
            made = _of_play(assignment, arm, parent)
            if (assignment.parents[:1], assignment.target) in aims:
                new = new or made
            elif operator.suits(brief):
                return made
            else:
                free = free or made
        return free or new

    def _for_model(self, brief: Brief) -> Brief:
        """With the requests in flight and techniques, where the policy shows more than the parent."""
        if not brief.elites:
            return brief
        in_flight = tuple(self._in_flight.values())
        return replace(brief, in_flight=in_flight, skills=self.prompts.skills(brief, self._rng))

    def _begin(self, assignment: Assignment) -> None:
        number = self._folder.conversations.add(assignment, _arm(assignment).model)
        self._hold(number, assignment)

    def _hold(self, number: int, assignment: Assignment, calls: tuple[StoredCall, ...] = ()) -> None:
        arm = _arm(assignment)
        self._under_way[number] = self._plays.begin(arm, assignment.provenance.parent_cell)
        self._asked.add(_digest(assignment))
        if assignment.expects is not Expect.TEXT:
            strategy = assignment.notes.get("strategy", "")
            self._in_flight[number] = InFlight(assignment.operator, assignment.parents, assignment.target, strategy)
        self._dispatcher.begin(number, arm.model, assignment, calls)

    def _end(self, finished: FinishedConversation) -> None:
        """Ends the play, and commits how the conversation ended together with what follows from it."""
        play, ending, number = self._under_way.pop(finished.number), finished.ending, finished.number
        self._in_flight.pop(number, None)
        if ending.proposal is not None and finished.failure is None:
            self._keep(finished, ending.proposal, play)
            return
        play.abandon(finished.cost)
        if not ending.plan:
            self._asked.discard(_digest(finished.assignment))
        if finished.failure is FailureKind.CANCELLED:
            # Stays open in the folder, so that a resume asks what was not answered; unless nothing was asked at all.
            if not self._folder.conversations.get(number).calls:
                self._folder.conversations.end(number, End.CANCELLED, f"never asked: {ending.reason}")
        elif finished.failure is not None:
            self._folder.conversations.end(number, End.FAILED, f"{finished.failure.value}: {ending.reason}")
        elif ending.plan:
            self._hand_out(finished, ending.plan)
        elif ending.text:
            self.prompts.accept(finished.assignment, ending.text)
            self._folder.conversations.end(number, End.TEXT, state=stored(self.prompts.state()))
        else:
            self._folder.conversations.end(number, End.NOTHING, ending.reason)

    def _keep(self, finished: FinishedConversation, proposal: Proposal, play: Play) -> None:
        """Commits a proposal, which then waits for an evaluator."""
        ended = self._folder.conversations.end(finished.number, End.PROPOSAL, proposal=proposal)
        play.hold()
        self._history.waits(proposal)
        pending = PendingProposal(proposal, ended.proposal_number, play=play, cost=finished.cost)
        self._ready.setdefault(play.arm, deque()).append(pending)

    def _hand_out(self, finished: FinishedConversation, plan: tuple[Strategy, ...]) -> None:
        """Begins a conversation for each strategy, committed together with the plan."""
        cells = [parse_cell(kernel["cell"]) for kernel in finished.assignment.notes["kernels"]]
        arm = _arm(finished.assignment)
        tasks = []
        for strategy in plan[: self._config.programmers]:
            parent = self._numbered(cells, strategy.parent)
            brief = self._for_model(self._briefs.brief_on(parent, finished.assignment.provenance.stage))
            task = compose_program(brief, self.prompts.sections(self._rng), strategy, finished.number, self._rng)
            tasks.append(_of_play(task, arm, parent.cell))
        self._history.plans(finished.number, [task.notes["strategy"] for task in tasks])
        next_ones = [(task, arm.model) for task in tasks]
        ended = self._folder.conversations.end(finished.number, End.PLAN, next_ones=next_ones)
        for number, task in zip(ended.conversations, tasks, strict=True):
            self._hold(number, task)

    def _numbered(self, cells: Sequence[Cell], number: int) -> Elite:
        """The present elite of the cell that a plan names by number, from 1; of the first for a number not shown."""
        cell = cells[number - 1] if 1 <= number <= len(cells) else cells[0]
        return self._history.elites.get(cell) or self._history.best


def _of_play(assignment: Assignment, arm: Arm, parent: Cell | None = None) -> Assignment:
    """The assignment as a play of an arm on a parent."""
    return replace(assignment, provenance=replace(assignment.provenance, arm=arm, parent_cell=parent))


def _digest(assignment: Assignment) -> str:
    """The same for assignments with the same messages."""
    said = "\0".join(message.content for message in assignment.messages)
    return hashlib.sha256(said.encode("utf-8", "surrogateescape")).hexdigest()


def _arm(assignment: Assignment) -> Arm:
    arm = assignment.provenance.arm
    assert arm is not None  # every conversation that this module begins is a play
    return arm
