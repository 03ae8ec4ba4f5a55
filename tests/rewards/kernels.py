"""DGEMM kernels that differ in code, in names only, or not at all."""

from __future__ import annotations

from tests import compiled
from tests.conftest import naive


def dgemm(body: str) -> str:
    """A source that defines dgemm, as the reader of replies gives it."""
    return compiled.dgemm(body).lstrip()


def plain(constant: int = 0) -> str:
    """Correct; each constant gives other machine code that does the same."""
    return dgemm(
        f"""    volatile int mark = {constant};
    (void)mark;
    for (int i = 0; i < m; i++)
        for (int j = 0; j < n; j++) {{
            double sum = 0.0;
            for (int l = 0; alpha != 0.0 && l < k; l++) sum += A[(size_t)i * lda + l] * B[(size_t)l * ldb + j];
            C[(size_t)i * ldc + j] = beta == 0.0 ? alpha * sum : alpha * sum + beta * C[(size_t)i * ldc + j];
        }}"""
    )


def fast() -> str:
    """Correct and several times faster at any size: the loops stand so that the innermost one is vectorized."""
    return dgemm(
        """    for (int i = 0; i < m; i++) {
        double *restrict row = C + (size_t)i * ldc;
        for (int j = 0; j < n; j++) row[j] = beta == 0.0 ? 0.0 : beta * row[j];
        for (int l = 0; alpha != 0.0 && l < k; l++) {
            double a = alpha * A[(size_t)i * lda + l];
            for (int j = 0; j < n; j++) row[j] += a * B[(size_t)l * ldb + j];
        }
    }"""
    )


def renamed(source: str) -> str:
    """Other text, the same token-normal form."""
    return "/* another text */\n" + source.replace("sum", "total")


def wrong() -> str:
    return dgemm("    for (int i = 0; i < m; i++) for (int j = 0; j < n; j++) C[(size_t)i * ldc + j] = 1.0;")


def broken() -> str:
    return dgemm("    this is not C;")


def crashing() -> str:
    return dgemm("    *(volatile int *)8 = 1;")


def threaded() -> str:
    """Correct, by several threads: outside a serial stage."""
    return naive().replace("for (int i", "#pragma omp parallel for\n    for (int i", 1)
