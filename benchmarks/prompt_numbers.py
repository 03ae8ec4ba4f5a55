"""Are the speeds in prompts those that ``bench`` finds on a quiet host?

Question: how far do the speeds stated of a prompt's parent lie from those that the same kernel has when it is timed
again with nothing else running?
Method: a search with a scripted model (tests/llm_server) runs for a while, without a neighbour and beside one that
computes half of the time on one core. From every prompt the parent's source, its fast blocks' GFLOP/s and its ratio to
OpenBLAS are read. Then each of these kernels is timed as ``qdkernel bench`` does it, twice: the second pass shows how
far two quiet measurements of one kernel lie apart, below which no prompt can come.

    python benchmarks/prompt_numbers.py [--seconds 60] [--size 384] [--threads 2] [--most 12]

prints a table in Markdown, in about five minutes; start it on an idle host.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from neighbour import neighbours

from qdkernel.config import Config, load_config
from qdkernel.core import Evaluation, Kernel, geometric_mean, sampled_speed
from qdkernel.runs import RunFolder
from qdkernel.search import longer_spec, open_environment, time_again
from tests.llm_server import ModelServer, kernels

ROOT = Path(__file__).parents[1]
CONFIG = ROOT / "configs" / "gemm.yaml"
PARENT = re.compile(
    r"^## Parent kernel\nCell: .*? Speed: (?P<gflops>[\d.]+) GFLOP/s in its fast blocks.*?; "
    r"(?P<ratio>[\d.]+) \[[\d., ]+\] x the baseline.*?^```c\n(?P<source>.*?)^```",
    re.DOTALL | re.MULTILINE,
)
QUANTILES = (0.025, 0.25, 0.5, 0.75, 0.975)
NEAR = 0.05


@dataclass(frozen=True)
class Stated:
    """What a prompt stated of its parent: fast blocks, and the ratio to the baseline."""

    kernel: Kernel
    gflops: float
    ratio: float


def main() -> None:
    """Searches, times the parents again, and prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=60, help="of each search")
    parser.add_argument("--size", type=int, default=384)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--most", type=int, default=12, help="kernels timed again of each search")
    given = parser.parse_args()
    settings = [f"sizes=[{given.size}]", f"threads={given.threads}", f"budget.minutes={given.seconds / 60}"]
    busy = sorted(os.sched_getaffinity(0))[-1:]
    stated = {}
    for name, cores in (("no neighbour", []), ("a neighbour on one core", busy)):
        with tempfile.TemporaryDirectory() as folder, neighbours(cores):
            stated[name] = list(stated_in(searched(Path(folder) / "run", settings), given.most))
        print(f"{name}: {len(stated[name])} statements on {len(kernels_of(stated[name]))} kernels", flush=True)
    print_table(stated, load_config(CONFIG, settings))


def searched(run: Path, settings: Sequence[str]) -> Path:
    """The folder of a search by the built-in operators and a scripted model."""
    with ModelServer(kernels()) as server:
        model = f"models=[{{name: scripted, model: scripted, base_url: '{server.base_url}', parallel: 2}}]"
        pairs = [part for text in (*settings, model, "timing.remeasure=false") for part in ("--set", text)]
        command = [sys.executable, "-m", "qdkernel", "evolve", str(CONFIG), "--out", str(run), *pairs]
        subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return run


def stated_in(run: Path, most: int) -> Iterator[Stated]:
    """The statements of a run's prompts on the first so many kernels, each once."""
    seen: dict[Stated, None] = {}
    with RunFolder.open(run) as folder:
        for conversation in folder.conversations.all():
            for found in PARENT.finditer("\n".join(each.content for each in conversation.assignment.messages)):
                stated = Stated(Kernel(found["source"]), float(found["gflops"]), float(found["ratio"]))
                if len(kernels_of([*seen, stated])) <= most:
                    seen[stated] = None
    yield from seen


def kernels_of(stated: Sequence[Stated]) -> list[Kernel]:
    """The kernels, each once."""
    return list({each.kernel.id: each.kernel for each in stated}.values())


def print_table(stated: Mapping[str, Sequence[Stated]], config: Config) -> None:
    """Differences from the first pass of ``bench``, and of its second pass from the first."""
    every = kernels_of([each for group in stated.values() for each in group])
    with open_environment(config, lambda _: None) as place:
        spec = longer_spec(place)
        passes = [dict(zip((k.id for k in every), time_again(spec, every, 2), strict=True)) for _ in range(2)]
    rows = {}
    for name, group in stated.items():
        known = [(each, passes[0][each.kernel.id]) for each in group if speeds(passes[0][each.kernel.id])]
        rows[f"ratio, {name}"] = [each.ratio / speeds(found)[1] - 1 for each, found in known]
        rows[f"GFLOP/s, {name}"] = [each.gflops / speeds(found)[0] - 1 for each, found in known]
    pairs = [(speeds(passes[1][k.id]), speeds(passes[0][k.id])) for k in every]
    timed = [(later, first) for later, first in pairs if later and first]
    rows["ratio, bench twice"] = [later[1] / first[1] - 1 for later, first in timed]
    rows["GFLOP/s, bench twice"] = [later[0] / first[0] - 1 for later, first in timed]
    print("\n| number | statements | within 5 % | " + " | ".join(f"{q:.1%}" for q in QUANTILES) + " |")
    print("|---" * (3 + len(QUANTILES)) + "|")
    for name, values in rows.items():
        if values:
            shown = " | ".join(f"{value:+.3f}" for value in np.quantile(values, QUANTILES))
            near = np.mean(np.abs(values) <= NEAR)
            print(f"| {name} | {len(values)} | {near:.0%} | {shown} |")


def speeds(evaluation: Evaluation) -> tuple[float, float] | tuple[()]:
    """GFLOP/s of the fast blocks and the ratio to the baseline; empty for a kernel that could not be timed."""
    found = sampled_speed(evaluation.timings)
    return (found.fast, geometric_mean([timing.ratio for timing in evaluation.timings])) if found else ()


if __name__ == "__main__":
    main()
