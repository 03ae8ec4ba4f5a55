"""Briefs for the tests of mutators: a made-up machine, and archives with elites chosen by the test."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import SimpleNamespace
from typing import cast

from qdkernel.core import Cell, Interval, Kernel, Notes, Outcome, Problem, Timing, parse_cell
from qdkernel.machine import Machine
from qdkernel.mutators import Brief, Elite, RecentFailure, ReferenceSpeeds, Sweep
from qdkernel.mutators.schedule.gemm import print_gemm, summary
from qdkernel.problems import find_problem
from tests.mutators.schedule.genomes import GENOMES

MACHINE = Machine(
    cpu="a test's",
    arch="x86_64",
    cores=2,
    simd_widths=(128, 256, 512),
    caches={"L1d": 32 << 10, "L2": 1 << 20, "L3": 32 << 20},
    hypervisor=False,
    governor="unknown",
    kernel="0",
)


PLAIN = Cell(0, 0, 0, 0)


def elite(source: str, cell: Cell = PLAIN, notes: Notes | None = None) -> Elite:
    return Elite(Kernel(source), cell, 1.0, "test", "an idea", notes or {})


def brief(
    problem: str = "dgemm",
    parent: Elite | None = None,
    target: Cell | None = None,
    others: Mapping[Cell, Elite] | None = None,
    threads: int = 2,
) -> Brief:
    elites = dict(others or {})
    if parent is not None:
        elites[parent.cell] = parent
    sizes = ({"m": 512, "n": 512, "k": 512},)
    # The built-in mutators read nothing of a problem but its name.
    return Brief(cast(Problem, SimpleNamespace(name=problem)), MACHINE, threads, sizes, elites, parent, target)


def sized_brief(problem: str, size: Mapping[str, int]) -> Brief:
    """A brief without elites for a problem whose scored sizes have names of their own."""
    return replace(brief(problem), sizes=(size,))


def timing(gflops: float, size: int = 512, baseline: float = 104.0) -> Timing:
    ratio = gflops / baseline
    sizes, flops = {"m": size, "n": size, "k": size}, 2.0 * size**3
    kernel_ns, reference_ns = (
        tuple(flops / speed * slower for slower in (1.0, 1.0, 1.02, 1.03, 1.05, 1.1)) for speed in (gflops, baseline)
    )
    low, high = 0.98 * ratio, 1.02 * ratio
    return Timing(sizes, flops, 24.0 * size**2, 1, kernel_ns, reference_ns, ratio, low, high, gflops)


def printed(genome: str, cell: str, gflops: float) -> Elite:
    """An elite with the source of a named genome and made-up measurements."""
    timings = (timing(0.95 * gflops), timing(1.05 * gflops, 1024))
    evidence = {
        "blocking": "12 registers carry sums through the hot loop of dgemm; block steps by tiles of 48",
        "simd": "24 of 24 operations per iteration are 512 bits wide in the hot loop of dgemm",
        "threading": "shares are fixed when the region starts (GOMP_parallel)",
        "prefetch": "prefetcht0 in a loop of dgemm",
    }
    source = print_gemm(GENOMES[genome], "dgemm")
    idea = summary(GENOMES[genome])
    return Elite(Kernel(source), parse_cell(cell), gflops, "schedule", idea, {}, timings, evidence)


NAIVE_DGEMM = Elite(
    Kernel(find_problem("dgemm").seed_source("dgemm_naive.c")),
    Cell(0, 0, 0, 0),
    0.912,
    "seed",
    "seed kernel dgemm_naive.c",
    {},
    (timing(0.95), timing(0.875, 1024)),
    {"blocking": "1 register carries sums through the hot loop of dgemm", "simd": "2 scalar operations per iteration"},
)

ARCHIVE = (
    printed("packed_b", "packed/512/static/near", 71.2),
    printed("packed_rows", "packed/512/static/both", 66.4),
    printed("packed_grid", "packed/512/nested/none", 61.0),
    printed("tiled_dynamic", "cache+register/256/dynamic/none", 30.5),
    printed("register_wide", "register/512/serial/far", 22.8),
    NAIVE_DGEMM,
)
"""Elites whose sources are real kernels; their cells and speeds are made up."""

YARDSTICK = ReferenceSpeeds(
    baseline="OpenBLAS 0.3.34",
    baseline_gflops=(102.0, 106.1),
    peak_gflops=116.0,
    peaks={"scalar": 29.0, "128": 58.0, "256": 116.0, "512": 116.0},
    triad_gbytes_per_s=24.3,
    compiler="gcc 12.2.0, -O3 -march=native -fopenmp",
)

SETBACKS = (
    RecentFailure(
        "unroll the depth of the panels by four",
        Outcome.COMPILE_ERROR,
        "kernel.c: In function 'tile':\nkernel.c:31:9: error: 'vec8' undeclared (first use in this function)\n"
        "   31 |         vec8 sum[MR][NV];\n      |         ^~~~\n",
    ),
    RecentFailure(
        "store C with streaming stores",
        Outcome.WRONG,
        "C[6, 0] is 1.25 and should be 2.5 (about 40 elements are wrong in all cases together) in case m=7, n=5, k=3",
    ),
    RecentFailure("one barrier less per panel", Outcome.CRASHED, "killed by SIGSEGV after 12 of 160 calls"),
)


def around(gflops: float) -> Interval:
    return Interval(gflops, 0.98 * gflops, 1.02 * gflops)


SWEEP = Sweep(
    ("MC", "KC"),
    tuple(
        ((str(mc), str(kc)), None if kc == 512 else around(60.0 + mc / 48 - abs(kc - 256) / 64))
        for mc in (48, 96, 144, 192)
        for kc in (128, 192, 256, 320, 512)
    ),
)

LESSONS = (
    "Packing both operands paid in all 4 tries (+18 to +40 % over cache+register at 512 bits).\n"
    "Streaming stores to C lost 2 of 2 times: C is read again soon.\n"
    "A tile of 8 x 3 vectors beat 6 x 4 once (71.2 against 68.9); one case only."
)


def prompt_brief(
    parent: Elite | None = ARCHIVE[1],
    target: str | None = None,
    problem: str = "dgemm",
    elites: tuple[Elite, ...] = ARCHIVE,
    **more: object,
) -> Brief:
    """A brief with everything in it, of a real problem; ``more`` replaces fields."""
    fields: dict[str, object] = {
        "problem": find_problem(problem),
        "machine": MACHINE,
        "threads": 2,
        "sizes": tuple({"m": size, "n": size, "k": size} for size in (512, 1024)),
        "elites": {each.cell: each for each in elites},
        "parent": parent,
        "target": None if target is None else parse_cell(target),
        "reference_speeds": YARDSTICK,
        "recent_failures": SETBACKS,
        "sweep": SWEEP,
        "lessons": LESSONS,
    }
    return Brief(**{**fields, **more})  # type: ignore[arg-type]
