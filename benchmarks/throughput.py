"""How many kernels a second are evaluated, where the time goes, and what a cheaper fidelity could save.

Question: how many evaluations a second are sustained at each size? Where does the time of an evaluation go? And what
share of the timing goes to kernels that a perfect ranking at a cheaper size would have ruled out: challengers dropped
as clearly slower than the elite of their cell, or more than 5 % slower in the duel?
Method: one run for each size from the naive seed through the command line; the split is the sum of the step times that
the run recorded. The time is that from the first step to the last one, so starting and ending the run is not in it.
Evaluations overlap but for timing, which excludes all else. The table is Markdown.

    python benchmarks/throughput.py [--seconds 60] [--workers 2] [--sizes 384 1024 2048]
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from qdkernel.core import Evaluation
from qdkernel.runs import RunFolder

CONFIG = Path(__file__).parent.parent / "configs" / "gemm.yaml"
STEPS = {
    "compile": ("compile", "assembly"),
    "policies, behavior": ("source policy", "object policy", "behaviour"),
    "verify": ("verify",),
    "observe": ("observe",),
    "time": ("time",),
    "wait for the cores": ("wait",),
}
BEHIND = 0.95
HEADER = f"| n | evaluations | a second | {' | '.join(STEPS)} | timing spent on kernels behind |"


def main() -> None:
    """Runs each size and prints its row."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60.0, help="of search for each size")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--sizes", type=int, nargs="+", default=[384, 1024, 2048])
    given = parser.parse_args()
    print(f"{given.workers} workers, {given.seconds:g} s for each size; milliseconds of an evaluation by step\n")
    print(HEADER + "\n" + "|---" * HEADER.count(" | ") + "|---|")
    for size in given.sizes:
        print(row(size, search(size, given.seconds, given.workers)), flush=True)


def search(size: int, seconds: float, workers: int) -> list[Evaluation]:
    """The evaluations of a run at one size."""
    settings = [f"sizes=[{size}]", f"budget.minutes={seconds / 60:.4g}", f"workers={workers}"]
    settings += ["timing.remeasure=false", "timing.held_out=0", "models=[]"]
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder) / "run"
        command = [sys.executable, "-m", "qdkernel", "evolve", str(CONFIG), "--out", str(run)]
        done = subprocess.run(
            [*command, *(part for s in settings for part in ("--set", s))], capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise SystemExit(f"the run at {size} failed:\n{done.stderr[-2000:]}")
        with RunFolder.open(run) as opened:
            return [record.evaluation for record in opened.evaluations.records()]


def row(size: int, evaluations: Sequence[Evaluation]) -> str:
    """A row of the table."""
    steps: Counter[str] = Counter()
    behind_s = 0.0
    for evaluation in evaluations:
        steps.update(evaluation.step_s)
        if is_behind(evaluation):
            behind_s += evaluation.step_s["time"]
    began = [at for evaluation in evaluations for at in evaluation.began_s.values()]
    ended = [e.began_s[step] + e.step_s[step] for e in evaluations for step in e.began_s]
    each = [1e3 * sum(steps[name] for name in names) / len(evaluations) for names in STEPS.values()]
    cells = [f"{len(evaluations) / (max(ended) - min(began)):.2f}", *(f"{ms:.0f}" for ms in each)]
    return f"| {size} | {len(evaluations)} | {' | '.join(cells)} | {behind_s / steps['time']:.0%} |"


def is_behind(evaluation: Evaluation) -> bool:
    """Whether a kernel was timed, and was clearly slower than the elite of its cell."""
    duel = evaluation.duel
    return evaluation.detail.startswith("not timed further") if duel is None else duel.ratio < BEHIND


if __name__ == "__main__":
    main()
