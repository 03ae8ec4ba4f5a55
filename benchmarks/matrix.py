"""How close to OpenBLAS a short run comes, over sizes and shapes.

Question: from the naive seed, without a model, what do a few minutes of search reach at each scored size, and how many
kernels are evaluated meanwhile?
Method: for each row one run of the default configuration through the command line, then ``qdkernel bench`` of its best
elites in fresh processes; the best of them counts, with the interval of its ratio to the pinned baseline. Rows run one
after the other; nothing else should compute.

    python benchmarks/matrix.py [--minutes 2] [--isa avx2] [--rows 0,3,4] [--top 3]
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from qdkernel.core import geometric_mean
from qdkernel.machine import this_machine
from qdkernel.runs import RunFolder, elites

CONFIG = Path(__file__).parent.parent / "configs" / "gemm.yaml"


@dataclass(frozen=True)
class Row:
    """A scored size: extents and threads."""

    m: int
    n: int
    k: int
    threads: int

    @property
    def settings(self) -> list[str]:
        """What is set on the command line."""
        return [f"sizes=[{{m: {self.m}, n: {self.n}, k: {self.k}}}]", f"threads={self.threads}"]


ROWS = (
    Row(64, 64, 64, 1),
    Row(128, 128, 128, 1),
    Row(256, 256, 256, 2),
    Row(384, 384, 384, 2),
    Row(512, 512, 512, 1),
    Row(1024, 1024, 1024, 2),
    Row(2048, 2048, 2048, 2),
    Row(64, 2048, 512, 2),
    Row(96, 96, 8192, 2),
    Row(2000, 16, 2000, 2),
    Row(1000, 1000, 1000, 1),
)


def main() -> None:
    """Runs the rows and prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=2.0)
    parser.add_argument("--isa", choices=("sse2", "avx2", "avx512"), help="default: all that the host has")
    parser.add_argument("--rows", default="", help="numbers of rows, from 0; default: all")
    parser.add_argument("--top", type=int, default=3, help="elites that are timed again")
    given = parser.parse_args()
    chosen = [ROWS[int(at)] for at in given.rows.split(",")] if given.rows else ROWS
    machine = this_machine(given.isa)
    print(f"{machine.cpu}, {machine.cores} cores, {given.isa or 'all instructions'}, {given.minutes:g} minutes each")
    print(
        f"{'m':>5} {'n':>5} {'k':>5} {'threads':>7} {'evaluations':>11} {'a second':>8} {'cells':>5}  best / baseline"
    )
    ratios = []
    for row in chosen:
        with tempfile.TemporaryDirectory() as folder:
            ratios.append(run_row(row, given.minutes, given.isa, given.top, Path(folder) / "run"))
    print(f"geometric mean {geometric_mean(ratios):.3f}, least {min(ratios):.3f}")


def run_row(row: Row, minutes: float, isa: str | None, top: int, folder: Path) -> float:
    """Searches, times the best elites again, prints the row; the best ratio."""
    settings = [*row.settings, f"budget.minutes={minutes:g}", f"machine.isa={isa or 'null'}"]
    qdkernel(["evolve", str(CONFIG), "--out", str(folder), *(part for s in settings for part in ("--set", s))])
    with RunFolder.open(folder) as run:
        records = list(run.evaluations.records())
    per_second = len(records) / (60 * minutes)
    again = json.loads(qdkernel(["bench", str(folder), "--top", str(top), "--repeats", "2", "--json"]))
    best = max(again["elites"], key=lambda elite: elite["ratio"])
    print(
        f"{row.m:5} {row.n:5} {row.k:5} {row.threads:7} {len(records):11} {per_second:8.2f} {len(elites(records)):5}  "
        f"{best['ratio']:.3f} [{best['ratio_low']:.3f}, {best['ratio_high']:.3f}]",
        flush=True,
    )
    return float(best["ratio"])


def qdkernel(arguments: list[str]) -> str:
    """The output of a command; its progress is not shown."""
    done = subprocess.run(
        [sys.executable, "-m", "qdkernel", *arguments], check=False, capture_output=True, text=True, errors="replace"
    )
    if done.returncode:
        raise SystemExit(f"qdkernel {arguments[0]} failed:\n{done.stderr[-2000:]}")
    return done.stdout


if __name__ == "__main__":
    main()
