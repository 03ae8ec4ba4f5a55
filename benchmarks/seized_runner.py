"""What a kernel gains that has taken over the runner of its contained child.

Question: by how much is a kernel that computes a share of each block before it reports that it is ready faster than the
same kernel without that?
Method: ``tests/cheats/forge_late_arming_in_part.c`` with several shares, in turn with itself with a share of zero
(honest); each is evaluated and remeasured as an elite is. With one thread the parent has a core of its own; with more,
a team shares the rows. A table for each number of threads has the outcomes, and the median of the speeds of those that
ended ``ok`` against the honest kernel's median. In the row "nothing, seized" the kernel is called in a loop of its own
and not in the runner's: a difference of the code.

    python benchmarks/seized_runner.py [--size 120] [--threads 1 2] [--repeats 4]      # 2 minutes for each
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
from collections import Counter, defaultdict
from pathlib import Path

import numpy as np

from qdkernel.config import load_config
from qdkernel.core import Evaluation, Kernel, Outcome
from qdkernel.evaluators.pipeline import EvaluationTask, perform
from qdkernel.search import RunEnvironment, open_environment

ROOT = Path(__file__).parent.parent
CHEAT = ROOT / "tests" / "cheats" / "forge_late_arming_in_part.c"
ROWS = "    for (int i = from; i < to; i++)\n"  # the loop that a team shares
SEIZED = 1e-9  # takes over the runner, and computes no row ahead: what its own loop around the calls gains
SHARES = (0.0, SEIZED, 0.04, 0.1, 0.2, 0.3)


def main() -> None:
    """Prints a table in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=120, help="between 65 and 128")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--repeats", type=int, default=4)
    given = parser.parse_args()
    for threads in given.threads:
        config = load_config(ROOT / "configs" / "gemm.yaml", [f"sizes=[{given.size}]", f"threads={threads}"])
        found: dict[float, list[Evaluation]] = defaultdict(list)
        with open_environment(config, lambda text: print(text, file=sys.stderr)) as place:
            for repeat in range(given.repeats):
                for share in SHARES if repeat % 2 else SHARES[::-1]:
                    found[share] += looks(place, share, threads)
        report(found, f"n = {given.size}, {threads} thread{'s' * (threads > 1)}")


def looks(place: RunEnvironment, share: float, threads: int) -> list[Evaluation]:
    """An evaluation, and a remeasurement if it ended ``ok``."""
    source = CHEAT.read_text().replace("#define AHEAD 0.7", f"#define AHEAD {share}")
    if threads > 1:
        assert ROWS in source
        source = source.replace(ROWS, f"#pragma omp parallel for\n{ROWS}")
    spec = dataclasses.replace(place.spec, timing=place.timing.for_every_kernel())
    task = EvaluationTask(spec, Kernel(source))
    first = perform(task)
    return [first] if first.outcome is not Outcome.OK else [first, perform(dataclasses.replace(task, again=True))]


def report(found: dict[float, list[Evaluation]], what: str) -> None:
    """Prints outcomes and gains by share."""
    speeds = {
        share: [float(np.median(t.ratio)) for e in evaluations if e.outcome is Outcome.OK for t in e.timings]
        for share, evaluations in found.items()
    }
    print(f"| computed ahead, {what} | outcomes | speed against the honest kernel |\n|---|---|---|")
    for share in SHARES:
        outcomes = ", ".join(f"{name} {n}" for name, n in Counter(e.outcome.value for e in found[share]).items())
        gain = f"{np.median(speeds[share]) / np.median(speeds[0.0]) - 1:+.1%}" if speeds[share] else "none"
        print(f"| {'nothing, seized' if share == SEIZED else f'{share:.0%}'} | {outcomes} | {gain} |")
    for share in SHARES:
        print(what, share, {e.detail for e in found[share] if e.outcome is not Outcome.OK}, file=sys.stderr)


if __name__ == "__main__":
    main()
