"""Memory that is freed stays with the process."""

from __future__ import annotations

import subprocess
import sys

FAULTS = """
import resource
import sys
import numpy as np
from qdkernel.evaluators.measurement.allocation import keep_freed_memory

def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt

if sys.argv[1] == "keep":
    keep_freed_memory()
np.ones(5_000_000)
before = faults()
for _ in range(10):
    np.ones(5_000_000)
print(faults() - before)
"""


def test_arrays_that_are_made_again_and_again_are_mapped_once() -> None:
    returned, kept = (
        int(subprocess.run([sys.executable, "-c", FAULTS, how], capture_output=True, text=True, check=True).stdout)
        for how in ("return", "keep")
    )
    assert kept < 20  # pages, of 400 MB
    assert returned > 10 * kept
