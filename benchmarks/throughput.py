"""How many kernels a second are evaluated, and where the time goes.

Question: with two workers on n = 256, how many evaluations a second are sustained, and how much of the wall time is
neither gcc's nor a kernel's own?
Method: one run of a minute from the naive seed through the command line; the split is the sum of the step times that
the run recorded. gcc runs on both workers at once, kernels are timed alone: the wall time they cover is at least
compile / workers + kernels, and the rest is called overhead.

    python benchmarks/throughput.py [--minutes 1] [--workers 2] [--size 256]
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from collections import defaultdict
from pathlib import Path

from qdkernel.run_folder import RunFolder

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
        records = list(folder.evaluations())
    for record in records:
        for step, seconds in record.evaluation.step_s.items():
            steps[step] += seconds
    wall = records[-1].elapsed_s
    print(f"\n{len(records)} evaluations in {wall:.1f} s: {len(records) / wall:.2f} per second, {workers} workers")
    for step, seconds in sorted(steps.items(), key=lambda item: -item[1]):
        print(f"  {step:14} {seconds:8.1f} s  {1e3 * seconds / len(records):7.1f} ms each")
    covered = steps["compile"] / workers + steps["kernels"]
    print(f"outside of gcc and kernels: at most {1 - covered / wall:.0%} of the wall time")


if __name__ == "__main__":
    main()
