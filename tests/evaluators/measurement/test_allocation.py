"""Memory that is freed stays with a process that times kernels."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

FAULTS = """
import resource
import sys
import numpy as np
from qdkernel.evaluators.measurement import TimingBuffers, TimingRule
from qdkernel.problems import find_problem

def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt

if sys.argv[1] == "keep":
    TimingBuffers(find_problem("dgemm"), [{"m": 8, "n": 8, "k": 8}], [1e-3], TimingRule())
np.ones(5_000_000)
before = faults()
for _ in range(10):
    np.ones(5_000_000)
print(faults() - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other C libraries have no such settings")
def test_arrays_that_are_made_again_and_again_are_mapped_once() -> None:
    returned, kept = (
        int(subprocess.run([sys.executable, "-c", FAULTS, how], capture_output=True, text=True, check=True).stdout)
        for how in ("return", "keep")
    )
    assert kept < 20  # pages, of 400 MB
    assert returned > 10 * kept
