"""Kernels as engineers write them (``tests/gallery/dgemm``): each is right and lands in the cell that it names."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from qdkernel.core import AXES, Kernel, cell_name
from qdkernel.evaluators.behaviour import describe
from qdkernel.evaluators.binary import disassemble, read_shared_object
from qdkernel.evaluators.pipeline import EvaluationContext, verify_only
from tests.compiled import compile_c
from tests.conftest import make_spec
from tests.evaluators.behaviour.test_behaviour import EXTENT, NEST_DEPTH, expected
from tests.paths import GALLERY

WRITTEN = sorted((GALLERY / "dgemm").glob("*/*.c"))
NAMES = [f"{path.parent.name}/{path.stem}" for path in WRITTEN]


@pytest.fixture(scope="module")
def context(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EvaluationContext]:
    made = EvaluationContext(make_spec(tmp_path_factory.mktemp("scratch"), "dgemm", 24))
    yield made
    made.close()


@pytest.mark.isa_dependent
@pytest.mark.parametrize("path", WRITTEN, ids=NAMES)
def test_each_written_kernel_lands_in_its_cell(path: Path, tmp_path: Path) -> None:
    source = path.read_text()
    so = read_shared_object(compile_c(source, tmp_path))
    cell, evidence = describe(source, so, disassemble(so), EXTENT, NEST_DEPTH)
    assert cell_name(cell) == expected(path), evidence
    assert all(evidence[axis.name] for axis in AXES)  # what a prompt gives as the reason of a missed target


@pytest.mark.parametrize("path", WRITTEN, ids=NAMES)
def test_each_written_kernel_is_right(path: Path, context: EvaluationContext, tmp_path: Path) -> None:
    made, complaint = verify_only(context, Kernel(f"#include <stddef.h>\n{path.read_text()}"), tmp_path)
    assert made is not None, complaint
