"""Builds the parts of a run (archive, operators, models, loop) from a configuration and a run folder."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from qdkernel.archives import KernelArchive
from qdkernel.config import Config, ModelConfig, converted
from qdkernel.core import Arm, StopReason
from qdkernel.evaluators.toolchain import build_native
from qdkernel.llm import Endpoint, EndpointSpec
from qdkernel.mutators import MODEL_OPERATORS, MUTATORS
from qdkernel.runs import RunFolder
from qdkernel.search.agents import AgentSessions
from qdkernel.search.briefs import BriefFactory
from qdkernel.search.credit import PlayLedger
from qdkernel.search.environment import RunEnvironment
from qdkernel.search.history import SearchHistory
from qdkernel.search.llm import LLMDispatcher, LLMSession, PromptEvolution, TokenBudget, Usage
from qdkernel.search.loop import Evaluations, Evolution, Show
from qdkernel.search.policies import POLICIES, SelectionPolicy
from qdkernel.search.proposer import Proposer
from qdkernel.search.replay import Replay
from qdkernel.search.stages import StageSchedule, plan_of

_PATIENCE_S = 15.0  # heuristic: most replies under way come within it

Say = Callable[[str], None]


@dataclass
class Assembled:
    """A run about to begin: call ``evolution.run()``, then ``close``."""

    evolution: Evolution
    say: Say
    session: LLMSession | None = None
    stopping: threading.Event | None = None
    agent: AgentSessions | None = None

    def stop(self) -> None:
        """Ends the run once what is under way is done; may be called from a signal handler."""
        self.evolution.stop()
        if self.stopping:
            self.stopping.set()

    def close(self, patience_s: float = _PATIENCE_S) -> None:
        """Commits the replies that come within ``patience_s`` seconds, and ends all other requests."""
        if self.agent:
            self.agent.close()
        if self.stopping:
            self.stopping.set()  # no retries any more
        if self.session:
            if patience_s and self.session.under_way:
                self.say(f"waiting up to {patience_s:.0f} s for {self.session.under_way} replies under way")
            self.session.close(patience_s)


def assemble(
    environment: RunEnvironment,
    folder: RunFolder,
    show: Show,
    say: Say,
    recorded: RunFolder | None = None,
    backend: Evaluations | None = None,
) -> Assembled:
    """The parts of a run.

    Args:
        environment: the configuration on this machine.
        folder: of the run.
        show: given the status after every evaluation.
        say: given what a user should know at once, e.g. that a model does not answer.
        recorded: a run to replay instead of making proposals.
        backend: where kernels are evaluated; ``None`` for the workers of this machine.

    Raises:
        ConfigError: the environment lacks the key of a model.
    """
    config = environment.config
    archive = KernelArchive(environment.reachable, config.timing.tie)
    if recorded is not None:
        replay = Replay(recorded, folder, environment.problem.name, config.llm.resamples, say)
        return Assembled(Evolution(environment, folder, archive, replay, lambda: None, show, backend), say)
    parts = _parts(environment)
    for name in parts.stages.skipped if parts.stages else ():
        say(f"stage {name} is skipped: it asks for SIMD widths that this machine does not have")
    budget = TokenBudget(config.budget, _spent_before(folder))
    agent = _agent(environment, budget, say)
    if not config.known_models:
        proposer = parts.proposer(environment, folder, None, agent)
        evolution = Evolution(environment, folder, archive, proposer, lambda: None, show, backend)
        return Assembled(evolution, say, agent=agent)
    stopping = threading.Event()
    endpoints = {model.name: Endpoint(endpoint_spec(model), wait=stopping.wait) for model in config.known_models}
    dispatcher = LLMDispatcher(folder, endpoints, budget, environment.problem.name, config.llm, say)

    session = parts.session(config, dispatcher, folder)
    proposer = parts.proposer(environment, folder, session, agent)

    def spent() -> StopReason | None:
        return dispatcher.lacking() if not dispatcher.under_way and not session.num_ready else None

    evolution = Evolution(environment, folder, archive, proposer, spent, show, backend)
    return Assembled(evolution, say, session, stopping, agent)


@dataclass(frozen=True)
class _Parts:
    """What the proposer and the conversations with models share."""

    history: SearchHistory
    policy: SelectionPolicy
    weights: Mapping[Arm, float]
    plays: PlayLedger
    stages: StageSchedule | None
    briefs: BriefFactory
    rng: np.random.Generator

    def session(self, config: Config, dispatcher: LLMDispatcher, folder: RunFolder) -> LLMSession:
        arms = tuple(arm for arm in self.weights if arm.operator in MODEL_OPERATORS)
        prompts = PromptEvolution(config.llm, self.history, self.briefs)
        return LLMSession(
            config.llm, dispatcher, folder, self.history, self.plays, arms, self.briefs, prompts, self.rng
        )

    def proposer(
        self, environment: RunEnvironment, folder: RunFolder, session: LLMSession | None, agent: AgentSessions | None
    ) -> Proposer:
        parts = (self.history, self.policy, self.plays, self.stages, self.briefs)
        return Proposer(environment, folder, *parts, session, self.rng, agent)


def _parts(environment: RunEnvironment) -> _Parts:
    config, reachable = environment.config, environment.reachable
    history, weights = SearchHistory(), arms_of(config)
    rng = np.random.default_rng(np.random.SeedSequence(config.seed))
    policy = POLICIES[config.search](reachable, config.selection)
    plays = PlayLedger(weights)
    plan = plan_of(config.stages, config.stage_order)
    stages = StageSchedule(plan, reachable) if plan else None
    briefs = BriefFactory(environment, history, policy, plays, stages, rng)
    return _Parts(history, policy, weights, plays, stages, briefs, rng)


def _agent(environment: RunEnvironment, budget: TokenBudget, say: Say) -> AgentSessions | None:
    """The sessions of the configuration's agent; ``None`` without one."""
    settings = next((mutator.agent for mutator in environment.config.mutators if mutator.agent), None)
    if settings is None:
        return None
    built = build_native(environment.toolchain, environment.problem)
    return AgentSessions(environment.config, settings, environment.toolchain, built, budget, say)


def arms_of(config: Config) -> dict[Arm, float]:
    """Every operator with every model it can use, and its weight; model operators are left out without a model."""
    arms: dict[Arm, float] = {}
    for mutator in config.mutators:
        if mutator.name in MUTATORS or mutator.agent:
            arms[Arm(mutator.name)] = mutator.weight
        else:
            weight = mutator.weight * MODEL_OPERATORS[mutator.name].prior
            arms |= {Arm(mutator.name, model.name): weight * model.weight for model in config.known_models}
    return arms


def endpoint_spec(model: ModelConfig) -> EndpointSpec:
    """A model of the configuration, as the client takes it."""
    return converted(model, EndpointSpec, input_price=model.price.input, output_price=model.price.output)


def _spent_before(folder: RunFolder) -> Usage:
    total = Usage()
    for spending in folder.conversations.spending().values():
        total += Usage(spending.requests, spending.tokens, spending.cost)
    return total
