"""How long the report of a long run takes, how large it is, and how soon a browser shows it.

Question: is the report of a run of 10,000 evaluations written in under 5 s, smaller than 5 MB, and shown in under 1 s?
Method: a synthetic run with sources of the usual length (about 6 kB, all different); at its end a model takes each
cell, with a prompt of 20 kB. The command runs in a fresh process, three times; then Chromium, if it is installed,
opens the file three times and reports its own first contentful paint. Takes about a minute.

    python benchmarks/report.py [EVALUATIONS]
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent.parent))

from qdkernel.core import Kernel, reachable_cells
from qdkernel.web.live import LiveRun
from tests import fake_runs
from tests.fake_runs import add_by_model, breed, new_run

_ASSIGNMENT = fake_runs.assignment
_WORDS = "the tile of 24 columns keeps its sums in registers while panel B stays in L2 with 512 bits per FMA and loads"

_PAINT = "return performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? null"


def main() -> None:
    """Makes the run, times, prints."""
    evaluations = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    with tempfile.TemporaryDirectory() as scratch:
        path = _synthetic_run(Path(scratch), evaluations)
        out = Path(scratch) / "report.html"
        command = [sys.executable, "-m", "qdkernel", "report", str(path), "-o", str(out)]
        seconds = [_timed(lambda: subprocess.run(command, check=True, capture_output=True)) for _ in range(3)]
        print(f"report of {evaluations} evaluations: {min(seconds):.2f} s, {out.stat().st_size / 1e6:.2f} MB")
        live = LiveRun(path)
        first = _timed(live.snapshot)
        live._next_at, live._stamp = 0.0, None  # as if it had grown
        print(f"live view: first {first:.2f} s, brought up to date {_timed(live.snapshot):.2f} s")
        _print_paint(out)


def _synthetic_run(root: Path, evaluations: int) -> Path:
    rng, plain = np.random.default_rng(1), fake_runs.kernel

    def long_kernel(tag: str) -> Kernel:
        tiles = rng.integers(1, 512, size=(100, 4))
        body = "\n".join(f"    acc{a} += a[{b} * lda + p] * b[p * ldb + {c}];  /* row {d} */" for a, b, c, d in tiles)
        return Kernel(f"{plain(tag).source}\n#if 0\n{body}\n#endif\n")

    fake_runs.kernel = long_kernel
    words = np.array(_WORDS.split())
    with new_run(root) as folder:
        folder._store._database.execute("PRAGMA synchronous = OFF")  # the run is thrown away
        breed(folder, evaluations)
        for cell in reachable_cells([128, 256, 512]):
            prompt = " ".join(rng.choice(words, 3500))
            fake_runs.assignment = lambda operator, text=prompt: _ASSIGNMENT(operator, text)
            add_by_model(folder, cell, 98.0 + float(rng.uniform(0, 9)), placement="improved")
        return folder.path


def _print_paint(page: Path) -> None:
    try:
        from tests.web.browser import CHROMIUM, browser
    except ImportError:
        return
    if not CHROMIUM:
        return
    paints = []
    for _ in range(3):
        with browser() as driver:
            driver.get(page.as_uri())
            time.sleep(1.0)
            paints.append(driver.execute_script(_PAINT))  # type: ignore[no-untyped-call]
    print(f"first contentful paint: {', '.join(f'{paint:.0f}' for paint in paints)} ms")


def _timed(work: Callable[[], object]) -> float:
    start = time.monotonic()
    work()
    return time.monotonic() - start


if __name__ == "__main__":
    main()
