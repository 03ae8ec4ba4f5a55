"""C text as preprocessing tokens: enough to judge and to compare kernels without a compiler.

Continued lines are joined first, as the compiler does, so that a word split by a backslash is still one word.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import NamedTuple

_CONTINUED = re.compile(r"\\[ \t\f\v]*\r?\n")  # GCC also joins when blanks follow the backslash
_TOKEN = re.compile(
    r"""
      (?P<skip>   /\*.*?(?:\*/|\Z) | //[^\n]* | [ \t\f\v\r]+ )
    | (?P<newline>\n)
    | (?P<raw>    (?:u8|[uUL])?R" )
    | (?P<string> (?:u8|[uUL])?"(?:[^"\\\n]+|\\[^\n])*+"? )
    | (?P<char>   [uUL]?'(?:[^'\\\n]+|\\[^\n])*+'? )
    | (?P<word>   (?:[^\W\d]|\$|\\[uU])(?:[\w$]|\\[uU])* )
    | (?P<number> \.?\d(?:[eEpP][+-]|[\w.])* )
    | (?P<sign>   %:%: | %: | \#\# | <: | :> | <% | %> | >>= | <<= | \.\.\.
                  | -> | \+\+ | -- | [-+*/%&|^<>=!]= | && | \|\| | << | >> | :: | . )
    """,
    re.VERBOSE | re.DOTALL,
)
_DIGRAPHS = {"%:": "#", "%:%:": "##", "<:": "[", ":>": "]", "<%": "{", "%>": "}"}


class Token(NamedTuple):
    """A preprocessing token.

    A literal that is not closed ends with its line, as in GCC.

    Attributes:
        kind: ``word``, ``number``, ``string``, ``char``, ``raw`` (the begin of a raw string) or ``sign``.
        text: as written, digraphs spelt out.
        at: offset in the joined text.
    """

    kind: str
    text: str
    at: int


@dataclass(frozen=True)
class Tokens:
    """The tokens of a source, comments and blanks gone, digraphs spelt out.

    Attributes:
        lines: logical lines that hold anything, without their newlines.
        ends: offset in the joined text of the newline that ends each of these lines.
        joined: the text after joining continued lines.
        source: the text as given.
    """

    lines: tuple[tuple[Token, ...], ...]
    ends: tuple[int, ...]
    joined: str
    source: str

    @cached_property
    def all(self) -> tuple[Token, ...]:
        """Every token in order."""
        return tuple(token for line in self.lines for token in line)

    @cached_property
    def words(self) -> frozenset[str]:
        """Every word that occurs."""
        return frozenset(token.text for token in self.all if token.kind == "word")

    def line_of(self, token: Token) -> int:
        """Line number in the source as given, from 1."""
        return self.line_at(token.at)

    def line_at(self, at: int) -> int:
        """Line number in the source as given, from 1, of an offset in the joined text."""
        return 1 + self.joined.count("\n", 0, at) + bisect_right(self._joins[0], at)

    def source_offset(self, at: int) -> int:
        """Where the character at an offset in the joined text stands in the source as given."""
        return at + self._joins[1][bisect_right(self._joins[0], at)]

    @cached_property
    def _joins(self) -> tuple[list[int], list[int]]:
        """Offsets in the joined text where lines were joined, and the characters taken out before each and at last."""
        places, taken = [], [0]
        for match in _CONTINUED.finditer(self.source):
            places.append(match.start() - taken[-1])  # in the joined text, which lacks the joins before
            taken.append(taken[-1] + len(match[0]))
        return places, taken


@lru_cache(maxsize=4)  # policy, preprocessor, normal form and syntax tree of one evaluation read the same text
def tokenize_c(source: str) -> Tokens:
    """The tokens of a C text; any text has some."""
    joined = _CONTINUED.sub("", source)
    found = tuple(_lines(joined))
    return Tokens(tuple(line for line, _ in found), tuple(end for _, end in found), joined, source)


def _lines(joined: str) -> Iterator[tuple[tuple[Token, ...], int]]:
    line: list[Token] = []
    for match in _TOKEN.finditer(joined):
        kind = match.lastgroup
        if kind == "skip" or kind is None:
            continue
        if kind == "newline":
            if line:
                yield tuple(line), match.start()
                line = []
            continue
        text = match[0]
        line.append(Token(kind, _DIGRAPHS.get(text, text), match.start()))
    if line:
        yield tuple(line), len(joined)


def is_function_like(definition: Sequence[Token]) -> bool:
    """Whether a ``#define`` line defines a macro with parameters: a bracket follows its name without a blank."""
    if len(definition) < 4:
        return False
    name, after = definition[2], definition[3]
    return after.text == "(" and after.at == name.at + len(name.text)


def spaced(line: Sequence[Token]) -> str:
    """The text of a line, with one blank where there was any."""
    parts, end = [], -1
    for token in line:
        parts.append(token.text if token.at == end else " " + token.text)
        end = token.at + len(token.text)
    return "".join(parts).strip()


def directive(line: Sequence[Token]) -> str | None:
    """Name of the preprocessing directive on a logical line; empty for a lone ``#``, ``None`` for no directive."""
    if line[0].text != "#":
        return None
    return line[1].text if len(line) > 1 else ""
