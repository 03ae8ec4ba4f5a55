"""Whether elites keep their promise.

Question: timed again in fresh processes, how far are elites from the objective that the archive holds for them?
Method: ``qdkernel bench`` over all elites of a run; an elite keeps its promise when it is within 5 %.

    python benchmarks/revalidate.py RUN [TOP]      # TOP: only that many, fastest first; about a second each
"""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np


def main() -> None:
    """Times again and prints the share within 5 % and the spread."""
    command = [sys.executable, "-m", "qdkernel", "bench", sys.argv[1], "--top", *(sys.argv[2:] or ["1000"]), "--json"]
    found = json.loads(subprocess.run(command, check=False, capture_output=True, text=True).stdout)
    change = np.array([elite["gflops"] / elite["held_gflops"] - 1 for elite in found["elites"]])
    print(f"{change.size} elites: {np.mean(np.abs(change) <= 0.05):.1%} within 5 % of the archive's objective")
    print(
        "change, quantiles 0 5 25 50 75 95 100 %:",
        np.round(np.quantile(change, (0, 0.05, 0.25, 0.5, 0.75, 0.95, 1)), 3),
    )
    for elite in sorted(found["elites"], key=lambda e: -abs(e["gflops"] / e["held_gflops"] - 1))[:10]:
        print(f"  {elite['cell']:40} held {elite['held_gflops']:8.2f}  now {elite['gflops']:8.2f}")


if __name__ == "__main__":
    main()
