from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from qdkernel.mutators.schedule.choices import SCHEDULES, WIDTHS
from qdkernel.mutators.schedule.gemm import Genome, print_gemm
from qdkernel.mutators.schedule.gemm.genome import EDGES, PACKINGS, THREADS, cell_of
from tests.conftest import FLAGS
from tests.mutators.schedule.genomes import GENOMES, GOLDEN
from tests.paths import GOLDEN as GOLDEN_FILES

pytestmark = pytest.mark.isa_dependent

HERE = Path(__file__).parent
CHECK = HERE / "gemm_check.c"
REAL = {"dgemm": "double", "sgemm": "float"}
GCC = ("gcc", *FLAGS, "-fPIC", "-Wall", "-Werror")

needs_gcc = pytest.mark.skipif(shutil.which("gcc") is None, reason="needs gcc")
# Wider vectors than the CPU has are cut into pieces by the compiler.
NEEDS = {256: pytest.mark.isa("avx2"), 512: pytest.mark.isa("avx512f")}
needs_objdump = pytest.mark.skipif(shutil.which("objdump") is None, reason="needs objdump")


@pytest.mark.parametrize("name", GOLDEN)
def test_a_genome_is_printed_as_its_golden_file(name: str) -> None:
    golden = GOLDEN_FILES / f"{name}.c"
    printed = print_gemm(GENOMES[name], "dgemm")
    if os.environ.get("QDKERNEL_UPDATE_GOLDEN") == "1":
        golden.write_text(printed, encoding="utf-8")
    assert printed == golden.read_text(encoding="utf-8"), "QDKERNEL_UPDATE_GOLDEN=1 pytest rewrites the golden files"


def test_the_genomes_under_test_cover_every_choice() -> None:
    genomes = list(GENOMES.values())
    assert {genome.width for genome in genomes} == set(WIDTHS)
    assert {genome.packing for genome in genomes if genome.blocking == "packed"} == set(PACKINGS) - {"none"}
    assert {genome.edges for genome in genomes} == set(EDGES)
    assert {genome.threads for genome in genomes} == set(THREADS)
    assert {genome.schedule for genome in genomes} == set(SCHEDULES)
    assert {cell_of(genome)[0] for genome in genomes} == set(range(5))
    assert {cell_of(genome)[3] for genome in genomes} == set(range(4))


def compiled(tmp_path: Path, genome: Genome, function: str) -> Path:
    source, target = tmp_path / "kernel.c", tmp_path / "kernel.o"
    source.write_text(print_gemm(genome, function), encoding="utf-8")
    subprocess.run([*GCC, "-c", str(source), "-o", str(target)], check=True, timeout=60)
    return target


@pytest.mark.slow
@needs_gcc
@pytest.mark.parametrize("function", ["dgemm", "sgemm"])
@pytest.mark.parametrize("name", GENOMES)
def test_a_printed_kernel_compiles_cleanly_and_computes_the_product(name: str, function: str, tmp_path: Path) -> None:
    kernel, program = compiled(tmp_path, GENOMES[name], function), tmp_path / "check"
    defines = [f"-DKERNEL={function}", f"-DREAL={REAL[function]}"]
    subprocess.run(
        ["gcc", "-O1", "-fopenmp", *defines, str(CHECK), str(kernel), "-o", str(program), "-lm"], check=True, timeout=60
    )
    threads = {**os.environ, "OMP_NUM_THREADS": "2", "OMP_PROC_BIND": "close", "OMP_PLACES": "cores"}
    done = subprocess.run([str(program)], env=threads, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.slow
@needs_gcc
@needs_objdump
@pytest.mark.parametrize("name", [pytest.param(name, marks=NEEDS.get(GENOMES[name].width, ())) for name in GENOMES])
def test_the_widest_arithmetic_in_the_object_is_the_width_of_the_genome(name: str, tmp_path: Path) -> None:
    genome = GENOMES[name]
    kernel = compiled(tmp_path, genome, "dgemm")
    code = subprocess.run(["objdump", "-d", str(kernel)], capture_output=True, text=True, check=True).stdout
    packed = re.findall(r"\tv?(?:fn?m(?:add|sub)\w*|add|sub|mul)p[sd]\s.*%([xyz])mm", code)
    widths = {"x": 128, "y": 256, "z": 512}
    assert max((widths[register] for register in packed), default=0) == genome.width


@pytest.mark.parametrize("name", GENOMES)
def test_a_printed_kernel_is_short_enough_to_read(name: str) -> None:
    lines = print_gemm(GENOMES[name], "dgemm").splitlines()
    assert len(lines) < 280  # a direct path, edge tiles and a transposition included
    assert max(len(line) for line in lines) <= 120
