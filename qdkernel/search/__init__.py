"""The search loop: proposer, bandit, stages, model sessions."""

from qdkernel.search.again import (
    Verifier,
    calibrated,
    draw_sizes,
    held_out_spec,
    longer_spec,
    open_verifier,
    time_again,
)
from qdkernel.search.assemble import Assembled, assemble, endpoint_spec
from qdkernel.search.briefs import naive_elite, recorded_reference_speeds
from qdkernel.search.cluster import NodeGroup, open_cluster, share_of_budget
from qdkernel.search.environment import (
    BUSY_HOST,
    RunEnvironment,
    check_names,
    open_environment,
    recorded_baseline,
    resolve_sizes,
    resolve_threads,
    with_isa,
)
from qdkernel.search.history import elite_of
from qdkernel.search.llm import BackOff, BudgetedCall, EndpointStatus, TokenBudget, Usage, recorded_lessons
from qdkernel.search.loop import Evaluations
from qdkernel.search.stages import plan_of

__all__ = [
    "BUSY_HOST",
    "Assembled",
    "BackOff",
    "BudgetedCall",
    "EndpointStatus",
    "Evaluations",
    "NodeGroup",
    "RunEnvironment",
    "TokenBudget",
    "Usage",
    "Verifier",
    "assemble",
    "calibrated",
    "check_names",
    "draw_sizes",
    "elite_of",
    "endpoint_spec",
    "held_out_spec",
    "longer_spec",
    "naive_elite",
    "open_cluster",
    "open_environment",
    "open_verifier",
    "plan_of",
    "recorded_baseline",
    "recorded_lessons",
    "recorded_reference_speeds",
    "resolve_sizes",
    "resolve_threads",
    "share_of_budget",
    "time_again",
    "with_isa",
]
