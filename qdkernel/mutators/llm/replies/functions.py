"""Where a C text defines a function: its lines, from the first of its declaration to its closing brace."""

from __future__ import annotations

from collections.abc import Sequence

from qdkernel.evaluators.source import Token, tokenize_c


def function_lines(text: str, function: str) -> range | None:
    """Indices of the lines of a function's definition; ``None`` when there is none, or more than one.

    The definition begins with attributes and return type, behind what comes before it. A comment above it stays.
    """
    tokens = tokenize_c(text)
    code = [token for line in tokens.lines if line[0].text != "#" for token in line]
    found = [extent for extent in _definitions(code) if _name(code, extent) == function]
    if len(found) != 1:
        return None
    first, last = code[found[0].start], code[found[0].stop - 1]
    return range(tokens.line_of(first) - 1, tokens.line_of(last))


def _definitions(code: Sequence[Token]) -> list[range]:
    """Indices of the tokens of each ``... ( ... ) { ... }`` outside of all braces."""
    found, depth, begin = [], 0, 0
    for at, token in enumerate(code):
        if token.text == "{":
            depth += 1
        elif token.text == "}":
            depth -= 1
        if depth <= 0 and token.text in (";", "}"):
            extent = range(begin, at + 1)
            if token.text == "}" and _name(code, extent):
                found.append(extent)
            depth, begin = 0, at + 1
    return found


def _name(code: Sequence[Token], extent: range) -> str:
    """The word before the parentheses that the body's brace follows; empty for a type or an array."""
    brace = next((at for at in extent if code[at].text == "{"), None)
    if brace is None or brace == extent.start or code[brace - 1].text != ")":
        return ""
    depth = 0
    for at in range(brace - 1, extent.start, -1):
        depth += (code[at].text == ")") - (code[at].text == "(")
        if depth == 0:
            return code[at - 1].text if code[at - 1].kind == "word" else ""
    return ""
