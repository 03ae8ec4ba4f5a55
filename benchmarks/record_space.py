"""Records the space of packed matrix multiplies on this host, for benchmarks/search_efficiency.py.

Method: every configuration is compiled by the contained compiler and timed in a contained child beside the baseline, on
one thread, in visits that are minutes apart; every timed result is checked. A visit gives two blocks of the kernel and
two of the baseline, in the order ABBA or BAAB. All blocks are kept.

    python benchmarks/record_space.py compile WORK            # may be stopped and started again
    python benchmarks/record_space.py time WORK [SECONDS]     # again until it prints that all visits are made
    python benchmarks/record_space.py write WORK OUT          # OUT.t4.json.gz and OUT.cache.json.gz

Compiling takes 0.2 s a configuration and a core, timing 0.1 s a configuration on quiet cores.
"""

from __future__ import annotations

import json
import math
import os
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from qdkernel.config import Config
from qdkernel.evaluators.measurement import PairedSamples, TimingRule, probe, time_pairs
from qdkernel.evaluators.pipeline import EvaluationContext
from qdkernel.mutators.schedule import TEMPLATES
from qdkernel.recorded import PACKED_DGEMM, Recording, Samples, write_compressed
from qdkernel.runs import read_machine_record, write_machine_record
from qdkernel.search import open_environment

CONFIG = Config.model_validate_json('{"problem": "dgemm", "sizes": [320], "threads": 1, "budget": {"minutes": 1}}')
VISITS = 2
RULE = TimingRule(rounds_min=2, rounds_max=2, half_width=1.0, budget_s=0.0, disturbed=math.inf)


def main() -> None:
    """Runs the step that is named."""
    step, work = sys.argv[1], Path(sys.argv[2])
    work.mkdir(parents=True, exist_ok=True)
    if step == "write":
        write(work, sys.argv[3])
        return
    with open_environment(CONFIG, lambda text: print(text, file=sys.stderr)) as place:
        context = EvaluationContext(place.spec)
        try:
            if step == "compile":
                compile_all(context, work)
            else:
                if not (work / "machine.json").exists():  # the speed of the first calibration counts throughout
                    (work / "machine.json").write_text(write_machine_record(place.facts()))
                time_some(context, work, float(sys.argv[3]) if len(sys.argv) > 3 else math.inf)
        finally:
            context.close()


def compile_all(context: EvaluationContext, work: Path) -> None:
    """Compiles the configurations that are not compiled yet."""
    template = TEMPLATES[PACKED_DGEMM.problem]

    def compile_one(number: int) -> None:
        values = PACKED_DGEMM.named(PACKED_DGEMM.configurations[number])
        with tempfile.TemporaryDirectory(dir=work) as folder:
            made = context.compile(template.print(PACKED_DGEMM.genome(values)), Path(folder))
            made.replace(work / f"{number}.so")

    missing = [i for i in range(len(PACKED_DGEMM.configurations)) if not (work / f"{i}.so").exists()]
    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        for done, _ in enumerate(pool.map(compile_one, missing)):
            if done % 200 == 0:
                print(f"{done} of {len(missing)} compiled", flush=True)


def time_some(context: EvaluationContext, work: Path, seconds: float) -> None:
    """Makes the next visits, in an order that is drawn anew for each round of visits."""
    count, start = len(PACKED_DGEMM.configurations), time.monotonic()
    log = work / "visits.jsonl"
    made = len(log.read_text().splitlines()) if log.exists() else 0
    with log.open("a") as out, context.timer.alone():
        while made < VISITS * count and time.monotonic() - start < seconds:
            round_, position = divmod(made, count)
            number = int(np.random.default_rng(round_).permutation(count)[position])
            samples = visit(context, work / f"{number}.so")
            out.write(json.dumps([number, samples.kernel_ns, samples.reference_ns]) + "\n")
            made += 1
    print(f"{made} of {VISITS * count} visits are made")


def visit(context: EvaluationContext, kernel: Path) -> PairedSamples:
    """Two rounds of blocks beside the baseline."""
    timer = context.timer
    scored, process = timer.sizes[0], timer.start("challenger", kernel)
    with process.child:
        probe(timer.buffers, scored, process, timer.placement)  # the first call maps memory
        call_ns = probe(timer.buffers, scored, process, timer.placement).ns
        challenger = scored.timed_case(process, call_ns, RULE)
        baseline = timer.baseline_case(0, timer.baseline_process)
        return time_pairs(
            timer.buffers, scored, challenger, baseline, RULE, timer.placement, timer.quiet_cores, timer.rng
        )


def write(work: Path, out: str) -> None:
    """Writes both files from all visits."""
    blocks: dict[int, list[tuple[list[float], list[float]]]] = {}
    for line in (work / "visits.jsonl").read_text().splitlines():
        number, kernel_ns, baseline_ns = json.loads(line)
        blocks.setdefault(number, []).append((kernel_ns, baseline_ns))
    samples = {}
    for number, configuration in enumerate(PACKED_DGEMM.configurations):
        kernel_ms, baseline_ms = (
            tuple(round(ns / 1e6, 4) for visited in blocks[number] for ns in visited[side]) for side in (0, 1)
        )
        samples[configuration] = Samples(kernel_ms, baseline_ms)
    machine = read_machine_record((work / "machine.json").read_text())
    recording = Recording(tuple(PACKED_DGEMM.parameters), machine, samples)
    write_compressed(recording.to_t4(), Path(f"{out}.t4.json.gz"))
    write_compressed(recording.to_cache(), Path(f"{out}.cache.json.gz"))


if __name__ == "__main__":
    main()
