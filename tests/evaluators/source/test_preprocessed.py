"""The rules for text, applied to what a real preprocessor keeps."""

from __future__ import annotations

from pathlib import Path

import pytest

from qdkernel.evaluators.pipeline import EvaluationContext
from qdkernel.evaluators.source import refuse_source
from tests.compiled import dgemm
from tests.paths import CASES

BODY = "C[0] = A[0];"


def reason_for(context: EvaluationContext, source: str, folder: Path) -> str | None:
    preprocessed = context.preprocess(source, folder)
    return refuse_source(source.encode(), "dgemm", preprocessed)


HONEST = {
    "no header under a false condition": "#ifdef BENCH\n#include <stdio.h>\nint main(void) { return 0; }\n#endif",
    "elif chain": "#if 0\n#include <a.h>\n#elif defined(X)\n#include <b.h>\n#else\n#include <math.h>\n#endif",
    "nested": "#if 0\n#if 1\n#include <a.h>\n#endif\n#line 3\n#pragma GCC optimize(1)\n#endif",
    "undefined by the source": "#define X\n#undef X\n#ifdef X\n#import <a.h>\n#endif",
    "the compiler's own macros": "#ifndef __GNUC__\n#include <intrin.h>\n#define __attribute__(x)\n#endif",
    "expression": '#define N 4\n#if N > 8 && !defined(M)\nasm("nop");\n#endif',
    "unused macro": '#define FENCE() __asm__ volatile("" ::: "memory")\n#define INIT __attribute__((constructor))',
    "paste": "#define S(a, s, m) a##s##m\n#define C(x, y) x##y\nstatic double C(as, mm), S(s, a, m);",
    "quoted": '#define X\n#include "immintrin.h"\n#include <emmintrin.h>',
    "apostrophe in dropped text": "#if 0\nit's dropped, \"quietly\n#endif",
    "constructor as a name": "#define A(x) __attribute__((x))\nA(unused) static int constructor, section;",
    "condition in arguments": "#define F(a, b) a b\nF(static int x =,\n#ifdef Q\n1\n#else\n2\n#endif\n);",
    "extern C": '#ifdef __cplusplus\nextern "C" {\n#endif\nstatic int a;\n#ifdef __cplusplus\n}\n#endif',
    "has_include never asked": "#ifdef NOT_GCC\n#if __has_include(<omp.h>)\n#endif\n#endif",
}


@pytest.mark.parametrize("name", HONEST)
def test_what_is_not_compiled_is_not_refused(name: str, context: EvaluationContext, tmp_path: Path) -> None:
    assert reason_for(context, dgemm(BODY, HONEST[name]), tmp_path) is None


REFUSED = [
    ("#ifdef __GNUC__\n#include <stdio.h>\n#endif", "line 2: #include <stdio.h>: only these"),
    ("#if 1\n\n\\\n\n#include <stdio.h>\n#endif", "line 5: #include <stdio.h>"),
    ('#define CAT(x, y) x##y\n\nCAT(as, m)("nop");', "line 3: asm: no assembly"),
    ('#define A __as\\\nm__\n#define F(x) x\nF(\nA\n("nop"));', "__asm__: no assembly"),
    ("#define C constructor\n__attribute__((C)) static void f(void) {}", "line 2: attribute 'constructor'"),
    ("#define X(a, b) a##b\n__attribute__((X(con, structor))) static void f();", "line 2: attribute 'constructor'"),
    ("#define X(a, b) a##b\n[[X(gn, u)::X(ali, as)(\"g\")]] void f(void);", "line 2: attribute 'alias'"),
    ("#define DO(x) _Pragma(#x)\n\nDO(GCC optimize(\"Ofast\"))", "line 3: #pragma GCC optimize: the flags are"),
    ("#if 1\n#line 7 \"/usr/include/math.h\"\nasm(\"nop\");\n#endif", "line 2: #line is not accepted"),
    ("#if 1\n# 7 \"/usr/include/math.h\" 1 3\nasm(\"nop\");\n#endif", "line 2: #7 is not accepted"),
    ("#if 1\nchar *x = R\"(\n# 7 \"/usr/include/math.h\" 1 3\n)\";\nasm(\"nop\");\n#endif", "line 2: a raw string"),
    ("#if 0\nR\"(/*)\"\n#endif\nasm(\"nop\");\n/**/\n", "line 2: a raw string"),
    ("// ??/\n#define X\n", "line 1: ??/ is a trigraph"),
    ("#if __LINE__ == 1\nasm(\"nop\");\n#endif", "line 2: asm: no assembly"),
    ("#if 1\n#endif\n#if __LINE__ == 3\nasm(\"nop\");\n#endif", "line 4: asm: no assembly"),
    ("#if 1\\\n\n#endif\n#if __LINE__ == 4\nasm(\"nop\");\n#endif", "line 5: asm: no assembly"),
    ("#if __COUNTER__ == 0\nasm(\"nop\");\n#endif", "line 2: asm: no assembly"),
    ("#ifdef __SSE2__\n#if __has_include(<x.h>)\n#endif\n#endif", "line 2: __has_include is not accepted"),
    ("#define F(a, b) a\nF(,\n#if 1\n#include <stdio.h>\n#endif\n)", "line 4: #include <stdio.h>"),
    ("#if 0\n#pragma qdkernel 2\n#endif\nstatic const char *t = __TIME__;", "line 4: __TIME__ is not accepted"),
    ("#define H <stdio.h>\n#include H", "line 2: #include H: only these"),
]  # fmt: skip


@pytest.mark.parametrize(("before", "reason"), REFUSED)
def test_what_is_compiled_is_refused_with_its_line(
    before: str, reason: str, context: EvaluationContext, tmp_path: Path
) -> None:
    source = dgemm(BODY, before)
    assert reason in (reason_for(context, source, tmp_path) or "accepted")


def test_text_that_does_not_preprocess_is_judged_whole(context: EvaluationContext, tmp_path: Path) -> None:
    source = dgemm(BODY, "#if 0\n#include <stdio.h>\n#endif\n#error no")
    assert context.preprocess(source, tmp_path) is None
    assert "line 3: #include <stdio.h>" in (reason_for(context, "\n" + source, tmp_path) or "accepted")


@pytest.mark.slow
def test_endless_expansion_ends(context: EvaluationContext, tmp_path: Path) -> None:
    doubling = "\n".join(f"#define X{i} X{i - 1} X{i - 1}" for i in range(1, 64))
    assert context.preprocess(dgemm("X63;", "#define X0 0\n" + doubling), tmp_path) is None


def test_a_head_made_by_a_macro_is_found_and_described(context: EvaluationContext, tmp_path: Path) -> None:
    source = "#define NAME(x) d##x\n" + dgemm(BODY).replace("dgemm(", "NAME(gemm)(")
    preprocessed = context.preprocess(source, tmp_path)
    assert preprocessed is not None
    assert refuse_source(source.encode(), "dgemm", preprocessed) is None
    assert "void dgemm(" in preprocessed.text("dgemm")


@pytest.mark.parametrize(
    "name", ["s11_extern_c_guarded", "q01_if_else_open_brace", "q08_unused_main_guarded", "p01_paste_asm_letters"]
)
def test_kernels_that_the_text_alone_would_refuse_are_accepted(
    name: str, context: EvaluationContext, tmp_path: Path
) -> None:
    source = (CASES / "kernels" / f"{name}.c").read_text()
    assert refuse_source(source.encode(), "dgemm") is not None
    assert reason_for(context, source, tmp_path) is None


def test_settled_conditions_choose_the_lines_that_were_compiled(context: EvaluationContext, tmp_path: Path) -> None:
    source = dgemm(
        "C[0] = A[0];",
        "#if defined NDEBUG || \\\n    defined dgemm /* never\n   here */\nint a;\n# ifdef __GNUC__\nint b;\n#endif\n"
        "#elif __GNUC__ > 2\n#ifndef X\nint c;\n#else\nint d;\n#endif\n#else\nint e;\n#endif\n",
    )
    preprocessed = context.preprocess(source, tmp_path)
    assert preprocessed is not None
    settled = (
        "#if 0\nint a;\n#if 0\nint b;\n#endif\n#elif 1\n#if 1\nint c;\n#else\nint d;\n#endif\n#else\nint e;\n#endif\n"
    )
    assert settled in preprocessed.settled
    again = context.preprocess(preprocessed.settled, tmp_path)
    assert again is not None
    assert again.expanded.text.split() == preprocessed.expanded.text.split()
    assert again.settled == preprocessed.settled
