"""Kernels for aarch64, by a cross compiler: their cells, the object policy, and that they compute under qemu."""

from __future__ import annotations

import functools
import subprocess
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from qdkernel.core import AXES, cell_name, parse_cell, trampoline
from qdkernel.errors import ToolchainError
from qdkernel.evaluators.behaviour import describe, describe_run
from qdkernel.evaluators.binary import refuse_object
from qdkernel.evaluators.toolchain import NATIVE, check_flags
from qdkernel.problems import find_problem
from tests.aarch64 import (
    COMPILER,
    NEON,
    CrossCompiled,
    call,
    cross_compile,
    cross_compiler,
    needs_cross_compiler,
    observe,
    sve,
)
from tests.compiled import dgemm
from tests.evaluators.behaviour.test_behaviour import EXTENT, NEST_DEPTH, expected
from tests.paths import GALLERY, GALLERY_AARCH64

pytestmark = needs_cross_compiler

KERNELS = {
    path.stem: path for path in sorted(GALLERY.glob("*.c")) if "immintrin" not in path.read_text(encoding="utf-8")
} | {f"arm_{path.stem}": path for path in sorted(GALLERY_AARCH64.glob("*.c"))}
# One for each level of each axis, at most a second each under emulation; packed_256 has 336 KB of thread-local data.
OBSERVED = ("blocked_scalar_grid", "cache_512_blocks", "counter", "register_256", "arm_packed_128", "shares_by_hand",
            "rows_256_dynamic_near", "arm_tasks_512_far", "naive", "packed_256")  # fmt: skip

Compile = Callable[[str], CrossCompiled]


def target_of(cell: str) -> tuple[str, ...]:
    """Flags for a machine that has vectors of the cell's width: NEON's, or scalable ones of that many bits."""
    simd = parse_cell(cell)[1]
    return sve(int(AXES[1].levels[simd])) if AXES[1].levels[simd] in ("256", "512") else NEON


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Compile:
    """A kernel of the gallery by its name, compiled once."""

    @functools.cache
    def made(name: str) -> CrossCompiled:
        path = KERNELS[name]
        return cross_compile(path.read_text(encoding="utf-8"), tmp_path_factory.mktemp(name), target_of(expected(path)))

    return made


def cell_of(made: CrossCompiled) -> tuple[str, dict[str, str]]:
    cell, evidence = describe(made.source, made.shared_object, made.disassembly, EXTENT, NEST_DEPTH)
    return cell_name(cell), evidence


@pytest.mark.parametrize("name", KERNELS)
def test_a_kernel_of_the_gallery_lands_in_its_cell_and_the_object_policy_admits_it(
    name: str, compiled: Compile
) -> None:
    made = compiled(name)
    cell, evidence = cell_of(made)
    assert cell == expected(KERNELS[name]), evidence
    assert refuse_object(made.shared_object, made.disassembly, "dgemm") is None


def levels_of(names: list[str]) -> Counter[tuple[str, str]]:
    cells = [parse_cell(expected(KERNELS[name])) for name in names]
    return Counter((axis.name, axis.levels[cell[i]]) for cell in cells for i, axis in enumerate(AXES))


def test_the_gallery_has_every_level_of_every_axis_three_times_and_observed_runs_have_them_once() -> None:
    gallery, observed = levels_of(list(KERNELS)), levels_of(list(OBSERVED))
    assert [level for axis in AXES for level in axis.levels if gallery[axis.name, level] < 3] == []
    missing = {(axis.name, level) for axis in AXES for level in axis.levels if not observed[axis.name, level]}
    assert missing == set()


@pytest.mark.parametrize("name", sorted(set(KERNELS) - set(OBSERVED)))
def test_a_kernel_of_the_gallery_computes_under_qemu(name: str, compiled: Compile) -> None:
    call(compiled(name), (96, 96, 40))


@pytest.mark.parametrize("name", OBSERVED)
def test_what_ran_under_qemu_puts_a_kernel_into_its_cell(name: str, compiled: Compile) -> None:
    made, size = compiled(name), (192, 192, 192)
    run = observe(made, size)
    cell, evidence = describe_run(made.source, made.shared_object, made.disassembly, EXTENT, NEST_DEPTH, run)
    assert cell_name(cell) == expected(KERNELS[name]), evidence


ROWS = """    for (int i = 0; i < m; i++)
        for (int p = 0; p < k; p++)
            for (int j = 0; j < n; j++)
                C[(ptrdiff_t)i * ldc + j] += alpha * A[(ptrdiff_t)i * lda + p] * B[(ptrdiff_t)p * ldb + j];"""


def test_the_counters_are_as_many_as_the_iterations(tmp_path: Path) -> None:
    made = cross_compile(dgemm(ROWS.replace("+= alpha", "= 3 * C[(ptrdiff_t)i * ldc + j] + alpha")), tmp_path)
    run = observe(made, (5, 16, 1))  # the driver's beta is 3, and there is one term
    (counts,) = run.counts.values()
    function = made.disassembly.functions[made.disassembly.roots[0]]
    outer = next(loop for loop in function.flow.loops if loop.parent is None)
    assert {counts[block] for block in outer.entries} == {5}


def test_scalable_code_has_the_width_of_the_machine_it_is_for(tmp_path: Path) -> None:
    cells = []
    for bits in (128, 256, 512):
        folder = tmp_path / str(bits)
        folder.mkdir()
        cells.append(cell_of(cross_compile(dgemm(ROWS), folder, sve(bits)))[0])
    assert cells == ["none/128/serial/none", "none/256/serial/none", "none/512/serial/none"]


@pytest.mark.parametrize(
    ("statement", "instruction"),
    [
        ('__asm__ volatile("svc #0");', "svc"),
        ('unsigned long now; __asm__ volatile("mrs %0, cntvct_el0" : "=r"(now)); C[0] = now;', "mrs"),
        ('__asm__ volatile("msr fpcr, %0" : : "r"(0L));', "msr"),
        ('__asm__ volatile("dc civac, %0" : : "r"(C));', "dc"),
        ('__asm__ volatile("wfe");', "wfe"),
    ],
)
def test_the_object_policy_refuses_what_leaves_the_kernel(statement: str, instruction: str, tmp_path: Path) -> None:
    made = cross_compile(dgemm(statement), tmp_path)
    refusal = refuse_object(made.shared_object, made.disassembly, "dgemm")
    assert refusal == f"dgemm uses the instruction {instruction}, which kernels may not use; remove what asks for it"


FIRST = "__attribute__((constructor)) static void first(void)"


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        (dgemm("((void (*)(void))(size_t)C)();"), "dgemm calls or jumps through a pointer (at 0x"),
        (dgemm("C[0] = (double)getpid();", "int getpid(void);"), "the object calls getpid, which kernels may not use"),
        (
            dgemm("C[0] = seen;", f"static int seen; {FIRST} {{ seen = 1; }}"),
            "the object has code that runs when it is",
        ),
    ],
    ids=["pointer", "import", "constructor"],
)
def test_the_object_policy_refuses_what_it_does_on_x86_64(source: str, reason: str, tmp_path: Path) -> None:
    made = cross_compile(source, tmp_path)
    refusal = refuse_object(made.shared_object, made.disassembly, "dgemm")
    assert refusal is not None
    assert refusal.startswith(reason)


@pytest.mark.parametrize("source", ["runner.c", "confine.c"])
def test_the_contained_child_and_its_filter_compile(source: str, tmp_path: Path) -> None:
    (tmp_path / "call.h").write_text(trampoline(find_problem("dgemm")))
    flags = ["-O2", "-Wall", "-Werror", "-fopenmp", f"-I{tmp_path}", "-c", "-o", str(tmp_path / "made.o")]
    subprocess.run([COMPILER, *flags, str(NATIVE / source)], check=True, timeout=60)


def test_timing_by_a_cross_compiler_is_refused_with_the_reason() -> None:
    with pytest.raises(ToolchainError) as caught:
        check_flags(cross_compiler())
    assert "aarch64-linux-gnu-gcc makes code for aarch64, and this machine is x86_64" in str(caught.value)
    assert "its times say nothing about a real machine, so nothing is timed; run on aarch64" in str(caught.value)
