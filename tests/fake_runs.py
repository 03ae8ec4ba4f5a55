"""Synthetic runs made through the real run folder: kernels that were never compiled, with made-up timings."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from qdkernel.core import (
    AXES,
    Behaviour,
    Cell,
    CodeHashes,
    Duel,
    Evaluation,
    Kernel,
    Measured,
    Outcome,
    Placement,
    Proposal,
    Timing,
    VerificationResult,
    cell_name,
    reachable_cells,
)
from qdkernel.llm import Completion, Message
from qdkernel.mutators.llm import Assignment, Expect
from qdkernel.runs import End, EventKind, MachineRecord, RunFolder

SIZES = ({"m": 256, "n": 256, "k": 256}, {"m": 768, "n": 768, "k": 768})
BASELINE = (88.0, 96.0)
PEAKS = {"scalar": 14.0, "128": 27.0, "256": 54.0, "512": 108.0}
CONFIG = "problem: dgemm\nseed: 7\nbudget:\n  evaluations: 400\n"

MACHINE: dict[str, Any] = {
    "machine": {
        "cpu": "Imaginary 9000",
        "arch": "x86_64",
        "cores": 2,
        "simd_widths": [128, 256, 512],
        "caches": {"L1d": 32768, "L2": 1048576, "L3": 33554432},
        "hypervisor": True,
        "governor": "unknown",
        "kernel": "6.1",
        "last_level_instances": 1,
    },
    "peaks": {
        "peak_gflops": {"float64": {"1": {name: peak / 2 for name, peak in PEAKS.items()}, "2": PEAKS}},
        "triad_gbytes_per_s": {"1": 14.0, "2": 24.0},
    },
    "baseline": {
        "name": "OpenBLAS 0.3.34",
        "gflops": [{"size": size, "gflops": gflops} for size, gflops in zip(SIZES, BASELINE, strict=True)],
    },
    "threads": 2,
    "dtype": "float64",
    "problem": "dgemm",
    "behaviour": "behaviour/2",
    "bandwidth_bound": False,
    "accuracy": "componentwise",
    "energy": "a machine that reports no energy",
    "compiler": {"command": "gcc", "version": "gcc 12.2.0", "flags": ["-O3", "-march=native", "-fopenmp"]},
}


RECORD = MachineRecord.model_validate(MACHINE)
UNMEASURED: dict[str, Any] = {
    **MACHINE,
    "peaks": {"peak_gflops": {}, "triad_gbytes_per_s": {}},
    "baseline": {"name": "baseline", "gflops": []},
}


def kernel(tag: str, lines: int = 0) -> Kernel:
    """A different compilable kernel for each tag; like a kernel of a run it needs ``size_t`` from outside.

    ``lines`` of 40 characters make it longer.
    """
    loop = "    for (size_t i = 0; i < (size_t)n; i++) c[i] = 0;\n"
    more = "".join(f"    c[0] += {line:25d}.0;\n" for line in range(lines))
    return Kernel(f"/* {tag} */\nvoid dgemm(int n, double *c)\n{{\n{loop}{more}}}\n")


def timing(size: Mapping[str, int], gflops: float, baseline: float, spread: float = 0.01) -> Timing:
    flops = 2.0 * math.prod(size.values())
    bytes_ = 8.0 * (size["m"] * size["k"] + size["k"] * size["n"] + 2 * size["m"] * size["n"])
    wobble = (1.0, 1.0 + spread, 1.0 - spread)
    return Timing(
        size=size,
        flops=flops,
        bytes=bytes_,
        block_calls=4,
        kernel_ns=tuple(flops / gflops * factor for factor in wobble),
        reference_ns=tuple(flops / baseline * factor for factor in wobble),
        ratio=gflops / baseline,
        ratio_low=gflops / baseline * (1 - spread),
        ratio_high=gflops / baseline * (1 + spread),
        gflops=gflops,
    )


def ok(subject: Kernel, cell: Cell, gflops: float, duel: Duel | None = None) -> Evaluation:
    """An evaluation that ended ``ok`` with about this speed at both sizes."""
    timings = tuple(
        timing(size, gflops * factor, baseline)
        for size, baseline, factor in zip(SIZES, BASELINE, (0.9, 1.0), strict=True)
    )
    return Evaluation(
        kernel_id=subject.id,
        outcome=Outcome.OK,
        behaviour=Behaviour(
            cell, {"simd": "512-bit FMA x24 in dgemm", "blocking": "12 accumulators in the innermost loop"}
        ),
        measured=Measured(math.sqrt(timings[0].gflops * timings[1].gflops), timings, duel),
        verification=VerificationResult(0.7, 16.0, "componentwise", 189, deterministic=True),
        hashes=CodeHashes(
            normal=hashlib.sha256(subject.source.encode()).hexdigest(),
            assembly=hashlib.sha256(b"assembly" + subject.source.encode()).hexdigest(),
            object=hashlib.sha256(b"object" + subject.source.encode()).hexdigest(),
        ),
        step_s={"compile": 0.11, "verify": 0.05, "time": 0.4},
    )


def timed_as(evaluation: Evaluation, timings: tuple[Timing, ...]) -> Evaluation:
    """The evaluation with other timings and the same objective."""
    assert evaluation.measured is not None
    return replace(evaluation, measured=replace(evaluation.measured, timings=timings))


def add_elite(folder: RunFolder, cell: Cell, gflops: float, **origin: Any) -> Kernel:  # Any: fields of Proposal
    """A kernel that took its cell."""
    made = kernel(f"{cell_name(cell)} at {gflops}")
    origin = {"operator": "schedule", "idea": "pack B into panels of 24 columns", "target": cell, **origin}
    number = folder.evaluations.add_proposal(Proposal(made, **origin))
    folder.evaluations.add(number, ok(made, cell, gflops), Placement.NEW, {"rng": {"state": number}})
    return made


def assignment(operator: str, text: str = "make it faster") -> Assignment:
    """A conversation about to be held."""
    return Assignment(operator, (Message("system", "You write C."), Message("user", text)), Expect.KERNEL)


def ask(folder: RunFolder, opening: Assignment, model: str, completion: Completion) -> int:
    """A conversation that goes on after one reply."""
    number = folder.conversations.add(opening, model)
    folder.conversations.answer_call(folder.conversations.add_call(number, 0, opening.messages), completion)
    return number


def add_by_model(
    folder: RunFolder,
    cell: Cell,
    gflops: float,
    model: str = "big",
    operator: str = "edit",
    tokens: int = 1000,
    cost: float = 0.01,
    placement: Placement = Placement.NEW,
    **origin: Any,  # Any: fields of Proposal
) -> Kernel:
    """A kernel that a model wrote in its first reply, a tenth of the tokens in it."""
    made = kernel(f"{cell_name(cell)} at {gflops} by {model}")
    reply = Completion(f"idea: pack B\n```c\n{made.source}```\n", "stop", tokens - tokens // 10, tokens // 10, 1, cost)
    conversation = ask(folder, assignment(operator), model, reply)
    proposal = Proposal(made, operator, **{"idea": "pack B", "target": cell, **origin})
    number = folder.conversations.end(conversation, End.PROPOSAL, proposal=proposal).proposal_number
    assert number is not None
    folder.evaluations.add(number, ok(made, cell, gflops), placement, {})
    return made


def believable_gflops(cell: Cell, rng: np.random.Generator) -> float:
    """Faster with more blocking, width and threads."""
    blocking, simd, threading, prefetch = cell
    speed = 1.1 * (1.8**blocking) * (1.7**simd) * (1.0, 1.6, 1.5, 1.55)[threading] * (1.0, 1.03, 0.97, 1.0)[prefetch]
    return float(min(speed, 97.0) * rng.uniform(0.7, 1.0))


def breed(
    folder: RunFolder,
    evaluations: int,
    seed: int = 1,
    simd_widths: tuple[int, ...] = (128, 256, 512),
    lines: int = 0,
) -> None:
    """A run of mixed outcomes whose archive fills cell by cell; see ``kernel`` for ``lines``."""
    rng = np.random.default_rng(seed)
    cells = sorted(reachable_cells(simd_widths))
    holders: dict[Cell, tuple[float, Kernel]] = {}
    failures = (Outcome.COMPILE_ERROR, Outcome.WRONG, Outcome.DUPLICATE, Outcome.CRASHED, Outcome.TIMEOUT)
    for number in range(evaluations):
        reach = 1 + (len(cells) - 1) * min(1.0, number / max(1, 0.8 * evaluations))
        cell = cells[int(rng.integers(int(reach)))]
        parents = (holders[cell][1].id,) if cell in holders else ()
        made = kernel(f"number {number}", lines)
        idea = f"widen the register tile to {number % 7 + 2} rows"
        proposal = folder.evaluations.add_proposal(
            Proposal(made, ("schedule", "tune")[number % 2], idea, parents, cell)
        )
        if number and rng.random() < 0.3:
            outcome = failures[int(rng.integers(len(failures)))]
            bad = Evaluation(made.id, outcome, detail=f"{outcome}: made up", step_s={"compile": 0.1})
            folder.evaluations.add(proposal, bad, Placement.NONE, {})
            continue
        gflops = believable_gflops(cell, rng)
        placement = Placement.NEW
        if cell in holders:
            placement = Placement.IMPROVED if gflops > holders[cell][0] else Placement.NOT_ADDED
        if placement.placed:
            holders[cell] = (gflops, made)
        folder.evaluations.add(proposal, ok(made, cell, gflops), placement, {"rng": number})
    folder.events.add(EventKind.STOPPED, f"{evaluations} evaluations spent")


def new_run(root: Path, machine: Mapping[str, Any] = MACHINE) -> RunFolder:
    return RunFolder.create(root, "dgemm", CONFIG, MachineRecord.model_validate(machine))


def level(axis: int, name: str) -> int:
    return AXES[axis].levels.index(name)
