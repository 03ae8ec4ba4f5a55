"""How much of the archive is filled within a number of evaluations.

Question: which share of the reachable cells holds an elite after 400 evaluations from the naive seed?
Method: one run through the command line; cells are counted from the run's log.

    python benchmarks/cells_filled.py [--evaluations 400] [--size 256] [--seed 0]
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

from qdkernel.core import AXES, reachable_cells
from qdkernel.machine import this_machine
from qdkernel.runs import RunFolder, elites

CONFIG = Path(__file__).parent.parent / "configs" / "gemm.yaml"


def main() -> None:
    """Runs and prints coverage over time, and the levels that stay empty."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--evaluations", type=int, default=400)
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder) / "run"
        settings = [f"sizes=[{given.size}]", "budget.minutes=null", f"budget.evaluations={given.evaluations}"]
        settings.append(f"seed={given.seed}")
        command = [sys.executable, "-m", "qdkernel", "evolve", str(CONFIG), "--out", str(run)]
        subprocess.run([*command, *(part for s in settings for part in ("--set", s))], check=True)
        report(run)


def report(run: Path) -> None:
    """Prints how the archive filled."""
    with RunFolder.open(run) as folder:
        records = list(folder.evaluations.records())
    reachable = set(reachable_cells(this_machine().simd_widths))
    for upto in sorted({100, 200, 300, len(records)}):
        filled = set(elites(records[:upto])) & reachable
        print(f"{upto:5} evaluations: {len(filled)} of {len(reachable)} cells, {len(filled) / len(reachable):.0%}")
    aimed = [(r.proposal.target, r.evaluation.cell) for r in records if r.proposal.target and r.evaluation.cell]
    print(f"targets hit: {sum(t == c for t, c in aimed)} of {len(aimed)} measured proposals that had one")
    print("outcomes:", dict(Counter(str(r.evaluation.outcome) for r in records)))
    empty = reachable - set(elites(records))
    for axis, spec in enumerate(AXES):
        counts = Counter(spec.levels[cell[axis]] for cell in empty)
        print(f"empty by {spec.name}: {dict(counts)}")


if __name__ == "__main__":
    main()
