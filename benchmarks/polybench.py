"""How do bred kernels compare with what compilers make of PolyBench?

Question: how much faster than ``gcc -O3`` on the naive kernel are the best elite of a short search without a model,
GCC's own parallel loops, and clang with Polly, each with the same threads?
Method: one search after the other, as in ``library.py``. Then all kernels of a problem are called in one process on the
same inputs, in rounds of random order. A kernel is called twice in a row and the second call counts, so that each finds
the threads as it left them itself; every result is compared with that of ``gcc -O3``. A speed-up is the median
over the rounds of the time of ``gcc -O3`` divided by the kernel's, with its 95 % interval. Runs verified their elites.
The table is printed in Markdown; where clang or Polly is missing, with the reason.

    python benchmarks/polybench.py [--problems mm2 atax] [--seconds 60] [--threads 2] [--rounds 16] [--out FOLDER]

The same command goes on where it was cut.
"""

from __future__ import annotations

import ctypes
import math
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from library import machine_line, search, settings

import qdkernel
from qdkernel.core import Array, Interval, Problem, check_prototype, geometric_mean, median_ratio
from qdkernel.core.problem import Kind
from qdkernel.problems import PROBLEMS, find_problem
from qdkernel.runs import RunFolder, elites

GCC = ("gcc", "-O3", "-march=native")
POLLY = ("-O3", "-march=native", "-mllvm", "-polly", "-mllvm", "-polly-parallel")
CLANGS = ("clang", *(f"clang-{version}" for version in range(22, 12, -1)))
C_TYPES = {Kind.INT32: ctypes.c_int32, Kind.INT64: ctypes.c_int64, Kind.FLOAT32: ctypes.c_float,
           Kind.FLOAT64: ctypes.c_double}  # fmt: skip
TOLERANCE = 1e-6  # relative; orders of summation differ, algorithms do not


@dataclass(frozen=True)
class Variant:
    """A way to a kernel: its name, and the compiler's command for the naive source, or for the elite's."""

    name: str
    command: tuple[str, ...]
    elite: bool = False


def main() -> None:
    """Searches, times the kernels of each problem side by side, and prints a row for each and the geometric means."""
    names = [name for name, problem in PROBLEMS.items() if problem.folder.parent.name == "polybench"]
    parser = settings(__doc__, names, Path("runs/polybench-benchmark"))
    parser.add_argument("--rounds", type=int, default=16)
    given = parser.parse_args()
    search(given)
    os.environ |= {"OMP_NUM_THREADS": str(given.threads), "OMP_PROC_BIND": "true"}  # read when libgomp is loaded
    polly, reason = with_polly()
    variants = [Variant("gcc -O3", GCC), Variant("gcc -O3, parallel loops", (*GCC, *parallel_loops(given.threads)))]
    variants += [Variant("clang -O3 with Polly", polly)] if polly else []
    variants += [Variant("elite", ("gcc", "-O3", "-march=native", "-fopenmp"), elite=True)]
    found: dict[str, dict[str, Interval]] = {}
    for name in given.problems:
        with tempfile.TemporaryDirectory() as folder:
            found[name] = speedups(find_problem(name), given.out / "runs" / name, variants, given.rounds, Path(folder))
    print(machine_line(qdkernel.open_run(given.out / "runs" / given.problems[0]).facts) + "\n")
    print("\n".join(table(found, [variant.name for variant in variants[1:]])))
    print(f"\nclang with Polly: {reason}.")


def parallel_loops(threads: int) -> tuple[str, ...]:
    """GCC's flags for loops that it shares among threads itself."""
    return (f"-ftree-parallelize-loops={threads}", "-floop-nest-optimize") if threads > 1 else ()


def with_polly() -> tuple[tuple[str, ...], str]:
    """The command of a clang with Polly and its version; no command, and the reason, where there is none."""
    clang = next((name for name in CLANGS if shutil.which(name)), None)
    if clang is None:
        return (), "not installed (Debian: apt install clang)"
    command = (clang, *POLLY)
    done = subprocess.run([*command, "-x", "c", "-c", "-o", os.devnull, "/dev/null"], capture_output=True, text=True)
    if done.returncode != 0:
        return (), f"{clang} refuses Polly: {done.stderr.strip().splitlines()[0]}"
    version = subprocess.run([clang, "--version"], capture_output=True, text=True, check=True).stdout.splitlines()[0]
    return (*command, "-lgomp"), f"{version}, {' '.join(POLLY)}"


def speedups(
    problem: Problem, run: Path, variants: Sequence[Variant], rounds: int, folder: Path
) -> dict[str, Interval]:
    """Time of the first variant over that of each other one; without those that are wrong or have no kernel."""
    functions: dict[str, Any] = {}  # Any: ctypes functions
    for number, variant in enumerate(variants):
        source = best_source(run) if variant.elite else problem.seed_source(problem.seeds[0])
        if source is not None:
            functions[variant.name] = compiled(source, variant.command, problem.name, folder / f"{number}")
    size = problem.default_sizes(0)[0]
    case = problem.scored_case(size)
    given = problem.make_inputs("uniform", case, np.random.default_rng(0))
    times: dict[str, list[float]] = {name: [] for name in functions}
    rng = np.random.default_rng(0)
    _, expected = called(problem, case, given, functions[variants[0].name])
    for _ in range(rounds):
        for name in rng.permutation(list(times)):
            called(problem, case, given, functions[name])
            elapsed, results = called(problem, case, given, functions[name])
            times[name].append(elapsed)
            if not all(np.allclose(results[each], expected[each], TOLERANCE, TOLERANCE) for each in results):
                del times[name]
    first = times.pop(variants[0].name)
    return {
        name: median_ratio([[a / b for a, b in zip(first, taken, strict=True)]], rng) for name, taken in times.items()
    }


def best_source(run: Path) -> str | None:
    """The C of a run's fastest elite; ``None`` without one."""
    if not (run / "run.db").exists():
        return None
    with RunFolder.open(run) as folder:
        held = elites(folder.evaluations.records()).values()
        return max(held, key=lambda record: record.evaluation.objective or 0.0).source if held else None


def compiled(source: str, command: Sequence[str], name: str, place: Path) -> Any:  # Any: a ctypes function
    """The function of a C source, loaded into this process."""
    file = place.with_suffix(".c")
    file.write_text(source, encoding="utf-8")
    compiler, *flags = command
    libraries = [flag for flag in flags if flag.startswith("-l")]
    flags = [flag for flag in flags if not flag.startswith("-l")]
    subprocess.run([compiler, *flags, "-shared", "-fPIC", str(file), "-o", str(place), *libraries, "-lm"], check=True)
    return getattr(ctypes.CDLL(str(place)), name)


def called(
    problem: Problem, case: Mapping[str, int | float], given: Mapping[str, Array], function: Any
) -> tuple[float, dict[str, Array]]:
    """Seconds of one call on fresh copies of the inputs, and what it left in the written arrays."""
    arrays = {
        argument.name: np.array(given[argument.name], problem.dtype_of(argument), order="C")
        if argument.is_read
        else np.zeros(argument.shape(case), problem.dtype_of(argument))
        for argument in problem.arrays
    }
    arguments = [
        ctypes.c_void_p(arrays[parameter.name].ctypes.data)
        if parameter.kind is Kind.POINTER
        else C_TYPES[parameter.kind](case[parameter.name])
        for parameter in check_prototype(problem).parameters
    ]
    begin = time.perf_counter()
    function(*arguments)
    elapsed = time.perf_counter() - begin
    return elapsed, {argument.name: arrays[argument.name] for argument in problem.arrays if argument.is_written}


def table(found: Mapping[str, Mapping[str, Interval]], names: Sequence[str]) -> Iterator[str]:
    """A row for each problem, and the geometric means; Markdown."""
    yield f"| problem | {' | '.join(names)} |"
    yield "|---|" + "---|" * len(names)
    for problem, ratios in found.items():
        cells = [text(ratios[name]) if name in ratios else "wrong or none" for name in names]
        yield f"| {problem} | {' | '.join(cells)} |"
    means = []
    for name in names:
        medians = [ratios[name].median for ratios in found.values() if name in ratios]
        means.append(f"{geometric_mean(medians):.2f} ({len(medians)})" if medians else "")
    yield f"| geometric mean (of so many) | {' | '.join(means)} |"


def text(ratio: Interval) -> str:
    """A speed-up with its interval."""
    low, high = (f"{bound:.2f}" if math.isfinite(bound) else "?" for bound in (ratio.low, ratio.high))
    return f"{ratio.median:.2f} [{low}, {high}]"


if __name__ == "__main__":
    main()
