"""Text from outside: nothing that a terminal or a browser would obey gets through."""

from __future__ import annotations

import doctest
import sys

import pytest

from qdkernel.core import one_line, printable


def test_the_example_in_the_docstring_holds() -> None:
    module = sys.modules[printable.__module__]
    assert doctest.testmod(module).failed == 0
    assert doctest.testmod(module).attempted == 1


@pytest.mark.parametrize(
    "code", [*range(0x00, 0x20), *range(0x7F, 0xA0), 0x200E, 0x202A, 0x202E, 0x2066, 0x2069, 0xFEFF]
)
def test_control_and_bidirectional_characters_are_replaced(code: int) -> None:
    assert printable(f"a{chr(code)}b") in ("a\ufffdb", "a b")


def test_line_feeds_and_tabs_stay_where_a_view_keeps_them() -> None:
    assert printable("a\n\tb\r\x1b[2J", keep="\n\t") == "a\n\tb \ufffd[2J"


def test_lone_surrogates_can_be_encoded_afterwards() -> None:
    assert printable("a\udcffb").encode() == "a\ufffdb".encode()


def test_other_scripts_stay_readable() -> None:
    assert printable("größer ≤ 2, 行列") == "größer ≤ 2, 行列"


def test_a_long_text_ends_in_an_ellipsis_at_the_limit() -> None:
    assert len(printable("x" * 100_000)) == 4096
    assert printable("x" * 100_000).endswith("x [...]")
    assert len(printable("x" * 100_000, limit=None)) == 100_000


def test_one_line_has_no_line_break() -> None:
    assert one_line("a\r\n b\x0b\u2028c\x85d") == "a b c d"
