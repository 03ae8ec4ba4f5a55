from __future__ import annotations

import random
from pathlib import Path

import pytest

from qdkernel.evaluators.source import SIZE_LIMIT, refuse_source
from tests.compiled import dgemm
from tests.paths import GALLERY

BODY = "C[0] = A[0];"


def refused(source: str | bytes) -> str:
    """The reason; fails when there is none."""
    reason = refuse_source(source if isinstance(source, bytes) else source.encode(), "dgemm")
    assert reason is not None
    return reason


@pytest.mark.parametrize("path", sorted(GALLERY.glob("*.c")), ids=lambda path: path.stem)
def test_the_gallery_is_accepted(path: Path) -> None:
    assert refuse_source(path.read_bytes(), "dgemm") is None


@pytest.mark.parametrize(
    "before",
    [
        "#include <immintrin.h>\n#include <math.h>\n#include < omp.h >",
        '#include "immintrin.h"\n#include "math.h"\n#include <xmmintrin.h>\n#include <mm_malloc.h>',
        "#define ALIGN 64\nstatic double buf[8] __attribute__((aligned(ALIGN), unused));",
        "typedef double vec __attribute__((vector_size(64), may_alias));",
        "#define ACC(i, j) c##i##j\n#define a 1\n#define s 2",
        '#define UNROLL(n) _Pragma("GCC unroll 4")',
        "#define DO(x) _Pragma(#x)",
        "/* asm volatile, __attribute__((constructor)), #include <stdio.h> */",
        "/* C \u2190 \u03b1 A \u00d7 B, \f and\ttabs */",
        'static const char text[] = "asm __attribute__((section)) #pragma GCC optimize";',
        "// it's a comment with an apostrophe \\\n   and asm in its continuation",
        "#ifdef __AVX512F__\n#pragma omp declare simd\n#endif\nstatic int target(int section) { return section; }",
        "#pragma STDC FP_CONTRACT ON\n#pragma unroll 4",
        "static inline __attribute__((always_inline)) int f(int b[2][2]) { int c[1]; return b[c[0]][1]; }",
    ],
)
def test_honest_text_is_accepted(before: str) -> None:
    assert refuse_source(dgemm(BODY, before).encode(), "dgemm") is None


@pytest.mark.parametrize(
    ("before", "reason"),
    [
        ("#include <stdio.h>", "line 1: #include <stdio.h>: only these may be included"),
        ('#include "prototype.h"', 'line 1: #include "prototype.h": only these'),
        ("#include <math.h\"", "line 1: #include <math.h\""),
        ("#include <sys/xmmintrin.h>", "line 1: #include <sys/xmmintrin.h>: only these"),
        ("#define H <math.h>\n#include H", "line 2: #include H: only these"),
        ("/* */ # /* */ include /* \n */ </etc/passwd>", "line 1: #include </etc/passwd>: only these"),
        ("%:include <unistd.h>", "line 1: #include <unistd.h>: only these"),
        ("#inc\\\nlude <unistd.h>", "line 1: #include <unistd.h>: only these"),
        ("#include_next <math.h>", "line 1: #include_next is not accepted"),
        ('#embed "x"', "line 1: #embed is not accepted"),
        ('#line 1 "x"', "line 1: #line is not accepted"),
        ('# 1 "x"', "line 1: #1 is not accepted"),
        ("#if __has_include(<x.h>)\n#endif", "line 1: __has_include is not accepted: include what you need"),
        ('asm("nop");', "line 1: asm: no assembly; use intrinsics"),
        ("\n\nvoid f(void) { __asm__ __volatile__ (\"\"); }", "line 3: __asm__: no assembly"),
        ("void f(void) { __asm(\"\"); }", "line 1: __asm: no assembly"),
        ('as\\\nm("nop");', "line 1: asm: no assembly"),
        ('as\\  \nm("nop");', "line 1: asm: no assembly"),
        ('#define X asm("nop")', "line 1: asm: no assembly"),
        ('register int r asm("r12");', "line 1: asm: no assembly"),
        ('#define CAT(x, y) x##y\nCAT(as, m)("nop");', "line 1: ## could paste 'asm' out of its arguments"),
        ('#define CAT(x, y) x%:%:y\nCAT(__as, m__)("nop");', "line 1: ## could paste '__asm__'"),
        ('char *x = R"(")"; asm("nop"); //")";', "line 1: a raw string"),
        ("??=include <stdio.h>", "line 1: ??= is a trigraph"),
        ("int \\u0061sm;", "line 1: '\\\\u0061sm' spells a character by its number"),
        ("__attribute__((constructor)) static void f(void) {}", "line 1: attribute 'constructor' is not accepted"),
        ("__attribute((__destructor__(101))) static void f(void) {}", "attribute 'destructor' is not accepted"),
        ("#define C constructor\n__attribute__((C)) static void f(void) {}", "line 2: attribute 'constructor'"),
        ("#define C constructor\n__attribute__((C)) int f();\n#undef C\n#define C unused", "attribute 'constructor'"),
        ("#define A(x) __attribute__((x))\nA(ifunc(\"g\")) void f(void);", "line 1: attribute 'ifunc'"),
        ("#define B C\n#define C section\nint x __attribute__((B(\"x\")));", "line 3: attribute 'section'"),
        ("[[gnu::alias(\"g\")]] void f(void);", "line 1: attribute 'alias'"),
        ("<:<:gnu::__target__(\"avx2\"):>:> void f(void);", "line 1: attribute 'target'"),
        ("__attribute__((optimize(\"Ofast\"))) static void f(void) {}", "attribute 'optimize' is not accepted"),
        ("void f(void) { int x __attribute__((cleanup(g))); }", "attribute 'cleanup' is not accepted"),
        ('#pragma GCC optimize("Ofast")', "line 1: #pragma GCC optimize: the flags are the run's"),
        ("#pragma GCC push_options", "line 1: #pragma GCC push_options: the flags are the run's"),
        ('%:pragma GCC target("avx")', "line 1: #pragma GCC target: the flags are the run's"),
        ("#pragma weak f", "line 1: #pragma weak is not accepted"),
        ('_Pragma("GCC optimize(\\"Ofast\\")")', "line 1: #pragma GCC optimize: the flags are the run's"),
        ("#define DO(x) _Pragma(#x)\nDO(GCC target(\"avx\"))", "line 1: _Pragma through a macro, and the word"),
        ("static const char *when = __DATE__;", "line 1: __DATE__ is not accepted"),
        ("\n/* \u202e */", "line 2: the invisible character U+202E; remove it"),
        ("int a\u200bb;", "line 1: the invisible character U+200B; remove it"),
        ("/* \x1b[2J */", "line 1: the invisible character U+001B; remove it"),
        ("static int \u0430;", "line 1: the name '\u0430' has letters beyond ASCII"),
    ],
)  # fmt: skip
def test_forbidden_text_is_refused_with_its_line(before: str, reason: str) -> None:
    assert reason in refused(dgemm(BODY, before))


def test_an_attribute_longer_than_any_honest_one_hides_nothing() -> None:
    padding = ", ".join(["unused"] * 200)
    source = dgemm(BODY, f"__attribute__(({padding}, constructor)) static void f(void) {{}}")
    assert "attribute 'constructor'" in refused(source)


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        (b"", "the source is empty; define dgemm"),
        (b" \n\t", "the source is empty"),
        (b"a" * (SIZE_LIMIT + 1), f"has {SIZE_LIMIT + 1} bytes; at most {SIZE_LIMIT}"),
        (b"#include <stddef.h>\rvoid dgemm(void) {}\r", "line 1: the lines end in CR alone"),
        (b"\n\xff", "line 2: byte 0xff is not UTF-8"),
        (b"int a;\n\0", "line 2: a NUL byte"),
        (b"void sgemm(int m) {}", "no definition of dgemm found"),
        (b"void dgemm(int m);", "no definition of dgemm found"),
        (b"void f(void) { dgemm(1); }", "no definition of dgemm found"),
        (b"/* void dgemm(void) {} */", "no definition of dgemm found"),
        (b"#define dgemm(x) { x }\n", "no definition of dgemm found"),
    ],
)
def test_a_source_that_is_no_kernel_is_refused(source: bytes, reason: str) -> None:
    assert reason in refused(source)


def test_a_mark_of_byte_order_hides_no_directive() -> None:
    assert "line 1: #include <stdio.h>" in refused(b"\xef\xbb\xbf#include <stdio.h>\nvoid dgemm(void) {}")


@pytest.mark.parametrize(
    "piece",
    ["(", "{", "dgemm(", '"\\', "'", "/*", "#\n", "??", "\\\n", "__attribute__((", "_Pragma(x", "#define a##b c##d\n"],
)
def test_repetition_neither_raises_nor_hangs(piece: str) -> None:
    refused((piece * SIZE_LIMIT)[:SIZE_LIMIT])


def test_no_bytes_raise() -> None:
    rng = random.Random(7)
    words = [b"asm", b"#", b"##", b"define", b"__attribute__", b"((", b"))", b"\n", b'"', b"'", b"\\", b"/*", b"dgemm"]
    for _ in range(300):
        pieces = [rng.choice(words) if rng.random() < 0.7 else rng.randbytes(2) for _ in range(60)]
        refuse_source(b" ".join(pieces), "dgemm")
        refuse_source(b"".join(pieces), "dgemm")
