"""Progress of a run and why it stopped, for the display and the user."""

from __future__ import annotations

import enum
from collections import Counter
from dataclasses import dataclass, field

from qdkernel.core.evaluation import Outcome


class StopReason(enum.StrEnum):
    """Why a run stopped; each has a name of its own."""

    EVALUATIONS = "evaluations"
    """The budgeted number of evaluations is done."""
    MINUTES = "minutes"
    """The budgeted time is over."""
    REQUESTS = "requests"
    """The budgeted number of requests to models is sent."""
    TOKENS = "tokens"
    """The next request could pass the budgeted number of tokens."""
    USD = "usd"
    """The next request could pass the budgeted money."""
    INTERRUPTED = "interrupted"
    """The user asked it to stop; what was under way has been finished."""
    EXHAUSTED = "exhausted"
    """No operator had anything left to propose."""
    NO_MODEL = "no_model"
    """No model answers, and no other operator has anything to propose."""
    REPLAYED = "replayed"
    """Every recorded proposal has been evaluated again."""


@dataclass
class RunStatus:
    """Progress of a run, as the display shows it.

    ``evaluations`` counts those of the whole run, ``session_evaluations`` those since it was started or resumed;
    ``models`` is a line on the models' use, empty when there is none; ``parked`` counts models' kernels that wait for a
    quieter host.
    """

    evaluations: int = 0
    session_evaluations: int = 0
    outcomes: Counter[Outcome] = field(default_factory=Counter)
    elites: int = 0
    reachable: int = 0
    qd_score: float = 0.0
    best: float = 0.0
    best_ratio: float = 0.0
    news: str = ""
    models: str = ""
    parked: int = 0
    stage: str = ""
    elapsed_s: float = 0.0
