"""How fast are the kernels that a run without a model breeds, over the library?

Question: for every problem with a schedule template, how does the best elite of a short search compare with the
baseline (OpenBLAS where it has the routine, else hand-written code), and where memory is the limit, with triad?
Method: one search after the other (a series of ``qdkernel evolve``), with the built-in operators only, at the sizes
that each problem scores by default. Then the best elites are timed again in fresh processes, interleaved with the
baseline, every result checked: one visit of each problem after the other, so that what disturbs the host for a while
meets all of them. A ratio is the time of the baseline divided by that of the elite. GFLOP/s and GB/s are those of the
visit's calls, by the problem's convention. Where memory is the limit, triad is measured before and after a visit. When
the two differ by more than a tenth, the host's bandwidth changed meanwhile, and the visit is made again; after three
such visits there is no share of triad. A row has the medians of its visits and the range of their ratios. The table is
printed in Markdown.

    python benchmarks/library.py [--problems daxpy ddot] [--seconds 60] [--threads 2] [--visits 3] [--out FOLDER]

A problem takes some 11 s beside its search and 10 s for each visit: with ``--seconds 12 --visits 1`` the 38 problems
with a template take 21 minutes. The same command goes on where it was cut, and with more visits it adds these.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import qdkernel
from qdkernel.core import geometric_mean
from qdkernel.evaluators.measurement.peaks import FLAGS, compile_peaks, triad_bytes
from qdkernel.evaluators.toolchain import find_toolchain
from qdkernel.machine import memory_bytes, this_machine
from qdkernel.mutators.schedule import TEMPLATES
from qdkernel.problems import PROBLEMS, find_problem
from qdkernel.runs import MachineFacts

CONFIG = """\
problems: [{problems}]
sizes: auto
threads: {threads}
seed: {seed}
budget: {{minutes: {minutes:.4f}}}
timing: {{remeasure: false, held_out: 0}}
mutators:
  - {{name: schedule, weight: 3}}
  - {{name: tune, weight: 1}}
"""


_TRIES = 3
_STEADY = 1.1  # of two measurements of triad


@dataclass
class Row:
    """A problem's run, and what each visit measured of its best elite."""

    problem: str
    run: Path
    cell: str = ""
    ratios: list[float] = field(default_factory=list)
    gflops: list[float] = field(default_factory=list)
    gbytes_per_s: list[float] = field(default_factory=list)
    shares: list[float] = field(default_factory=list)  # of triad


Visit = dict[str, str | float]
"""What one visit measured, a line of ``visits.jsonl``."""


def main() -> None:
    """Searches, times the best elites again, and prints a row for each problem and the geometric means."""
    parser = settings(__doc__, list(TEMPLATES), Path("runs/library-benchmark"))
    parser.add_argument("--visits", type=int, default=3, help="how often each best elite is timed again")
    given = parser.parse_args()
    search(given)
    rows = {problem: Row(problem, given.out / "runs" / problem) for problem in given.problems}
    with tempfile.TemporaryDirectory() as folder:
        visit(rows, given.visits, given.out / "visits.jsonl", Triad(Path(folder), given.threads))
    print("\n".join(table(list(rows.values()))))


def settings(doc: str | None, problems: Sequence[str], out: Path) -> argparse.ArgumentParser:
    """The options of a benchmark that searches several problems, with its defaults."""
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--problems", nargs="+", default=problems, choices=list(PROBLEMS), metavar="NAME")
    parser.add_argument("--seconds", type=float, default=60, help="of search for each problem")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=out, help=f"folder of runs and results; {out} by default")
    return parser


def search(given: argparse.Namespace) -> None:
    """Runs the searches that have not ended yet; a problem whose search fails has no run."""
    given.out.mkdir(parents=True, exist_ok=True)
    config = given.out / "library.yaml"
    text = CONFIG.format(
        problems=", ".join(given.problems), threads=given.threads, seed=given.seed, minutes=given.seconds / 60
    )
    if config.exists() and config.read_text(encoding="utf-8") != text:
        raise SystemExit(f"{given.out} holds searches with other settings ({config}); choose another --out")
    config.write_text(text, encoding="utf-8")
    command = ["evolve", str(config), "--out", str(given.out / "runs"), "--resume"]
    done = subprocess.run([sys.executable, "-m", "qdkernel", *command], stdout=subprocess.DEVNULL, check=False)
    if done.returncode not in (0, 1):
        raise SystemExit(f"interrupted; the same command goes on (qdkernel evolve ended with {done.returncode})")


class Triad:
    """The package's measurement of STREAM triad, built once.

    Args:
        folder: for the program.
        threads: that stream together.
    """

    def __init__(self, folder: Path, threads: int) -> None:
        machine = this_machine()
        flags = machine.compiler_flags(FLAGS)
        self._program = compile_peaks(find_toolchain("gcc", flags), folder, flags)
        self._bytes = triad_bytes(machine, memory_bytes())
        self._environment = {"OMP_NUM_THREADS": str(threads), "OMP_PROC_BIND": "true"}

    def gbytes_per_s(self) -> float:
        """The best of its passes within a second."""
        command = [str(self._program), "1", "1", str(self._bytes)]
        done = subprocess.run(command, capture_output=True, text=True, check=True, env=self._environment)
        found = json.loads(done.stdout)["triad"]
        return float(max(found["plain"], found["non_temporal"] or 0.0))


def visit(rows: dict[str, Row], visits: int, kept: Path, triad: Triad) -> None:
    """Times the best elites until each has its visits; every visit is kept in a file as soon as it is made."""
    for line in kept.read_text(encoding="utf-8").splitlines() if kept.exists() else []:
        take(rows, json.loads(line))
    for number in range(1, visits + 1):
        for row in rows.values():
            if len(row.ratios) < number and (measured := measure(row, triad)) is not None:
                take(rows, measured)
                with kept.open("a", encoding="utf-8") as file:
                    file.write(json.dumps(measured) + "\n")


def take(rows: dict[str, Row], measured: Visit) -> None:
    """A visit into the row of its problem."""
    row = rows[str(measured["problem"])]
    row.cell = str(measured["cell"])
    row.ratios.append(float(measured["ratio"]))
    row.gflops.append(float(measured["gflops"]))
    row.gbytes_per_s.append(float(measured["gbytes_per_s"]))
    if "of_triad" in measured:
        row.shares.append(float(measured["of_triad"]))


def measure(row: Row, triad: Triad) -> Visit | None:
    """A visit, with the share of triad where memory is the limit and did not change its speed meanwhile."""
    if not find_problem(row.problem).bandwidth_bound:
        return timed_again(row)
    for _ in range(_TRIES):
        before = triad.gbytes_per_s()
        if (measured := timed_again(row)) is None:
            return None
        after = triad.gbytes_per_s()
        if max(before, after) <= _STEADY * min(before, after):
            return {**measured, "of_triad": 2 * float(measured["gbytes_per_s"]) / (before + after)}
    return measured


def timed_again(row: Row) -> Visit | None:
    """The best elite of a run, timed once more; ``None``, with what the command says, when that fails."""
    once = ["bench", str(row.run), "--top", "1", "--repeats", "1", "--json"]
    done = subprocess.run([sys.executable, "-m", "qdkernel", *once], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        print(f"{row.problem}: {done.stderr.strip()}", file=sys.stderr)
        return None
    elite = json.loads(done.stdout)["elites"][0]
    known, call_ns = find_problem(row.problem), elite["sizes"][0]["median_ns"]
    case = known.scored_case(qdkernel.open_run(row.run).facts.baseline[0].size)
    return {
        "problem": row.problem,
        "cell": elite["cell"],
        "ratio": elite["ratio"],
        "gflops": known.flops(case) / call_ns,
        "gbytes_per_s": known.bytes(case) / call_ns,
    }


def table(rows: Sequence[Row]) -> Iterator[str]:
    """The machine, every row, then the geometric means of all ratios and of the shares of triad; Markdown."""
    timed = [row for row in rows if row.ratios]
    if timed:
        yield machine_line(qdkernel.open_run(timed[0].run).facts) + "\n"
    yield "| problem | of baseline [range] | GFLOP/s | GB/s | of triad | cell | baseline |"
    yield "|---|---|---|---|---|---|---|"
    shares = []
    for row in rows:
        if not row.ratios:
            yield f"| {row.problem} | could not be timed | | | | | |"
            continue
        of_triad = ""
        if row.shares:
            shares.append(statistics.median(row.shares))
            of_triad = f"{shares[-1]:.0%}"
        ratio = f"{statistics.median(row.ratios):.3f} [{min(row.ratios):.3f}, {max(row.ratios):.3f}]"
        speeds = f"{statistics.median(row.gflops):.2f} | {statistics.median(row.gbytes_per_s):.1f} | {of_triad}"
        baseline = qdkernel.open_run(row.run).facts.baseline_name
        yield f"| {row.problem} | {ratio} | {speeds} | {row.cell} | {baseline} |"
    if timed:
        mean = geometric_mean([statistics.median(row.ratios) for row in timed])
        yield f"\nGeometric mean of {len(timed)} problems: {mean:.3f} of the baseline."
    if shares:
        yield (f"Share of triad of {len(shares)} problems that memory bounds: least {min(shares):.0%}, "
               f"geometric mean {geometric_mean(shares):.0%}.")  # fmt: skip


def machine_line(facts: MachineFacts) -> str:
    """What the figures were measured on."""
    kind = " (virtual)" if facts.hypervisor else ""
    return f"{facts.cpu}{kind}, {facts.threads} threads, {facts.compiler['version']}."


if __name__ == "__main__":
    main()
