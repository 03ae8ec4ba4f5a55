"""How do I call a bred kernel from Python, and how fast is it beside numpy?

    python examples/use_an_elite.py RUN

Expected: the elite's cell, the largest difference to numpy's product (about 1e-12) and the milliseconds of both.
Takes a few seconds, most of them to verify_only the kernel correct again before it is loaded.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

import numpy as np

import qdkernel


def best_ms(call: Callable[[], object], repeats: int = 9) -> float:
    """The fastest of some calls, in milliseconds."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return 1e3 * min(times)


def main() -> None:
    """Loads the best elite of a dgemm run and multiplies with it."""
    dgemm = qdkernel.load(sys.argv[1])
    rng = np.random.default_rng(0)
    a, b, c = rng.random((500, 400)), rng.random((400, 600)), np.empty((500, 600))
    dgemm(a, b, c)
    print(f"{dgemm}: differs from numpy by {np.abs(c - a @ b).max():.1e} at most")
    print(f"elite {best_ms(lambda: dgemm(a, b, c)):.2f} ms, numpy {best_ms(lambda: a @ b):.2f} ms")


if __name__ == "__main__":
    main()
