"""Terms that all rooms share: problem, kernel, evaluation, cell, proposal, statistics. Imports errors only."""

from qdkernel.core.atomic_file import write_atomically
from qdkernel.core.cells import AXES, BEHAVIOUR_VERSION, Axis, Cell, cell_name, neighbours, parse_cell, reachable_cells
from qdkernel.core.evaluation import (
    Behaviour,
    CodeHashes,
    Duel,
    Evaluation,
    Fault,
    Kernel,
    KernelId,
    Measured,
    Outcome,
    Timing,
    VerificationResult,
    worth_a_duel,
)
from qdkernel.core.placement import Placement
from qdkernel.core.printable import one_line, printable
from qdkernel.core.problem import (
    Array,
    ArrayArgument,
    Arrays,
    Case,
    Expected,
    InputFamily,
    KernelBaseline,
    LibraryBaseline,
    Problem,
    Role,
    Scalar,
    size_text,
    within_bound,
)
from qdkernel.core.proposal import Arm, Notes, Proposal, Provenance
from qdkernel.core.prototype import check_prototype, parse_prototype, prototype_header, trampoline
from qdkernel.core.stage import Stage
from qdkernel.core.statistics import geometric_mean, geometric_mean_or_none, median_ratio
from qdkernel.core.status import RunStatus, StopReason

__all__ = [
    "AXES",
    "BEHAVIOUR_VERSION",
    "Arm",
    "Array",
    "ArrayArgument",
    "Arrays",
    "Axis",
    "Behaviour",
    "Case",
    "Cell",
    "CodeHashes",
    "Duel",
    "Evaluation",
    "Expected",
    "Fault",
    "InputFamily",
    "Kernel",
    "KernelBaseline",
    "KernelId",
    "LibraryBaseline",
    "Measured",
    "Notes",
    "Outcome",
    "Placement",
    "Problem",
    "Proposal",
    "Provenance",
    "Role",
    "RunStatus",
    "Scalar",
    "Stage",
    "StopReason",
    "Timing",
    "VerificationResult",
    "cell_name",
    "check_prototype",
    "geometric_mean",
    "geometric_mean_or_none",
    "median_ratio",
    "neighbours",
    "one_line",
    "parse_cell",
    "parse_prototype",
    "printable",
    "prototype_header",
    "reachable_cells",
    "size_text",
    "trampoline",
    "within_bound",
    "worth_a_duel",
    "write_atomically",
]
