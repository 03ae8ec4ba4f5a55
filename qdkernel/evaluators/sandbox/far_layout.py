"""A call whose rows stand gigabytes apart in the child's address space, while little memory is behind them.

In the files the rows of an array lie side by side, each on pages of its own; the child maps them at the distance that
the kernel is told. Between them nothing is mapped: a kernel can neither take memory there nor miss its row unnoticed.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

from qdkernel.core import ArrayArgument, Case, Signature
from qdkernel.evaluators.sandbox.memory import PAGE, BufferAlignment, Layout, PlacedCall


class FarLayout(Layout):
    """The layout of one call with long strides.

    Args:
        problem: whose call it is.
        case: the call; the strides in it do not matter.
        strides: elements between the positions of an array along its outermost dimension, multiples of ``PAGE``, by the
            names of some strides that ``strides_that_may_be_long`` gives.
    """

    def __init__(self, problem: Signature, case: Case, strides: Mapping[str, int]) -> None:
        self._long = dict(strides)
        near = {name: stride for name, stride in strides_that_may_be_long(problem, case).items() if name in strides}
        super().__init__(problem, [({**case, **near}, BufferAlignment.FRONT)])
        for placed in self.calls[0].arrays:
            if stride := strides.get(_outermost(placed.argument)):
                segment = self._segments[placed.segment]
                pitch = stride * placed.dtype.itemsize
                self._segments[placed.segment] = replace(segment, pitch=pitch, pieces=placed.shape[0])

    def case_in_child(self, call: PlacedCall) -> Case:
        """With the long strides in place of those in the files."""
        return {**call.case, **self._long}


def strides_that_may_be_long(problem: Signature, case: Case) -> dict[str, int]:
    """The names of outermost strides, each with the elements that whole pages for one position hold.

    One that several arrays share is left out unless their positions take as many.
    """
    found: dict[str, set[int]] = {}
    for argument in problem.arrays:
        shape, itemsize = argument.shape(case), problem.dtype_of(argument).itemsize
        if (name := _outermost(argument)) and 0 not in shape:
            pages = -(-math.prod(shape[1:]) * itemsize // PAGE)
            found.setdefault(name, set()).add(pages * PAGE // itemsize)
    return {name: elements.pop() for name, elements in found.items() if len(elements) == 1}


def _outermost(argument: ArrayArgument) -> str:
    """The name of an array's outermost stride; empty where it has none."""
    return (argument.strides[0] or "") if argument.strides else ""
