"""How fast are the kernels that a run without a model breeds, over the library?

Question: for every problem with a schedule template, how does the best elite of a short search compare with the
baseline (OpenBLAS where it has the routine, else hand-written code), and where memory is the limit, with triad?
The baseline of PolyBench's kernels (``--problems mm2 mvt ...``) is the naive one, compiled with the run's flags.
Method: one search after the other by the command line, with the built-in operators only, at the sizes that each
problem scores by default. Then the best elites are timed again in fresh processes, interleaved with the baseline, every
result checked: one visit of each problem after the other, so that what disturbs the host for a while meets all of them.
A ratio is the time of the baseline divided by that of the elite; a row has the median of the visits and their range.

    python benchmarks/library.py [--problems daxpy ddot] [--seconds 60] [--threads 2] [--visits 3] [--out FOLDER]
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

import qdkernel
from qdkernel.core import geometric_mean
from qdkernel.mutators.schedule import TEMPLATES
from qdkernel.problems import PROBLEMS, find_problem

CONFIG = """\
problem: {problem}
sizes: auto
threads: {threads}
seed: {seed}
budget: {{minutes: {minutes}}}
mutators:
  - {{name: schedule, weight: 3}}
  - {{name: tune, weight: 1}}
"""


@dataclass
class Row:
    """A problem's run, and what each visit measured of its best elite."""

    problem: str
    run: Path
    cell: str = ""
    ratios: list[float] = field(default_factory=list)
    gflops: list[float] = field(default_factory=list)


def main() -> None:
    """Searches, times the best elites again, and prints a row for each problem and the geometric means."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--problems", nargs="+", default=list(TEMPLATES), choices=list(PROBLEMS), metavar="NAME")
    parser.add_argument("--seconds", type=float, default=60, help="of search for each problem")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--visits", type=int, default=3, help="how often each best elite is timed again")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, help="folder of the runs; default: one that is removed afterwards")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = given.out or Path(scratch)
        rows = [search(problem, folder, given) for problem in given.problems]
        for _ in range(given.visits):
            for row in rows:
                visit(row)
        report(rows)


def search(problem: str, folder: Path, given: argparse.Namespace) -> Row:
    """The run of one problem."""
    folder.mkdir(parents=True, exist_ok=True)
    config, run = folder / f"{problem}.yaml", folder / problem
    text = CONFIG.format(problem=problem, threads=given.threads, seed=given.seed, minutes=given.seconds / 60)
    config.write_text(text, encoding="utf-8")
    command = [sys.executable, "-m", "qdkernel", "evolve", str(config), "--out", str(run)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return Row(problem, run)


def visit(row: Row) -> None:
    """Times the best elite of a run once more; an elite that fails is named by the command."""
    command = [sys.executable, "-m", "qdkernel", "bench", str(row.run), "--top", "1", "--repeats", "1", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        print(f"{row.problem}: {done.stderr.strip()}", file=sys.stderr)
        return
    elite = json.loads(done.stdout)["elites"][0]
    row.cell = elite["cell"]
    row.ratios.append(elite["ratio"])
    row.gflops.append(elite["gflops"])


def report(rows: list[Row]) -> None:
    """Every row, then the geometric means of all ratios and of the shares of triad."""
    measured = [row for row in rows if row.ratios]
    shares = [share for row in measured if (share := share_of_triad(row)) is not None]
    for row in rows:
        if not row.ratios:
            print(f"{row.problem:14} could not be timed")
            continue
        share = share_of_triad(row)
        ratio = f"{statistics.median(row.ratios):6.3f} [{min(row.ratios):.3f}, {max(row.ratios):.3f}]"
        of_triad = "" if share is None else f"{share:5.0%} of triad"
        print(f"{row.problem:14} {ratio} {statistics.median(row.gflops):8.2f} GFLOP/s {of_triad:13} {row.cell}")
    if measured:
        print(f"geometric mean of {len(measured)} problems: "
              f"{geometric_mean([statistics.median(row.ratios) for row in measured]):.3f}")  # fmt: skip
    if shares:
        print(f"share of triad of {len(shares)} problems that memory bounds: least {min(shares):.0%}, "
              f"geometric mean {geometric_mean(shares):.0%}")  # fmt: skip


def share_of_triad(row: Row) -> float | None:
    """GB/s of the best elite divided by those of triad; ``None`` for a problem that memory does not bound."""
    facts, problem = qdkernel.open_run(row.run).facts, find_problem(row.problem)
    if not problem.bandwidth_bound or not facts.triad_gbytes_per_s:
        return None
    case = problem.scored_case(facts.baseline[0].size)
    return statistics.median(row.gflops) * problem.bytes(case) / problem.flops(case) / facts.triad_gbytes_per_s


if __name__ == "__main__":
    main()
