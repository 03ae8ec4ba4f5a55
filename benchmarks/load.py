"""Whether a run survives load: nothing lost, nothing leaked.

Question: after thousands of good, hanging, crashing and cheating kernels, and after random kills of main process,
workers and contained children, does every kernel have its one evaluation, and is nothing left running or lying about?
Method: one run whose seeds are the kernels, watched from outside (memory, open files, processes); then a second run
that is killed at random moments and resumed until it is done.

    python benchmarks/load.py [KERNELS] [KILLS]     # default 2000 and 50: 8 minutes; needs '.[test]'
"""

from __future__ import annotations

import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import numpy as np

from qdkernel.runs import RunFolder

sys.path.insert(0, str(Path(__file__).parent.parent))  # the kernels live with the tests

from tests import load  # needs the path above


def main() -> None:
    """Prints outcomes, peaks and whatever does not add up."""
    kernels = int(sys.argv[1]) if len(sys.argv) > 1 else 2000
    kills = int(sys.argv[2]) if len(sys.argv) > 2 else 50
    with tempfile.TemporaryDirectory(prefix="load-") as folder:
        mixed(Path(folder), kernels)
    with tempfile.TemporaryDirectory(prefix="load-") as folder:
        killed(Path(folder), kills)


def mixed(folder: Path, kernels: int) -> None:
    """One undisturbed run."""
    before, kinds = load.present(), load.write_kernels(folder, kernels)
    config, run = load.write_config(folder, kinds), folder / "run"
    begin = time.monotonic()
    process = subprocess.Popen(load.command(config, run), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    peak = load.watch(process)
    print(f"{kernels} kernels in {time.monotonic() - begin:.0f} s, exit code {process.returncode}")
    summarize(run, kinds, before, [process.pid])
    for name, samples in (("memory, MiB", peak.memory_mb), ("open files", peak.files), ("processes", peak.children)):
        tenth = max(1, len(samples) // 10)
        first, last = np.median(samples[tenth : 2 * tenth]), np.median(samples[-tenth:])
        print(f"{name}: {first:.0f} after a tenth of the run, {last:.0f} at its end, {max(samples):.0f} at most")


def killed(folder: Path, kills: int) -> None:
    """A run that is killed and resumed."""
    before, kinds = load.present(), load.write_kernels(folder, 12 * kills)
    config, run = load.write_config(folder, kinds), folder / "run"
    mains = load.kill_at_random(config, run, kills, random.Random())
    print(f"{kills} kills, {len(mains)} sessions, {len(kinds)} kernels")
    summarize(run, kinds, before, mains, forgiven=kills)


def summarize(run: Path, kinds: dict[str, str], before: set[str], mains: list[int], forgiven: int = 0) -> None:
    """Outcomes, and what does not add up."""
    with RunFolder.open(run) as folder:
        print("outcomes:", dict(Counter(record.evaluation.outcome.value for record in folder.evaluations.records())))
    problems = [*load.complaints(run, kinds, forgiven), *load.leftovers(before, mains)]
    print("everything adds up, nothing is left" if not problems else "\n".join(problems[:20]))


if __name__ == "__main__":
    main()
