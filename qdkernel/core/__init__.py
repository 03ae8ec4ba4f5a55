"""Terms that all rooms share: problem, kernel, evaluation, cell, proposal, statistics. Imports errors only."""

from qdkernel.core.atomic_file import write_atomically
from qdkernel.core.axes import (
    AXES,
    BEHAVIOUR_VERSION,
    BLOCKING,
    PREFETCH,
    SIMD,
    THREADING,
    Axis,
    Blocking,
    Level,
    PrefetchLevel,
    Simd,
    Threading,
)
from qdkernel.core.cells import Cell, cell_name, neighbours, parse_cell, reachable_cells
from qdkernel.core.evaluation import (
    Duel,
    Evaluation,
    Fault,
    Kernel,
    KernelId,
    Outcome,
    Timing,
    VerificationResult,
    worth_a_duel,
)
from qdkernel.core.placement import Placement
from qdkernel.core.problem import (
    Array,
    ArrayArgument,
    Arrays,
    Case,
    Expected,
    KernelBaseline,
    LibraryBaseline,
    Problem,
    Role,
    Scalar,
    size_text,
)
from qdkernel.core.proposal import Notes, Proposal
from qdkernel.core.prototype import parse_prototype, trampoline
from qdkernel.core.stage import Stage
from qdkernel.core.statistics import geometric_mean, median_ratio
from qdkernel.core.status import RunStatus, StopReason

__all__ = [
    "AXES",
    "BEHAVIOUR_VERSION",
    "BLOCKING",
    "PREFETCH",
    "SIMD",
    "THREADING",
    "Array",
    "ArrayArgument",
    "Arrays",
    "Axis",
    "Blocking",
    "Case",
    "Cell",
    "Duel",
    "Evaluation",
    "Expected",
    "Fault",
    "Kernel",
    "KernelBaseline",
    "KernelId",
    "Level",
    "LibraryBaseline",
    "Notes",
    "Outcome",
    "Placement",
    "PrefetchLevel",
    "Problem",
    "Proposal",
    "Role",
    "RunStatus",
    "Scalar",
    "Simd",
    "Stage",
    "StopReason",
    "Threading",
    "Timing",
    "VerificationResult",
    "cell_name",
    "geometric_mean",
    "median_ratio",
    "neighbours",
    "parse_cell",
    "parse_prototype",
    "reachable_cells",
    "size_text",
    "trampoline",
    "worth_a_duel",
    "write_atomically",
]
