"""Whole runs at each instruction-set level that the host has: cells are filled, and none that the level lacks."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from qdkernel import load
from qdkernel.core import Outcome, reachable_cells
from qdkernel.runs import elites
from tests.conftest import naive
from tests.evolving import BUSY, as_arguments, command, evolve
from tests.forked import run_forked
from tests.model_runs import environment
from tests.paths import CONFIGS
from tests.search.test_loop import read

pytestmark = pytest.mark.isa_dependent

WIDTHS = {"sse2": [128], "avx2": [128, 256], "avx512": [128, 256, 512]}
LEVELS = (
    pytest.param("sse2", marks=pytest.mark.isa("sse2")),
    pytest.param("avx2", marks=pytest.mark.isa("avx2", "fma")),
    pytest.param("avx512", marks=pytest.mark.isa("avx512f", "avx512vl")),
)
WIDE = "_mm256_storeu_pd(C, _mm256_setzero_pd());"
QUICK = ("budget.minutes=null", "budget.evaluations=16")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("config", "isa"),
    [*(pytest.param("gemm.yaml", *level.values, marks=level.marks) for level in LEVELS), ("jacobi2d.yaml", "sse2")],
)
def test_a_run_fills_cells_of_its_level_and_no_others(config: str, isa: str, tmp_path: Path) -> None:
    run = tmp_path / "run"
    done = evolve(config, run, *QUICK, f"machine.isa={isa}", "selection.exploit=0")  # for many cells in few evaluations
    with read(run) as folder:
        records, facts = list(folder.evaluations.records()), folder.facts
    filled = elites(records)
    assert len(filled) >= (5 if config == "gemm.yaml" else 2)
    assert set(filled) <= set(reachable_cells(WIDTHS[isa]))
    assert {r.evaluation.outcome for r in records} <= {Outcome.OK, Outcome.DUPLICATE, Outcome.LOST}
    assert list(facts.simd_widths) == WIDTHS[isa]
    assert set(facts.peaks) == {"scalar", *map(str, WIDTHS[isa])}
    assert "stopped: the budgeted number of evaluations is done" in done.stdout


@pytest.mark.slow
@pytest.mark.isa("sse2")
def test_a_level_of_the_environment_is_kept_in_the_run_and_reaches_every_command(tmp_path: Path) -> None:
    run, lowered = tmp_path / "run", environment(QDKERNEL_ISA="sse2")
    done = run_forked(command("gemm.yaml", run, "budget.minutes=null", "budget.evaluations=4"), lowered)
    assert done.returncode == 0, done.stderr
    assert "isa: sse2" in (run / "config.yaml").read_text()
    machine = json.loads((run / "machine.json").read_text())
    assert (machine["machine"]["isa"], machine["machine"]["simd_widths"]) == ("sse2", [128])
    assert {"-march=x86-64", "-mno-sse3"} <= set(machine["compiler"]["flags"])
    assert load(run).problem.name == "dgemm"
    resumed = run_forked(command("gemm.yaml", run, more=["--resume"]), {**lowered, "QDKERNEL_ISA": ""})
    assert resumed.returncode == 1
    assert "another machine or instruction-set level" in resumed.stderr


@pytest.mark.slow
@pytest.mark.isa("sse2")
def test_every_command_takes_the_level_of_the_environment(tmp_path: Path) -> None:
    lowered = environment(QDKERNEL_ISA="sse2")
    doctor = run_forked(["doctor", "--json"], lowered)
    assert json.loads(doctor.stdout)["machine"]["SIMD widths"] == [128]
    assert not [name for name in json.loads(doctor.stdout)["peak GFLOP/s"] if "256" in name or "512" in name]
    prompt = run_forked(["prompt", str(CONFIGS / "gemm.yaml"), "--show"], lowered).stdout
    assert "- SIMD: 128 bits, 16 vector registers" in prompt
    assert re.search(r"\b(?:256|512)[- ]bit|avx-?(?:2|512)", prompt, re.IGNORECASE) is None
    wide = tmp_path / "wide.c"
    wide.write_text("#include <immintrin.h>\n" + naive().replace("{", "{ if (m > 99) " + WIDE, 1))
    quick = as_arguments(("sizes=[48]", "threads=1", *BUSY))
    for words in (["check", str(wide)], ["bench", str(wide), "--repeats", "1"]):
        done = run_forked([*words, "--problem", "dgemm", *quick], lowered)
        assert done.returncode == 1
        assert "compile_error" in done.stdout + done.stderr


def test_a_level_the_host_has_not_ends_a_command_with_the_choices() -> None:
    done = run_forked(["doctor"], environment(QDKERNEL_ISA="avx1024"))
    assert done.returncode == 1
    assert "QDKERNEL_ISA: expected one of sse2, avx2, avx512, got 'avx1024'" in done.stderr
    dry = run_forked(["evolve", str(CONFIGS / "gemm.yaml"), "--dry-run", "--set", "machine.isa=avx3"])
    assert dry.returncode == 1
    assert "machine.isa: expected" in dry.stderr
