"""The process that judges cases, under limits that also hold inside C code; ``campaign`` starts and reads it.

    python -m tests.fuzz SEED FIRST END OBJECTS SHARE

A line per case on stdout: its number when it begins; then kind, processor seconds and outcome. The deadline is the
default action of SIGPROF, which ends the process wherever it is.
"""

from __future__ import annotations

import os
import resource
import signal
import sys
import tempfile
import time
from pathlib import Path

from tests.fuzz.cases import DEADLINE_S, judge, make_case

MEMORY_LIMIT = 2 << 30
"""Bytes of address space."""


def main() -> None:
    """Judges the cases of a range."""
    seed, first, end = map(int, sys.argv[1:4])
    objects, share = Path(sys.argv[4]), float(sys.argv[5])
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_LIMIT, MEMORY_LIMIT))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    make_case(seed, 0, objects, share)  # reads the pools, which no case should pay for
    with tempfile.TemporaryDirectory() as folder:
        for number in range(first, end):
            case = make_case(seed, number, objects, share)
            _say(f"{number} ")
            began = time.process_time()
            signal.setitimer(signal.ITIMER_PROF, DEADLINE_S[case.kind])
            try:
                outcome = judge(case, Path(folder) / "kernel.so")
            except BaseException as error:  # whatever it is, it is the finding
                outcome = f"raised {type(error).__name__}: {' '.join(str(error).split())[:200]}"
            signal.setitimer(signal.ITIMER_PROF, 0)
            _say(f"{case.kind} {time.process_time() - began:.6f} {outcome}\n")
        _say(f"peak {_peak_bytes()}\n")


def _peak_bytes() -> int:
    """Most resident memory of this program; ``ru_maxrss`` would include that of the parent before ``exec``."""
    status = Path("/proc/self/status").read_text(encoding="ascii", errors="replace")
    return next(int(line.split()[1]) << 10 for line in status.splitlines() if line.startswith("VmHWM:"))


def _say(text: str) -> None:
    os.write(1, text.encode("utf-8", "replace"))


if __name__ == "__main__":
    main()
