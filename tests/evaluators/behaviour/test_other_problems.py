"""The axes describe kernels of problems other than dgemm; their gallery is in ``tests/gallery/<problem>``."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from qdkernel.core import Kernel, cell_name
from qdkernel.evaluators.behaviour import describe
from qdkernel.evaluators.binary import disassemble, read_shared_object
from qdkernel.evaluators.pipeline import EvaluationContext, verify_only
from qdkernel.problems import find_problem
from tests.compiled import compile_c
from tests.conftest import make_spec
from tests.paths import GALLERY

KERNELS = sorted(GALLERY.glob("*/*.c"))


def measured(source: str, problem: str, folder: Path) -> tuple[str, dict[str, str]]:
    declared = find_problem(problem)
    extent = max(declared.default_sizes(32 << 20)[0].values())
    so = read_shared_object(compile_c(source, folder, problem))
    cell, evidence = describe(source, so, disassemble(so), extent, declared.nest_depth)
    return cell_name(cell), evidence


@pytest.mark.parametrize("path", KERNELS, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_each_kernel_of_the_gallery_lands_in_its_cell(path: Path, tmp_path: Path) -> None:
    expected = re.match(r"/\* expect: (\S+)\n", path.read_text())
    assert expected is not None, f"{path.name} does not begin with /* expect: <cell>"
    cell, evidence = measured(path.read_text(), path.parent.name, tmp_path)
    assert cell == expected[1], evidence


@pytest.mark.parametrize("problem", ["daxpy", "sgemm", "stencil3d7"])
def test_each_kernel_of_the_gallery_is_right(problem: str, tmp_path: Path) -> None:
    context = EvaluationContext(make_spec(tmp_path, problem, 24))
    try:
        for path in KERNELS:
            if path.parent.name == problem:
                (tmp_path / path.stem).mkdir()
                source = f"#include <stddef.h>\n{path.read_text()}"
                made, complaint = verify_only(context, Kernel(source), tmp_path / path.stem)
                assert made is not None, f"{path.name}: {complaint}"
    finally:
        context.close()


@pytest.mark.parametrize(
    ("seed", "cell"),
    [
        ("daxpy_naive", "none/scalar/serial/none"),
        ("daxpy_omp", "none/512/static/none"),
        ("daxpy_simd", "none/256/serial/near"),
        ("daxpy_blocks", "cache/512/dynamic/none"),
        ("stencil3d7_naive", "none/512/serial/none"),
        ("stencil3d7_tiled", "cache/512/nested/none"),
        ("stencil3d7_simd", "none/256/serial/near"),
        ("stencil3d7_stream", "none/512/nested/far"),
    ],
)
def test_the_seeds_spread_over_the_archive(seed: str, cell: str, tmp_path: Path) -> None:
    problem = find_problem(seed.partition("_")[0])
    assert measured(problem.seed_source(f"{seed}.c"), problem.name, tmp_path)[0] == cell
