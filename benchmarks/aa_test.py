"""Whether a kernel can take its own cell by luck.

Question: when challenger and holder are the same kernel, how often is the holder replaced?
Method: a kernel holds its cell, and copies of it that differ in a comment challenge it one after the other, through the
whole evaluation and the archive's own rule; nothing tells the evaluator that they are duplicates. The rule asks for a
95 % interval of the ratio above 1 and a ratio above 1 plus the tie width, so at most 2.5 % may win; the tie width makes
it fewer.

    python benchmarks/aa_test.py KERNEL.c [CHALLENGES] [CONFIG]     # e.g. a file of elites/; default: 200, gemm.yaml
"""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path

import numpy as np

from qdkernel.archives import Entry, KernelArchive
from qdkernel.config import load_config
from qdkernel.core import Evaluation, Kernel, Placement
from qdkernel.evaluators.pipeline import EvaluationContext
from qdkernel.evaluators.pipeline.evaluate import evaluate
from qdkernel.search import open_environment

NOMINAL = 0.025


def main() -> None:
    """Prints how many challenges were won, and how the ratios spread."""
    source = Path(sys.argv[1]).read_text(encoding="utf-8")
    challenges = int(sys.argv[2]) if len(sys.argv) > 2 else 200
    config = load_config(Path(sys.argv[3] if len(sys.argv) > 3 else "configs/gemm.yaml"))
    with open_environment(config, lambda text: print(text, file=sys.stderr)) as place:
        bench = EvaluationContext(place.spec)
        try:
            report(challenge(bench, source, challenges, config.timing.tie))
        finally:
            bench.close()


def challenge(bench: EvaluationContext, source: str, challenges: int, tie: float) -> list[tuple[Placement, Evaluation]]:
    """What the archive did with each copy; the original stays the holder whatever happens."""
    original = Kernel(source)
    first = evaluate(bench, original)
    if first.cell is None or first.objective is None:
        raise SystemExit(f"the kernel ended {first.outcome.value}: {first.detail}")
    bench.scratch.set_incumbent(first.cell, original, first.objective)
    found = []
    for number in range(challenges):
        archive = KernelArchive([first.cell], tie)
        archive.put(Entry(first.cell, original.id, first.objective))
        evaluation = evaluate(bench, Kernel(f"{source}/* copy {number} */\n"))
        found.append((archive.offer(evaluation), evaluation))
        bench.scratch.forget(evaluation.kernel_id)
    return found


def report(found: list[tuple[Placement, Evaluation]]) -> None:
    """Wins among the duels, and the quantiles of their ratios."""
    duels = [evaluation.duel for _, evaluation in found if evaluation.duel]
    wins = sum(placement is Placement.IMPROVED for placement, _ in found)
    print(f"{len(found)} challenges, {len(duels)} duels:", dict(Counter(p.value for p, _ in found)))
    print(f"holder replaced {wins} times: {wins / len(found):.1%} (nominal: at most {NOMINAL:.1%})")
    if duels:
        ratios = np.array([duel.ratio for duel in duels])
        above = np.mean([duel.low > 1 for duel in duels])
        print(f"interval above 1 in {above:.1%} of the duels (nominal {NOMINAL:.1%})")
        print("ratio, quantiles 0 5 50 95 100 %:", np.round(np.quantile(ratios, (0, 0.05, 0.5, 0.95, 1)), 4))


if __name__ == "__main__":
    main()
