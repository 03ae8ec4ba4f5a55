"""How fast are the kernels that a run starts from?

Question: of the first proposals of the schedule operator, which come from the analytical model and see no measurement,
how fast is the first and how fast the best, against OpenBLAS, from small to large and skinny products?
Method: the proposals of an empty archive are drawn, verified and timed as in a run: interleaved with OpenBLAS, every
timed result checked. Ratios are OpenBLAS time / kernel time, medians with their 95 % intervals. A kernel that ends
other than ``ok`` is named. ``QDKERNEL_ISA=avx2`` lowers both sides, OpenBLAS to its kernels for Haswell and Zen.

    python benchmarks/template_start.py [--rows 0 1 2] [--draws 20] [--seed 0] [--problem dgemm]
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterator

import numpy as np

from qdkernel.config import BudgetConfig, Config
from qdkernel.core import Kernel, Timing
from qdkernel.evaluators.pipeline import EvaluationTask, perform
from qdkernel.mutators import Brief
from qdkernel.mutators.schedule import ScheduleMutator
from qdkernel.search import RunEnvironment, open_environment

ROWS: tuple[tuple[tuple[int, int, int], int], ...] = (
    ((64, 64, 64), 1),
    ((128, 128, 128), 1),
    ((256, 256, 256), 2),
    ((384, 384, 384), 2),
    ((512, 512, 512), 1),
    ((1024, 1024, 1024), 2),
    ((2048, 2048, 2048), 2),
    ((64, 2048, 512), 2),
    ((96, 96, 8192), 2),
    ((2000, 16, 2000), 2),
    ((1000, 1000, 1000), 1),
    ((1000, 1000, 1000), 2),
)
"""m, n, k and threads."""


def main() -> None:
    """Prints a line per row and the geometric mean."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, nargs="+", default=range(len(ROWS)), help="numbers of rows; default: all")
    parser.add_argument("--draws", type=int, default=20, help="different proposals per row")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--problem", choices=("dgemm", "sgemm"), default="dgemm")
    given = parser.parse_args()
    best = []
    for number in given.rows:
        (m, n, k), threads = ROWS[number]
        config = Config(
            problem=given.problem,
            sizes=({"m": m, "n": n, "k": k},),
            threads=threads,
            budget=BudgetConfig(evaluations=1),
        )
        with open_environment(config, lambda _: None) as place:
            found = list(_timed(place, given.draws, np.random.default_rng(given.seed)))
        if not found:
            raise SystemExit(f"{m} x {n} x {k}: no proposal could be timed")
        fastest, idea = max(found, key=lambda each: each[0].ratio)
        best.append(fastest.ratio)
        print(
            f"{m:4} x {n:4} x {k:4}, {threads} threads: first {found[0][0].ratio:.3f}, best of {len(found)} "
            f"{fastest.ratio:.3f} [{fastest.ratio_low:.3f}, {fastest.ratio_high:.3f}], "
            f"{fastest.gflops:.1f} GFLOP/s: {idea}",
            flush=True,
        )
    print(f"geometric mean of the best: {math.exp(np.log(best).mean()):.3f}")


def _timed(place: RunEnvironment, draws: int, rng: np.random.Generator) -> Iterator[tuple[Timing, str]]:
    """Timing and idea of the proposals that end ``ok``."""
    brief = Brief(place.problem, place.machine, place.timing.threads, place.timing.sizes, {}, None, None)
    seen: set[str] = set()
    for _ in range(10 * draws):
        proposal = ScheduleMutator().propose(brief, rng)
        if proposal is None or proposal.kernel.id in seen:
            continue
        seen.add(proposal.kernel.id)
        evaluation = perform(EvaluationTask(place.spec, Kernel(proposal.kernel.source)))
        if evaluation.timings:
            yield evaluation.timings[0], proposal.idea
        else:
            print(f"  {proposal.idea}: {evaluation.outcome.value}: {evaluation.detail}")
        if len(seen) == draws:
            return


if __name__ == "__main__":
    main()
