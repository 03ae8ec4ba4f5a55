"""How many kernels a second are evaluated, and where the time goes.

Question: with two workers on n = 256, how many evaluations a second are sustained, and how much of the wall time is
neither gcc's nor a kernel's own?
Method: one run of a minute from the naive seed through the command line; the split is the sum of the step times that
the run recorded. The wall time with a compiler running is the union of all compile steps; kernels are timed alone, so
theirs adds to it; the rest is called overhead.

    python benchmarks/throughput.py [--minutes 1] [--workers 2] [--size 256]
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from collections import defaultdict
from pathlib import Path

from qdkernel.runs import Record, RunFolder

COMPILING = ("compile", "assembly")
CONFIG = Path(__file__).parent.parent / "configs" / "gemm.yaml"


def main() -> None:
    """Runs and prints the split."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=1.0)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--size", type=int, default=256)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder) / "run"
        settings = [f"sizes=[{given.size}]", f"budget.minutes={given.minutes}", f"workers={given.workers}"]
        command = [sys.executable, "-m", "qdkernel", "evolve", str(CONFIG), "--out", str(run)]
        subprocess.run([*command, *(part for s in settings for part in ("--set", s))], check=True)
        report(run, given.workers)


def report(run: Path, workers: int) -> None:
    """Prints evaluations per second and the seconds by step of a finished run."""
    steps: dict[str, float] = defaultdict(float)
    with RunFolder.open(run) as folder:
        records = list(folder.evaluations.records())
    for record in records:
        for step, seconds in record.evaluation.step_s.items():
            steps[step] += seconds
    began = [time for record in records for time in record.evaluation.began_s.values()]
    wall = max(began) - min(began)  # sustained: without starting the workers and drawing the pictures
    print(f"\n{len(records)} evaluations in {wall:.1f} s: {len(records) / wall:.2f} per second, {workers} workers")
    for step, seconds in sorted(steps.items(), key=lambda item: -item[1]):
        print(f"  {step:14} {seconds:8.1f} s  {1e3 * seconds / len(records):7.1f} ms each")
    gcc = union([span for record in records for step in COMPILING if (span := span_of(record, step))])
    print(f"wall time: gcc {gcc / wall:.0%}, kernels {steps['kernels'] / wall:.0%}", end=", ")
    print(f"outside of both {1 - (gcc + steps['kernels']) / wall:.0%}")


def span_of(record: Record, step: str) -> tuple[float, float] | None:
    """When a step of the evaluation began and ended, seconds of the host's clock."""
    began, took = (times.get(step) for times in (record.evaluation.began_s, record.evaluation.step_s))
    return None if began is None or took is None else (began, began + took)


def union(spans: list[tuple[float, float]]) -> float:
    """Length of the union of intervals."""
    covered, end = 0.0, float("-inf")
    for start, stop in sorted(spans):
        covered += max(0.0, stop - max(start, end))
        end = max(end, stop)
    return covered


if __name__ == "__main__":
    main()
