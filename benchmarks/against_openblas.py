"""How the best bred kernel compares with OpenBLAS.

Question: from the naive seed, with the built-in operators only, how close does the best elite come to OpenBLAS within
three minutes, at n = 1024 with all cores and at n = 512 with one thread?
Method: one run for each; then the best elites are timed again in fresh processes, interleaved with OpenBLAS
(``qdkernel bench``). The ratio is OpenBLAS time / kernel time, the median over the rounds, with its 95 % interval.

    python benchmarks/against_openblas.py [--minutes 3] [--keep DIR]
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

CONFIG = Path(__file__).parent.parent / "configs" / "gemm.yaml"
CASES = ({"sizes": "[1024]", "threads": "all"}, {"sizes": "[512]", "threads": "1"})


def main() -> None:
    """Runs both cases and prints a line for each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=3.0)
    parser.add_argument("--keep", type=Path, help="folder for the runs; default: a temporary one")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        root = given.keep or Path(temporary)
        for number, case in enumerate(CASES):
            run = root / f"case-{number}"
            settings = [
                f"budget.minutes={given.minutes}",
                "timing.remeasure=false",
                *(f"{key}={value}" for key, value in case.items()),
            ]
            command = [sys.executable, "-m", "qdkernel", "evolve", str(CONFIG), "--out", str(run)]
            subprocess.run([*command, *(part for s in settings for part in ("--set", s))], check=True)
            command = [sys.executable, "-m", "qdkernel", "bench", str(run), "--top", "5", "--json"]
            found = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
            (root / f"case-{number}.json").write_text(json.dumps(found, indent=1))
            for elite in found["elites"]:
                low, high = elite["ratio_low"], elite["ratio_high"]
                print(
                    f"n = {case['sizes']}, threads {case['threads']}: {elite['ratio']:.3f} [{low:.3f}, {high:.3f}] of "
                    f"{found['baseline']['name']}, {elite['gflops']:.1f} GFLOP/s, {elite['cell']}"
                )


if __name__ == "__main__":
    main()
