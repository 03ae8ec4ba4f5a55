from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from qdkernel.evaluators.binary import disassemble, read_shared_object, refuse_object
from tests.compiled import compile_c, dgemm
from tests.paths import GALLERY

Judged = Callable[[str], str | None]

SCRATCH = """\
#include <math.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>
static _Thread_local double own[4096];
static double table[4096];
"""
HONEST = """\
    double *heap = aligned_alloc(64, 4096);
    if (!heap)
        __builtin_trap();
    memset(heap, 0, 4096);
    memcpy(own, A, 800);
#pragma omp parallel for schedule(dynamic)
    for (int i = 0; i < m; i++) {
        table[i] = own[i] + sqrt(heap[i]) + sinf(A[i]) + omp_get_thread_num();
#pragma omp critical
        C[i] += table[i];
    }
    free(heap);
"""


@pytest.fixture
def judged(tmp_path: Path) -> Judged:
    def judge(source: str) -> str | None:
        so = read_shared_object(compile_c(source, tmp_path))
        return refuse_object(so, disassemble(so), "dgemm")

    return judge


def test_scratch_threads_and_mathematics_are_accepted(judged: Judged) -> None:
    assert judged(dgemm(HONEST, SCRATCH)) is None


@pytest.mark.parametrize("name", ["packed_512", "tasks_512_far", "register_dot"])
def test_the_gallery_is_accepted(tmp_path: Path, name: str) -> None:
    so = read_shared_object(compile_c((GALLERY / f"{name}.c").read_text(), tmp_path))
    assert refuse_object(so, disassemble(so), "dgemm") is None


@pytest.mark.parametrize(
    ("before", "body", "reason"),
    [
        ("int puts(const char *);", 'puts("");', "the kernel calls puts; kernels may not print"),
        (
            "void omp_set_num_threads(int);",
            "omp_set_num_threads(64);",
            "the kernel calls omp_set_num_threads, which changes",
        ),
        (
            "double omp_get_wtime(void);",
            "C[0] = omp_get_wtime();",
            "the kernel calls omp_get_wtime; kernels may not read clocks",
        ),
        (
            "void GOMP_parallel_start(void (*)(void *), void *, unsigned); static void f(void *x) {}",
            "GOMP_parallel_start(f, 0, 2);",
            "the object calls GOMP_parallel_start",
        ),
        ("void GOMP_parallel_end(void);", "GOMP_parallel_end();", "the object calls GOMP_parallel_end"),
        ("void *dlopen(const char *, int);", 'dlopen("", 1);', "the object calls dlopen"),
        ("long syscall(long, ...);", "syscall(1);", "the object calls syscall"),
        ("extern double stray;", "C[0] = stray;", "the object calls stray"),
        (
            "static double x; __attribute__((constructor)) static void f(void) { x = 1; }",
            "C[0] = x;",
            "runs when it is loaded or left (section .init_array",
        ),
        (
            "static void f(void) {} static void (*pick(void))(void) { return f; }\n"
            'static void g(void) __attribute__((ifunc("pick")));',
            "g();",
            "by a resolver while it is loaded",
        ),
        ("", '__asm__ volatile("syscall");', "dgemm uses the instruction syscall"),
        ("", "C[0] = __builtin_ia32_rdtsc();", "dgemm uses the instruction rdtsc"),
        ("#include <immintrin.h>", "_mm_setcsr(0x9fc0);", "ldmxcsr"),
        ("", '__asm__ volatile("int3");', "dgemm uses the instruction int3"),
        ("", '__asm__ volatile("int $0x80");', "dgemm uses the instruction int,"),
        ("", '__asm__ volatile("cpuid" ::: "rax", "rbx", "rcx", "rdx");', "dgemm uses the instruction cpuid"),
        ("", '__asm__ volatile("wrfsbase %rax");', "dgemm uses the instruction wrfsbase"),
        ("", '__asm__ volatile("lretq");', "dgemm uses the instruction retfq"),
        ("", '__asm__ volatile(".byte 0x06");', "in the code are no instruction"),
        # An immediate that is a syscall, and a jump into it.
        ("", '__asm__ volatile("jmp .+3\\n .byte 0xb8, 0x0f, 0x05, 0xc3, 0x90");', "not the start of an instruction"),
        (
            "static void f(double *c) { *c = 1; } static void (*volatile g)(double *) = f;",
            "g(C);",
            "calls or jumps through a pointer",
        ),
        (
            "static void f(double *c) { *c = 1; } static void (*volatile g[2])(double *) = {f, f};",
            "g[m & 1](C);",
            "calls or jumps through a pointer",
        ),
        (
            "",
            "void *volatile to = &&a; goto *to; a: C[0] = 1; return; b: C[1] = 1; to = &&b;",
            "calls or jumps through a pointer",
        ),
        ("static const double t[40000] = {1};", "C[0] = t[m];", "bytes of constants; at most 262144"),
    ],
)
def test_what_a_kernel_may_not_hold_is_refused(judged: Judged, before: str, body: str, reason: str) -> None:
    refusal = judged(dgemm(body, before))
    assert refusal is not None
    assert reason in refusal


@pytest.mark.parametrize(
    ("before", "body"),
    [
        ("", "static const void *const to[] = {&&a, &&b}; goto *to[m & 1]; a: C[0] = 1; return; b: C[0] = 2;"),
        (
            "#define F(N) __attribute__((noinline)) static void f##N(double *c) { c[N] = N; }\nF(1) F(2)\n"
            "static void (*const table[])(double *) = {f1, f2};",
            "for (int i = 0; i < m; i++) table[i & 1](C);",
        ),
    ],
)
def test_tables_of_constant_pointers_are_accepted(judged: Judged, before: str, body: str) -> None:
    assert judged(dgemm(body, before)) is None


def test_bytes_of_a_system_call_inside_an_immediate_are_honest(judged: Judged) -> None:
    assert judged(dgemm("if (m == 0xc3050f) C[0] = 0x050f34cd80ull;")) is None


def test_a_static_function_that_nobody_calls_is_not_judged(judged: Judged) -> None:
    assert judged(dgemm("C[0] = 1;", 'int puts(const char *); static void f(void) { puts(""); }')) is None


def test_exactly_the_problem_s_function_is_exported(tmp_path: Path) -> None:
    so = read_shared_object(compile_c(dgemm("C[0] = 1;"), tmp_path))
    code = disassemble(so)
    assert refuse_object(so, code, "sgemm") == ("the object exports dgemm; it has to export sgemm and nothing else")
    two = refuse_object(replace(so, exports=("clock_gettime", "dgemm")), code, "dgemm")
    assert two == "the object exports clock_gettime, dgemm; it has to export dgemm and nothing else"
    none = refuse_object(replace(so, exports=()), code, "dgemm")
    assert none == "the object exports nothing; it has to export dgemm and nothing else"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"file_size": 5 << 20}, "has 5242880 bytes; at most 4194304"),
        ({"needed": ("libblas.so.3",)}, "asks for the library libblas.so.3; kernels link to none"),
        ({"dynamic_tags": frozenset({"DT_RUNPATH"})}, "has a library path (DT_RUNPATH)"),
        ({"dynamic_tags": frozenset({"DT_TEXTREL"})}, "has code that the loader patches (DT_TEXTREL)"),
        ({"writable_code": True}, "both writable and executable"),
        ({"imports": ("GOMP_target_ext",)}, "calls GOMP_target_ext"),
    ],
)
def test_what_only_another_linker_would_make_is_refused(
    tmp_path: Path, changes: dict[str, object], reason: str
) -> None:
    so = read_shared_object(compile_c(dgemm("C[0] = 1;"), tmp_path))
    refusal = refuse_object(replace(so, **changes), disassemble(so), "dgemm")  # type: ignore[arg-type]
    assert refusal is not None
    assert reason in refusal
