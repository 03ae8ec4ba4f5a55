from __future__ import annotations

import pytest

from qdkernel.evaluators.source import normal_hash
from tests.paths import GALLERY

SOURCE = """\
#include <math.h>
#define TILE 64 /* tune: 32, 64 */
enum { ROWS = 4 };
static double total;
static inline double half(double x) { return sqrt(x) / 2; }
void dgemm(int m, const double *A)
{
#pragma omp parallel for reduction(+ : total) schedule(static)
    for (int i = 0; i < m; i += TILE)
        total += half(A[i]) * ROWS * M_PI;
}
"""


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("/* tune: 32, 64 */", ""),
        ("    for", "\n\n\tfor"),
        ("{ return", "// why\n{\nreturn"),
        ("half", "twice"),
        ("TILE", "STEP"),
        ("ROWS", "MR"),
        ("A[i]", "A  [ i ]"),
        ("i += TILE", "i \\\n+= TILE"),
    ],
)
def test_own_names_comments_and_blanks_do_not_matter(old: str, new: str) -> None:
    assert normal_hash(SOURCE.replace(old, new)) == normal_hash(SOURCE)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("64", "96"),
        ("sqrt", "cbrt"),
        ("M_PI", "M_E"),
        ("static)", "dynamic)"),
        ("int i", "long i"),
        ("+ :", "* :"),
        ("half(A[i])", "A[i]"),
        ("#define TILE 64", "#define TILE(x) 64"),
        ("i < m", "i <= m"),
        ("inline ", ""),
        ("math.h", "float.h"),
        ("total", "sum"),  # stands in a pragma
    ],
)
def test_whatever_may_change_the_code_matters(old: str, new: str) -> None:
    assert old in SOURCE
    assert normal_hash(SOURCE.replace(old, new)) != normal_hash(SOURCE)


def test_a_name_of_the_kernels_own_does_not_hide_a_word_of_a_pragma() -> None:
    source = "void f(int m) {{ int {0} = m;\n#pragma omp for schedule({0})\nfor (int i = 0; i < {0}; i++) g(i); }}\n"
    assert normal_hash(source.format("dynamic")) != normal_hash(source.format("guided"))


def test_a_name_of_the_library_is_no_name_of_the_kernels_own() -> None:
    source = "double f(double x) {{ double (*const g)(double) = {}; return g(x); }}\n"
    assert normal_hash(source.format("sin")) != normal_hash(source.format("cos"))


def test_a_macro_with_parameters_differs_from_one_without() -> None:
    assert normal_hash("#define F(x) 1\n") != normal_hash("#define F (x) 1\n")


def test_the_gallery_has_no_two_equal_kernels() -> None:
    hashes = [normal_hash(path.read_text()) for path in GALLERY.glob("*.c")]
    assert len(set(hashes)) == len(hashes)


@pytest.mark.parametrize("text", ["", "\udcff", '"', "#", "#define", "enum {", "}}}", "f(", "\\"])
def test_any_text_has_a_hash(text: str) -> None:
    assert len(normal_hash(text)) == 64
