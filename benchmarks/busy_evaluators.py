"""Whether evaluators wait for models.

Question: with a model that takes two seconds to answer and eight requests at once, how busy are the evaluators?
Method: a run of model operators only (``rewrite`` and ``edit``) against the test suite's server, which answers every
request after two seconds with another correct kernel; a worker is busy from the first step of an evaluation to the end
of its last, waiting for the cores included.

    python benchmarks/busy_evaluators.py [MINUTES]      # from the root of a checkout with '.[test]' installed
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from qdkernel.runs import RunFolder

LATENCY_S, PARALLEL = 2.0, 8


def main() -> None:
    """Prints the share of time in which evaluators were busy."""
    minutes = float(sys.argv[1]) if len(sys.argv) > 1 else 1.0
    server = subprocess.Popen(
        [sys.executable, "-m", "tests.llm_server", "--script", "kernels", "--latency", str(LATENCY_S)],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert server.stdout is not None
        url = server.stdout.readline().split()[-1]
        with tempfile.TemporaryDirectory() as folder:
            run = Path(folder) / "run"
            evolve(run, url, minutes)
            report(run)
    finally:
        server.terminate()
        server.wait()


def evolve(run: Path, url: str, minutes: float) -> None:
    """A run whose only operators ask the model."""
    settings = (
        f"models=[{{name: scripted, model: scripted, base_url: '{url}', parallel: {PARALLEL}}}]",
        "mutators=[{name: rewrite}, {name: edit}]",
        "sizes=[256]",
        f"budget.minutes={minutes}",
        "timing.remeasure=false",
        "llm.reflect_every=null",
        "llm.revise_every=null",
    )
    pairs = [part for setting in settings for part in ("--set", setting)]
    command = [sys.executable, "-m", "qdkernel", "evolve", "configs/gemm.yaml", "--out", str(run), *pairs]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def report(run: Path) -> None:
    """Busy time over all workers, from the first evaluation of a model's proposal to the last."""
    with RunFolder.open(run) as folder:
        evaluations = [r.evaluation for r in folder.evaluations.records() if r.conversation_id is not None]
        cores = int(folder.facts.cores or 1)
    spans = []
    for evaluation in evaluations:
        ends = [start + evaluation.step_s[step] for step, start in evaluation.began_s.items()]
        spans.append((min(evaluation.began_s.values()), max(ends)))
    first, last = min(start for start, _ in spans), max(end for _, end in spans)
    busy = sum(end - start for start, end in spans) / (cores * (last - first))
    print(f"{len(spans)} proposals of the model in {last - first:.0f} s: {len(spans) / (last - first):.1f} per second")
    print(f"evaluators busy {busy:.0%} of the time ({cores} workers)")
    print("outcomes", sorted({e.outcome.value for e in evaluations}))


if __name__ == "__main__":
    main()
