from __future__ import annotations

import pytest

from qdkernel.mutators.llm.replies import Miss, apply_edits, explain
from qdkernel.mutators.llm.replies.edits import EditBlock

BASE = """\
void scale(int n, double *x)
{
    for (int i = 0; i < n; i++) {
        x[i] *= 2.0;
    }
    for (int i = 0; i < n; i++) {
        x[i] += 1.0;
    }
}
"""


def applied(base: str, *blocks: tuple[str, str]) -> str:
    result = apply_edits(base, [EditBlock(*block) for block in blocks])
    assert isinstance(result, str), explain(result)
    return result


def missed(base: str, *blocks: tuple[str, str]) -> Miss:
    result = apply_edits(base, [EditBlock(*block) for block in blocks])
    assert isinstance(result, Miss)
    return result


def test_exact_lines_are_replaced() -> None:
    assert applied(BASE, ("        x[i] *= 2.0;\n", "        x[i] *= 3.0;\n")) == BASE.replace("2.0", "3.0")


def test_an_empty_replacement_deletes_the_lines() -> None:
    assert applied("a;\nb;\nc;\n", ("b;\n", "")) == "a;\nc;\n"


def test_blocks_apply_to_what_the_one_before_left() -> None:
    assert applied("a;\nb;\n", ("a;\n", "c;\n"), ("c;\nb;\n", "d;\n")) == "d;\n"


def test_trailing_blanks_do_not_matter() -> None:
    assert applied("a;  \nb;\n", ("a;\nb; \t\n", "c;\n")) == "c;\n"


def test_windows_line_ends_do_not_matter() -> None:
    assert applied("a;\r\nb;\r\nc;\r\n", ("a;\r\nb;\r\n", "x;\r\n")) == "x;\nc;\n"


def test_a_base_without_a_last_newline_gets_one() -> None:
    assert applied("a;\nb;", ("b;\n", "c;\n")) == "a;\nc;\n"


@pytest.mark.parametrize("had", ["", "  ", "            "])
def test_the_replacement_follows_the_kernels_indentation(had: str) -> None:
    search = f"{had}x[i] *= 2.0;\n"
    replace = f"{had}if (i)\n{had}    x[i] *= 3.0;\n"
    expected = BASE.replace("        x[i] *= 2.0;", "        if (i)\n            x[i] *= 3.0;")
    assert applied(BASE, (search, replace)) == expected


def test_replacement_lines_with_less_indentation_than_the_block_stay_left_of_it() -> None:
    base = "{\n        a;\n}\n"
    assert applied(base, ("    a;\n", "label:\n  b;\n    c;\n")) == "{\n    label:\n      b;\n        c;\n}\n"


def test_tabs_in_the_kernel_replace_the_blanks_of_the_block() -> None:
    assert applied("{\n\ta;\n\tb;\n}\n", ("    a;\n    b;\n", "    c;\n        d;\n")) == "{\n\tc;\n\t    d;\n}\n"


def test_indentation_that_differs_line_by_line_still_fits() -> None:
    base = "{\n    a;\n        b;\n}\n"
    assert applied(base, ("a;\nb;\n", "c;\nd;\n")) == "{\n    c;\n    d;\n}\n"


def test_a_place_where_all_lines_are_shifted_alike_goes_first() -> None:
    base = "if (x) {\n  a;\n b;\n}\nif (y) {\n    a;\n      b;\n}\n"
    assert applied(base, ("a;\n  b;\n", "c;\n")) == "if (x) {\n  a;\n b;\n}\nif (y) {\n    c;\n}\n"


def test_an_exact_place_goes_before_an_indented_one() -> None:
    assert applied("{\n    a;\n}\na;\n", ("a;\n", "b;\n")) == "{\n    a;\n}\nb;\n"


def test_empty_lines_at_the_ends_of_search_are_ignored() -> None:
    assert applied("a;\nb;\nc;\n", ("\n\nb;\n\n", "\n\nd;\n\n")) == "a;\nd;\nc;\n"


def test_empty_lines_at_the_ends_are_matched_when_they_stand_there() -> None:
    assert applied("a;\n\nb;\n", ("a;\n\n", "c;\n")) == "c;\nb;\n"


def test_an_empty_search_fills_an_empty_kernel() -> None:
    assert applied("", ("", "a;\n")) == "a;\n"
    assert applied("\n", ("\n", "a;\n")) == "a;\n"


def test_an_empty_search_on_a_kernel_is_a_miss() -> None:
    miss = missed(BASE, ("", "a;\n"))
    assert miss.reason == "its SEARCH part is empty, but the kernel is not"
    assert explain(miss) == "Block 1: its SEARCH part is empty, but the kernel is not."


def test_two_places_are_a_miss_that_names_their_lines() -> None:
    miss = missed(BASE, ("    for (int i = 0; i < n; i++) {\n", ""))
    assert miss.reason == "its SEARCH part fits at lines 3 and 6; give more lines of context, so that it fits once"
    assert miss.line == 1
    assert miss.closest == "".join(line + "\n" for line in BASE.split("\n")[:6])


def test_many_places_are_not_all_named() -> None:
    assert "lines 1, 2, 3, 4, 5, 6 ...;" in missed("a;\n" * 9, ("a;\n", "b;\n")).reason


@pytest.mark.parametrize("blocks", [[], [("a;\n", "a;\n")], [("a;\n", "b;\n"), ("b;\n", "a;\n")], [("z;\n", "z;\n")]])
def test_edits_that_change_nothing_are_a_miss(blocks: list[tuple[str, str]]) -> None:
    miss = missed("a;\n", *blocks)
    assert (miss.block, miss.reason) == (0, "the edits change nothing")
    assert explain(miss) == "The edits change nothing."


def test_a_miss_shows_the_closest_lines_and_how_they_differ() -> None:
    miss = missed(BASE, ("    for (int i = 0; i < n; i++) {\n        x[i] += 7.0;\n    }\n", ""))
    assert (miss.block, miss.reason, miss.line) == (1, "its SEARCH part is not in the kernel", 3)
    assert explain(miss) == (
        "Block 1: its SEARCH part is not in the kernel.\n"
        "The kernel has from line 3 on:\n"
        "```c\n"
        "    for (int i = 0; i < n; i++) {\n"
        "        x[i] *= 2.0;\n"
        "    }\n"
        "    for (int i = 0; i < n; i++) {\n"
        "        x[i] += 1.0;\n"
        "    }\n"
        "}\n"
        "```\n"
        "The difference, - your SEARCH part, + the kernel:\n"
        "```diff\n"
        "@@ -1,3 +1,3 @@\n"
        "     for (int i = 0; i < n; i++) {\n"
        "-        x[i] += 7.0;\n"
        "+        x[i] += 1.0;\n"
        "     }\n"
        "```"
    )


def test_a_miss_of_a_later_block_speaks_of_the_changed_kernel() -> None:
    miss = missed("a1;\nb2;\n", ("a1;\n", "c3 = d4;\n"), ("c3 = d5;\n", "e;\n"))
    assert miss.block == 2
    assert "The kernel has, after the blocks before this one, from line 1 on:\n```c\nc3 = d4;\n" in explain(miss)


def test_a_search_that_resembles_nothing_is_told_so() -> None:
    miss = missed(BASE, ("while (true) yield();\n", ""))
    assert miss.closest == ""
    assert explain(miss).endswith("No line of the kernel resembles it.")


def test_a_long_search_is_shown_from_where_it_differs() -> None:
    lines = [f"    step{i}();\n" for i in range(100)]
    wrong = [*lines[:80], "    other80();\n", *lines[81:]]
    miss = missed("".join(lines), ("".join(wrong), ""))
    assert miss.line == 75
    assert "-    other80();\n+    step80();\n" in miss.difference
    assert len(explain(miss)) < 2000


ONE_CHARACTER_LINES = "x\n" * 32768


@pytest.mark.parametrize(
    ("base", "search"),
    [
        (ONE_CHARACTER_LINES, "x\n" * 16384 + "y\n"),
        (ONE_CHARACTER_LINES, " x\n" * 16384),
        (ONE_CHARACTER_LINES, "x\ny\n" * 16384),
        (ONE_CHARACTER_LINES, "x\n" * 100_000),
        ("x" * 65536, "x" * 200_000),
        ("{}();" * 13000, "{}()" * 13000),
        ("\tx\n  x\n" * 8000, " x\n" * 4000),
    ],
)
def test_large_sources_of_any_shape_give_a_short_explanation(base: str, search: str) -> None:
    # None of these ends within the patience of a test when the work is quadratic.
    assert len(explain(missed(base, (search, "")))) < 15_000


HELPERS = """\
#include <math.h>
static void set(double *x);

/* doubles x */
static inline __attribute__((noinline))
void twice(double *x)
{
    if (x) { *x *= 2.0; }
}
static void set(double *x) { *x = 1.0; }
"""


def test_a_function_is_replaced_by_its_name_attributes_and_return_type_included() -> None:
    new = "static void twice(double *x) { *x += *x; }\n"
    result = apply_edits(HELPERS, [EditBlock("", new, "twice")])
    start, end = HELPERS.index("static inline"), HELPERS.index("static void set(double *x) {")
    assert result == HELPERS[:start] + new + HELPERS[end:]


def test_a_declaration_is_no_definition() -> None:
    result = apply_edits(HELPERS, [EditBlock("", "static void set(double *x) { *x = 2.0; }\n", "set")])
    assert result == HELPERS.replace("*x = 1.0", "*x = 2.0")


@pytest.mark.parametrize("text", [HELPERS, HELPERS.replace("twice", "other") + HELPERS.replace("twice", "other")])
def test_a_function_that_is_not_defined_once_is_a_miss(text: str) -> None:
    miss = apply_edits(text, [EditBlock("", "void other(void) {}\n", "other")])
    assert isinstance(miss, Miss)
    assert explain(miss).startswith("Block 1: the kernel defines no function other, or more than one of that name")
