"""Ground floor: what a kernel and a problem are; how a kernel is compiled, contained, verified and timed."""

from qdkernel.evaluators._arena import TimingRule
from qdkernel.evaluators._baseline import BaselineChoice
from qdkernel.evaluators._bench import DUEL_RULE, Bench, BenchSpec
from qdkernel.evaluators._ceilings import Ceilings, load_or_measure_ceilings
from qdkernel.evaluators._child import Layers
from qdkernel.evaluators._compile import CompileLimits
from qdkernel.evaluators._disassembly import Disassembly
from qdkernel.evaluators._evaluate import Admit, evaluate, prove
from qdkernel.evaluators._kernel import Cell, Duel, Evaluation, Fault, Kernel, KernelId, Outcome, Proof, Timing
from qdkernel.evaluators._lock import CoreLock
from qdkernel.evaluators._machine import Machine, fingerprint, this_machine
from qdkernel.evaluators._problem import SEEDS, Array, ArrayArgument, Problem, Role
from qdkernel.evaluators._shared_object import SharedObject
from qdkernel.evaluators._shelf import Holder, Shelf
from qdkernel.evaluators._statistics import geometric_mean
from qdkernel.evaluators._timing import worth_a_duel
from qdkernel.evaluators._toolchain import Toolchain, find_toolchain
from qdkernel.evaluators._trials import Trial, only_by, run_trials
from qdkernel.evaluators._work import EvaluationTask, perform
from qdkernel.evaluators.problems import PROBLEMS, find_problem

__all__ = [
    "DUEL_RULE",
    "PROBLEMS",
    "SEEDS",
    "Admit",
    "Array",
    "ArrayArgument",
    "BaselineChoice",
    "Bench",
    "BenchSpec",
    "Ceilings",
    "Cell",
    "CompileLimits",
    "CoreLock",
    "Disassembly",
    "Duel",
    "Evaluation",
    "EvaluationTask",
    "Fault",
    "Holder",
    "Kernel",
    "KernelId",
    "Layers",
    "Machine",
    "Outcome",
    "Problem",
    "Proof",
    "Role",
    "SharedObject",
    "Shelf",
    "Timing",
    "TimingRule",
    "Toolchain",
    "Trial",
    "evaluate",
    "find_problem",
    "find_toolchain",
    "fingerprint",
    "geometric_mean",
    "load_or_measure_ceilings",
    "only_by",
    "perform",
    "prove",
    "run_trials",
    "this_machine",
    "worth_a_duel",
]
