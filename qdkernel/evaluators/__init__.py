"""Ground floor: what a kernel and a problem are; how a kernel is compiled, contained, verified and timed."""

from qdkernel.evaluators._kernel import Cell, Duel, Evaluation, Kernel, KernelId, Outcome, Timing
from qdkernel.evaluators._machine import Machine
from qdkernel.evaluators._problem import Problem

__all__ = ["Cell", "Duel", "Evaluation", "Kernel", "KernelId", "Machine", "Outcome", "Problem", "Timing"]
