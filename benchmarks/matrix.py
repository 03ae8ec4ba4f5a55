"""How close to OpenBLAS a short run comes, over sizes and shapes.

Question: from the naive seed, without a model, what does a short search reach at each scored size, and how many kernels
are evaluated meanwhile?
Method: for each row one run of the default configuration through the command line, then ``qdkernel bench`` of its best
elites in fresh processes; the best of them counts, with the interval of its ratio to the pinned baseline. As ``bench``
times the elites again, the runs do not. Rows run one after the other; nothing else should compute. A row takes some ten
seconds more than its search. With ``--out`` each finished row is kept there, and the same command goes on with the
rows that are missing. The table is Markdown.

    python benchmarks/matrix.py [--seconds 60] [--isa avx2] [--rows 0,3,4] [--top 5] [--out FOLDER]

``QDKERNEL_ISA=avx2`` before the command does what ``--isa avx2`` does.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from qdkernel.core import geometric_mean
from qdkernel.machine import this_machine
from qdkernel.runs import RunFolder, elites

CONFIG = Path(__file__).parent.parent / "configs" / "gemm.yaml"
HEADER = (
    "| m | n | k | threads | evaluations | a second | cells | best / baseline |\n"
    "|---|---|---|---|---|---|---|---|"
)  # fmt: skip


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

    @property
    def name(self) -> str:
        """Of the row's file."""
        return f"{self.m}-{self.n}-{self.k}-{self.threads}"


@dataclass(frozen=True)
class Reached:
    """What the search of a row came to; ``ratio`` is that of the best elite to the baseline, with its interval."""

    evaluations: int
    per_second: float
    cells: int
    ratio: float
    ratio_low: float
    ratio_high: float


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
    parser.add_argument("--seconds", type=float, default=60.0, help="of search for each row")
    parser.add_argument("--isa", choices=("sse2", "avx2", "avx512"), help="default: all that the host has")
    parser.add_argument("--rows", default="", help="numbers of rows, from 0; default: all")
    parser.add_argument("--top", type=int, default=5, help="elites that are timed again")
    parser.add_argument("--out", type=Path, help="folder for finished rows, to go on later; default: none are kept")
    given = parser.parse_args()
    chosen = [ROWS[int(at)] for at in given.rows.split(",")] if given.rows else ROWS
    machine = this_machine(given.isa)
    print(f"{machine.cpu}, {machine.cores} cores, {machine.isa or 'all instructions'}, {given.seconds:g} s each\n")
    print(HEADER)
    ratios = []
    for row, reached in rows(chosen, given.seconds, machine.isa, given.top, given.out):
        ratios.append(reached.ratio)
        print(
            f"| {row.m} | {row.n} | {row.k} | {row.threads} | {reached.evaluations} | {reached.per_second:.2f} | "
            f"{reached.cells} | {reached.ratio:.3f} [{reached.ratio_low:.3f}, {reached.ratio_high:.3f}] |",
            flush=True,
        )
    print(f"\nGeometric mean {geometric_mean(ratios):.3f}, least {min(ratios):.3f}.")


def rows(
    chosen: Sequence[Row], seconds: float, isa: str | None, top: int, out: Path | None
) -> Iterator[tuple[Row, Reached]]:
    """Each row with what its search reached: as kept in ``out``, or found now and kept there."""
    for row in chosen:
        kept = out and out / f"{row.name}-{isa or 'all'}-{seconds:g}s.json"
        if kept and kept.exists():
            yield row, Reached(**json.loads(kept.read_text()))
            continue
        with tempfile.TemporaryDirectory() as folder:
            reached = search(row, seconds, isa, top, Path(folder) / "run")
        if kept:
            kept.parent.mkdir(parents=True, exist_ok=True)
            kept.write_text(json.dumps(asdict(reached), indent=1) + "\n")
        yield row, reached


def search(row: Row, seconds: float, isa: str | None, top: int, folder: Path) -> Reached:
    """Searches, and times the best elites again."""
    settings = [*row.settings, f"budget.minutes={seconds / 60:.4g}", f"machine.isa={isa or 'null'}"]
    settings += ["timing.remeasure=false", "timing.held_out=0", "models=[]"]
    qdkernel(["evolve", str(CONFIG), "--out", str(folder), *(part for s in settings for part in ("--set", s))])
    with RunFolder.open(folder) as run:
        records = list(run.evaluations.records())
    again = json.loads(qdkernel(["bench", str(folder), "--top", str(top), "--repeats", "2", "--json"]))
    best = max(again["elites"], key=lambda elite: elite["ratio"])
    return Reached(
        evaluations=len(records),
        per_second=len(records) / seconds,
        cells=len(elites(records)),
        ratio=best["ratio"],
        ratio_low=best["ratio_low"],
        ratio_high=best["ratio_high"],
    )


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
