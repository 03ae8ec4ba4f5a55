"""Every seed compiled and run for real, in a child process, on arrays that end at a guard page."""

from __future__ import annotations

import itertools
import os
import pickle
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from qdkernel.core import Array, Case, Expected, LibraryBaseline, Problem, trampoline
from qdkernel.problems import find_problem
from tests.conftest import FLAGS
from tests.paths import ROOT
from tests.problems.oracles import HAND_WRITTEN, drawn_cases, worst
from tests.problems.seed_runner import Results

pytestmark = pytest.mark.isa_dependent

needs_gcc = pytest.mark.skipif(shutil.which("gcc") is None, reason="needs gcc")

TUNABLE = re.compile(r"^(#define \w+ )(\S+)\s*/\* tune: (.+?) \*/", re.M)
SLOTS = "#include <stdint.h>\nunion qd_slot { int32_t i; int64_t l; float f; double d; void *p; };\n"


def tuned(source: str, *picks: Callable[[list[int]], int]) -> str:
    """The source with its tunable constants set to what ``picks``, in turn, choose of the permitted values."""
    turns = itertools.cycle(picks)
    return TUNABLE.sub(lambda match: f"{match[1]}{next(turns)(permitted(match[3]))} ", source)


def permitted(text: str) -> list[int]:
    span = re.fullmatch(r"(\d+)\.\.(\d+) step (\d+)", text)
    if span:
        low, high, step = map(int, span.groups())
        return list(range(low, high + 1, step))
    return [int(value) for value in text.split(", ")]


def variants(source: str) -> list[str]:
    tried = [source, tuned(source, min), tuned(source, max), tuned(source, min, max), tuned(source, max, min)]
    return list(dict.fromkeys(tried))


def library_flags(problem: Problem, file: str) -> list[str]:
    if not isinstance(problem.baseline, LibraryBaseline) or file != problem.baseline.adapter:
        return []
    openblas = pytest.importorskip("scipy_openblas32")
    folder = openblas.get_lib_dir()
    name = openblas.get_library()
    return [f"-DQD_SYMBOL={problem.baseline.symbol}", f"-L{folder}", f"-l{name}", f"-Wl,-rpath,{folder}"]


def compiled(problem: Problem, file: str, source: str, path: Path) -> str:
    """The path of a library of ``source`` behind the problem's trampoline, compiled without a warning."""
    kernel, driver, declaration = path.with_suffix(".c"), path.with_suffix(".call.c"), path.with_suffix(".h")
    declaration.write_text(f"{problem.prototype};\n")
    kernel.write_text(source)
    entry = f"void qd_test_call(const union qd_slot *slot) {{ qd_call((void (*)(void)){problem.name}, slot); }}\n"
    driver.write_text(SLOTS + trampoline(problem) + entry)
    flags = [*FLAGS, "-fPIC", "-shared", "-Wall", "-Wextra", "-Werror"]
    command = ["gcc", *flags, "-include", str(declaration), str(kernel), str(driver), "-o", str(path)]
    done = subprocess.run([*command, *library_flags(problem, file)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return str(path)


def run_in_child(problem: Problem, cases: list[tuple[Case, dict[str, Array]]], libraries: list[str]) -> list[Results]:
    folder = Path(libraries[0]).parent
    (folder / "cases").write_bytes(pickle.dumps(cases))
    environment = os.environ | {"OMP_NUM_THREADS": "2", "OMP_PROC_BIND": "close", "OMP_PLACES": "cores"}
    command = [sys.executable, "-m", "tests.problems.seed_runner", problem.name]
    root = ROOT
    child = subprocess.run(
        [*command, str(folder / "cases"), str(folder / "results"), *libraries],
        cwd=root,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert child.returncode == 0, child.stderr
    results: list[Results] = pickle.loads((folder / "results").read_bytes())
    return results


Judged = list[tuple[Case, dict[str, Array], dict[str, Expected]]]


@pytest.fixture(scope="module")
def judged() -> dict[str, Judged]:
    """Cases, inputs and references of every problem, computed once."""
    return {
        problem.name: [(case, arrays, problem.reference(case, arrays)) for case, _, arrays in drawn_cases(problem)]
        for problem in map(find_problem, HAND_WRITTEN)
    }


SEED_FILES = [
    (problem, path.name)
    for problem in map(find_problem, HAND_WRITTEN)
    for path in problem.folder.glob(f"{problem.name}_*.c")
]


@pytest.mark.slow
@needs_gcc
@pytest.mark.parametrize(("problem", "file"), SEED_FILES, ids=[file for _, file in SEED_FILES])
def test_every_seed_is_right_on_every_case_with_default_and_extreme_constants(
    problem: Problem, file: str, judged: dict[str, Judged], tmp_path: Path
) -> None:
    sources = variants(problem.seed_source(file))
    libraries = [compiled(problem, file, s, tmp_path / f"seed{i}.so") for i, s in enumerate(sources)]
    all_results = run_in_child(problem, [(case, arrays) for case, arrays, _ in judged[problem.name]], libraries)
    for results in all_results:
        for result, (case, _, expected) in zip(results, judged[problem.name], strict=True):
            assert worst(problem, result, expected) < problem.error_limit, case


def test_the_jacobi_seeds_declare_constants_that_permit_their_defaults() -> None:
    constants = {
        (file, match[1], match[2], match[3])
        for file in find_problem("jacobi2d").seeds
        for match in TUNABLE.finditer(find_problem("jacobi2d").seed_source(file))
    }
    assert len(constants) >= 7
    for _, _, default, text in constants:
        assert int(default) in permitted(text)
