"""What the compiler's preprocessor made of a source: which lines it kept, and what they expanded to.

The source is preprocessed with a probe, a pragma without effect, behind every condition. A probe that arrives in
the output stands in text that is compiled, so the rules for text need not guess how conditions end. ``#line`` behind
each probe keeps ``__LINE__`` and the positions of the output as they are in the source.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from qdkernel.evaluators.source.tokens import Token, Tokens, directive, spaced, tokenize_c

PROBED_FILE = "probed.c"
"""The file that the probed source is preprocessed from; line markers of the output name it."""

_OPENING = frozenset({"if", "ifdef", "ifndef"})
_CONDITIONS = _OPENING | {"elif", "elifdef", "elifndef", "else", "endif"}
_MARKER = re.compile(r'# (\d+) "((?:[^"\\]|\\.)*)"')
_PROBE = re.compile(r"#pragma qdkernel (\d+)\s*")


@dataclass(frozen=True)
class Expanded:
    """The preprocessor's output for the source's own lines, headers left out.

    Attributes:
        text: its lines, macros replaced by what they stand for; pragmas stay.
        numbers: line of the source for each of them.
    """

    text: str
    numbers: tuple[int, ...]

    @cached_property
    def tokens(self) -> Tokens:
        """The tokens of the text."""
        return tokenize_c(self.text)

    def line_of(self, token: Token) -> int:
        """Line number in the source, from 1."""
        row = self.tokens.line_of(token) - 1
        return self.numbers[min(row, len(self.numbers) - 1)] if self.numbers else 1


@dataclass(frozen=True)
class Preprocessed:
    """A source as the preprocessor sees it.

    Attributes:
        live: the tokens of the lines that it kept, directives included, at their places in the source.
        expanded: what these lines became.
        settled: the source with each condition replaced by 0 or 1, as it was decided.
    """

    live: Tokens
    expanded: Expanded
    settled: str

    def text(self, function: str) -> str:
        """The kept lines without conditions and comments, macros as they are written.

        Where a macro makes the function's head, nothing is live in that text; then macros are replaced as well.
        """
        kept = [line for line in self.live.lines if directive(line) not in _CONDITIONS]
        live = replace(self.live, lines=tuple(kept))
        return "\n".join(map(spaced, kept)) + "\n" if defines(live, function) else self.expanded.text


def needs_preprocessor(tokens: Tokens) -> bool:
    """Whether the text may differ from what is compiled: it has a condition or defines a macro."""
    return any(directive(line) in _CONDITIONS or directive(line) == "define" for line in tokens.lines)


def with_probes(tokens: Tokens) -> str:
    """The source with a numbered probe behind each line with a condition.

    From::

        #ifdef X
        int a;
        #endif

    comes::

        #ifdef X
        #pragma qdkernel 1
        #line 2
        int a;
        #endif
        #pragma qdkernel 2
        #line 4
    """
    parts, begin, number = [], 0, 0
    for line, end in zip(tokens.lines, tokens.ends, strict=True):
        if directive(line) in _CONDITIONS:
            number += 1
            at = tokens.source_offset(end)
            parts.append(tokens.source[begin:at])
            parts.append(f"\n#pragma qdkernel {number}\n#line {tokens.line_at(end) + 1}\n")
            begin = at + 1
    return "".join(parts) + tokens.source[begin:]


def read_preprocessed(tokens: Tokens, output: str) -> Preprocessed:
    """Live lines and expanded text from what the preprocessor made of ``with_probes(tokens)``."""
    texts, numbers, seen = [], [], {0}
    number, own = 1, False
    for text in output.split("\n"):
        if marker := _MARKER.match(text):
            number, own = int(marker[1]), marker[2] == PROBED_FILE
            continue
        if probe := _PROBE.fullmatch(text):
            seen.add(int(probe[1]))
        elif own:
            texts.append(text)
            numbers.append(number)
        number += 1
    kept = [(line, end) for (line, end), live in zip(_lines(tokens), _liveness(tokens, seen), strict=True) if live]
    live = replace(tokens, lines=tuple(line for line, _ in kept), ends=tuple(end for _, end in kept))
    return Preprocessed(live, Expanded("\n".join(texts), tuple(numbers)), _settled(tokens, seen))


def _settled(tokens: Tokens, seen: set[int]) -> str:
    """The source with its conditions as they were decided: other flags and macros choose no other lines of it.

    From::

        #ifdef X
        int a;
        #elif Y > 2
        int b;
        #endif

    comes::

        #if 0
        int a;
        #elif 1
        int b;
        #endif
    """
    parts, begin, number = [], 0, 0
    for line, end in _lines(tokens):
        name = directive(line)
        if name not in _CONDITIONS:
            continue
        number += 1
        if name not in ("else", "endif"):
            word = "if" if name in _OPENING else "elif"
            parts += [tokens.source[begin : tokens.source_offset(line[0].at)], f"#{word} {int(number in seen)}"]
            begin = tokens.source_offset(end)
    return "".join(parts) + tokens.source[begin:]


def _lines(tokens: Tokens) -> Iterator[tuple[tuple[Token, ...], int]]:
    return zip(tokens.lines, tokens.ends, strict=True)


def _liveness(tokens: Tokens, seen: set[int]) -> Iterator[bool]:
    """For each line, whether the preprocessor kept it; of a condition, whether it may have evaluated it."""
    number, outer = 0, [True]
    for line in tokens.lines:
        name = directive(line)
        if name not in _CONDITIONS:
            yield number in seen
            continue
        if name in _OPENING:
            outer.append(number in seen)
        yield outer[-1]
        if name == "endif" and len(outer) > 1:
            outer.pop()
        number += 1


def defines(tokens: Tokens, function: str) -> bool:
    """Whether the function is defined at file level: its name, parameters in brackets, and a body."""
    code = [token.text for line in tokens.lines if directive(line) is None for token in line]
    depth = brackets = 0
    for i, text in enumerate(code):
        if text in "{};":
            depth = max(0, depth + {"{": 1, "}": -1}.get(text, 0))
            brackets = 0
        if text == function and depth == brackets == 0 and code[i + 1 : i + 2] == ["("] and _body_follows(code, i + 1):
            return True
        brackets += {"(": 1, ")": -1}.get(text, 0)
    return False


def _body_follows(code: Sequence[str], opening: int) -> bool:
    depth = 0
    for i in range(opening, len(code)):
        depth += {"(": 1, ")": -1}.get(code[i], 0)
        if depth == 0:
            return code[i + 1 : i + 2] == ["{"]
        if code[i] in "{};":
            return False
    return False
