"""Whether another process on the cores changes what the judge finds.

Question: beside a process that computes half of the time, in bursts of 1 ms to 10 s, on one core or on both, how many
honest kernels are accused or lost, and how far do speeds lie from those on quiet cores?
Method: kernels that the schedule operator prints are evaluated and remeasured on quiet cores, then again and again
without and beside the neighbour: each time a whole evaluation and two remeasurements, pooled as an elite's are.
`lost` counts evaluations; `within 5 %` compares pooled ratios to the baseline with those on quiet cores.

    python benchmarks/neighbour.py [--kernels 25] [--repeats 20] [--size 384] [--threads 2]
"""

from __future__ import annotations

import argparse
import contextlib
import multiprocessing
import os
import random
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from qdkernel.config import load_config
from qdkernel.core import Evaluation, Kernel, Measured, Outcome, geometric_mean, pooled
from qdkernel.evaluators.pipeline import EvaluationTask, perform
from qdkernel.mutators import MUTATORS, Brief
from qdkernel.search import RunEnvironment, open_environment

CONFIG = Path(__file__).parent.parent / "configs" / "gemm.yaml"
SHORTEST_S, LONGEST_S = 1e-3, 10.0
LOOKS = 2  # remeasurements of an elite


def main() -> None:
    """Prints outcomes and distances for a neighbour on one core and on all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kernels", type=int, default=25)
    parser.add_argument("--repeats", type=int, default=30, help="per kernel, a third without a neighbour")
    parser.add_argument("--size", type=int, default=384)
    parser.add_argument("--threads", type=int, default=2)
    given = parser.parse_args()
    config = load_config(CONFIG, [f"sizes=[{given.size}]", f"threads={given.threads}"])
    cores = sorted(os.sched_getaffinity(0))
    with open_environment(config, lambda text: print(text, file=sys.stderr)) as place:
        kernels = honest_kernels(place, given.kernels)
        quiet = {kernel.id: speed(look(place, kernel)) for kernel in kernels}
        outcomes: Counter[str] = Counter()
        distances = []
        for disturbed in ([], cores[-1:], cores):
            with neighbours(disturbed):
                for number in range(given.repeats // 3 * len(kernels)):
                    kernel = kernels[number % len(kernels)]
                    seen = look(place, kernel)
                    outcomes.update(evaluation.outcome.value for evaluation in seen[:1])
                    if (found := speed(seen)) and (known := quiet[kernel.id]):
                        distances.append(found / known - 1)
            report(f"{len(disturbed)} of {len(cores)} cores disturbed", outcomes, distances)
            outcomes.clear()
            distances.clear()


def honest_kernels(place: RunEnvironment, number: int) -> list[Kernel]:
    """Kernels of the schedule template that end ``ok`` and are not hopeless."""
    rng, timing = np.random.default_rng(1), place.timing
    brief = Brief(place.problem, place.machine, timing.threads, timing.sizes, {}, parent=None, target=None)
    found: list[Kernel] = []
    while len(found) < number:
        proposal = MUTATORS["schedule"]().propose(brief, rng)
        assert proposal is not None  # a matrix multiply has a template
        kernel = proposal.kernel
        evaluation = perform(EvaluationTask(place.spec, kernel))
        if evaluation.outcome is Outcome.OK and geometric_mean([t.ratio for t in evaluation.timings]) > 0.1:
            found.append(kernel)
    return found


def look(place: RunEnvironment, kernel: Kernel) -> list[Evaluation]:
    """An evaluation and the remeasurements that an elite gets."""
    tasks = [EvaluationTask(place.spec, kernel), *[EvaluationTask(place.spec, kernel, again=True)] * LOOKS]
    return [perform(task) for task in tasks]


def speed(evaluations: list[Evaluation]) -> float | None:
    """The pooled ratio to the baseline."""
    scores: list[Measured] = [evaluation.score for evaluation in evaluations if evaluation.score]
    return geometric_mean([timing.ratio for timing in pooled(scores).timings]) if scores else None


@contextlib.contextmanager
def neighbours(cores: list[int]) -> Iterator[None]:
    """A process on each of the cores that computes half of the time."""
    processes = [multiprocessing.Process(target=compute_in_bursts, args=(core,), daemon=True) for core in cores]
    for process in processes:
        process.start()
    try:
        yield
    finally:
        for process in processes:
            process.kill()
            process.join()


def compute_in_bursts(core: int) -> None:
    """Bursts whose lengths are spread evenly over their logarithm, with pauses as long."""
    os.sched_setaffinity(0, {core})
    rng = random.Random(core)
    while True:
        burst_s = SHORTEST_S * (LONGEST_S / SHORTEST_S) ** rng.random()
        end = time.monotonic() + burst_s
        while time.monotonic() < end:
            pass
        time.sleep(burst_s)


def report(title: str, outcomes: Counter[str], distances: list[float]) -> None:
    """Outcomes of evaluations, and how many pooled speeds lie within 5 % of quiet cores."""
    total = sum(outcomes.values())
    print(f"{title}: {total} evaluations", dict(outcomes))
    print(f"  accused {outcomes['implausible']}, lost {outcomes['lost'] / total:.1%} (aim: 0, at most 2 %)")
    if distances:
        within = np.mean(np.abs(distances) <= 0.05)
        quantiles = np.quantile(distances, (0.025, 0.25, 0.5, 0.75, 0.975))
        print(f"  within 5 % of quiet cores: {within:.1%} (aim: 95 %); quantiles {np.round(quantiles, 3)}")


if __name__ == "__main__":
    main()
