"""What an open live page costs the machine that a run goes on.

Question: does the server of ``qdkernel watch`` take less than 1 % of one core while a run goes on and its page is open?
Method: a real run (dgemm, one size) and the server; after a minute of work a client holds the page's event stream and
asks for the update at every event, as the page does. Processor time of the server over the following minute, the first
reading included. Takes two minutes; needs the serve extra.

    python benchmarks/live_page.py
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path

import httpx
import psutil

RUN_S, WATCH_S = 60.0, 60.0
_SETTINGS = ("sizes=[128]", "budget.minutes=null", "budget.evaluations=1000000")


def main() -> None:
    """Runs, watches, prints."""
    with tempfile.TemporaryDirectory() as scratch:
        run = Path(scratch) / "run"
        settings = [part for setting in _SETTINGS for part in ("--set", setting)]
        evolve = [sys.executable, "-m", "qdkernel", "evolve", "configs/gemm.yaml", "--out", str(run), *settings]
        watch = [sys.executable, "-m", "qdkernel", "watch", scratch]
        with subprocess.Popen(evolve, stderr=subprocess.DEVNULL) as search:
            try:
                time.sleep(RUN_S)
                with subprocess.Popen(watch, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as server:
                    try:
                        _follow(server)
                    finally:
                        server.kill()
            finally:
                search.terminate()


def _follow(server: subprocess.Popen[str]) -> None:
    assert server.stdout is not None
    address = server.stdout.readline().strip() + "run/run/"
    process = psutil.Process(server.pid)
    before, start, updates = process.cpu_times(), time.monotonic(), 0
    timeout = httpx.Timeout(60.0)
    httpx.get(address, timeout=timeout).raise_for_status()
    with httpx.stream("GET", address + "events", timeout=timeout) as stream:
        for line in stream.iter_lines():
            if line.startswith("event: changed"):
                httpx.get(address + "update", timeout=timeout).raise_for_status()
                updates += 1
            if time.monotonic() - start > WATCH_S:
                break
    after, passed = process.cpu_times(), time.monotonic() - start
    used = after.user + after.system - before.user - before.system
    seen = httpx.get(address + "view.json", timeout=timeout).json()["evaluations"]
    print(f"{updates} updates of a run of {seen} evaluations in {passed:.0f} s")
    print(f"processor time of the server: {used:.2f} s, {used / passed:.2%} of one core")


if __name__ == "__main__":
    main()
