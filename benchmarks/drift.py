"""Whether an archive gets better on paper while its kernels stay the same.

Question: if proposals change nothing that matters, does the best objective creep upwards, fed by lucky measurements?
Method: a run of its own with a neutral mutator: first it renames variables, which must all be recognised as
duplicates; then it changes a constant on a path that is never taken, so that every proposal is another machine code
of the same speed and is evaluated, timed and set against the holder in full. The best objective may not rise by more
than 1 % from the first measurement to the end, the last look included.

    python benchmarks/drift.py KERNEL.c [PROPOSALS] [CONFIG]     # e.g. a file of elites/; default: 200, gemm.yaml
"""

from __future__ import annotations

import re
import sys
from collections import Counter
from pathlib import Path

import numpy as np

from qdkernel.archives import KernelArchive
from qdkernel.config import Config, load_config
from qdkernel.core import Evaluation, Kernel, Placement
from qdkernel.evaluators.pipeline import EvaluationTask, perform
from qdkernel.search import RunEnvironment, open_environment

BOUND = 0.01


def main() -> None:
    """Prints how renames ended, who held the cell, and how far the best moved."""
    source = Path(sys.argv[1]).read_text(encoding="utf-8")
    proposals = int(sys.argv[2]) if len(sys.argv) > 2 else 200
    config = load_config(Path(sys.argv[3] if len(sys.argv) > 3 else "configs/gemm.yaml"))
    with open_environment(config, lambda text: print(text, file=sys.stderr)) as place:
        drift(place, config, source, proposals)


def drift(place: RunEnvironment, config: Config, source: str, proposals: int) -> None:
    """Runs both halves."""
    archive = KernelArchive([], config.timing.tie)
    first = perform(EvaluationTask(place.spec, Kernel(source)))
    if first.cell is None or first.objective is None:
        raise SystemExit(f"the kernel ended {first.outcome.value}: {first.detail}")
    fold(place, archive, Kernel(source), first)
    renamed = [offer(place, archive, renames(source, number)) for number in range(20)]
    print("renames:", dict(Counter(evaluation.outcome.value for _, evaluation in renamed)))
    neutral = [offer(place, archive, cold_path(source, number)) for number in range(proposals)]
    print("neutral:", dict(Counter(placement.value for placement, _ in neutral)))
    speeds = [e.objective for _, e in neutral if e.objective is not None and e.cell == first.cell]
    incumbent = archive.get(first.cell)
    assert incumbent is not None
    looked = perform(EvaluationTask(place.spec, Kernel(place.scratch.source(incumbent.kernel_id)), again=True))
    held = max(incumbent.objective, looked.objective or 0.0)
    middle = float(np.median(speeds))
    print(f"median of {len(speeds)} proposals {middle:.2f} GFLOP/s, spread (5 to 95 %)", end=" ")
    print(np.round(np.quantile(speeds, (0.05, 0.95)) / middle - 1, 3))
    print(f"first {first.objective:.2f}, held {incumbent.objective:.2f}, after the second look {held:.2f}")
    print(f"drift since the first measurement: {held / first.objective - 1:+.2%} (bound {BOUND:+.0%})")
    print(f"held above the median of its equals, the luck of one measurement: {held / middle - 1:+.2%}")


def offer(place: RunEnvironment, archive: KernelArchive, source: str) -> tuple[Placement, Evaluation]:
    """Evaluates a proposal and folds it, once more when its cell has changed hands meanwhile."""
    kernel = Kernel(source)
    evaluation = perform(EvaluationTask(place.spec, kernel))
    return fold(place, archive, kernel, evaluation), evaluation


def fold(place: RunEnvironment, archive: KernelArchive, kernel: Kernel, evaluation: Evaluation) -> Placement:
    """As the loop does it."""
    placement = archive.offer(evaluation)
    if placement.placed and evaluation.cell and evaluation.objective:
        place.scratch.set_incumbent(evaluation.cell, kernel, evaluation.objective)
    for code in (evaluation.normal_hash, evaluation.object_hash):
        if code:
            place.scratch.add_known(code, evaluation.kernel_id)
    return placement


def renames(source: str, number: int) -> str:
    """The kernel with other names for its loop variables, and another comment."""
    for name in ("i", "j", "p", "r", "v"):
        source = re.sub(rf"\b{name}\b", f"{name}_{number}", source)
    return f"/* renamed, number {number} */\n{source}"


def cold_path(source: str, number: int) -> str:
    """The kernel with a test at its entry that never holds, and whose constant differs from proposal to proposal."""
    head = re.search(r"^void \w+\([^)]*\)\s*\{\n", source, re.MULTILINE)
    if head is None:
        raise SystemExit("no definition of the problem's function found")
    test = f"    if (m == {-1000 - number})\n        return; /* never: sizes are not negative */\n"
    return source[: head.end()] + test + source[head.end() :]


if __name__ == "__main__":
    main()
