"""How long ``qdkernel --help`` takes.

Question: does help answer in under 0.3 s?
Method: ten fresh processes; the median of their wall times.

    python benchmarks/startup.py
"""

from __future__ import annotations

import subprocess
import sys
import time

import numpy as np


def main() -> None:
    """Times and prints."""
    times = []
    for _ in range(10):
        start = time.monotonic()
        subprocess.run([sys.executable, "-m", "qdkernel", "--help"], check=True, capture_output=True)
        times.append(time.monotonic() - start)
    print(f"qdkernel --help: median {np.median(times):.3f} s, fastest {min(times):.3f} s")


if __name__ == "__main__":
    main()
