"""The templates of the families of loop nests: genomes, and printed kernels as the judge sees them."""

from __future__ import annotations

import contextlib
import subprocess
from pathlib import Path
from typing import Any

import pytest

from qdkernel.core import Kernel, cell_name
from qdkernel.evaluators.behaviour import describe
from qdkernel.evaluators.binary import disassemble, read_shared_object
from qdkernel.evaluators.pipeline import EvaluationContext, verify_only
from qdkernel.mutators import Brief
from qdkernel.mutators.schedule import TEMPLATES
from qdkernel.mutators.schedule.families import FAMILIES
from qdkernel.problems import find_problem
from tests.compiled import compile_prototype
from tests.conftest import make_spec
from tests.mutators.briefs import sized_brief
from tests.mutators.schedule.conformance import (
    OPTIMIZED,
    SHARE_AS_PREDICTED,
    TARGETS,
    GenomeConformance,
    genomes_of,
    needs_gcc,
)

SMALL = {
    "daxpy": 4099,
    "sscal": 4099,
    "dcopy": 4099,
    "sswap": 4099,
    "drot": 4099,
    "sdot": 4099,
    "dnrm2": 4099,
    "sasum": 4099,
    "dgemv": 129,
    "sger": 129,
    "dtranspose": 129,
    "sspmv_csr": 129,
    "dtrsv": 129,
    "stencil3d7": 9,
    "ssoftmax": 65,
    "dlayernorm": 65,
    "sgemm_batch": 17,
    "dconv2d": 9,
}
"""A problem of each kind, in both precisions by turns, and a size that is evaluated in a fraction of a second."""


def scored_brief(name: str) -> Brief:
    """Of the sizes that are scored on a machine with a last-level cache of 32 MB."""
    return sized_brief(name, find_problem(name).default_sizes(32 << 20)[-1])


class FamilyConformance(GenomeConformance):
    def __init_subclass__(cls) -> None:
        cls.template, cls.brief = TEMPLATES[cls.function], scored_brief(cls.function)


class TestElementWise(FamilyConformance):
    function = "daxpy"


class TestWithoutArithmetic(FamilyConformance):
    function = "scopy"


class TestSum(FamilyConformance):
    function = "sdot"


class TestMatrixVector(FamilyConformance):
    function = "dgemv"


class TestTranspose(FamilyConformance):
    function = "stranspose"


class TestSparse(FamilyConformance):
    function = "dspmv_csr"


class TestTriangular(FamilyConformance):
    function = "strsv"


class TestRows(FamilyConformance):
    function = "dsoftmax"


class TestSmallProducts(FamilyConformance):
    function = "sconv2d"


def test_every_problem_of_a_family_is_tested_in_one_precision() -> None:
    assert {name[1:] for name in SMALL} == {family.function[1:] for family in FAMILIES}


@pytest.mark.slow
@needs_gcc
@pytest.mark.parametrize(("at", "name"), list(enumerate(SMALL)))
def test_a_kernel_of_each_family_compiles_without_warnings_and_is_verified(at: int, name: str, tmp_path: Path) -> None:
    template, source, kernel = TEMPLATES[name], tmp_path / "kernel.c", tmp_path / "kernel.o"
    (genome,) = genomes_of(template, scored_brief(name), 1, seed=at)
    source.write_text(template.print(genome), encoding="utf-8")
    command = f"gcc {OPTIMIZED} -Wall -Wextra -Werror {TARGETS[at % len(TARGETS)]} -c {source} -o {kernel}"
    built = subprocess.run(command.split(), capture_output=True, text=True, timeout=60, check=False)
    assert (built.returncode, built.stderr) == (0, ""), genome
    spec = make_spec(tmp_path, name, SMALL[name], threads=2)
    with contextlib.closing(EvaluationContext(spec)) as context:
        made, reason = verify_only(context, Kernel(template.print(genome)), tmp_path)
    assert made, (reason, genome)


@needs_gcc
@pytest.mark.slow
def test_nine_in_ten_kernels_land_in_the_cell_that_their_genome_predicts(tmp_path: Path) -> None:
    missed: list[tuple[str, str, str, Any]] = []  # Any: the template's genome
    count = 0
    for name in SMALL:
        template, problem, brief = TEMPLATES[name], find_problem(name), scored_brief(name)
        extent = max(brief.sizes[0].values())
        for genome in genomes_of(template, brief, 3, seed=21):
            source = template.print(genome)
            so = read_shared_object(compile_prototype(source, tmp_path, problem.prototype, name))
            cell, _ = describe(source, so, disassemble(so), extent, problem.nest_depth)
            count += 1
            if cell != template.cell_of(genome):
                missed.append((name, cell_name(template.cell_of(genome)), cell_name(cell), genome))
    assert len(missed) <= (1 - SHARE_AS_PREDICTED) * count, missed
