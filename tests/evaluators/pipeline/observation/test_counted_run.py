"""What an observed run may contradict."""

from __future__ import annotations

from contextlib import nullcontext

import pytest

from qdkernel.core import Cell, Threading
from qdkernel.evaluators.behaviour import Observed, RuntimeFacts
from qdkernel.evaluators.pipeline.builder import Stop
from qdkernel.evaluators.pipeline.observation.counted_run import _check_serial


@pytest.mark.parametrize(
    ("threading", "cpu_s", "accused"),
    [
        (Threading.SERIAL, 0.0500, False),  # the child spun until a parent that had lost its core gave the go
        (Threading.SERIAL, 0.0995, True),
        (Threading.STATIC, 0.0995, False),
    ],
)
def test_a_serial_kernel_may_use_one_processor_as_long_as_the_child_is_awake(
    threading: Threading, cpu_s: float, accused: bool
) -> None:
    cell = Cell(0, 0, threading, 0)
    observed = Observed({}, {}, RuntimeFacts(largest_team=1), 0.05, cpu_s, array_bytes=0, operand_bytes=0, helped=0.0)
    expected = pytest.raises(Stop, match=r"99\.5 ms of processor time were used in 50 ms") if accused else nullcontext()
    with expected:
        _check_serial(cell, observed)
