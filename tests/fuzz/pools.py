"""What the fuzzer starts from: every honest and hostile C source of the project, and a few compiled kernels."""

from __future__ import annotations

import functools
import json
import platform
import re
from pathlib import Path

from qdkernel.evaluators.toolchain import CompileLimits, build_native, compile_kernel, find_toolchain
from qdkernel.mutators.schedule import TEMPLATES
from qdkernel.problems import find_problem
from tests.mutators.schedule.genomes import GENOMES
from tests.paths import TESTS

CORPUS = Path(__file__).parent / "corpus"
PROBLEMS = ("dgemm", "jacobi2d")
FLAGS = ("-O3", "-march=x86-64-v4", "-mprefer-vector-width=512", "-fopenmp")
_FENCED = re.compile(r"```c?\n(.*?)```", re.DOTALL)

COMPILED = (
    "naive.c",
    "packed_512.c",
    "packed_256.c",
    "register_edges.c",
    "blocked_scalar_grid.c",
    "tasks_512_far.c",
    "rows_256_dynamic_near.c",
    "cache_512_blocks.c",
)
"""Kernels of the gallery whose objects are mutated: all axes are among them, and 2 to 20 KiB of code."""


@functools.cache
def sources() -> tuple[bytes, ...]:
    """Kernels: seeds, the gallery, cheats and honest oddities, printed schedules, and what models replied."""
    files = [TESTS / folder for folder in ("gallery", "cheats", "honest")]
    found = [path.read_bytes() for folder in files for path in sorted(folder.glob("*.c"))]
    for problem in map(find_problem, PROBLEMS):
        found += [problem.seed_source(file).encode() for file in problem.seeds]
    found += [TEMPLATES["dgemm"].print(genome).encode() for genome in GENOMES.values()]
    for path in sorted((TESTS / "mutators" / "transcripts").glob("*.json")):
        found += [text.encode() for text in _FENCED.findall(json.loads(path.read_text(encoding="utf-8"))["reply"])]
    return tuple(source for source in dict.fromkeys(found) if len(source) <= 1 << 16)


def compile_objects(folder: Path) -> None:
    """Compiles the kernels of ``COMPILED`` into ``folder``, by the confined compiler; about 3 s.

    Raises:
        ToolchainError: there is no compiler.
    """
    toolchain, problem = find_toolchain("gcc", FLAGS), find_problem("dgemm")
    built = build_native(toolchain, problem)
    for name in COMPILED:
        work = folder / Path(name).stem
        work.mkdir(parents=True)
        source = (TESTS / "gallery" / name).read_text(encoding="utf-8")
        compile_kernel(source, problem, toolchain, built, work, CompileLimits()).replace(folder / f"{work.name}.so")


def objects(folder: Path) -> tuple[bytes, ...]:
    """The compiled kernels in ``folder``, in the order of their names."""
    return tuple(path.read_bytes() for path in sorted(folder.glob("*.so")))


def can_compile() -> bool:
    """Whether this machine makes the objects that the reader knows."""
    return platform.machine() in ("x86_64", "AMD64")
