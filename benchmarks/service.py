"""What does the service cost beside the evaluations, and does it stay small?

    python benchmarks/service.py [--requests 10000] [--out service.json]

Starts ``qdkernel serve`` on a free port at a small size (dgemm, 48, one thread) and measures over HTTP:

- overhead: wall time of a request for one new kernel minus the seconds of its own evaluation (``seconds`` of the
  verdict, waiting for the cores included), median over 40 kernels, one after the other;
- known: wall time of a request for a kernel that was judged before, median;
- batch: wall time of 64 kernels of which half are equal up to names, beside that of 32 different ones, medians;
- memory: resident memory of the service's own process after 1,000 requests and after all of them.

Raw numbers go to ``--out``. On a machine that others use as well, only the differences within a row compare.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
ROUNDS = 3  # of the batches
SETTINGS = ("sizes=[48]", "threads=1", "budget.minutes=1")
KERNEL = """void dgemm(int m, int n, int k, double alpha, const double *restrict A, int lda,
    const double *restrict B, int ldb, double beta, double *restrict C, int ldc)
{
    volatile int mark = %d;
    (void)mark;
    for (int i = 0; i < m; i++)
        for (int j = 0; j < n; j++) {
            double %s = 0.0;
            for (int l = 0; alpha != 0.0 && l < k; l++) %s += A[(size_t)i * lda + l] * B[(size_t)l * ldb + j];
            C[(size_t)i * ldc + j] = beta == 0.0 ? alpha * %s : alpha * %s + beta * C[(size_t)i * ldc + j];
        }
}
"""


def kernel(number: int, name: str = "sum") -> str:
    """A correct kernel with machine code of its own for each number."""
    return f"```c\n{KERNEL % (number, name, name, name, name)}```"


class Client:
    """Posts batches; the service is a child process."""

    def __init__(self, folder: Path) -> None:
        command = [sys.executable, "-m", "qdkernel", "serve", str(ROOT / "configs" / "gemm.yaml"), "--port", "0"]
        for setting in SETTINGS:
            command += ["--set", setting]
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        self.process = subprocess.Popen(command, cwd=folder, env=environment, stderr=subprocess.PIPE, text=True)
        assert self.process.stderr is not None
        for line in self.process.stderr:
            if " at http" in line:
                self.url = line.split(" at ")[1].split()[0]
                return
        raise SystemExit("the service did not start")

    def judge(self, completions: list[str]) -> tuple[float, list[dict[str, Any]]]:
        """Seconds and results of one request."""
        body = {"submissions": [{"completion": text} for text in completions], "deadline_s": 600}
        request = urllib.request.Request(f"{self.url}/v1/judge", json.dumps(body).encode())
        request.add_header("Content-Type", "application/json")
        began = time.perf_counter()
        with urllib.request.urlopen(request, timeout=600) as answer:
            found = json.loads(answer.read())
        return time.perf_counter() - began, found["results"]

    @property
    def resident_mb(self) -> float:
        """Of the service's process alone, without its workers."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(next(line for line in status.splitlines() if line.startswith("VmRSS")).split()[1]) / 1024


def measure(client: Client, requests: int) -> dict[str, Any]:
    """All figures; times in seconds."""
    client.judge([kernel(0)])  # the workers start
    overheads = []
    for number in range(1, 41):
        seconds, (result,) = client.judge([kernel(number)])
        if result["ending"] == "ok":
            overheads.append(seconds - result["seconds"])
    known = [client.judge([kernel(1)])[0] for _ in range(200)]
    batches: dict[str, list[float]] = {"32 different": [], "64, half equal": []}
    for first in range(100, 100 + 64 * ROUNDS, 64):  # in turn, as the host's speed drifts
        batches["32 different"].append(client.judge([kernel(number) for number in range(first, first + 32)])[0])
        twins = [kernel(number, name) for number in range(first + 32, first + 64) for name in ("sum", "total")]
        batches["64, half equal"].append(client.judge(twins)[0])
    memory = {0: client.resident_mb}
    for number in range(requests):
        client.judge([kernel(1)] if number % 10 else [f"{number} is no kernel"])
        if number + 1 in (1000, requests):
            memory[number + 1] = client.resident_mb
    return {
        "overhead_s": {"median": statistics.median(overheads), "all": overheads},
        "known_s": statistics.median(known),
        "batch_s": batches,
        "resident_mb": memory,
    }


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--requests", type=int, default=10_000)
    parser.add_argument("--out", type=Path, default=Path("service.json"))
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        client = Client(Path(folder))
        try:
            found = measure(client, options.requests)
        finally:
            client.process.terminate()
            client.process.wait()
    options.out.write_text(json.dumps(found, indent=2) + "\n")
    batch = {name: statistics.median(seconds) for name, seconds in found["batch_s"].items()}
    overhead = found["overhead_s"]
    least, middle = min(overhead["all"]), overhead["median"]
    print(f"overhead beside an evaluation: median {1e3 * middle:.1f} ms, least {1e3 * least:.1f} ms")
    print(f"a kernel that is known: {1e3 * found['known_s']:.1f} ms")
    print(f"32 kernels: {batch['32 different']:.2f} s; 64 of which half are equal: {batch['64, half equal']:.2f} s")
    for count, megabytes in found["resident_mb"].items():
        print(f"resident after {count} requests: {megabytes:.0f} MB")


if __name__ == "__main__":
    main()
