"""What all tests share: the toolchain, the context of a small problem, and markers for what a machine may lack."""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from qdkernel.errors import ConfigError
from qdkernel.evaluators.measurement import TimingRule, load_or_measure_peaks
from qdkernel.evaluators.pipeline import (
    CompileSpec,
    EvaluationContext,
    EvaluationSpec,
    RunSpec,
    SharedScratch,
    TimingSpec,
)
from qdkernel.evaluators.toolchain import Toolchain, cache_dir, find_toolchain
from qdkernel.machine import LEVELS, CoreLock, fingerprint, flags_of, this_machine
from qdkernel.machine.cpu import parse_cpuinfo
from qdkernel.machine.isa import features_of
from qdkernel.problems import find_problem

MODEL_VARIABLES = ("QDKERNEL_BASE_URL", "QDKERNEL_MODEL", "QDKERNEL_API_KEY", "OPENAI_BASE_URL", "OPENAI_API_KEY")
for name in MODEL_VARIABLES:
    os.environ.pop(name, None)  # no test may ask the models of whoever runs it

HOST = this_machine()
FEATURES = features_of(parse_cpuinfo(Path("/proc/cpuinfo").read_text(encoding="utf-8")).features, HOST.isa)
"""Instruction sets that kernels may use here: those of the CPU, as far as QDKERNEL_ISA leaves them."""
FLAGS = flags_of(("-O3", "-march=native", "-fopenmp"), HOST.isa)
FAST_RULE = TimingRule(block_ms=0.2, rounds_min=2, rounds_max=4, half_width=0.5, budget_s=0.05, disturbed=1000)


def make_spec(scratch: Path, problem: str = "dgemm", size: int = 48, threads: int = 1) -> EvaluationSpec:
    """Evaluates quickly: one small size, a handful of short blocks, peaks out of reach."""
    SharedScratch(scratch)
    return EvaluationSpec(
        problem=problem,
        scratch=str(scratch),
        compile=CompileSpec("gcc", FLAGS),
        run=RunSpec(run_s=2.0),
        timing=TimingSpec(
            sizes=(find_problem(problem).size_from_int(size),),
            threads=threads,
            peak_gflops=1e5,
            triad_gbytes_per_s=1e5,
            llc_bytes=32 << 20,
            baseline_gflops=(1e-3,),  # so slow that no ratio puts a kernel above the peak
            rule=FAST_RULE,
            duel_rule=FAST_RULE,
        ),
        isa=HOST.isa,
    )


def timed_with(spec: EvaluationSpec, **changes: Any) -> EvaluationSpec:  # Any: a field of ``TimingSpec`` each
    """The spec with other values of its timing."""
    assert spec.timing is not None
    return dataclasses.replace(spec, timing=dataclasses.replace(spec.timing, **changes))


def run_with(spec: EvaluationSpec, **changes: Any) -> EvaluationSpec:  # Any: a field of ``RunSpec`` each
    """The spec with other limits of a contained child."""
    return dataclasses.replace(spec, run=dataclasses.replace(spec.run, **changes))


def compiled_with(spec: EvaluationSpec, **changes: Any) -> EvaluationSpec:  # Any: a field of ``CompileSpec`` each
    """The spec with another way to compile."""
    return dataclasses.replace(spec, compile=dataclasses.replace(spec.compile, **changes))


def _own_cache(worker: str) -> None:
    """Gives a process of the suite a cache of its own, but for what is measured of the machine.

    Tests look for contained children by the cache that these come from.
    """
    shared, version = cache_dir(), find_toolchain("gcc", FLAGS).version
    own = shared / worker
    for isa in (HOST.isa, *(LEVELS if HOST.isa is None else ())):
        with contextlib.suppress(ConfigError):  # a level that the CPU lacks
            facts = fingerprint(this_machine(isa), version)
            for folder in (shared / facts, own):
                folder.mkdir(parents=True, exist_ok=True)
            with contextlib.suppress(FileExistsError):
                (own / facts).symlink_to(shared / facts)
    os.environ["QDKERNEL_CACHE"] = str(own)


if worker := os.environ.get("PYTEST_XDIST_WORKER"):
    _own_cache(worker)


def pytest_configure(config: pytest.Config) -> None:
    """Has pytest-xdist keep the order below; measures this machine before its processes begin to use it.

    Peaks measured beside tests are too low: each run that finds the baseline above them measures them again.
    """
    config.option.loadscopereorder = False
    if config.getoption("numprocesses", None):
        load_or_measure_peaks(HOST, find_toolchain("gcc", FLAGS), exclusive=CoreLock().exclusive())


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Modules with many slow tests go first, so that the processes of the suite end at about the same time."""
    slow = Counter(item.path for item in items if item.get_closest_marker("slow"))
    items.sort(key=lambda item: -slow[item.path])


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skips a test marked ``isa("avx512f")`` where kernels may not use that."""
    for mark in item.iter_markers("isa"):
        lacking = [feature for feature in mark.args if feature not in FEATURES]
        if lacking:
            pytest.skip(
                f"needs {', '.join(lacking)}, which {'the level ' + HOST.isa if HOST.isa else 'this CPU'} lacks"
            )


@pytest.fixture(scope="module", autouse=True)
def _no_context_outlives_its_module() -> Iterator[None]:
    """Ends the baseline that ``perform`` keeps for the next evaluation of this process."""
    yield
    if worker := sys.modules.get("qdkernel.evaluators.pipeline.worker"):
        worker._drop_context()


@pytest.fixture(scope="session")
def toolchain() -> Toolchain:
    return find_toolchain("gcc", FLAGS)


@pytest.fixture(scope="session")
def small_run(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, subprocess.CompletedProcess[str]]:
    """A run of fourteen evaluations, and what ``evolve`` printed; tests read it only, and all processes share it."""
    from tests.evolving import WORKERS, evolve

    folder = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent
    run, printed = folder / "small_run", folder / "small_run.json"
    with (folder / "small_run.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not printed.exists():
            whole = (WORKERS, "timing.remeasure=true", "timing.held_out=1", "pictures=true")
            done = evolve("gemm.yaml", run, "budget.minutes=null", "budget.evaluations=14", *whole)
            printed.write_text(json.dumps([done.stdout, done.stderr]))
    return run, subprocess.CompletedProcess([], 0, *json.loads(printed.read_text()))


@pytest.fixture
def context(tmp_path: Path) -> Iterator[EvaluationContext]:
    made = EvaluationContext(make_spec(tmp_path))
    yield made
    made.close()


def naive(problem: str = "dgemm") -> str:
    """The problem's naive seed kernel."""
    return find_problem(problem).seed_source(find_problem(problem).seeds[0])


@contextlib.contextmanager
def started(command: Sequence[str], env: Mapping[str, str] | None = None) -> Iterator[subprocess.Popen[str]]:
    """A process that does not outlive the block, whatever fails in it; its output goes to pipes."""
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env) as process:
        try:
            yield process
        finally:
            process.kill()
