"""Layout of printed C: indentation, loops and braces, ``#define`` lines, long lines; the macro of streaming stores."""

from __future__ import annotations

import functools
import re
import textwrap
from collections.abc import Iterable

Constant = tuple[str, int | str, str]
"""Name, value and reason of a ``#define``."""


_LINE_LENGTH = 116
_STREAM = {
    ("double", 128): ("__SSE2__", "_mm_stream_pd", "__m128d"),
    ("double", 256): ("__AVX__", "_mm256_stream_pd", "__m256d"),
    ("double", 512): ("__AVX512F__", "_mm512_stream_pd", "__m512d"),
    ("float", 128): ("__SSE2__", "_mm_stream_ps", "__m128"),
    ("float", 256): ("__AVX__", "_mm256_stream_ps", "__m256"),
    ("float", 512): ("__AVX512F__", "_mm512_stream_ps", "__m512"),
}
_INDENTED = re.compile(r"^(?=[^#\n])", re.MULTILINE)
_LONG = re.compile(rf"^[^#\n].{{{_LINE_LENGTH},}}$", re.MULTILINE)
_UNBROKEN = re.compile(r"(?<!,) (?!(?:\+|\|\||&&) )")  # blanks where a line is not broken


def indent(text: str, levels: int) -> str:
    """``text`` moved right by 4 columns per level; preprocessor lines stay at the margin."""
    return _INDENTED.sub(" " * (4 * levels), text)


def loop(header: str, *statements: str, function: bool = False) -> str:
    """``header`` with its body, in braces where C needs them or a function does; empty statements are left out."""
    body = [indent(statement, 1) for statement in statements if statement]
    if function:
        return "\n".join([header, "{", *body, "}"])
    if len(body) == 1 and len(statements) == 1:
        return f"{header}\n{body[0]}"
    return "\n".join([f"{header} {{", *body, "}"])


def define_lines(constants: Iterable[Constant]) -> str:
    """``#define`` lines, each with the reason in a comment."""
    return "\n".join(f"#define {name} {value} /* {why} */" for name, value, why in constants)


def stream_macro(real: str, width: int) -> list[str]:
    """Lines that define ``STREAM``, the store of a vector of ``width`` bits past the caches, by means of ``AT``."""
    macro, store, kind = _STREAM[real, width]
    return [
        f"#ifdef {macro}",
        f"#define STREAM(p, value) {store}(p, ({kind})(value)) /* past the caches */",
        "#else",
        "#define STREAM(p, value) (AT(p) = (value))",
        "#endif",
    ]


def wrapped(text: str) -> str:
    """``text`` with long lines of code broken after commas and before operators; preprocessor lines stay whole."""
    return _LONG.sub(lambda match: _broken(match[0]), text)


@functools.lru_cache(maxsize=1024)  # kernels of a template have most of their long lines in common
def _broken(line: str) -> str:
    lead = line[: len(line) - len(line.lstrip())]
    kept = _UNBROKEN.sub("\0", line.strip())
    lines = textwrap.wrap(
        kept, _LINE_LENGTH - len(lead), subsequent_indent=" " * 8, break_long_words=False, break_on_hyphens=False
    )
    return indent("\n".join(lines).replace("\0", " "), len(lead) // 4)
