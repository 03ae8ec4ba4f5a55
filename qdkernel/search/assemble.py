"""Puts a run together: archive, operators, models and loop, from a configuration and a run folder."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from qdkernel.archives import KernelArchive
from qdkernel.config import Config, ModelConfig
from qdkernel.core import StopReason, reachable_cells
from qdkernel.llm import Endpoint, EndpointSpec
from qdkernel.mutators import MODEL_OPERATORS, MUTATORS
from qdkernel.runs import RunFolder
from qdkernel.search.bandit import Arm, Portfolio
from qdkernel.search.environment import Workplace
from qdkernel.search.history import Chronicle
from qdkernel.search.llm_budget import Charge, Ledger
from qdkernel.search.llm_dispatcher import Held, ModelDesk
from qdkernel.search.llm_session import Correspondence
from qdkernel.search.loop import Evolution, Show
from qdkernel.search.proposer import Proposer
from qdkernel.search.replay import Replay

_PATIENCE_S = 15.0  # by thought: most replies under way come within it, and nobody minds waiting so long at the end

Say = Callable[[str], None]


@dataclass
class Assembled:
    """A run ready to go: call ``evolution.run()``, then ``close``."""

    evolution: Evolution
    say: Say
    correspondence: Correspondence | None = None
    stopping: threading.Event | None = None

    def stop(self) -> None:
        """Drains; may be called from a signal handler."""
        self.evolution.stop()
        if self.stopping:
            self.stopping.set()

    def close(self, patience_s: float = _PATIENCE_S) -> None:
        """Commits replies that are on their way, as far as they come in time."""
        if self.stopping:
            self.stopping.set()  # no retries any more
        if self.correspondence:
            if patience_s and self.correspondence.under_way:
                self.say(f"waiting up to {patience_s:.0f} s for {self.correspondence.under_way} replies under way")
            self.correspondence.close(patience_s)


def assemble(place: Workplace, folder: RunFolder, show: Show, say: Say, recorded: RunFolder | None = None) -> Assembled:
    """The parts of a run, joined.

    Args:
        place: the configuration on this machine.
        folder: of the run.
        show: told the standing.
        say: told what a user should know at once, e.g. that a model does not answer.
        recorded: a run to replay instead of thinking of proposals.

    Raises:
        ConfigError: the environment lacks the key of a model.
    """
    config = place.config
    reachable = frozenset(reachable_cells(place.machine.simd_widths))
    archive = KernelArchive(reachable, config.timing.tie)
    if recorded is not None:
        replay = Replay(recorded, folder, place.problem.name, config.llm.resamples, say)
        return Assembled(Evolution(place, folder, archive, replay, lambda: None, show), say)
    chronicle = Chronicle(place)
    rng = np.random.default_rng(np.random.SeedSequence(config.seed))
    weights = arms_of(config)
    portfolio = Portfolio(weights)
    proposer = Proposer(place, folder, chronicle, portfolio, reachable, rng)
    models = config.known_models
    if not models:
        return Assembled(Evolution(place, folder, archive, proposer, lambda: None, show), say)
    stopping = threading.Event()
    ledger = Ledger(config.budget, _spent_before(folder))
    endpoints = {model.name: Endpoint(endpoint_spec(model), wait=stopping.wait) for model in models}
    desk = ModelDesk(folder, endpoints, ledger, place.problem.name, config.llm, say)

    def cost_of(held: Held) -> float:
        return ledger.share(held.charge)

    arms = tuple(arm for arm in weights if arm[0] in MODEL_OPERATORS)
    correspondence = Correspondence(config.llm, desk, folder, chronicle, portfolio, arms, proposer, cost_of, rng)
    proposer.correspondence = correspondence

    def spent() -> StopReason | None:
        return desk.lacking() if not desk.under_way and not correspondence.num_ready else None

    return Assembled(Evolution(place, folder, archive, proposer, spent, show), say, correspondence, stopping)


def arms_of(config: Config) -> dict[Arm, float]:
    """Every operator with every model it can use, and its weight; model operators are left out without a model."""
    arms: dict[Arm, float] = {}
    for mutator in config.mutators:
        if mutator.name in MUTATORS:
            arms[mutator.name, ""] = mutator.weight
        else:
            arms |= {(mutator.name, model.name): mutator.weight * model.weight for model in config.known_models}
    return arms


def endpoint_spec(model: ModelConfig) -> EndpointSpec:
    """A model of the configuration as the client wants it."""
    return EndpointSpec(
        name=model.name,
        base_url=model.base_url,
        model=model.model,
        api_key_env=model.api_key_env,
        temperature=model.temperature,
        max_tokens=model.max_tokens,
        parallel=model.parallel,
        timeout_s=model.timeout_s,
        stream=model.stream,
        input_price=model.price.input,
        output_price=model.price.output,
        extra=model.extra,
    )


def _spent_before(folder: RunFolder) -> Charge:
    total = Charge()
    for spending in folder.spending().values():
        total += Charge(spending.replies + spending.failures, spending.tokens, spending.cost)
    return total
