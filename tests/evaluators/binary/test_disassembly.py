from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from qdkernel.evaluators.behaviour.hot_loop import MachineLoop, call_graph, hot_loop
from qdkernel.evaluators.behaviour.thread_shares import Split
from qdkernel.evaluators.binary import (
    X86_64,
    Disassembly,
    Instruction,
    SharedObject,
    disassemble,
    read_shared_object,
)
from qdkernel.evaluators.binary.control_flow import control_flow
from qdkernel.evaluators.binary.x86_64 import arithmetic, is_streaming_store
from tests.compiled import AVX2, compile_c, dgemm

Made = Callable[[str], Disassembly]

VECTOR = "typedef double vec __attribute__((vector_size(32), aligned(8), may_alias));"


@pytest.fixture
def made(tmp_path: Path) -> Made:
    return lambda source: disassemble(read_shared_object(compile_c(source, tmp_path, target=AVX2)))


def hot(code: Disassembly) -> MachineLoop:
    """The hot loop; fails when there is none."""
    found = hot_loop(code, call_graph(code))
    assert found is not None
    return found


def named(code: Disassembly, name: str) -> int:
    """Address of a function."""
    return next(address for address, function in code.functions.items() if function.name == name)


def instructions(*lines: str) -> tuple[Instruction, ...]:
    """Instructions of four bytes each from address 0 on."""
    parts = (line.partition(" ") for line in lines)
    return tuple(Instruction(4 * i, 4, mnemonic, rest) for i, (mnemonic, _, rest) in enumerate(parts))


def flow(*lines: str) -> tuple[list[tuple[int, int]], list[int | None]]:
    """(first block, blocks) and parent of each loop."""
    loops = control_flow(instructions(*lines), {}, X86_64.branches).loops
    return [(min(loop.entries), len(loop.body)) for loop in loops], [loop.parent for loop in loops]


def test_nested_loops_are_found_with_their_parents() -> None:
    assert flow("nop", "nop", "nop", "jne 0x8", "jne 0x4", "ret") == ([(1, 3), (2, 1)], [None, 0])


def test_a_jump_back_from_a_rare_block_is_no_loop() -> None:
    assert flow("je 0x10", "nop", "ret", "nop", "nop", "jmp 0x4") == ([], [])


def test_a_jump_into_the_middle_of_an_unrolled_loop_leaves_it_a_loop() -> None:
    assert flow("je 0xc", "nop", "nop", "nop", "jne 0x4", "ret") == ([(1, 2)], [None])


def test_alignment_before_a_loop_is_no_way_into_it() -> None:
    # 0: jump over the alignment at 1 into an outer loop (2-4) around an inner one (3)
    assert flow("jmp 0x8", "nop", "nop", "jne 0xc", "jne 0x8", "ret") == ([(2, 3), (3, 1)], [None, 0])


def test_two_ways_of_one_iteration_exclude_each_other() -> None:
    graph = control_flow(
        instructions("nop", "je 0x10", "nop", "jmp 0x14", "nop", "jne 0x0", "ret"), {}, X86_64.branches
    )
    one, other, joint = graph.block_at(0x8), graph.block_at(0x10), graph.block_at(0x14)
    assert graph.exclusive(one, other)
    assert not graph.exclusive(one, joint)
    assert graph.leads(one, joint)
    assert not graph.leads(joint, one)


def test_depth_counts_calls_and_the_loops_around_them(made: Made) -> None:
    helper = """
__attribute__((noinline)) static double dot(int k, const double *a, const double *b, int ldb)
{
    double sum = 0;
    for (long at = 0; at < (long)k * ldb; at += ldb)
        sum += *a++ * b[at];
    return sum;
}"""
    body = "for (int i = 0; i < m; i++) for (int j = 0; j < n; j++) C[i * ldc + j] = dot(k, A + i * lda, B + j, ldb);"
    code = made(dgemm(body, helper))
    loop = hot(code)
    assert (loop.function.name, loop.depth, loop.widths, len(loop.carried)) == ("dot", 3, {0: 2}, 1)
    assert call_graph(code).depth == {named(code, "dgemm"): 0, named(code, "dot"): 2}


def test_recursion_ends_the_count(made: Made) -> None:
    helper = """
__attribute__((noinline)) static double half(int k, const double *a)
{
    double sum = 0;
    for (int p = 0; p < k; p++)
        sum += k > 4 ? half(k / 2, a + p) + half(k / 3, a) : a[p];
    return sum;
}"""
    code = made(dgemm("C[0] = half(k, A);", helper))
    assert max(call_graph(code).depth.values()) == 16
    assert hot(code).function.name == "half"


def test_the_body_of_a_parallel_region_counts_where_it_is_started(made: Made) -> None:
    body = """
    for (int p = 0; p < k; p++)
#pragma omp parallel for
        for (int i = 0; i < m; i++)
            C[i * ldc] += A[i * lda + p] * B[p * ldb];"""
    code = made(dgemm(body))
    loop = hot(code)
    assert loop.function.name == "dgemm._omp_fn.0"
    assert loop.depth == 2
    assert "GOMP_parallel" in {r.symbol for f in code.functions.values() for r in f.references}


@pytest.mark.parametrize("schedule", ["static", "dynamic", "guided, 4", "runtime"])
def test_loops_that_deal_shares_do_not_count(made: Made, schedule: str) -> None:
    body = f"""
#pragma omp parallel for schedule({schedule})
    for (int i = 0; i < m; i++)
        C[i * ldc] += A[i * lda] * B[i * ldb];"""
    assert hot(made(dgemm(body))).depth == 1


@pytest.mark.parametrize("schedule", ["static", "dynamic"])
def test_two_loops_merged_by_collapse_count_as_two(made: Made, schedule: str) -> None:
    body = f"""
#pragma omp parallel for collapse(2) schedule({schedule})
    for (int i = 0; i < m; i++)
        for (int j = 0; j < n; j++)
            C[i * ldc + j] += A[i * lda] * B[j];"""
    code = made(dgemm(body))
    graph = call_graph(code)
    assert [split for split, _ in graph.splits.values()] == [Split.MERGED]
    assert hot(code).depth == 2


def test_a_switch_is_followed_through_its_table(made: Made) -> None:
    cases = "".join(
        f"case {i}: for (int p = 0; p < k; p++) C[p] += A[p] * {i}.5 + B[p * {i}]; break;" for i in range(9)
    )
    code = made(dgemm(f"for (int i = 0; i < m; i++) switch (n + i) {{ {cases} }}"))
    assert len(next(iter(next(iter(code.functions.values())).tables.values()))) >= 9
    assert hot(code).depth == 2


def test_a_call_through_a_constant_table_reaches_every_function_of_it(made: Made) -> None:
    disassembly = made(
        dgemm(
            "for (int i = 0; i < m; i++) table[i & 1](C);",
            "#define F(N) __attribute__((noinline)) static void f##N(double *c) { c[N] += N; }\nF(1) F(2)\n"
            "static void (*const table[])(double *) = {f1, f2};",
        )
    )
    depths = call_graph(disassembly).depth
    assert {f.name: depths[f.address] for f in disassembly.functions.values()} == {"dgemm": 0, "f1": 1, "f2": 1}


def test_scaling_is_not_the_hot_loop(made: Made) -> None:
    body = """
    for (int i = 0; i < m; i++)
        for (int j = 0; j < n; j++)
            C[i * ldc + j] *= beta;
    for (int j = 0; j < n; j++) {
        double sum = 0;
        for (long at = j; at < (long)k * ldb; at += ldb)
            sum += *A++ * B[at];
        C[j] += sum;
    }"""
    assert hot(made(dgemm(body))).widths == {0: 2}


def test_an_edge_nested_deeper_does_not_beat_the_full_tile(made: Made) -> None:
    body = """
    for (int i = 0; i < m; i += 4)
        if (i + 4 <= m) {
            vec s[4] = {0};
            for (int p = 0; p < k; p++)
                for (int r = 0; r < 4; r++)
                    s[r] += A[(i + r) * lda + p] * *(const vec *)(B + p * ldb);
            for (int r = 0; r < 4; r++)
                *(vec *)(C + (i + r) * ldc) += s[r];
        } else {
            for (int r = i; r < m; r++)
                for (int q = 0; q < n; q++)
                    for (int t = 0; t < ldb; t++)
                        for (int p = 0; p < k; p++)
                            C[r * ldc + p] += A[r * lda + q] * B[q * ldb + p] * t;
        }"""
    loop = hot(made(dgemm(body, VECTOR)))
    assert (loop.depth, len(loop.carried)) == (2, 4)


def test_a_leftover_loop_made_wider_does_not_beat_the_loop_before_it(made: Made) -> None:
    body = """
    for (int i = 0; i < m; i++) {
        int j = 0;
        for (; j + 2 <= n; j += 2)
            *(narrow *)(C + i * ldc + j) += alpha * *(const narrow *)(B + j);
        for (; j < n; j++)
            C[i * ldc + j] += alpha * B[j];
    }"""
    narrow = "typedef double narrow __attribute__((vector_size(16), aligned(8), may_alias));"
    assert max(hot(made(dgemm(body, narrow))).widths) == 128


def test_a_kernel_without_arithmetic_has_no_hot_loop(made: Made) -> None:
    code = made(dgemm("for (int i = 0; i < m; i++) C[i * ldc] = A[i * lda];"))
    assert hot_loop(code, call_graph(code)) is None


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("vfmadd231pd zmm1, zmm2, zmmword ptr [rax]", (512, 16, True)),
        ("vfnmadd132ps ymm1, ymm2, ymm3", (256, 16, True)),
        ("vaddpd xmm1, xmm2, qword ptr [rax]{1to2}", (128, 2, True)),
        ("vmulpd ymm1, ymm2, ymm3", (256, 4, False)),
        ("vfmadd213sd xmm1, xmm2, xmm3", (0, 2, True)),
        ("addsd xmm1, xmm2", (0, 1, True)),
        ("vxorpd zmm1, zmm1, zmm1", None),
        ("vpaddd zmm1, zmm1, zmm1", None),
        ("vmovupd zmm1, zmmword ptr [rax]", None),
        ("vcvtdq2pd ymm1, xmm1", None),
    ],
)
def test_arithmetic_of_an_instruction(line: str, expected: tuple[int, int, bool] | None) -> None:
    assert arithmetic(instructions(line)[0]) == expected


def test_streaming_stores_are_told_from_streaming_loads() -> None:
    names = ["vmovntpd", "movnti", "vmovntdq", "vmovntdqa", "vmovupd"]
    assert [is_streaming_store(name) for name in names] == [True, True, True, False, False]


@pytest.mark.parametrize(
    ("lines", "carried"),
    [
        (["vfmadd231pd zmm0, zmm1, zmmword ptr [rax]"], {0}),
        (["vmovupd zmm2, zmmword ptr [rax]", "vfmadd213pd zmm2, zmm1, zmm0", "vmovapd zmm0, zmm2"], {0}),
        (["vmovupd zmm0, zmmword ptr [rax]", "vfmadd231pd zmm0, zmm1, zmm2", "vmovupd zmmword ptr [rax], zmm0"], set()),
        (["vfmadd231pd zmm0, zmm1, zmm2", "vmovupd zmm1, zmmword ptr [rax]"], {0}),  # zmm1 is only loaded ahead
        (["vxorpd xmm0, xmm0, xmm0", "vaddsd xmm0, xmm0, xmm1"], set()),
        (["addsd xmm0, xmm1", "mulpd xmm2, xmm3", "movapd xmm3, xmm4"], {0, 2, 3}),
        (["vaddpd zmm0, zmm0, zmm1", "vaddpd ymm0, ymm0, ymm1"], {0}),
    ],
)
def test_registers_that_carry_sums(lines: list[str], carried: set[int]) -> None:
    assert X86_64.carried_registers(instructions(*lines)) == carried


def test_other_machines_are_a_clear_error(tmp_path: Path) -> None:
    so: SharedObject = read_shared_object(compile_c(dgemm("C[0] = 1;"), tmp_path))
    with pytest.raises(ValueError, match="expected an object for x86-64 or aarch64, got one for EM_RISCV"):
        disassemble(replace(so, machine="EM_RISCV"))


def test_megabytes_of_code_are_refused_unread(tmp_path: Path) -> None:
    so = read_shared_object(compile_c(dgemm("C[0] = 1;"), tmp_path))
    text = replace(so.sections[".text"], size=2 << 20)
    with pytest.raises(ValueError, match="2097152 bytes of code; a kernel has at most 1048576"):
        disassemble(replace(so, sections={**so.sections, ".text": text}))
