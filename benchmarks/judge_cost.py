"""What the steps against hidden cheats cost in evaluations per second.

Question: how many evaluations per second are lost through fresh secret inputs with secrets of their own, calls beside
the scored sizes, and the run in which basic blocks are counted?
Method: kernels that the schedule operator draws are evaluated by two judges in turn, one with and one without these
steps. Each judge has an archive of its own, so that the steps are made for the kernels that take a cell there. The
seconds are those of whole evaluations by one worker, without waiting for a lock. In a run with several workers the
counted run overlaps with compilations of other kernels. Draws without parents fill more empty cells than a run's
proposals do, so a run makes the steps for a smaller share of its kernels.

    python benchmarks/judge_cost.py [--kernels 60] [--size 384] [--threads 2]      # 2 minutes
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import numpy as np

from qdkernel.config import load_config
from qdkernel.core import Evaluation, Kernel, Outcome
from qdkernel.evaluators.measurement import new_generator
from qdkernel.evaluators.pipeline import EvaluationContext, SharedScratch, evaluate
from qdkernel.mutators import MUTATORS, Brief
from qdkernel.search import RunEnvironment, open_environment

CONFIG = Path(__file__).parent.parent / "configs" / "gemm.yaml"
JUDGES = ("with", "without")
PIPELINE = "qdkernel.evaluators.pipeline"


def main() -> None:
    """Prints a table in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kernels", type=int, default=60)
    parser.add_argument("--size", type=int, default=384)
    parser.add_argument("--threads", type=int, default=2)
    given = parser.parse_args()
    config = load_config(CONFIG, [f"sizes=[{given.size}]", f"threads={given.threads}"])
    say = functools.partial(print, file=sys.stderr)
    with contextlib.ExitStack() as stack:
        places = [stack.enter_context(open_environment(config, say)) for _ in JUDGES]
        contexts = [stack.enter_context(contextlib.closing(EvaluationContext(place.spec))) for place in places]
        seconds: dict[str, list[float]] = {judge: [] for judge in JUDGES}
        observed: Counter[str] = Counter()
        for number, kernel in enumerate(draws(places[0], given.kernels + 1)):
            for at in (0, 1) if number % 2 else (1, 0):
                with contextlib.nullcontext() if at == 0 else without_steps():
                    begin = time.monotonic()
                    evaluation = evaluate(contexts[at], kernel)
                    took_s = time.monotonic() - begin - evaluation.step_s.get("wait", 0.0)
                place_in_cell(contexts[at], kernel, evaluation)
                if number:  # the first evaluation of a judge starts its baseline
                    seconds[JUDGES[at]].append(took_s)
                    observed[JUDGES[at]] += "observe" in evaluation.step_s
    report(seconds, observed)


def draws(place: RunEnvironment, number: int) -> list[Kernel]:
    """Kernels of the schedule template."""
    rng, timing = np.random.default_rng(1), place.timing
    brief = Brief(place.problem, place.machine, timing.threads, timing.sizes, {}, parent=None, target=None)
    proposals = [MUTATORS["schedule"]().propose(brief, rng) for _ in range(number)]
    return [proposal.kernel for proposal in proposals if proposal is not None]


@contextlib.contextmanager
def without_steps() -> Iterator[None]:
    """Evaluations inside make none of the steps, and all inputs and secrets of a thread come from one generator."""
    kept = threading.local()

    def one_generator() -> np.random.Generator:
        rng: np.random.Generator = kept.__dict__.setdefault("rng", new_generator())
        return rng

    with (
        mock.patch("qdkernel.evaluators.measurement.buffers.new_generator", one_generator),
        mock.patch(f"{PIPELINE}.timing.challenger.check_unannounced", return_value=0),
        mock.patch(f"{PIPELINE}.evaluate._observed_behaviour", lambda _, builder, *__: builder.behaviour),
    ):
        yield


def place_in_cell(context: EvaluationContext, kernel: Kernel, evaluation: Evaluation) -> None:
    """Gives the kernel its cell if that is empty, or if it has won the duel for it."""
    scratch: SharedScratch = context.scratch
    if evaluation.outcome is not Outcome.OK or evaluation.cell is None or evaluation.objective is None:
        return
    won = evaluation.duel is not None and context.timer.spec.is_won(evaluation.duel)
    if won or scratch.incumbent(evaluation.cell) is None:
        scratch.set_incumbent(evaluation.cell, kernel, evaluation.objective)


def report(seconds: dict[str, list[float]], observed: Counter[str]) -> None:
    """Prints evaluations per second of both judges, and the loss with its bootstrap interval."""
    taken = np.array([seconds[judge] for judge in JUDGES])
    print("| judge | evaluations per second | evaluations with a counted run |\n|---|---|---|")
    for judge, row in zip(JUDGES, taken, strict=True):
        print(f"| {judge} these steps | {1 / row.mean():.2f} | {observed[judge]} of {len(row)} |")
    resampled = taken[:, np.random.default_rng(1).integers(taken.shape[1], size=(2000, taken.shape[1]))].mean(axis=2)
    low, high = np.quantile(1 - resampled[1] / resampled[0], (0.025, 0.975))
    print(f"\nLoss: {1 - taken[1].mean() / taken[0].mean():.1%} [{low:.1%}, {high:.1%}] (aim: at most 10 %)")


if __name__ == "__main__":
    main()
