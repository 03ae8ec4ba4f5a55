"""The text of a kernel written anew where a loop changes: headers, statements, pragmas, constants."""

from __future__ import annotations

import re
from collections.abc import Mapping

from tree_sitter import Node

from qdkernel.evaluators.source import text
from qdkernel.mutators.schedule.c_text import indent
from qdkernel.mutators.schedule.loops.nest import Loop, below


def with_pragma(source: str, of: Loop, pragma: str) -> str:
    """The source with a pragma on the line before a loop."""
    data, start = source.encode(), of.node.start_byte
    line = data.rfind(b"\n", 0, start) + 1
    at, lead = (line, b"") if not data[line:start].strip() else (start, b"\n")
    return (data[:at] + lead + pragma.encode() + b"\n" + data[at:]).decode()


def replaced(source: str, node: Node, *statements: str) -> str:
    """The source with a statement replaced, and those that follow a line break moved right to where it begins.

    Several statements that become the body of a loop are put in braces, behind the loop's parenthesis.
    """
    data, start, column = source.encode(), node.start_byte, node.start_point.column
    around = node.parent
    if len(statements) > 1 and around is not None and around.type != "compound_statement":
        header = data[:start].rstrip()
        if header.endswith(b")"):
            start, column, opening = len(header), around.start_point.column, " {"
        else:  # a comment is between them
            opening = "{"
        statements = ("\n".join([opening, *(indent(each, 1) for each in statements), "}"]),)
    first, *others = "\n".join(statements).split("\n")
    lines = [first, *(line if not line or line.startswith("#") else " " * column + line for line in others)]
    return (data[:start] + "\n".join(lines).encode() + data[node.end_byte :]).decode()


def with_constant(source: str, line: str) -> str:
    """The source with a ``#define`` behind its last ``#include``, or at its beginning."""
    included = [match.end() for match in re.finditer(r"^#include.*\n", source, re.MULTILINE)]
    at = included[-1] if included else 0
    return f"{source[:at]}{line}\n{source[at:]}"


def header_of(of: Loop, step: str = "++") -> str:
    """The line of a loop, without its body; ``step`` follows the variable where it is advanced."""
    return f"for ({of.kind} {of.variable} = {of.first}; {of.variable} < {of.last}; {of.variable}{step})"


def operand(expression: str) -> str:
    """An expression that can stand beside any operator."""
    return expression if re.fullmatch(r"\w+", expression) else f"({expression})"


def children_of(of: Loop) -> list[Node]:
    """The statements of a loop's body, comments and pragmas among them."""
    return of.body.named_children if of.body.type == "compound_statement" else [of.body]


def statements_of(of: Loop, names: Mapping[str, str] | None = None) -> list[str]:
    """The statements of a loop's body, without their indentation, with other expressions in place of ``names``."""
    return [renamed(each, names or {}) for each in children_of(of)]


def as_one(statements: list[str]) -> list[str]:
    """One statement as it is; several, which may declare variables, in braces."""
    if len(statements) == 1:
        return statements
    return ["{\n" + indent("\n".join(statements), 1) + "\n}"]


def renamed(statement: Node, names: Mapping[str, str]) -> str:
    """The text of a statement without its indentation, with other expressions in place of some variables."""
    data, start = (statement.text or b""), statement.start_byte
    pieces, done = [], 0
    for at in below(statement):
        if at.type == "identifier" and text(at) in names:
            pieces += [data[done : at.start_byte - start], names[text(at)].encode()]
            done = at.end_byte - start
    lines = b"".join([*pieces, data[done:]]).decode().rstrip("\n").split("\n")
    pad = " " * statement.start_point.column
    return "\n".join([lines[0], *(line.removeprefix(pad) for line in lines[1:])])
