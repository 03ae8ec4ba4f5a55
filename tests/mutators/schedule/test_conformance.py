from __future__ import annotations

from pathlib import Path

from qdkernel.mutators.schedule import TEMPLATES
from qdkernel.mutators.schedule.stencil import Stencil, StencilTemplate
from qdkernel.problems import find_problem
from tests.mutators.briefs import brief, sized_brief
from tests.mutators.schedule.conformance import TemplateConformance

HERE = Path(__file__).parent

SEVEN_POINT = Stencil(
    function="seven",
    summary="t sweeps of a seven-point stencil, alternating between u and v",
    parameters="int nz, int ny, int nx, int t, double *restrict u, double *restrict v",
    planes="nz",
    rows="ny",
    columns="nx",
    plane_stride="(ptrdiff_t)(ny + 2) * (nx + 2)",
    row_stride="nx + 2",
    point="(0.4 * {center} + 0.1 * {ring})",
    extents=("nz", "ny", "nx"),
    sweeps="t",
)
"""A three-dimensional stencil of the test's own."""


class TestDgemm(TemplateConformance):
    # The printed `load` returns a vector; GCC notes that such a call has another ABI where the width is missing, but
    # the function is static. Another text would be another kernel for every recorded run.
    warnings = TemplateConformance.warnings + " -Wno-psabi"
    template = TEMPLATES["dgemm"]
    brief = brief("dgemm")
    prototype = find_problem("dgemm").prototype
    function = "dgemm"
    extent = 512
    nest_depth = 3

    def check_command(self, kernel: Path, program: Path) -> str:
        return f"gcc -O1 -fopenmp -DKERNEL=dgemm -DREAL=double {HERE / 'gemm_check.c'} {kernel} -o {program} -lm"


class TestSgemm(TestDgemm):
    compiled = 40  # the template of dgemm
    template = TEMPLATES["sgemm"]
    brief = brief("sgemm")
    prototype = find_problem("sgemm").prototype
    function = "sgemm"

    def check_command(self, kernel: Path, program: Path) -> str:
        return f"gcc -O1 -fopenmp -DKERNEL=sgemm -DREAL=float {HERE / 'gemm_check.c'} {kernel} -o {program} -lm"


class TestJacobi2d(TemplateConformance):
    template = TEMPLATES["jacobi2d"]
    brief = sized_brief("jacobi2d", {"n": 2048, "t": 4})
    prototype = find_problem("jacobi2d").prototype
    function = "jacobi2d"
    extent = 2048
    nest_depth = 3

    def check_command(self, kernel: Path, program: Path) -> str:
        return f"gcc -O1 -fopenmp -DKERNEL=jacobi2d {HERE / 'stencil_check.c'} {kernel} -o {program} -lm"


class TestThreeDimensions(TemplateConformance):
    compiled = 40  # the template of jacobi2d
    template = StencilTemplate(SEVEN_POINT)
    brief = sized_brief("seven", {"nz": 192, "ny": 192, "nx": 192, "t": 4})
    prototype = f"void seven({SEVEN_POINT.parameters})"
    function = "seven"
    extent = 192
    nest_depth = 4

    def check_command(self, kernel: Path, program: Path) -> str:
        return f"gcc -O1 -fopenmp -DSOLID -DKERNEL=seven {HERE / 'stencil_check.c'} {kernel} -o {program} -lm"
